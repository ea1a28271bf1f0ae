/** A thread of a data worker: one chunk after the other through all stages of its job. */

import { deserialize } from "node:v8";
import { parentPort } from "node:worker_threads";
import { clock } from "../../core/clock.js";
import { ValueError } from "../../core/errors.js";
import { Storage } from "../../runtime/storage.js";
import { closeScope, openScope } from "../../runtime/tidy.js";
import { textOf } from "../dataset/failure.js";
import { LIBRARY } from "../engine/library-url.js";
import { type StageOp, workOn } from "../engine/stage-work.js";
import { lentBlock, pack, unpack } from "../engine/transport.js";
import { unship } from "../engine/unship.js";
import { spanCollector } from "../spans.js";
import { type Job, local } from "./job.js";
import { chunkOf, type Extras, framesOf, type RemoteReport } from "./wire.js";

/** To the thread. `job` comes with the first chunk of each. */
export interface RunnerTask {
  readonly id: number;
  readonly job: string;
  readonly text: Uint8Array | null;
  readonly frames: readonly Uint8Array[];
}

export type RunnerNote = { readonly forget: string };

export interface RunnerResult {
  readonly id: number;
  readonly frames: readonly Uint8Array[];
}

interface Stage {
  readonly ops: readonly StageOp[];
  readonly epoch: number;
  readonly timed: boolean;
}

const jobs = new Map<string, Promise<readonly Stage[]>>();

async function stagesOf(text: Uint8Array): Promise<readonly Stage[]> {
  const { stages } = local(deserialize(text) as Job);
  const made: Stage[] = [];
  for (const { ops, epoch, timed } of stages) {
    const list: StageOp[] = [];
    for (const { shipment, ...op } of ops) {
      try {
        list.push({ ...op, f: (await unship(shipment)) as StageOp["f"] });
      } catch (error) {
        const reason = `it could not be made on the data worker: ${textOf(error)}`;
        const f = (): never => {
          throw new ValueError(reason);
        };
        list.push({ ...op, onError: "fail", f });
      }
    }
    made.push({ ops: list, epoch, timed });
  }
  return made;
}

/** Tensors have their methods from the whole library, which takes a quarter of a second to load. */
let methods: Promise<unknown> | undefined;

async function work(stages: readonly Stage[], frames: readonly Uint8Array[]): Promise<Uint8Array[]> {
  const chunk = chunkOf(frames);
  if (chunk.tensors.length > 0) {
    methods ??= import(LIBRARY);
    await methods;
  }
  const reports: RemoteReport[] = [];
  let error: NonNullable<Extras["error"]> | null = null;
  openScope(); // the thread has one chunk at a time, so that all that is made meanwhile is this one's
  try {
    const blocks = chunk.blocks.map(({ length, dtype }, address) => ({ address, length, dtype, home: 0 }));
    let units: readonly unknown[] = unpack({ ...chunk, blocks }, ({ address, length, dtype }) => {
      const storage = new Storage(dtype, length);
      storage.bytes().set(chunk.blocks[address].bytes);
      return storage;
    });
    for (const [k, { ops, epoch, timed }] of stages.entries()) {
      const start = clock();
      const { spans, collect } = spanCollector();
      const done = await collect(() => workOn(units, ops, chunk.first?.[k] ?? [], epoch, timed));
      const ago = spans.map((span) => ({ ...span, start: span.start - start, end: span.end - start }));
      reports.push({ ms: clock() - start, tallies: done.tallies, spans: ago });
      units = done.outputs;
      if (done.error) error = { ...done.error, stage: k }; // what comes here was before an error of an earlier stage
    }
    return sendable(units, reports, error, stages);
  } finally {
    closeScope([]);
  }
}

/** The units up to the first that can't be sent, and an error that says so. */
function sendable(
  units: readonly unknown[],
  reports: readonly RemoteReport[],
  error: NonNullable<Extras["error"]> | null,
  stages: readonly Stage[],
): Uint8Array[] {
  const framed = (items: readonly unknown[], extras: Extras): Uint8Array[] => {
    const storages: Storage[] = [];
    const cargo = pack(items, (storage) => {
      storages.push(storage);
      return lentBlock(storage);
    });
    // a copy in memory of its own: it is moved to the thread that sends it
    const bytesOf = (i: number): Uint8Array => new Uint8Array(storages[i].readableBytes());
    return framesOf(cargo, bytesOf, extras);
  };
  try {
    return framed(units, { reports, error });
  } catch (cause) {
    const bad = units.findIndex((unit) => {
      try {
        framed([unit], {});
        return false;
      } catch {
        return true;
      }
    });
    const message = `its result can't be sent to another machine: ${textOf(cause)}`;
    const [stage, op] = [stages.length - 1, stages[stages.length - 1].ops.length - 1];
    const own = { op, element: Math.max(0, bad), message, stack: undefined, stage };
    return framed(units.slice(0, Math.max(0, bad)), { reports, error: own });
  }
}

parentPort?.on("message", async (task: RunnerTask | RunnerNote) => {
  if ("forget" in task) {
    jobs.delete(task.forget);
    return;
  }
  if (task.text) jobs.set(task.job, stagesOf(task.text));
  const frames = await work(await (jobs.get(task.job) as Promise<readonly Stage[]>), task.frames);
  const own = frames.map((frame) => (frame.byteLength === frame.buffer.byteLength ? frame : frame.slice()));
  parentPort?.postMessage({ id: task.id, frames: own } satisfies RunnerResult, [
    ...new Set(own.map(({ buffer }) => buffer as ArrayBuffer)),
  ]);
});
