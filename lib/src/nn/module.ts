/**
 * Module: a part of a model. Whatever tensors and modules a subclass keeps in its own properties (also in arrays and
 * plain objects) are its parameters and submodules; there is nothing to register. To transformations a module is plain
 * data: a tree whose leaves are its tensors. (Book, chapter 2: the Cell base class; Equinox: modules as pytrees.)
 */
import { Variable } from "../autodiff/variable.js";
import { isFloat } from "../core/dtype.js";
import { Tensor } from "../core/tensor.js";
import { flatten, pathsOf, type TreeNode, treeFlatten } from "../core/tree.js";
import { addHook, type BackwardHook, type ForwardHook, type ForwardPreHook } from "./hooks.js";
import { assignState, snapshot } from "./state.js";
import { summaryOf } from "./summary.js";

/** True for what holds tensors: a module, a tensor, or an array or plain object that holds some. */
function holdsTensors(value: unknown): boolean {
  if (value instanceof Tensor || value instanceof Module) return true;
  return typeof value === "object" && value !== null && flatten(value).leaves.length > 0;
}

/** Object literals, also those of another realm, as in trees. */
function isPlain(value: unknown): value is Record<string, unknown> {
  if (typeof value !== "object" || value === null) return false;
  const proto: unknown = Object.getPrototypeOf(value);
  return proto === null || Object.getPrototypeOf(proto) === null;
}

export abstract class Module implements TreeNode {
  /** Some layers (dropout, batch normalization) do another thing while training. */
  training = true;

  /** What the module computes. */
  abstract forward(...inputs: never[]): unknown;

  [treeFlatten](): ReturnType<TreeNode[typeof treeFlatten]> {
    const children: Record<string, unknown> = {};
    for (const [name, value] of Object.entries(this)) if (holdsTensors(value)) children[name] = value;
    return {
      children,
      rebuild: (replaced) =>
        Object.assign(Object.create(Object.getPrototypeOf(this) as object), this, replaced) as Module,
    };
  }

  /** The variables by their path: `["layers.0.weight", variable]`. */
  namedVariables(): [string, Variable][] {
    const { leaves, def } = flatten(this);
    const names = pathsOf(def);
    const seen = new Set<Variable>();
    const out: [string, Variable][] = [];
    leaves.forEach((leaf, i) => {
      if (!(leaf instanceof Variable) || seen.has(leaf)) return;
      seen.add(leaf);
      out.push([names[i], leaf]);
    });
    return out;
  }

  /** The trainable variables by their path. */
  namedParameters(): [string, Variable][] {
    return this.namedVariables().filter(([, v]) => v.requiresGrad);
  }

  /** The trainable variables. */
  parameters(): Variable[] {
    return this.namedParameters().map(([, v]) => v);
  }

  /** This module and all below, by path ("" for this one); one that stands at several places, at the first. */
  namedModules(): [string, Module][] {
    const found = new Map<Module, string>();
    const visit = (value: unknown, path: string): void => {
      const below = (name: unknown): string => (path === "" ? String(name) : `${path}.${String(name)}`);
      if (value instanceof Module) {
        if (found.has(value)) return;
        found.set(value, path);
        for (const [name, part] of Object.entries(value)) visit(part, below(name));
      } else if (Array.isArray(value)) {
        for (const [i, part] of value.entries()) visit(part, below(i));
      } else if (value instanceof Map) {
        for (const [name, part] of value) visit(part, below(name));
      } else if (isPlain(value)) {
        for (const [name, part] of Object.entries(value)) visit(part, below(name));
      }
    };
    visit(this, "");
    return [...found].map(([module, path]) => [path, module]);
  }

  /** Switches this module and all below to training. */
  train(on = true): this {
    for (const [, module] of this.namedModules()) module.training = on;
    return this;
  }

  /** Switches this module and all below to evaluation. */
  eval(): this {
    return this.train(false);
  }

  /** Switches gradients for this module's variables off (`freeze(false)`: on again): they stay as they are in training. */
  freeze(on = true): this {
    for (const [, variable] of this.namedVariables())
      if (isFloat(variable.dtype)) variable.requiresGrad = !on;
    return this;
  }

  /**
   * Calls `hook` before each `forward`, with its arguments; what it returns, if it is an array, replaces them.
   * @returns a function that takes the hook off again
   */
  registerForwardPreHook(hook: ForwardPreHook<this>): () => void {
    return addHook(this, "before", hook as ForwardPreHook<Module>);
  }

  /**
   * Calls `hook` after each `forward`, with its arguments and its result; what it returns, if not undefined, replaces the
   * result.
   * @param options `alwaysCall`: it is called behind the others, the last such hook first, and with an undefined result where
   *   `forward` throws, so that what a pre-hook set up is put back
   * @returns a function that takes the hook off again
   */
  registerForwardHook(
    hook: ForwardHook<this>,
    { alwaysCall = false }: { readonly alwaysCall?: boolean } = {},
  ): () => void {
    return addHook(this, alwaysCall ? "always" : "after", hook as ForwardHook<Module>);
  }

  /**
   * Calls `hook` with the gradient of each tensor that `forward` returned, when a backward pass or `grad` reaches it; what
   * it returns, if it is a tensor, replaces the gradient.
   * @returns a function that takes the hook off again
   */
  registerBackwardHook(hook: BackwardHook<this>): () => void {
    return addHook(this, "backward", hook as BackwardHook<Module>);
  }

  zeroGrad(): void {
    for (const v of this.parameters()) v.zeroGrad();
  }

  /** All variables' values by path: a snapshot, which later steps do not change. */
  stateDict(): Map<string, Tensor> {
    return snapshot(this.namedVariables());
  }

  /**
   * Assigns values by path.
   * @throws MlsysError that lists every missing, unknown and misshapen entry; nothing is assigned then.
   */
  loadStateDict(state: ReadonlyMap<string, Tensor>): void {
    assignState(this.namedVariables(), state, "loadStateDict");
  }

  /**
   * A table of the modules and their parameters; with an example input also the shapes that come out of each.
   * @param inputs what `forward` takes; it runs once, in evaluation mode
   */
  summary(...inputs: readonly unknown[]): string {
    return summaryOf(this, inputs);
  }
}
