/**
 * Structured pruning that makes layers smaller: filters and units go, with the biases and normalizations behind them and
 * what reads them in the next layers, so that every kernel runs faster without knowing of it. (Li et al. 2017, "Pruning
 * Filters for Efficient ConvNets".)
 */
import { Variable } from "../../autodiff/variable.js";
import { ValueError } from "../../core/errors.js";
import type { Shape } from "../../core/shape.js";
import { Conv2d } from "../../nn/convolution.js";
import { Dense } from "../../nn/dense.js";
import type { Module } from "../../nn/module.js";
import { BatchNorm } from "../../nn/normalization.js";
import { tensor } from "../../ops/convert.js";
import { tidy } from "../../ops/tidy.js";
import { type Channel, channelsOf } from "./channels.js";
import { removeAll } from "./mask.js";
import { type Amount, countOf, leastOf } from "./select.js";

export interface ShrinkOptions {
  /** What goes of each set of channels that belong together (the outputs of a layer, usually). Never all of a set. */
  readonly amount: Amount;
  /** Channels are compared by this norm of the weights that make them. Default 1. */
  readonly norm?: 1 | 2;
  /** "layer": the same share of each set; "global": the least of all, by their norm divided by the mean one of their set. Default "layer". */
  readonly scope?: "layer" | "global";
  /** Paths of layers whose outputs stay. */
  readonly keep?: readonly string[];
}

/** A parameter before and after. */
export interface Shrunk {
  readonly path: string;
  readonly before: Shape;
  readonly after: Shape;
}

export interface ShrinkReport {
  readonly changed: readonly Shrunk[];
  /** Elements of all variables of the model. */
  readonly before: number;
  readonly after: number;
}

type Cuttable = Dense | Conv2d | BatchNorm;

/** What a layer says of its sizes, after its parameters have changed. They are written once otherwise. */
function resize(layer: Cuttable): void {
  const { shape } = layer.weight;
  if (layer instanceof BatchNorm) Object.assign(layer, { channels: shape[0] });
  else if (layer instanceof Dense) Object.assign(layer, { inputs: shape[0], outputs: shape[1] });
  else {
    const groups = (layer.options.groups ?? 1) > 1 ? shape[0] : 1; // depthwise: a group for each channel
    const options = { ...layer.options, groups };
    Object.assign(layer, { inputs: shape[1] * groups, outputs: shape[0], options });
  }
}

/**
 * Takes the channels of least norm out of a model, in place: its layers become smaller, and their readers with them. What is
 * connected is found by running the model once on `args`, in evaluation mode; inputs and results keep their sizes. Masks
 * become permanent first; make a new optimizer afterwards, for the variables are new. Dense, Conv2d (plain and depthwise) and
 * BatchNorm are cut; channels that anything else reads in a way that is not followed (a LayerNorm, an attention) stay.
 * @param args examples of what `forward` takes
 * @throws ValueError if there is no channel that can go, or for an amount or a path that is none.
 * @example
 * const model = new nn.Sequential(new nn.Dense(4, 8), new nn.ReLU(), new nn.Dense(8, 2));
 * deploy.prune.shrink(model, [ones([1, 4])], { amount: 0.5 });
 * (model.layers[2] as nn.Dense).weight.shape // [4, 2]
 */
export function shrink(model: Module, args: readonly unknown[], options: ShrinkOptions): ShrinkReport {
  const modules = model.namedModules();
  const known = new Set(modules.map(([path]) => path));
  for (const path of options.keep ?? [])
    if (!known.has(path)) throw new ValueError(`shrink: the model has no module ${path}`);
  removeAll(model);
  const layers = modules.flatMap(([path, module]) =>
    module instanceof Dense || module instanceof Conv2d || module instanceof BatchNorm
      ? [{ path, layer: module }]
      : [],
  );
  const owned = new Set(layers.flatMap(({ layer }) => ownOf(layer).map(([, variable]) => variable)));
  const training = new Map(modules.map(([, module]) => [module, module.training]));
  model.eval();
  let channels: Channel[];
  try {
    channels = channelsOf(model, args, owned);
  } finally {
    for (const [module, was] of training) module.training = was;
  }
  const stays = new Set(
    layers.flatMap(({ path, layer }) =>
      options.keep?.includes(path) ? ownOf(layer).map(([, variable]) => variable) : [],
    ),
  );
  const open = channels.filter((slices) => !slices.some((s) => s.output && stays.has(s.variable)));
  if (open.length === 0) throw new ValueError("shrink: no channel of the model can go");
  return cut(layers, chosen(open, options), model);
}

const ownOf = (layer: Module): [string, Variable][] =>
  Object.entries(layer).filter((entry): entry is [string, Variable] => entry[1] instanceof Variable);

/** The channels that go. Sets: those with the same axes of the same parameters. */
function chosen(
  channels: readonly Channel[],
  { amount, norm = 1, scope = "layer" }: ShrinkOptions,
): Channel[] {
  const ids = new Map<Variable, number>();
  const idOf = (variable: Variable): number => {
    const id = ids.get(variable) ?? ids.size;
    ids.set(variable, id);
    return id;
  };
  const sets = new Map<string, Channel[]>();
  for (const slices of channels) {
    const places = slices.map(({ variable, axis }) => `${idOf(variable)}:${axis}`);
    const key = [...new Set(places)].sort().join();
    const set = sets.get(key) ?? [];
    sets.set(key, set);
    set.push(slices);
  }
  const values = new Map([...ids.keys()].map((variable) => [variable, variable.value.toTypedArray()]));
  const scored = [...sets.values()].map((set) => ({
    set,
    scores: set.map((slices) => scoreOf(slices, values, norm)),
  }));
  if (scope === "layer")
    return scored.flatMap(({ set, scores }) => {
      const count = typeof amount === "number" ? countOf(amount, set.length) : amount.count;
      return [
        ...leastOf(
          scores,
          Math.min(countOf({ count: Math.min(count, set.length) }, set.length), set.length - 1),
        ),
      ].map((i) => set[i]);
    });
  const all = scored.flatMap(({ set, scores }) => {
    const mean = scores.reduce((a, b) => a + b, 0) / scores.length || 1;
    const best = scores.indexOf(Math.max(...scores)); // of each set one stays
    return set.map((slices, i) => ({
      slices,
      score: i === best ? Number.POSITIVE_INFINITY : scores[i] / mean,
    }));
  });
  const goes = leastOf(
    all.map(({ score }) => score),
    countOf(amount, all.length),
  );
  return [...goes]
    .map((i) => all[i])
    .flatMap(({ slices, score }) => (Number.isFinite(score) ? [slices] : []));
}

/** Norm of the weights that compute a channel: filters and columns, not their biases and not what reads it. */
function scoreOf(slices: Channel, values: ReadonlyMap<Variable, ArrayLike<number>>, norm: 1 | 2): number {
  let sum = 0;
  for (const { variable, axis, index, output } of slices) {
    if (!output) continue;
    const { shape } = variable;
    const data = values.get(variable) as ArrayLike<number>;
    const inner = shape.slice(axis + 1).reduce((a, b) => a * b, 1);
    const step = inner * shape[axis];
    for (let at = index * inner; at < data.length; at += step)
      for (let k = 0; k < inner; k++) sum += norm === 1 ? Math.abs(data[at + k]) : data[at + k] ** 2;
  }
  return norm === 1 ? sum : Math.sqrt(sum);
}

function cut(
  layers: readonly { readonly path: string; readonly layer: Cuttable }[],
  goes: readonly Channel[],
  model: Module,
): ShrinkReport {
  const size = (): number => model.namedVariables().reduce((sum, [, variable]) => sum + variable.size, 0);
  const before = size();
  const gone = new Map<Variable, Map<number, Set<number>>>();
  for (const { variable, axis, index } of goes.flat()) {
    const axes = gone.get(variable) ?? new Map<number, Set<number>>();
    gone.set(variable, axes);
    axes.set(axis, (axes.get(axis) ?? new Set<number>()).add(index));
  }
  const made = new Map<Variable, Variable>(); // a variable that several layers share stays shared
  const changed: Shrunk[] = [];
  for (const { path, layer } of layers) {
    const own = ownOf(layer).filter(([, variable]) => gone.has(variable));
    for (const [name, variable] of own) {
      const smaller = made.get(variable) ?? without(variable, gone.get(variable) as Map<number, Set<number>>);
      made.set(variable, smaller);
      Object.assign(layer, { [name]: smaller });
      changed.push({
        path: path === "" ? name : `${path}.${name}`,
        before: variable.shape,
        after: smaller.shape,
      });
    }
    if (own.length > 0) resize(layer);
  }
  return { changed, before, after: size() };
}

function without(variable: Variable, gone: ReadonlyMap<number, ReadonlySet<number>>): Variable {
  const { name, requiresGrad, shape } = variable;
  return tidy(() => {
    let value = variable.value.mul(1);
    for (const [axis, indices] of gone) {
      const left = Array.from({ length: shape[axis] }, (_, i) => i).filter((i) => !indices.has(i));
      value = value.take(tensor(left, { dtype: "int32" }), axis);
    }
    return new Variable(value, { name, requiresGrad });
  });
}
