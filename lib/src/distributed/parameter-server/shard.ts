/**
 * One partition as a deterministic state machine: copies that apply the same operations in the same order are equal to the
 * bit (Schneider 1990). All that decides what a push does is in the state: clocks, who works, what each client has sent.
 */
import { ValueError } from "../../core/errors.js";
import type { Consistency, Job } from "./job.js";
import type { Layout, Slice } from "./layout.js";
import { RowTable } from "./rows.js";
import { UpdateRule } from "./rule.js";
import { bytesOf, doubles, floats, ids, needFloats } from "./wire.js";

/** A slice (`s`) of the dense tensor `k`, or `r` rows of the table `k`. */
export interface Part {
  readonly k: string;
  readonly s?: number;
  readonly r?: number;
}

/** A gradient (`push`), or values in place of those that are there (`set`), of client `c`, its `n`th here, from 1. */
export interface PushOp {
  readonly kind: "push" | "set";
  readonly c: string;
  readonly n: number;
  /** Worker, its step, and the version that the gradient was computed from. */
  readonly w: number;
  readonly k: number;
  readonly b: number;
  readonly parts: readonly Part[];
}

/** Who works from now on: nobody waits for the others. */
export interface WorkersOp {
  readonly kind: "workers";
  readonly list: readonly number[];
}

export type Op = PushOp | WorkersOp;

export interface ShardCounts {
  /** Gradients that were applied (empty ones, which only end a worker's step, don't count), and those that came after their step was over and were dropped. */
  applied: number;
  late: number;
  /** Applied gradients by the versions that had passed since their values were pulled. */
  staleness: number[];
}

interface Arrived {
  readonly parts: readonly Part[];
  readonly frames: readonly Uint8Array[];
}

interface DenseState {
  readonly slice: Slice;
  readonly values: Float32Array;
  readonly slots: readonly Float32Array[];
  readonly steps: Float64Array;
}

/** Clients whose numbers are kept: the least recently heard are forgotten first. */
const CLIENTS = 10_000;
/** Steps that a worker may be ahead. */
const AHEAD = 64;
/** The last entry of the histogram is for all above. */
const MOST_STALE = 256;

export class Shard {
  /** Steps of the synchronous modes; gradients applied in the others. */
  version = 0;
  counts: ShardCounts = { applied: 0, late: 0, staleness: [] };
  workers: number[];
  /** The vector clock: steps that each worker has finished here. One for all keys of the range, as they are pushed together. */
  private readonly clocks = new Map<number, number>();
  private readonly numbers = new Map<string, number>();
  /** Gradients of steps that are not over: step, worker. */
  private readonly pending = new Map<number, Map<number, Arrived>>();
  private readonly dense = new Map<string, DenseState>();
  private readonly tables = new Map<string, RowTable>();
  private readonly rule: UpdateRule;
  private readonly job: Job;

  constructor(
    private readonly layout: Layout,
    readonly partition: number,
  ) {
    this.job = layout.job;
    this.rule = new UpdateRule(this.job.optimizer);
    this.workers = Array.from({ length: this.job.workers }, (_, i) => i);
    for (const worker of this.workers) this.clocks.set(worker, 0);
    for (const slices of layout.slices.values())
      for (const slice of slices)
        if (slice.partition === partition)
          this.dense.set(`${slice.spec.name}/${slice.index}`, this.fresh(slice));
    for (const spec of layout.tables.values()) this.tables.set(spec.name, new RowTable(spec, this.rule));
  }

  /** The last number that a client has here, 0 if it is new. */
  numberOf(client: string): number {
    return this.numbers.get(client) ?? 0;
  }

  /** Steps that the worker has finished here; null if it is none. */
  clockOf(worker: number): number | null {
    return this.clocks.get(worker) ?? null;
  }

  /** May worker `w` go on at clock `k`? Without a worker: is version `k` there? */
  allows(k: number, w: number | undefined): boolean {
    const { consistency } = this.job;
    if (w === undefined || synchronous(consistency)) return this.version >= k;
    if (consistency.mode === "async") return true;
    return k <= Math.min(...this.clocks.values()) + (consistency as { bound: number }).bound;
  }

  /** @throws ValueError for an operation that can't be applied: it must not come into the log */
  check(op: Op, frames: readonly Uint8Array[]): void {
    const natural = (x: unknown): boolean => Number.isSafeInteger(x) && (x as number) >= 0;
    if (op?.kind === "workers") {
      if (!Array.isArray(op.list) || !op.list.every(natural))
        throw new ValueError("parameter server: a list of workers that is none");
      return;
    }
    if (typeof op !== "object" || op === null)
      throw new ValueError("parameter server: a push without an operation");
    if ((op.kind !== "push" && op.kind !== "set") || typeof op.c !== "string" || op.c.length > 64)
      throw new ValueError("parameter server: a push without a kind or a client");
    if (![op.n, op.w, op.k, op.b].every(natural))
      throw new ValueError("parameter server: a push's numbers are whole and not negative");
    if (synchronous(this.job.consistency) && op.kind === "push" && op.k > this.version + AHEAD)
      throw new ValueError(
        `parameter server: a gradient of step ${op.k}, ${op.k - this.version} ahead of the others; at most ${AHEAD}`,
      );
    const used = this.walk(
      op.parts,
      frames,
      (state, values) => needFloats(values, state.values.length),
      (table, rows, values) => needFloats(values, rows.length * table.spec.width),
    );
    if (used !== frames.length) throw new ValueError("parameter server: a push with frames of no part");
  }

  /** @returns true if a push came after its step was over */
  apply(op: Op, frames: readonly Uint8Array[]): boolean {
    if (op.kind === "workers") {
      this.setWorkers(op.list);
      return false;
    }
    this.numbers.delete(op.c); // to the end of the order
    this.numbers.set(op.c, op.n);
    if (this.numbers.size > CLIENTS) this.numbers.delete(this.numbers.keys().next().value as string);
    if (op.kind === "set") {
      this.assign(op.parts, frames);
      return false;
    }
    return synchronous(this.job.consistency) ? this.collect(op, frames) : this.atOnce(op, frames);
  }

  /** Values of parts; `frames` has the ids of each rows part. @throws ValueError for parts that are not here */
  read(parts: readonly Part[], frames: readonly Uint8Array[]): Float32Array[] {
    const out: Float32Array[] = [];
    this.walk(
      parts,
      frames,
      (state) => void out.push(state.values.slice()), // a message may be on its way while they change
      (table, rows) => void out.push(table.read(rows)),
      false,
    );
    return out;
  }

  /** All of it, for another copy. */
  snapshot(): { head: object; frames: Uint8Array[] } {
    const frames: Uint8Array[] = [];
    for (const { values, slots, steps } of this.dense.values())
      for (const array of [values, ...slots, steps]) frames.push(bytesOf(array.slice()));
    const tables = [...this.tables].map(([k, table]) => {
      for (const array of table.arrays()) frames.push(bytesOf(array));
      return { k, r: table.size };
    });
    const pending = [...this.pending].map(([step, of]) => ({
      step,
      of: [...of].map(([w, arrived]) => {
        frames.push(...arrived.frames);
        return { w, parts: arrived.parts, frames: arrived.frames.length };
      }),
    }));
    const { version, counts, workers } = this;
    const head = {
      version,
      counts,
      workers,
      clocks: [...this.clocks],
      numbers: [...this.numbers],
      tables,
      pending,
    };
    return { head: structuredClone(head), frames };
  }

  /** @throws ValueError for what is no snapshot of this partition */
  static restore(layout: Layout, partition: number, head: unknown, frames: readonly Uint8Array[]): Shard {
    try {
      return Shard.restored(layout, partition, head, frames);
    } catch (cause) {
      throw new ValueError(`parameter server: a damaged state: ${(cause as Error).message}`, { cause });
    }
  }

  private static restored(
    layout: Layout,
    partition: number,
    head: unknown,
    frames: readonly Uint8Array[],
  ): Shard {
    const shard = new Shard(layout, partition);
    const from = head as {
      version: number;
      counts: ShardCounts;
      workers: number[];
      clocks: [number, number][];
      numbers: [string, number][];
      tables: { k: string; r: number }[];
      pending: { step: number; of: { w: number; parts: Part[]; frames: number }[] }[];
    };
    let at = 0;
    for (const { values, slots, steps } of shard.dense.values()) {
      for (const array of [values, ...slots]) array.set(floats(frames[at++], array.length));
      steps.set(doubles(frames[at++], 1));
    }
    for (const { k, r } of from.tables) {
      const table = shard.tables.get(k) as RowTable;
      const count = r * table.spec.width;
      const rows = ids(frames[at++], r);
      const values = floats(frames[at++], count);
      const steps = doubles(frames[at++], r);
      const slots = shard.rule.slotNames.map(() => floats(frames[at++], count));
      table.restore(rows, values, steps, slots);
    }
    for (const { step, of } of from.pending) {
      const arrived = new Map<number, Arrived>();
      for (const { w, parts, frames: count } of of) {
        arrived.set(w, { parts, frames: frames.slice(at, at + count) });
        at += count;
      }
      shard.pending.set(step, arrived);
    }
    shard.version = from.version;
    shard.counts = from.counts;
    shard.workers = from.workers;
    shard.clocks.clear();
    for (const [worker, clock] of from.clocks) shard.clocks.set(worker, clock);
    for (const [client, number] of from.numbers) shard.numbers.set(client, number);
    return shard;
  }

  private fresh(slice: Slice): DenseState {
    const zeros = (): Float32Array => new Float32Array(slice.end - slice.start);
    return { slice, values: zeros(), slots: this.rule.slotNames.map(zeros), steps: new Float64Array(1) };
  }

  /** Goes through parts with their frames. @returns the frames that belong to them */
  private walk(
    parts: readonly Part[],
    frames: readonly Uint8Array[],
    dense: (state: DenseState, values: Uint8Array) => void,
    rows: (table: RowTable, ids: Uint32Array, values: Uint8Array) => void,
    withValues = true,
  ): number {
    if (!Array.isArray(parts)) throw new ValueError("parameter server: a message without parts");
    let at = 0;
    for (const part of parts) {
      if (part?.r === undefined) {
        const state = this.dense.get(`${part?.k}/${part?.s}`);
        if (!state)
          throw new ValueError(
            `parameter server: slice ${part?.s} of ${part?.k} is not in partition ${this.partition}`,
          );
        dense(state, frames[withValues ? at++ : at]);
        continue;
      }
      const table = this.tables.get(part.k);
      if (!table) throw new ValueError(`parameter server: there is no table ${JSON.stringify(part.k)}`);
      const list = ids(frames[at++], part.r);
      for (let i = 0; i < list.length; i++)
        if (
          list[i] >= table.spec.rows ||
          (i > 0 && list[i] <= list[i - 1]) ||
          this.layout.partitionOfRow(table.spec, list[i]) !== this.partition
        )
          throw new ValueError(
            `parameter server: row ${list[i]} of ${part.k} is not in partition ${this.partition}, or not in its order`,
          );
      rows(table, list, frames[withValues ? at++ : at]);
    }
    return at;
  }

  private assign(parts: readonly Part[], frames: readonly Uint8Array[]): void {
    this.walk(
      parts,
      frames,
      ({ values }, bytes) => values.set(floats(bytes, values.length)),
      (table, rows, bytes) => table.set(rows, floats(bytes, rows.length * table.spec.width)),
    );
  }

  /** One gradient, whatever it was computed from. */
  private atOnce(op: PushOp, frames: readonly Uint8Array[]): boolean {
    const staleness = Math.max(0, this.version - op.b);
    const weight = this.job.lateWeight === "inverse" ? 1 / Math.max(1, staleness) : 1;
    this.step([{ parts: op.parts, frames }], weight);
    if (op.parts.length > 0) {
      this.count(staleness);
      this.version++;
    }
    if (this.clocks.has(op.w)) this.clocks.set(op.w, Math.max(this.clocks.get(op.w) ?? 0, op.k + 1));
    return false;
  }

  /** A gradient of a step that begins when enough are there. */
  private collect(op: PushOp, frames: readonly Uint8Array[]): boolean {
    if (op.k < this.version || !this.clocks.has(op.w)) {
      if (op.parts.length > 0) this.counts.late++;
      return op.parts.length > 0;
    }
    this.clocks.set(op.w, op.k + 1);
    const arrived = this.pending.get(op.k) ?? new Map<number, Arrived>();
    this.pending.set(op.k, arrived.set(op.w, { parts: op.parts, frames }));
    this.settle();
    return false;
  }

  private settle(): void {
    const { consistency } = this.job;
    const fraction = consistency.mode === "backup" ? consistency.fraction : 1;
    for (;;) {
      const arrived = this.pending.get(this.version) ?? new Map<number, Arrived>();
      const present = this.workers.filter((worker) => arrived.has(worker)).length;
      if (present === 0 || present < Math.ceil(fraction * this.workers.length)) return;
      // in the order of the workers, not of arrival: sums of floats depend on it
      const ordered = [...arrived].sort(([a], [b]) => a - b).map(([, gradient]) => gradient);
      this.step(ordered, 1 / ordered.length);
      for (const { parts } of ordered) if (parts.length > 0) this.count(0);
      this.pending.delete(this.version);
      this.version++;
    }
  }

  private setWorkers(list: readonly number[]): void {
    const slowest = this.clocks.size > 0 ? Math.min(...this.clocks.values()) : 0;
    const start = synchronous(this.job.consistency) ? this.version : slowest;
    for (const worker of this.workers) if (!list.includes(worker)) this.clocks.delete(worker);
    for (const worker of list) if (!this.clocks.has(worker)) this.clocks.set(worker, start);
    this.workers = [...list];
    if (synchronous(this.job.consistency)) this.settle();
  }

  /** Applies weight · (sum of the gradients); keys that some did not push count as zero there. */
  private step(gradients: readonly Arrived[], weight: number): void {
    const dense = new Map<DenseState, { sum: Float32Array; own: boolean }>();
    const sparse = new Map<RowTable, Map<number, Float32Array>>();
    const add = (to: Float32Array, from: Float32Array): void => {
      for (let i = 0; i < to.length; i++) to[i] += from[i];
    };
    for (const { parts, frames } of gradients)
      this.walk(
        parts,
        frames,
        (state, bytes) => {
          const gradient = floats(bytes, state.values.length);
          const known = dense.get(state);
          if (!known) dense.set(state, { sum: gradient, own: false });
          else {
            if (!known.own) known.sum = known.sum.slice(); // a frame of the log
            known.own = true;
            add(known.sum, gradient);
          }
        },
        (table, rows, bytes) => {
          const { width } = table.spec;
          const gradient = floats(bytes, rows.length * width);
          const sums = sparse.get(table) ?? new Map<number, Float32Array>();
          sparse.set(table, sums);
          rows.forEach((id, i) => {
            const row = gradient.subarray(i * width, (i + 1) * width);
            const sum = sums.get(id);
            if (sum) add(sum, row);
            else sums.set(id, gradients.length > 1 ? row.slice() : row);
          });
        },
      );
    for (const [{ values, slots, steps }, { sum }] of dense)
      this.rule.step(values, this.weighed(sum, weight), slots, steps);
    for (const [table, sums] of sparse) {
      const rows = Uint32Array.from(sums.keys()).sort();
      const gradient = new Float32Array(rows.length * table.spec.width);
      rows.forEach((id, i) => {
        gradient.set(sums.get(id) as Float32Array, i * table.spec.width);
      });
      table.step(rows, this.weighed(gradient, weight));
    }
  }

  private weighed(gradient: Float32Array, weight: number): Float32Array {
    const limit = this.job.clipValue ?? Number.POSITIVE_INFINITY;
    if (weight === 1 && limit === Number.POSITIVE_INFINITY) return gradient;
    return gradient.map((g) => Math.max(-limit, Math.min(limit, g * weight)));
  }

  private count(staleness: number): void {
    const { counts } = this;
    counts.applied++;
    const bin = Math.min(MOST_STALE, staleness);
    while (counts.staleness.length <= bin) counts.staleness.push(0);
    counts.staleness[bin]++;
  }
}

const synchronous = ({ mode }: Consistency): boolean => mode === "sync" || mode === "backup";
