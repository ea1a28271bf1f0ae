/** cuBLAS for tests: column-major products computed on the host in double precision, in the order of a stream. */

import type { RawCublas } from "../../../src/runtime/cuda/cublas.js";
import type { FakeDriver } from "./fake-driver.js";
import { decodeHalf, encodeHalf } from "./half.js";

type Host = number | ArrayBufferView | null;

const BYTES: Readonly<Record<number, number>> = { 0: 4, 1: 8, 2: 2, 14: 2 };
/** Compute types, and the type that alpha and beta have. */
const SCALE: Readonly<Record<number, number>> = { 64: 2, 68: 0, 70: 1, 77: 0, 75: 0 };

interface Gemm {
  readonly transA: number;
  readonly transB: number;
  readonly m: number;
  readonly n: number;
  readonly k: number;
  readonly alpha: Host;
  readonly beta: Host;
  readonly a: readonly [address: number, type: number, ld: number, stride: number];
  readonly b: readonly [address: number, type: number, ld: number, stride: number];
  readonly c: readonly [address: number, type: number, ld: number, stride: number];
  readonly batch: number;
  readonly compute: number;
}

export function fakeCublas(driver: FakeDriver): RawCublas {
  const handles = new Map<number, number>(); // to its stream
  let next = 0;
  const { memory } = driver;
  const hostBytes = (host: Host, bytes: number): Uint8Array =>
    typeof host === "number"
      ? memory.read(host, bytes)
      : new Uint8Array((host as ArrayBufferView).buffer, (host as ArrayBufferView).byteOffset, bytes);
  const gemm = (handle: number, g: Gemm): number => {
    const streamHandle = handles.get(handle);
    const stream = streamHandle === undefined ? null : driver.stream(streamHandle);
    if (!stream) return 1;
    const { m, n, k, batch, compute } = g;
    driver.calls.push(`cublasGemm ${compute}`);
    if (m < 0 || n < 0 || k < 0 || batch < 0 || SCALE[compute] === undefined) return 7;
    const operand = (trans: number, rows: number, columns: number, ld: number) =>
      ld >= Math.max(1, trans ? columns : rows);
    if (!operand(g.transA, m, k, g.a[2]) || !operand(g.transB, k, n, g.b[2]) || g.c[2] < Math.max(1, m))
      return 7;
    if (g.a[1] !== g.b[1] || (g.a[1] === 1) !== (compute === 70)) return 15;
    const scale = SCALE[compute];
    const alpha = decode(hostBytes(g.alpha, 8), scale)[0];
    const beta = decode(hostBytes(g.beta, 8), scale)[0];
    const span = (x: Gemm["a"], trans: number, rows: number, columns: number) => {
      const [r, q] = trans ? [columns, rows] : [rows, columns];
      return (x[2] * (q - 1) + r + x[3] * (batch - 1)) * BYTES[x[1]];
    };
    if (m === 0 || n === 0 || batch === 0) return 0;
    const ranges = [
      ...(k > 0
        ? [
            driver.range(g.a[0], span(g.a, g.transA, m, k), false, "cublasGemm, A"),
            driver.range(g.b[0], span(g.b, g.transB, k, n), false, "cublasGemm, B"),
          ]
        : []),
      driver.range(g.c[0], span(g.c, 0, m, n), true, "cublasGemm, C"),
    ];
    driver.enqueue(stream, {
      kind: "cublasGemm",
      shape: "cublasGemm",
      ranges,
      run: () => computeNow(g, alpha, beta),
    });
    return 0;
  };
  const computeNow = (g: Gemm, alpha: number, beta: number): void => {
    const { m, n, k, batch } = g;
    const read = (x: Gemm["a"], trans: number, rows: number, columns: number, i: number) => {
      const [r, q] = trans ? [columns, rows] : [rows, columns];
      const count = Math.max(0, x[2] * (q - 1) + r);
      return decode(memory.read(x[0] + i * x[3] * BYTES[x[1]], count * BYTES[x[1]]), x[1]);
    };
    for (let i = 0; i < batch; i++) {
      const a = k > 0 ? read(g.a, g.transA, m, k, i) : [];
      const b = k > 0 ? read(g.b, g.transB, k, n, i) : [];
      const c = read(g.c, 0, m, n, i);
      const out = Float64Array.from(c);
      for (let column = 0; column < n; column++)
        for (let row = 0; row < m; row++) {
          let sum = 0;
          for (let l = 0; l < k; l++)
            sum +=
              a[g.transA ? row * g.a[2] + l : l * g.a[2] + row] *
              b[g.transB ? l * g.b[2] + column : column * g.b[2] + l];
          const at = column * g.c[2] + row;
          out[at] = alpha * sum + (beta === 0 ? 0 : beta * c[at]);
        }
      memory.write(g.c[0] + i * g.c[3] * BYTES[g.c[1]], encode(out, g.c[1]));
    }
  };
  return {
    cublasCreate_v2: (out) => {
      handles.set(++next, 0);
      (out as BigUint64Array)[0] = BigInt(next);
      return 0;
    },
    cublasDestroy_v2: (handle) => (handles.delete(handle) ? 0 : 1),
    cublasGetVersion_v2: (_, out) => {
      new Int32Array((out as BigUint64Array).buffer)[0] = 130000;
      return 0;
    },
    cublasSetStream_v2: (handle, stream) => {
      if (!handles.has(handle)) return 1;
      handles.set(handle, stream);
      return 0;
    },
    cublasSetWorkspace_v2: (handle, address, bytes) => {
      driver.range(address, bytes, true, "cublasSetWorkspace");
      return handles.has(handle) ? 0 : 1;
    },
    cublasSetMathMode: (handle) => (handles.has(handle) ? 0 : 1),
    cublasSgemm_v2: (h, transA, transB, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc) =>
      gemm(h, {
        transA,
        transB,
        m,
        n,
        k,
        alpha,
        beta,
        a: [a, 0, lda, 0],
        b: [b, 0, ldb, 0],
        c: [c, 0, ldc, 0],
        batch: 1,
        compute: 68,
      }),
    cublasGemmEx: (h, transA, transB, m, n, k, alpha, a, ta, lda, b, tb, ldb, beta, c, tc, ldc, compute) =>
      gemm(h, {
        transA,
        transB,
        m,
        n,
        k,
        alpha,
        beta,
        a: [a, ta, lda, 0],
        b: [b, tb, ldb, 0],
        c: [c, tc, ldc, 0],
        batch: 1,
        compute,
      }),
    cublasGemmStridedBatchedEx: (
      h,
      transA,
      transB,
      m,
      n,
      k,
      alpha,
      a,
      ta,
      lda,
      sa,
      b,
      tb,
      ldb,
      sb,
      beta,
      c,
      tc,
      ldc,
      sc,
      batch,
      compute,
    ) =>
      gemm(h, {
        transA,
        transB,
        m,
        n,
        k,
        alpha,
        beta,
        a: [a, ta, lda, sa],
        b: [b, tb, ldb, sb],
        c: [c, tc, ldc, sc],
        batch,
        compute,
      }),
  };
}

function decode(bytes: Uint8Array, type: number): ArrayLike<number> {
  const { buffer } = bytes.slice();
  if (type === 0) return new Float32Array(buffer);
  if (type === 1) return new Float64Array(buffer);
  return decodeHalf(type === 2 ? "float16" : "bfloat16", new Uint16Array(buffer));
}

function encode(values: Float64Array, type: number): Uint8Array {
  if (type === 0) return new Uint8Array(Float32Array.from(values).buffer);
  if (type === 1) return new Uint8Array(values.buffer);
  return new Uint8Array(encodeHalf(type === 2 ? "float16" : "bfloat16", values).buffer);
}
