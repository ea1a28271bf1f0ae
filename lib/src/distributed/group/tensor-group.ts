/** The process group on a communication thread: tensors become regions of the heap, and regions tensors again. */
import { deserialize, serialize } from "node:v8";
import { bytesPerElement, type DType } from "../../core/dtype.js";
import { ShapeError, ValueError } from "../../core/errors.js";
import { formatShape, formatType, type Shape, sizeOf } from "../../core/shape.js";
import type { Tensor } from "../../core/tensor.js";
import { Storage } from "../../runtime/storage.js";
import type { CollectiveKind } from "../collectives/collective.js";
import type { CostModel } from "../collectives/cost.js";
import type { Step } from "../collectives/schedule.js";
import { checkReduction } from "./arguments.js";
import { BlockReturns } from "./blocks.js";
import type { Collected } from "./carry-out.js";
import type { Communicator } from "./communicator.js";
import { mapped } from "./mapped-work.js";
import type {
  CollectiveOptions,
  Expected,
  GroupOptions,
  ProcessGroup,
  ReduceOptions,
  Work,
} from "./process-group.js";
import type { Copy, PostedRequest, Region, Traced } from "./protocol.js";
import {
  axisOf,
  fresh,
  fromFront,
  hash,
  hold,
  regionOf,
  rowsOf,
  sum,
  tagOf,
  tensorOf,
  toFront,
} from "./regions.js";

/** What a group has in common with those that are made of it. */
interface GroupContext {
  readonly communicator: Communicator;
  readonly returns: BlockReturns;
  /** Milliseconds. */
  readonly timeout: number;
}

export class TensorGroup implements ProcessGroup {
  readonly rank: number;
  readonly size: number;
  private readonly number: number;
  /** Groups made of this one so far. */
  private children = 0;
  private closed: Promise<void> | null = null;
  private closes = false;

  private constructor(
    private readonly context: GroupContext,
    /** The same on all members, and no other group's. */
    private readonly name: string,
    readonly ranks: readonly number[],
  ) {
    this.rank = ranks.indexOf(context.communicator.rank);
    this.size = ranks.length;
    this.number = hash(name);
    context.communicator.send({ do: "group", group: this.number, name, ranks });
  }

  /** The group of all members. @param name the same on all of them, and given to no other group of theirs */
  static world(
    communicator: Communicator,
    name: string,
    timeout: number,
    /** Closing the group closes its communicator. */
    closes = false,
  ): TensorGroup {
    const context = { communicator, returns: new BlockReturns(communicator), timeout };
    const group = new TensorGroup(
      context,
      name,
      Array.from({ length: communicator.size }, (_, i) => i),
    );
    group.closes = closes;
    return group;
  }

  get backend(): string {
    return this.context.communicator.name;
  }

  send(x: Tensor, to: number, options: { readonly tag?: number } = {}): Work {
    this.checkMember(to, "send to");
    const { region, release } = hold(x, "send");
    return this.post(
      { do: "send", to, tag: tagOf(options.tag), data: region },
      `send ${formatType(x)}`,
      () => undefined,
      release,
    );
  }

  receive(like: Expected, from: number, options: { readonly tag?: number } = {}): Work<Tensor> {
    this.checkMember(from, "receive from");
    const result = fresh(like.shape, like.dtype);
    return this.post(
      { do: "receive", from, tag: tagOf(options.tag), data: regionOf(result) },
      `receive ${formatType(like)}`,
      () => tensorOf(result, like.shape),
    );
  }

  barrier(): Work {
    return this.collective("barrier", "barrier", {}, {}, () => undefined);
  }

  broadcast(x: Tensor | Expected, root = 0, options: CollectiveOptions = {}): Work<Tensor> {
    this.checkMember(root, "broadcast from");
    const result = fresh(x.shape, x.dtype);
    const own = this.rank === root ? hold(this.tensor(x, "broadcast"), "broadcast") : null;
    return this.collective(
      "broadcast",
      `broadcast ${formatType(x)} from ${root}`,
      options,
      { data: regionOf(result), root },
      () => tensorOf(result, x.shape),
      { before: own ? [[own.region, regionOf(result)]] : [], held: own },
    );
  }

  reduce(x: Tensor, root = 0, options: ReduceOptions = {}): Work<Tensor | null> {
    this.checkMember(root, "reduce on");
    return this.combined("reduce", x, options, ` on ${root}`, { root }, (result) => {
      if (this.rank === root) return tensorOf(result, x.shape);
      result.drop();
      return null;
    });
  }

  allReduce(x: Tensor, options: ReduceOptions = {}): Work<Tensor> {
    return this.combined("allReduce", x, options, "", {}, (result) => tensorOf(result, x.shape));
  }

  scan(x: Tensor, options: ReduceOptions & { readonly exclusive?: boolean } = {}): Work<Tensor> {
    const { exclusive = false } = options;
    const kind = exclusive ? " exclusive" : "";
    return this.combined("scan", x, options, kind, { exclusive }, (result) => tensorOf(result, x.shape));
  }

  reduceScatter(x: Tensor, options: ReduceOptions & { readonly axis?: number } = {}): Work<Tensor> {
    const { op = "sum" } = options;
    checkReduction("reduceScatter", x, op);
    const axis = axisOf(x.shape, options.axis, "reduceScatter");
    const moved = toFront(x, axis);
    const { shape } = moved;
    const counts = this.rowCounts(shape, x.dtype);
    const own = hold(moved, "reduceScatter");
    const scratch = fresh(shape, x.dtype);
    const rows = rowsOf(shape[0], this.size)[this.rank];
    const result = fresh([rows, ...shape.slice(1)], x.dtype);
    const start = sum(counts.slice(0, this.rank));
    const part: Region = { at: scratch.ptr + start, bytes: counts[this.rank] };
    return this.collective(
      "reduceScatter",
      `reduceScatter ${op} ${formatType(x)}${axis === 0 ? "" : ` axis ${axis}`}`,
      options,
      { data: regionOf(scratch), from: own.region, counts, dtype: x.dtype, op },
      () => fromFront(tensorOf(result, [rows, ...shape.slice(1)]), axis),
      {
        after: [[part, regionOf(result)]],
        held: {
          release() {
            own.release();
            scratch.drop();
          },
        },
      },
    );
  }

  scatter(x: Tensor | Expected, root = 0, options: CollectiveOptions = {}): Work<Tensor> {
    this.checkMember(root, "scatter from");
    axisOf(x.shape, 0, "scatter");
    const counts = this.rowCounts(x.shape, x.dtype);
    const rows = rowsOf(x.shape[0], this.size)[this.rank];
    const shape = [rows, ...x.shape.slice(1)];
    const result = fresh(shape, x.dtype);
    const what = `scatter ${formatType(x)} from ${root}`;
    const finish = () => tensorOf(result, shape);
    if (this.rank !== root)
      return this.collective("scatter", what, options, { data: regionOf(result), counts, root }, finish);
    const own = hold(this.tensor(x, "scatter"), "scatter");
    const part: Region = { at: own.region.at + sum(counts.slice(0, root)), bytes: counts[root] };
    return this.collective("scatter", what, options, { data: own.region, counts, root }, finish, {
      after: [[part, regionOf(result)]],
      held: own,
    });
  }

  allGather(x: Tensor, options: CollectiveOptions & { readonly axis?: number } = {}): Work<Tensor> {
    return this.collect(x, null, options.axis, options, "allGather") as Work<Tensor>;
  }

  gather(x: Tensor, root = 0, options: CollectiveOptions = {}): Work<Tensor | null> {
    this.checkMember(root, "gather on");
    return this.collect(x, root, 0, options, "gather");
  }

  allToAll(
    x: Tensor,
    options: CollectiveOptions & {
      readonly counts?: readonly number[];
      readonly receive?: readonly number[];
    } = {},
  ): Work<Tensor> {
    axisOf(x.shape, 0, "allToAll");
    const { counts = rowsOf(x.shape[0], this.size) } = options;
    const receive = options.receive ?? (options.counts ? undefined : this.evenRows(x.shape[0]));
    if (!receive)
      throw new ValueError("allToAll: with `counts`, `receive` must say how many rows come from each");
    this.checkCounts(counts, "counts");
    this.checkCounts(receive, "receive");
    if (sum(counts) !== x.shape[0])
      throw new ShapeError(
        `allToAll: counts [${counts.join(", ")}] are of ${sum(counts)} rows, given ${x.shape[0]}`,
      );
    const row = sizeOf(x.shape.slice(1)) * bytesPerElement(x.dtype);
    const shape = [sum(receive), ...x.shape.slice(1)];
    const own = hold(x, "allToAll");
    const result = fresh(shape, x.dtype);
    const bytes = (rows: readonly number[]): number[] => rows.map((n) => n * row);
    return this.collective(
      "allToAll",
      `allToAll ${x.dtype} rows of ${formatShape(x.shape.slice(1))}`,
      options,
      {
        from: own.region,
        into: regionOf(result),
        sendCounts: bytes(counts),
        receiveCounts: bytes(receive),
      },
      () => tensorOf(result, shape),
      { held: own },
    );
  }

  broadcastObject<T>(value: T, root = 0): Work<T> {
    this.checkMember(root, "broadcastObject from");
    const bytes = this.rank === root ? new Uint8Array(serialize(value)) : null;
    return this.post({ do: "object", bytes, root }, `broadcastObject from ${root}`, (got) => {
      return deserialize(got as Uint8Array) as T;
    });
  }

  allGatherObject<T>(value: T): Work<T[]> {
    const bytes = new Uint8Array(serialize(value));
    return this.post({ do: "objects", bytes }, "allGatherObject", (got) => {
      return (got as Uint8Array[]).map((one) => deserialize(one) as T);
    });
  }

  subgroup(
    ranks: readonly number[],
    { timeout = this.context.timeout }: GroupOptions = {},
  ): ProcessGroup | null {
    const name = `${this.name}/${this.children++}`;
    if (ranks.length === 0 || new Set(ranks).size !== ranks.length)
      throw new ValueError(`subgroup: different members expected, given [${ranks.join(", ")}]`);
    for (const rank of ranks) this.checkMember(rank, "subgroup of");
    if (!ranks.includes(this.rank)) return null;
    return new TensorGroup(
      { ...this.context, timeout },
      name,
      ranks.map((rank) => this.ranks[rank]),
    );
  }

  split(color: number, key = 0): Work<ProcessGroup> {
    const name = `${this.name}/${this.children++}`;
    return mapped(this.allGatherObject([color, key]), (all) => {
      const mine = all
        .map(([c, k], rank) => ({ c, k, rank }))
        .filter(({ c }) => c === color)
        .sort((a, b) => a.k - b.k || a.rank - b.rank);
      return new TensorGroup(
        this.context,
        `${name}:${color}`,
        mine.map(({ rank }) => this.ranks[rank]),
      );
    });
  }

  close(): Promise<void> {
    this.closed ??= this.leave(null);
    return this.closed;
  }

  /** Leaves at once: operations fail, here and on the others. */
  abandon(why: string): Promise<void> {
    this.closed ??= this.leave(why);
    return this.closed;
  }

  private async leave(error: string | null): Promise<void> {
    await this.context.communicator.post(
      { do: "leave", group: this.number, error },
      `close ${this.name}`,
      this.context.timeout,
      () => undefined,
    );
    if (this.closes) await this.context.communicator.close();
  }

  /** reduce, allReduce and scan. */
  private combined<T>(
    kind: CollectiveKind,
    x: Tensor,
    options: ReduceOptions,
    detail: string,
    more: PostedRequest,
    finish: (result: Storage) => T,
  ): Work<T> {
    const { op = "sum" } = options;
    checkReduction(kind, x, op);
    const own = hold(x, kind);
    const result = fresh(x.shape, x.dtype);
    return this.collective(
      kind,
      `${kind} ${op} ${formatType(x)}${detail}`,
      options,
      { data: regionOf(result), from: own.region, dtype: x.dtype, op, ...more },
      () => finish(result),
      { held: own },
    );
  }

  private collect(
    x: Tensor,
    root: number | null,
    wanted: number | undefined,
    { algorithm, trace }: CollectiveOptions,
    name: string,
  ): Work<Tensor | null> {
    const axis = axisOf(x.shape, wanted, name);
    const moved = toFront(x, axis);
    const rest = moved.shape.slice(1);
    const { region, release } = hold(moved, name);
    const row = sizeOf(rest) * bytesPerElement(x.dtype);
    const type = x.shape.map((n, i) => (i === axis ? "·" : n)).join(", ");
    return this.post(
      { do: "collect", own: region, root, algorithm },
      `${name} ${x.dtype}(${type})${root === null ? "" : ` on ${root}`}`,
      (got) => {
        if (got === undefined) return null;
        const { at, counts } = got as Collected;
        const bytes = sum(counts);
        const length = bytes / bytesPerElement(x.dtype);
        const storage = new Storage(x.dtype, length, undefined, {
          address: at,
          owner: this.context.returns,
        });
        const rows = row === 0 ? 0 : bytes / row;
        return fromFront(tensorOf(storage, [rows, ...rest]), axis);
      },
      release,
      trace,
    );
  }

  calibrate(): Work<CostModel> {
    return this.post({ do: "calibrate" }, "calibrate", (got) => got as CostModel);
  }

  private collective<T>(
    kind: CollectiveKind,
    what: string,
    { algorithm, trace }: CollectiveOptions,
    request: PostedRequest,
    finish: () => T,
    about: {
      readonly before?: readonly Copy[];
      readonly after?: readonly Copy[];
      readonly held?: { release(): void } | null;
    } = {},
  ): Work<T> {
    const { before = [], after = [], held } = about;
    return this.post(
      { do: "collective", kind, algorithm, request, before, after },
      what,
      finish,
      () => held?.release(),
      trace,
    );
  }

  private post<T>(
    order: object,
    what: string,
    finish: (value: unknown) => T,
    giveBack?: () => void,
    trace?: Step[],
  ): Work<T> {
    const { communicator, timeout } = this.context;
    const traced = (got: unknown): T => {
      const { value, steps } = got as Traced;
      trace?.push(...steps);
      return finish(value);
    };
    const full = { ...order, group: this.number, what, timeout, trace: trace ? true : undefined };
    return communicator.post(
      full as Parameters<Communicator["post"]>[0],
      what,
      timeout,
      trace ? traced : finish,
      giveBack,
    );
  }

  private tensor(x: Tensor | Expected, where: string): Tensor {
    if ("trace" in x) return x;
    throw new ValueError(`${where}: a tensor expected on the root, given ${formatType(x)} without elements`);
  }

  private checkMember(rank: number, what: string): void {
    if (!Number.isInteger(rank) || rank < 0 || rank >= this.size)
      throw new ValueError(`${what} rank ${rank}: this group has ranks 0 to ${this.size - 1}`);
  }

  private checkCounts(counts: readonly number[], name: string): void {
    if (counts.length === this.size && counts.every((n) => Number.isInteger(n) && n >= 0)) return;
    throw new ValueError(
      `allToAll: ${name} [${counts.join(", ")}] must be ${this.size} whole numbers from 0, one for each member`,
    );
  }

  /** What comes from each member if all have as many rows and part them evenly. */
  private evenRows(rows: number): number[] {
    const mine = rowsOf(rows, this.size)[this.rank];
    return Array.from({ length: this.size }, () => mine);
  }

  private rowCounts(shape: Shape, dtype: DType): number[] {
    const row = sizeOf(shape.slice(1)) * bytesPerElement(dtype);
    return rowsOf(shape[0], this.size).map((rows) => rows * row);
  }
}
