/** Transformer blocks (Vaswani et al. 2017): attention and a small network for each position, each with a residual connection (残差连接) and a normalization. */
import type { DType } from "../core/dtype.js";
import type { Tensor } from "../core/tensor.js";
import type { Generator } from "../ops/random.js";
import { type HeadOptions, MultiHeadAttention } from "./attention.js";
import { checkSizes } from "./check.js";
import { Dense } from "./dense.js";
import { Dropout } from "./dropout.js";
import { Module } from "./module.js";
import { LayerNorm } from "./normalization.js";

export interface TransformerOptions {
  /** Features inside the network of each position. Default: 4·size. */
  readonly hidden?: number;
  /** While training. Default 0.1. */
  readonly dropout?: number;
  /** Default "relu", as in the paper. */
  readonly activation?: "relu" | "gelu";
  /** Normalize what goes into each part, instead of its sum with what came in (Xiong et al. 2020). Default false. */
  readonly normFirst?: boolean;
  /** Of the normalizations. Default 1e-5. */
  readonly epsilon?: number;
  readonly generator?: Generator;
  readonly dtype?: DType;
}

/** The network that is applied at each position. */
class FeedForward extends Module {
  wide: Dense;
  narrow: Dense;
  private readonly dropout: Dropout;
  private readonly activation: "relu" | "gelu";

  constructor(
    size: number,
    { hidden = 4 * size, dropout = 0.1, activation = "relu", generator, dtype }: TransformerOptions,
  ) {
    super();
    this.wide = new Dense(size, hidden, { generator, dtype });
    this.narrow = new Dense(hidden, size, { generator, dtype });
    this.dropout = new Dropout(dropout, generator);
    this.activation = activation;
  }

  override forward(x: Tensor): Tensor {
    return this.narrow.forward(this.dropout.forward(this.wide.forward(x)[this.activation]()));
  }
}

/** x and a part of the block that is added to it, normalized before or after. */
class Sublayer extends Module {
  norm: LayerNorm;
  private readonly dropout: Dropout;
  private readonly normFirst: boolean;

  constructor(
    size: number,
    { normFirst = false, dropout = 0.1, epsilon, generator, dtype }: TransformerOptions,
  ) {
    super();
    this.norm = new LayerNorm(size, { epsilon, dtype });
    this.dropout = new Dropout(dropout, generator);
    this.normFirst = normFirst;
  }

  override forward(x: Tensor, part: (x: Tensor) => Tensor): Tensor {
    return this.normFirst
      ? x.add(this.dropout.forward(part(this.norm.forward(x))))
      : this.norm.forward(x.add(this.dropout.forward(part(x))));
  }
}

/** A block of an encoder (编码器): self-attention, then a network for each position. (n, t, size) → the same. */
export class TransformerEncoderLayer extends Module {
  attention: MultiHeadAttention;
  network: FeedForward;
  aroundAttention: Sublayer;
  aroundNetwork: Sublayer;

  constructor(
    readonly size: number,
    readonly heads: number,
    options: TransformerOptions = {},
  ) {
    super();
    const { dropout = 0.1, generator, dtype } = options;
    this.attention = new MultiHeadAttention(size, heads, { dropout, generator, dtype });
    this.network = new FeedForward(size, options);
    this.aroundAttention = new Sublayer(size, options);
    this.aroundNetwork = new Sublayer(size, options);
  }

  override forward(x: Tensor, options: HeadOptions = {}): Tensor {
    const y = this.aroundAttention.forward(x, (z) => this.attention.forward(z, z, z, options));
    return this.aroundNetwork.forward(y, (z) => this.network.forward(z));
  }
}

export interface DecoderOptions {
  /** What the decoder may see of its own sequence. Default: causal. */
  readonly self?: HeadOptions;
  /** What it may see of the encoder's. Default: all. */
  readonly cross?: HeadOptions;
}

/** A block of a decoder (解码器): causal self-attention, attention to the encoder's output, a network for each position. */
export class TransformerDecoderLayer extends Module {
  selfAttention: MultiHeadAttention;
  crossAttention: MultiHeadAttention;
  network: FeedForward;
  aroundSelf: Sublayer;
  aroundCross: Sublayer;
  aroundNetwork: Sublayer;

  constructor(
    readonly size: number,
    readonly heads: number,
    options: TransformerOptions = {},
  ) {
    super();
    const { dropout = 0.1, generator, dtype } = options;
    this.selfAttention = new MultiHeadAttention(size, heads, { dropout, generator, dtype });
    this.crossAttention = new MultiHeadAttention(size, heads, { dropout, generator, dtype });
    this.network = new FeedForward(size, options);
    this.aroundSelf = new Sublayer(size, options);
    this.aroundCross = new Sublayer(size, options);
    this.aroundNetwork = new Sublayer(size, options);
  }

  /** @param memory the encoder's output, (n, tk, size) */
  override forward(
    x: Tensor,
    memory: Tensor,
    { self = { causal: true }, cross = {} }: DecoderOptions = {},
  ): Tensor {
    const y = this.aroundSelf.forward(x, (z) => this.selfAttention.forward(z, z, z, self));
    const w = this.aroundCross.forward(y, (z) => this.crossAttention.forward(z, memory, memory, cross));
    return this.aroundNetwork.forward(w, (z) => this.network.forward(z));
  }
}

/** Encoder blocks one after the other; behind them a normalization where the blocks normalize first. */
export class TransformerEncoder extends Module {
  readonly layers: readonly TransformerEncoderLayer[];
  norm: LayerNorm | null;

  constructor(depth: number, size: number, heads: number, options: TransformerOptions = {}) {
    super();
    checkSizes("TransformerEncoder", { depth });
    this.layers = Array.from({ length: depth }, () => new TransformerEncoderLayer(size, heads, options));
    this.norm = lastNorm(size, options);
  }

  override forward(x: Tensor, options: HeadOptions = {}): Tensor {
    const y = this.layers.reduce((z, layer) => layer.forward(z, options), x);
    return this.norm ? this.norm.forward(y) : y;
  }
}

/** Decoder blocks one after the other; behind them a normalization where the blocks normalize first. */
export class TransformerDecoder extends Module {
  readonly layers: readonly TransformerDecoderLayer[];
  norm: LayerNorm | null;

  constructor(depth: number, size: number, heads: number, options: TransformerOptions = {}) {
    super();
    checkSizes("TransformerDecoder", { depth });
    this.layers = Array.from({ length: depth }, () => new TransformerDecoderLayer(size, heads, options));
    this.norm = lastNorm(size, options);
  }

  override forward(x: Tensor, memory: Tensor, options: DecoderOptions = {}): Tensor {
    const y = this.layers.reduce((z, layer) => layer.forward(z, memory, options), x);
    return this.norm ? this.norm.forward(y) : y;
  }
}

const lastNorm = (
  size: number,
  { normFirst = false, epsilon, dtype }: TransformerOptions,
): LayerNorm | null => (normFirst ? new LayerNorm(size, { epsilon, dtype }) : null);

export interface EncodedOptions extends DecoderOptions {
  /** What the encoder's positions may see of each other. Default: all. */
  readonly source?: HeadOptions;
}

/** Encoder and decoder: source (n, ts, size), target (n, tt, size) → (n, tt, size). Embeddings and the head are the model's own. */
export class Transformer extends Module {
  encoder: TransformerEncoder;
  decoder: TransformerDecoder;

  constructor(depth: number, size: number, heads: number, options: TransformerOptions = {}) {
    super();
    this.encoder = new TransformerEncoder(depth, size, heads, options);
    this.decoder = new TransformerDecoder(depth, size, heads, options);
  }

  override forward(
    source: Tensor,
    target: Tensor,
    { source: seen, ...options }: EncodedOptions = {},
  ): Tensor {
    return this.decoder.forward(target, this.encoder.forward(source, seen), options);
  }
}
