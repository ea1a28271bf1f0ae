/**
 * Attention of the native device: scores of as many heads as stay in the cache, their softmax in place, the product with the
 * values; then the next heads. (Causal masks go to the WebAssembly kernel, which leaves out what is not seen.)
 */
import { memory } from "../../runtime/heap.js";
import { nativeSupport } from "../../runtime/native/library.js";
import { launchesDiverted } from "../../runtime/pool/pool.js";
import type { AttentionHeads, OwnAttention } from "../../runtime/wasm/kernels/attention.js";
import { gemm, type Matrix } from "../../runtime/wasm/kernels/gemm.js";
import { compileInBackground } from "../codegen/c/compile.js";
import { softmaxSchedule } from "../kernels/rows.js";
import { nativePrograms } from "./programs.js";

/** Of scores at once: a part of the second-level cache. */
const SCORE_BYTES = 1024 * 1024;

export function nativeAttention(heads: AttentionHeads): OwnAttention | null {
  const { type, count, scale, causal, strides } = heads;
  const { tq, tk, d, dv } = heads.sizes;
  const tools = nativeSupport();
  if (typeof tools === "string" || causal || scale <= 0) return null;
  const bytes = type === "float32" ? 4 : 8;
  const softmax = nativePrograms(`scaled softmax ${type}`, () =>
    compileInBackground(() => softmaxSchedule(tools.vectorBytes / bytes, type, true).kernel, {
      inPlace: true,
    }),
  );
  const together = Math.max(1, Math.min(count, Math.floor(SCORE_BYTES / (tq * tk * bytes))));
  const matrix = (operand: number, ptr: number, head: number): Matrix => {
    const [batch, rows, columns] = strides[operand];
    return { ptr: ptr + head * batch * bytes, rows, columns, batch };
  };
  const workspace = together * tq * tk * bytes + 64;
  return {
    workspace,
    run([q, k, v, out], at) {
      const compiled = launchesDiverted() ? null : softmax.current();
      if (!compiled || at === 0) return false;
      const number = at + workspace - 64;
      if (type === "float32") new Float32Array(memory.buffer, number, 1)[0] = scale;
      else new Float64Array(memory.buffer, number, 1)[0] = scale;
      const scores: Matrix = { ptr: at, rows: tk, columns: 1, batch: tq * tk };
      for (let head = 0; head < count; head += together) {
        const some = Math.min(together, count - head);
        const keys = matrix(1, k, head);
        const turned = { ...keys, rows: keys.columns, columns: keys.rows };
        gemm(type, [tq, tk, d], matrix(0, q, head), turned, scores, some);
        compiled.run([at, number, at], [some * tq, tk]);
        gemm(type, [tq, dv, tk], scores, matrix(2, v, head), matrix(3, out, head), some);
      }
      return true;
    },
  };
}
