/**
 * Elements on their way between threads. Tensors stay where they are, in the memory that all threads share: what travels
 * is their address. The rest is copied (structured clone); whole typed arrays are moved.
 */
import { bytesPerElement, type DType } from "../../core/dtype.js";
import { MlsysError } from "../../core/errors.js";
import type { Shape } from "../../core/shape.js";
import { Tensor } from "../../core/tensor.js";
import { DenseTensor } from "../../runtime/dense.js";
import { getDevice } from "../../runtime/devices.js";
import { allocate, type BlockOwner, giveUp, memory } from "../../runtime/heap.js";
import { Storage } from "../../runtime/storage.js";
import { madeInScope, outsideScopes } from "../../runtime/tidy.js";

/** Whose heap a block was cut from: a worker's number, or the main thread's. */
export type Home = number;
export const MAIN: Home = -1;

/** A storage in the shared memory. */
export interface Block {
  readonly address: number;
  readonly length: number;
  readonly dtype: DType;
  readonly home: Home;
}

export const bytesOf = ({ length, dtype }: Block): number => length * bytesPerElement(dtype);

interface TensorRef {
  readonly block: number;
  readonly shape: Shape;
  readonly strides: readonly number[];
  readonly offset: number;
}

/** What is sent. */
export interface Cargo {
  readonly items: readonly unknown[];
  readonly tensors: readonly TensorRef[];
  readonly blocks: readonly Block[];
}

/** Stands for tensor number `[MARK]` of a cargo. */
const MARK = "\u0000tensor";

const isPlain = (x: object): boolean => {
  const proto = Object.getPrototypeOf(x);
  return proto === null || proto === Object.prototype || Object.getPrototypeOf(proto) === null;
};

/**
 * True if there is a tensor in it. Of lists that begin with a number, nothing more is looked at.
 * @throws MlsysError for an instance of a class
 */
function hasTensor(x: unknown, seen: Set<object>): boolean {
  if (typeof x !== "object" || x === null || ArrayBuffer.isView(x)) return false;
  if (x instanceof Tensor) return true;
  if ((Array.isArray(x) && typeof x[0] === "number") || seen.has(x)) return false;
  seen.add(x);
  if (Array.isArray(x)) return x.some((item) => hasTensor(item, seen));
  if (x instanceof Map) return [...x.values()].some((item) => hasTensor(item, seen));
  if (!isPlain(x)) return refuseInstance(x);
  for (const key in x) if (hasTensor((x as Record<string, unknown>)[key], seen)) return true;
  return false;
}

/** Classes whose instances structured clone keeps whole. */
export const CLONED: ReadonlySet<string> = new Set(
  "Date RegExp Set ArrayBuffer SharedArrayBuffer Boolean Number String BigInt Error EvalError RangeError ReferenceError SyntaxError TypeError URIError Blob KeyObject CryptoKey".split(
    " ",
  ),
);

/** A copy of another instance would be a heap of its fields without methods, and nobody would be told. */
function refuseInstance(x: object): false {
  const type =
    (Object.getPrototypeOf(x) as { constructor?: { name?: string } }).constructor?.name ?? "object";
  if (x instanceof Set && [...x].some((item) => hasTensor(item, new Set())))
    throw new MlsysError("a tensor in a Set can't travel between threads; put it into a list");
  if (CLONED.has(type)) return false;
  throw new MlsysError(`an instance of ${type} can't travel between threads: it would lose its methods`);
}

/** `x` with `f` of its tensors; what is in it twice, or in itself, stays so. */
function replaced(x: unknown, f: (x: object) => unknown, made: Map<object, unknown>): unknown {
  if (typeof x !== "object" || x === null || ArrayBuffer.isView(x)) return x;
  if (made.has(x)) return made.get(x);
  const found = f(x);
  const keep = <T>(value: T): T => {
    made.set(x, value);
    return value;
  };
  if (found !== undefined) return keep(found);
  if (Array.isArray(x)) {
    if (typeof x[0] === "number") return x;
    const out: unknown[] = keep([]);
    for (const item of x) out.push(replaced(item, f, made));
    return out;
  }
  if (x instanceof Map) {
    const out = keep(new Map<unknown, unknown>());
    for (const [key, item] of x) out.set(key, replaced(item, f, made));
    return out;
  }
  if (!isPlain(x)) return x;
  const out: Record<string, unknown> = keep({});
  for (const key of Object.keys(x)) {
    const value = replaced((x as Record<string, unknown>)[key], f, made);
    if (key === "__proto__") Object.defineProperty(out, key, { value, enumerable: true, writable: true });
    else out[key] = value;
  }
  return out;
}

/** Takes the tensors out of the items. `blockOf` says where a tensor's storage is for others. */
export function pack(
  items: readonly unknown[],
  blockOf: (storage: Storage) => Block,
): Cargo & { handles: DenseTensor[] } {
  const [tensors, blocks, handles]: [TensorRef[], Block[], DenseTensor[]] = [[], [], []];
  const seen = new Set<object>();
  if (!items.some((item) => hasTensor(item, seen))) return { items, tensors, blocks, handles };
  const numbers = new Map<Storage, number>();
  const mark = (x: object): unknown => {
    if (!(x instanceof Tensor)) return undefined;
    if (!(x instanceof DenseTensor))
      throw new MlsysError(`a ${x.constructor.name} can't travel between threads: only dense tensors can`);
    x.needAlive();
    let block = numbers.get(x.storage);
    if (block === undefined) {
      block = blocks.length;
      numbers.set(x.storage, block);
      blocks.push(blockOf(x.storage));
    }
    tensors.push({ block, shape: x.shape, strides: x.strides, offset: x.offset });
    handles.push(x);
    return { [MARK]: tensors.length - 1 };
  };
  const known = new Map<object, unknown>();
  return { items: items.map((item) => replaced(item, mark, known)), tensors, blocks, handles };
}

const arrived = new WeakSet<object>();

/** True for a handle that was made for an element that came from a thread: whoever uses the element up may dispose it. */
export const cameFromThread = (tensor: object): boolean => arrived.has(tensor);

/** Puts the tensors back. `storageOf` gives a reference to a block's storage, for the tensor to own. */
export function unpack(cargo: Cargo, storageOf: (block: Block) => Storage): unknown[] {
  const { items, tensors, blocks } = cargo;
  if (tensors.length === 0) return [...items];
  const storages = new Map<number, Storage>();
  const device = getDevice();
  const restore = (x: object): unknown => {
    const number = (x as Record<string, unknown>)[MARK];
    if (typeof number !== "number") return undefined;
    const { block, shape, strides, offset } = tensors[number];
    const known = storages.get(block);
    const storage = known ? known.retain() : storageOf(blocks[block]);
    storages.set(block, storage);
    const tensor = new DenseTensor(storage, { shape, strides, offset }, device);
    arrived.add(tensor);
    return tensor;
  };
  const made = new Map<object, unknown>();
  return items.map((item) => replaced(item, restore, made));
}

/** For a sender that goes on owning: the host's bytes of a storage. */
export const lentBlock = (storage: Storage): Block => ({
  address: storage.readable,
  length: storage.length,
  dtype: storage.dtype,
  home: MAIN,
});

/** A storage over a block of another thread's. */
export const blockStorage = ({ dtype, length, address }: Block, owner: BlockOwner): Storage =>
  new Storage(dtype, length, undefined, { address, owner });

/**
 * What a worker sends on: blocks that came with the input go on as they are; those that were made for these items are
 * handed over; of what somebody else has too (a table kept between calls), a copy is.
 * @param came blocks of the input, by address
 * @param close ends the scope of the work; `keep` lives on
 */
export function packResults(
  items: readonly unknown[],
  came: ReadonlyMap<number, Block>,
  home: Home,
  close: (keep: readonly DenseTensor[]) => void,
): Cargo & { readonly kept: ReadonlySet<number> } {
  const placeholder = new Map<Storage, { made: number; handles: number }>();
  const {
    tensors,
    blocks,
    handles,
    items: marked,
  } = pack(items, (storage) => {
    placeholder.set(storage, { made: 0, handles: 0 });
    return lentBlock(storage);
  });
  for (const handle of new Set(handles)) {
    const count = placeholder.get(handle.storage) as { made: number; handles: number };
    count.handles++;
    if (madeInScope(handle)) count.made++;
  }
  close(handles);
  const kept = new Set<number>();
  const storages = [...placeholder.keys()];
  const sent = blocks.map((block, i): Block => {
    const storage = storages[i];
    const from = came.get(block.address);
    if (from) {
      kept.add(block.address);
      return from;
    }
    const { made, handles: count } = placeholder.get(storage) as { made: number; handles: number };
    if (made === count && storage.owners === count) return { ...block, address: storage.handOver(), home };
    return { ...block, address: copied(storage), home };
  });
  for (const handle of new Set(handles)) if (!handle.isDisposed) handle.dispose();
  return { items: marked, tensors, blocks: sent, kept };
}

function copied(storage: Storage): number {
  return outsideScopes(() => {
    const address = allocate(storage.byteLength);
    new Uint8Array(memory.buffer, address, storage.byteLength).set(storage.readableBytes());
    giveUp(storage.byteLength);
    return address;
  });
}

/** Buffers that typed arrays fill, to be moved instead of copied. */
export function movable(items: readonly unknown[]): ArrayBuffer[] {
  const found = new Set<ArrayBuffer>();
  const seen = new Set<object>();
  const visit = (x: unknown): void => {
    if (typeof x !== "object" || x === null || seen.has(x)) return;
    if (ArrayBuffer.isView(x)) {
      if (x.buffer instanceof ArrayBuffer && x.byteLength === x.buffer.byteLength) found.add(x.buffer);
      return;
    }
    seen.add(x);
    if (Array.isArray(x)) {
      if (typeof x[0] !== "number") for (const item of x) visit(item);
    } else if (x instanceof Map || x instanceof Set) for (const item of x.values()) visit(item);
    else if (isPlain(x)) for (const key in x) visit((x as Record<string, unknown>)[key]);
  };
  for (const item of items) visit(item);
  return [...found];
}
