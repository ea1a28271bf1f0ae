/** An instance of a model version: the main thread's end of its worker thread. */
import { Worker } from "node:worker_threads";
import type { WireTensor } from "./backend.js";
import { ServeError } from "./errors.js";
import type { FromInstance, InstanceStart, Loaded, PiecewiseTensor, ToInstance } from "./worker.js";

export interface BatchResult {
  readonly outputs: readonly WireTensor[];
  /** Milliseconds in the backend. */
  readonly ms: number;
}

interface Waiting {
  readonly resolve: (result: BatchResult) => void;
  readonly reject: (error: ServeError) => void;
}

export class Instance {
  private readonly running = new Map<number, Waiting>();
  private runs = 0;
  private death: string | null = null;

  private constructor(
    private readonly worker: Worker,
    private readonly label: string,
    readonly loaded: Loaded,
  ) {}

  /**
   * Starts a thread, and waits until the model is loaded and warm.
   * @param onDeath called once if the thread is gone without being closed
   * @throws ServeError INVALID_ARGUMENT with what the backend says of the model
   */
  static start(start: InstanceStart, onDeath: (reason: string) => void): Promise<Instance> {
    const { name, version, threads } = start.source;
    const label = `model "${name}", version ${version}`;
    const worker = new Worker(new URL("./worker.js", import.meta.url), {
      workerData: start,
      execArgv: [], // Node's own may be those of a script given as text
      env: { ...process.env, MLSYS_NUM_THREADS: String(threads) },
      name: `serve ${name}`,
    });
    return new Promise((resolve, reject) => {
      let instance: Instance | null = null;
      const over = (reason: string): void => {
        if (instance) instance.died(reason, onDeath);
        else {
          void worker.terminate();
          reject(new ServeError("INVALID_ARGUMENT", `${label} was not loaded: ${reason}`));
        }
      };
      worker.on("error", (error) => over(error instanceof Error ? error.message : String(error)));
      worker.on("exit", (code) => over(`it ended with exit code ${code}`));
      worker.on("message", (message: FromInstance) => {
        if (message.kind === "ready") {
          instance = new Instance(worker, label, message.loaded);
          resolve(instance);
        } else if (message.kind === "refused") over(message.message);
        else instance?.heard(message);
      });
    });
  }

  /** @throws ServeError INTERNAL with what the model threw, or why its thread died. */
  run(inputs: readonly PiecewiseTensor[]): Promise<BatchResult> {
    return new Promise((resolve, reject) => {
      if (this.death !== null) return reject(new ServeError("INTERNAL", this.death));
      const id = this.runs++;
      this.running.set(id, { resolve, reject });
      const buffers = inputs.flatMap(({ pieces }) => pieces.map(({ buffer }) => buffer as ArrayBuffer));
      this.send({ kind: "run", id, inputs }, [...new Set(buffers)]);
    });
  }

  /** Lets what runs finish, then ends the thread; `at once`: ends it. */
  async close(atOnce = false): Promise<void> {
    if (this.death !== null) return;
    const ended = new Promise<void>((resolve) => this.worker.once("exit", () => resolve()));
    this.death = `${this.label} was unloaded`;
    if (atOnce) void this.worker.terminate();
    else this.send({ kind: "close" });
    await ended;
    this.failAll(this.death);
  }

  private send(message: ToInstance, move: ArrayBuffer[] = []): void {
    this.worker.postMessage(message, move);
  }

  private heard(message: Extract<FromInstance, { readonly id: number }>): void {
    const waiting = this.running.get(message.id);
    this.running.delete(message.id);
    if (message.kind === "done") waiting?.resolve(message);
    else waiting?.reject(new ServeError("INTERNAL", `${this.label}: ${message.message}`));
  }

  private died(reason: string, onDeath: (reason: string) => void): void {
    if (this.death !== null) return;
    this.death = `${this.label}: its thread died: ${reason}`;
    this.failAll(this.death);
    onDeath(this.death);
  }

  private failAll(reason: string): void {
    for (const { reject } of this.running.values()) reject(new ServeError("INTERNAL", reason));
    this.running.clear();
  }
}
