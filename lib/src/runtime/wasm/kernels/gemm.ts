/** Matrix products of strided operands: which kernel, which blocks, how many threads. matmul and the convolutions call this. */
import { getDevice } from "../../devices.js";
import { getNumThreads, launch, type PoolKernel } from "../../pool/pool.js";
import { wasmFeatures } from "../features.js";
import { compileKernels } from "../module.js";
import { type GemmType, gemmModule, MAX_COLUMNS, MAX_ROWS, PANEL_BYTES } from "./gemm-code.js";

/** A matrix in memory: address of element (0, 0), and strides in elements. `batch`: to the next matrix. */
export interface Matrix {
  readonly ptr: number;
  readonly rows: number;
  readonly columns: number;
  readonly batch: number;
}

type Kernels = Record<"gemm" | "dots", PoolKernel>;

const WORTH_A_THREAD = 2e6; // floating-point operations: some 50 µs
const DIRECT_ROWS = 4; // with so few rows, packing B costs more than it saves
const compiled = new Map<GemmType, Kernels>();

/** A device's own matrix product; returns false if it does not take these operands. */
export type Product = (
  type: GemmType,
  sizes: readonly [m: number, n: number, k: number],
  a: Matrix,
  b: Matrix,
  c: Matrix,
  count: number,
  accumulate: boolean,
) => boolean;

const products = new Map<string, Product>();

/** On this device matmul and the convolutions use another product than the one here. */
export function registerProduct(device: string, product: Product): void {
  products.set(device, product);
}

/** True if the device in use has a product of its own. */
export const hasOwnProduct = (): boolean => products.has(getDevice());

/**
 * c = a · b for a batch of `count` products: a is m × k, b k × n, c m × n with contiguous rows (`c.columns` is 1).
 * c must not overlap a or b. `accumulate` adds to what c holds.
 */
export function gemm(
  type: GemmType,
  [m, n, k]: readonly [number, number, number],
  a: Matrix,
  b: Matrix,
  c: Matrix,
  count = 1,
  accumulate = false,
): void {
  prepareGemm(type, [m, n, k], a, b, c, count, accumulate)?.launch(a.ptr, b.ptr, c.ptr);
}

/** A product whose blocks and arguments are decided: only the addresses may change. */
export interface PreparedGemm {
  launch(a: number, b: number, c: number): void;
}

/** `null` if the product has no elements. */
export function prepareGemm(
  type: GemmType,
  size: readonly [number, number, number],
  a: Matrix,
  b: Matrix,
  c: Matrix,
  count = 1,
  accumulate = false,
): PreparedGemm | null {
  const plan = planGemm(type, size, a, b, c, count, accumulate);
  if (!plan) return null;
  const { rest, items, grain, align, swapped } = plan;
  const own = products.get(getDevice());
  const kernel = kernelsFor(type)[plan.kernel];
  const args = [0, 0, 0, ...rest];
  return {
    launch(x, y, z) {
      const at = (matrix: Matrix, ptr: number): Matrix => ({ ...matrix, ptr });
      if (own?.(type, size, at(a, x), at(b, y), at(c, z), count, accumulate)) return;
      args[0] = swapped ? y : x;
      args[1] = swapped ? x : y;
      args[2] = z;
      launch(kernel, args, items, grain, align);
    },
  };
}

/** How a product is to be launched. */
export interface GemmPlan {
  readonly kernel: keyof Kernels;
  /** Arguments behind the three addresses. */
  readonly rest: readonly number[];
  readonly items: number;
  readonly grain: number;
  readonly align: number;
  /** The transposed problem is computed: a and b change places. */
  readonly swapped: boolean;
}

/** Which kernel, which blocks, how many threads; `null` if the product has no elements. */
export function planGemm(
  type: GemmType,
  [m, n, k]: readonly [number, number, number],
  a: Matrix,
  b: Matrix,
  c: Matrix,
  count: number,
  accumulate: boolean,
): GemmPlan | null {
  if (m === 0 || n === 0 || count === 0) return null;
  const bytes = type === "float32" ? 4 : 8;
  const s = (stride: number) => stride * bytes;
  const flops = 2 * m * n * k;
  if (count === 1 && k > 0 && !accumulate) {
    if (m <= DIRECT_ROWS && a.columns === 1 && b.rows === 1 && b.columns !== 1) {
      const rest = [m, n, k, s(a.rows), s(b.columns), s(c.rows), bytes];
      return { kernel: "dots", rest, items: n, grain: grainOf(flops, n), align: 4, swapped: false };
    }
    if (n === 1 && a.columns === 1 && b.rows === 1) {
      // The transposed problem: one row b', columns of a' are the rows of a.
      const rest = [1, m, k, 0, s(a.rows), bytes, s(c.rows)];
      return { kernel: "dots", rest, items: m, grain: grainOf(flops, m), align: 4, swapped: true };
    }
  }
  const [rows, columns] = blocks(type, m, n, flops, count);
  const tiles = count * Math.ceil(m / rows) * Math.ceil(n / columns);
  const flags = (rows <= DIRECT_ROWS && b.columns === 1 ? 1 : 0) + (accumulate ? 2 : 0);
  const rest = [
    ...[m, n, k],
    ...[s(a.rows), s(a.columns), s(b.rows), s(b.columns), s(c.rows), s(a.batch), s(b.batch), s(c.batch)],
    ...[rows, columns, flags],
  ];
  const grain = grainOf(flops * count, tiles);
  return { kernel: "gemm", rest, items: tiles, grain, align: 1, swapped: false };
}

/** How many items make a piece of work that is worth a thread. */
function grainOf(flops: number, items: number): number {
  return Math.max(1, Math.ceil((WORTH_A_THREAD * items) / Math.max(flops, 1)));
}

/** Rows and columns of a block: large enough to repay packing, small enough to give each thread some. */
function blocks(
  type: GemmType,
  m: number,
  n: number,
  flops: number,
  count: number,
): readonly [number, number] {
  let rows = Math.min(m, MAX_ROWS);
  let columns = Math.min(n, MAX_COLUMNS[type] / 2);
  const width = PANEL_BYTES / (type === "float32" ? 4 : 8);
  const wanted = Math.min(getNumThreads() * 2, Math.floor((flops * count) / WORTH_A_THREAD));
  const tiles = () => count * Math.ceil(m / rows) * Math.ceil(n / columns);
  while (tiles() < wanted && columns > 4 * width) columns = Math.ceil(columns / 2 / width) * width;
  while (tiles() < wanted && rows > 16) rows = Math.ceil(rows / 4) * 2;
  return [rows, columns];
}

function kernelsFor(type: GemmType): Kernels {
  let kernels = compiled.get(type);
  if (!kernels) {
    kernels = compileKernels(gemmModule(type, wasmFeatures().relaxed), ["gemm", "dots"]);
    compiled.set(type, kernels);
  }
  return kernels;
}
