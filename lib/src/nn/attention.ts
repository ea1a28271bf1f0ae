/** Multi-head attention (多头注意力). */
import { ShapeError, ValueError } from "../core/errors.js";
import { formatShape } from "../core/shape.js";
import type { Tensor } from "../core/tensor.js";
import { type AttentionOptions, attentionWeights } from "../ops/attention.js";
import { checkSizes } from "./check.js";
import { Dense } from "./dense.js";
import { Dropout } from "./dropout.js";
import { type InitOptions, xavierUniform } from "./init.js";
import { Module } from "./module.js";

export interface MultiHeadAttentionOptions extends InitOptions {
  /** Of the weights, while training. Default 0. */
  readonly dropout?: number;
  readonly bias?: boolean;
  /** Features of keys. Default: size. */
  readonly keySize?: number;
  /** Features of values. Default: size. */
  readonly valueSize?: number;
}

/** `mask` is broadcastable to (n, heads, tq, tk). */
export type HeadOptions = Pick<AttentionOptions, "mask" | "causal">;

/**
 * Attention in `heads` parts of the features at once (Vaswani et al. 2017).
 * query (n, tq, size), key (n, tk, keySize), value (n, tk, valueSize) → (n, tq, size).
 */
export class MultiHeadAttention extends Module {
  query: Dense;
  key: Dense;
  value: Dense;
  output: Dense;
  readonly dropout: Dropout;

  constructor(
    readonly size: number,
    readonly heads: number,
    { dropout = 0, bias = true, keySize = size, valueSize = size, ...init }: MultiHeadAttentionOptions = {},
  ) {
    super();
    checkSizes("MultiHeadAttention", { size, heads, keySize, valueSize });
    if (size % heads !== 0)
      throw new ValueError(`MultiHeadAttention: ${size} features cannot be divided into ${heads} heads`);
    const dense = (inputs: number): Dense => {
      const layer = new Dense(inputs, size, { bias, ...init });
      layer.weight.assign(xavierUniform([inputs, size], init));
      return layer;
    };
    this.query = dense(size);
    this.key = dense(keySize);
    this.value = dense(valueSize);
    this.output = dense(size);
    this.dropout = new Dropout(dropout, init.generator);
  }

  /** Self-attention (自注意力) where only a query is given. */
  override forward(
    query: Tensor,
    key: Tensor = query,
    value: Tensor = key,
    options: HeadOptions = {},
  ): Tensor {
    return this.attend(query, key, value, options).output;
  }

  /** The result together with the weights (n, heads, tq, tk). */
  attend(
    query: Tensor,
    key: Tensor = query,
    value: Tensor = key,
    options: HeadOptions = {},
  ): { output: Tensor; weights: Tensor } {
    for (const [name, x] of Object.entries({ query, key, value }))
      if (x.ndim !== 3 || x.shape[0] !== query.shape[0])
        throw new ShapeError(
          `MultiHeadAttention: ${name} (n, t, features) wanted, got ${formatShape(x.shape)}`,
        );
    const weights = attentionWeights(
      this.apart(this.query.forward(query)),
      this.apart(this.key.forward(key)),
      options,
    );
    const seen = this.dropout.forward(weights).matmul(this.apart(this.value.forward(value)));
    const [n, , tq] = seen.shape;
    const output = this.output.forward(seen.transpose([0, 2, 1, 3]).reshape([n, tq, this.size]));
    return { output, weights };
  }

  /** (n, t, size) → (n, heads, t, size/heads) */
  private apart(x: Tensor): Tensor {
    const [n, t] = x.shape;
    return x.reshape([n, t, this.heads, this.size / this.heads]).transpose([0, 2, 1, 3]);
  }
}
