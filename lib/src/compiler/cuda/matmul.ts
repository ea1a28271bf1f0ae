/** Matrix products: cuBLAS where it is, and our own kernels where it is not; batches in as few calls as strides allow. */
import { bytesPerElement, type DType } from "../../core/dtype.js";
import { broadcastLayout } from "../../core/layout.js";
import { sizeOf } from "../../core/shape.js";
import type { BlasMatrix, BlasType, Compute } from "../../runtime/cuda/cublas.js";
import { forEachOffset, mergeBatch } from "../../runtime/wasm/kernels/matmul.js";
import { cuda } from "./device.js";
import { copy } from "./elementwise.js";
import { mmaGemmKernel } from "./kernels/gemm-mma.js";
import { sgemmKernel } from "./kernels/gemm-simt.js";
import type { GemmCall } from "./kernels/kernel.js";
import { type CudaArray, type CudaOp, computed, fits } from "./types.js";
import { KernelWriter } from "./writer.js";

/**
 * How float32 products are computed: "highest" in float32, "high" by tensor cores from operands rounded to tf32 (10 bits of
 * mantissa), as PyTorch's `set_float32_matmul_precision`.
 */
export type MatmulPrecision = "highest" | "high";
let precision: MatmulPrecision = "highest";

/**
 * Says how float32 products are computed on the cuda device from now on. Default "highest".
 * @example compiler.cuda.setMatmulPrecision("highest")
 */
export function setMatmulPrecision(wanted: MatmulPrecision): void {
  precision = wanted;
}

const BLAS_TYPES: ReadonlySet<DType> = new Set(["float32", "float64", "float16", "bfloat16"]);

const computeOf = (dtype: DType): Compute => {
  if (dtype === "float64") return "float64";
  return dtype === "float32" && precision === "high" ? "tf32" : "float32";
};

/** Operands as matrices with strides of a batch; null if neither rows nor columns lie densely. */
interface Operand {
  readonly offset: number;
  readonly ld: number;
  readonly transposed: boolean;
  readonly batch: readonly number[];
}

function operandOf(x: CudaArray, dims: readonly number[]): Operand | null {
  const [rows, columns] = x.shape.slice(-2);
  const full = broadcastLayout(x, [...dims, rows, columns], "matmul");
  const [r, c] = full.strides.slice(-2);
  const batch = full.strides.slice(0, -2);
  if (batch.some((stride) => stride < 0)) return null;
  if ((c === 1 || columns === 1) && (rows === 1 || r >= columns))
    return { offset: x.offset, ld: rows === 1 ? Math.max(1, columns) : r, transposed: false, batch };
  if ((r === 1 || rows === 1) && (columns === 1 || c >= rows))
    return { offset: x.offset, ld: columns === 1 ? Math.max(1, rows) : c, transposed: true, batch };
  return null;
}

/** The operand, or a dense copy of it for as long as `use` enqueues work. */
function dense(x: CudaArray, dims: readonly number[], use: (x: CudaArray, o: Operand) => void): void {
  const operand = operandOf(x, dims);
  if (operand) {
    use(x, operand);
    return;
  }
  const strides = x.shape.map((_, i) => sizeOf(x.shape.slice(i + 1)));
  const block = cuda().allocate(sizeOf(x.shape) * bytesPerElement(x.dtype));
  try {
    const packed: CudaArray = { ...x, strides, offset: 0, handle: block, length: sizeOf(x.shape) };
    copy("pack", x, packed);
    use(packed, operandOf(packed, dims) as Operand);
  } finally {
    cuda().free(block);
  }
}

function product(a: CudaArray, b: CudaArray, out: CudaArray): void {
  const [m, n] = out.shape.slice(-2);
  const k = a.shape[a.shape.length - 1];
  const dims = out.shape.slice(0, -2);
  if (sizeOf(out.shape) === 0) return;
  if (k === 0) {
    const { context } = cuda();
    context.driver.cuMemsetD8Async(out.handle.address, 0, out.handle.size, context.stream.handle);
    return;
  }
  dense(a, dims, (x, p) =>
    dense(b, dims, (y, q) => {
      const outBatch = dims.map((_, d) => sizeOf(dims.slice(d + 1)) * m * n);
      const [count, last] = mergeBatch(dims, [p.batch, q.batch, outBatch]);
      const bytes = bytesPerElement(out.dtype);
      forEachOffset(dims.slice(0, last.merged), [p.batch, q.batch, outBatch], ([i, j, l]) => {
        const matrix = (z: CudaArray, o: Operand, at: number, which: number): BlasMatrix => ({
          address: z.handle.address + (o.offset + at) * bytes,
          dtype: z.dtype as BlasType,
          ld: o.ld,
          transposed: o.transposed,
          stride: last.strides[which],
        });
        run({
          a: matrix(x, p, i, 0),
          b: matrix(y, q, j, 1),
          c: {
            address: out.handle.address + (out.offset + l) * bytes,
            dtype: out.dtype as BlasType,
            ld: n,
            stride: last.strides[2],
          },
          m,
          n,
          k,
          batch: count,
        });
      });
    }),
  );
}

/** Blocks along z of a grid. */
const MOST_BATCH = 65535;

interface Work {
  readonly a: BlasMatrix;
  readonly b: BlasMatrix;
  readonly c: BlasMatrix;
  readonly m: number;
  readonly n: number;
  readonly k: number;
  readonly batch: number;
}

function run(work: Work): void {
  const { blas } = cuda();
  if (blas) blas.matmul({ ...work, compute: computeOf(work.c.dtype) });
  else if (!own(work)) simple(work);
}

/** A product by our scheduled kernels, if they take it. */
function own({ a, b, c, m, n, k, batch }: Work): boolean {
  const contiguous =
    !a.transposed && !b.transposed && a.ld === k && b.ld === n && (batch === 1 || c.stride === m * n);
  if (!contiguous || c.dtype === "float64" || batch > MOST_BATCH) return false;
  const call: GemmCall = {
    ...{ a: a.address, b: b.address, c: c.address, m, n, k, batch },
    ...{ strideA: a.stride, strideB: b.stride },
  };
  const piece = c.dtype === "float32" ? 4 : 8;
  const aligned =
    [n, k].every((x) => x % piece === 0) &&
    [a.stride ?? 0, b.stride ?? 0].every((x) => x % piece === 0) &&
    (a.address | b.address) % 16 === 0;
  if (c.dtype !== "float32" && !aligned) return false;
  const kernel =
    c.dtype === "float32" ? sgemmKernel(aligned) : mmaGemmKernel({ input: c.dtype, output: c.dtype });
  cuda().launch(kernel.source, kernel.name, kernel.launch(call), kernel.arguments(call));
  return true;
}

/** Any other product without cuBLAS: a thread per element. */
function simple({ a, b, c, m, n, k, batch }: Work): void {
  const w = new KernelWriter("mlsys_matmul_any");
  const type = computed(c.dtype);
  const array = (x: BlasMatrix): CudaArray => ({
    ...{ shape: [], strides: [], offset: 0, dtype: x.dtype, length: 0 },
    handle: { address: x.address } as CudaArray["handle"],
  });
  const at = (x: BlasMatrix, r: string, q: string): string =>
    `z * ${w.int(x.stride ?? 0)} + ${x.transposed ? `${q} * ${w.int(x.ld)} + ${r}` : `${r} * ${w.int(x.ld)} + ${q}`}`;
  const { text } = w.coordinates([batch, m, n], "i", "c");
  const [p, q] = [w.input(array(a))(at(a, "c1", "l")), w.input(array(b))(at(b, "l", "c2"))];
  w.run(
    batch * m * n,
    `    ${text}const int z = c0; ${type} s = 0;
    for (int l = 0; l < ${w.int(k)}; l++) s += ${p} * ${q};
    ${w.output(array(c))(at(c, "c1", "c2"), "s")}`,
  );
}

export const matmulOp: CudaOp<object> = {
  op: "matmul",
  supports: (inputs, outputs) =>
    fits([...inputs, ...outputs]) &&
    [...inputs, ...outputs].every((x) => x.dtype === inputs[0].dtype) &&
    BLAS_TYPES.has(inputs[0].dtype),
  run: ([a, b], [out]) => product(a, b, out),
};
