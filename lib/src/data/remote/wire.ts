/**
 * Chunks between machines: one frame with everything but tensors (V8's structured clone), then a frame of bytes for each
 * storage. Views of one storage stay views of one storage.
 */
import { deserialize, serialize } from "node:v8";
import { bytesPerElement, checkDType, type DType } from "../../core/dtype.js";
import { ValueError } from "../../core/errors.js";
import type { ChunkError, OpTally } from "../engine/stage-work.js";
import type { Cargo } from "../engine/transport.js";
import type { StageSpan } from "../spans.js";

/** Of the messages; the first of each connection has it. */
export const PROTOCOL = 1;
/** A message that says it is longer is not read. */
export const MAX_MESSAGE = 2 ** 30;

/** What a worker says of one stage. */
export interface RemoteReport {
  readonly ms: number;
  readonly tallies: readonly OpTally[];
  /** Milliseconds since the stage began: clocks of machines differ. */
  readonly spans: readonly StageSpan[];
}

/** Beside the items. */
export interface Extras {
  /** For each stage, the indices of the first elements that its ops get. */
  readonly first?: readonly (readonly number[])[];
  readonly reports?: readonly RemoteReport[];
  readonly error?: (ChunkError & { readonly stage: number }) | null;
}

interface Head extends Extras {
  readonly items: readonly unknown[];
  readonly tensors: Cargo["tensors"];
  readonly blocks: readonly (readonly [length: number, dtype: DType])[];
}

/** A storage's bytes as they came. */
export interface BlockBytes {
  readonly length: number;
  readonly dtype: DType;
  readonly bytes: Uint8Array;
}

/**
 * @param bytesOf copies a block's bytes: the message may be sent after the block is free
 * @throws Error (DataCloneError) for items that can't be copied
 */
export function framesOf(
  { items, tensors, blocks }: Cargo,
  bytesOf: (block: number) => Uint8Array,
  extras: Extras,
): Uint8Array[] {
  const head: Head = {
    items,
    tensors,
    blocks: blocks.map(({ length, dtype }) => [length, dtype]),
    ...extras,
  };
  return [serialize(head), ...blocks.map((_, i) => bytesOf(i))];
}

/** @throws ValueError for frames that are no chunk */
export function chunkOf(
  frames: readonly Uint8Array[],
): Extras & Omit<Cargo, "blocks"> & { readonly blocks: readonly BlockBytes[] } {
  const [first, ...rest] = frames;
  let head: Head;
  try {
    head = deserialize(first) as Head;
  } catch (cause) {
    throw new ValueError(`data service: a damaged message: ${(cause as Error).message}`, { cause });
  }
  if (!Array.isArray(head?.items) || !Array.isArray(head.tensors) || head.blocks?.length !== rest.length)
    throw new ValueError("data service: a damaged message: its parts are missing");
  const blocks = head.blocks.map(([length, name], i): BlockBytes => {
    const dtype = checkDType(name, "data service");
    if (rest[i].byteLength !== length * bytesPerElement(dtype))
      throw new ValueError(
        `data service: a damaged message: ${rest[i].byteLength} bytes for ${length} elements of ${dtype}`,
      );
    return { length, dtype, bytes: rest[i] };
  });
  for (const { block, shape, strides, offset } of head.tensors as Cargo["tensors"]) {
    const last = shape.reduce((sum, size, axis) => sum + (size - 1) * Math.max(0, strides[axis]), offset);
    const least = shape.reduce((sum, size, axis) => sum + (size - 1) * Math.min(0, strides[axis]), offset);
    const inside = shape.includes(0) || (least >= 0 && last < (blocks[block]?.length ?? 0));
    if (!inside || !shape.every((size) => Number.isInteger(size) && size >= 0))
      throw new ValueError("data service: a damaged message: a tensor lies outside of its bytes");
  }
  return { ...head, blocks };
}
