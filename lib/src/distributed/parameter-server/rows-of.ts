/** Rows of a table on their way: each id once, in order, by partition. */
import { ValueError } from "../../core/errors.js";
import type { RowsSpec } from "./job.js";
import type { Layout } from "./layout.js";

export interface RowsPiece {
  readonly partition: number;
  /** Ascending. */
  readonly ids: Uint32Array;
  /** Where each of `ids` is among those that were asked for: `places[k]` are of `ids[k]`. */
  readonly places: readonly (readonly number[])[];
}

/** Ids that stand several times in a batch are sent once. @throws ValueError for ids outside of the table */
export function piecesOf(layout: Layout, table: RowsSpec, wanted: ArrayLike<number>): RowsPiece[] {
  const places = new Map<number, number[]>();
  for (let i = 0; i < wanted.length; i++) {
    const id = wanted[i];
    if (!Number.isInteger(id) || id < 0 || id >= table.rows)
      throw new ValueError(`parameter server: ${table.name} has rows 0 … ${table.rows - 1}, got ${id}`);
    const known = places.get(id);
    if (known) known.push(i);
    else places.set(id, [i]);
  }
  const byPartition = new Map<number, number[]>();
  for (const id of places.keys()) {
    const partition = layout.partitionOfRow(table, id);
    const list = byPartition.get(partition);
    if (list) list.push(id);
    else byPartition.set(partition, [id]);
  }
  return [...byPartition].map(([partition, list]) => {
    const ids = Uint32Array.from(list).sort();
    return { partition, ids, places: Array.from(ids, (id) => places.get(id) as number[]) };
  });
}

/** Gradients of the rows of a piece: of those that stand several times, the sum (aggregation before sending). */
export function summed({ ids, places }: RowsPiece, gradients: Float32Array, width: number): Float32Array {
  const out = new Float32Array(ids.length * width);
  places.forEach((list, k) => {
    for (const place of list)
      for (let j = 0; j < width; j++) out[k * width + j] += gradients[place * width + j];
  });
  return out;
}
