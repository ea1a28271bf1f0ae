/** cuBLASLt: products with an epilogue (bias, ReLU, GELU) in the same kernel, chosen by the library's heuristic. */
import { DeviceError } from "../../core/errors.js";
import { ComputeType, DataType, type Product, scalar } from "./cublas.js";
import { CUBLAS_CODES } from "./errors.js";
import { openLibrary } from "./find.js";
import { checkedLibrary, type Library, Out, type RawLibrary } from "./table.js";

export const CUBLASLT = {
  cublasLtCreate: ["host"],
  cublasLtDestroy: ["handle"],
  cublasLtMatmulDescCreate: ["host", "i32", "i32"],
  cublasLtMatmulDescDestroy: ["handle"],
  cublasLtMatmulDescSetAttribute: ["handle", "i32", "host", "size"],
  cublasLtMatrixLayoutCreate: ["host", "i32", "i64", "i64", "i64"],
  cublasLtMatrixLayoutDestroy: ["handle"],
  cublasLtMatrixLayoutSetAttribute: ["handle", "i32", "host", "size"],
  cublasLtMatmulPreferenceCreate: ["host"],
  cublasLtMatmulPreferenceDestroy: ["handle"],
  cublasLtMatmulPreferenceSetAttribute: ["handle", "i32", "host", "size"],
  cublasLtMatmulAlgoGetHeuristic: [
    "handle",
    "handle",
    "handle",
    "handle",
    "handle",
    "handle",
    "handle",
    "i32",
    "host",
    "host",
  ],
  cublasLtMatmul: [
    "handle",
    "handle",
    "host",
    "handle",
    "handle",
    "handle",
    "handle",
    "host",
    "handle",
    "handle",
    "handle",
    "handle",
    "host",
    "handle",
    "size",
    "handle",
  ],
} as const;

export type CublasLt = Library<typeof CUBLASLT>;
export type RawCublasLt = RawLibrary<typeof CUBLASLT>;

/** `cublasLtEpilogue_t`; the bias has one element per column of the row-major result. */
export const Epilogue = { none: 1, relu: 2, bias: 4, reluBias: 6, gelu: 32, geluBias: 36 } as const;

/** `cublasLtMatmulDescAttributes_t`, `cublasLtMatrixLayoutAttribute_t`, `cublasLtMatmulPreferenceAttributes_t` */
const DESC = { transA: 3, transB: 4, epilogue: 7, biasPointer: 8 } as const;
const LAYOUT = { batchCount: 5, batchStride: 6 } as const;
const PREFERENCE = { workspaceBytes: 1 } as const;
/** Bytes of `cublasLtMatmulHeuristicResult_t`: the algorithm (64), workspace size, status, waves, reserved. */
const HEURISTIC_BYTES = 96;

export const checkedCublasLt = (raw: RawCublasLt): CublasLt => checkedLibrary(CUBLASLT, raw, CUBLAS_CODES);

let found: CublasLt | string | undefined;

/** cuBLASLt of this machine, or what is missing and how to get it. Looks once. */
export function findCublasLt(): CublasLt | string {
  found ??= openLibrary("cublasLt", CUBLASLT, CUBLAS_CODES);
  return found;
}

export interface FusedProduct extends Product {
  readonly epilogue: keyof typeof Epilogue;
  /** Address of n elements of C's dtype, where the epilogue has a bias. */
  readonly bias?: number;
}

export class BlasLt {
  readonly handle: number;

  constructor(readonly api: CublasLt) {
    const out = new Out();
    api.cublasLtCreate(out.at);
    this.handle = out.word();
  }

  /**
   * Enqueues epilogue(alpha·A·B + beta·C), row-major by the same swap as `Blas.matmul`.
   * @param workspace device memory that the product may use while it runs
   * @throws DeviceError if the library has no algorithm for this product.
   */
  matmul(product: FusedProduct, stream: number, workspace: { address: number; bytes: number }): void {
    const { m, n, k, a, b, c, batch = 1, compute, alpha = 1, beta = 0, epilogue, bias } = product;
    const { api } = this;
    const made: (() => void)[] = [];
    const layout = (rows: number, columns: number, x: typeof a): number => {
      const out = new Out();
      const [r, q] = x.transposed ? [columns, rows] : [rows, columns];
      api.cublasLtMatrixLayoutCreate(out.at, DataType[x.dtype], r, q, x.ld);
      const handle = out.word();
      made.push(() => api.cublasLtMatrixLayoutDestroy(handle));
      if (batch > 1) {
        api.cublasLtMatrixLayoutSetAttribute(handle, LAYOUT.batchCount, int32(batch), 4);
        api.cublasLtMatrixLayoutSetAttribute(handle, LAYOUT.batchStride, int64(x.stride ?? 0), 8);
      }
      return handle;
    };
    try {
      const out = new Out();
      const scale = compute === "float64" ? DataType.float64 : compute === "float16" ? DataType.float16 : 0;
      api.cublasLtMatmulDescCreate(out.at, ComputeType[compute], scale);
      const desc = out.word();
      made.push(() => api.cublasLtMatmulDescDestroy(desc));
      const set = (attribute: number, value: ArrayBufferView, bytes: number) =>
        api.cublasLtMatmulDescSetAttribute(desc, attribute, value, bytes);
      set(DESC.transA, int32(b.transposed ? 1 : 0), 4);
      set(DESC.transB, int32(a.transposed ? 1 : 0), 4);
      set(DESC.epilogue, int32(Epilogue[epilogue]), 4);
      if (bias !== undefined) set(DESC.biasPointer, int64(bias), 8);
      // Column-major view: rows and columns change places, and so do A and B.
      const [left, right, result] = [layout(n, k, b), layout(k, m, a), layout(n, m, c)];
      api.cublasLtMatmulPreferenceCreate(out.at);
      const preference = out.word();
      made.push(() => api.cublasLtMatmulPreferenceDestroy(preference));
      api.cublasLtMatmulPreferenceSetAttribute(
        preference,
        PREFERENCE.workspaceBytes,
        int64(workspace.bytes),
        8,
      );
      const heuristic = new Uint8Array(new ArrayBuffer(Math.max(128, HEURISTIC_BYTES)));
      const count = new Out();
      api.cublasLtMatmulAlgoGetHeuristic(
        this.handle,
        desc,
        left,
        right,
        result,
        result,
        preference,
        1,
        heuristic,
        count.at,
      );
      if (count.int() === 0)
        throw new DeviceError(`cuBLASLt has no algorithm for ${m}×${k} by ${k}×${n} with ${epilogue}`);
      api.cublasLtMatmul(
        this.handle,
        desc,
        scalar(alpha, compute),
        b.address,
        left,
        a.address,
        right,
        scalar(beta, compute),
        c.address,
        result,
        c.address,
        result,
        heuristic,
        workspace.address,
        workspace.bytes,
        stream,
      );
    } finally {
      for (const destroy of made.reverse()) destroy();
    }
  }

  [Symbol.dispose](): void {
    this.api.cublasLtDestroy(this.handle);
  }
}

function int32(value: number): ArrayBufferView {
  const place = new Int32Array(new ArrayBuffer(128));
  place[0] = value;
  return place;
}

function int64(value: number): ArrayBufferView {
  const place = new BigInt64Array(new ArrayBuffer(128));
  place[0] = BigInt(value);
  return place;
}
