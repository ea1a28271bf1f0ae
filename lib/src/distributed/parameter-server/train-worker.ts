/** The process of a worker: a client, and the function that uses it. */

import { LIBRARY } from "../../data/engine/library-url.js";
import type { Shipment } from "../../data/engine/ship.js";
import { unship } from "../../data/engine/unship.js";
import { ParameterClient } from "./client.js";
import type { Delay, WorkerContext, WorkerNote, WorkerOrder } from "./train.js";

process.on("disconnect", () => process.exit(0));
process.on("SIGINT", () => {}); // a terminal sends it to all: who started this one decides

const say = (note: WorkerNote): Promise<void> =>
  new Promise((resolve) => {
    if (process.send) process.send(note, undefined, {}, () => resolve());
    else resolve();
  });
const next = (): Promise<unknown> => new Promise((resolve) => process.once("message", resolve));

try {
  const { f, delay, worker, workers, access } = (await next()) as WorkerOrder;
  await import(LIBRARY); // all of it, as users have it
  const run = (await unship(f as Shipment)) as (context: WorkerContext) => unknown;
  const slow = (typeof delay === "number" ? delay : await unship(delay as Shipment)) as Delay;
  const client = await ParameterClient.connect({ ...access, worker });
  const context: WorkerContext = {
    worker,
    workers,
    client,
    straggle: async (step) => {
      const ms = typeof slow === "function" ? slow(step) : slow;
      if (ms > 0) await new Promise((resolve) => setTimeout(resolve, ms));
    },
    report: (step, value) => void say({ kind: "point", step, value }),
  };
  const started = next();
  await say({ kind: "ready", client: client.id });
  await started;
  const result = await run(context);
  client.close();
  await say({ kind: "done", result });
} catch (error) {
  const { message, stack } = error instanceof Error ? error : new Error(String(error));
  await say({ kind: "failed", message, stack });
}
