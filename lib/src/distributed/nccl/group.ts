/**
 * Process group of GPUs: one process, one device, one member; NCCL moves the bytes between the devices, over NVLink, PCIe
 * or the network. A group on the hosts carries what is no tensor, and brings the members together.
 *
 * Written against NCCL's documentation and header, and run on emulated devices only: no GPU was at hand.
 */

import { cuda } from "../../compiler/cuda/device.js";
import { bytesPerElement, type DType, dtypeKind } from "../../core/dtype.js";
import { DeviceError, DTypeError, ShapeError, TransformError, ValueError } from "../../core/errors.js";
import { contiguousLayout, isContiguous } from "../../core/layout.js";
import { formatType, normalizeAxis, type Shape, sizeOf } from "../../core/shape.js";
import type { Tensor } from "../../core/tensor.js";
import { add, maximum, minimum, mul } from "../../ops/binary.js";
import { concat, transpose } from "../../ops/shape.js";
import type { Block } from "../../runtime/cuda/allocator.js";
import { findNccl, type Nccl, NcclCommunicator, uniqueId } from "../../runtime/cuda/nccl.js";
import { DenseTensor } from "../../runtime/dense.js";
import { type Remote, remoteOf } from "../../runtime/remote.js";
import { Storage } from "../../runtime/storage.js";
import { outsideScopes } from "../../runtime/tidy.js";
import type { CostModel } from "../collectives/cost.js";
import { evenCounts } from "../collectives/parts.js";
import { checkReduction } from "../group/arguments.js";
import { mapped } from "../group/mapped-work.js";
import type {
  CollectiveOptions,
  Expected,
  ProcessGroup,
  ReduceOptions,
  Work,
} from "../group/process-group.js";
import type { CombineOp, ReduceOp } from "../transport/reduce-op.js";
import { Piece } from "./piece.js";
import { CommunicationStream } from "./work.js";

const DEFAULT_TIMEOUT = 300_000;
const NCCL_OPS = { sum: add, product: mul, max: maximum, min: minimum } as const;

/** NCCL has no booleans: as bytes of 0 and 1, any is a maximum and all a minimum. */
const LOGICAL: Readonly<Record<CombineOp, "max" | "min">> = {
  sum: "max",
  max: "max",
  product: "min",
  min: "min",
};

export interface NcclOptions {
  /** Milliseconds after which awaited work fails. Default 300,000. */
  readonly timeout?: number;
}

export class NcclGroup implements ProcessGroup {
  readonly backend = "nccl";
  private readonly communication: CommunicationStream;
  private readonly comm: NcclCommunicator;
  private readonly remote: Remote;

  /**
   * @param control the same members' group on the hosts
   * @param id the same on all
   */
  constructor(
    private readonly control: ProcessGroup,
    private readonly api: Nccl,
    id: Uint8Array,
    private readonly timeout: number,
  ) {
    this.remote = remoteOf("cuda") as Remote;
    this.communication = new CommunicationStream(
      cuda(),
      () => this.comm.check(),
      () => this.comm.abort(),
      timeout,
    );
    this.comm = new NcclCommunicator(api, id, control.rank, control.size, this.communication.stream.handle);
  }

  /**
   * The group of the same members for tensors on their GPUs.
   * @throws DeviceError if this machine has no GPU or no NCCL: what is missing, and how to get it; CudaError if two members
   * have the same GPU (MLSYS_CUDA_DEVICE says which one a process has)
   */
  static async over(
    control: ProcessGroup,
    { timeout = DEFAULT_TIMEOUT }: NcclOptions = {},
  ): Promise<NcclGroup> {
    const api = findNccl();
    if (typeof api === "string") throw new DeviceError(`nccl: ${api}`);
    cuda(); // says what is missing
    const id = await control.broadcastObject(control.rank === 0 ? uniqueId(api) : null);
    return new NcclGroup(control, api, id as Uint8Array, timeout);
  }

  get rank(): number {
    return this.control.rank;
  }

  get size(): number {
    return this.control.size;
  }

  get ranks(): readonly number[] {
    return this.control.ranks;
  }

  send(x: Tensor, to: number, options: { readonly tag?: number } = {}): Work {
    checkTag(options.tag);
    this.checkMember(to, "send to");
    const from = this.read(x, "send");
    return this.post(
      `send ${formatType(x)}`,
      [from],
      () => this.comm.send(from.array, to),
      () => undefined,
    );
  }

  receive(like: Expected, from: number, options: { readonly tag?: number } = {}): Work<Tensor> {
    checkTag(options.tag);
    this.checkMember(from, "receive from");
    const into = this.made(like.shape, like.dtype);
    const enqueue = (): void => this.comm.receive(into.array, from);
    return this.post(`receive ${formatType(like)}`, [into], enqueue, () => into.tensor);
  }

  barrier(): Work {
    const word = this.made([1], "float32");
    const enqueue = (): void => this.comm.allReduce(word.array, word.array.address, "max");
    return this.post("barrier", [word], enqueue, () => word.tensor.dispose());
  }

  broadcast(x: Tensor | Expected, root = 0): Work<Tensor> {
    this.checkMember(root, "broadcast from");
    const into = this.made(x.shape, x.dtype);
    const own = this.rank === root ? this.read(tensorOn(x, "broadcast"), "broadcast") : null;
    const from = own?.array ?? into.array;
    const enqueue = (): void => this.comm.broadcast(from, into.array.address, root);
    return this.post(`broadcast ${formatType(x)}`, [own, into], enqueue, () => into.tensor);
  }

  reduce(x: Tensor, root = 0, { op = "sum" }: ReduceOptions = {}): Work<Tensor | null> {
    this.checkMember(root, "reduce on");
    const from = this.readCombined(x, "reduce", op);
    const into = this.rank === root ? this.made(x.shape, x.dtype) : null;
    const enqueue = (): void =>
      this.comm.reduce(from.array, into?.array.address ?? from.array.address, opOf(x.dtype, op), root);
    return this.post(`reduce ${formatType(x)}`, [from, into], enqueue, () => into?.tensor ?? null);
  }

  allReduce(x: Tensor, { op = "sum" }: ReduceOptions = {}): Work<Tensor> {
    const from = this.readCombined(x, "allReduce", op);
    const into = this.made(x.shape, x.dtype);
    const enqueue = (): void => this.comm.allReduce(from.array, into.array.address, opOf(x.dtype, op));
    return this.post(`allReduce ${formatType(x)}`, [from, into], enqueue, () => into.tensor);
  }

  allGather(x: Tensor, options: CollectiveOptions & { readonly axis?: number } = {}): Work<Tensor> {
    const axis = axisOf(x.shape, options.axis, "allGather");
    const moved = toFront(x, axis);
    const rest = moved.shape.slice(1);
    const rows = this.control.allGatherObject(moved.shape[0]).wait(); // members may have different ones
    const from = this.read(moved, "allGather");
    const into = this.made([total(rows), ...rest], x.dtype);
    const enqueue = (): void => {
      if (rows.every((n) => n === rows[0])) this.comm.allGather(from.array, into.array.address);
      else
        this.comm.together(() => {
          for (const [rank, part] of into.parts(rows, sizeOf(rest)).entries())
            this.comm.broadcast(
              rank === this.rank ? { ...from.array, count: part.count } : part,
              part.address,
              rank,
            );
        });
    };
    return this.post(`allGather ${formatType(x)}`, [from, into], enqueue, () => fromFront(into.tensor, axis));
  }

  reduceScatter(x: Tensor, options: ReduceOptions & { readonly axis?: number } = {}): Work<Tensor> {
    const { op = "sum" } = options;
    const axis = axisOf(x.shape, options.axis, "reduceScatter");
    const moved = toFront(x, axis);
    const from = this.readCombined(moved, "reduceScatter", op);
    const rows = evenCounts(moved.shape[0], this.size, "uint8");
    const rest = moved.shape.slice(1);
    const into = this.made([rows[this.rank], ...rest], x.dtype);
    const enqueue = (): void => {
      const how = opOf(x.dtype, op);
      if (rows.every((n) => n === rows[0])) this.comm.reduceScatter(from.array, into.array.address, how);
      else
        this.comm.together(() => {
          for (const [rank, part] of from.parts(rows, sizeOf(rest)).entries())
            this.comm.reduce(part, rank === this.rank ? into.array.address : part.address, how, rank);
        });
    };
    return this.post(`reduceScatter ${formatType(x)}`, [from, into], enqueue, () =>
      fromFront(into.tensor, axis),
    );
  }

  scatter(x: Tensor | Expected, root = 0): Work<Tensor> {
    this.checkMember(root, "scatter from");
    axisOf(x.shape, 0, "scatter");
    const rows = evenCounts(x.shape[0], this.size, "uint8");
    const rest = x.shape.slice(1);
    const from = this.rank === root ? this.read(tensorOn(x, "scatter"), "scatter") : null;
    const into = this.made([rows[this.rank], ...rest], x.dtype);
    const enqueue = (): void =>
      this.comm.together(() => {
        for (const [rank, part] of (from?.parts(rows, sizeOf(rest)) ?? []).entries())
          this.comm.send(part, rank);
        this.comm.receive(into.array, root);
      });
    return this.post(`scatter ${formatType(x)}`, [from, into], enqueue, () => into.tensor);
  }

  gather(x: Tensor, root = 0): Work<Tensor | null> {
    this.checkMember(root, "gather on");
    axisOf(x.shape, 0, "gather");
    const rest = x.shape.slice(1);
    const rows = this.control.allGatherObject(x.shape[0]).wait();
    const from = this.read(x, "gather");
    const into = this.rank === root ? this.made([total(rows), ...rest], x.dtype) : null;
    const enqueue = (): void =>
      this.comm.together(() => {
        this.comm.send(from.array, root);
        for (const [rank, part] of (into?.parts(rows, sizeOf(rest)) ?? []).entries())
          this.comm.receive(part, rank);
      });
    return this.post(`gather ${formatType(x)}`, [from, into], enqueue, () => into?.tensor ?? null);
  }

  allToAll(
    x: Tensor,
    options: CollectiveOptions & {
      readonly counts?: readonly number[];
      readonly receive?: readonly number[];
    } = {},
  ): Work<Tensor> {
    axisOf(x.shape, 0, "allToAll");
    const { counts = evenCounts(x.shape[0], this.size, "uint8") } = options;
    const own = evenCounts(x.shape[0], this.size, "uint8")[this.rank];
    const receive = options.receive ?? (options.counts ? undefined : counts.map(() => own));
    if (!receive)
      throw new ValueError("allToAll: with `counts`, `receive` must say how many rows come from each");
    if (counts.length !== this.size || receive.length !== this.size || total(counts) !== x.shape[0])
      throw new ShapeError(
        `allToAll: ${this.size} counts of ${x.shape[0]} rows expected, given [${counts.join(", ")}] and [${receive.join(", ")}]`,
      );
    const rest = x.shape.slice(1);
    const from = this.read(x, "allToAll");
    const into = this.made([total(receive), ...rest], x.dtype);
    const enqueue = (): void =>
      this.comm.together(() => {
        for (const [rank, part] of from.parts(counts, sizeOf(rest)).entries()) this.comm.send(part, rank);
        for (const [rank, part] of into.parts(receive, sizeOf(rest)).entries()) this.comm.receive(part, rank);
      });
    return this.post(`allToAll ${formatType(x)}`, [from, into], enqueue, () => into.tensor);
  }

  /** NCCL has none: all members' tensors are gathered, and each combines its part of them. */
  scan(x: Tensor, options: ReduceOptions & { readonly exclusive?: boolean } = {}): Work<Tensor> {
    const { op = "sum", exclusive = false } = options;
    checkReduction("scan", x, op);
    const count = this.rank + (exclusive ? 0 : 1);
    return mapped(this.allGather(x.reshape([1, ...x.shape])), (all) => {
      if (count === 0) return x.mul(0).cast(x.dtype);
      const combine = NCCL_OPS[x.dtype === "bool" ? LOGICAL[plain(op)] : plain(op)];
      let result = all.slice(0);
      for (let i = 1; i < count; i++) result = combine(result, all.slice(i));
      return op === "mean" ? result.div(count) : result;
    });
  }

  /** The links of the hosts: between the GPUs NCCL measures and chooses for itself. */
  calibrate(): Work<CostModel> {
    return this.control.calibrate();
  }

  broadcastObject<T>(value: T, root = 0): Work<T> {
    return this.control.broadcastObject(value, root);
  }

  allGatherObject<T>(value: T): Work<T[]> {
    return this.control.allGatherObject(value);
  }

  subgroup(ranks: readonly number[]): ProcessGroup | null {
    const control = this.control.subgroup(ranks);
    return control ? this.like(control) : null;
  }

  split(color: number, key = 0): Work<ProcessGroup> {
    return mapped(this.control.split(color, key), (control) => this.like(control));
  }

  async close(): Promise<void> {
    this.communication.close();
    this.comm[Symbol.dispose]();
    await this.control.close();
  }

  async abandon(why: string): Promise<void> {
    this.comm.abort();
    await this.control.abandon(why);
  }

  private like(control: ProcessGroup): NcclGroup {
    const id = control.broadcastObject(control.rank === 0 ? uniqueId(this.api) : null).wait();
    return new NcclGroup(control, this.api, id as Uint8Array, this.timeout);
  }

  /** @param pieces what is read and written: kept until it is over, whatever becomes of the tensors */
  private post<T>(
    what: string,
    pieces: readonly (Piece | null)[],
    enqueue: () => void,
    finish: () => T,
  ): Work<T> {
    const storages = pieces.flatMap((piece) => piece?.storage ?? []);
    return this.communication.post({ what, storages, enqueue, finish });
  }

  private readCombined(x: Tensor, where: string, op: ReduceOp): Piece {
    checkReduction(where, x, op);
    if (x.dtype === "int16")
      throw new DTypeError(`${where}: NCCL does not combine int16; convert it to int32`);
    return this.read(x, where);
  }

  /** A tensor's elements on the device, one after the other. */
  private read(x: Tensor, where: string): Piece {
    if (!(x instanceof DenseTensor))
      throw new TransformError(
        `${where}: a tensor with elements expected, given a tracer of ${formatType(x)}: collectives are no ops that a transformation (grad, jit, vmap) sees through`,
      );
    x.needAlive();
    const dense = isContiguous(x) ? x : (concat([x, x.slice([0, 0])]) as DenseTensor);
    const block = dense.storage.on(this.remote) as Block;
    const at = block.address + dense.offset * bytesPerElement(x.dtype);
    return new Piece(dense.storage, at, x.dtype, x.size, dense);
  }

  private made(shape: Shape, dtype: DType): Piece {
    const storage = outsideScopes(() => new Storage(dtype, sizeOf(shape)));
    const block = storage.writtenOn(this.remote) as Block;
    const tensor = new DenseTensor(storage, contiguousLayout(shape), "cuda");
    return new Piece(storage, block.address, dtype, sizeOf(shape), tensor);
  }

  private checkMember(rank: number, what: string): void {
    if (!Number.isInteger(rank) || rank < 0 || rank >= this.size)
      throw new ValueError(`${what} rank ${rank}: this group has ranks 0 to ${this.size - 1}`);
  }
}

const plain = (op: ReduceOp): CombineOp => (op === "mean" ? "sum" : op);

const opOf = (dtype: DType, op: ReduceOp): ReduceOp =>
  dtypeKind(dtype) === "bool" ? LOGICAL[plain(op)] : op;

const total = (rows: readonly number[]): number => rows.reduce((a, b) => a + b, 0);

function checkTag(tag = 0): void {
  if (tag !== 0) throw new ValueError(`tag ${tag}: NCCL's messages have none; they arrive in order`);
}

function tensorOn(x: Tensor | Expected, where: string): Tensor {
  if ("trace" in x) return x;
  throw new ValueError(`${where}: a tensor expected on the root, given ${formatType(x)} without elements`);
}

function axisOf(shape: Shape, axis: number | undefined, where: string): number {
  if (shape.length === 0)
    throw new ShapeError(`${where}: a scalar has no axis along which it could be parted or joined`);
  return normalizeAxis(axis ?? 0, shape.length, where);
}

/** With `axis` before all others, and back. */
function toFront(x: Tensor, axis: number): Tensor {
  if (axis === 0) return x;
  return transpose(x, [axis, ...x.shape.map((_, i) => i).filter((i) => i !== axis)]);
}

function fromFront(x: Tensor, axis: number): Tensor {
  if (axis === 0) return x;
  const order = x.shape.map((_, i) => i).slice(1);
  order.splice(axis, 0, 0);
  return transpose(x, order);
}
