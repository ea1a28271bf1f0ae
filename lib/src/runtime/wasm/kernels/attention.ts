/**
 * Attention as one kernel: block by block of queries, the scores of a block of keys are made, turned into weights and
 * multiplied with the values while they are in the cache; sums of earlier blocks are scaled when a larger score comes up
 * (online softmax). The matrix of scores never exists as a whole. (Milakov & Gimelshein 2018; Dao et al. 2022,
 * FlashAttention.)
 */
import { bytesPerElement } from "../../../core/dtype.js";
import { isContiguous } from "../../../core/layout.js";
import { getDevice } from "../../devices.js";
import type { HostArray } from "../../host-array.js";
import type { PreparedKernel } from "../../kernels.js";
import { launch, type PoolKernel, SCRATCH_BYTES } from "../../pool/pool.js";
import { type Expr, type Func, i32, load, ModuleBuilder, op, type ValueType } from "../assembler.js";
import { wasmFeatures } from "../features.js";
import * as math from "../math.js";
import { compileKernels } from "../module.js";
import { addGemmTo, GEMM_SCRATCH_BYTES, type GemmType, MAX_COLUMNS } from "./gemm-code.js";
import { forEachOffset, mergeBatch } from "./matmul.js";
import { Row } from "./softmax.js";

/** Queries and keys of a block: 64 KiB of scores. */
const QUERIES = 64;
const KEYS = 256;
const WORTH_A_THREAD = 2e6; // floating-point operations

const compiled = new Map<GemmType, Record<"attend", PoolKernel>>();

export interface AttentionWork {
  readonly scale: number;
  /** Query i sees the keys 0 … i. */
  readonly causal: boolean;
}

/** Heads side by side: element strides of q, k, v and the output to the next head, row and column. */
export interface AttentionHeads extends AttentionWork {
  readonly type: GemmType;
  readonly count: number;
  readonly sizes: { readonly tq: number; readonly tk: number; readonly d: number; readonly dv: number };
  readonly strides: readonly (readonly [batch: number, row: number, column: number])[];
}

/** A device's own attention: `run` false: it is not there (yet), and nothing was done. */
export interface OwnAttention {
  readonly workspace: number;
  run(addresses: readonly number[], workspace: number): boolean;
}

const own = new Map<string, (heads: AttentionHeads) => OwnAttention | null>();

/** On this device attention runs by code of its own, where it has some. */
export function registerAttention(
  device: string,
  make: (heads: AttentionHeads) => OwnAttention | null,
): void {
  own.set(device, make);
}

/** `null` for dtypes and sizes that the kernel does not take. */
export function prepareAttention(
  [q, k, v]: readonly HostArray[],
  out: HostArray,
  { scale, causal }: AttentionWork,
): PreparedKernel | null {
  const type = q.dtype;
  if (
    (type !== "float32" && type !== "float64") ||
    k.dtype !== type ||
    v.dtype !== type ||
    !isContiguous(out)
  )
    return null;
  const rank = out.shape.length;
  const [tq, dv] = out.shape.slice(-2);
  const [tk, d] = k.shape.slice(-2);
  const room = GEMM_SCRATCH_BYTES + (QUERIES * KEYS + 2 * QUERIES) * 8;
  if (tq * dv * tk * d === 0 || dv > MAX_COLUMNS[type] || room > SCRATCH_BYTES) return null;
  const dims = out.shape.slice(0, -2);
  if ([q, k, v].some((x) => x.shape.slice(0, -2).join() !== dims.join())) return null;
  const bytes = bytesPerElement(type);
  const arrays = [q, k, v, out];
  const batches = arrays.map(({ strides }) => strides.slice(0, rank - 2));
  const [count, { merged, strides }] = mergeBatch(dims, batches);
  const blocks = Math.ceil(tq / QUERIES);
  const flops = 2 * tq * tk * (d + dv) * (causal ? 0.5 : 1) * count;
  const items = count * blocks;
  const grain = Math.max(1, Math.ceil((WORTH_A_THREAD * items) / flops));
  const rest = [
    ...[tq, tk, d, dv],
    ...strides.slice(0, 3).flatMap((batch, i) => {
      const [row, column] = arrays[i].strides.slice(-2);
      return [batch * bytes, row * bytes, column * bytes];
    }),
    causal ? 1 : 0,
    scale,
  ];
  const calls: number[][] = [];
  forEachOffset(dims.slice(0, merged), batches, (offsets) => {
    calls.push(offsets.map((offset, i) => (arrays[i].offset + offset) * bytes));
  });
  const kernel = kernelFor(type);
  const args = [0, 0, 0, 0, ...rest];
  const code = own.get(getDevice())?.({
    ...{ type, count, scale, causal, sizes: { tq, tk, d, dv } },
    strides: arrays.map((x, i) => [strides[i], ...x.strides.slice(-2)] as [number, number, number]),
  });
  const run = (workspace: number): void => {
    for (const starts of calls) {
      for (let i = 0; i < 4; i++) args[i] = arrays[i].ptr + starts[i];
      if (!code?.run(args.slice(0, 4), workspace)) launch(kernel, args, items, grain);
    }
  };
  return { workspace: code?.workspace ?? 0, run };
}

function kernelFor(type: GemmType): PoolKernel {
  let kernels = compiled.get(type);
  if (!kernels) {
    const module = new ModuleBuilder();
    const gemm = addGemmTo(module, type, wasmFeatures().relaxed);
    const params: ValueType[] = [...new Array<ValueType>(18).fill("i32"), "f64", "i32", "i32", "i32"];
    module.func("attend", params, null, (f) => buildAttend(new Row(f, type === "float32"), gemm));
    kernels = compileKernels(module, ["attend"]);
    compiled.set(type, kernels);
  }
  return kernels.attend;
}

const add = (a: Expr<"i32">, b: Expr<"i32"> | number): Expr<"i32"> =>
  op("i32.add", a, typeof b === "number" ? i32(b) : b);
const sub = (a: Expr<"i32">, b: Expr<"i32">): Expr<"i32"> => op("i32.sub", a, b);
const mul = (a: Expr<"i32">, b: Expr<"i32"> | number): Expr<"i32"> =>
  op("i32.mul", a, typeof b === "number" ? i32(b) : b);

/**
 * attend(q, k, v, out, tq, tk, d, dv, strides of q: batch, row, column; of k; of v, causal, scale | from, to, scratch),
 * items: blocks of queries of every head; strides are bytes.
 */
function buildAttend(r: Row, gemm: Func): void {
  const { f, k: lanes, bytes } = r;
  const p = (i: number) => f.param<"i32">(i);
  const [q, k, v, out, tq, tk, d, dv] = [0, 1, 2, 3, 4, 5, 6, 7].map(p);
  const [qb, qr, qc, kb, kr, kc, vb, vr, vc, causal] = [8, 9, 10, 11, 12, 13, 14, 15, 16, 17].map(p);
  const scale = f.let(lanes.splatOf(f.param<"f64">(18)));
  const [from, to, scratch] = [19, 20, 21].map(p);
  const scores = f.let(add(scratch, GEMM_SCRATCH_BYTES));
  const tops = f.let(add(scores, QUERIES * KEYS * bytes));
  const sums = f.let(add(tops, QUERIES * bytes));
  const stride = i32(KEYS * bytes);
  const outRow = f.let(mul(dv, bytes));
  const blocks = f.let(op("i32.div_s", add(tq, QUERIES - 1), i32(QUERIES)));
  const least = (a: Expr<"i32">, b: Expr<"i32">) => {
    const x = f.let(a);
    f.if(op("i32.lt_s", b, x), () => f.set(x, b));
    return x;
  };
  const splat = (at: Expr<"i32">) => load(bytes === 4 ? "v128.load32_splat" : "v128.load64_splat", at);
  const [x, o] = [f.local("i32"), f.local("i32")];
  const [i, j0, seen, end] = [f.local("i32"), f.local("i32"), f.local("i32"), f.local("i32")];
  const [top, sum, tail, before] = [0, 0, 0, 0].map(() => f.local("v128"));
  const item = f.let(from);
  f.for(item, to, 1, () => {
    const head = f.let(op("i32.div_s", item, blocks));
    const i0 = f.let(mul(op("i32.rem_s", item, blocks), QUERIES));
    const rows = least(i32(QUERIES), f.let(sub(tq, i0)));
    const qAt = f.let(add(add(q, mul(head, qb)), mul(i0, qr)));
    const kAt = f.let(add(k, mul(head, kb)));
    const vAt = f.let(add(v, mul(head, vb)));
    const oAt = f.let(add(out, mul(add(mul(head, tq), i0), outRow)));
    f.set(i, i32(0));
    f.for(i, rows, 1, () => {
      r.store(add(tops, mul(i, bytes)), lanes.splat(Number.NEGATIVE_INFINITY), true);
      r.store(add(sums, mul(i, bytes)), lanes.splat(0), true);
    });
    f.set(end, tk); // what comes behind the last query of the block is not looked at
    f.if(causal, () => f.set(end, least(tk, f.let(add(i0, rows)))));
    f.set(j0, i32(0));
    f.for(j0, end, KEYS, () => {
      const columns = least(i32(KEYS), f.let(sub(end, j0)));
      const zero = i32(0);
      const keys = f.let(add(kAt, mul(j0, kr)));
      f.call(
        gemm,
        qAt,
        keys,
        scores,
        rows,
        columns,
        d,
        qr,
        qc,
        kc,
        kr,
        stride,
        zero,
        zero,
        zero,
        rows,
        columns,
        zero,
        zero,
        i32(1),
        scratch,
      );
      f.set(i, i32(0));
      f.for(i, rows, 1, () => {
        const row = f.let(add(scores, mul(i, KEYS * bytes)));
        f.set(seen, columns);
        f.if(causal, () => {
          f.set(seen, least(columns, f.let(sub(add(add(i0, i), 1), j0))));
          f.if(op("i32.lt_s", seen, i32(0)), () => f.set(seen, i32(0)));
        });
        f.set(before, splat(add(tops, mul(i, bytes))));
        f.set(top, before);
        r.walk(seen, [[x, row]], (s, single) => {
          const scaled = f.let(lanes.bin("mul", s, scale));
          r.store(x, scaled, single);
          f.set(top, lanes.bin("max", top, scaled));
        });
        r.across(top, (a, b) => lanes.bin("max", a, b));
        f.set(sum, lanes.splat(0));
        f.set(tail, lanes.splat(0));
        r.walk(seen, [[x, row]], (s, single) => {
          const e = f.let(math.exp(lanes, lanes.hold(lanes.bin("sub", s, top))));
          r.store(x, e, single);
          const total = single ? tail : sum;
          f.set(total, lanes.bin("add", total, e));
        });
        r.across(sum, (a, b) => lanes.bin("add", a, b));
        f.set(sum, lanes.bin("add", sum, r.spread(tail)));
        const hidden = f.let(mul(sub(columns, seen), bytes));
        f.fill(add(row, mul(seen, bytes)), i32(0), hidden);
        // what was summed up with a smaller top counts for less now
        f.set(before, math.exp(lanes, lanes.hold(lanes.bin("sub", before, top))));
        const at = add(sums, mul(i, bytes));
        r.store(at, f.let(lanes.bin("add", lanes.bin("mul", splat(at), before), sum)), true);
        r.store(add(tops, mul(i, bytes)), top, true);
        f.if(j0, () =>
          r.walk(dv, [[o, add(oAt, mul(i, outRow))]], (y, single) =>
            r.store(o, lanes.bin("mul", y, before), single),
          ),
        );
      });
      const flags = f.let(mul(op("i32.ne", j0, i32(0)), 2)); // adds from the second block of keys on
      const values = f.let(add(vAt, mul(j0, vr)));
      f.call(
        gemm,
        scores,
        values,
        oAt,
        rows,
        dv,
        columns,
        stride,
        i32(bytes),
        vr,
        vc,
        outRow,
        zero,
        zero,
        zero,
        rows,
        dv,
        flags,
        zero,
        i32(1),
        scratch,
      );
    });
    f.set(i, i32(0));
    f.for(i, rows, 1, () => {
      f.set(sum, splat(add(sums, mul(i, bytes))));
      r.walk(dv, [[o, add(oAt, mul(i, outRow))]], (y, single) =>
        r.store(o, lanes.bin("div", y, sum), single),
      );
    });
  });
}
