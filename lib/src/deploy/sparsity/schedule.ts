/**
 * When how much goes: gradually while a model trains (Zhu & Gupta 2017, "To prune, or not to prune"), or in rounds with
 * training between, from the first weights again where lottery tickets are sought (Frankle & Carbin 2019).
 */
import { ValueError } from "../../core/errors.js";
import type { Tensor } from "../../core/tensor.js";
import type { Module } from "../../nn/module.js";
import type { Callback } from "../../train/fit.js";
import { apply, applyMask, openMask, type Parameter } from "./mask.js";
import { globalUnstructured, sparsityOf, toSparsity } from "./prune.js";
import type { Amount } from "./select.js";

export interface PolynomialOptions {
  /** Default 0. */
  readonly initial?: number;
  readonly final: number;
  /** Step of the initial sparsity. Default 0. */
  readonly begin?: number;
  /** Step of the final one. */
  readonly end: number;
  /** Default 3: fast while there is much to spare, slowly in the end. 1: a straight line. */
  readonly power?: number;
}

/**
 * The sparsity at a step: s(t) = f + (i − f)·(1 − (t − begin)/(end − begin))³ between begin and end.
 * @throws ValueError for sparsities outside 0 to 1, steps out of order, a power that is not positive.
 * @example deploy.prune.polynomialSparsity({ final: 0.8, end: 100 })(50) // 0.7
 */
export function polynomialSparsity(options: PolynomialOptions): (step: number) => number {
  const { initial = 0, final, begin = 0, end, power = 3 } = options;
  for (const sparsity of [initial, final])
    if (!(sparsity >= 0 && sparsity <= 1))
      throw new ValueError(`polynomialSparsity: a sparsity is between 0 and 1, got ${sparsity}`);
  if (!(begin >= 0 && end > begin) || !(power > 0))
    throw new ValueError(`polynomialSparsity: no schedule from step ${begin} to ${end} with power ${power}`);
  return (step) => {
    if (step < begin) return 0;
    const left = Math.max(0, 1 - (step - begin) / (end - begin));
    return final + (initial - final) * left ** power;
  };
}

export interface GradualOptions {
  /** The sparsity to be reached after so many steps; see `polynomialSparsity`. */
  readonly schedule: (step: number) => number;
  /** Steps between two prunings. Default 100. */
  readonly every?: number;
  /** As in `toSparsity`. Default "global". */
  readonly scope?: "global" | "layer";
}

/**
 * A callback for `fit` that prunes by magnitude while the model trains. What is pruned once stays so.
 * @throws ValueError for a number of steps that is not whole and from 1.
 * @example
 * const model = new nn.Dense(4, 1);
 * const schedule = deploy.prune.polynomialSparsity({ final: 0.5, end: 4 });
 * const callback = deploy.prune.gradually(deploy.prune.weights(model), { schedule, every: 2 });
 * const rows = data.batches({ x: ones([8, 4]), y: ones([8, 1]) }, { size: 2 });
 * const optimizer = new optim.SGD(model, { lr: 0.1 });
 * await fit(model, rows, { loss: nn.mse, optimizer, callbacks: [callback], progress: false });
 * deploy.prune.sparsityOf(deploy.prune.weights(model)) // 0.5
 */
export function gradually(
  parameters: readonly Parameter[],
  { schedule, every = 100, scope }: GradualOptions,
): Callback {
  if (!Number.isInteger(every) || every < 1)
    throw new ValueError(`gradually: a number of steps is whole and from 1, got ${every}`);
  for (const parameter of parameters) openMask(parameter); // before a step is captured
  return {
    onStep({ history }) {
      const step = history.loss.length;
      if (step % every !== 0) return;
      toSparsity(parameters, schedule(step), scope);
    },
    onEpoch() {
      for (const parameter of parameters) applyMask(parameter); // momentum moves what is hidden
    },
  };
}

export interface IterativeOptions {
  readonly rounds: number;
  /** Of what is left, in each round. Of 0.2 in each of five rounds 0.33 stay. */
  readonly amount: Amount;
  /** Trains the model after each pruning. */
  readonly train: (round: number) => void | Promise<void>;
  /** Weights to start from again in each round (`model.stateDict()` of the untrained model): lottery tickets. Default: fine-tuning. */
  readonly rewindTo?: { readonly model: Module; readonly state: ReadonlyMap<string, Tensor> };
}

/**
 * Prunes and trains in rounds.
 * @returns the sparsity after each round
 * @throws ValueError for a number of rounds that is not whole and from 1.
 * @example
 * const model = new nn.Dense(10, 10);
 * await deploy.prune.iteratively(deploy.prune.weights(model), { rounds: 2, amount: 0.5, train: () => {} }) // [0.5, 0.75]
 */
export async function iteratively(
  parameters: readonly Parameter[],
  { rounds, amount, train, rewindTo }: IterativeOptions,
): Promise<number[]> {
  if (!Number.isInteger(rounds) || rounds < 1)
    throw new ValueError(`iteratively: a number of rounds is whole and from 1, got ${rounds}`);
  const found: number[] = [];
  for (let round = 0; round < rounds; round++) {
    globalUnstructured(parameters, amount);
    if (rewindTo) rewind(rewindTo.model, rewindTo.state);
    await train(round);
    for (const parameter of parameters) applyMask(parameter);
    found.push(sparsityOf(parameters));
  }
  return found;
}

/**
 * Puts earlier weights back under the present masks: the lottery ticket.
 * @throws MlsysError as `loadStateDict`; nothing is assigned then.
 * @example
 * const model = new nn.Dense(4, 4);
 * const first = model.stateDict();
 * deploy.prune.l1Unstructured(model, "weight", 0.5);
 * deploy.prune.rewind(model, first);
 * model.weight.equal(0).sum() // 8
 */
export function rewind(model: Module, state: ReadonlyMap<string, Tensor>): void {
  model.loadStateDict(state);
  apply(model);
}
