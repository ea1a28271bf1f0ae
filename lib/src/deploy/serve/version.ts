/** A version of a model: its instances, the queue in front of them, and what state it is in. */
import { availableParallelism } from "node:os";
import type { ModelSource, TensorSpec, WireTensor } from "./backend.js";
import { Batcher, type Queued } from "./batcher.js";
import type { ModelConfig } from "./config.js";
import { asServeError, ServeError } from "./errors.js";
import { Instance } from "./instance.js";
import {
  type FittingRequest,
  fitRequest,
  type InferRequest,
  type InferResult,
  type RequestContext,
} from "./request.js";
import { split } from "./rows.js";
import type { InstanceStart, Loaded, PiecewiseTensor } from "./worker.js";

export type VersionState = "LOADING" | "READY" | "UNLOADING" | "UNAVAILABLE";

/** Told what happens, for metrics. */
export interface VersionObserver {
  /** A batch is done: its rows, rows of padding, milliseconds in the backend, and for each request those in the queue. */
  batch(rows: number, padding: number, ms: number, waited: readonly number[]): void;
}

interface Item extends Queued, FittingRequest {
  readonly resolve: (result: InferResult) => void;
  readonly reject: (error: ServeError) => void;
}

/** A model whose threads die this often in a row is not started again. */
const MOST_DEATHS = 3;

const BACKEND = new URL("./mlsys-backend.js", import.meta.url).href;

/** The bytes in a buffer of their own, which can move to a thread. */
const own = (data: Uint8Array): Uint8Array =>
  data.buffer instanceof ArrayBuffer && data.buffer.byteLength === data.byteLength
    ? data
    : new Uint8Array(data);

/** Node's timers hold no more. */
const MOST_MS = 2 ** 31 - 1;

export class ModelVersion {
  private readonly idle: Instance[] = [];
  private readonly alive = new Set<Instance>();
  private readonly start: InstanceStart;
  private batcher!: Batcher<Item>;
  private loaded!: Loaded;
  private batchMs = 0;
  private deaths = 0;
  private pending = 0;
  private stopped = false;
  private whenIdle: (() => void)[] = [];
  state: VersionState = "LOADING";
  /** Why it is in this state. */
  reason = "";

  private constructor(
    source: Omit<ModelSource, "threads" | "device" | "options">,
    readonly config: ModelConfig,
    private readonly observer: VersionObserver,
  ) {
    const { batching, instances, warmUp } = config;
    const threads = config.threads ?? Math.max(1, Math.floor(availableParallelism() / instances));
    const rows =
      warmUp.rows.length > 0
        ? warmUp.rows
        : [1, ...(batching ? [...batching.preferred, batching.maxBatch] : [])];
    this.start = {
      backend: config.backend ?? BACKEND,
      source: { ...source, threads, device: config.device ?? undefined, options: config.options },
      warmUp: {
        rows: [...new Set(rows)],
        shapes: warmUp.shapes,
        batching: batching !== null,
        pad: batching?.pad ?? false,
      },
    };
  }

  /**
   * Loads and warms up every instance.
   * @throws ServeError INVALID_ARGUMENT if the model can't be loaded, or can't be batched although that was asked for.
   */
  static async load(
    source: Omit<ModelSource, "threads" | "device" | "options">,
    config: ModelConfig,
    observer: VersionObserver,
  ): Promise<ModelVersion> {
    const version = new ModelVersion(source, config, observer);
    try {
      await version.startAll();
    } catch (error) {
      await version.stop(true);
      throw asServeError(error);
    }
    version.state = "READY";
    return version;
  }

  get name(): string {
    return this.start.source.name;
  }

  get number(): string {
    return this.start.source.version;
  }

  get label(): string {
    return `model "${this.name}", version ${this.number}`;
  }

  get platform(): string {
    return this.loaded.platform;
  }

  /** Types of what clients send: an axis that padding fills up is open to them. */
  get inputs(): readonly TensorSpec[] {
    return this.loaded.inputs.map((spec) => this.openedSpec(spec));
  }

  get outputs(): readonly TensorSpec[] {
    return this.loaded.outputs.map((spec) => this.openedSpec(spec));
  }

  /** Why every request runs alone; `null`: they share runs. */
  get alone(): string | null {
    return this.loaded.alone;
  }

  /** Requests that wait. */
  get queueLength(): number {
    return this.batcher.length;
  }

  /** Requests that wait or run. */
  get inFlight(): number {
    return this.pending;
  }

  /**
   * The outputs for a request.
   * @throws ServeError: INVALID_ARGUMENT, RESOURCE_EXHAUSTED, DEADLINE_EXCEEDED, CANCELLED, UNAVAILABLE, or INTERNAL with
   *   what the model threw.
   */
  infer(request: InferRequest, { deadline, signal }: RequestContext): Promise<InferResult> {
    if (this.state !== "READY")
      throw new ServeError(
        "UNAVAILABLE",
        `${this.label} is ${this.state.toLowerCase()}${this.reason && `: ${this.reason}`}`,
      );
    const fitting = fitRequest(request, this, this.alone === null, this.capacity);
    const most = this.mostRows;
    if (fitting.rows > most)
      throw new ServeError(
        "INVALID_ARGUMENT",
        `${this.label}: ${fitting.rows} rows; a request has at most ${most}`,
      );
    const since = performance.now();
    const until = Math.min(deadline, since + this.config.timeoutMs);
    const late = (): ServeError =>
      new ServeError(
        "DEADLINE_EXCEEDED",
        `${this.label}: no answer in ${Math.max(0, Math.round(until - since))} ms, the request's time`,
      );
    if (until <= since) throw late();
    if (signal.aborted) throw new ServeError("CANCELLED", "the client is gone");
    return new Promise<InferResult>((resolve, reject) => {
      const settle = (): void => {
        clearTimeout(timer);
        signal.removeEventListener("abort", gone);
        this.pending--;
        if (this.pending === 0) for (const tell of this.whenIdle.splice(0)) tell();
      };
      const item: Item = {
        ...fitting,
        since,
        deadline: until,
        resolve: (result) => {
          settle();
          resolve(result);
        },
        reject: (error) => {
          settle();
          reject(error);
        },
      };
      const give = (error: ServeError): void => {
        this.batcher.remove(item); // one that runs already is computed to its end, and its answer dropped
        item.reject(error);
      };
      const gone = (): void => give(new ServeError("CANCELLED", "the client is gone"));
      const timer = setTimeout(() => give(late()), Math.min(until - since, MOST_MS));
      signal.addEventListener("abort", gone, { once: true });
      this.pending++;
      try {
        this.batcher.add(item, () => this.retryAfter());
      } catch (error) {
        item.reject(asServeError(error));
      }
    });
  }

  /** No new requests; those that are here are answered, then the threads end. */
  async unload(reason: string): Promise<void> {
    if (this.state === "READY") {
      this.state = "UNLOADING";
      this.reason = reason;
    }
    if (this.pending > 0) await new Promise<void>((resolve) => this.whenIdle.push(resolve));
    await this.stop(false);
  }

  /** Ends the threads at once; whoever waits is told so. */
  async abandon(reason: string): Promise<void> {
    this.fail(reason);
    await this.stop(true);
  }

  private get capacity(): number | null {
    return this.loaded.capacity;
  }

  private get mostRows(): number {
    if (this.alone !== null) return Number.POSITIVE_INFINITY;
    return this.capacity ?? this.config.batching?.maxBatch ?? 1;
  }

  private openedSpec(spec: TensorSpec): TensorSpec {
    if (this.capacity === null) return spec;
    return { ...spec, shape: [-1, ...spec.shape.slice(1)] };
  }

  /** Seconds until the queue is likely to be shorter. */
  private retryAfter(): number {
    const runs = this.alone === null ? this.batcher.rows / this.mostRows : this.batcher.length;
    return Math.max(1, Math.ceil((runs * this.batchMs) / (1000 * Math.max(1, this.alive.size))));
  }

  private async startAll(): Promise<void> {
    const first = await this.startOne();
    this.loaded = first.loaded;
    const { batching, batchingAsked } = this.config;
    if (this.loaded.alone !== null && batchingAsked)
      throw new ServeError("INVALID_ARGUMENT", `${this.label} can't be batched: ${this.loaded.alone}`);
    this.batcher = new Batcher<Item>(
      {
        maxBatch: this.mostRows,
        maxDelayMs: batching?.maxDelayMs ?? 0,
        preferred: batching?.preferred ?? [],
        maxQueue: this.config.maxQueue,
        now: () => performance.now(),
        later: (f, ms) => {
          const timer = setTimeout(f, ms);
          return () => clearTimeout(timer);
        },
      },
      (batch) => void this.run(batch),
    );
    this.offer(first);
    const others = await Promise.all(
      Array.from({ length: this.config.instances - 1 }, () => this.startOne()),
    );
    for (const instance of others) this.offer(instance);
  }

  private async startOne(): Promise<Instance> {
    const instance: Instance = await Instance.start(this.start, (reason) => this.died(instance, reason));
    if (this.stopped) await instance.close(true);
    else this.alive.add(instance);
    return instance;
  }

  private offer(instance: Instance): void {
    if (!this.alive.has(instance)) return;
    this.idle.push(instance);
    this.batcher.release();
  }

  private async run(batch: readonly Item[]): Promise<void> {
    const instance = this.idle.shift() as Instance;
    const begun = performance.now();
    const rows = batch.reduce((sum, item) => sum + item.rows, 0);
    const padding = this.alone === null ? this.paddedTo(rows) - rows : 0;
    const inputs = this.loaded.inputs.map(({ name, datatype }, i): PiecewiseTensor => {
      const pieces = batch.map(({ inputs: given }) => given[i]);
      const rowBytes = pieces[0].data.length / batch[0].rows;
      const shape = this.alone === null ? [rows + padding, ...pieces[0].shape.slice(1)] : pieces[0].shape;
      return {
        name,
        datatype,
        shape,
        pieces: pieces.map(({ data }) => own(data)),
        padding: padding * rowBytes,
      };
    });
    try {
      const { outputs, ms } = await instance.run(inputs);
      this.deaths = 0;
      this.batchMs = this.batchMs === 0 ? ms : 0.8 * this.batchMs + 0.2 * ms;
      this.observer.batch(
        rows,
        padding,
        ms,
        batch.map(({ since }) => begun - since),
      );
      this.answer(batch, outputs, rows + padding, { computeMs: ms, begun });
    } catch (error) {
      for (const item of batch) item.reject(asServeError(error));
    } finally {
      this.offer(instance);
    }
  }

  private answer(
    batch: readonly Item[],
    outputs: readonly WireTensor[],
    rows: number,
    { computeMs, begun }: { computeMs: number; begun: number },
  ): void {
    const parts =
      this.alone === null
        ? split(
            outputs,
            batch.map((item) => item.rows),
            rows,
            this.label,
          )
        : [outputs];
    for (const [i, item] of batch.entries())
      item.resolve({
        outputs: parts[i],
        queueMs: begun - item.since,
        computeMs,
        batchRows: batch.reduce((sum, { rows }) => sum + rows, 0),
      });
  }

  private paddedTo(rows: number): number {
    if (this.capacity !== null) return this.capacity;
    const { batching } = this.config;
    return (batching?.pad && batching.preferred.find((size) => size >= rows)) || rows;
  }

  private died(instance: Instance, reason: string): void {
    this.alive.delete(instance);
    const at = this.idle.indexOf(instance);
    if (at >= 0) {
      this.idle.splice(at, 1);
      this.batcher.withdraw();
    }
    if (this.state === "UNAVAILABLE") return;
    this.deaths++;
    if (this.deaths >= MOST_DEATHS) this.fail(reason);
    else
      this.startOne().then(
        (next) => this.offer(next),
        (error) => this.fail(`${reason}; started again: ${asServeError(error).message}`),
      );
  }

  private fail(reason: string): void {
    if (this.alive.size > 0 && this.state === "READY" && this.deaths > 0) return; // the others go on
    this.state = "UNAVAILABLE";
    this.reason = reason;
    for (const item of this.batcher?.clear() ?? [])
      item.reject(new ServeError("UNAVAILABLE", `${this.label}: ${reason}`));
  }

  private async stop(atOnce: boolean): Promise<void> {
    this.stopped = true;
    this.state = "UNAVAILABLE";
    this.reason ||= "unloaded";
    await Promise.all([...this.alive].map((instance) => instance.close(atOnce)));
  }
}
