import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { CellSyntaxError, compileCell, isEvident } from "./cell.js";
import { unshift } from "./edits.js";

const code = async (source: string) => (await compileCell(source)).code;

describe("declarations", () => {
  it.each([
    ["const x = 1", "var   x = 1"],
    ["let x", "var x = void 0"],
    ["let x, y = 2", "var x = void 0, y = 2"],
    ["const { a, b: [c] } = d", "var   { a, b: [c] } = d"],
    ["class A {}", "var A = class A {};"],
    ["function f() {}", "function f() {}"],
    ["for (const x of y) {}", "for (const x of y) {}"],
    ["{ let x = 1 }", "{ let x = 1 }"],
    ["export const x = 1", "       var   x = 1"],
    ["export default 5", "               5"],
    ["export { x }; const x = 1", "              var   x = 1"],
  ])("%s becomes %s", async (source, expected) => {
    expect(await code(source)).toBe(expected);
  });
});

describe("imports", () => {
  it.each([
    [
      'import a, { b as c } from "m"',
      'var {"default": a, "b": c} = await __mlsys__.import("m", ["default","b"], undefined); ',
    ],
    ['import * as n from "m"', 'var n = await __mlsys__.import("m", [], undefined); '],
    ['import "m"', 'await __mlsys__.import("m", [], undefined); '],
    ['import { "a b" as c } from "m"', 'var {"a b": c} = await __mlsys__.import("m", ["a b"], undefined); '],
    [
      'import d from "./d.json" with { type: "json" }',
      'var {"default": d} = await __mlsys__.import("./d.json", ["default"], {type: "json"}); ',
    ],
  ])("%s", async (source, expected) => {
    expect((await code(source)).trimEnd()).toBe(expected.trimEnd());
  });

  it("leaves strings, comments and templates alone", async () => {
    // biome-ignore lint/suspicious/noTemplateCurlyInString: the cell's own template
    const source = '\'import x from "y"\'; // import z\n`${1} import("q")`';
    expect(await code(source)).toBe(source);
  });

  it("rewrites import() and import.meta, wherever they stand", async () => {
    expect(await code("const f = () => [import('x'), import.meta.url]")).toBe(
      "var   f = () => [__mlsys__.load('x'), __mlsys__.meta.url]",
    );
  });

  it("elides type imports", async () => {
    expect(await code('import type { A } from "m"; import { type B, c } from "n"; c as B')).not.toContain(
      '"m"',
    );
  });
});

describe("names of Node's globals", () => {
  const lines = async (source: string, shadowed: string[] = []) =>
    (await compileCell(source, new Set(shadowed))).code.trim().split("\n");

  it.each([
    ["const process = 1; process", ["var   __cell_process = 1;", "__cell_process;"]],
    ["const { URL } = x", ["var   { URL: __cell_URL } = x;"]],
    ["const { URL = 1, a: [fetch] } = x", ["var   { URL: __cell_URL = 1, a: [__cell_fetch] } = x;"]],
    ["function fetch() {}", ["function __cell_fetch() {", "}"]],
    [
      'import { performance } from "m"',
      ['var {"performance": __cell_performance} = await __mlsys__.import("m", ["performance"], undefined);'],
    ],
    [
      'import process from "m"',
      ['var {"default": __cell_process} = await __mlsys__.import("m", ["default"], undefined);'],
    ],
  ])("%s declares an alias", async (source, expected) => {
    expect(await lines(source)).toEqual(expected);
  });

  it("replaces free references in later cells, and nothing else", async () => {
    expect(
      await lines("[process.x, y.process, { process }, (process) => process, 'process']", ["process"]),
    ).toEqual([
      '[__cell_process.x, y.process, { process: __cell_process }, (process2) => process2, "process"];',
    ]);
  });

  it("keeps lines through both steps", async () => {
    const { map } = await compileCell(
      "interface A { a: 1 }\n\nconst process: number = 1;\nprocess.x.y",
      new Set(),
    );
    expect(map).toContain('"mappings"');
  });
});

describe("what runs as written and what is transpiled", () => {
  it("keeps plain JavaScript to the character", async () => {
    const source = "f(  1 )  // comment\n  .then( g )";
    expect(await compileCell(source)).toMatchObject({ code: source, shifts: [] });
  });

  it("keeps names and positions where types are all that goes", async () => {
    const cell =
      "const x: number = 1;\nfunction f(x: number): number {\n  return x;\n}\nclass A<T> { a?: T }";
    expect(await code(cell)).toBe(
      "var   x         = 1;\nfunction f(x        )         {\n  return x;\n}\nvar A = class A    { a     };",
    );
  });

  it("reads f<T>(x) as a call, not as two comparisons", async () => {
    expect(await code("f<number>(x)")).toBe("f        (x)");
    expect(await code("a < b && c > d")).toBe("a < b && c > d");
  });

  it.each([
    ["1 + 1", true],
    ['console.log("a", 2)', true],
    ["-3 * (2 ** 4)", true],
    ["x", false],
    ["'a' - 1", false],
    ["console.log(x)", false],
    ["const x = 1", false],
    ["console.nothing(1)", false],
  ])("%s needs no check: %s", (source, evident) => {
    expect(isEvident(source)).toBe(evident);
  });

  it("knows whether there is a result", async () => {
    for (const [source, has] of [
      ["1", true],
      ["1;", true],
      ["1;;", true],
      ["const x = 1", false],
      ["1; if (2) 3", false],
      ["", false],
    ] as const)
      expect([source, (await compileCell(source)).hasResult]).toEqual([source, has]);
  });

  it("reports where a syntax error is", async () => {
    await expect(compileCell("const a = 1;\nlet b = ;")).rejects.toMatchObject({
      name: "SyntaxError",
      line: 2,
      column: 9,
    });
    await expect(compileCell("}")).rejects.toBeInstanceOf(CellSyntaxError);
  });
});

it("brings every column of a rewritten line back", async () => {
  const names = fc.stringMatching(/^[a-z]{1,6}$/).map((name) => `v_${name}`);
  const statement = fc.oneof(
    names.map((name) => `let ${name};`),
    names.map((name) => `class ${name} {}`),
    names.map((name) => `import "${name}";`),
  );
  await fc.assert(
    fc.asyncProperty(fc.array(statement, { maxLength: 6 }), async (statements) => {
      const source = `${[...new Set(statements)].join(" ")} marker`;
      const { code: out, shifts } = await compileCell(source).catch(() => ({ code: source, shifts: [] }));
      expect(unshift(shifts, 0, out.indexOf("marker"))).toBe(source.indexOf("marker"));
    }),
    { numRuns: 60 },
  );
});
