/**
 * Fully connected layers whose weights are cut by columns or by rows. A column-parallel layer, something elementwise and a
 * row-parallel layer together need one sum over the members forward, and one backward. (Shoeybi et al., "Megatron-LM", 2019,
 * section 3; with `sequence`, Korthikanti et al. 2022. Book, chapter 9: operators split across devices.)
 */
import type { Variable } from "../../autodiff/variable.js";
import type { Tensor } from "../../core/tensor.js";
import type { Dense } from "../../nn/dense.js";
import { Module } from "../../nn/module.js";
import type { ProcessGroup } from "../group/process-group.js";
import {
  copyToTensorParallel,
  gatherFromSequenceParallel,
  gatherFromTensorParallel,
  reduceFromTensorParallel,
  reduceScatterToSequenceParallel,
  scatterToTensorParallel,
} from "./collective-ops.js";
import { cutVariable } from "./cuts.js";

export interface SequenceOptions {
  /** Outside of the cut layers members hold parts of the sequence, (…, t/members, features). Default false: all of it. */
  readonly sequence?: boolean;
}

export interface ColumnParallelOptions extends SequenceOptions {
  /** Returns all outputs on all members, instead of the own ones. Default false. */
  readonly gatherOutput?: boolean;
  /** Equal runs of outputs of which each member gets its part (3 for queries, keys and values side by side). Default 1. */
  readonly segments?: number;
}

/**
 * An ordinary layer cut by outputs: x (…, inputs) → (…, the own outputs).
 * @example
 * await distributed.launch(2, (group) => {
 *   const dense = new nn.Dense(3, 4);
 *   const y = new distributed.ColumnParallelLinear(dense, group).forward(ones([1, 3]));
 *   return y.shape;
 * }) // [[1, 2], [1, 2]]
 */
export class ColumnParallelLinear extends Module {
  /** (inputs, the own outputs) */
  weight: Variable;
  bias: Variable | null;
  readonly outputs: number;
  private readonly sequence: boolean;
  private readonly gatherOutput: boolean;

  /** @param dense the whole, the same on all members (made from the same seed, or loaded) */
  constructor(
    dense: Dense,
    readonly group: ProcessGroup,
    { sequence = false, gatherOutput = false, segments = 1 }: ColumnParallelOptions = {},
  ) {
    super();
    this.weight = cutVariable(dense.weight, { axis: 1, segments }, group);
    this.bias = dense.bias && cutVariable(dense.bias, { axis: 0, segments }, group);
    this.outputs = dense.outputs;
    this.sequence = sequence;
    this.gatherOutput = gatherOutput;
  }

  override forward(x: Tensor): Tensor {
    return this.apply(enter(x, this.group, this.sequence));
  }

  /** The same for an `x` that has entered the region already, where several layers read it. */
  apply(x: Tensor): Tensor {
    const y = x.matmul(this.weight);
    const own = this.bias ? y.add(this.bias) : y;
    return this.gatherOutput ? gatherFromTensorParallel(own, this.group, { whole: this.outputs }) : own;
  }
}

/** What comes into a region of cut layers. */
export function enter(x: Tensor, group: ProcessGroup, sequence: boolean): Tensor {
  return sequence
    ? gatherFromSequenceParallel(x, group, { axis: x.ndim - 2 })
    : copyToTensorParallel(x, group);
}

/** What comes out of it, as a summand on each member. */
export function leave(x: Tensor, group: ProcessGroup, sequence: boolean): Tensor {
  return sequence
    ? reduceScatterToSequenceParallel(x, group, x.ndim - 2)
    : reduceFromTensorParallel(x, group);
}

export interface RowParallelOptions extends SequenceOptions {
  /** The input is the own features, as a column-parallel layer leaves them. Default true; else it is all of them. */
  readonly inputIsParallel?: boolean;
}

/** An ordinary layer cut by inputs: x (…, the own inputs) → (…, outputs). */
export class RowParallelLinear extends Module {
  /** (the own inputs, outputs) */
  weight: Variable;
  /** Whole: added to the sum. */
  bias: Variable | null;
  private readonly sequence: boolean;
  private readonly inputIsParallel: boolean;

  /** @param dense the whole, the same on all members */
  constructor(
    dense: Dense,
    readonly group: ProcessGroup,
    { sequence = false, inputIsParallel = true }: RowParallelOptions = {},
  ) {
    super();
    this.weight = cutVariable(dense.weight, { axis: 0 }, group);
    this.bias = dense.bias;
    this.sequence = sequence;
    this.inputIsParallel = inputIsParallel;
  }

  override forward(x: Tensor): Tensor {
    const own = this.inputIsParallel ? x : scatterToTensorParallel(x, this.group);
    const y = leave(own.matmul(this.weight), this.group, this.sequence);
    if (!this.bias) return y;
    // on parts of the sequence each member sees a part of the bias's gradient
    return y.add(this.sequence ? copyToTensorParallel(this.bias, this.group) : this.bias);
  }
}
