/**
 * Products with a matrix that stays the same, packed once: x · W + bias for any number of rows of x. W lies in panels of 16
 * columns, so that a product with one row reads memory from one end to the other, and one with many packs nothing. Each sum runs
 * along k in the same order whatever the number of rows: a row's result is the same to the last bit beside any others.
 */
import { launch, type PoolKernel, SCRATCH_BYTES } from "../../pool/pool.js";
import { type Expr, i32, type Local, load, ModuleBuilder, op } from "../assembler.js";
import { wasmFeatures } from "../features.js";
import { compileKernels } from "../module.js";
import { Lanes } from "../vector.js";
import { K_BLOCK, PANEL_BYTES } from "./gemm-code.js";

const WIDTH = PANEL_BYTES / 4;
const VECTORS = 4;
/** Rows at once, for which a panel's part stays in the first cache and the last panel's results fit the scratch memory. */
const MOST_ROWS = SCRATCH_BYTES / PANEL_BYTES;
const WORTH_A_THREAD = 1e6; // floating-point operations; with few rows they wait for memory

let compiled: PoolKernel | undefined;

/** Elements of a packed matrix. */
export const packedLength = (k: number, n: number): number => Math.ceil(n / WIDTH) * WIDTH * k;

/** Packs a row-major matrix (k, n). */
export function packPanels(weight: Float32Array, k: number, n: number, to: Float32Array): void {
  for (let j = 0, at = 0; j < n; j += WIDTH)
    for (let p = 0; p < k; p++, at += WIDTH)
      for (let q = 0; q < WIDTH; q++) to[at + q] = j + q < n ? weight[p * n + j + q] : 0;
}

/** Addresses; rows of x and the result lie side by side. */
export interface PackedProduct {
  readonly x: number;
  readonly packed: number;
  /** n elements, padded to whole panels. */
  readonly bias: number;
  readonly out: number;
  readonly m: number;
  readonly n: number;
  readonly k: number;
}

export function packedProduct({ x, packed, bias, out, m, n, k }: PackedProduct): void {
  const panels = Math.ceil(n / WIDTH);
  for (let row = 0; row < m; row += MOST_ROWS) {
    const rows = Math.min(MOST_ROWS, m - row);
    const grain = Math.max(1, Math.ceil(WORTH_A_THREAD / (2 * rows * k * WIDTH)));
    launch(kernel(), [x + row * k * 4, packed, bias, out + row * n * 4, rows, n, k], panels, grain);
  }
}

function kernel(): PoolKernel {
  if (!compiled) {
    const module = new ModuleBuilder();
    addPackedProduct(module);
    compiled = compileKernels(module, ["packedProduct"]).packedProduct;
  }
  return compiled;
}

const add = (a: Expr<"i32">, b: Expr<"i32"> | number): Expr<"i32"> =>
  op("i32.add", a, typeof b === "number" ? i32(b) : b);
const sub = (a: Expr<"i32">, b: Expr<"i32">): Expr<"i32"> => op("i32.sub", a, b);
const mul = (a: Expr<"i32">, b: Expr<"i32"> | number): Expr<"i32"> =>
  op("i32.mul", a, typeof b === "number" ? i32(b) : b);

/** packedProduct(x, packed, bias, out, m, n, k | from, to, scratch): items are panels. */
function addPackedProduct(module: ModuleBuilder): void {
  const micro = [1, 2].map((rows) => buildMicro(module, rows));
  module.func("packedProduct", new Array<"i32">(10).fill("i32"), null, (f) => {
    const [x, packed, bias, out, m, n, k, from, to, scratch] = Array.from({ length: 10 }, (_, i) =>
      f.param<"i32">(i),
    );
    const [panel, row, p] = [f.let(from), f.local("i32"), f.local("i32")];
    const [target, step, at, rowAt, depth, b] = [0, 0, 0, 0, 0, 0].map(() => f.local("i32"));
    const even = f.let(op("i32.and", m, i32(-2)));
    f.for(panel, to, 1, () => {
      const left = f.let(sub(n, mul(panel, WIDTH)));
      const whole = f.let(op("i32.ge_s", left, i32(WIDTH)));
      // the last panel may stick out: it is computed aside
      f.if(
        whole,
        () => {
          f.set(target, add(out, mul(panel, PANEL_BYTES)));
          f.set(step, mul(n, 4));
        },
        () => {
          f.set(target, scratch);
          f.set(step, i32(PANEL_BYTES));
        },
      );
      f.set(b, add(packed, mul(mul(panel, PANEL_BYTES), k)));
      const start = f.let(add(bias, mul(panel, PANEL_BYTES)));
      f.set(p, i32(0));
      f.for(p, k, K_BLOCK, () => {
        f.set(depth, sub(k, p));
        f.if(op("i32.gt_s", depth, i32(K_BLOCK)), () => f.set(depth, i32(K_BLOCK)));
        f.set(rowAt, add(x, mul(p, 4)));
        f.set(at, target);
        f.set(row, i32(0));
        const first = op("i32.eqz", p);
        const rows = (count: number) => () => {
          f.call(micro[count - 1], rowAt, mul(k, 4), b, at, step, depth, first, start);
          f.set(rowAt, add(rowAt, mul(k, 4 * count)));
          f.set(at, add(at, mul(step, count)));
        };
        f.for(row, even, 2, rows(2));
        f.for(row, m, 1, rows(1));
        f.set(b, add(b, mul(depth, PANEL_BYTES)));
      });
      f.if(op("i32.eqz", whole), () => {
        f.set(row, i32(0));
        f.for(row, m, 1, () => {
          const place = add(add(out, mul(mul(row, n), 4)), mul(panel, PANEL_BYTES));
          f.copy(place, add(scratch, mul(row, PANEL_BYTES)), mul(left, 4));
        });
      });
    });
  });
}

/** micro(x, xRow, b, c, cRow, k, first, bias): rows × 4 vectors, onto the bias at `first`, else onto what is there. */
function buildMicro(module: ModuleBuilder, rows: number) {
  return module.func(null, new Array<"i32">(8).fill("i32"), null, (f) => {
    const [x, xRow, b, c, cRow, k, first, bias] = Array.from({ length: 8 }, (_, i) => f.param<"i32">(i));
    const lanes = new Lanes(f, "f32x4", wasmFeatures().relaxed);
    const pointers: Local<"i32">[] = [x, ...(rows > 1 ? [f.let(add(x, xRow))] : [])];
    const targets = [c, ...(rows > 1 ? [f.let(add(c, cRow))] : [])];
    const sums = pointers.map(() => Array.from({ length: VECTORS }, () => f.let(lanes.splat(0))));
    const vectors = Array.from({ length: VECTORS }, () => f.local("v128"));
    const p = f.let(i32(0));
    f.for(p, k, 1, () => {
      for (const [v, vector] of vectors.entries()) f.set(vector, load("v128.load", b, v * 16));
      for (const [r, pointer] of pointers.entries()) {
        const value = f.let(load("v128.load32_splat", pointer));
        for (const [v, vector] of vectors.entries()) f.set(sums[r][v], lanes.madd(value, vector, sums[r][v]));
        f.set(pointer, add(pointer, 4));
      }
      f.set(b, add(b, PANEL_BYTES));
    });
    for (const [r, target] of targets.entries()) {
      const onto = f.let(target);
      f.if(first, () => f.set(onto, bias));
      for (const [v, sum] of sums[r].entries())
        f.store("v128.store", target, lanes.bin("add", sum, load("v128.load", onto, v * 16)), v * 16);
    }
  });
}
