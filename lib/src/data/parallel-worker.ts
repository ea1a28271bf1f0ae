/** The thread of `parallelMap`: loads the function once, then answers task after task. */
import { parentPort, workerData } from "node:worker_threads";
import { collectSpans } from "./spans.js";

const { module, name } = workerData as { module: string; name: string };
const port = parentPort;
const loaded = import(module).then((found: Record<string, unknown>) => {
  const f = found[name];
  if (typeof f !== "function") throw new Error(`${module} exports no function named ${name}`);
  return f as (task: unknown) => unknown;
});
loaded.catch(() => {}); // told with the first task

/** Buffers of typed arrays in a result, to be moved instead of copied. */
function buffersOf(
  value: unknown,
  found = new Set<ArrayBuffer>(),
  seen = new Set<object>(),
): Set<ArrayBuffer> {
  if (typeof value !== "object" || value === null || seen.has(value)) return found;
  seen.add(value);
  if (ArrayBuffer.isView(value)) {
    if (value.buffer instanceof ArrayBuffer && value.byteLength === value.buffer.byteLength)
      found.add(value.buffer);
  } else {
    for (const part of value instanceof Map || value instanceof Set ? value.values() : Object.values(value))
      buffersOf(part, found, seen);
  }
  return found;
}

port?.on("message", async ({ id, task }: { id: number; task: unknown }) => {
  const { spans, collect } = collectSpans();
  try {
    const f = await loaded;
    const result = await collect(() => f(task));
    port.postMessage({ id, result, spans }, [...buffersOf(result)]);
  } catch (error) {
    port.postMessage({ id, error: error instanceof Error ? error.message : String(error), spans });
  }
});
