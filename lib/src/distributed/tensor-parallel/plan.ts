/**
 * An ordinary model into one that is cut across members, by a plan that says which of its modules are cut how.
 * (After PyTorch's parallelize_module; a new way to cut is a row of the table.)
 */
import { MlsysError, ValueError } from "../../core/errors.js";
import { MultiHeadAttention } from "../../nn/attention.js";
import { CausalLM } from "../../nn/causal-lm.js";
import { Dense } from "../../nn/dense.js";
import { Dropout } from "../../nn/dropout.js";
import { Embedding } from "../../nn/embedding.js";
import { Module } from "../../nn/module.js";
import type { ProcessGroup } from "../group/process-group.js";
import { ParallelAttention } from "./attention.js";
import { ParallelCausalLM } from "./causal-lm.js";
import { PartDropout } from "./dropout.js";
import { ColumnParallelLinear, RowParallelLinear, type SequenceOptions } from "./linear.js";
import { VocabParallelEmbedding } from "./vocabulary.js";

interface Split {
  readonly of: abstract new (...args: never[]) => Module;
  readonly make: (whole: never, group: ProcessGroup, options: SequenceOptions) => Module;
}

const split = <M extends Module>(
  of: abstract new (...args: never[]) => M,
  make: (whole: M, group: ProcessGroup, options: SequenceOptions) => Module,
): Split => ({ of, make });

/** The ways to cut a module. */
export const SPLITS = {
  /** By outputs; each member goes on with its own. */
  column: split(Dense, (m, group, options) => new ColumnParallelLinear(m, group, options)),
  /** By outputs; all members get all of them. */
  "column, gathered": split(
    Dense,
    (m, group, options) => new ColumnParallelLinear(m, group, { ...options, gatherOutput: true }),
  ),
  /** By inputs, of which each member has its own. */
  row: split(Dense, (m, group, options) => new RowParallelLinear(m, group, options)),
  /** By inputs, of which each member has all. */
  "row, of all": split(
    Dense,
    (m, group, options) => new RowParallelLinear(m, group, { ...options, inputIsParallel: false }),
  ),
  /** Dropout of what a column-parallel layer leaves: parts of the last axis, all of one length. */
  "dropout of parts": split(Dropout, (m, group) => new PartDropout(m, group, -1)),
  vocabulary: split(Embedding, (m, group, options) => new VocabParallelEmbedding(m, group, options)),
  heads: split(MultiHeadAttention, (m, group, options) => new ParallelAttention(m, group, options)),
  "language model": split(CausalLM, (m, group, options) => new ParallelCausalLM(m, group, options)),
} satisfies Record<string, Split>;

export type SplitName = keyof typeof SPLITS;

/** Ways to cut by path in the model; `*` in a path stands for one name ("layers.*.network.wide"). */
export type TensorParallelPlan = Readonly<Record<string, SplitName>>;

/** What is cut where there is no plan: attention, and networks of a wide and a narrow layer (as in the encoder's blocks). */
function usualPlan(model: Module, members: number): TensorParallelPlan {
  const plan: Record<string, SplitName> = {};
  for (const [path, module] of model.namedModules()) {
    const { wide, narrow, dropout } = module as { wide?: unknown; narrow?: unknown; dropout?: unknown };
    if (module instanceof MultiHeadAttention) plan[path] = "heads";
    else if (wide instanceof Dense && narrow instanceof Dense) {
      if (wide.outputs % members !== 0)
        throw new ValueError(
          `tensorParallel: ${below(path, "wide")} has ${wide.outputs} outputs, which ${members} members can't share out evenly`,
        );
      plan[below(path, "wide")] = "column";
      plan[below(path, "narrow")] = "row";
      if (dropout instanceof Dropout) plan[below(path, "dropout")] = "dropout of parts";
    }
  }
  return plan;
}

/**
 * The model with its modules cut as planned: each member holds its parts, and whole what the plan does not name (the
 * same variables as the given model's). `wholeState` gives the ordinary model's state again.
 * @param model the same on all members: made from the same seed, or loaded
 * @param plan default: for `nn.CausalLM` all of it; else attention by heads, networks by columns and rows
 * @param options `sequence`, for `nn.CausalLM`: between the cut layers each member has a part of the positions
 * @throws ValueError if the plan names what is not there or can't be cut so, or if nothing is cut
 * @example
 * await distributed.launch(2, (group) => {
 *   manualSeed(1);
 *   const whole = new nn.Sequential(new nn.Dense(4, 8), new nn.ReLU(), new nn.Dense(8, 2));
 *   const parallel = distributed.tensorParallel(whole, group, { "layers.0": "column", "layers.2": "row" });
 *   const x = ones([1, 4]);
 *   return allclose(parallel.forward(x), whole.forward(x));
 * }) // [true, true]
 */
export function tensorParallel(
  model: CausalLM,
  group: ProcessGroup,
  plan?: undefined,
  options?: SequenceOptions,
): ParallelCausalLM;
export function tensorParallel<M extends Module>(model: M, group: ProcessGroup, plan?: TensorParallelPlan): M;
export function tensorParallel(
  model: Module,
  group: ProcessGroup,
  plan?: TensorParallelPlan,
  options: SequenceOptions = {},
): Module {
  const chosen =
    plan ?? (model instanceof CausalLM ? { "": "language model" } : usualPlan(model, group.size));
  const replacements = new Map<Module, Module>();
  for (const [pattern, name] of Object.entries(chosen) as [string, SplitName][]) {
    const way: Split | undefined = SPLITS[name];
    if (!way)
      throw new ValueError(
        `tensorParallel: ${pattern}: there is no "${name}"; there are ${Object.keys(SPLITS).join("; ")}`,
      );
    const found = model.namedModules().filter(([path]) => matches(pattern, path));
    if (found.length === 0) throw new ValueError(`tensorParallel: the model has no module at "${pattern}"`);
    for (const [path, module] of found) {
      const kind = module.constructor.name;
      if (!(module instanceof way.of))
        throw new ValueError(`tensorParallel: "${path}" is a ${kind}, "${name}" is for ${way.of.name}`);
      replacements.set(module, way.make(module as never, group, options).train(module.training));
    }
  }
  if (replacements.size === 0)
    throw new ValueError(
      'tensorParallel: there is nothing that is usually cut in this model; give a plan of paths, as { "layers.0": "column" }',
    );
  return replaced(model, replacements, new Map());
}

const below = (path: string, name: string): string => (path === "" ? name : `${path}.${name}`);

function matches(pattern: string, path: string): boolean {
  const [wanted, names] = [pattern.split("."), path.split(".")];
  return wanted.length === names.length && wanted.every((name, i) => name === "*" || name === names[i]);
}

/** A copy of the modules above replaced ones; what lies elsewhere is the same. */
function replaced(module: Module, by: ReadonlyMap<Module, Module>, made: Map<Module, Module>): Module {
  const known = by.get(module) ?? made.get(module);
  if (known) return known;
  const copy = Object.assign(Object.create(Object.getPrototypeOf(module) as object) as Module, module);
  made.set(module, copy);
  const visit = (value: unknown): unknown => {
    if (value instanceof Module) return replaced(value, by, made);
    if (Array.isArray(value)) return value.map(visit);
    if (value instanceof Map) return new Map([...value].map(([key, part]) => [key, visit(part)]));
    if (typeof value === "object" && value !== null && Object.getPrototypeOf(value) === Object.prototype)
      return Object.fromEntries(Object.entries(value).map(([key, part]) => [key, visit(part)]));
    return value;
  };
  for (const [key, value] of Object.entries(module)) {
    const next = visit(value);
    if (!Reflect.set(copy, key, next)) throw new MlsysError(`tensorParallel: "${key}" can't be replaced`);
  }
  return copy;
}
