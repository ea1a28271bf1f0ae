import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { startKernel, type TestKernel, text, until } from "./kernel.js";

let kernel: TestKernel;
beforeAll(async () => {
  kernel = await startKernel();
});
afterAll(() => kernel.stop());

const run = (code: string, options = {}) => kernel.client.execute(code, options);

describe("results", () => {
  it.each([
    ["1 + 1", "2"],
    ["'text'", "'text'"],
    ["1.5", "1.5"],
    ["123n", "123n"],
    ["-0", "-0"],
    ["NaN", "NaN"],
    ["null", "null"],
    ["Symbol('s')", "Symbol(s)"],
    ["({ a: 1 })", "{ a: 1 }"],
    ["new Map([[1, 'x']])", "Map(1) { 1 => 'x' }"],
    ["await Promise.resolve(7)", "7"],
    ["const a0 = 2; a0 * 3", "6"],
    ["enum Color { Red, Green }; Color.Green", "1"],
    ["namespace N { export const x = 9 } N.x", "9"],
    ["((x: unknown) => x as number)(4)", "4"],
    ["function id<T>(x: T) { return x } id<number>(3)", "3"],
    ["export const exported = 5; exported", "5"],
  ])("%s shows %s", async (code, expected) => {
    expect(text(await run(code))).toBe(expected);
  });

  it.each([
    "undefined",
    "const a1 = 1",
    "let a2: number",
    "for (const x of [1]) x;",
    "1; if (true) 2",
    "void 0",
    "",
  ])("%s shows nothing", async (code) => {
    const { reply, outputs } = await run(code);
    expect(reply.status).toBe("ok");
    expect(outputs).toEqual([]);
  });

  it("awaits at the top level, also in for await", async () => {
    const { stdout } = await run("for await (const x of [Promise.resolve(1), 2]) console.log(x)");
    expect(stdout).toBe("1\n2\n");
  });

  it("reads nbgrader's line before a restored cell as a comment", async () => {
    expect(text(await run("# This cell (id:abc) was missing from the submission\n\n6 * 7"))).toBe("42");
  });
});

describe("redeclaration", () => {
  const kinds = {
    let: (n: string) => `let ${n} = 1;`,
    const: (n: string) => `const ${n} = 1;`,
    var: (n: string) => `var ${n} = 1;`,
    function: (n: string) => `function ${n}() { return 1; }`,
    class: (n: string) => `class ${n} {}`,
    enum: (n: string) => `enum ${n} { A }`,
    "await let": (n: string) => `let ${n} = await 1;`,
    import: (n: string) => `import ${n} from "node:fs";`,
  };
  const names = Object.keys(kinds) as (keyof typeof kinds)[];
  it.each(names.flatMap((first) => names.map((second) => [first, second] as const)))(
    "%s, then %s",
    async (first, second) => {
      const name = `re_${first}_${second}`.replaceAll(" ", "_");
      expect((await run(kinds[first](name))).reply.status).toBe("ok");
      const again = await run(`${kinds[second](name)}; typeof ${name}`);
      expect(again.reply).toMatchObject({ status: "ok" });
      expect(text(again)).toMatch(/^'(number|function|object)'$/);
    },
  );

  it("runs let without a value to undefined again", async () => {
    await run("let fresh: number | undefined; fresh = 3;");
    expect(text(await run("let fresh: number | undefined; typeof fresh"))).toBe("'undefined'");
  });

  it("shadows a global of Node for cells, and for no library", async () => {
    const own = await startKernel();
    const inOwn = (code: string) => own.client.execute(code);
    await inOwn(
      'const performance = "mine"; import { setTimeout } from "node:timers/promises"; class URL {}',
    );
    expect(
      text(await inOwn("[performance, new URL() instanceof globalThis.URL, await setTimeout(1, 'slept')]")),
    ).toBe("[ 'mine', false, 'slept' ]");
    expect(
      text(
        await inOwn("typeof globalThis.performance + typeof globalThis.URL + typeof globalThis.setTimeout"),
      ),
    ).toBe("'objectfunctionfunction'");
    expect((await inOwn('await fetch("data:,x").then((r) => r.text())')).reply.status).toBe("ok");
    const failed = await inOwn("const process: number = 1;\n\n(process as any).x.y");
    expect(String((failed.reply.traceback as string[]).join())).toContain("> 3 | (process as any).x.y");
    await own.stop();
  });
});

describe("streams", () => {
  it("keeps stdout and stderr apart and in order", async () => {
    const { outputs } = await run(
      'console.log("a"); console.error("b"); process.stdout.write("c"); console.log("d")',
    );
    expect(outputs.map(({ content }) => [content.name, content.text])).toEqual([
      ["stdout", "a\n"],
      ["stderr", "b\n"],
      ["stdout", "cd\n"],
    ]);
  });

  it.each([10_000, 100_000])("delivers %i lines whole, in order, before idle", async (count) => {
    const { stdout, outputs } = await run(`for (let i = 0; i < ${count}; i++) console.log("line " + i)`);
    const lines = stdout.split("\n");
    expect(lines.length).toBe(count + 1);
    expect(lines.findIndex((line, index) => index < count && line !== `line ${index}`)).toBe(-1);
    expect(outputs.length).toBeLessThan(count / 100);
  });

  it("shows what was printed just before a long computation while it computes", async () => {
    for (let round = 0; round < 5; round++) {
      let shown = "";
      const cell = run("console.log('one'); console.log('two'); console.error('three'); for (;;);", {
        onOutput: ({ type, content }: { type: string; content: Record<string, unknown> }) => {
          if (type === "stream") shown += content.text;
        },
      });
      await until(() => shown === "one\ntwo\nthree\n");
      await kernel.client.interrupt();
      expect((await cell).reply.ename).toBe("Interrupted");
    }
  });

  it("shows output of child processes and native code", async () => {
    const { stdout } = await run(
      'import { execSync } from "node:child_process"; execSync("echo from a child", { stdio: "inherit" }); console.log("after")',
    );
    expect(stdout).toContain("from a child\n");
  });

  it("gives late output to the cell that started it", async () => {
    const seen: [string, unknown][] = [];
    const stop = kernel.client.onMessage(({ header, parentHeader, content }) => {
      if (header.msg_type === "stream")
        seen.push([(parentHeader as { msg_id: string }).msg_id, content.text]);
    });
    const ids: string[] = [];
    const stopInputs = kernel.client.onMessage(({ header, parentHeader }) => {
      if (header.msg_type === "execute_input") ids.push((parentHeader as { msg_id: string }).msg_id);
    });
    await run('setTimeout(async () => { await null; console.log("late") }, 50)');
    await run("await new Promise((resolve) => setTimeout(resolve, 150)); console.log('second')");
    await until(() => seen.length === 2);
    stop();
    stopInputs();
    expect(seen).toEqual([
      [ids[0], "late\n"],
      [ids[1], "second\n"],
    ]);
  });
});

describe("execute_request's options", () => {
  it("silent shows nothing and counts nothing", async () => {
    const before = (await run("0")).reply.execution_count;
    const { outputs, reply } = await run("console.log('quiet'); 5", { silent: true });
    expect(outputs).toEqual([]);
    expect(reply).toMatchObject({ status: "ok", execution_count: before });
    expect((await run("0")).reply.execution_count).toBe((before as number) + 1);
  });

  it("store_history: false counts nothing and shows results", async () => {
    const before = (await run("0")).reply.execution_count;
    const result = await run("3 + 4", { storeHistory: false });
    expect(text(result)).toBe("7");
    expect(result.reply.execution_count).toBe(before);
  });

  it("evaluates user_expressions after the cell, each with its own outcome", async () => {
    const { reply } = await run("let ux: number = 20", {
      userExpressions: { good: "ux + 1", bad: "nowhere.field", typed: "(ux as number) + 2" },
    });
    expect(reply.user_expressions).toMatchObject({
      good: { status: "ok", data: { "text/plain": "21" } },
      bad: { status: "error", ename: "ReferenceError" },
      typed: { status: "ok", data: { "text/plain": "22" } },
    });
  });

  it("aborts what was queued behind an error, unless stop_on_error is false", async () => {
    const [failed, queued] = await Promise.all([
      run("await null; throw new Error('stop')"),
      run("'not reached'"),
    ]);
    expect([failed.reply.status, queued.reply.status]).toEqual(["error", "aborted"]);
    const [second, goesOn] = await Promise.all([
      run("await null; throw new Error('go on')", { stopOnError: false }),
      run("'reached'"),
    ]);
    expect([second.reply.status, goesOn.reply.status]).toEqual(["error", "ok"]);
  });
});

it("carries payloads in the reply, once, and refuses what cannot be one", async () => {
  const payload = 'const payload = (globalThis as any)[Symbol.for("Jupyter.payload")];';
  const { reply } = await run(
    `${payload} payload({ source: "set_next_input", text: "6 * 7", replace: false }); payload({ source: "page", data: { "text/plain": "p" }, start: 0 })`,
  );
  expect(reply.payload).toEqual([
    { source: "set_next_input", text: "6 * 7", replace: false },
    { source: "page", data: { "text/plain": "p" }, start: 0 },
  ]);
  expect((await run("1")).reply.payload).toEqual([]);
  expect((await run('payload({ source: "page", data: 1n })')).reply.ename).toBe("TypeError");
  expect((await run("payload(5)")).reply.ename).toBe("TypeError");
});

describe("asking the reader", () => {
  it("prompt and confirm block the cell", async () => {
    const { stdout } = await run('console.log(prompt("name?"), confirm("sure?"))', {
      input: (question: string) => (question.startsWith("name") ? "Ada" : "yes"),
    });
    expect(stdout).toBe("Ada true\n");
  });

  it("input() waits without blocking, and asks for passwords as such", async () => {
    const asked: unknown[] = [];
    const result = await run('await input("secret", { password: true })', {
      input: (question: string, password: boolean) => {
        asked.push([question, password]);
        return "hush";
      },
    });
    expect(text(result)).toBe("'hush'");
    expect(asked).toEqual([["secret", true]]);
  });

  it("is an error where the front end takes no input", async () => {
    expect((await run("prompt('x')")).reply).toMatchObject({ status: "error", ename: "InputError" });
  });
});
