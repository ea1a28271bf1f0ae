import { mkdirSync, mkdtempSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { startKernel, type TestKernel, text } from "./kernel.js";

let kernel: TestKernel;
const directory = mkdtempSync(join(tmpdir(), "imports-"));

function write(file: string, content: string): void {
  mkdirSync(dirname(join(directory, file)), { recursive: true });
  writeFileSync(join(directory, file), content);
}

beforeAll(async () => {
  const pack = (name: string, json: object, files: Record<string, string>) => {
    write(`node_modules/${name}/package.json`, JSON.stringify({ name, version: "1.0.0", ...json }));
    for (const [file, content] of Object.entries(files)) write(`node_modules/${name}/${file}`, content);
  };
  pack(
    "esm-only",
    { type: "module", exports: { ".": { types: "./i.d.ts", import: "./i.js" } } },
    {
      "i.js": "export const named = 1; export default function hello() { return 'hello' }; await null;",
      "i.d.ts":
        "export declare const named: number; export interface Only { x: number }; export default function hello(): string;",
    },
  );
  pack(
    "common",
    { main: "i.js" },
    {
      "i.js": "module.exports = Object.assign(() => 'called', { ['comp' + 'uted']: 2 });",
      "i.d.ts": "declare function f(): string; declare namespace f { const computed: number } export = f;",
    },
  );
  write(
    "local.ts",
    "import { inner } from './inner.js';\nexport enum Level { Low = 1, High }\nexport const value: number = inner + 1;\n",
  );
  write("inner.ts", "export const inner: number = 1;\n");
  write(
    "throws.ts",
    "// a comment\ninterface A { a: number }\nexport function fails(): never {\n  throw new Error('from a file');\n}\n",
  );
  write("data.json", '{ "answer": 42 }');
  kernel = await startKernel({ directory });
});
afterAll(async () => {
  await kernel.stop();
  rmSync(directory, { recursive: true });
});

const run = (code: string) => kernel.client.execute(code);

it.each([
  ['import hello from "esm-only"; hello()', "'hello'"],
  ['import hello2, { named as one } from "esm-only"; hello2() + one', "'hello1'"],
  ['import * as ns from "esm-only"; ns.named', "1"],
  ['import { type Only, named } from "esm-only"; const only: Only = { x: named }; only.x', "1"],
  ['import type { Only as T } from "esm-only"; const t: T = { x: 3 }; t.x', "3"],
  ['import { Only } from "esm-only"; const o: Only = { x: 4 }; o.x', "4"],
  ['import "esm-only"; 5', "5"],
  ['(await import("esm-only")).named', "1"],
  ['import common from "common"; common() + common.computed', "'called2'"],
  ['import { computed } from "common"; computed', "2"],
  ['const path = require("node:path"); path.join("a", "b")', "'a/b'"],
  ['import fs, { existsSync } from "fs"; fs.existsSync === existsSync', "true"],
  ['import { setTimeout } from "node:timers/promises"; await setTimeout(1, "slept")', "'slept'"],
  ['import { value, Level } from "./local"; [value, Level.High]', "[ 2, 2 ]"],
  ['import { value as v2 } from "./local.ts"; v2', "2"],
  ['import { value as v3 } from "./local.js"; v3', "2"],
  ['import data from "./data.json"; data.answer', "42"],
  ['import.meta.url.startsWith("file:") && import.meta.dirname === process.cwd()', "true"],
  ["\"import x from 'nowhere'\"", "\"import x from 'nowhere'\""],
])("%s", async (code, expected) => {
  const result = await run(code);
  expect(result.reply).toMatchObject({ status: "ok" });
  expect(text(result)).toBe(expected);
});

it("lets later cells use, and declare again, what was imported", async () => {
  await run('import { named as reused } from "esm-only";');
  expect(text(await run("reused + 1"))).toBe("2");
  expect(text(await run('const reused = "mine"; reused.length'))).toBe("4");
});

it("finds mlsys from any folder", async () => {
  const { reply } = await run('// @ts-nocheck\nconst lib = await import("mlsys"); typeof lib');
  // The library may not be built where the kernel is tested alone: then it is found, and its file is what is missing.
  if (reply.status === "error") expect(String(reply.evalue)).toContain(join("mlsys", "dist").slice(5));
});

it("says which package is missing, and how to get it", async () => {
  const { reply } = await run('// @ts-nocheck\nimport gone from "not-installed";');
  expect(reply.status).toBe("error");
  expect(reply.evalue).toContain('Cannot find package "not-installed"');
  expect(reply.evalue).toContain("npm install not-installed");
});

it("checks imports against their types", async () => {
  expect((await run('import { absent } from "esm-only"; absent')).reply.ename).toBe("TypeScriptError");
});

it("loads a file again when it changed", async () => {
  write("changing.ts", "export const now: string = 'before';");
  expect(text(await run('import { now } from "./changing"; now'))).toBe("'before'");
  write("changing.ts", "export const now: string = 'after';");
  utimesSync(join(directory, "changing.ts"), new Date(), new Date(Date.now() + 5_000));
  expect(text(await run('import { now } from "./changing"; now'))).toBe("'after'");
});

it("shows errors of imported files at their own lines", async () => {
  const { reply } = await run('import { fails } from "./throws"; fails()');
  expect((reply.traceback as string[]).join("\n")).toMatch(/throws\.ts:4:\d+/);
});

describe("hot reload", () => {
  it("loads what imports a changed file anew, and nothing else", async () => {
    write("hot/leaf.ts", "export const leaf = 1;");
    write("hot/other.ts", "export const other = {};");
    write("hot/middle.js", 'export { leaf } from "./leaf.js";');
    write(
      "hot/top.ts",
      'import { leaf } from "./middle.js"; import { other } from "./other"; export const sum = leaf + 1; export { other };',
    );
    expect(text(await run('import { sum, other } from "./hot/top"; const kept = other; sum'))).toBe("2");
    write("hot/leaf.ts", "export const leaf = 41;");
    expect(text(await run('import { sum, other } from "./hot/top"; [sum, other === kept]'))).toBe(
      "[ 42, true ]",
    );
    expect(text(await run('(await import("./hot/top")).sum'))).toBe("42");
    write("hot/middle.js", 'import { leaf } from "./leaf.js"; export { leaf }; export const extra = leaf;');
    expect(text(await run('import { sum } from "./hot/top"; sum'))).toBe("42");
  });

  it("follows cycles, JSON, and types", async () => {
    write("cycle/a.ts", 'import { b } from "./b"; export const a = 1; export const fromB = () => b;');
    write(
      "cycle/b.ts",
      'import { a } from "./a"; import data from "./data.json"; export const b = data.n; export const fromA = () => a;',
    );
    write("cycle/data.json", '{ "n": 5 }');
    expect(text(await run('import { fromB } from "./cycle/a"; fromB()'))).toBe("5");
    write("cycle/data.json", '{ "n": "six" }');
    expect(text(await run('import { fromB } from "./cycle/a"; fromB().toUpperCase()'))).toBe("'SIX'");
  });

  it("tells the error of a file that was broken, and loads it when it is mended", async () => {
    write("mended.ts", "export const fine = 1;");
    await run('import { fine } from "./mended"; fine');
    write("mended.ts", "export const fine = = 2;");
    expect((await run('// @ts-nocheck\nimport { fine } from "./mended"; fine')).reply.status).toBe("error");
    write("mended.ts", "export const fine = 3;");
    expect(text(await run('import { fine } from "./mended"; fine'))).toBe("3");
  });
});

describe("WebAssembly", () => {
  // (module (func (export "add") (param i32 i32) (result i32) local.get 0 local.get 1 i32.add))
  const add = Buffer.from(
    "0061736d0100000001070160027f7f017f030201000707010361646400000a09010700200020016a0b",
    "hex",
  );

  it("is a module with its exports and their types", async () => {
    writeFileSync(join(directory, "add.wasm"), add);
    expect(text(await run('import { add } from "./add.wasm"; add(2, 3)'))).toBe("5");
    expect(text(await run('import * as math from "./add.wasm"; Object.keys(math)'))).toBe("[ 'add' ]");
    expect((await run('import { sub } from "./add.wasm"; sub')).reply.ename).toBe("TypeScriptError");
    expect((await run('import { add as typed } from "./add.wasm"; typed("2")')).reply.ename).toBe(
      "TypeScriptError",
    );
    write("uses.ts", 'import { add } from "./add.wasm"; export const five: number = add(2, 3);');
    expect(text(await run('import { five } from "./uses"; five'))).toBe("5");
  });
});

it("takes our packages from beside the kernel where the folder of that name above the notebook has not the file", async () => {
  write("node_modules/@mlsys/kernel/index.js", "throw new Error('planted')");
  expect(text(await run('// @ts-nocheck\n"KernelClient" in (await import("@mlsys/kernel/client"))'))).toBe(
    "true",
  );
});
