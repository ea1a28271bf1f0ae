/** The debugger over the Jupyter protocol: breakpoints, steps, what happens to a cell that stands. */
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { murmur2 } from "../src/debug/murmur2.js";
import { DapClient } from "./dap.js";
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

const CELL = `function double(a: number): number {
  const b = a * 2;
  return b;
}
let x = double(1);
let y = double(x);
x + y`;

describe("breakpoints in cells", () => {
  it("stops where a breakpoint was set before the cell ran, and goes on", async () => {
    expect(await dap.breakAt(CELL, 5)).toMatchObject([{ verified: true, line: 5 }]);
    const done = dap.run(CELL);
    expect(await dap.stopped()).toMatchObject({ reason: "breakpoint", threadId: 1, allThreadsStopped: true });
    expect(await dap.where()).toEqual(["<cell>:5"]);
    await dap.continue();
    await dap.next("continued");
    expect(text(await done)).toBe("6");
    await dap.breakAt(CELL);
  });

  it("stay where they are when all of a cell are set again: a cell that runs meanwhile stops", async () => {
    const code = "let steps = 0;\nfor (;;) {\n  await 0;\n  steps++;\n  if (steps > 1e9) break;\n}";
    const [first] = await dap.breakAt(code, 5, { line: 4, condition: "steps === -1" });
    const [again, other] = await dap.breakAt(code, 5, { line: 4, condition: "steps === -2" });
    expect(again!.id).toBe(first!.id);
    expect(other!.id).toBeGreaterThan(first!.id as number);
    const done = dap.run(code);
    await dap.stopped();
    expect(await dap.breakAt(code, 5)).toMatchObject([{ id: first!.id, verified: true, line: 5 }]);
    await dap.continue();
    await dap.stopped();
    expect(await dap.where()).toEqual(["<cell>:5"]);
    await dap.kernel.client.interrupt();
    await done;
    await dap.breakAt(code);
  });

  it("stops in a function of a cell that ran before, called from another cell", async () => {
    await dap.run("const scale = (v: number) => {\n  return v * 10;\n};");
    await dap.breakAt("const scale = (v: number) => {\n  return v * 10;\n};", 2);
    const done = dap.run("scale(4)");
    await dap.stopped();
    const [top, caller] = await dap.stack();
    expect([top!.name, top!.line, caller!.name, caller!.line]).toEqual(["scale", 2, "<cell>", 1]);
    expect(top!.source.name).toMatch(/^Cell \d+$/);
    await dap.breakAt("const scale = (v: number) => {\n  return v * 10;\n};");
    await dap.continue();
    expect(text(await done)).toBe("40");
  });

  it("keeps the lines of cells whose syntax is lowered and whose imports move to the top", async () => {
    const code = `import { join } from "node:path";
enum Colour { Red, Green }
class Point {
  constructor(readonly x: number, private y: number) {}
  get sum(): number {
    return this.x + this.y;
  }
}
interface Unused { a: string }
const p = new Point(1, 2);
const s: number = p.sum;
join("a", String(s), Colour[1]!)`;
    expect(await dap.breakAt(code, 6, 11)).toMatchObject([{ line: 6 }, { line: 11 }]);
    const done = dap.run(code);
    await dap.stopped();
    expect(await dap.where()).toEqual(["<cell>:11"]);
    await dap.continue();
    await dap.stopped();
    expect(await dap.where()).toEqual(["get sum:6", "<cell>:11"]);
    await dap.breakAt(code);
    await dap.continue();
    expect(text(await done)).toBe("'a/3/Green'");
  });

  it("takes the breakpoints of a cell of the kernel before, once that cell runs here", async () => {
    const code = "let restored = 1;\n// a comment\nrestored += 1;\nrestored";
    const info = await dap.request("debugInfo");
    const sourcePath = `${info.tmpFilePrefix}${murmur2(code, Number(info.hashSeed))}${info.tmpFileSuffix}`;
    const { breakpoints } = await dap.request("setBreakpoints", {
      source: { path: sourcePath },
      breakpoints: [{ line: 2 }],
    });
    const message = "The cell has not run in this kernel.";
    expect(breakpoints).toMatchObject([{ verified: false, line: 2, message }]);
    const done = dap.run(code);
    await dap.stopped();
    expect(await dap.where()).toEqual(["<cell>:3"]);
    await dap.breakAt(code);
    await dap.continue();
    expect(text(await done)).toBe("2");
  });

  it("moves a breakpoint to the next statement, and says where there is none", async () => {
    const code = "// a comment\n\ninterface T { a: number }\nconst moved: T = { a: 1 };\n\n// the end";
    expect(await dap.breakAt(code, 1, 3, 6)).toMatchObject([
      { verified: true, line: 4 },
      { verified: true, line: 4 },
      { verified: false, message: "There is no statement at or after this line." },
    ]);
    const done = dap.run(code);
    await dap.stopped();
    expect(await dap.where()).toEqual(["<cell>:4"]);
    await dap.continue();
    await done;
    await dap.breakAt(code);
  });

  it("stops under a condition, in TypeScript, with the reader's own names", async () => {
    const code =
      "const process = { min: 2 };\nlet total = 0;\nfor (let i = 0; i < 5; i++) {\n  total += i;\n}\ntotal";
    await dap.breakAt(code, { line: 4, condition: "(i as number) > process.min" });
    const done = dap.run(code);
    await dap.stopped();
    expect(await dap.values((await dap.scopes()).Locals!)).toEqual({ i: "3" });
    await dap.breakAt(code);
    await dap.continue();
    expect(text(await done)).toBe("10");
  });

  it.each([
    ["3", [2]],
    [">= 4", [3, 4]],
    ["% 2", [1, 3]],
  ])("stops at hits that fit %s", async (hitCondition, expected) => {
    const code = `for (let n = 0; n < 5; n++) {\n  String(n); // ${hitCondition}\n}`;
    await dap.breakAt(code, { line: 2, hitCondition });
    const done = dap.run(code);
    const seen: number[] = [];
    for (const _ of expected) {
      await dap.stopped();
      seen.push(Number((await dap.values((await dap.scopes()).Locals!)).n));
      await dap.continue();
    }
    await done;
    expect(seen).toEqual(expected);
    await dap.breakAt(code);
  });

  it("prints a logpoint's message and does not stop", async () => {
    const code = "for (let k = 0; k < 2; k++) {\n  const square = k ** 2;\n  String(square);\n}";
    await dap.breakAt(code, { line: 3, logMessage: "k = {k}, { square } {[k]}" });
    expect((await dap.run(code)).stdout).toBe("k = 0, 0 [ 0 ]\nk = 1, 1 [ 1 ]\n");
    await dap.breakAt(code);
  });

  it("says what is wrong with a condition, and once that it fails", async () => {
    const code = "for (let k = 0; k < 3; k++) {\n  String(k);\n}";
    expect(
      await dap.breakAt(code, { line: 2, condition: "k >" }, { line: 2, hitCondition: "often" }),
    ).toMatchObject([
      { verified: false, message: expect.stringContaining('"k >" cannot be evaluated') },
      { verified: false, message: expect.stringContaining('The hit condition "often" is not understood') },
    ]);
    await dap.breakAt(code, { line: 2, condition: "missing.name" });
    const { stderr } = await dap.run(code);
    expect(stderr).toBe("The breakpoint's condition failed: ReferenceError: missing is not defined\n");
    await dap.breakAt(code);
  });

  it("lists where breakpoints can stand", async () => {
    const code = "let a1 = 1; let a2 = 2;\n// nothing\nfunction f1() {\n  return a1;\n}";
    const { sourcePath } = await dap.request("dumpCell", { code });
    const lines = async () =>
      (
        (await dap.request("breakpointLocations", { source: { path: sourcePath }, line: 1, endLine: 5 })) as {
          breakpoints: { line: number }[];
        }
      ).breakpoints.map(({ line }) => line);
    expect([...new Set(await lines())]).toEqual([1, 4, 5]);
    await dap.run(code);
    const known = await lines();
    expect(known).toEqual(expect.arrayContaining([1, 4]));
    expect(known).not.toContain(2);
  });

  it("stops at a debugger statement", async () => {
    const done = dap.run("1;\ndebugger;\n2");
    expect(await dap.stopped()).toMatchObject({ description: "Paused on debugger statement" });
    expect(await dap.where()).toEqual(["<cell>:2"]);
    await dap.continue();
    await done;
  });
});

describe("steps", () => {
  // V8 12 reports an evaluation whose promise is garbage from inside of the collector, and Node 21 to 23 abort on that: known,
  // and not mended for a step that leaves the cell. The worker ends, and the reader is told.
  const aborts = [21, 22, 23].includes(Number(process.versions.node.split(".")[0]));
  it.skipIf(aborts)("goes over, into and out of calls, and ends with the cell", async () => {
    await dap.breakAt(CELL, 5);
    const done = dap.run(CELL);
    await dap.stopped();
    expect(await dap.step("next")).toEqual(["<cell>:6"]);
    expect(await dap.step("stepIn")).toEqual(["double:2", "<cell>:6"]);
    expect(await dap.step("next")).toEqual(["double:3", "<cell>:6"]);
    expect(await dap.step("stepOut")).toEqual(["<cell>:7"]);
    await dap.breakAt(CELL);
    await dap.request("next");
    expect(text(await done)).toBe("6");
    // The step is over with the cell: the next one runs through.
    expect(text(await dap.run("x * 2"))).toBe("4");
  });

  it("steps over awaits, into an async function, and shows who waits for it", async () => {
    const code = `async function later(v: number): Promise<number> {
  await new Promise((done) => setTimeout(done, 5));
  return v + 1;
}
async function twice(v: number) {
  return (await later(v)) * 2;
}
const first = await twice(1);
const second = await twice(first);
second`;
    await dap.breakAt(code, 3, 8);
    const done = dap.run(code);
    await dap.stopped();
    expect(await dap.where()).toEqual(["<cell>:8"]);
    await dap.continue();
    await dap.stopped();
    expect(await dap.where()).toEqual(["later:3", "await in twice:6", "await in <cell>:8"]);
    expect((await dap.stack())[1]).toMatchObject({ presentationHint: "subtle" });
    await dap.breakAt(code, 8);
    await dap.continue();
    expect(text(await done)).toBe("10");
    const again = dap.run(code);
    await dap.stopped();
    expect(await dap.step("next")).toEqual(["<cell>:9"]);
    expect(await dap.step("next")).toEqual(["<cell>:10"]);
    await dap.breakAt(code);
    await dap.continue();
    await again;
  });

  it("steps through a callback of a timer, and ends where the kernel's code begins", async () => {
    const code =
      "setTimeout(() => {\n  const inTimer = 1;\n  String(inTimer);\n}, 1);\nawait new Promise((r) => setTimeout(r, 50));\n7";
    await dap.breakAt(code, 2);
    const done = dap.run(code);
    await dap.stopped();
    expect(await dap.where()).toEqual([expect.stringMatching(/:2$/)]);
    expect(await dap.step("next")).toEqual([expect.stringMatching(/:3$/)]);
    await dap.breakAt(code);
    await dap.continue();
    expect(text(await done)).toBe("7");
  });

  it("pauses a loop, and a cell that waits when it goes on", async () => {
    const begun = dap.printed("begun");
    const loop = dap.run(
      "let spins = 0;\nlet spinning = true;\nconsole.log('begun');\nwhile (spinning) {\n  spins++;\n}",
    );
    await begun;
    await dap.request("pause");
    expect(await dap.stopped()).toMatchObject({ reason: "pause" });
    const [frame] = await dap.stack();
    expect(frame!.line).toBeGreaterThanOrEqual(3);
    expect(await dap.evaluate("spinning = false", frame!.id)).toBe("false");
    await dap.continue();
    await loop;
    const waiting = dap.printed("waiting");
    const waits = dap.run(
      "console.log('waiting');\nawait new Promise((r) => setTimeout(r, 500));\nconst woken = 1;\nwoken",
    );
    await waiting;
    await dap.request("pause");
    expect(await dap.stopped()).toMatchObject({ reason: "pause" });
    expect((await dap.where()).at(0)).toMatch(/^<cell>:[234]$/);
    await dap.continue();
    expect(text(await waits)).toBe("1");
  });
});

describe("a cell that stands", () => {
  const CODE = "console.log('before');\nlet held = 41;\nheld + 1";

  it("has shown what it printed, keeps its thread busy, and later cells wait", async () => {
    await dap.breakAt(CODE, 3);
    const order: string[] = [];
    let printed = "";
    const off = dap.kernel.client.onMessage(({ header, content }) => {
      if (header.msg_type === "stream") printed += content.text;
    });
    const done = dap.run(CODE).then(() => order.push("first"));
    const next = dap.run("held * 2").then((result) => {
      order.push("second");
      return result;
    });
    await dap.stopped();
    await expect.poll(() => printed).toBe("before\n");
    off();
    expect(order).toEqual([]);
    expect(await dap.request("debugInfo")).toMatchObject({ isStarted: true, stoppedThreads: [1] });
    await dap.breakAt(CODE);
    await dap.continue();
    await done;
    expect(text(await next)).toBe("82");
    expect(order).toEqual(["first", "second"]);
  });

  it("is stopped by an interrupt; its variables keep their values", async () => {
    await dap.breakAt(CODE, 3);
    const done = dap.run(CODE);
    await dap.stopped();
    await dap.kernel.client.interrupt();
    expect((await done).reply).toMatchObject({ status: "error", ename: "Interrupted" });
    await dap.next("continued");
    await dap.breakAt(CODE);
    expect(text(await dap.run("held"))).toBe("41");
  });

  it.each([
    "while (true) {}",
    "await 0;\nwhile (true) {}",
    "setTimeout(() => {\n  while (true) {}\n}, 1);\nawait new Promise(() => {});",
    "for (;;) {\n  try {\n    JSON.parse('{');\n  } catch {}\n}",
  ])("is interrupted under a debugger as without one: %j", async (loop) => {
    await dap.run("let before = 7;");
    const begun = dap.printed("begun");
    const done = dap.run(`console.log("begun");\n${loop}`);
    await begun;
    await dap.kernel.client.interrupt();
    expect((await done).reply).toMatchObject({ status: "error", ename: "Interrupted" });
    expect(text(await dap.run("before"))).toBe("7");
  });

  it("is ended by terminate, and the debugger stays", async () => {
    await dap.breakAt(CODE, 2);
    const done = dap.run(CODE);
    await dap.stopped();
    await dap.request("terminate");
    expect((await done).reply.status).toBe("error");
    await dap.breakAt(CODE);
    expect(await dap.request("debugInfo")).toMatchObject({ isStarted: true, stoppedThreads: [] });
  });

  it("goes on when the debugger is stopped, and costs nothing after", async () => {
    await dap.breakAt(CODE, 2);
    const done = dap.run(CODE);
    await dap.stopped();
    await dap.request("disconnect", { restart: false, terminateDebuggee: false });
    expect(text(await done)).toBe("42");
    await dap.next("terminated");
    expect(await dap.request("debugInfo")).toMatchObject({ isStarted: false, breakpoints: [] });
    expect(text(await dap.run(CODE))).toBe("42");
    expect(await dap.respond("setBreakpoints", {})).toMatchObject({
      success: false,
      message: expect.stringContaining('needs "initialize" before it'),
    });
    await dap.request("initialize");
    await dap.request("attach");
    await dap.next("initialized");
  });

  it("may take its process along: the kernel tells, and the breakpoints hold in the fresh one", async () => {
    await dap.breakAt(CODE, 2);
    const done = dap.run(CODE);
    await dap.stopped();
    const [frame] = await dap.stack();
    void dap.respond("evaluate", {
      expression: "globalThis.process.exit(3)",
      frameId: frame!.id,
      context: "repl",
    });
    expect((await done).reply).toMatchObject({
      ename: "KernelWorkerExit",
      evalue: expect.stringContaining("code 3"),
    });
    await dap.next("continued");
    const again = dap.run(CODE);
    await dap.stopped();
    expect(await dap.where()).toEqual(["<cell>:2"]);
    await dap.breakAt(CODE);
    await dap.continue();
    expect(text(await again)).toBe("42");
  });

  it("does not keep the kernel from ending", async () => {
    const other = await DapClient.start();
    await other.breakAt(CODE, 2);
    void other.run(CODE).catch(() => {});
    await other.stopped();
    const ended = new Promise((resolve) => other.kernel.process.process.once("exit", resolve));
    await other.kernel.client.shutdown();
    expect(await ended).toBe(0);
    await other.kernel.stop();
  });
});
