import { mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { startKernel, type TestKernel, text } from "./kernel.js";

let kernel: TestKernel;
beforeAll(async () => {
  kernel = await startKernel();
});
afterAll(() => kernel.stop());

const run = (code: string) => kernel.client.execute(code);

describe("type check", () => {
  it("stops the cell at its own line and column", async () => {
    const { reply, stdout } = await run('console.log("never printed");\nconst wrong: number = "text";');
    expect(stdout).toBe("");
    expect(reply).toMatchObject({
      ename: "TypeScriptError",
      evalue: "Type 'string' is not assignable to type 'number'. (line 2:7)",
    });
    expect((reply.traceback as string[]).join("\n")).toMatchInlineSnapshot(`
      "TypeScriptError: Type 'string' is not assignable to type 'number'. (TS2322)
      Cell [1], line 2:7
        1 | console.log("never printed");
      > 2 | const wrong: number = "text";
          |       ^^^^^"
    `);
  });

  it("knows the types of earlier cells, also of names declared again", async () => {
    await run(
      "interface Shape { side: number }\nlet shape: Shape = { side: 2 };\nclass Box<T> { constructor(readonly value: T) {} }",
    );
    expect(text(await run("shape.side ** 2 + new Box(3).value"))).toBe("7");
    expect((await run("shape.radius")).reply.ename).toBe("TypeScriptError");
    expect((await run('shape = "not a shape"')).reply.ename).toBe("TypeScriptError");
    await run("shape = { side: 5 }");
    expect(text(await run("shape.side"))).toBe("5");
    await run('const shape = "a string now";');
    expect(text(await run("shape.length"))).toBe("12");
  });

  it("keeps old types apart from new ones of the same name", async () => {
    await run("class Thing { a = 1 }\nconst first = new Thing();");
    await run("class Thing { b = 2 }");
    expect(text(await run("first.a"))).toBe("1");
    expect((await run("const second: Thing = first;")).reply.ename).toBe("TypeScriptError");
  });

  it("ignores a cell that did not pass the check", async () => {
    await run('const broken: number = "x"; const alsoHere = 1;');
    expect((await run("alsoHere")).reply).toMatchObject({ ename: "TypeScriptError" });
  });

  it("knows Node, the display function and prompt", async () => {
    expect((await run("process.version.length + Buffer.from('x').length")).reply.status).toBe("ok");
    expect((await run("const html: void = display.html(5)")).reply.ename).toBe("TypeScriptError");
    expect((await run("prompt(1)")).reply.ename).toBe("TypeScriptError");
  });

  it("is turned off by // @ts-nocheck in a cell", async () => {
    expect(text(await run('// a comment first\n// @ts-nocheck\nconst loose: number = "x"; loose'))).toBe(
      "'x'",
    );
    expect((await run("/* @ts-nocheck */ const loose2: number = 'x'")).reply.status).toBe("error");
  });

  it("is turned off by the setting", async () => {
    const off = await startKernel({ env: { MLSYS_TYPECHECK: "off" } });
    expect(text(await off.client.execute('const loose: number = "x"; loose'))).toBe("'x'");
    await off.stop();
  });

  it("honours a tsconfig.json beside the notebook", async () => {
    const directory = mkdtempSync(join(tmpdir(), "tsconfig-"));
    writeFileSync(join(directory, "tsconfig.json"), '{ "compilerOptions": { "strict": false } }');
    const loose = await startKernel({ directory });
    expect((await loose.client.execute("function f(x) { return x } f(1)")).reply.status).toBe("ok");
    await loose.stop();
    expect((await run("function f(x) { return x } f(1)")).reply.ename).toBe("TypeScriptError");
  });
});

describe("completion", () => {
  const complete = async (code: string, at = code.length) =>
    (await kernel.client.request("complete_request", { code, cursor_pos: at })).reply.content as {
      matches: string[];
      cursor_start: number;
      cursor_end: number;
      metadata: { _jupyter_types_experimental: { text: string; type: string }[] };
    };

  it("offers typed members of a name from an earlier cell", async () => {
    await run("const person = { name: 'Ada', born: 1815 };");
    const found = await complete("person.na");
    expect(found.matches).toEqual(["name"]);
    expect([found.cursor_start, found.cursor_end]).toEqual([7, 9]);
    expect(found.metadata._jupyter_types_experimental[0]).toMatchObject({ text: "name", type: "property" });
  });

  it("offers names of earlier cells, keywords and globals", async () => {
    await run("const perfectlyFine = 1;");
    expect((await complete("perf")).matches).toEqual(
      expect.arrayContaining(["perfectlyFine", "performance"]),
    );
  });

  it("counts the cursor in code points", async () => {
    const found = await complete('"😀😀"; person.', 13);
    expect(found.matches).toContain("born");
    expect(found.cursor_start).toBe(13);
  });

  it("answers while a cell runs", async () => {
    const busy = run("const until = Date.now() + 1000; while (Date.now() < until);");
    let done = false;
    void busy.then(() => {
      done = true;
    });
    expect((await complete("person.")).matches).toContain("born");
    expect(done).toBe(false);
    await busy;
  });
});

describe("inspection", () => {
  const inspect = async (code: string, at: number, detail_level = 0) =>
    (await kernel.client.request("inspect_request", { code, cursor_pos: at, detail_level })).reply
      .content as {
      found: boolean;
      data: Record<string, string>;
    };

  it("shows type and JSDoc", async () => {
    await run(
      "/**\n * Adds.\n * @param a the first\n */\nfunction add(a: number, b: number): number { return a + b }",
    );
    for (const [code, at] of [
      ["add", 1],
      ["add", 3],
      ["add(1, ", 7],
    ] as const) {
      const { found, data } = await inspect(code, at);
      expect(found).toBe(true);
      expect(data["text/plain"]).toContain("add(a: number, b: number): number");
      expect(data["text/plain"]).toContain("Adds.");
      expect(data["text/markdown"]).toContain("```typescript");
    }
    expect((await inspect("add", 1, 1)).data["text/plain"]).toContain("return a + b");
  });

  it("says so when there is nothing", async () => {
    expect(await inspect("   ", 1)).toMatchObject({ found: false, data: {} });
  });
});

describe("is_complete", () => {
  it.each([
    ["1 + 1", "complete"],
    ["const x = `a\nb`", "complete"],
    ["function f() {\n  return 1\n}", "complete"],
    ["for await (const x of y) {}", "complete"],
    ["type T = string", "complete"],
    ["// comment", "complete"],
    ["", "complete"],
    ["function f() {", "incomplete"],
    ["const x = `a", "incomplete"],
    ["const x = `a ${b", "incomplete"],
    ["/* open", "incomplete"],
    ["foo(1,", "incomplete"],
    ["const x =", "incomplete"],
    ["if (x)", "incomplete"],
    ["interface A {", "incomplete"],
    ["const x = 'a", "invalid"],
    ["const = 5", "invalid"],
    ["}", "invalid"],
    ["let x: = 3", "invalid"],
    ["foo)", "invalid"],
  ])("%j is %s", async (code, status) => {
    const { content } = (await kernel.client.request("is_complete_request", { code })).reply;
    expect(content.status).toBe(status);
    expect("indent" in content).toBe(status === "incomplete");
  });

  it("indents after an opening bracket", async () => {
    const { content } = (await kernel.client.request("is_complete_request", { code: "  if (a) {" })).reply;
    expect(content).toEqual({ status: "incomplete", indent: "    " });
  });
});
