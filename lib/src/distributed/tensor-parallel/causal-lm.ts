/**
 * A language model cut across members: heads, networks and vocabulary; with `sequence` also what lies between, by
 * positions. (Shoeybi et al. 2019; Korthikanti et al. 2022.) Its paths are those of `nn.CausalLM`.
 */
import { ShapeError } from "../../core/errors.js";
import { formatShape } from "../../core/shape.js";
import type { Tensor } from "../../core/tensor.js";
import { attendHeads, type CausalBlock, type CausalLM } from "../../nn/causal-lm.js";
import type { Dropout } from "../../nn/dropout.js";
import type { Embedding } from "../../nn/embedding.js";
import { Module } from "../../nn/module.js";
import { LayerNorm } from "../../nn/normalization.js";
import { layerNorm } from "../../ops/normalization.js";
import type { ProcessGroup } from "../group/process-group.js";
import { checkHeads } from "./attention.js";
import { copyToTensorParallel, gatherFromTensorParallel } from "./collective-ops.js";
import { PartDropout } from "./dropout.js";
import { ColumnParallelLinear, enter, RowParallelLinear, type SequenceOptions } from "./linear.js";
import { partOf } from "./parts.js";
import {
  type VocabParallelCrossEntropyOptions,
  VocabParallelEmbedding,
  vocabParallelCrossEntropy,
} from "./vocabulary.js";

/** A normalization of features where each member has other positions: it sees a part of the gradient of weight and bias. */
export class SequenceParallelNorm extends LayerNorm {
  constructor(
    whole: LayerNorm,
    private readonly group: ProcessGroup,
  ) {
    super(whole.shape, { epsilon: whole.epsilon, dtype: whole.weight.dtype });
    this.weight = whole.weight;
    this.bias = whole.bias;
  }

  override forward(x: Tensor): Tensor {
    const axes = this.shape.map((_, i) => i - this.shape.length);
    const weight = copyToTensorParallel(this.weight, this.group);
    const bias = copyToTensorParallel(this.bias, this.group);
    return layerNorm(x, axes, { weight, bias, epsilon: this.epsilon });
  }
}

/** Positions are axis 1 of (n, t, size). */
const POSITIONS = 1;

class ParallelBlock extends Module {
  attentionNorm: LayerNorm;
  joined: ColumnParallelLinear;
  output: RowParallelLinear;
  networkNorm: LayerNorm;
  wide: ColumnParallelLinear;
  narrow: RowParallelLinear;
  readonly dropout: Dropout;
  /** The own heads. */
  private readonly heads: number;

  constructor(block: CausalBlock, heads: number, group: ProcessGroup, sequence: boolean) {
    super();
    const norm = (whole: LayerNorm): LayerNorm => (sequence ? new SequenceParallelNorm(whole, group) : whole);
    this.heads = heads / group.size;
    this.attentionNorm = norm(block.attentionNorm);
    this.joined = new ColumnParallelLinear(block.joined, group, { segments: 3, sequence });
    this.output = new RowParallelLinear(block.output, group, { sequence });
    this.networkNorm = norm(block.networkNorm);
    this.wide = new ColumnParallelLinear(block.wide, group, { sequence });
    this.narrow = new RowParallelLinear(block.narrow, group, { sequence });
    this.dropout = sequence ? new PartDropout(block.dropout, group, POSITIONS) : block.dropout;
  }

  override forward(x: Tensor): Tensor {
    const seen = attendHeads(this.joined.forward(this.attentionNorm.forward(x)), this.heads);
    const y = x.add(this.dropout.forward(this.output.forward(seen)));
    const inner = this.wide.forward(this.networkNorm.forward(y)).geluTanh();
    return y.add(this.dropout.forward(this.narrow.forward(inner)));
  }
}

/** Tokens (n, t) → features (n, t, size), or the own positions' with `sequence`. */
class ParallelEntry extends Module {
  constructor(
    readonly tokens: VocabParallelEmbedding,
    readonly positions: Embedding,
    readonly dropout: Dropout,
    private readonly group: ProcessGroup,
    private readonly sequence: boolean,
  ) {
    super();
  }

  override forward(tokens: Tensor): Tensor {
    const { group, positions, sequence } = this;
    const t = tokens.shape[1];
    if (tokens.ndim !== 2 || t > positions.count || (sequence && t % group.size !== 0))
      throw new ShapeError(
        `ParallelCausalLM: tokens (n, t) with t ≤ ${positions.count}${sequence ? ` that ${group.size} members can share out evenly` : ""} wanted, got ${formatShape(tokens.shape)}`,
      );
    const { start, length } = sequence ? partOf(t, group.rank, group.size) : { start: 0, length: t };
    const vectors = sequence ? copyToTensorParallel(positions.weight, group) : positions.weight;
    return this.dropout.forward(this.tokens.forward(tokens).add(vectors.slice([start, start + length])));
  }
}

/** Features → the own logits (n, t, the own tokens). */
class ParallelExit extends Module {
  constructor(
    readonly norm: LayerNorm,
    readonly tokens: VocabParallelEmbedding,
    private readonly group: ProcessGroup,
    private readonly sequence: boolean,
  ) {
    super();
  }

  override forward(x: Tensor): Tensor {
    return this.tokens.logits(enter(this.norm.forward(x), this.group, this.sequence));
  }
}

/**
 * An ordinary model, a part of it on each member.
 * @example
 * await distributed.launch(2, (group) => {
 *   manualSeed(1);
 *   const whole = new nn.CausalLM({ vocabulary: 50, context: 8, size: 16, depth: 1, heads: 2, dropout: 0 });
 *   const parallel = distributed.tensorParallel(whole, group);
 *   const x = tensor([[3, 1, 2, 7]], { dtype: "int32" });
 *   return allclose(parallel.forward(x), whole.forward(x), { atol: 1e-5 });
 * }) // [true, true]
 */
export class ParallelCausalLM extends Module {
  readonly vocabulary: number;
  tokens: VocabParallelEmbedding;
  positions: Embedding;
  readonly blocks: readonly ParallelBlock[];
  norm: LayerNorm;
  readonly dropout: Dropout;
  private readonly sequence: boolean;

  /**
   * @param model the whole, the same on all members
   * @throws ValueError if the heads can't be shared out evenly
   */
  constructor(
    model: CausalLM,
    readonly group: ProcessGroup,
    { sequence = false }: SequenceOptions = {},
  ) {
    super();
    checkHeads("ParallelCausalLM", model.heads, group);
    this.vocabulary = model.vocabulary;
    this.sequence = sequence;
    this.tokens = new VocabParallelEmbedding(model.tokens, group, { sequence });
    this.positions = model.positions;
    this.blocks = model.blocks.map((block) => new ParallelBlock(block, model.heads, group, sequence));
    this.norm = sequence ? new SequenceParallelNorm(model.norm, group) : model.norm;
    this.dropout = sequence ? new PartDropout(model.dropout, group, POSITIONS) : model.dropout;
  }

  /** The model as a row of layers, tensor to tensor, with the paths that their variables have in it: for pipelines. */
  get layers(): [path: string, layer: Module][] {
    const { group, sequence, tokens, positions, dropout, norm } = this;
    return [
      ["", new ParallelEntry(tokens, positions, dropout, group, sequence)],
      ...this.blocks.map((block, i): [string, Module] => [`blocks.${i}`, block]),
      ["", new ParallelExit(norm, tokens, group, sequence)],
    ];
  }

  /** Tokens (n, t) of an integer dtype → the own logits (n, t, the own tokens) of the token that follows each. */
  ownLogits(tokens: Tensor): Tensor {
    return this.layers.reduce(
      (x, [, layer]) => (layer.forward as (x: Tensor) => Tensor).call(layer, x),
      tokens,
    );
  }

  /** Tokens (n, t) → all logits (n, t, vocabulary), on all members. */
  override forward(tokens: Tensor): Tensor {
    return gatherFromTensorParallel(this.ownLogits(tokens), this.group, { whole: this.vocabulary });
  }

  /** The cross entropy of the tokens that follow, (n, t), without all logits anywhere. */
  loss(tokens: Tensor, targets: Tensor, options: VocabParallelCrossEntropyOptions = {}): Tensor {
    return vocabParallelCrossEntropy(this.ownLogits(tokens), targets, this.group, this.vocabulary, options);
  }
}
