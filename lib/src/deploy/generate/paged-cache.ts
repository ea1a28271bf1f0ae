/**
 * Keys and values of all layers in blocks of `blockSize` positions each, and attention over them. Memory: block by block, in it
 * layer by layer, in it head by head the keys of all slots and then the values: a block is copied in one piece, and what a head
 * reads lies side by side.
 */
import type { Tensor } from "../../core/tensor.js";
import { type DenseTensor, emptyDense } from "../../runtime/dense.js";
import { getDevice } from "../../runtime/devices.js";
import type { Storage } from "../../runtime/storage.js";
import { outsideScopes } from "../../runtime/tidy.js";
import { hasPagedAttention, pagedAttention } from "../../runtime/wasm/kernels/paged-attention.js";
import { elementsOf } from "./elements.js";

export interface CacheSizes {
  readonly blocks: number;
  readonly blockSize: number;
  readonly layers: number;
  readonly heads: number;
  readonly headSize: number;
}

/** Where each query's sequence has its keys and values. */
export interface PagedBatch {
  /** Block tables of all sequences, one behind the other. */
  readonly tables: Int32Array;
  /** For each query: where its sequence's table begins, how many positions it sees (its own included). */
  readonly spans: Int32Array;
  /** For each query: the slot that its own key and value go to: block · blockSize + place. */
  readonly slots: Int32Array;
}

export class PagedCache {
  private readonly memory: DenseTensor;
  /** Elements of a position in one layer. */
  private readonly slot: number;
  private readonly block: number;
  private tables: DenseTensor | null = null;
  private batch: PagedBatch | null = null;
  private seen = 0;

  constructor(readonly sizes: CacheSizes) {
    const { blocks, blockSize, layers, heads, headSize } = sizes;
    this.slot = 2 * heads * headSize;
    this.block = layers * blockSize * this.slot;
    this.memory = outsideScopes(() => emptyDense([blocks, this.block], "float32", "cpu"));
  }

  private get storage(): Storage {
    return this.memory.storage;
  }

  get bytes(): number {
    return this.storage.byteLength;
  }

  get bytesPerBlock(): number {
    return 4 * this.block;
  }

  /** Copies what a block holds to another one. */
  copy(from: number, to: number): void {
    (this.storage.data as Float32Array).copyWithin(
      to * this.block,
      from * this.block,
      (from + 1) * this.block,
    );
  }

  /** Says what the next calls of `attend` are about. */
  prepare(batch: PagedBatch): void {
    const { tables, spans } = batch;
    this.tables?.dispose();
    this.tables = outsideScopes(() => emptyDense([spans.length + tables.length], "int32", "cpu"));
    const { storage } = this.tables;
    storage.write(spans);
    storage.write(tables, spans.length);
    this.batch = batch;
    this.seen = 0;
    for (let i = 1; i < spans.length; i += 2) this.seen += spans[i];
  }

  /** Keeps keys and values of one layer, and returns what the queries see: (n, 3·size) → (n, size). */
  attend(layer: number, joined: Tensor): DenseTensor {
    const { heads, headSize, blockSize } = this.sizes;
    const size = heads * headSize;
    const { slots } = this.batch as PagedBatch;
    const { data: rows } = elementsOf(joined);
    const cache = this.storage.data as Float32Array;
    const part = blockSize * headSize;
    for (let i = 0; i < slots.length; i++) {
      const at = this.placeOf(layer, slots[i]);
      for (let head = 0; head < heads; head++) {
        const key = (3 * i + 1) * size + head * headSize;
        const to = at + 2 * head * part;
        cache.set(rows.subarray(key, key + headSize), to);
        cache.set(rows.subarray(key + size, key + size + headSize), to + part);
      }
    }
    const out = emptyDense([slots.length, size], "float32", joined.device);
    if (getDevice() !== "cpu" && hasPagedAttention(headSize)) this.byKernel(layer, rows, out);
    else this.plainly(layer, rows, out);
    return out;
  }

  dispose(): void {
    this.memory.dispose();
    this.tables?.dispose();
  }

  /** Element of a slot's first key in a layer. */
  private placeOf(layer: number, slot: number): number {
    const { blockSize, headSize } = this.sizes;
    const block = Math.floor(slot / blockSize);
    return block * this.block + layer * blockSize * this.slot + (slot % blockSize) * headSize;
  }

  private byKernel(layer: number, rows: Float32Array, out: DenseTensor): void {
    const { heads, headSize, blockSize } = this.sizes;
    const { spans, slots } = this.batch as PagedBatch;
    const { readable: tables } = (this.tables as DenseTensor).storage;
    pagedAttention({
      q: rows.byteOffset,
      qRow: 3 * heads * headSize * 4,
      out: out.storage.ptr,
      cache: this.storage.ptr + layer * blockSize * this.slot * 4,
      blockStride: this.block * 4,
      tables: tables + spans.length * 4,
      spans: tables,
      queries: slots.length,
      heads,
      headSize,
      blockSize,
      scale: 1 / Math.sqrt(headSize),
      seen: this.seen,
    });
  }

  /** The same in plain code: for the reference device, and heads that the kernel does not take. */
  private plainly(layer: number, rows: Float32Array, out: DenseTensor): void {
    const { heads, headSize, blockSize } = this.sizes;
    const { spans, tables, slots } = this.batch as PagedBatch;
    const [size, part] = [heads * headSize, blockSize * headSize];
    const cache = this.storage.data as Float32Array;
    const results = out.storage.data as Float32Array;
    const scale = 1 / Math.sqrt(headSize);
    for (let i = 0; i < slots.length; i++) {
      const [table, context] = [spans[2 * i], spans[2 * i + 1]];
      const places = Array.from({ length: context }, (_, j) =>
        this.placeOf(layer, tables[table + Math.floor(j / blockSize)] * blockSize + (j % blockSize)),
      );
      for (let head = 0; head < heads; head++) {
        const q = 3 * i * size + head * headSize;
        const keys = 2 * head * part;
        const scores = places.map((at) => {
          let sum = 0;
          for (let e = 0; e < headSize; e++) sum += rows[q + e] * cache[at + keys + e];
          return sum * scale;
        });
        const top = scores.reduce((a, b) => Math.max(a, b));
        const weights = scores.map((s) => Math.exp(s - top));
        const total = weights.reduce((a, b) => a + b);
        for (let e = 0; e < headSize; e++) {
          let sum = 0;
          for (const [j, at] of places.entries()) sum += weights[j] * cache[at + keys + part + e];
          results[i * size + head * headSize + e] = sum / total;
        }
      }
    }
  }
}
