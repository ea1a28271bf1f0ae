/** NCCL: collectives between GPUs, each member one process with one GPU, enqueued on a CUDA stream. */
import { cudaError, NCCL_CODES } from "./errors.js";
import { openLibrary } from "./find.js";
import { checkedLibrary, type Library, Out, type RawLibrary } from "./table.js";

export const NCCL = {
  ncclGetVersion: ["host"],
  ncclGetUniqueId: ["host"],
  ncclCommInitRank: ["host", "i32", "id", "i32"],
  ncclCommFinalize: ["handle"],
  ncclCommDestroy: ["handle"],
  ncclCommAbort: ["handle"],
  ncclCommGetAsyncError: ["handle", "host"],
  ncclAllReduce: ["handle", "handle", "size", "i32", "i32", "handle", "handle"],
  ncclReduce: ["handle", "handle", "size", "i32", "i32", "i32", "handle", "handle"],
  ncclBroadcast: ["handle", "handle", "size", "i32", "i32", "handle", "handle"],
  ncclAllGather: ["handle", "handle", "size", "i32", "handle", "handle"],
  ncclReduceScatter: ["handle", "handle", "size", "i32", "i32", "handle", "handle"],
  ncclSend: ["handle", "size", "i32", "i32", "handle", "handle"],
  ncclRecv: ["handle", "size", "i32", "i32", "handle", "handle"],
  ncclGroupStart: [],
  ncclGroupEnd: [],
} as const;

export type Nccl = Library<typeof NCCL>;
export type RawNccl = RawLibrary<typeof NCCL>;

/** `ncclDataType_t` */
export const NcclType = {
  ...{ int8: 0, uint8: 1, int32: 2, int64: 4, float16: 6, float32: 7, float64: 8, bfloat16: 9 },
} as const;
export type NcclTypeName = keyof typeof NcclType;

/** `ncclRedOp_t` */
export const NcclOp = { sum: 0, product: 1, max: 2, min: 3, mean: 4 } as const;
export type NcclOpName = keyof typeof NcclOp;

/** Bytes of an `ncclUniqueId`, by which the members of a communicator find each other. */
export const UNIQUE_ID_BYTES = 128;

export const checkedNccl = (raw: RawNccl): Nccl => checkedLibrary(NCCL, raw, NCCL_CODES);

let found: Nccl | string | undefined;

/** NCCL of this machine, or what is missing and how to get it. Looks once. */
export function findNccl(): Nccl | string {
  found ??= openLibrary("nccl", NCCL, NCCL_CODES);
  return found;
}

/** "2.32.3" */
export function ncclVersion(api: Nccl): string {
  const out = new Out();
  api.ncclGetVersion(out.at);
  const version = out.int();
  return [Math.floor(version / 10_000), Math.floor(version / 100) % 100, version % 100].join(".");
}

/** A new id, made by one member and told to the others. */
export function uniqueId(api: Nccl): Uint8Array {
  const id = new Uint8Array(new ArrayBuffer(UNIQUE_ID_BYTES));
  api.ncclGetUniqueId(id);
  return id;
}

/** Elements on the device. */
export interface NcclArray {
  readonly address: number;
  readonly count: number;
  readonly type: NcclTypeName;
}

/** A member's end of a communicator. All calls enqueue on its stream and return; each member makes the same calls. */
export class NcclCommunicator {
  private readonly handle: number;

  /**
   * Waits for the other members. The device of this thread's current context takes part.
   * @throws CudaError if they don't agree, or two of them have the same device
   */
  constructor(
    readonly api: Nccl,
    id: Uint8Array,
    readonly rank: number,
    readonly size: number,
    /** `CUstream` */
    private readonly stream: number,
  ) {
    const out = new Out();
    api.ncclCommInitRank(out.at, size, { internal: id }, rank);
    this.handle = out.word();
  }

  /** `into` may be `from`. */
  allReduce(from: NcclArray, into: number, op: NcclOpName): void {
    const { address, count, type } = from;
    this.api.ncclAllReduce(address, into, count, NcclType[type], NcclOp[op], this.handle, this.stream);
  }

  /** `into` is read on the root only. */
  reduce(from: NcclArray, into: number, op: NcclOpName, root: number): void {
    const { address, count, type } = from;
    this.api.ncclReduce(address, into, count, NcclType[type], NcclOp[op], root, this.handle, this.stream);
  }

  broadcast(from: NcclArray, into: number, root: number): void {
    const { address, count, type } = from;
    this.api.ncclBroadcast(address, into, count, NcclType[type], root, this.handle, this.stream);
  }

  /** Every member has as many elements; `into` holds all. */
  allGather(from: NcclArray, into: number): void {
    const { address, count, type } = from;
    this.api.ncclAllGather(address, into, count, NcclType[type], this.handle, this.stream);
  }

  /** `from` holds a part for each member, all of the same size; `into` gets this one's. */
  reduceScatter(from: NcclArray, into: number, op: NcclOpName): void {
    const { address, count, type } = from;
    const part = count / this.size;
    this.api.ncclReduceScatter(address, into, part, NcclType[type], NcclOp[op], this.handle, this.stream);
  }

  send({ address, count, type }: NcclArray, to: number): void {
    this.api.ncclSend(address, count, NcclType[type], to, this.handle, this.stream);
  }

  receive({ address, count, type }: NcclArray, from: number): void {
    this.api.ncclRecv(address, count, NcclType[type], from, this.handle, this.stream);
  }

  /** Calls of `body` go on at the same time: sends and receives that wait for each other are to be in one group. */
  together(body: () => void): void {
    this.api.ncclGroupStart();
    try {
      body();
    } finally {
      this.api.ncclGroupEnd();
    }
  }

  /** What went wrong on the device or on another member since. @throws CudaError */
  check(): void {
    const out = new Out();
    this.api.ncclCommGetAsyncError(this.handle, out.at);
    const code = out.int();
    if (code !== 0 && code !== IN_PROGRESS) throw cudaError("ncclCommGetAsyncError", code, NCCL_CODES);
  }

  /** Gives up what is under way: its kernels end, on this member. */
  abort(): void {
    this.api.ncclCommAbort(this.handle);
  }

  /** Waits for what is under way. */
  [Symbol.dispose](): void {
    this.api.ncclCommFinalize(this.handle);
    this.api.ncclCommDestroy(this.handle);
  }
}

/** `ncclInProgress` */
const IN_PROGRESS = 7;
