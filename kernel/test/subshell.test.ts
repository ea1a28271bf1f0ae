/** Subshells (JEP 91): cells beside each other in one V8 isolate. */
import { afterAll, beforeAll, expect, it } from "vitest";
import { startKernel, type TestKernel, text, until } from "./kernel.js";

let kernel: TestKernel;
beforeAll(async () => {
  kernel = await startKernel();
});
afterAll(() => kernel.stop());

const control = async (type: string, content = {}) =>
  (await kernel.client.request(type, content, { channel: "control" })).reply.content;
const create = async () => String((await control("create_subshell_request")).subshell_id);
const run = (code: string, subshell?: string) => kernel.client.execute(code, { subshell });

/** Starts a cell and waits until it has printed. @returns its end. */
async function started(code: string, subshell?: string) {
  let printed = false;
  const done = kernel.client.execute(code, {
    subshell,
    onOutput: ({ type }) => {
      printed ||= type === "stream";
    },
  });
  await until(() => printed);
  return { over: done };
}

it("are created, listed and deleted on control, and said to be supported", async () => {
  const [first, second] = [await create(), await create()];
  expect(first).not.toBe(second);
  expect(await control("list_subshell_request")).toEqual({ status: "ok", subshell_id: [first, second] });
  expect(await control("delete_subshell_request", { subshell_id: first })).toEqual({ status: "ok" });
  expect(await control("list_subshell_request")).toEqual({ status: "ok", subshell_id: [second] });
  expect(await control("delete_subshell_request", { subshell_id: first })).toMatchObject({
    status: "error",
    ename: "UnknownSubshell",
  });
  await control("delete_subshell_request", { subshell_id: second });
  expect((await control("kernel_info_request")).supported_features).toContain("kernel subshells");
});

it("share the variables, and have counts and histories of their own", async () => {
  const subshell = await create();
  const before = (await run("let shared = 1")).reply.execution_count as number;
  const inside = await run("shared += 1; shared", subshell);
  expect(text(inside)).toBe("2");
  expect(inside.reply.execution_count).toBe(1);
  expect((await run("shared", subshell)).reply.execution_count).toBe(2);
  expect((await run("shared")).reply.execution_count).toBe(before + 1);
  const history = async (options: { subshell?: string }) =>
    (
      await kernel.client.request(
        "history_request",
        { hist_access_type: "range", session: 0, start: 0 },
        options,
      )
    ).reply.content.history as [number, number, string][];
  expect((await history({ subshell })).map(([, line, input]) => [line, input])).toEqual([
    [1, "shared += 1; shared"],
    [2, "shared"],
  ]);
  expect((await history({})).map(([, , input]) => input)).not.toContain("shared += 1; shared");
  await control("delete_subshell_request", { subshell_id: subshell });
});

it("run a cell while one of the main shell awaits, each output to its own cell", async () => {
  const subshell = await create();
  const { over: main } = await started(
    'console.log("main begins"); let release!: () => void; await new Promise<void>((r) => { release = r }); console.log("main ends")',
  );
  const beside = await run(
    'console.log("beside"); const halves = [1, 2].map((x) => x / 2); release(); halves',
    subshell,
  );
  expect(beside.stdout).toBe("beside\n");
  expect(text(beside)).toBe("[ 0.5, 1 ]");
  expect((await main).stdout).toBe("main begins\nmain ends\n");
  await control("delete_subshell_request", { subshell_id: subshell });
});

it("take turns at every await", async () => {
  const subshell = await create();
  // Each waits for the other's step, so neither can end without the other.
  const steps = (name: string, turn: number) =>
    `for (let i = 0; i < 3; i++) { while (turns.length % 2 !== ${turn}) await new Promise((r) => setTimeout(r, 1)); turns.push("${name}" + i) }`;
  await run("const turns: string[] = []");
  await Promise.all([run(steps("a", 0)), run(steps("b", 1), subshell)]);
  expect(text(await run("turns.join(' ')"))).toBe("'a0 b0 a1 b1 a2 b2'");
});

it("wait for a cell that computes without awaiting", async () => {
  const subshell = await create();
  const order: string[] = [];
  const { over } = await started(
    'console.log("on"); { const end = Date.now() + 400; while (Date.now() < end); } 1',
  );
  const main = over.then(() => order.push("main"));
  const beside = run("'beside'", subshell).then(() => order.push("beside"));
  await Promise.all([main, beside]);
  expect(order).toEqual(["main", "beside"]);
});

it("say busy as long as a cell of any shell runs", async () => {
  const subshell = await create();
  const { over: main } = await started(
    'console.log("on"); let go!: () => void; await new Promise<void>((r) => { go = r })',
  );
  const states: unknown[] = [];
  const stop = kernel.client.onMessage(({ header, content }) => {
    if (header.msg_type === "status") states.push(content.execution_state);
  });
  await run("1", subshell);
  await until(() => states.length >= 3);
  expect(states).toEqual(["busy", "idle", "busy"]);
  await run("go()", subshell);
  await main;
  await until(() => states.at(-1) === "idle");
  stop();
});

it("abort their own queue after an error, and no other", async () => {
  const subshell = await create();
  const [failed, aborted, other] = await Promise.all([
    run("await new Promise((r) => setTimeout(r, 50)); throw new Error('x')", subshell),
    run("1", subshell),
    run("2"),
  ]);
  expect([failed.reply.status, aborted.reply.status, other.reply.status]).toEqual(["error", "aborted", "ok"]);
});

it("are all stopped by an interrupt", async () => {
  const subshell = await create();
  const { over: waiting } = await started('console.log("on"); await new Promise(() => {})');
  const { over: looping } = await started('console.log("on"); for (;;);', subshell);
  expect(await kernel.client.interrupt()).toEqual({ status: "ok" });
  expect([(await waiting).reply.ename, (await looping).reply.ename]).toEqual(["Interrupted", "Interrupted"]);
  expect(text(await run("shared"))).toBe("2");
});

it("give up what runs and abort what waits when they are deleted", async () => {
  const subshell = await create();
  const { over: waiting } = await started('console.log("on"); await new Promise(() => {})', subshell);
  const queued = run("1", subshell);
  expect(await control("delete_subshell_request", { subshell_id: subshell })).toEqual({ status: "ok" });
  expect((await waiting).reply.ename).toBe("Interrupted");
  expect((await queued).reply.status).toBe("aborted");
  const gone = await run("1", subshell);
  expect(gone.reply).toMatchObject({ status: "error", ename: "UnknownSubshell" });
  const { reply } = await kernel.client.request(
    "complete_request",
    { code: "a", cursor_pos: 1 },
    { subshell },
  );
  expect(reply.content).toMatchObject({ status: "error", ename: "UnknownSubshell" });
});

it("ask the reader each for its own cell", async () => {
  const subshell = await create();
  const ask = (name: string, shell?: string) =>
    kernel.client.execute(`await input("${name}?")`, { subshell: shell, input: (prompt) => `to ${prompt}` });
  const [main, beside] = await Promise.all([ask("main"), ask("beside", subshell)]);
  expect([text(main), text(beside)]).toEqual(["'to main?'", "'to beside?'"]);
});

it("outlive the worker's end, and every cell is told", async () => {
  const subshell = await create();
  const { over: waiting } = await started('console.log("on"); await new Promise(() => {})', subshell);
  const { reply } = await run("process.exit(1)");
  expect(reply.ename).toBe("KernelWorkerExit");
  expect((await waiting).reply.ename).toBe("KernelWorkerExit");
  expect(text(await run("6 * 7", subshell))).toBe("42");
});
