/**
 * A product split by rows among threads, as the book draws it (chapter 8): A₁·B, A₂·B … each on a thread of the pool, with all
 * of B. The library's own product splits into blocks, which fits any shape; this is the same work in the plainest division.
 */
import { ValueError } from "../../core/errors.js";
import type { Tensor } from "../../core/tensor.js";
import { withDevice } from "../../runtime/devices.js";
import { getNumThreads, setNumThreads } from "../../runtime/pool/pool.js";
import { type Mark, Stream, timesOf } from "../../runtime/pool/stream.js";
import { gemm } from "../../runtime/wasm/kernels/gemm.js";
import { ofMatrices } from "./strassen.js";

/** What one thread computed, and when: milliseconds from the first one's start. */
export interface RowSpan {
  readonly thread: number;
  /** Rows [from, to) of A. */
  readonly from: number;
  readonly to: number;
  readonly start: number;
  readonly end: number;
}

export interface RowSplit {
  readonly result: Tensor;
  readonly spans: readonly RowSpan[];
}

/**
 * a · b of float32 matrices by `threads` workers in WebAssembly, each with its share of a's rows.
 * @param a (m, k)
 * @param b (k, n)
 * @throws ValueError unless there are 1 to 16 threads, at most one for each row; DTypeError, ShapeError as `strassen`.
 * @example compiler.product.productByRows(tensor([[1, 2], [3, 4]]), tensor([[1, 0], [0, 1]]), { threads: 2 }).spans.length // 2
 */
export function productByRows(
  a: Tensor,
  b: Tensor,
  { threads = getNumThreads() }: { readonly threads?: number } = {},
): RowSplit {
  if (!Number.isInteger(threads) || threads < 1 || threads > 16 || threads > (a.shape[0] ?? 1))
    throw new ValueError(`productByRows: 1 to 16 threads, at most one for each row of a; not ${threads}`);
  let found: RowSpan[] = [];
  const result = ofMatrices("productByRows", a, b, ([m, n, k], x, y, z) => {
    const parts = Array.from({ length: threads }, (_, i) => ({
      stream: new Stream(i),
      from: Math.floor((i * m) / threads),
      to: Math.floor(((i + 1) * m) / threads),
      marks: [] as Mark[],
    }));
    const before = getNumThreads();
    setNumThreads(1); // one block for each part
    try {
      withDevice("wasm", () => {
        for (const part of parts)
          part.marks = part.stream.launch([], () => {
            const rows = part.to - part.from;
            const at = (ptr: number, stride: number) => ({ ptr, rows: stride, columns: 1, batch: 0 });
            const left = at(x.ptr + part.from * x.stride * 4, x.stride);
            const out = at(z.ptr + part.from * z.stride * 4, z.stride);
            gemm("float32", [rows, n, k], left, at(y.ptr, y.stride), out);
          });
      });
    } finally {
      setNumThreads(before);
      for (const { stream } of parts) stream.synchronize();
    }
    const times = parts.map(({ marks }) => marks.map(timesOf));
    const first = Math.min(...times.flat().map(({ start }) => start));
    found = parts.map(({ from, to }, thread) => ({
      ...{ thread, from, to },
      start: (times[thread][0]?.start ?? first) - first,
      end: (times[thread].at(-1)?.end ?? first) - first,
    }));
  });
  return { result, spans: found };
}
