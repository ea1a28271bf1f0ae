/** Gradients sent in fewer bits each: half precision, bfloat16, or any small float format. */
import type { Tensor } from "../../core/tensor.js";
import { outsideScopes } from "../../runtime/tidy.js";
import { mapped } from "../group/mapped-work.js";
import { floatFormat } from "./float-format.js";
import { type CompressionHook, Counter, gatheredMean, hookOf, Residuals } from "./hook.js";

/**
 * Sends gradients as float16 or bfloat16: half the bytes. They are divided by the number of ranks first, so that sums
 * stay in range (PyTorch's fp16_compress_hook).
 * @example distributed.castHook("bfloat16").statistics.sent // 0
 */
export function castHook(dtype: "float16" | "bfloat16"): CompressionHook {
  const counter = new Counter();
  return hookOf(counter, (bucket, group) => {
    const { tensor: given } = bucket;
    const values = Float32Array.from(given.toTypedArray() as ArrayLike<number>);
    const small = outsideScopes(() => given.div(group.size).cast(dtype));
    const rounded = small.toTypedArray() as ArrayLike<number>;
    counter.lose(
      values,
      values.map((x, i) => x - rounded[i] * group.size),
    );
    counter.send(2 * given.size);
    const work = outsideScopes(() => group.allReduce(small));
    return mapped(work, (sum: Tensor) => {
      const result = outsideScopes(() => sum.cast(given.dtype));
      sum.dispose();
      small.dispose();
      return result;
    });
  });
}

/**
 * Sends gradients in a small float format ("1-6-9") to all, with error feedback; sums are made in float32. Two bytes an
 * element for formats of more than 8 bits, else one.
 * @example distributed.formatHook("1-5-2").statistics.raw // 0
 * @throws ValueError for a format that there is not, or that has no sign
 */
export function formatHook(name: string): CompressionHook {
  const format = floatFormat(name);
  const counter = new Counter();
  const residuals = new Residuals();
  return hookOf(counter, (bucket, group) => {
    const values = residuals.gradients(bucket);
    const codes = format.encode(values);
    const sent = format.decode(codes);
    const lost = values.map((x, i) => (Number.isFinite(sent[i]) ? x - sent[i] : 0));
    residuals.keep(bucket, lost);
    counter.lose(values, lost);
    const packed = format.bits > 8 ? new Uint8Array(codes.buffer) : Uint8Array.from(codes);
    return gatheredMean(bucket, group, counter, packed, (sum, bytes) => {
      const numbers = format.decode(format.bits > 8 ? new Uint16Array(bytes.buffer) : bytes);
      for (let i = 0; i < sum.length; i++) sum[i] += numbers[i];
    });
  });
}
