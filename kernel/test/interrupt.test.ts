import { createRequire } from "node:module";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, it } from "vitest";
import { startKernel, type TestKernel, text, until } from "./kernel.js";

let kernel: TestKernel;
beforeAll(async () => {
  kernel = await startKernel();
  await kernel.client.execute(
    'const kept = 42; import { createServer } from "node:http"; import * as cp from "node:child_process";',
  );
});
afterAll(() => kernel.stop());

/** koffi, which calls C functions, is an optional dependency of the library. */
const HAS_KOFFI = process.platform === "linux" && found("koffi");

function found(name: string): boolean {
  try {
    return createRequire(import.meta.url).resolve(name) !== "";
  } catch {
    return false;
  }
}

/** Interrupts a cell a moment after it has begun. */
async function interrupted(code: string, { client } = kernel) {
  let begun = false;
  const cell = client.execute(`console.log("begun"); ${code}`, {
    onOutput: ({ type }) => {
      begun ||= type === "stream";
    },
  });
  const early = await Promise.race([until(() => begun), cell]);
  expect(early, "the cell ended before it was interrupted").toBeUndefined();
  await new Promise((resolve) => setTimeout(resolve, 50));
  await client.interrupt();
  return cell;
}

it.each([
  ["a loop", "while (true) {}"],
  ["a loop after an await", "await 0; while (true) {}"],
  ["a pending await", "await new Promise(() => { setInterval(() => {}, 1000) })"],
  ["a promise that nothing holds", "await new Promise(() => {})"],
  [
    "a loop in a timer",
    "setTimeout(() => { while (true) {} }, 1); await new Promise((r) => setTimeout(r, 1e8))",
  ],
  ["a loop after a timer", "await new Promise((r) => setTimeout(r, 5)); while (true) {}"],
  [
    "a loop that catches everything",
    "while (true) { try { while (true) {} } catch {} finally { continue } }",
  ],
  ["Atomics.wait", "Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0)"],
  ["a catastrophic regular expression", '/(a+)+b/.test("a".repeat(50))'],
  ["promises without end", "const spin = (): Promise<void> => Promise.resolve().then(spin); await spin()"],
  ["a loop in nextTick", "process.nextTick(() => { while (true) {} }); await new Promise(() => {})"],
  ["a loop that prints", "while (true) console.log('x')"],
  [
    "a loop after the network",
    "const server = createServer((_, s) => s.end('hi')).listen(0); await new Promise<void>((r) => server.once('listening', () => r()));" +
      // biome-ignore lint/suspicious/noTemplateCurlyInString: the cell's own template
      "await (await fetch(`http://127.0.0.1:${(server.address() as { port: number }).port}`)).text(); while (true) {}",
  ],
  ["a child process that is waited for", 'cp.execSync("sleep 60")'],
  ["a question", 'prompt("never answered")'],
])("stops %s and keeps the variables", async (_, code) => {
  const asking = code.startsWith("prompt");
  const started = new Promise<void>((resolve) => {
    const stop = kernel.client.onMessage(({ header }) => {
      if (header.msg_type !== "execute_input") return;
      stop();
      // The network case has to get as far as its loop.
      setTimeout(resolve, code.includes("fetch") ? 1_000 : 150);
    });
  });
  const cell = kernel.client.execute(code, asking ? { input: () => new Promise(() => {}) } : {});
  await started;
  expect(await kernel.client.interrupt()).toEqual({ status: "ok" });
  const { reply } = await cell;
  expect(reply.status).toBe("error");
  expect(reply.ename).toBe("Interrupted");
  expect(text(await kernel.client.execute("kept"))).toBe("42");
});

it("stops a kernel of the library that runs on worker threads, and both go on working", async () => {
  const { reply: ready } = await kernel.client.execute(
    'import * as ml from "mlsys"; ml.setDevice("wasm"); const ones = ml.ones([256, 256]); void ml.matmul(ones, ones);',
  );
  expect(ready).toMatchObject({ status: "ok" });
  for (let round = 0; round < 3; round++) {
    const { reply } = await interrupted("for (;;) ml.matmul(ones, ones)");
    expect(reply.ename).toBe("Interrupted");
    expect(text(await kernel.client.execute("[kept, ml.sum(ml.matmul(ones, ones)).item()]"))).toBe(
      `[ 42, ${256 ** 3} ]`,
    );
  }
});

it.skipIf(!HAS_KOFFI)("ends the process of a native call that does not return, and says so", async () => {
  const own = await startKernel({
    directory: fileURLToPath(new URL(".", import.meta.url)),
    env: { MLSYS_HISTORY: join(kernel.directory, "other.jsonl") },
  });
  const { reply: ready } = await own.client.execute(
    'import koffi from "koffi"; const sleep = koffi.load("libc.so.6").func("unsigned int sleep(unsigned int)"); const lost = 1',
  );
  expect(ready).toMatchObject({ status: "ok" });
  const { reply } = await interrupted("sleep(60)", own);
  expect(reply).toMatchObject({ status: "error", ename: "KernelWorkerExit" });
  expect(reply.evalue).toContain("could not be stopped otherwise");
  expect(text(await own.client.execute("1 + 1"))).toBe("2");
  expect((await own.client.execute("lost")).reply.ename).toBe("TypeScriptError");
  await own.stop();
});

it("takes no late answer to a dismissed question for the answer to the next one", async () => {
  let answer!: (value: string) => void;
  const first = kernel.client.execute('await input("first?")', {
    input: () =>
      new Promise<string>((resolve) => {
        answer = resolve;
      }),
  });
  await until(() => answer !== undefined);
  await kernel.client.interrupt();
  expect((await first).reply.ename).toBe("Interrupted");
  const second = kernel.client.execute('await input("second?")', {
    input: async () => {
      answer("too late");
      await until(() => kernel.log().includes("answers no open question"));
      return "in time";
    },
  });
  expect(text(await second)).toBe("'in time'");
});

it("stops what an earlier cell left running", async () => {
  await kernel.client.execute("let spun = 0; void setTimeout(() => { while (true) spun++ }, 0)");
  await new Promise((resolve) => setTimeout(resolve, 100));
  expect(await kernel.client.interrupt()).toEqual({ status: "ok" });
  expect(text(await kernel.client.execute("kept"))).toBe("42");
});

it("stops user_expressions that never settle", async () => {
  const cell = kernel.client.execute("1", {
    userExpressions: { never: "await new Promise(() => { setInterval(() => {}, 1e6) })" },
    onOutput: ({ type }) => {
      if (type === "execute_result") setTimeout(() => void kernel.client.interrupt(), 50);
    },
  });
  expect((await cell).reply.ename).toBe("Interrupted");
});

it("answers an interrupt when nothing runs", async () => {
  expect(await kernel.client.interrupt()).toEqual({ status: "ok" });
  expect(text(await kernel.client.execute("kept"))).toBe("42");
});

it.skipIf(process.platform === "win32")("takes SIGINT as an interrupt", async () => {
  const cell = kernel.client.execute("while (true) {}");
  await new Promise((resolve) => setTimeout(resolve, 150));
  kernel.process.process.kill("SIGINT");
  expect((await cell).reply.ename).toBe("Interrupted");
});
