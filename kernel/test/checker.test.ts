/** The checker without a kernel: one by one and all at once it says the same, and sessions do not see each other. */
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { blankedCell, CellChecker } from "../src/checker/index.js";

const folder = mkdtempSync(join(tmpdir(), "checker-"));
const inMemory = new CellChecker(folder);
const written = new CellChecker(folder, { written: true });
afterAll(async () => {
  await Promise.all([inMemory.close(), written.close()]);
  rmSync(folder, { recursive: true, force: true });
});

/** Cells of a session, and which of them are refused. */
const SESSIONS: [string[], (string | undefined)[]][] = [
  [
    ["const a: number = 1;", "const b: number = a;", "console.log(b);"],
    [undefined, undefined, undefined],
  ],
  [
    ['const a: number = "x";', "const b = a;"],
    ["TypeScriptError", "TypeScriptError"],
  ],
  [
    ["const a = 1;", 'const a = "text";', "const b: number = a;"],
    [undefined, undefined, "TypeScriptError"],
  ],
  [
    ["let n = 1;", "n = 2; for (const x of [n]) console.log(x);"],
    [undefined, undefined],
  ],
  [
    ["interface P { x: number }", "const p: P = { x: 1 };", "p.y;"],
    [undefined, undefined, "TypeScriptError"],
  ],
  [
    ["function (", "const ok: number = 1;"],
    ["SyntaxError", undefined],
  ],
  [
    ["// @ts-nocheck\nconst u: number = 'x';", "const v: number = u;"],
    [undefined, undefined],
  ],
  [
    ["// @ts-nocheck\nfunction (", ""],
    ["SyntaxError", undefined],
  ],
];

describe.each([
  ["in memory", inMemory],
  ["written", written],
])("%s", (_, checker) => {
  it.each(SESSIONS)("%j", async (codes, expected) => {
    for (const round of ["first", "remembered"]) {
      checker.reset();
      const got = [];
      for (const code of codes) got.push((await checker.take(code)).error?.ename);
      expect(got, round).toEqual(expected);
    }
    checker.reset();
    expect(await checker.takeAll(codes)).toBe(expected.every((name) => name === undefined));
    // A refusal has spoilt nothing.
    if (expected.some((name) => name !== undefined)) {
      const again = [];
      for (const code of codes) again.push((await checker.take(code)).error?.ename);
      expect(again).toEqual(expected);
    }
  });

  it("does not judge magics, and forgets a session", async () => {
    checker.reset();
    expect(await checker.take("%time 1 + 1")).toEqual({ unknown: true });
    expect(await checker.takeAll(["const a = 1;", "%time a"])).toBe(false);
    await checker.take("const kept: number = 1;");
    expect((await checker.take("const x: number = kept;")).error).toBeUndefined();
    checker.reset();
    expect((await checker.take("const y: number = kept;")).error?.evalue).toMatch(/Cannot find name 'kept'/);
  });
});

describe("blanked cells", () => {
  it("have the same lines and columns", async () => {
    const source = "const f = (x: number): number =>\n  x as number + 1;";
    const code = (await blankedCell(source)) ?? "";
    expect(code).toHaveLength(source.length);
    expect(code).toMatch(/^const f = \(x {8}\) {8} =>\n {2}x {10} \+ 1;$/);
  });

  it("are not made of JavaScript, of what needs more than blanks, and of what is no program", async () => {
    for (const source of ["const a = 1;", "enum E { A }", "const x: = 3;", "f<number>(1) as"])
      expect(await blankedCell(source)).toBeUndefined();
  });
});

it("leaves nothing of a session's behind but its own files", () => {
  expect(readdirSync(folder).every((name) => name.startsWith("__"))).toBe(true);
});
