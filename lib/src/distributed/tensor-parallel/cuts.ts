/** Which variables of a model are parts of larger ones: so that weights come from an ordinary model, and go back to one. */
import type { Variable } from "../../autodiff/variable.js";
import { Variable as VariableClass } from "../../autodiff/variable.js";
import { MlsysError } from "../../core/errors.js";
import { formatShape, type Shape, sameShape, sizeOf } from "../../core/shape.js";
import type { Tensor } from "../../core/tensor.js";
import type { Module } from "../../nn/module.js";
import { assignState, snapshot } from "../../nn/state.js";
import type { ProcessGroup } from "../group/process-group.js";
import { ownIn } from "../mesh/gradients.js";
import { unionOfStates } from "../mesh/states.js";
import { type Cut, cutOut, putTogether } from "./parts.js";

interface Held extends Cut {
  readonly group: ProcessGroup;
  /** Of the whole. */
  readonly shape: Shape;
}

const cuts = new WeakMap<Variable, Held>();

/** A member's part of a variable, as a variable of its own. */
export function cutVariable(whole: Variable, cut: Cut, group: ProcessGroup): Variable {
  if (group.size === 1) return whole;
  const value = cutOut(whole.value, cut, group.rank, group.size);
  const part = new VariableClass(value.add(0), { name: whole.name, requiresGrad: whole.requiresGrad });
  cuts.set(part, { ...cut, group, shape: whole.shape });
  return part;
}

/** The members that hold the other parts of a variable; `undefined` for those that every member has whole. */
export function groupOfCut(variable: Variable): ProcessGroup | undefined {
  return cuts.get(variable)?.group;
}

/** Number of elements of the whole, the same on all members. */
export function wholeSize(variable: Variable): number {
  const held = cuts.get(variable);
  return held ? sizeOf(held.shape) : variable.size;
}

/** The whole of a part: a variable's value, or its gradient. All members of its group call it. */
export function wholeOf(variable: Variable, part: Tensor = variable.value): Tensor {
  const held = cuts.get(variable);
  if (!held) return part;
  const { group, axis } = held;
  return putTogether(group.allGather(part, { axis }).wait(), held, group.size);
}

/**
 * The state of the ordinary model, by the same paths, from one whose variables are cut, or whose experts stand on different
 * members. All members call it.
 * @example
 * await distributed.launch(2, (group) => {
 *   const dense = new nn.Dense(2, 4);
 *   const parallel = new distributed.ColumnParallelLinear(dense, group);
 *   return [parallel.weight.shape, distributed.wholeState(parallel).get("weight")?.shape];
 * }) // [[[2, 2], [2, 4]], [[2, 2], [2, 4]]]
 */
export function wholeState(model: Module): Map<string, Tensor> {
  const state = snapshot(model.namedVariables());
  const owned = new Map<ProcessGroup, Map<string, Tensor>>();
  for (const [name, variable] of model.namedVariables()) {
    if (cuts.has(variable)) state.set(name, wholeOf(variable));
    const group = ownIn(variable);
    if (!group) continue;
    const values = owned.get(group) ?? new Map<string, Tensor>();
    owned.set(group, values.set(name, state.get(name) as Tensor));
  }
  for (const [group, values] of owned)
    for (const [name, value] of unionOfStates(group, values)) state.set(name, value);
  return state;
}

/**
 * Assigns an ordinary model's state: each member takes its parts.
 * @throws MlsysError that lists every missing, unknown and misshapen entry; nothing is assigned then
 * @example
 * await distributed.launch(2, (group) => {
 *   const [dense, other] = [new nn.Dense(2, 4), new nn.Dense(2, 4)];
 *   const parallel = new distributed.ColumnParallelLinear(dense, group);
 *   distributed.loadWholeState(parallel, other.stateDict());
 *   return allclose(distributed.wholeState(parallel).get("weight") ?? 0, other.weight);
 * }) // [true, true]
 */
export function loadWholeState(model: Module, state: ReadonlyMap<string, Tensor>): void {
  const known = new Set(model.namedVariables().map(([name]) => name));
  const unknown = [...state.keys()].filter((name) => !known.has(name));
  if (unknown.length > 0) throw new MlsysError(`loadWholeState: not in the model: ${unknown.join(", ")}`);
  loadParts(model.namedVariables(), state, "loadWholeState");
}

/** Assigns to variables by name what they hold of a state, which may have more. */
export function loadParts(
  variables: Iterable<readonly [string, Variable]>,
  state: ReadonlyMap<string, Tensor>,
  where: string,
): void {
  const named = [...variables];
  const parts = new Map<string, Tensor>();
  for (const [name, variable] of named) {
    const [held, whole] = [cuts.get(variable), state.get(name)];
    if (!whole) continue; // assignState tells
    if (!held) {
      parts.set(name, whole);
      continue;
    }
    if (!sameShape(whole.shape, held.shape))
      throw new MlsysError(
        `${where}: ${name} has shape ${formatShape(whole.shape)}, a part ${formatShape(variable.shape)} of ${formatShape(held.shape)} is wanted`,
      );
    parts.set(name, cutOut(whole, held, held.group.rank, held.group.size));
  }
  assignState(named, parts, where);
}
