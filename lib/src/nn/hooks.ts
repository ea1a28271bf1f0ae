/**
 * Hooks: functions that see what goes through a module. A module with hooks has a `forward` of its own in front of its
 * class's; one without hooks pays nothing. The copies that transformations make of a module share its hooks.
 */
import { customVjp } from "../autodiff/custom.js";
import { Tensor } from "../core/tensor.js";
import { map as treeMap } from "../core/tree.js";
import type { Module } from "./module.js";

export type ForwardPreHook<M> = (module: M, inputs: readonly unknown[]) => unknown;
export type ForwardHook<M> = (module: M, inputs: readonly unknown[], output: unknown) => unknown;
export type BackwardHook<M> = (module: M, gradient: Tensor) => unknown;

interface Hooks {
  readonly before: ForwardPreHook<Module>[];
  readonly after: ForwardHook<Module>[];
  /** Behind the others, and where `forward` threw; the last first, so that what they put back are pairs of brackets. */
  readonly always: ForwardHook<Module>[];
  readonly backward: BackwardHook<Module>[];
}

/** The hooks behind a hooked `forward`. */
const hooksOf = new WeakMap<object, Hooks>();

/** Adds a hook, and returns the function that takes it off. */
export function addHook<K extends keyof Hooks>(module: Module, kind: K, hook: Hooks[K][number]): () => void {
  const hooks = hooksOf.get(module.forward) ?? install(module);
  const list = hooks[kind] as Hooks[K][number][];
  list.push(hook);
  return () => {
    const at = list.indexOf(hook);
    if (at >= 0) list.splice(at, 1);
    const empty = Object.values(hooks).every((some: readonly unknown[]) => some.length === 0);
    if (empty && hooksOf.get(module.forward) === hooks) Reflect.deleteProperty(module, "forward");
  };
}

function install(module: Module): Hooks {
  const hooks: Hooks = { before: [], after: [], always: [], backward: [] };
  const plain = module.forward as (...inputs: unknown[]) => unknown;
  function forward(this: Module, ...given: unknown[]): unknown {
    let inputs: readonly unknown[] = given;
    let output: unknown;
    const replace = (list: readonly ForwardHook<Module>[]): void => {
      for (const hook of [...list]) {
        const replaced = hook(this, inputs, output);
        if (replaced !== undefined) output = replaced;
      }
    };
    try {
      for (const hook of [...hooks.before]) {
        const replaced = hook(this, inputs);
        if (Array.isArray(replaced)) inputs = replaced;
      }
      output = plain.apply(this, [...inputs]);
      replace(hooks.after);
    } finally {
      replace([...hooks.always].reverse());
    }
    return hooks.backward.length > 0 ? watched(this, output, hooks.backward) : output;
  }
  hooksOf.set(forward, hooks);
  Object.assign(module, { forward }); // enumerable: copies of the module take it along
  return hooks;
}

/** The same value, whose gradient the hooks see. */
function watched(module: Module, output: unknown, hooks: readonly BackwardHook<Module>[]): unknown {
  const through = customVjp((x: Tensor) => x.mul(1), {
    forward: (x: Tensor) => [x.mul(1), null],
    backward: (_nothing, gradient: Tensor) => {
      let g = gradient;
      for (const hook of [...hooks]) {
        const replaced = hook(module, g);
        if (replaced instanceof Tensor) g = replaced;
      }
      return [g];
    },
  });
  return treeMap((x) => through(x), output);
}
