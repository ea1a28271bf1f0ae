/** A pull as requests to partitions, and their answers put together. */
import type { RowsSpec } from "./job.js";
import type { Layout, Slice } from "./layout.js";
import type { RowCache } from "./row-cache.js";
import { piecesOf, type RowsPiece } from "./rows-of.js";
import type { Part } from "./shard.js";
import { bytesOf, floats } from "./wire.js";

interface Result {
  readonly name: string;
  readonly shape: readonly number[];
  readonly values: Float32Array;
}

/** Where the values of a part belong. */
type Target =
  | { readonly slice: Slice; readonly result: Result }
  | { readonly piece: RowsPiece; readonly table: RowsSpec; readonly result: Result };

export class Gather {
  readonly results: Result[] = [];
  readonly requests = new Map<number, { parts: Part[]; frames: Uint8Array[] }>();
  private readonly targets = new Map<number, Target[]>();

  constructor(
    layout: Layout,
    wanted: Readonly<Record<string, ArrayLike<number> | true>>,
    private readonly cache: RowCache | null,
    private readonly step: number,
  ) {
    for (const [name, ids] of Object.entries(wanted)) {
      if (ids === true) this.whole(name, layout.slicesOf(name));
      else this.rows(layout, layout.tableOf(name), ids);
    }
  }

  /** The answer of a partition. @param hot of each rows part, the places of the rows that many ask for */
  take(partition: number, frames: readonly Uint8Array[], hot: readonly (readonly number[])[]): void {
    let rowsPart = 0;
    (this.targets.get(partition) ?? []).forEach((target, at) => {
      if ("slice" in target) {
        const { start, end } = target.slice;
        target.result.values.set(floats(frames[at], end - start), start);
        return;
      }
      const { piece, table, result } = target;
      const { width, name } = table;
      const values = floats(frames[at], piece.ids.length * width);
      piece.places.forEach((places, k) => {
        for (const place of places)
          result.values.set(values.subarray(k * width, (k + 1) * width), place * width);
      });
      for (const k of hot[rowsPart++] ?? [])
        this.cache?.put(name, piece.ids[k], values.subarray(k * width, (k + 1) * width), this.step);
    });
  }

  private whole(name: string, slices: readonly Slice[]): void {
    const shape = slices[0]?.spec.shape ?? [0];
    const result = { name, shape, values: new Float32Array(slices.at(-1)?.end ?? 0) };
    this.results.push(result);
    for (const slice of slices) this.request(slice.partition, { k: name, s: slice.index }, { slice, result });
  }

  private rows(layout: Layout, table: RowsSpec, ids: ArrayLike<number>): void {
    const { name, width } = table;
    const result = { name, shape: [ids.length, width], values: new Float32Array(ids.length * width) };
    this.results.push(result);
    for (const piece of piecesOf(layout, table, ids)) {
      const missing = this.fromCache(piece, table, result);
      if (missing.ids.length > 0)
        this.request(
          piece.partition,
          { k: name, r: missing.ids.length },
          { piece: missing, table, result },
          bytesOf(missing.ids),
        );
    }
  }

  private fromCache(piece: RowsPiece, { name, width }: RowsSpec, result: Result): RowsPiece {
    const { cache } = this;
    if (!cache) return piece;
    const left: number[] = [];
    piece.ids.forEach((id, k) => {
      const row = cache.get(name, id, this.step);
      if (!row) left.push(k);
      else for (const place of piece.places[k]) result.values.set(row, place * width);
    });
    return {
      partition: piece.partition,
      ids: Uint32Array.from(left, (k) => piece.ids[k]),
      places: left.map((k) => piece.places[k]),
    };
  }

  private request(partition: number, part: Part, target: Target, ...frames: Uint8Array[]): void {
    const request = this.requests.get(partition) ?? { parts: [], frames: [] };
    const targets = this.targets.get(partition) ?? [];
    this.requests.set(partition, request);
    this.targets.set(partition, targets);
    request.parts.push(part);
    request.frames.push(...frames);
    targets.push(target);
  }
}
