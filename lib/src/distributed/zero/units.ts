/** Units: the parts of a model whose parameters are gathered and given back together. */
import { Variable } from "../../autodiff/variable.js";
import type { Module } from "../../nn/module.js";

/** Says which modules are units of their own. What belongs to none is the root's, and is there through the whole pass. */
export type WrapPolicy = (module: Module, path: string) => boolean;

/**
 * Each module that stands in a list: the layers of a `Sequential`, the blocks of a `CausalLM`.
 * @example distributed.wrapLists(new nn.Dense(1, 1), "layers.0") // true
 */
export const wrapLists: WrapPolicy = (_module, path) => /(^|\.)\d+$/.test(path);

/**
 * The modules of these classes.
 * @example distributed.wrapClasses(nn.Dense)(new nn.Dense(1, 1), "layers.0") // true
 */
export function wrapClasses(...classes: readonly (abstract new (...args: never[]) => Module)[]): WrapPolicy {
  return (module) => classes.some((one) => module instanceof one);
}

/** A module with the parameters that are its own: not those of units inside, nor of units before it that share them. */
export interface UnitPlan {
  readonly module: Module;
  readonly path: string;
  readonly parameters: readonly (readonly [name: string, variable: Variable])[];
}

/** The units that a policy makes of a model; the root is the first. What two of them share, neither inside the other, is the root's. */
export function planUnits(root: Module, policy: WrapPolicy): UnitPlan[] {
  const wrapped = root.namedModules().filter(([path, module]) => path === "" || policy(module, path));
  const members = wrapped.map(([, module]) => new Set(module.parameters()));
  const own = wrapped.map((): [string, Variable][] => []);
  for (const [name, variable] of root.namedParameters()) {
    const around = wrapped.flatMap((_, i) => (members[i].has(variable) ? [i] : [])); // outer ones first
    const nested = around.every((at, k) => k === 0 || isAround(wrapped[around[k - 1]][0], wrapped[at][0]));
    own[nested ? around[around.length - 1] : 0].push([name, variable]);
  }
  return wrapped
    .map(([path, module], i): UnitPlan => ({ module, path, parameters: own[i] }))
    .filter(({ path, parameters }) => path === "" || parameters.length > 0);
}

const isAround = (outer: string, path: string): boolean =>
  path !== outer && (outer === "" || path.startsWith(`${outer}.`));

/** Puts another variable in the place of each, wherever the model holds it. */
export function replaceVariables(root: Module, by: ReadonlyMap<Variable, Variable>): void {
  const seen = new Set<object>();
  const visit = (holder: object): void => {
    if (seen.has(holder)) return;
    seen.add(holder);
    const entries: [unknown, unknown][] = holder instanceof Map ? [...holder] : Object.entries(holder);
    for (const [key, value] of entries) {
      const other = value instanceof Variable ? by.get(value) : undefined;
      if (other) {
        if (holder instanceof Map) holder.set(key, other);
        else Object.assign(holder, { [key as string]: other });
      } else if (typeof value === "object" && value !== null && !(value instanceof Variable)) visit(value);
    }
  };
  visit(root);
}
