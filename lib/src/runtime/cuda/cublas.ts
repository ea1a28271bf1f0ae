/** cuBLAS: matrix products by handle, and the swap that gives row-major products from a column-major library. */
import { CUBLAS_CODES } from "./errors.js";
import { openLibrary } from "./find.js";
import { checkedLibrary, type Library, Out, type RawLibrary } from "./table.js";

export const CUBLAS = {
  cublasCreate_v2: ["host"],
  cublasDestroy_v2: ["handle"],
  cublasGetVersion_v2: ["handle", "host"],
  cublasSetStream_v2: ["handle", "handle"],
  cublasSetWorkspace_v2: ["handle", "handle", "size"],
  cublasSetMathMode: ["handle", "i32"],
  cublasSgemm_v2: [
    "handle",
    "i32",
    "i32",
    "i32",
    "i32",
    "i32",
    "host",
    "handle",
    "i32",
    "handle",
    "i32",
    "host",
    "handle",
    "i32",
  ],
  cublasGemmEx: [
    "handle",
    "i32",
    "i32",
    "i32",
    "i32",
    "i32",
    "host",
    "handle",
    "i32",
    "i32",
    "handle",
    "i32",
    "i32",
    "host",
    "handle",
    "i32",
    "i32",
    "i32",
    "i32",
  ],
  cublasGemmStridedBatchedEx: [
    "handle",
    "i32",
    "i32",
    "i32",
    "i32",
    "i32",
    "host",
    "handle",
    "i32",
    "i32",
    "i64",
    "handle",
    "i32",
    "i32",
    "i64",
    "host",
    "handle",
    "i32",
    "i32",
    "i64",
    "i32",
    "i32",
    "i32",
  ],
} as const;

export type Cublas = Library<typeof CUBLAS>;
export type RawCublas = RawLibrary<typeof CUBLAS>;

/** `cudaDataType` (library_types.h) */
export const DataType = { float32: 0, float64: 1, float16: 2, bfloat16: 14 } as const;
export type BlasType = keyof typeof DataType;

/**
 * How products are accumulated, as `cublasComputeType_t`. The inputs' dtype says what is multiplied; `tf32` rounds float32
 * inputs to 10 bits of mantissa for tensor cores, `bf16x1` to bfloat16.
 */
export const ComputeType = { float32: 68, float64: 70, float16: 64, tf32: 77, bf16x1: 75 } as const;
export type Compute = keyof typeof ComputeType;

/** `cublasOperation_t` */
const NO_TRANSPOSE = 0;
const TRANSPOSE = 1;
/** `CUBLAS_GEMM_DEFAULT` */
const DEFAULT_ALGORITHM = -1;

/** A row-major matrix on the device. */
export interface BlasMatrix {
  readonly address: number;
  readonly dtype: BlasType;
  /** Elements from one row in memory to the next. */
  readonly ld: number;
  /** The operand is the transpose of what is in memory. Default false. */
  readonly transposed?: boolean;
  /** Elements from one matrix of the batch to the next; 0 repeats one matrix. Default 0. */
  readonly stride?: number;
}

/** C[m, n] = alpha·A[m, k]·B[k, n] + beta·C, for each of `batch` matrices; all row-major. */
export interface Product {
  readonly m: number;
  readonly n: number;
  readonly k: number;
  readonly a: BlasMatrix;
  readonly b: BlasMatrix;
  readonly c: BlasMatrix;
  /** Default 1. */
  readonly batch?: number;
  readonly compute: Compute;
  /** Default 1. */
  readonly alpha?: number;
  /** Default 0: C is only written. */
  readonly beta?: number;
}

export const checkedCublas = (raw: RawCublas): Cublas => checkedLibrary(CUBLAS, raw, CUBLAS_CODES);

let found: Cublas | string | undefined;

/** cuBLAS of this machine, or what is missing and how to get it. Looks once. */
export function findCublas(): Cublas | string {
  found ??= openLibrary("cublas", CUBLAS, CUBLAS_CODES);
  return found;
}

/** A scalar of the type that the accumulation has. */
export function scalar(value: number, compute: Compute): ArrayBufferView {
  const place = new ArrayBuffer(128);
  if (compute === "float64") new Float64Array(place)[0] = value;
  else if (compute === "float16") new Uint16Array(place)[0] = halfBits(value);
  else new Float32Array(place)[0] = value;
  return new Uint8Array(place);
}

/** float16 of 0, 1 and other small numbers that it holds exactly. */
function halfBits(value: number): number {
  if (value === 0) return 0;
  const exponent = Math.floor(Math.log2(Math.abs(value)));
  const mantissa = Math.round((Math.abs(value) / 2 ** exponent - 1) * 1024);
  return (value < 0 ? 0x8000 : 0) | ((exponent + 15) << 10) | mantissa;
}

/** A handle of the library, on one stream of one context. */
export class Blas {
  readonly handle: number;
  private stream: number | null = null;

  constructor(readonly api: Cublas) {
    const out = new Out();
    api.cublasCreate_v2(out.at);
    this.handle = out.word();
  }

  /** Later products run on this stream. */
  setStream(stream: number): void {
    if (stream === this.stream) return;
    this.api.cublasSetStream_v2(this.handle, stream);
    this.stream = stream;
  }

  /** Device memory for the library's own use; set it before a capture, which must not allocate. `setStream` drops it. */
  setWorkspace(address: number, bytes: number): void {
    this.api.cublasSetWorkspace_v2(this.handle, address, bytes);
  }

  /**
   * Enqueues a row-major product. The library is column-major, and a row-major matrix read so is its transpose: it is asked
   * for Cᵀ = Bᵀ·Aᵀ, which is C in row-major order, so that nothing is transposed in memory.
   */
  matmul(product: Product): void {
    const { m, n, k, a, b, c, batch = 1, compute, alpha = 1, beta = 0 } = product;
    const operation = (x: BlasMatrix) => (x.transposed ? TRANSPOSE : NO_TRANSPOSE);
    const one = scalar(alpha, compute);
    const zero = scalar(beta, compute);
    const type = (x: BlasMatrix) => DataType[x.dtype];
    if (batch === 1) {
      this.api.cublasGemmEx(
        this.handle,
        operation(b),
        operation(a),
        n,
        m,
        k,
        one,
        b.address,
        type(b),
        b.ld,
        a.address,
        type(a),
        a.ld,
        zero,
        c.address,
        type(c),
        c.ld,
        ComputeType[compute],
        DEFAULT_ALGORITHM,
      );
      return;
    }
    this.api.cublasGemmStridedBatchedEx(
      this.handle,
      operation(b),
      operation(a),
      n,
      m,
      k,
      one,
      b.address,
      type(b),
      b.ld,
      b.stride ?? 0,
      a.address,
      type(a),
      a.ld,
      a.stride ?? 0,
      zero,
      c.address,
      type(c),
      c.ld,
      c.stride ?? 0,
      batch,
      ComputeType[compute],
      DEFAULT_ALGORITHM,
    );
  }

  [Symbol.dispose](): void {
    this.api.cublasDestroy_v2(this.handle);
  }
}
