/** What the debugger shows of values, and what it lets the reader change. */
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { DapClient, type Variable } from "./dap.js";
import { text } from "./kernel.js";

let dap: DapClient;
beforeAll(async () => {
  dap = await DapClient.start();
});
afterAll(() => dap?.kernel.stop());
// A cell that still stands would make every later test fail too.
afterEach(async ({ task }) => {
  if (task.result?.state !== "fail") return;
  await dap.kernel.stop();
  dap = await DapClient.start();
});

/** Runs `code` up to the line with `// here`, does `body`, and goes on. */
async function standing<T>(code: string, body: () => Promise<T>): Promise<T> {
  const line = code.split("\n").findIndex((one) => one.includes("// here")) + 1;
  await dap.breakAt(code, line);
  const done = dap.run(code);
  await dap.stopped();
  try {
    return await body();
  } finally {
    await dap.breakAt(code);
    await dap.continue();
    await done;
  }
}

async function find(reference: number, name: string): Promise<Variable> {
  const variable = (await dap.variables(reference)).find((one) => one.name === name);
  if (!variable) throw new Error(`no variable ${name}`);
  return variable;
}

describe("scopes", () => {
  it("shows locals with the blocks around, closures, this, and the reader's globals alone", async () => {
    await dap.run("const shared = [1];\nconst console = 5;");
    const code = `class Counter {
  count = 2;
  make(start: number) {
    const step = 3;
    return (by: number) => {
      for (let i = 0; i < 1; i++) {
        const now = start + step * by + i;
        this.count += now; // here
      }
    };
  }
}
new Counter().make(10)(4);`;
    await standing(code, async () => {
      const scopes = await dap.scopes();
      expect(Object.keys(scopes)).toEqual(["Locals", "Closure (make)", "Globals"]);
      expect(await dap.values(scopes.Locals!)).toEqual({
        this: "Counter { count: 2 }",
        i: "0",
        now: "22",
        by: "4",
      });
      expect(await dap.values(scopes["Closure (make)"]!)).toMatchObject({ start: "10", step: "3" });
      const globals = await dap.values(scopes.Globals!);
      expect(globals).toMatchObject({ shared: "[ 1 ]", console: "5" });
      expect(globals).not.toHaveProperty("process");
      expect(globals).not.toHaveProperty("__mlsys__");
      const outer = await dap.scopes(1);
      expect(Object.keys(outer)).toEqual(["Globals"]);
    });
  });

  it("has no scopes for a frame that waits", async () => {
    const code =
      "async function inner() {\n  await 0;\n  return 1; // here\n}\nasync function outer() {\n  const kept = 1;\n  return (await inner()) + kept;\n}\nawait outer();";
    await standing(code, async () => {
      const frames = await dap.stack();
      expect(frames.map(({ name }) => name)).toEqual(["inner", "await in outer", "await in <cell>"]);
      expect(await dap.request("scopes", { frameId: frames[1]!.id })).toEqual({ scopes: [] });
      expect(await dap.respond("evaluate", { expression: "kept", frameId: frames[1]!.id })).toMatchObject({
        success: false,
        message: expect.stringContaining("its variables are not at hand"),
      });
    });
  });
});

describe("values", () => {
  it("are shown as a line each, with their type", async () => {
    const code = `const all = {
  text: "a\\"b", big: 12n, none: null, missing: undefined, nan: NaN, minus: -0, symbol: Symbol("s"),
  date: new Date(0), expression: /a+/g, error: new RangeError("too far"),
  list: [1, "two", [3]], typed: new Float32Array([1, 2.5]), map: new Map([["k", { v: 1 }]]), set: new Set([1, 2]),
  fn: function named(a: number) { return a; }, arrow: () => 1, cls: class Shape {}, promise: Promise.resolve(5),
  get lazy() { return 42; },
};
String(all); // here`;
    await standing(code, async () => {
      const { variablesReference } = await find((await dap.scopes()).Globals!, "all");
      const shown = await dap.variables(variablesReference);
      expect(Object.fromEntries(shown.map(({ name, value, type }) => [name, [value, type]]))).toEqual({
        text: ['"a\\"b"', "string"],
        big: ["12n", "bigint"],
        none: ["null", "null"],
        missing: ["undefined", "undefined"],
        nan: ["NaN", "number"],
        minus: ["-0", "number"],
        symbol: ["Symbol(s)", "symbol"],
        date: ["1970-01-01T00:00:00.000Z", "Date"],
        expression: ["/a+/g", "RegExp"],
        error: ["RangeError: too far", "RangeError"],
        list: ["[ 1, 'two', [ 3 ] ]", "Array"],
        typed: ["Float32Array(2) [ 1, 2.5 ]", "Float32Array"],
        map: ["Map(1) { 'k' => { v: 1 } }", "Map"],
        set: ["Set(2) { 1, 2 }", "Set"],
        fn: ["[Function: named]", "function"],
        arrow: ["[Function: arrow]", "function"],
        cls: ["[class Shape]", "function"],
        promise: ["Promise { 5 }", "Promise"],
        lazy: ["(…)", "getter"],
      });
      const by = (name: string) => shown.find((one) => one.name === name)!;
      expect(await dap.values(by("lazy").variablesReference)).toEqual({ lazy: "42" });
      expect(await dap.values(by("list").variablesReference)).toEqual({
        0: "1",
        1: '"two"',
        2: "[ 3 ]",
        length: "3",
      });
      expect(await dap.values(by("typed").variablesReference)).toEqual({ 0: "1", 1: "2.5", length: "2" });
      expect(await dap.values(by("map").variablesReference)).toEqual({ '[0] "k"': "{ v: 1 }", size: "1" });
      expect(await dap.values(by("set").variablesReference)).toEqual({ 0: "1", 1: "2", size: "2" });
      expect(await dap.values(by("promise").variablesReference)).toEqual({
        "[[PromiseState]]": '"fulfilled"',
        "[[PromiseResult]]": "5",
      });
      const [inner] = await dap.variables(by("list").variablesReference, {
        start: 2,
        count: 1,
        filter: "indexed",
      });
      expect(inner).toMatchObject({ name: "2", evaluateName: "all.list[2]" });
    });
  });

  it("of classes come with private fields and getters that change nothing", async () => {
    const code = `class Account {
  #secret = 7;
  owner = "Ada";
  get greeting() { return "Hello " + this.owner; }
  get next() { return ++this.#secret; }
}
const account = new Account();
String(account); // here`;
    await standing(code, async () => {
      const { variablesReference, value } = await find((await dap.scopes()).Globals!, "account");
      expect(value).toBe("Account { owner: 'Ada' }");
      const shown = await dap.values(variablesReference);
      expect(shown).toMatchObject({ owner: '"Ada"', "#secret": "7", greeting: '"Hello Ada"', next: "(…)" });
      expect((await dap.values(variablesReference))["#secret"]).toBe("7");
    });
  });

  it("in long lists come in parts, and by page where the front end asks", async () => {
    const code = "const long = Array.from({ length: 25_000 }, (_, i) => i * 2);\nlong.length; // here";
    await standing(code, async () => {
      const { variablesReference, indexedVariables } = await find((await dap.scopes()).Globals!, "long");
      expect(indexedVariables).toBe(25_000);
      const parts = await dap.variables(variablesReference);
      expect(parts.map(({ name }) => name)).toEqual([
        "[0 … 9999]",
        "[10000 … 19999]",
        "[20000 … 24999]",
        "length",
      ]);
      const smaller = await dap.variables(parts[2]!.variablesReference);
      expect(smaller.map(({ name }) => name).slice(0, 2)).toEqual(["[20000 … 20099]", "[20100 … 20199]"]);
      expect((await dap.values(smaller[1]!.variablesReference))["20150"]).toBe("40300");
      expect(await dap.values(variablesReference, { start: 24_998, count: 2, filter: "indexed" })).toEqual({
        24998: "49996",
        24999: "49998",
      });
      expect(await dap.values(variablesReference, { filter: "named" })).toEqual({ length: "25000" });
    });
  });

  it("that cannot be shown do no harm", async () => {
    const code = `const odd = {
  thrower: { [Symbol.for("nodejs.util.inspect.custom")]() { throw new Error("no"); } },
  trap: new Proxy({}, { ownKeys() { throw new Error("trapped"); } }),
  wide: Object.fromEntries(Array.from({ length: 500 }, (_, i) => ["k" + i, i])),
  bare: Object.assign(Object.create(null), { a: 1 }),
  huge: "x".repeat(1000),
};
String(1); // here`;
    await standing(code, async () => {
      const { variablesReference } = await find((await dap.scopes()).Globals!, "odd");
      const shown = await dap.values(variablesReference);
      expect(shown.thrower).toBe("[cannot be shown: Error: no]");
      expect(shown.trap).toContain("Proxy");
      expect(shown.wide).toBe("Object with 500 properties");
      expect(shown.bare).toBe("[Object: null prototype] { a: 1 }");
      expect(shown.huge!.length).toBeLessThan(350);
    });
  });

  it("end with the stop: old references are refused", async () => {
    const code = "const gone = { a: 1 };\ngone.a; // here";
    const reference = await standing(
      code,
      async () => (await find((await dap.scopes()).Globals!, "gone")).variablesReference,
    );
    expect(await dap.respond("variables", { variablesReference: reference })).toMatchObject({
      success: false,
      message: expect.stringContaining("are gone"),
    });
  });
});

describe("evaluation", () => {
  const CODE =
    "const base = 10;\nfunction area(width: number, height: number) {\n  const size = width * height;\n  return size + base; // here\n}\nconst result = area(2, 3);\nresult";

  it("reads and changes the frame that is named, in TypeScript", async () => {
    await standing(CODE, async () => {
      const [top, cell] = await dap.stack();
      expect(await dap.evaluate("size as number + base", top!.id)).toBe("16");
      expect(await dap.evaluate("{ width, height }", top!.id)).toBe("{ width: 2, height: 3 }");
      expect(await dap.evaluate("width = 50", top!.id)).toBe("50");
      expect(await dap.evaluate("width", top!.id)).toBe("50");
      expect(await dap.evaluate("typeof width", cell!.id)).toBe('"undefined"');
      const body = await dap.request("evaluate", { expression: "[width, [height]]", frameId: top!.id });
      expect(await dap.values(Number(body.variablesReference))).toEqual({ 0: "50", 1: "[ 3 ]", length: "2" });
    });
  });

  it("says what it threw, and what cannot be evaluated", async () => {
    await standing(CODE, async () => {
      const [top] = await dap.stack();
      const message = async (expression: string, context = "repl") =>
        (await dap.respond("evaluate", { expression, frameId: top!.id, context })).message;
      expect(await message("nothing.here")).toBe("ReferenceError: nothing is not defined");
      expect(await message("1 +")).toContain('"1 +" cannot be evaluated');
      expect(await message("(() => { throw 'text' })()")).toBe('"text"');
    });
  });

  it("on hover changes nothing", async () => {
    await standing(CODE, async () => {
      const [top] = await dap.stack();
      expect(await dap.evaluate("width + 1", top!.id, "hover")).toBe("3");
      expect(
        (await dap.respond("evaluate", { expression: "width++", frameId: top!.id, context: "hover" }))
          .success,
      ).toBe(false);
      expect(await dap.evaluate("width", top!.id)).toBe("2");
    });
  });

  it("without a stop works among the globals, also with await; its names are known to later cells", async () => {
    expect(await dap.evaluate("const fromConsole: number = await Promise.resolve(base * 2)")).toBe(
      "undefined",
    );
    expect(text(await dap.run("fromConsole + 1"))).toBe("21");
    expect(await dap.evaluate("fromConsole")).toBe("20");
  });
});

describe("setVariable", () => {
  const CODE = `const box = { list: [1, 2], map: new Map([["a", 1]]), plain: "old" };
let outside = 1;
function change(local: number) {
  {
    const inner = { deep: true };
    let block = 5;
    return [local, block, outside, inner]; // here
  }
}
const changed = change(2);
JSON.stringify([changed, box.list, [...box.map], box.plain])`;

  it("changes locals, blocks, globals, properties, elements and entries", async () => {
    const line = 7;
    await dap.breakAt(CODE, line);
    const done = dap.run(CODE);
    await dap.stopped();
    const scopes = await dap.scopes();
    const set = (variablesReference: number, name: string, value: string) =>
      dap.request("setVariable", { variablesReference, name, value });
    expect(await set(scopes.Locals!, "local", "40 + 2")).toMatchObject({ value: "42", type: "number" });
    await set(scopes.Locals!, "block", "local");
    await set(scopes.Globals!, "outside", "[1, 2]");
    const { variablesReference: inner } = await find(scopes.Locals!, "inner");
    await set(inner, "deep", "false");
    const { variablesReference: box } = await find(scopes.Globals!, "box");
    await set(box, "plain", "`new`");
    const list = await find(box, "list");
    await set(list.variablesReference, "1", "20");
    const map = await find(box, "map");
    const [entry] = await dap.variables(map.variablesReference);
    await set(map.variablesReference, entry!.name, "{ n: 1 }");
    expect(await dap.values(scopes.Locals!)).toMatchObject({
      local: "42",
      block: "42",
      inner: "{ deep: false }",
    });
    expect(
      await dap.respond("setVariable", { variablesReference: scopes.Locals!, name: "nope", value: "1" }),
    ).toMatchObject({
      success: false,
      message: 'There is no variable "nope" in this scope.',
    });
    await dap.breakAt(CODE);
    await dap.continue();
    expect(text(await done)).toBe(`'[[42,42,[1,2],{"deep":false}],[1,20],[["a",{"n":1}]],"new"]'`);
  });

  it("assigns to an expression", async () => {
    await dap.run("const settable = { a: { b: 1 } };");
    expect(await dap.request("setExpression", { expression: "settable.a.b", value: "2 * 3" })).toMatchObject({
      value: "6",
    });
    expect(text(await dap.run("settable.a.b"))).toBe("6");
  });
});

describe("Jupyter's additions", () => {
  it("inspectVariables lists the reader's variables, debugged or not, also while a cell runs", async () => {
    const other = await DapClient.idle();
    await other.run("const here = [1, 2]; function there() {}\nlet going = true;");
    const listed = async () =>
      Object.fromEntries(
        ((await other.request("inspectVariables")).variables as Variable[]).map(({ name, value }) => [
          name,
          value,
        ]),
      );
    const expected = { here: "[ 1, 2 ]", there: "[Function: there]", going: "true" };
    expect(await listed()).toEqual(expected);
    const loop = other.run("while (going) {}");
    expect(await listed()).toEqual(expected);
    await other.kernel.client.interrupt();
    await loop;
    const variables = (await other.request("inspectVariables")).variables as Variable[];
    const { variablesReference } = variables.find(({ name }) => name === "here")!;
    expect(await other.values(variablesReference)).toMatchObject({ 0: "1", 1: "2" });
    expect(await other.request("debugInfo")).toMatchObject({ isStarted: false });
    await other.kernel.stop();
  });

  it("richInspectVariables shows a value as its cell would", async () => {
    await dap.run(
      "const table = [{ a: 1 }];\nconst drawn = { async [Symbol.for('Jupyter.display')]() { return { 'text/html': '<b>x</b>' }; } };",
    );
    const rich = async (variableName: string, frameId?: number) =>
      (await dap.request("richInspectVariables", { variableName, frameId })).data as Record<string, string>;
    expect((await rich("table"))["text/html"]).toContain("<table>");
    expect(await rich("drawn")).toMatchObject({ "text/html": "<b>x</b>" });
    expect(await rich("table[0].a")).toEqual({ "text/plain": "1" });
    expect(await rich("(exception)")).toEqual({});
    const code = "function show(rows: object[]) {\n  return rows.length; // here\n}\nshow([{ q: 9 }]);";
    await standing(code, async () => {
      const [top] = await dap.stack();
      expect((await rich("rows", top!.id))["text/html"]).toContain("<td>9</td>");
      expect(await rich("drawn", top!.id)).toEqual({ "text/plain": expect.any(String) });
    });
  });

  it("copyToGlobals makes a local known to later cells", async () => {
    await standing("function hold(kept: string) {\n  return kept; // here\n}\nhold('value');", async () => {
      const [top] = await dap.stack();
      await dap.request("copyToGlobals", {
        srcVariableName: "kept",
        dstVariableName: "copied",
        srcFrameId: top!.id,
      });
      expect(await dap.values((await dap.scopes()).Globals!)).toMatchObject({ copied: '"value"' });
    });
    expect(text(await dap.run("copied.length"))).toBe("5");
  });

  it("debugInfo tells how cells are named, and the breakpoints", async () => {
    const code = "const named = 1;\nnamed";
    const info = await dap.request("debugInfo");
    expect(info).toMatchObject({
      isStarted: true,
      hashMethod: "Murmur2",
      hashSeed: expect.any(Number),
      tmpFileSuffix: ".ts",
      richRendering: true,
      copyToGlobals: true,
      exceptionPaths: expect.any(Array),
    });
    const { sourcePath } = await dap.request("dumpCell", { code });
    expect(String(sourcePath).startsWith(String(info.tmpFilePrefix))).toBe(true);
    await dap.breakAt(code, { line: 2, condition: "named > 0" });
    expect((await dap.request("debugInfo")).breakpoints).toContainEqual({
      source: sourcePath,
      breakpoints: [{ line: 2, condition: "named > 0" }],
    });
    expect(await dap.request("source", { source: { path: sourcePath } })).toMatchObject({ content: code });
    await dap.breakAt(code);
  });

  it("kernel_info says that there is a debugger", async () => {
    const { reply } = await dap.kernel.client.request("kernel_info_request");
    expect(reply.content).toMatchObject({
      debugger: true,
      supported_features: expect.arrayContaining(["debugger"]),
    });
  });

  it("answers what it does not know with a reason", async () => {
    expect(await dap.respond("restartFrame")).toMatchObject({
      type: "response",
      success: false,
      command: "restartFrame",
      message: 'The request "restartFrame" is not supported.',
    });
    expect(await dap.respond("next")).toMatchObject({ success: false, message: "The code is not paused." });
    expect(await dap.respond("setVariable", { variablesReference: 1, name: 5 })).toMatchObject({
      success: false,
    });
  });
});
