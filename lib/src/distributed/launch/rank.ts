/** A rank's thread: has a heap of its own, joins the group, and runs the functions that the launcher sends. */
import { workerData } from "node:worker_threads";
import { LIBRARY } from "../../data/engine/library-url.js";
import { unship } from "../../data/engine/unship.js";
import { memory } from "../../runtime/heap.js";
import { Communicator } from "../group/communicator.js";
import type { ProcessGroup } from "../group/process-group.js";
import { TensorGroup } from "../group/tensor-group.js";
import { PeerLostError } from "../transport/errors.js";
import { bellOf, type ThreadsJob } from "../transport/threads.js";
import { carry, uncarry } from "./carry.js";
import type { FromRank, RankFailure, RankStart, RunOrder, ToRank } from "./messages.js";

const { rank, size, board, port } = workerData as RankStart;

const tell = (message: FromRank, move: ArrayBuffer[] = []): void => port.postMessage(message, move);

/** Output goes at once, not when this thread's event loop turns: it may be blocked for long. */
for (const stream of ["stdout", "stderr"] as const)
  process[stream].write = ((chunk: string | Uint8Array, ...rest: unknown[]): boolean => {
    tell({ kind: "output", stream, text: typeof chunk === "string" ? chunk : Buffer.from(chunk).toString() });
    const done = rest.at(-1);
    if (typeof done === "function") queueMicrotask(done as () => void);
    return true;
  }) as typeof process.stdout.write;

function failureOf(error: unknown): RankFailure {
  const lost = error instanceof PeerLostError ? error.rank : undefined;
  if (error instanceof Error) return { name: error.name, message: error.message, stack: error.stack, lost };
  return { name: "Error", message: String(error), stack: undefined, lost };
}

async function run(communicator: Communicator, { run, shipment, args, timeout }: RunOrder): Promise<void> {
  const group = TensorGroup.world(communicator, `run ${run}`, timeout);
  try {
    const f = (await unship(shipment)) as (group: ProcessGroup, ...args: readonly unknown[]) => unknown;
    const value = await f(group, ...(uncarry(args) as readonly unknown[]));
    const { carried, move } = carry(value);
    await group.close();
    tell({ kind: "result", run, value: carried }, move);
  } catch (error) {
    const failure = failureOf(error);
    await group.abandon(`its function failed: ${failure.message}`);
    tell({ kind: "failed", run, error: failure });
  }
}

const started = (async (): Promise<(job: ThreadsJob) => Promise<Communicator>> => {
  tell({ kind: "memory", memory });
  await import(LIBRARY); // tensors have their methods from it
  return (job) =>
    Communicator.open({
      module: new URL("../transport/threads.js", import.meta.url).href,
      config: { job, rank },
      bell: bellOf(board, rank),
    });
})();

let joined: Promise<Communicator> | null = null;

port.on("message", (order: ToRank) => {
  if (order.kind === "memories") {
    joined = started.then((join) => join({ size, board, memories: order.memories }));
    joined.then(
      () => tell({ kind: "ready" }),
      (error) =>
        setImmediate(() => {
          throw error;
        }),
    );
  } else void joined?.then((communicator) => run(communicator, order));
});
