/** Values on their way between heaps: plain data by structured clone, tensors with a copy of their elements. */
import { type Cargo, MAIN, pack, unpack } from "../../data/engine/transport.js";
import { Storage } from "../../runtime/storage.js";

export interface Carried {
  readonly cargo: Cargo;
  /** The elements of each block of the cargo. */
  readonly bytes: readonly Uint8Array[];
}

/** @throws MlsysError for an instance of a class, which would lose its methods */
export function carry(value: unknown): { readonly carried: Carried; readonly move: ArrayBuffer[] } {
  const bytes: Uint8Array<ArrayBuffer>[] = [];
  const { items, tensors, blocks } = pack([value], (storage) => {
    bytes.push(new Uint8Array(storage.readableBytes())); // not shared: it is moved
    return { address: bytes.length - 1, length: storage.length, dtype: storage.dtype, home: MAIN };
  });
  return { carried: { cargo: { items, tensors, blocks }, bytes }, move: bytes.map(({ buffer }) => buffer) };
}

/** What was carried, on this heap. */
export function uncarry({ cargo, bytes }: Carried): unknown {
  const [value] = unpack(cargo, ({ address, length, dtype }) => {
    const storage = new Storage(dtype, length);
    storage.bytes().set(bytes[address]);
    return storage;
  });
  return value;
}
