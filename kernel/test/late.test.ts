/** Output and errors that come when another cell runs already go to the cell that started the work. */
import { afterAll, beforeAll, expect, it } from "vitest";
import { startKernel, type TestKernel, until } from "./kernel.js";

let kernel: TestKernel;
const seen: { cell: unknown; text: string }[] = [];

beforeAll(async () => {
  kernel = await startKernel();
  const cells = new Map<unknown, unknown>();
  kernel.client.onMessage(({ header, parentHeader, content }) => {
    const parent = (parentHeader as { msg_id?: string }).msg_id;
    if (header.msg_type === "execute_input") cells.set(parent, String(content.code).split("\n")[0]);
    if (header.msg_type === "stream" || header.msg_type === "error")
      seen.push({ cell: cells.get(parent), text: String(content.text ?? content.evalue).trim() });
  });
});
afterAll(() => kernel.stop());

it.each([
  ["an error in a timer", 'setTimeout(() => { throw new Error("late") }, 50)'],
  [
    "a rejection that nobody handles",
    'new Promise((_, reject) => setTimeout(() => reject(new Error("late")), 50))',
  ],
  ["an immediate", 'setTimeout(() => setImmediate(() => console.log("late")), 50)'],
  ["a tick", 'setTimeout(() => process.nextTick(() => console.log("late")), 50)'],
  ["a microtask", 'setTimeout(() => queueMicrotask(() => console.log("late")), 50)'],
  [
    "a promise of fs",
    'import { readdir } from "node:fs/promises"; void readdir("/").then(() => console.log("late"))',
  ],
  ["a callback of fs", 'import { stat } from "node:fs"; stat("/", () => console.log("late"))'],
  [
    "an error in a callback of fs",
    'import { stat } from "node:fs"; stat("/", () => { throw new Error("late") })',
  ],
  [
    "a child process",
    'import { exec } from "node:child_process"; exec("sleep 0.1", () => console.log("late"))',
  ],
  [
    "a stream of a child process",
    'import { spawn } from "node:child_process"; spawn("sh", ["-c", "sleep 0.1; echo x"]).stdout.on("data", () => console.log("late"))',
  ],
  ["compression", 'import { gzip } from "node:zlib"; gzip("x".repeat(1e6), () => console.log("late"))'],
  [
    "a server",
    'import { createServer } from "node:http"; const server = createServer((_, response) => { console.log("late"); response.end(); }); server.listen(0, () => void fetch("http://127.0.0.1:" + (server.address() as { port: number }).port).then((r) => r.text()).finally(() => server.close()))',
  ],
  [
    "a thread",
    'import { Worker } from "node:worker_threads"; new Worker(\'setTimeout(() => require("node:worker_threads").parentPort.postMessage(1), 50)\', { eval: true }).on("message", () => console.log("late"))',
  ],
  ["a signal that times out", 'AbortSignal.timeout(50).addEventListener("abort", () => console.log("late"))'],
])("%s", async (name, code) => {
  seen.length = 0;
  await kernel.client.execute(`// ${name}\n${code}; undefined`);
  await kernel.client.execute("// another\nlet other = await Promise.resolve(1);");
  await kernel.client.execute("// a third\nawait new Promise((resolve) => setTimeout(resolve, 150));");
  await until(() => seen.length > 0);
  expect(seen).toEqual([{ cell: `// ${name}`, text: "late" }]);
});
