/** matmul on the wasm device: batches are folded into one call where their strides allow it. */
import { bytesPerElement } from "../../../core/dtype.js";
import { broadcastLayout } from "../../../core/layout.js";
import { sizeOf } from "../../../core/shape.js";
import type { HostArray } from "../../host-array.js";
import type { DeviceKernel } from "../../kernels.js";
import { gemm, type Matrix, prepareGemm } from "./gemm.js";
import type { GemmType } from "./gemm-code.js";

export const matmulKernel: DeviceKernel<object> = {
  op: "matmul",
  launches: true,
  supports: ([a, b]) => (a.dtype === "float32" || a.dtype === "float64") && b.dtype === a.dtype,
  run([a, b], [out]) {
    if (a.shape[a.shape.length - 1] === 0) {
      out.data.fill(0, out.offset, out.offset + sizeOf(out.shape));
      return;
    }
    const { calls, type } = products(a, b, out);
    for (const [size, p, q, r, count] of calls) gemm(type, size, p, q, r, count);
  },
  prepare([a, b], [out]) {
    if (a.shape[a.shape.length - 1] === 0) return null;
    const { calls, type } = products(a, b, out);
    const work = calls.map(([size, p, q, r, count]) => ({
      product: prepareGemm(type, size, p, q, r, count),
      offsets: [p.ptr - a.ptr, q.ptr - b.ptr, r.ptr - out.ptr] as const,
    }));
    const run = (): void => {
      for (const { product, offsets } of work)
        product?.launch(a.ptr + offsets[0], b.ptr + offsets[1], out.ptr + offsets[2]);
    };
    return { run };
  },
};

export type Product = readonly [
  size: readonly [m: number, n: number, k: number],
  a: Matrix,
  b: Matrix,
  c: Matrix,
  count: number,
];

/** As few products of batches as the strides allow. */
export function products(a: HostArray, b: HostArray, out: HostArray): { calls: Product[]; type: GemmType } {
  const rank = out.shape.length;
  const [m, n] = [out.shape[rank - 2], out.shape[rank - 1]];
  const k = a.shape[a.shape.length - 1];
  const dims = out.shape.slice(0, -2);
  const x = matrixOf(a, dims);
  const y = matrixOf(b, dims);
  const z = matrixOf(out, dims);
  const [count, last] = mergeBatch(dims, [x.batch, y.batch, z.batch]);
  const rest = dims.slice(0, last.merged);
  const strides = [last.strides[0], last.strides[1], last.strides[2]];
  const calls: Product[] = [];
  forEachOffset(rest, [x.batch, y.batch, z.batch], (offsets) => {
    const at = (matrix: Strided, i: number): Matrix => ({
      ptr: matrix.ptr + offsets[i] * matrix.bytes,
      rows: matrix.rows,
      columns: matrix.columns,
      batch: strides[i],
    });
    const [p, q, r] = [at(x, 0), at(y, 1), at(z, 2)];
    // One tall product instead of many: B is shared and the rows of A go on evenly.
    if (count > 1 && q.batch === 0 && p.batch === m * p.rows && r.batch === m * r.rows)
      calls.push([[m * count, n, k], p, q, r, 1]);
    else calls.push([[m, n, k], p, q, r, count]);
  });
  return { calls, type: out.dtype as GemmType };
}

interface Strided {
  readonly ptr: number;
  readonly bytes: number;
  readonly rows: number;
  readonly columns: number;
  /** Strides of the batch axes. */
  readonly batch: readonly number[];
}

function matrixOf(x: HostArray, dims: readonly number[]): Strided {
  const rank = x.shape.length;
  const full = broadcastLayout(x, [...dims, x.shape[rank - 2], x.shape[rank - 1]], "matmul");
  const bytes = bytesPerElement(x.dtype);
  const [rows, columns] = full.strides.slice(-2);
  return {
    ptr: x.ptr + x.offset * bytes,
    bytes,
    // An axis of size 1 may have any stride; the kernels like contiguous ones.
    rows,
    columns: x.shape[rank - 1] === 1 ? 1 : columns,
    batch: full.strides.slice(0, -2),
  };
}

/** Merges as many trailing batch axes as step evenly in every operand. `merged`: the first merged axis. */
export function mergeBatch(
  dims: readonly number[],
  strides: readonly (readonly number[])[],
): [number, { merged: number; strides: readonly number[] }] {
  let at = dims.length;
  let count = 1;
  let steps = strides.map(() => 0);
  while (at > 0) {
    const next = strides.map((s) => s[at - 1]);
    const fits = count === 1 || dims[at - 1] === 1 || next.every((s, i) => s === steps[i] * count);
    if (!fits) break;
    if (count === 1) steps = next;
    count *= dims[at - 1];
    at--;
  }
  return [count, { merged: at, strides: steps }];
}

export function forEachOffset(
  dims: readonly number[],
  strides: readonly (readonly number[])[],
  visit: (offsets: readonly number[]) => void,
): void {
  const go = (axis: number, offsets: readonly number[]): void => {
    if (axis === dims.length) {
      visit(offsets);
      return;
    }
    for (let i = 0; i < dims[axis]; i++)
      go(
        axis + 1,
        offsets.map((o, s) => o + i * strides[s][axis]),
      );
  };
  go(
    0,
    strides.map(() => 0),
  );
}
