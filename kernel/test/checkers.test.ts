/** The native checker and the language service see the same session: the same problems at the same places, the same names. */
import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, describe, expect, it } from "vitest";
import { Language } from "../dist/types/language.js";
import { NativeChecker } from "../dist/types/native-checker.js";
import { startKernel, text } from "./kernel.js";

/** What a test leaves open. */
const open: (() => Promise<void> | void)[] = [];
afterEach(async () => {
  for (const close of open.splice(0)) await close();
});

async function both(files: Record<string, string> = {}) {
  const directory = mkdtempSync(join(tmpdir(), "checkers-"));
  const write = (name: string, text: string): void => {
    mkdirSync(join(directory, name, ".."), { recursive: true });
    writeFileSync(join(directory, name), text);
  };
  for (const [name, text] of Object.entries(files)) write(name, text);
  const native = await NativeChecker.open(directory);
  const language = new Language(directory);
  open.push(
    () => native.close(),
    () => rmSync(directory, { recursive: true, force: true }),
  );
  /** Checks a cell with both, and keeps it if it is right. */
  const cell = async (text: string) => {
    const [ours, theirs] = [await native.check(text), language.check("", text)];
    expect(ours.names).toEqual(theirs.names);
    const places = ({ problems }: typeof ours) =>
      problems.map(({ code, line, column, syntax }) => ({ code, line, column, syntax }));
    expect(places(ours)).toEqual(places(theirs));
    if (ours.problems.length === 0) {
      await native.commit(text);
      language.commit("", text);
    }
    return ours.problems.map(({ code, message }) => `${code}: ${message}`);
  };
  return { native, language, cell, write, directory };
}

describe("both checkers", () => {
  it("follow a session: declarations, redeclarations, types of earlier cells", async () => {
    const { cell, native, language } = await both();
    expect(
      await cell(
        "interface P { x: number }\nlet p: P = { x: 1 };\nconst k = 2, { a, b: [c] } = { a: 1, b: [2] };",
      ),
    ).toEqual([]);
    expect(await cell("p = { x: k + a + c };\np.x.toFixed();")).toEqual([]);
    expect(await cell('p = "no";')).toEqual(["2322: Type 'string' is not assignable to type 'P'."]);
    expect(await cell("k = 3;")).toHaveLength(1);
    expect(await cell("p.y;")).toEqual(["2339: Property 'y' does not exist on type 'P'."]);
    expect(
      await cell(
        "const p = [1, 2]; function f(x: P) { return x.x; } class C<T> { v?: T } enum E { A } namespace N { export const n = 1; }",
      ),
    ).toEqual([]);
    expect(await cell("f({ x: p.length }) + E.A + N.n; new C<string>().v?.length;")).toEqual([]);
    expect(await cell("for (var i = 0; i < 3; i++) { var inner = i; let gone = 1; }")).toEqual([]);
    expect(await cell("i + inner;")).toEqual([]);
    expect(await cell("gone;")).toEqual(["2304: Cannot find name 'gone'."]);
    expect(
      await cell("export const e1 = 1; const e2 = 2; export { e2 };\nexport default function named() {}"),
    ).toEqual([]);
    expect(await cell("e1 + e2;")).toEqual([]);
    expect(
      await cell(
        "const [, second, , { z: [, deep] = [0, 1] }, ...more] = [1, 2, 3, { z: [4, 5] }, 6] as const;",
      ),
    ).toEqual([]);
    expect(await cell("second + deep + more[0];")).toEqual([]);
    expect(await cell("let = 5 5;")).not.toEqual([]);
    await native.reset();
    language.reset();
    expect(await cell("k;")).toEqual(["2304: Cannot find name 'k'."]);
  });

  it("tell the whole chain of reasons", async () => {
    const { cell } = await both();
    const [problem] = await cell(
      "const f: (x: { a: { b: string } }) => void = (x: { a: { b: number } }) => {};",
    );
    expect(problem).toMatch(/^2322: Type .*\n {2}Types of parameters 'x' and 'x' are incompatible\.\n {4}/);
  });

  it("know Node, display, top-level await, JSON, and our packages from anywhere", async () => {
    const { cell } = await both({ "data.json": '{ "size": 3 }' });
    expect(
      await cell('import { readFile } from "node:fs/promises"; const text = await readFile("x", "utf8");'),
    ).toEqual([]);
    expect(await cell("const n: number = text.length; display(n); Buffer.from(text); process.pid;")).toEqual(
      [],
    );
    expect(await cell('import data from "./data.json"; data.size.toFixed();')).toEqual([]);
    expect(await cell("data.nothing;")).toHaveLength(1);
    expect(
      await cell(
        'import { tensor } from "mlsys"; const t = tensor([1, 2]).sum(); import * as tslab from "tslab"; tslab.display;',
      ),
    ).toEqual([]);
    expect(await cell("t.noSuchMethod();")).toHaveLength(1);
    expect(
      await cell(
        "using handle = { [Symbol.dispose]() {} }; for await (const x of [Promise.resolve(1)]) x.toFixed();",
      ),
    ).toEqual([]);
  });

  it("see the reader's files change, appear and go", async () => {
    const { cell, write, directory } = await both({ "own.ts": "export const v = 1;\n" });
    expect(await cell('import { v } from "./own.ts"; const w: number = v;')).toEqual([]);
    write("own.ts", 'export const v = "now a text";\n');
    utimesSync(join(directory, "own.ts"), 1e9, 1e9); // another time, whatever the file system's clock
    expect(await cell('import { v } from "./own.ts"; const w: number = v;')).toHaveLength(1);
    expect(await cell('import { late } from "./late.ts"; late;')).toEqual([
      expect.stringMatching(/^2307: Cannot find module '.\/late.ts'/),
    ]);
    write("late.ts", "export const late = true;\n");
    expect(await cell('import { late } from "./late.ts"; const l: boolean = late;')).toEqual([]);
  });

  it("honour a tsconfig: strictness, paths, and what it extends", async () => {
    const { cell } = await both({
      "base/tsconfig.base.json":
        '{ "compilerOptions": { "noUncheckedIndexedAccess": true, "noImplicitAny": false } }',
      "tsconfig.json":
        '{ // a comment\n "extends": "./base/tsconfig.base.json", "compilerOptions": { "module": "commonjs", "outDir": "out", "paths": { "#own/*": ["./lib/*"] } } }',
      "lib/deep.ts": "export const deep = [1];\n",
    });
    expect(await cell("function f(x) { return x; } f(1);")).toEqual([]);
    expect(await cell('import { deep } from "#own/deep"; const d: number[] = deep;')).toEqual([]);
    expect(await cell("deep[0].toFixed();")).toEqual(["2532: Object is possibly 'undefined'."]);
  });

  it("forget what nobody can reach any more", async () => {
    const { cell, native } = await both();
    for (let k = 0; k < 130; k++)
      expect(await cell(`const again = ${k}; let fixed${k % 3} = again;`)).toEqual([]);
    expect(await cell("again + fixed0 + fixed1 + fixed2;")).toEqual([]);
    expect(await native.check("const x: string = again;")).toMatchObject({ problems: [{ code: 2322 }] });
  }, 60_000);
});

describe("a kernel whose native checker ends", () => {
  it("goes on with the language service, which knows the session", async () => {
    const kernel = await startKernel();
    open.push(() => kernel.stop());
    expect((await kernel.client.execute("const kept: number = 5;")).reply.status).toBe("ok");
    const [checker] = nativeProcesses(kernel.process.process.pid as number);
    process.kill(checker!, "SIGKILL");
    expect(text(await kernel.client.execute("kept + 1"))).toBe("6");
    expect((await kernel.client.execute("kept = 'x'")).reply.ename).toBe("TypeScriptError");
  }, 60_000);
});

/** The checkers that a kernel's host started. Linux. */
function nativeProcesses(host: number): number[] {
  return execFileSync("ps", ["-o", "pid=,args=", "--ppid", String(host)], { encoding: "utf8" })
    .split("\n")
    .filter((line) => line.includes("--api"))
    .map((line) => Number.parseInt(line, 10));
}
