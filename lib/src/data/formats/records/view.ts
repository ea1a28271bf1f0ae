/** Parts of a source for one of several readers, in an order that all share. */
import { ValueError } from "../../../core/errors.js";
import type { RandomAccess } from "../../dataset/node.js";
import { permutation } from "../../dataset/permutation.js";

export interface ViewOptions {
  /** How many readers share the source, and which of them this is. Default: one. */
  readonly numShards?: number;
  readonly shardId?: number;
  /** A new order in each epoch, the same for all readers. Default: as stored. */
  readonly shuffle?: { readonly seed: number; readonly epoch?: number };
  /** Gives each reader equally many, by repeating some at the end (as PyTorch's `DistributedSampler`). Default false. */
  readonly equal?: boolean;
}

/**
 * What reader `shardId` of `numShards` gets: every `numShards`-th element of the common order. No list of positions is made: an
 * epoch of 10 M records is shuffled in no memory.
 * @example
 * const ten = { length: 10, at: (i: number) => i };
 * const part = data.sourceView(ten, { numShards: 4, shardId: 1 });
 * [part.length, part.at(0), part.at(2)] // [3, 1, 9]
 * @throws ValueError for shards out of range.
 */
export function sourceView<T>(source: RandomAccess<T>, options: ViewOptions = {}): RandomAccess<T> {
  const { numShards = 1, shardId = 0, shuffle, equal = false } = options;
  if (!Number.isInteger(numShards) || numShards < 1)
    throw new ValueError(`sourceView: numShards is a whole number from 1, got ${numShards}`);
  if (!Number.isInteger(shardId) || shardId < 0 || shardId >= numShards)
    throw new ValueError(`sourceView: shardId is 0 to ${numShards - 1}, got ${shardId}`);
  const total = source.length;
  const order = shuffle ? permutation(total, [shuffle.seed, shuffle.epoch ?? 0]) : null;
  const length =
    total === 0 ? 0 : equal ? Math.ceil(total / numShards) : Math.ceil((total - shardId) / numShards);
  return {
    length,
    at(index) {
      if (!Number.isInteger(index) || index < 0 || index >= length)
        throw new ValueError(`this shard has elements 0 to ${length - 1}, got ${index}`);
      const position = (index * numShards + shardId) % total;
      return source.at(order?.(position) ?? position);
    },
  };
}
