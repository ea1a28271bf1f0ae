/**
 * A decoder-only language model, built as GPT-2 is (Radford et al. 2019): learned positions, blocks that normalize first, and a
 * head that shares the weights of the tokens' embedding.
 */
import { ShapeError, ValueError } from "../core/errors.js";
import { formatShape } from "../core/shape.js";
import type { Tensor } from "../core/tensor.js";
import { attention } from "../ops/attention.js";
import { arange } from "../ops/create.js";
import { defaultGenerator } from "../ops/random.js";
import { checkSizes } from "./check.js";
import { Dense } from "./dense.js";
import { Dropout } from "./dropout.js";
import { Embedding } from "./embedding.js";
import type { InitOptions } from "./init.js";
import { Module } from "./module.js";
import { LayerNorm } from "./normalization.js";

export interface CausalLMOptions extends InitOptions {
  /** Tokens in all. */
  readonly vocabulary: number;
  /** The longest sequence, in tokens. */
  readonly context: number;
  /** Features of a position. Default 768. */
  readonly size?: number;
  /** Default 12. */
  readonly depth?: number;
  /** Default 12. */
  readonly heads?: number;
  /** Features inside the network of each position. Default: 4·size. */
  readonly hidden?: number;
  /** While training. Default 0.1. */
  readonly dropout?: number;
  /** Of the normalizations. Default 1e-5. */
  readonly epsilon?: number;
}

/**
 * Attention of one layer: queries, keys and values side by side, (…, 3·size) → (…, size), of whichever earlier positions the
 * caller knows.
 */
export type Attend = (layer: number, joined: Tensor) => Tensor;

/** Standard deviation of first weights. */
const DEVIATION = 0.02;

/** A block of a `CausalLM`. */
export class CausalBlock extends Module {
  attentionNorm: LayerNorm;
  joined: Dense;
  output: Dense;
  networkNorm: LayerNorm;
  wide: Dense;
  narrow: Dense;
  readonly dropout: Dropout;

  constructor(
    size: number,
    depth: number,
    { hidden = 4 * size, dropout = 0.1, epsilon, generator, dtype }: Omit<CausalLMOptions, "size" | "depth">,
  ) {
    super();
    const draw = generator ?? defaultGenerator();
    const dense = (inputs: number, outputs: number, deviation: number): Dense => {
      const layer = new Dense(inputs, outputs, { generator, dtype });
      layer.weight.assign(draw.normal([inputs, outputs], 0, deviation, { dtype }));
      return layer;
    };
    const added = DEVIATION / Math.sqrt(2 * depth); // what is added to the residual stream, 2·depth times
    this.attentionNorm = new LayerNorm(size, { epsilon, dtype });
    this.joined = dense(size, 3 * size, DEVIATION);
    this.output = dense(size, size, added);
    this.networkNorm = new LayerNorm(size, { epsilon, dtype });
    this.wide = dense(size, hidden, DEVIATION);
    this.narrow = dense(hidden, size, added);
    this.dropout = new Dropout(dropout, draw);
  }

  override forward(x: Tensor, attend: (joined: Tensor) => Tensor): Tensor {
    const seen = attend(this.joined.forward(this.attentionNorm.forward(x)));
    const y = x.add(this.dropout.forward(this.output.forward(seen)));
    const inner = this.wide.forward(this.networkNorm.forward(y)).geluTanh();
    return y.add(this.dropout.forward(this.narrow.forward(inner)));
  }
}

/**
 * Tokens (n, t) of an integer dtype → logits (n, t, vocabulary) of the token that follows each.
 * `deploy.gpt2Name` gives the path in this module for each name in a GPT-2 file.
 * @example
 * const model = new nn.CausalLM({ vocabulary: 50, context: 8, size: 16, depth: 1, heads: 2 });
 * model.forward(tensor([[3, 1, 2]], { dtype: "int32" })) // float32(1, 3, 50)
 */
export class CausalLM extends Module {
  readonly vocabulary: number;
  readonly context: number;
  readonly size: number;
  readonly heads: number;
  tokens: Embedding;
  positions: Embedding;
  readonly blocks: readonly CausalBlock[];
  norm: LayerNorm;
  readonly dropout: Dropout;

  /** @throws ValueError for sizes that are no whole numbers from 1, or heads that do not divide the size. */
  constructor({
    vocabulary,
    context,
    size = 768,
    depth = 12,
    heads = 12,
    dropout = 0.1,
    ...options
  }: CausalLMOptions) {
    super();
    checkSizes("CausalLM", { vocabulary, context, size, depth, heads });
    if (size % heads !== 0)
      throw new ValueError(`CausalLM: ${size} features cannot be divided into ${heads} heads`);
    this.vocabulary = vocabulary;
    this.context = context;
    this.size = size;
    this.heads = heads;
    const init = { deviation: DEVIATION, generator: options.generator, dtype: options.dtype };
    this.tokens = new Embedding(vocabulary, size, init);
    this.positions = new Embedding(context, size, init);
    const rest = { vocabulary, context, heads, dropout, ...options };
    this.blocks = Array.from({ length: depth }, () => new CausalBlock(size, depth, rest));
    this.norm = new LayerNorm(size, { epsilon: options.epsilon, dtype: options.dtype });
    this.dropout = new Dropout(dropout, options.generator);
  }

  override forward(tokens: Tensor): Tensor {
    if (tokens.ndim !== 2 || tokens.shape[1] > this.context)
      throw new ShapeError(
        `CausalLM: tokens (n, t) with t ≤ ${this.context} wanted, got ${formatShape(tokens.shape)}`,
      );
    const positions = arange(tokens.shape[1], undefined, 1, { dtype: "int32" });
    return this.logits(this.hidden(tokens, positions, (_, joined) => attendHeads(joined, this.heads)));
  }

  /**
   * Features (…, size) behind the last block, with attention left to the caller: how a cache of keys and values comes in.
   * @param tokens (…)
   * @param positions (…), or what broadcasts to it: where each token stands in its sequence
   */
  hidden(tokens: Tensor, positions: Tensor, attend: Attend): Tensor {
    let x = this.dropout.forward(this.tokens.forward(tokens).add(this.positions.forward(positions)));
    for (const [layer, block] of this.blocks.entries())
      x = block.forward(x, (joined) => attend(layer, joined));
    return this.norm.forward(x);
  }

  /** Features (…, size) → logits (…, vocabulary). */
  logits(hidden: Tensor): Tensor {
    return hidden.matmul(this.tokens.weight.transpose());
  }
}

/** Causal attention over whole sequences, of queries, keys and values side by side: (n, t, 3·size) → (n, t, size). */
export function attendHeads(joined: Tensor, heads: number): Tensor {
  const [n, t, width] = joined.shape;
  const size = width / 3;
  const apart = joined.reshape([n, t, 3, heads, size / heads]).transpose([2, 0, 3, 1, 4]);
  const part = (i: number): Tensor => apart.slice(i);
  return attention(part(0), part(1), part(2), { causal: true }).transpose([0, 2, 1, 3]).reshape([n, t, size]);
}
