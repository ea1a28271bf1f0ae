/** Clipping by the length of a gradient of which each member has parts: parts count once, copies too. */
import { detached } from "../../autodiff/backward.js";
import { noGrad } from "../../autodiff/tape-mode.js";
import type { Variable } from "../../autodiff/variable.js";
import { ValueError } from "../../core/errors.js";
import type { Module } from "../../nn/module.js";
import { tensor } from "../../ops/convert.js";
import { tidy } from "../../ops/tidy.js";
import type { ProcessGroup } from "../group/process-group.js";
import { groupOfCut } from "../tensor-parallel/cuts.js";
import { ownIn } from "./gradients.js";

/** A model of which other members hold other variables: a pipeline's stages. */
export interface Distributed extends Module {
  /** What this member counts: of variables that several hold, the first counts them. */
  counted(): readonly Variable[];
  readonly group: ProcessGroup;
}

/**
 * As `optim.clipGradNorm`, for models that are cut: the length is that of the whole model's gradient. All members call it,
 * after gradients of replicas were averaged.
 * @param model with variables cut by `tensorParallel`, experts on other members, or a `Pipeline`
 * @returns the length before, the same on all members
 * @throws ValueError if the limit is not above 0
 * @example
 * await distributed.launch(2, (group) => {
 *   const model = new distributed.ColumnParallelLinear(new nn.Dense(1, 2, { bias: false }), group);
 *   model.weight.mul(3 + group.rank).sum().backward();
 *   return [distributed.clipGradients(model, 1), model.weight.grad?.toArray()];
 * }) // [[5, [[0.6]]], [5, [[0.8]]]]
 */
export function clipGradients(model: Module | Distributed, limit: number): number {
  if (!(limit > 0)) throw new ValueError(`clipGradients: the limit is above 0, got ${limit}`);
  const whole = "counted" in model ? model : null;
  let squares = squaresOf(whole ? whole.counted() : model.parameters());
  if (whole) squares = sumOver(whole.group, squares);
  const length = Math.sqrt(squares);
  const factor = limit / (length + 1e-6);
  if (factor >= 1) return length;
  noGrad(() => {
    for (const variable of model.parameters()) {
      const { grad } = variable;
      if (!grad) continue;
      tidy(() => {
        variable.grad = detached(grad.mul(factor));
        return null;
      });
      grad.dispose();
    }
  });
  return length;
}

/** Σ g² of the wholes of which these variables are parts. */
function squaresOf(variables: readonly Variable[]): number {
  let own = 0;
  const parts = new Map<ProcessGroup, number>();
  for (const variable of variables) {
    const { grad } = variable;
    const square = grad ? tidy(() => Number(grad.cast("float64").square().sum().item())) : 0;
    const group = groupOfCut(variable) ?? ownIn(variable);
    if (group) parts.set(group, (parts.get(group) ?? 0) + square);
    else own += square;
  }
  for (const [group, square] of parts) own += sumOver(group, square);
  return own;
}

const sumOver = (group: ProcessGroup, x: number): number =>
  tidy(() =>
    Number(
      group
        .allReduce(tensor(x, { dtype: "float64" }))
        .wait()
        .item(),
    ),
  );
