/** The client's side: pushes gradients, pulls values, from whoever holds them at the moment. */
import { randomUUID } from "node:crypto";
import { ValueError } from "../../core/errors.js";
import { Tensor } from "../../core/tensor.js";
import { checkAddress, checkSecret, type ZeroMQ, zeromq } from "../../data/remote/secret.js";
import { tensor } from "../../ops/convert.js";
import { DenseTensor, readElements } from "../../runtime/dense.js";
import { Gather } from "./gather.js";
import type { Job, JobOptions, RowsSpec } from "./job.js";
import { checkJob } from "./job.js";
import type { Layout } from "./layout.js";
import { Router } from "./router.js";
import { RowCache } from "./row-cache.js";
import { piecesOf, type RowsPiece, summed } from "./rows-of.js";
import type { PartitionStats } from "./server.js";
import type { Part, PushOp } from "./shard.js";
import { bytesOf } from "./wire.js";

export interface ClientOptions {
  /** Address of the coordinator. */
  readonly coordinator: string;
  readonly secret?: string;
  /** This client's number among the workers; without it, it only looks and sets. */
  readonly worker?: number;
  /** Milliseconds before a push or a pull without an answer fails. Default 60 000. */
  readonly timeout?: number;
  /** Rows that many ask for may be used again for so many pushes of this client. Default 0: never. */
  readonly hotStaleness?: number;
  /** `any`: rows also from copies that lag behind, by at most `hotStaleness` versions. Default `latest`. */
  readonly readFrom?: "latest" | "any";
}

/** Rows of a table: ids [n], and values or gradients [n, width]. */
export interface Rows {
  readonly ids: ArrayLike<number>;
  readonly values: Tensor | Float32Array;
}

export type Values = Readonly<Record<string, Tensor | Float32Array | Rows>>;

export interface PushResult {
  /** Partitions where it came after its step was over, and was dropped. */
  readonly late: number;
}

export interface ClusterStats {
  readonly partitions: readonly PartitionStats[];
  /** Gradients applied, and dropped, in all partitions. */
  readonly applied: number;
  readonly late: number;
  /** Applied gradients by their age in versions. */
  readonly staleness: readonly number[];
  /** Bytes and rows that this client has sent and got, rows that it had itself, and acknowledged pushes that were lost. */
  readonly client: {
    readonly bytesPushed: number;
    readonly bytesPulled: number;
    readonly rowsFromCache: number;
    readonly lostAcknowledged: number;
  };
}

/** Between two looks whether the servers have heard of a worker. */
const JOIN_MS = 5;

/** A clock of this client's at one partition. */
interface Clock {
  /** Steps pushed. */
  pushed: number;
  /** Version of the values that were pulled last. */
  basis: number;
}

/**
 * A connection to the servers; made by `ParameterClient.connect`, or handed to workers.
 * @example
 * const cluster = await distributed.parameterServer({
 *   tensors: [{ kind: "dense", name: "w", shape: [2] }],
 *   optimizer: { rule: "SGD", lr: 0.5 },
 * });
 * const client = await cluster.client({ worker: 0 });
 * await client.set({ w: tensor([1, 2]) });
 * await client.push({ w: tensor([2, 2]) });
 * const { w } = await client.pull(["w"]);
 * await cluster.close();
 * w // [0, 1]
 */
export class ParameterClient {
  private readonly clocks = new Map<number, Clock>();
  private readonly cache: RowCache | null;
  private steps = 0;

  private constructor(
    private readonly router: Router,
    private readonly options: ClientOptions,
  ) {
    this.cache = options.hotStaleness ? new RowCache(options.hotStaleness) : null;
  }

  /** @throws ValueError for an address; MlsysError if nobody answers in time, or no job is defined there */
  static async connect(options: ClientOptions): Promise<ParameterClient> {
    const client = await ParameterClient.open(options);
    try {
      await client.join();
      return client;
    } catch (error) {
      client.close();
      throw error;
    }
  }

  /**
   * Says what the servers are to hold, once `servers` of them are there, and connects.
   * @throws MlsysError if they hold something else already
   */
  static async define(job: JobOptions, servers: number, options: ClientOptions): Promise<ParameterClient> {
    const client = await ParameterClient.open(options);
    try {
      await client.router.define(checkJob(job), servers);
      await client.join();
    } catch (error) {
      client.close();
      throw error;
    }
    return client;
  }

  private static async open(options: ClientOptions): Promise<ParameterClient> {
    const { coordinator, secret, timeout = 60_000 } = options;
    checkSecret(secret);
    checkAddress("parameter client", coordinator, secret);
    if (!(timeout > 0))
      throw new ValueError(`parameter client: the timeout is in milliseconds above 0, got ${timeout}`);
    const zmq: ZeroMQ = await zeromq();
    return new ParameterClient(new Router(zmq, randomUUID(), { ...options, timeout }), options);
  }

  /** Of this connection: another one has another. */
  get id(): string {
    return this.router.id;
  }

  /** What the servers hold. */
  get job(): Job {
    return this.layout.job;
  }

  private get layout(): Layout {
    return this.router.layout;
  }

  /**
   * Sends gradients; settles when they are acknowledged as the replication promises. In the modes with clocks this ends the
   * worker's step: partitions without a gradient are told too. Sums those of rows that stand several times.
   * @throws ValueError for names, shapes and ids that the job doesn't have; PartitionLostError; MlsysError after the timeout
   */
  async push(gradients: Values): Promise<PushResult> {
    const { mode } = this.job.consistency;
    const { worker } = this.options;
    if (worker === undefined && mode !== "async")
      throw new ValueError(
        `parameter client: in mode ${mode}, only workers push; connect with a worker's number`,
      );
    const pieces = this.cut(gradients);
    if (mode !== "async")
      for (let p = 0; p < this.job.partitions; p++)
        if (!pieces.has(p)) pieces.set(p, { parts: [], frames: [] });
    this.steps++;
    return this.send("push", pieces);
  }

  /** Puts values in the place of those that are there, whatever the workers do. Settles and fails as `push`. */
  async set(values: Values): Promise<void> {
    await this.send("set", this.cut(values));
  }

  /**
   * Values by name: tensors whole, or rows by id. A worker waits until the mode lets it go on: `sync` and `backup` for the
   * end of its last step, `stale` for those who are more than the bound behind.
   * @param wanted names of dense tensors, default all; or ids [n] by table (gives [n, width]), and `true` for whole tensors
   * @throws as `push`
   */
  async pull(
    wanted: readonly string[] | Readonly<Record<string, ArrayLike<number> | true>> = [
      ...this.layout.slices.keys(),
    ],
  ): Promise<Record<string, Tensor>> {
    const names = Array.isArray(wanted)
      ? Object.fromEntries((wanted as string[]).map((name) => [name, true as const]))
      : (wanted as Record<string, ArrayLike<number> | true>);
    const gather = new Gather(this.layout, names, this.cache, this.steps);
    await Promise.all([...gather.requests].map(([p, request]) => this.ask(p, request, gather)));
    return Object.fromEntries(
      gather.results.map(({ name, shape, values }) => [name, tensor(values, { shape: [...shape] })]),
    );
  }

  /** What happened so far, from all partitions' heads. */
  async stats(): Promise<ClusterStats> {
    const partitions = (await this.router.stats()).sort((a, b) => a.partition - b.partition);
    const staleness: number[] = [];
    for (const { staleness: counts } of partitions)
      counts.forEach((count, age) => {
        staleness[age] = (staleness[age] ?? 0) + count;
      });
    const sum = (f: (stats: PartitionStats) => number): number =>
      partitions.reduce((total, s) => total + f(s), 0);
    const { bytesPushed, bytesPulled, lostAcknowledged } = this.router;
    return {
      partitions,
      applied: sum(({ applied }) => applied),
      late: sum(({ late }) => late),
      staleness: Array.from(staleness, (count) => count ?? 0),
      client: { bytesPushed, bytesPulled, rowsFromCache: this.cache?.hits ?? 0, lostAcknowledged },
    };
  }

  /** Ends the connection; what has no answer fails. */
  close(): void {
    this.router.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  /** Until all partitions count on this worker: a gradient before that would be nobody's. */
  private async join(): Promise<void> {
    await this.router.ready();
    const { worker } = this.options;
    if (worker === undefined || this.job.consistency.mode === "async") return;
    const joined = async (p: number): Promise<void> => {
      const { message } = await this.router.pull(p, { k: 0, w: worker, parts: [] }, []);
      if (typeof message.clock === "number") {
        this.clock(p).pushed = message.clock;
        return;
      }
      await new Promise((resolve) => setTimeout(resolve, JOIN_MS));
      await joined(p);
    };
    await Promise.all(Array.from({ length: this.job.partitions }, (_, p) => joined(p)));
  }

  private clock(p: number): Clock {
    const known = this.clocks.get(p);
    if (known) return known;
    const clock = { pushed: 0, basis: 0 };
    this.clocks.set(p, clock);
    return clock;
  }

  private async send(
    kind: PushOp["kind"],
    pieces: ReadonlyMap<number, { parts: readonly Part[]; frames: readonly Uint8Array[] }>,
  ): Promise<PushResult> {
    const { mode } = this.job.consistency;
    const synchronous = mode === "sync" || mode === "backup";
    const answers = [...pieces].map(([p, { parts, frames }]) => {
      const clock = this.clock(p);
      // a worker that was overtaken goes on where the others are
      const k = synchronous ? Math.max(clock.pushed, clock.basis) : clock.pushed;
      if (kind === "push") clock.pushed = k + 1;
      return this.router.push(p, { kind, w: this.options.worker ?? 0, k, b: clock.basis, parts }, frames);
    });
    const late = (await Promise.all(answers)).filter((answer) => answer.late).length;
    return { late };
  }

  private async ask(
    p: number,
    request: { parts: Part[]; frames: Uint8Array[] },
    gather: Gather,
  ): Promise<void> {
    const clock = this.clock(p);
    const { worker, readFrom = "latest", hotStaleness = 0 } = this.options;
    const any = readFrom === "any" && request.parts.every(({ r }) => r !== undefined);
    const order = any
      ? { k: Math.max(0, clock.basis - hotStaleness), any }
      : { k: worker === undefined ? 0 : clock.pushed, ...(worker !== undefined && { w: worker }) };
    const { message, frames } = await this.router.pull(
      p,
      { ...order, parts: request.parts, ...(this.cache && { hot: true }) },
      request.frames,
    );
    clock.basis = Math.max(clock.basis, message.version as number);
    clock.pushed = Math.max(clock.pushed, Number(message.clock ?? 0));
    gather.take(p, frames, (message.hot as number[][] | undefined) ?? []);
  }

  private cut(values: Values): Map<number, { parts: Part[]; frames: Uint8Array[] }> {
    const pieces = new Map<number, { parts: Part[]; frames: Uint8Array[] }>();
    const into = (partition: number, part: Part, ...frames: Uint8Array[]): void => {
      const piece = pieces.get(partition) ?? { parts: [], frames: [] };
      pieces.set(partition, piece);
      piece.parts.push(part);
      piece.frames.push(...frames);
    };
    for (const [name, value] of Object.entries(values)) {
      if (isRows(value)) {
        const table = this.layout.tableOf(name);
        const numbers = numbersOf(name, value.values, value.ids.length * table.width);
        for (const piece of piecesOf(this.layout, table, value.ids))
          into(piece.partition, { k: name, r: piece.ids.length }, ...rowFrames(piece, numbers, table));
        continue;
      }
      const slices = this.layout.slicesOf(name);
      const numbers = numbersOf(name, value, slices.at(-1)?.end ?? 0);
      for (const { partition, index, start, end } of slices)
        into(partition, { k: name, s: index }, bytesOf(numbers.subarray(start, end)));
    }
    return pieces;
  }
}

const rowFrames = (piece: RowsPiece, numbers: Float32Array, { width }: RowsSpec): Uint8Array[] => [
  bytesOf(piece.ids),
  bytesOf(summed(piece, numbers, width)),
];

const isRows = (value: Tensor | Float32Array | Rows): value is Rows =>
  !(value instanceof Tensor) && !(value instanceof Float32Array);

const elementsOf = (value: Tensor | Float32Array): ArrayLike<number> =>
  value instanceof Tensor ? value.toTypedArray() : value;

/** @throws ValueError if there are not `count` */
function numbersOf(name: string, value: Tensor | Float32Array, count: number): Float32Array {
  // a copy: it is sent later, and what was given may change until then
  const numbers = new Float32Array(value instanceof DenseTensor ? readElements(value) : elementsOf(value));
  if (numbers.length !== count)
    throw new ValueError(`parameter client: ${name} has ${count} elements, got ${numbers.length}`);
  return numbers;
}
