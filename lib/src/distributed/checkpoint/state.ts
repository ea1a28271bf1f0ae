/**
 * What a training holds, under the names of a plain checkpoint, whichever way it is spread over ranks: whole tensors that
 * all ranks have, and flat parts of which each has one.
 */
import type { Variable } from "../../autodiff/variable.js";
import type { DType } from "../../core/dtype.js";
import type { Shape } from "../../core/shape.js";
import type { Tensor } from "../../core/tensor.js";
import type { Module } from "../../nn/module.js";
import type { Optimizer } from "../../optim/optimizer.js";
import type { Training } from "../../train/checkpoint.js";
import { DistributedDataParallel } from "../data-parallel/ddp.js";
import type { FlatParameter } from "../zero/flat-parameter.js";
import { FullyShardedDataParallel } from "../zero/fsdp.js";

/** A tensor that all ranks have. */
export interface WholeState {
  readonly kind: "whole";
  readonly name: string;
  readonly value: Tensor;
  /** Its name where it is to be assigned: in the module, or in the optimizer. */
  readonly own: string;
}

/** This rank's part of several tensors that lie one after the other. */
export interface FlatState {
  readonly kind: "flat";
  readonly flat: FlatParameter;
  /** The name of each tensor, in the order of the flat layout. */
  readonly names: readonly string[];
  /** This rank's elements. */
  readonly value: Tensor;
  /** Of the flat part in the optimizer; `null`: it is the shard itself. */
  readonly own: string | null;
}

export type State = WholeState | FlatState;

/** The state of a model. */
export function modelState(model: Module): State[] {
  if (model instanceof DistributedDataParallel) return modelState(model.module as Module);
  const whole = (list: readonly (readonly [string, Variable])[]): State[] =>
    list.map(([name, variable]) => ({
      kind: "whole",
      name: `model.${name}`,
      value: variable.value,
      own: name,
    }));
  if (!(model instanceof FullyShardedDataParallel)) return whole(model.namedVariables());
  const flats = model.flatParameters.map(
    (flat): State => ({
      kind: "flat",
      flat,
      names: flat.names.map((name) => `model.${name}`),
      value: flat.shard.value,
      own: null,
    }),
  );
  return [...flats, ...whole(model.buffers)];
}

/** The state of an optimizer of such a model. */
export function optimizerState(model: Module, optimizer: Optimizer): State[] {
  const flats = new Map<string, FlatParameter>();
  if (model instanceof FullyShardedDataParallel)
    for (const flat of model.flatParameters) flats.set(`shards.${flat.shard.name}`, flat);
  const inner = model instanceof DistributedDataParallel ? (model.module as Module) : null;
  const known = new Set(inner?.namedVariables().map(([name]) => name));
  return [...optimizer.stateDict()].map(([own, value]): State => {
    const dot = own.indexOf(".");
    const [slot, path] = dot < 0 ? [own, ""] : [own.slice(0, dot), own.slice(dot + 1)];
    const flat = flats.get(path);
    if (flat)
      return { kind: "flat", flat, names: flat.names.map((name) => `optimizer.${slot}.${name}`), value, own };
    // an optimizer of the wrapper has the wrapper's paths
    const wrapped = inner !== null && path.startsWith("module.") && !known.has(path);
    const plain = wrapped ? path.slice("module.".length) : path;
    return {
      kind: "whole",
      name: plain === "" ? `optimizer.${slot}` : `optimizer.${slot}.${plain}`,
      value,
      own,
    };
  });
}

export function statesOf({ model, optimizer }: Training): State[] {
  return [...modelState(model), ...(optimizer ? optimizerState(model, optimizer) : [])];
}

/** Elements [from, to) of a tensor lie at element `at` of a rank's flat part. */
export interface Range {
  readonly name: string;
  readonly shape: Shape;
  readonly dtype: DType;
  readonly from: number;
  readonly to: number;
  readonly at: number;
}

/** The parts of tensors of which a rank's flat part consists. */
export function rangesOf({ flat, names, value }: FlatState): Range[] {
  const start = flat.chunk * flat.group.rank;
  const end = start + flat.chunk;
  return flat.layout.pieces.flatMap(({ shape, from, to }, i): Range[] => {
    const [first, last] = [Math.max(from, start), Math.min(to, end)];
    if (first >= last) return [];
    return [
      {
        name: names[i],
        shape,
        dtype: value.dtype,
        from: first - from,
        to: last - from,
        at: first - start,
      },
    ];
  });
}
