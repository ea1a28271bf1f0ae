/** Stopping where an exception is thrown: all of them, or those that nothing in the reader's code catches. */
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { DapClient } from "./dap.js";

let dap: DapClient;
beforeAll(async () => {
  dap = await DapClient.start();
});
afterAll(() => dap?.kernel.stop());
afterEach(async ({ task }) => {
  if (task.result?.state !== "fail") return;
  await dap.kernel.stop();
  dap = await DapClient.start();
  await dap.run(FAILS);
});

/** What it stopped at while the cell ran, by the exceptions' texts. */
async function stops(filter: string | undefined, code: string): Promise<string[]> {
  await dap.request("setExceptionBreakpoints", { filters: filter ? [filter] : [] });
  const from = dap.events.length;
  const seen: string[] = [];
  let over = false;
  const done = dap.run(code).then(() => {
    over = true;
  });
  for (let at = from; !over || at < dap.events.length; at++) {
    while (at >= dap.events.length && !over) await new Promise((resolve) => setTimeout(resolve, 5));
    const { event, body } = dap.events[at] ?? {};
    if (event !== "stopped") continue;
    seen.push(`${(body as { text: string }).text} at ${(await dap.where())[0]}`);
    await dap.continue();
  }
  await done;
  dap.passOver();
  return seen;
}

const FAILS = `async function fails(text: string): Promise<void> {
  await 0;
  throw new Error(text);
}
const throws = (text: string): never => { throw new Error(text); };`;

/** Cells, and whether what they throw is caught in them. */
const CELLS: [what: string, code: string, uncaught: string | undefined, caught: string | undefined][] = [
  ["thrown by the cell", "throw new Error('a');", "Error: a at <cell>:1", undefined],
  ["thrown in a function", "1;\nthrows('b');", "Error: b at throws:5", undefined],
  ["caught", "try { throws('c'); } catch {}", undefined, "Error: c at throws:5"],
  ["only finally", "try { throws('d'); } finally { 1; }", "Error: d at throws:5", undefined],
  ["after an await", "await 0;\nthrow new Error('e');", "Error: e at <cell>:2", undefined],
  ["in an async function", "await fails('f');", "Error: f at fails:3", undefined],
  ["in an async function, caught", "try { await fails('g'); } catch {}", undefined, "Error: g at fails:3"],
  ["with a handler", "await fails('h').catch(() => 0);", undefined, "Error: h at fails:3"],
  ["settled", "await Promise.allSettled([fails('h')]);", undefined, "Error: h at fails:3"],
  ["with half a handler", "await fails('h').then(() => 0);", "Error: h at fails:3", undefined],
  ["among others", "await Promise.all([1, fails('h')]);", "Error: h at fails:3", undefined],
  [
    "awaited by one that catches",
    "async function safe() { try { await fails('i'); } catch {} }\nawait safe();",
    undefined,
    "Error: i at fails:3",
  ],
  [
    "in a timer",
    "setTimeout(() => throws('j'), 1);\nawait new Promise((r) => setTimeout(r, 60));",
    "Error: j at throws:5",
    undefined,
  ],
  [
    "in Node's own code",
    "JSON.parse('{');",
    expect.stringMatching(/^SyntaxError: .* at <cell>:1$/) as never,
    undefined,
  ],
  ["a value that is no error", "throw 'text';", "text at <cell>:1", undefined],
];

describe("setExceptionBreakpoints", () => {
  beforeAll(async () => {
    await dap.run(FAILS);
  });

  it.each(CELLS)("stops at what is %s", async (_what, code, uncaught, caught) => {
    expect(await stops(undefined, code)).toEqual([]);
    expect(await stops("uncaught", code)).toEqual(uncaught === undefined ? [] : [uncaught]);
    expect(await stops("all", code)).toEqual([uncaught ?? caught]);
  });

  it("does not stop at what Node throws and catches itself", async () => {
    expect(
      await stops("all", 'import { join } from "node:path";\nimport "node:assert/strict";\njoin("a")'),
    ).toEqual([]);
  });

  it("tells about the exception, and shows it among the variables", async () => {
    await dap.request("setExceptionBreakpoints", { filters: ["uncaught"] });
    const done = dap.run("const limit = 3;\nthrow new RangeError('over ' + limit);");
    expect(await dap.stopped()).toMatchObject({ reason: "exception", text: "RangeError: over 3" });
    expect(await dap.request("exceptionInfo", { threadId: 1 })).toMatchObject({
      exceptionId: "RangeError",
      description: "RangeError: over 3",
      breakMode: "unhandled",
      details: { typeName: "RangeError", stackTrace: expect.stringContaining("cell:") },
    });
    const { Locals } = await dap.scopes();
    expect(await dap.values(Locals!)).toMatchObject({ "(exception)": "RangeError: over 3" });
    await dap.continue();
    expect((await done).reply).toMatchObject({ status: "error", ename: "RangeError" });
    expect(await dap.respond("exceptionInfo", {})).toMatchObject({ success: false });
  });

  it("knows its two filters only", async () => {
    expect(await dap.request("setExceptionBreakpoints", { filters: ["all", "other"] })).toEqual({
      breakpoints: [{ verified: true }, { verified: false }],
    });
    await dap.request("setExceptionBreakpoints", { filters: [] });
  });
});
