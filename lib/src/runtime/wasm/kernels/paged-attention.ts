/**
 * Attention over keys and values that lie in blocks anywhere in memory, found by a table for each sequence (Kwon et al. 2023,
 * PagedAttention). An item is one query of one head. Each score is summed along the features, each result along the
 * positions, in an order that depends on nothing but these: results are the same to the last bit whatever the size of blocks,
 * and whichever other queries are computed with it.
 */
import { launch, type PoolKernel, SCRATCH_BYTES } from "../../pool/pool.js";
import {
  type Expr,
  type Func,
  i32,
  type Local,
  laneOp,
  load,
  ModuleBuilder,
  op,
  shuffle,
} from "../assembler.js";
import { wasmFeatures } from "../features.js";
import * as math from "../math.js";
import { compileKernels } from "../module.js";
import { Row } from "./softmax.js";

const WORTH_A_THREAD = 1e6; // floating-point operations; they wait for memory more than a product's do

/** Addresses in linear memory, and strides in bytes. Elements are float32. */
export interface PagedAttentionWork {
  /** Queries × heads × headSize. */
  readonly q: number;
  readonly qRow: number;
  /** Where results go, in the same order, rows side by side. */
  readonly out: number;
  /** Of the layer in block 0: for each head the keys of all slots, then their values. */
  readonly cache: number;
  readonly blockStride: number;
  /** Block numbers (int32) of all sequences. */
  readonly tables: number;
  /** For each query (int32, int32): where its sequence's table begins, and how many positions it sees. */
  readonly spans: number;
  readonly queries: number;
  readonly heads: number;
  readonly headSize: number;
  readonly blockSize: number;
  readonly scale: number;
  /** Positions that all queries see together: how much work it is. */
  readonly seen: number;
}

/** Most positions that one query can see. */
export const MAX_CONTEXT = SCRATCH_BYTES / 4;

let compiled: PoolKernel | undefined;

/** Whether this engine runs the kernel, and heads of this size fill whole vectors. */
export const hasPagedAttention = (headSize: number): boolean =>
  wasmFeatures().simd && wasmFeatures().threads && headSize % 4 === 0;

/** Computes all queries. */
export function pagedAttention(work: PagedAttentionWork): void {
  const { q, qRow, out, cache, blockStride, tables, spans, queries, heads, headSize, blockSize } = work;
  const items = queries * heads;
  const flops = 4 * work.seen * heads * headSize;
  const grain = Math.max(1, Math.ceil((WORTH_A_THREAD * items) / Math.max(flops, 1)));
  const args = [
    q,
    qRow,
    out,
    cache,
    blockStride,
    tables,
    spans,
    queries,
    heads,
    headSize,
    blockSize,
    work.scale,
  ];
  launch(kernel(), args, items, grain);
}

function kernel(): PoolKernel {
  if (!compiled) {
    const module = new ModuleBuilder();
    const ints = (count: number) => new Array<"i32">(count).fill("i32");
    module.func("pagedAttention", [...ints(11), "f64", ...ints(3)], null, (f) => build(new Row(f, true)));
    compiled = compileKernels(module, ["pagedAttention"]).pagedAttention;
  }
  return compiled;
}

const add = (a: Expr<"i32">, b: Expr<"i32"> | number): Expr<"i32"> =>
  op("i32.add", a, typeof b === "number" ? i32(b) : b);
const sub = (a: Expr<"i32">, b: Expr<"i32">): Expr<"i32"> => op("i32.sub", a, b);
const mul = (a: Expr<"i32">, b: Expr<"i32"> | number): Expr<"i32"> =>
  op("i32.mul", a, typeof b === "number" ? i32(b) : b);

/** pagedAttention(q, qRow, out, cache, blockStride, tables, spans, queries, heads, headSize, blockSize, scale | from, to, scratch). */
function build(r: Row): void {
  const { f, k } = r;
  const p = (i: number): Local<"i32"> => f.param<"i32">(i);
  const [q, qRow, out, cache, blockStride, tables, spans, queries, heads, headSize, blockSize] = [
    ...[0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10],
  ].map(p);
  const scale = f.let(k.splatOf(f.param<"f64">(11)));
  const [from, to, scores] = [12, 13, 14].map(p);
  const bytes = f.let(mul(headSize, 4)); // of a head of one slot
  const row = f.let(mul(heads, bytes)); // of all heads
  const part = f.let(mul(blockSize, bytes)); // keys, or values, of a head in a block
  const [item, left, n, slot] = [f.let(from), f.local("i32"), f.local("i32"), f.local("i32")];
  const [table, score, x, at, y, end] = [0, 0, 0, 0, 0, 0].map(() => f.local("i32"));
  const [top, sum, tail] = [0, 0, 0].map(() => f.local("v128"));

  /** Blocks of the sequence, with the slots in each that are seen. */
  const forEachBlock = (
    context: Expr<"i32">,
    first: Expr<"i32">,
    body: (base: Local<"i32">) => void,
  ): void => {
    const base = f.local("i32");
    const entry = f.let(table);
    f.set(left, context);
    f.while(op("i32.gt_s", left, i32(0)), () => {
      f.set(base, add(mul(load("i32.load", entry), blockStride), first));
      f.set(n, blockSize);
      f.if(op("i32.lt_s", left, blockSize), () => f.set(n, left));
      body(base);
      f.set(left, sub(left, blockSize));
      f.set(entry, add(entry, 4));
    });
  };

  f.for(item, to, 1, () => {
    const number = f.let(op("i32.div_s", item, queries)); // a head's keys stay in the cache for its next queries
    const query = f.let(op("i32.rem_s", item, queries));
    const head = f.let(mul(number, bytes));
    const keys = f.let(add(cache, mul(mul(number, part), 2)));
    const span = f.let(add(spans, mul(query, 8)));
    const first = f.let(add(tables, mul(load("i32.load", span), 4)));
    const context = f.let(load("i32.load", span, 4));
    const qAt = f.let(add(add(q, mul(query, qRow)), head));
    const oAt = f.let(add(add(out, mul(query, row)), head));

    f.set(table, first);
    f.set(score, scores);
    forEachBlock(context, keys, (base) => {
      f.set(slot, i32(0));
      f.for(slot, sub(n, i32(3)), 4, () => {
        dots(r, 4, { x, at, end, q: qAt, keys: base, bytes }, score);
        f.set(score, add(score, 16));
        f.set(base, add(base, mul(bytes, 4)));
      });
      f.for(slot, n, 1, () => {
        dots(r, 1, { x, at, end, q: qAt, keys: base, bytes }, score);
        f.set(score, add(score, 4));
        f.set(base, add(base, bytes));
      });
    });

    f.set(top, k.splat(Number.NEGATIVE_INFINITY));
    r.walk(context, [[y, scores]], (s, single) => {
      const scaled = f.let(k.bin("mul", s, scale));
      r.store(y, scaled, single);
      f.set(top, k.bin("max", top, scaled));
    });
    r.across(top, (a, b) => k.bin("max", a, b));
    f.set(sum, k.splat(0));
    f.set(tail, k.splat(0));
    r.walk(context, [[y, scores]], (s, single) => {
      const e = f.let(math.exp(k, k.hold(k.bin("sub", s, top))));
      r.store(y, e, single);
      const total = single ? tail : sum;
      f.set(total, k.bin("add", total, e));
    });
    r.across(sum, (a, b) => k.bin("add", a, b));
    f.set(sum, k.bin("add", sum, r.spread(tail)));

    // Values: some features at a time, along all positions.
    const features = f.let(i32(0));
    const values = f.let(add(keys, part));
    const some = (vectors: number): void => {
      const sums = Array.from({ length: vectors }, () => f.let(k.splat(0)));
      f.set(table, first);
      f.set(score, scores);
      forEachBlock(context, f.let(add(values, features)), (base) => {
        f.set(slot, i32(0));
        f.for(slot, n, 1, () => {
          const weight = f.let(load("v128.load32_splat", score));
          for (const [i, s] of sums.entries()) f.set(s, k.madd(weight, load("v128.load", base, 16 * i), s));
          f.set(base, add(base, bytes));
          f.set(score, add(score, 4));
        });
      });
      for (const [i, s] of sums.entries())
        f.store("v128.store", add(oAt, features), k.bin("div", s, sum), 16 * i);
    };
    f.for(features, sub(bytes, i32(63)), 64, () => some(4));
    f.for(features, bytes, 16, () => some(1));
  });
}

interface Dots {
  /** Locals that the code may use. */
  readonly x: Local<"i32">;
  readonly at: Local<"i32">;
  readonly end: Local<"i32">;
  readonly q: Local<"i32">;
  readonly keys: Local<"i32">;
  readonly bytes: Local<"i32">;
}

/** Stores the products of the query and `count` keys (1 or 4); lanes are added pair by pair in either case. */
function dots(r: Row, count: 1 | 4, d: Dots, to: Local<"i32">): void {
  const { f, k } = r;
  const pointers = [d.at];
  f.set(d.x, d.q);
  f.set(d.at, d.keys);
  while (pointers.length < count) pointers.push(f.let(add(pointers[pointers.length - 1], d.bytes)));
  const sums = pointers.map(() => f.let(k.splat(0)));
  f.set(d.end, add(d.q, d.bytes));
  f.repeat(
    () => {
      const v = f.let(load("v128.load", d.x));
      for (const [i, s] of sums.entries()) f.set(s, k.madd(v, load("v128.load", pointers[i]), s));
      for (const pointer of [d.x, ...pointers]) f.set(pointer, add(pointer, 16));
    },
    op("i32.ne", d.x, d.end),
  );
  if (count === 4) {
    f.store("v128.store", to, lanesAdded(f, sums));
    return;
  }
  const lane = (i: number): Expr<"f32"> => laneOp("f32x4.extract_lane", i, sums[0]);
  f.store("f32.store", to, op("f32.add", op("f32.add", lane(0), lane(1)), op("f32.add", lane(2), lane(3))));
}

/** Four vectors → a vector of (lane 0 + lane 1) + (lane 2 + lane 3) of each. */
function lanesAdded(f: Func, [a, b, c, d]: readonly Local<"v128">[]): Expr<"v128"> {
  const words = (order: readonly number[]): number[] =>
    order.flatMap((w) => [0, 1, 2, 3].map((i) => 4 * w + i));
  const [even, odd] = [words([0, 4, 1, 5]), words([2, 6, 3, 7])];
  const [ab01, ab23] = [f.let(shuffle(even, a, b)), f.let(shuffle(odd, a, b))];
  const [cd01, cd23] = [f.let(shuffle(even, c, d)), f.let(shuffle(odd, c, d))];
  const [low, high] = [words([0, 1, 4, 5]), words([2, 3, 6, 7])];
  const sum = (x: Expr<"v128">, y: Expr<"v128">): Expr<"v128"> => op("f32x4.add", x, y);
  return sum(
    sum(shuffle(low, ab01, cd01), shuffle(high, ab01, cd01)),
    sum(shuffle(low, ab23, cd23), shuffle(high, ab23, cd23)),
  );
}
