/** Embedding (词嵌入): a learned vector for each number. */
import { Variable } from "../autodiff/variable.js";
import { DTypeError, ValueError } from "../core/errors.js";
import { formatType } from "../core/shape.js";
import type { Tensor } from "../core/tensor.js";
import { arange } from "../ops/create.js";
import { defaultGenerator } from "../ops/random.js";
import { where } from "../ops/select.js";
import { checkSizes } from "./check.js";
import type { InitOptions } from "./init.js";
import { Module } from "./module.js";

export interface EmbeddingOptions extends InitOptions {
  /** Its vector is 0 and gets no gradient: what fills short sequences up. */
  readonly paddingIndex?: number;
  /** Standard deviation of the first values. Default 1. */
  readonly deviation?: number;
}

/** Indices (…), whole numbers from 0 to count − 1 → vectors (…, size). */
export class Embedding extends Module {
  weight: Variable;
  readonly paddingIndex: number | null;

  constructor(
    readonly count: number,
    readonly size: number,
    { paddingIndex, deviation = 1, generator = defaultGenerator(), dtype }: EmbeddingOptions = {},
  ) {
    super();
    checkSizes("Embedding", { count, size });
    if (
      paddingIndex !== undefined &&
      !(Number.isInteger(paddingIndex) && paddingIndex >= 0 && paddingIndex < count)
    )
      throw new ValueError(`Embedding: paddingIndex is one of 0 … ${count - 1}, got ${paddingIndex}`);
    this.paddingIndex = paddingIndex ?? null;
    const drawn = generator.normal([count, size], 0, deviation, { dtype });
    this.weight = new Variable(this.withoutPadding(drawn, arange(count, undefined, 1, { dtype: "int32" })), {
      name: "weight",
    });
  }

  override forward(indices: Tensor): Tensor {
    if (!/^u?int/.test(indices.dtype))
      throw new DTypeError(`Embedding: indices are integers, got ${formatType(indices)}; cast them to int32`);
    return this.withoutPadding(this.weight.take(indices, 0), indices);
  }

  private withoutPadding(vectors: Tensor, indices: Tensor): Tensor {
    if (this.paddingIndex === null) return vectors;
    return where(indices.notEqual(this.paddingIndex).expandDims(-1), vectors, 0);
  }
}
