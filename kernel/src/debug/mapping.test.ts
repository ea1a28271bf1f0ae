import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { compileCell } from "../compile/cell.js";
import { Edits, unshift } from "../compile/edits.js";
import { breakableLines } from "./breakable.js";
import { cellMapping, fileMapping, shifted } from "./mapping.js";

describe("shifted", () => {
  it("brings every column that is left where the edits put it, and unshift brings it back", () => {
    const edit = fc.record({
      at: fc.nat({ max: 30 }),
      remove: fc.nat({ max: 4 }),
      text: fc.string({ maxLength: 6 }),
    });
    fc.assert(
      fc.property(fc.array(edit, { maxLength: 5 }), (wanted) => {
        const source = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJ";
        const edits = new Edits();
        const kept = new Set(source.split("").keys());
        let free = 0;
        for (const { at, remove, text } of wanted.sort((a, b) => a.at - b.at)) {
          const start = Math.max(at, free);
          const end = Math.min(start + remove, source.length);
          edits.replace(start, end, text.replace(/[\r\n]/g, " "));
          for (let column = start; column < end; column++) kept.delete(column);
          free = end + 1;
        }
        const { code, shifts } = edits.apply(source);
        for (const column of kept) {
          const after = shifted(shifts, { line: 0, column });
          expect(code[after]).toBe(source[column]);
          expect(unshift(shifts, 0, after)).toBe(column);
        }
      }),
    );
  });
});

describe("cellMapping", () => {
  const SOURCES = [
    "let x = 1;\nlet y = x + 1;\ny",
    'import { join } from "node:path"; const a = join("a");\na',
    "enum E { A }\nclass C { constructor(private v: number) {}\n  get(): number { return this.v; } }\nconst c = new C(E.A);\nc.get();",
    "const process: number = 1;\nconst q = process + 1;\nq",
  ];

  it.each(SOURCES)("leads from each line with code to the cell's line and back: %j", async (source) => {
    const compiled = await compileCell(source);
    const mapping = cellMapping({ source, map: compiled.map, shifts: compiled.shifts }, "cell.ts");
    const lines = await breakableLines(source, new Set());
    expect(lines!.length).toBeGreaterThan(1);
    for (const line of lines!) {
      const code = mapping.toCode({ line, column: 0 }, "cell.ts");
      expect(mapping.toSource(code!)).toMatchObject({ line, path: "cell.ts" });
    }
  });

  it("knows that the end of a cell is no line of it", async () => {
    const { shifts } = await compileCell("1 + 1");
    expect(cellMapping({ source: "1 + 1", shifts }, "p").toSource({ line: 1, column: 20 })).toBeUndefined();
  });
});

describe("breakableLines", () => {
  it.each<[string, number[] | undefined]>([
    ["// nothing\n\n", []],
    ["let a;\nlet b = 1;", [0, 1]],
    ["interface A { x: 1 }\ntype B = A;\nconst c = 1;", [2]],
    ["function f() {\n  return 1;\n}", [1, 2]],
    ["const g = () =>\n  5;", [0, 1]],
    ["try {\n  f();\n} catch {\n  g();\n}", [1, 3]],
    ["let = ;", undefined],
    ["%%time\nconst a = 1;\n// words\nconsole.log(a);", [0, 1, 3]],
  ])("of %j are %j", async (source, expected) => {
    expect(await breakableLines(source, new Set())).toEqual(expected);
  });
});

it("does without a map that cannot be read", async () => {
  expect(await fileMapping("file:///no/such.js", "such.js.map")).toBeUndefined();
  expect(await fileMapping("file:///no/such.js", "data:application/json,nonsense")).toBeUndefined();
});
