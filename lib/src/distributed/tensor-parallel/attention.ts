/** Attention whose heads are shared out among members. (Shoeybi et al., "Megatron-LM", 2019, section 3.) */
import { ValueError } from "../../core/errors.js";
import type { Tensor } from "../../core/tensor.js";
import type { HeadOptions, MultiHeadAttention } from "../../nn/attention.js";
import { Module } from "../../nn/module.js";
import { attentionWeights } from "../../ops/attention.js";
import type { ProcessGroup } from "../group/process-group.js";
import { PartDropout } from "./dropout.js";
import { ColumnParallelLinear, enter, RowParallelLinear, type SequenceOptions } from "./linear.js";

/**
 * An ordinary attention layer, a part of the heads on each member. query (n, tq, size), key (n, tk, keySize), value
 * (n, tk, valueSize) → (n, tq, size); with `sequence`, tq and tk are the own parts.
 */
export class ParallelAttention extends Module {
  query: ColumnParallelLinear;
  key: ColumnParallelLinear;
  value: ColumnParallelLinear;
  output: RowParallelLinear;
  readonly dropout: PartDropout;
  /** The own heads. */
  readonly heads: number;
  private readonly sequence: boolean;

  /**
   * @param attention the whole, the same on all members
   * @throws ValueError if the heads can't be shared out evenly
   */
  constructor(
    attention: MultiHeadAttention,
    readonly group: ProcessGroup,
    { sequence = false }: SequenceOptions = {},
  ) {
    super();
    checkHeads("ParallelAttention", attention.heads, group);
    this.heads = attention.heads / group.size;
    this.sequence = sequence;
    this.query = new ColumnParallelLinear(attention.query, group);
    this.key = new ColumnParallelLinear(attention.key, group);
    this.value = new ColumnParallelLinear(attention.value, group);
    this.output = new RowParallelLinear(attention.output, group, { sequence });
    this.dropout = new PartDropout(attention.dropout, group, 1);
  }

  /** `mask` of `options` is broadcastable to (n, 1, tq, tk) of the whole sequences. */
  override forward(
    query: Tensor,
    key: Tensor = query,
    value: Tensor = key,
    options: HeadOptions = {},
  ): Tensor {
    const { group, sequence } = this;
    const q = enter(query, group, sequence); // once where it is used three times: one sum backward
    const k = key === query ? q : enter(key, group, sequence);
    const v = value === key ? k : enter(value, group, sequence);
    const weights = attentionWeights(this.apart(this.query.apply(q)), this.apart(this.key.apply(k)), options);
    const seen = this.dropout.forward(weights).matmul(this.apart(this.value.apply(v)));
    const [n, heads, t, width] = seen.shape;
    return this.output.forward(seen.transpose([0, 2, 1, 3]).reshape([n, t, heads * width]));
  }

  /** (n, t, the own features) → (n, the own heads, t, features of a head) */
  private apart(x: Tensor): Tensor {
    const [n, t, width] = x.shape;
    return x.reshape([n, t, this.heads, width / this.heads]).transpose([0, 2, 1, 3]);
  }
}

/** @throws ValueError if the heads can't be shared out evenly */
export function checkHeads(layer: string, heads: number, group: ProcessGroup): void {
  if (heads % group.size !== 0)
    throw new ValueError(`${layer}: ${heads} heads can't be shared out evenly among ${group.size} members`);
}
