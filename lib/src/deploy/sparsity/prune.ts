/**
 * Pruning, by the names of `torch.nn.utils.prune`. Each function puts a mask on a parameter; called again, it prunes of what
 * is left. (Book, chapter 8: weight sparsity, unstructured and structured; Han et al. 2015, "Learning both Weights and
 * Connections"; NVIDIA's 2:4.)
 */
import { ValueError } from "../../core/errors.js";
import { normalizeAxis } from "../../core/shape.js";
import type { Tensor } from "../../core/tensor.js";
import { Dense } from "../../nn/dense.js";
import type { Module } from "../../nn/module.js";
import { tensor } from "../../ops/convert.js";
import { defaultGenerator, type Generator } from "../../ops/random.js";
import { needConcrete } from "../../ops/read.js";
import { tidy } from "../../ops/tidy.js";
import { customFromMask, labelOf, maskOf, type Parameter, parameterOf } from "./mask.js";
import { type Amount, countOf, groupMask, leastOf, sliceNorms } from "./select.js";

export interface ScoreOptions {
  /** What decides instead of the magnitude: the least go. Of the parameter's shape. */
  readonly scores?: Tensor;
}

export interface SliceOptions {
  /** Along which whole slices go. Default: the outputs of a layer (axis 1 of Dense, axis 0 of convolutions). */
  readonly axis?: number;
}

export interface RandomPruning {
  readonly generator?: Generator;
}

/**
 * Prunes the elements of least magnitude.
 * @param amount a share of what is left, or `{ count }`
 * @throws ValueError for an amount that is none, and a module without that parameter.
 * @example
 * const layer = new nn.Dense(8, 8);
 * deploy.prune.l1Unstructured(layer, "weight", 0.25);
 * layer.weight.equal(0).sum() // 16
 */
export function l1Unstructured(
  module: Module,
  name: string,
  amount: Amount,
  { scores }: ScoreOptions = {},
): void {
  const parameter = [module, name] as const;
  pruneLeast([parameter], [scores ? scoresOf(parameter, scores) : magnitudes(parameter)], amount);
}

/**
 * Prunes elements at random.
 * @example
 * const layer = new nn.Dense(8, 8);
 * deploy.prune.randomUnstructured(layer, "weight", { count: 5 });
 * layer.weight.equal(0).sum() // 5
 */
export function randomUnstructured(
  module: Module,
  name: string,
  amount: Amount,
  { generator = defaultGenerator() }: RandomPruning = {},
): void {
  const { size } = parameterOf([module, name]);
  pruneLeast([[module, name]], [drawn(generator, size)], amount);
}

/**
 * Prunes the elements of least magnitude of several parameters, taken together: layers that need their weights keep more of
 * them. At the same share, this costs less accuracy than the same share of each layer.
 * @param parameters `[module, name]` pairs; see `weights`
 * @example
 * const model = new nn.Sequential(new nn.Dense(8, 8), new nn.ReLU(), new nn.Dense(8, 8));
 * deploy.prune.globalUnstructured(deploy.prune.weights(model), 0.5);
 * deploy.prune.sparsityOf(deploy.prune.weights(model)) // 0.5
 */
export function globalUnstructured(
  parameters: readonly Parameter[],
  amount: Amount,
  options: { readonly scores?: readonly Tensor[] } = {},
): void {
  if (parameters.length === 0) throw new ValueError("prune: there is no parameter");
  const { scores } = options;
  if (scores && scores.length !== parameters.length)
    throw new ValueError(`prune: ${scores.length} scores for ${parameters.length} parameters`);
  pruneLeast(
    parameters,
    parameters.map((parameter, i) => (scores ? scoresOf(parameter, scores[i]) : magnitudes(parameter))),
    amount,
  );
}

/**
 * Prunes whole slices (filters, output channels) of least norm. They become 0; `shrink` takes them out.
 * @param options `n`: order of the norm, default 2; `axis`: see SliceOptions
 * @example
 * const layer = new nn.Conv2d(1, 4, 3);
 * deploy.prune.lnStructured(layer, "weight", { count: 1 }, { n: 1 });
 * layer.weight.equal(0).sum() // 9
 */
export function lnStructured(
  module: Module,
  name: string,
  amount: Amount,
  { n = 2, axis }: SliceOptions & { readonly n?: number } = {},
): void {
  pruneSlices([module, name], amount, axis, (values, shape, along) => sliceNorms(values, shape, along, n));
}

/**
 * Prunes whole slices at random.
 * @example
 * const layer = new nn.Dense(4, 8);
 * deploy.prune.randomStructured(layer, "weight", 0.5);
 * layer.weight.equal(0).sum() // 16
 */
export function randomStructured(
  module: Module,
  name: string,
  amount: Amount,
  { axis, generator = defaultGenerator() }: SliceOptions & RandomPruning = {},
): void {
  pruneSlices([module, name], amount, axis, (_values, shape, along) => drawn(generator, shape[along]));
}

export interface PatternOptions {
  /** Elements of each group that stay. Default 2. */
  readonly keep?: number;
  /** Elements of a group. Default 4. */
  readonly of?: number;
  /** Along which groups lie. Default: what is summed over (axis 0 of Dense, axis 1 of convolutions). */
  readonly axis?: number;
}

/**
 * N:M sparsity: of each `of` neighbours the `keep` greatest stay (2:4: what sparse tensor cores take). An index of two bits
 * tells where each stands.
 * @throws ValueError where groups do not fill the axis.
 * @example
 * const layer = new nn.Dense(8, 3);
 * deploy.prune.nOfM(layer, "weight");
 * layer.weight.equal(0).sum() // 12
 */
export function nOfM(module: Module, name: string, { keep = 2, of = 4, axis }: PatternOptions = {}): void {
  const parameter = [module, name] as const;
  const { shape } = parameterOf(parameter);
  const along = normalizeAxis(axis ?? (module instanceof Dense ? 0 : 1), shape.length, "prune");
  const scores = magnitudes(parameter);
  const before = maskOf(parameter)?.toTypedArray();
  if (before) for (let i = 0; i < scores.length; i++) if (before[i] === 0) scores[i] = -1;
  putMask(parameter, groupMask(scores, shape, { keep, of, axis: along }));
}

/**
 * Prunes by magnitude until the parameters together have a sparsity; nothing, if they have it. For schedules, which name what
 * is to be reached and not what goes.
 * @param scope "global": the least of all together; "layer": each parameter gets this sparsity
 * @throws ValueError for a sparsity outside 0 to 1.
 * @example
 * const model = new nn.Sequential(new nn.Dense(8, 8));
 * deploy.prune.toSparsity(deploy.prune.weights(model), 0.75);
 * deploy.prune.sparsityOf(deploy.prune.weights(model)) // 0.75
 */
export function toSparsity(
  parameters: readonly Parameter[],
  sparsity: number,
  scope: "global" | "layer" = "global",
): void {
  if (!(sparsity >= 0 && sparsity <= 1))
    throw new ValueError(`prune: a sparsity is between 0 and 1, got ${sparsity}`);
  const sets = scope === "global" ? [parameters] : parameters.map((parameter) => [parameter]);
  for (const set of sets) {
    const total = set.reduce((sum, parameter) => sum + parameterOf(parameter).size, 0);
    const gone = total - set.reduce((sum, parameter) => sum + placesLeft(parameter).length, 0);
    const count = countOf(sparsity, total) - gone;
    if (count > 0) globalUnstructured(set, { count });
  }
}

/**
 * The share of zeros among the elements of parameters, those that masks hide included.
 * @example deploy.prune.sparsityOf([[new nn.Dense(2, 2), "bias"]]) // 1
 */
export function sparsityOf(parameters: readonly Parameter[]): number {
  let [zeros, total] = [0, 0];
  for (const parameter of parameters) {
    const values = magnitudes(parameter);
    const mask = maskOf(parameter)?.toTypedArray();
    total += values.length;
    for (let i = 0; i < values.length; i++) if (values[i] === 0 || mask?.[i] === 0) zeros++;
  }
  return total === 0 ? 0 : zeros / total;
}

/** Puts masks on parameters, without the `amount` least of the scores that are left in all together. */
function pruneLeast(parameters: readonly Parameter[], scores: readonly Float64Array[], amount: Amount): void {
  const left = parameters.map(placesLeft);
  const starts: number[] = [];
  let total = 0;
  for (const places of left) {
    starts.push(total);
    total += places.length;
  }
  const all = new Float64Array(total);
  left.forEach((places, k) => {
    for (let i = 0; i < places.length; i++) all[starts[k] + i] = scores[k][places[i]];
  });
  const goes = leastOf(all, countOf(amount, total)); // in order of their places
  let at = 0;
  parameters.forEach((parameter, k) => {
    const mask = new Uint8Array(scores[k].length).fill(1);
    const end = starts[k] + left[k].length;
    for (; at < goes.length && goes[at] < end; at++) mask[left[k][goes[at] - starts[k]]] = 0;
    putMask(parameter, mask);
  });
}

function pruneSlices(
  parameter: Parameter,
  amount: Amount,
  axis: number | undefined,
  score: (values: Float64Array, shape: readonly number[], axis: number) => Float64Array,
): void {
  const { shape } = parameterOf(parameter);
  if (shape.length < 2)
    throw new ValueError(`prune: ${labelOf(parameter)} has ${shape.length} axes; slices need two`);
  const along = normalizeAxis(axis ?? outputAxis(parameter[0]), shape.length, "prune");
  const inner = shape.slice(along + 1).reduce((a, b) => a * b, 1);
  const before = maskOf(parameter)?.toTypedArray();
  const sliceOf = (i: number): number => Math.floor(i / inner) % shape[along];
  const live = new Set<number>();
  const values = magnitudes(parameter);
  for (let i = 0; i < values.length; i++) if (!before || before[i] !== 0) live.add(sliceOf(i));
  const places = [...live].sort((a, b) => a - b);
  const goes = new Set(leastOf(score(values, shape, along), countOf(amount, places.length), places));
  putMask(
    parameter,
    values.map((_, i) => (goes.has(sliceOf(i)) ? 0 : 1)),
  );
}

/** The axis of a weight that a layer's outputs lie on. */
export const outputAxis = (module: Module): number => (module instanceof Dense ? 1 : 0);

function putMask(parameter: Parameter, mask: ArrayLike<number>): void {
  const [module, name] = parameter;
  const { shape } = parameterOf(parameter);
  tidy(() => {
    customFromMask(module, name, tensor(Uint8Array.from(mask), { shape, dtype: "bool" }));
    return null;
  });
}

/** Places of the elements that no mask hides. */
function placesLeft(parameter: Parameter): Int32Array {
  const { size } = parameterOf(parameter);
  const mask = maskOf(parameter)?.toTypedArray();
  const all = Int32Array.from({ length: size }, (_, i) => i);
  return mask ? all.filter((i) => mask[i] !== 0) : all;
}

function magnitudes(parameter: Parameter): Float64Array {
  return Float64Array.from(parameterOf(parameter).value.toTypedArray(), Math.abs);
}

function scoresOf(parameter: Parameter, scores: Tensor): Float64Array {
  const { size } = parameterOf(parameter);
  if (scores.size !== size)
    throw new ValueError(`prune: ${scores.size} scores for the ${size} elements of ${labelOf(parameter)}`);
  return Float64Array.from(needConcrete(scores, "prune: the scores").toTypedArray());
}

function drawn(generator: Generator, count: number): Float64Array {
  const values = generator.uniform([count], 0, 1, { dtype: "float64" });
  const out = Float64Array.from(values.toTypedArray());
  values.dispose();
  return out;
}
