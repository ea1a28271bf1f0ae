/** The thread of an instance: loads the model, warms it up, then computes one batch after the other. */
import { parentPort, workerData } from "node:worker_threads";
import type { Backend, LoadedModel, ModelSource, TensorSpec, WireTensor } from "./backend.js";
import type { Datatype } from "./datatypes.js";
import { type Sharing, type WarmUp, warmUp } from "./warm-up.js";

export interface InstanceStart {
  /** URL of the backend's module. */
  readonly backend: string;
  readonly source: ModelSource;
  readonly warmUp: WarmUp;
}

/** An input of a batch, in the pieces that the requests brought. */
export interface PiecewiseTensor {
  readonly name: string;
  readonly datatype: Datatype;
  readonly shape: readonly number[];
  readonly pieces: readonly Uint8Array[];
  /** Bytes of zeros behind them. */
  readonly padding: number;
}

export type ToInstance =
  | { readonly kind: "run"; readonly id: number; readonly inputs: readonly PiecewiseTensor[] }
  | { readonly kind: "close" };

/** What a version is once it is loaded. */
export interface Loaded extends Sharing {
  readonly platform: string;
  readonly inputs: readonly TensorSpec[];
  readonly outputs: readonly TensorSpec[];
}

export type FromInstance =
  | { readonly kind: "ready"; readonly loaded: Loaded }
  | { readonly kind: "refused"; readonly message: string }
  | {
      readonly kind: "done";
      readonly id: number;
      readonly outputs: readonly WireTensor[];
      /** Milliseconds in the backend. */
      readonly ms: number;
    }
  | { readonly kind: "failed"; readonly id: number; readonly message: string };

const port = parentPort;
if (port === null) throw new Error("serve/worker is a worker thread's module");

const textOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));
const send = (message: FromInstance, move: ArrayBuffer[] = []): void => port.postMessage(message, move);

function joined({ pieces, padding, ...tensor }: PiecewiseTensor): WireTensor {
  if (pieces.length === 1 && padding === 0) return { ...tensor, data: pieces[0] };
  const data = new Uint8Array(pieces.reduce((sum, piece) => sum + piece.length, padding));
  let at = 0;
  for (const piece of pieces) {
    data.set(piece, at);
    at += piece.length;
  }
  return { ...tensor, data };
}

/** Buffers that can go without a copy: those that an output fills alone. */
function movable(outputs: readonly WireTensor[]): ArrayBuffer[] {
  const found = outputs.flatMap(({ data: { buffer, byteLength } }) =>
    buffer instanceof ArrayBuffer && buffer.byteLength === byteLength ? [buffer] : [],
  );
  return [...new Set(found)];
}

async function obey(model: LoadedModel, message: ToInstance): Promise<void> {
  if (message.kind === "close") {
    await model.close?.();
    process.exit(0); // of this thread: pools of the backend's must not keep it
  }
  const { id, inputs } = message;
  try {
    const start = performance.now();
    const outputs = await model.run(inputs.map(joined));
    send({ kind: "done", id, outputs, ms: performance.now() - start }, movable(outputs));
  } catch (error) {
    send({ kind: "failed", id, message: textOf(error) });
  }
}

try {
  const { backend, source, warmUp: asked } = workerData as InstanceStart;
  const model = await ((await import(backend)) as Backend).load(source);
  const { platform, inputs, outputs } = model;
  const sharing = await warmUp(model, asked);
  let last = Promise.resolve();
  port.on("message", (message: ToInstance) => {
    last = last.then(() => obey(model, message));
  });
  send({ kind: "ready", loaded: { platform, inputs, outputs, ...sharing } });
} catch (error) {
  send({ kind: "refused", message: textOf(error) });
}
