/** Batches cut from tensors that share their first axis. */
import { ShapeError, ValueError } from "../../core/errors.js";
import type { Tensor } from "../../core/tensor.js";
import { leaves, map as mapTree } from "../../core/tree.js";
import { tensor } from "../../ops/convert.js";
import { shuffledIndices } from "../../ops/random.js";
import { Dataset } from "./dataset.js";
import { indexedNode } from "./source.js";
import { wholeSeed } from "./walk.js";

export interface BatchOptions {
  readonly size: number;
  /** A new order in each epoch. Default false. */
  readonly shuffle?: boolean;
  readonly seed?: number;
  /** Leaves out the last batch if it is not full. Default false. */
  readonly dropRemainder?: boolean;
}

/**
 * Batches of tensors that share their first axis: each element is a tree like `tensors` with `size` rows.
 * @example [...data.batches({ x: zeros([5, 2]), y: arange(5) }, { size: 2 })].length // 3
 * @throws ShapeError if the first axes differ.
 */
export function batches<T>(
  tensors: T,
  { size, shuffle = false, seed = 0, dropRemainder = false }: BatchOptions,
): Dataset<T> {
  const list = leaves(tensors);
  const count = list[0]?.shape[0];
  if (count === undefined || list.some((t) => t.shape[0] !== count)) {
    throw new ShapeError(
      `batches: the tensors must share their first axis, got ${list.map((t) => t.type).join(", ") || "none"}`,
    );
  }
  if (!Number.isInteger(size) || size < 1)
    throw new ValueError(`batches: a batch has at least 1 row, got ${size}`);
  wholeSeed(seed);
  const steps = (dropRemainder ? Math.floor : Math.ceil)(count / size);
  const node = indexedNode("batches", [], steps, (epoch) => {
    const order = shuffle ? shuffledIndices(count, [seed, epoch]) : null;
    return {
      length: steps,
      at(step) {
        const [from, to] = [step * size, Math.min(count, (step + 1) * size)];
        const rows = order ? tensor(order.subarray(from, to)) : null;
        const batch = mapTree((t: Tensor) => (rows ? t.take(rows) : t.slice([from, to])), tensors);
        rows?.dispose();
        return batch;
      },
    };
  });
  return new Dataset(node);
}
