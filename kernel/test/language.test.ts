/** What a cell may be written in: each feature by its effect, and a tsconfig.json by what it changes. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { startKernel, type TestKernel, text } from "./kernel.js";

function folder(files: Record<string, string | Uint8Array>): string {
  const directory = mkdtempSync(join(tmpdir(), "language-"));
  for (const [name, content] of Object.entries(files)) {
    mkdirSync(dirname(join(directory, name)), { recursive: true });
    writeFileSync(join(directory, name), content);
  }
  return directory;
}

describe("without a tsconfig", () => {
  let kernel: TestKernel;
  beforeAll(async () => {
    kernel = await startKernel();
  });
  afterAll(() => kernel.stop());
  const run = (code: string) => kernel.client.execute(code);

  it("JSX calls React.createElement, and its types hold in later cells", async () => {
    await run(`const React = { createElement: (tag: string, props: object | null, ...children: unknown[]) => ({ tag, props, children }) };
declare global { namespace JSX { interface IntrinsicElements { p: { id?: string } } } }`);
    expect(text(await run('const el = <p id="a">one {1 + 1}</p>;\nel'))).toBe(
      "{ tag: 'p', props: { id: 'a' }, children: [ 'one ', 2 ] }",
    );
    expect((await run("<p id={5} />")).reply).toMatchObject({
      ename: "TypeScriptError",
      evalue: expect.stringContaining("Type 'number' is not assignable to type 'string'"),
    });
    expect(text(await run("el.tag"))).toBe("'p'");
  });

  it.each([
    ["<number>(5 as unknown)", "5"],
    ["((<T>(x: T) => x)(6))", "6"],
    ["const less = 1 < 2, re = /a/; less", "true"],
  ])("%s is TypeScript, not JSX", async (code, expected) => {
    expect(text(await run(code))).toBe(expected);
  });

  it("standard decorators, on classes, methods, fields and accessors", async () => {
    const { stdout, outputs } = await run(`
      function log(_: unknown, { kind, name }: DecoratorContext): void { console.log(kind, String(name)) }
      @log class Decorated { @log method() {} @log field = 1; @log accessor reactive = 2; @log static fixed = 3 }`);
    expect(stdout.trim().split("\n").sort()).toEqual([
      "accessor reactive",
      "class Decorated",
      "field field",
      "field fixed",
      "method method",
    ]);
    expect(outputs.map(({ type }) => type)).not.toContain("execute_result");
    expect(text(await run("new Decorated().reactive"))).toBe("2");
  });

  it("using and await using at the top level are disposed of when the cell is over", async () => {
    const { stdout, result } = await run(`
      using first = { name: "first", [Symbol.dispose]() { console.log("first") } };
      await using second = { async [Symbol.asyncDispose]() { await null; console.log("second") } };
      console.log("body");
      first.name`);
    expect(stdout).toBe("body\nsecond\nfirst\n");
    expect(text({ result })).toBe("'first'");
    expect(text(await run("first.name"))).toBe("'first'");
    const failed = await run(
      'using third = { [Symbol.dispose]() { console.log("third") } };\nthrow new Error("in the body")',
    );
    expect([failed.stdout, failed.reply.evalue]).toEqual(["third\n", "in the body"]);
  });

  it("enums of both kinds, and namespaces, declared again", async () => {
    await run(
      "enum Color { Red, Green = 5 }\nconst enum Size { S = 1 }\nnamespace Geometry { export const dims = 3; export interface P { x: number } }",
    );
    expect(text(await run("[Color.Green, Color[5], Size.S, Geometry.dims]"))).toBe("[ 5, 'Green', 1, 3 ]");
    expect(text(await run("const p: Geometry.P = { x: 1 };\nenum Color { Blue = 7 }\nColor.Blue"))).toBe("7");
    expect((await run("Color.Red")).reply.ename).toBe("TypeScriptError");
  });

  it.each([
    ["enum After { B = 5 }", "After.B", "5"],
    ["namespace After { export const inner = 6 }", "After.inner", "6"],
    ["export enum After { C = 7 }", "[After.C, Object.keys(After).length]", "[ 7, 2 ]"],
    [
      "namespace After { export const a = 1 }\nnamespace After { export const b = a + 1 }",
      "[After.a, After.b]",
      "[ 1, 2 ]",
    ],
    [
      "function After() { return 8 }\nnamespace After { export const c = 9 }",
      "[After(), After.c]",
      "[ 8, 9 ]",
    ],
    ["enum After { D = 1 }\nenum After { E = 2 }", "[After.D, After.E]", "[ 1, 2 ]"],
  ])("%j adds to nothing that an earlier cell left", async (declare, show, expected) => {
    for (const before of ["let After = 1;", "enum After { Old }", "const After = Object.freeze({});"]) {
      await run(before);
      expect((await run(declare)).reply.status).toBe("ok");
      expect(text(await run(show))).toBe(expected);
    }
  });

  it.each([
    ['import fs = require("node:fs");\nfs.existsSync("/")', "true"],
    [
      "abstract class Base { constructor(readonly tag = 'base') {} }\nclass Own extends Base {}\nnew Own().tag",
      "'base'",
    ],
    ["const sat = { a: 1 } satisfies Record<string, number>;\nsat.a!", "1"],
    [
      "function over(x: number): number;\nfunction over(x: string): string;\nfunction over(x: any) { return x }\nover('s')",
      "'s'",
    ],
    [
      "type Head<T extends unknown[]> = T extends [infer H, ...unknown[]] ? H : never;\nconst head: Head<[5, 6]> = 5;\nhead",
      "5",
    ],
    ["function* gen() { yield 1; yield 2 }\n[...gen()]", "[ 1, 2 ]"],
    ["class Private { #x = 4; static { } get x() { return this.#x } }\nnew Private().x", "4"],
    ["[1, 2, 3].at(-1)", "3"],
  ])("%j", async (code, expected) => {
    expect(text(await run(code))).toBe(expected);
  });
});

describe("tsconfig.json beside the notebook", () => {
  const directory = folder({
    "tsconfig.json": `{
      "extends": "./base.json",
      // comments are allowed
      "compilerOptions": { "jsx": "react-jsx", "jsxImportSource": "@made", "noUncheckedIndexedAccess": true,
        "paths": { "@app/*": ["./app/*"], "@made/jsx-runtime": ["./made/runtime.ts"] } }
    }`,
    "base.json":
      '{ "compilerOptions": { "strict": true, "experimentalDecorators": true, "lib": ["es2022"] } }',
    "made/runtime.ts": `export namespace JSX { export interface IntrinsicElements { [name: string]: object } }
export const jsx = (tag: string, props: object) => ({ made: tag, props });
export const jsxs = jsx;`,
    "app/value.ts": 'import { base } from "@app/base";\nexport const value: number = base + 1;\n',
    "app/base.ts": "export const base = 1;\n",
    "app/view.tsx": "export const view = <b>text</b>;\n",
    "app/decorated.ts": `const seen: string[] = [];
const note = (_: object, key: string): void => void seen.push(key);
class Noted { @note field = 1 }
export { seen, Noted };`,
  });
  let kernel: TestKernel;
  beforeAll(async () => {
    kernel = await startKernel({ directory });
  });
  afterAll(async () => {
    await kernel.stop();
    rmSync(directory, { recursive: true });
  });
  const run = (code: string) => kernel.client.execute(code);

  it("paths, in cells and in the files that they import", async () => {
    expect(text(await run('import { value } from "@app/value";\nvalue'))).toBe("2");
    writeFileSync(join(directory, "app/base.ts"), "export const base = 100;\n");
    expect(text(await run('import { value } from "@app/value";\nvalue'))).toBe("101");
  });

  it("jsx and jsxImportSource, in cells and in files", async () => {
    expect(text(await run("<p>hi</p>"))).toBe("{ made: 'p', props: { children: 'hi' } }");
    expect(text(await run('import { view } from "./app/view";\nview'))).toBe(
      "{ made: 'b', props: { children: 'text' } }",
    );
  });

  it("experimentalDecorators, of a file that it extends, in cells and in files", async () => {
    const { stdout } = await run(`
      function param(target: object, key: string, index: number): void { console.log(key, index) }
      class Service { call(@param x: number): number { return x } }`);
    expect(stdout).toBe("call 0\n");
    expect(text(await run('import { seen } from "./app/decorated";\nseen'))).toBe("[ 'field' ]");
  });

  it("strict flags and lib", async () => {
    expect((await run("const first: number = [1][0];")).reply.evalue).toContain("'number | undefined'");
    expect((await run("[1].toSorted()")).reply.evalue).toContain("'toSorted'");
  });

  it("%reset keeps them", async () => {
    expect(text(await run('%reset\nimport { value } from "@app/value";\nvalue'))).toBe("101");
  });

  it("says what is wrong with it, once", async () => {
    const broken = folder({ "tsconfig.json": '{ "compilerOptions": { "target": "es1" } }' });
    const own = await startKernel({ directory: broken });
    expect((await own.client.execute("const a = [1];")).stderr).toMatch(/^tsconfig\.json: .*'--target'/);
    expect((await own.client.execute("const b = [1];\nb")).stderr).toBe("");
    await own.stop();
    rmSync(broken, { recursive: true });
  });
});
