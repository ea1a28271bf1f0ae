/**
 * Masks: which elements of a parameter are 0 for good. A masked layer computes with where(mask, weight, 0), so that neither momentum
 * nor weight decay of an optimizer brings an element back, and no gradient reaches it. (As `torch.nn.utils.prune`; the
 * parameter keeps its name, and its pruned elements are 0.)
 */
import { Variable } from "../../autodiff/variable.js";
import { isFloat } from "../../core/dtype.js";
import { ShapeError, ValueError } from "../../core/errors.js";
import { formatShape, sameShape } from "../../core/shape.js";
import type { Tensor } from "../../core/tensor.js";
import { Conv1d, Conv2d } from "../../nn/convolution.js";
import { Dense } from "../../nn/dense.js";
import type { Module } from "../../nn/module.js";
import { snapshot } from "../../nn/state.js";
import { asTensor, type TensorLike } from "../../ops/convert.js";
import { ones } from "../../ops/create.js";
import { where } from "../../ops/select.js";
import { tidy } from "../../ops/tidy.js";

/** A parameter by the module that has it and its name there: `[layer, "weight"]`. */
export type Parameter = readonly [module: Module, name: string];

interface Mask {
  /** True where elements stay. A variable, so that captured training steps read its present value. */
  readonly kept: Variable;
  readonly takeOff: () => void;
}

const masks = new WeakMap<Module, Map<string, Mask>>();

/** The variable that a module keeps under a name. @throws ValueError if there is none of floating point. */
export function parameterOf([module, name]: Parameter): Variable {
  const found = (module as unknown as Record<string, unknown>)[name];
  if (found instanceof Variable && isFloat(found.dtype)) return found;
  const names = Object.entries(module).flatMap(([key, value]) =>
    value instanceof Variable && isFloat(value.dtype) ? [key] : [],
  );
  throw new ValueError(
    `prune: ${module.constructor.name} has no floating-point parameter "${name}"; it has ${names.join(", ") || "none"}`,
  );
}

/** A parameter in messages and tables. */
export const labelOf = ([module, name]: Parameter): string => `${module.constructor.name}.${name}`;

/**
 * The weights of all Dense and convolution layers of a model, without those that `skip` names: what is usually pruned.
 * @example deploy.prune.weights(new nn.Sequential(new nn.Dense(2, 3), new nn.ReLU(), new nn.Dense(3, 1))).length // 2
 */
export function weights(model: Module, skip: readonly string[] = []): Parameter[] {
  return model
    .namedModules()
    .flatMap(([path, module]) =>
      (module instanceof Dense || module instanceof Conv2d || module instanceof Conv1d) &&
      !skip.includes(path)
        ? [[module, "weight"] as const]
        : [],
    );
}

/**
 * Prunes by a mask: elements where it is false or 0 become 0 and stay it. A parameter that has a mask keeps only what both
 * leave.
 * @param mask of the parameter's shape
 * @throws ValueError for a module without such a parameter; ShapeError for a mask of another shape.
 * @example
 * const layer = new nn.Dense(2, 2);
 * deploy.prune.customFromMask(layer, "weight", [[1, 0], [0, 1]]);
 * layer.weight.notEqual(0) // [[true, false], [false, true]]
 */
export function customFromMask(module: Module, name: string, mask: TensorLike): void {
  const parameter = parameterOf([module, name]);
  const given = asTensor(mask);
  if (!sameShape(given.shape, parameter.shape))
    throw new ShapeError(
      `prune: the mask ${formatShape(given.shape)} does not fit ${labelOf([module, name])} ${formatShape(parameter.shape)}`,
    );
  const before = masks.get(module)?.get(name);
  tidy(() => {
    const kept = given.notEqual(0);
    if (before) before.kept.assign(before.kept.value.logicalAnd(kept));
    else putOn(module, name, new Variable(kept, { requiresGrad: false, name: `${name}Mask` }));
    return null;
  });
  applyMask([module, name]);
}

function putOn(module: Module, name: string, kept: Variable): void {
  const plain: Tensor[] = [];
  const hold = (of: Module, value: Tensor): void => void Object.assign(of, { [name]: value });
  const before = module.registerForwardPreHook((of) => {
    const parameter = (of as unknown as Record<string, Tensor>)[name];
    plain.push(parameter);
    hold(of, where(kept.present, parameter, 0)); // as a graph sees it too, in the gradient as well
  });
  const after = module.registerForwardHook(
    (of) => {
      const parameter = plain.pop();
      if (parameter) hold(of, parameter);
    },
    { alwaysCall: true },
  );
  const own = masks.get(module) ?? new Map<string, Mask>();
  masks.set(module, own);
  own.set(name, {
    kept,
    takeOff: () => {
      before();
      after();
    },
  });
}

/** Puts a mask on a parameter that hides nothing yet, so that what is captured from now on follows it. */
export function openMask([module, name]: Parameter): void {
  const { shape } = parameterOf([module, name]);
  if (!masks.get(module)?.has(name)) customFromMask(module, name, ones(shape, { dtype: "bool" }));
}

/** Sets the masked elements of one parameter to 0, to which momentum may have moved them. */
export function applyMask([module, name]: Parameter): void {
  const mask = masks.get(module)?.get(name);
  if (!mask) return;
  const parameter = parameterOf([module, name]);
  tidy(() => {
    parameter.assign(where(mask.kept.value, parameter.value, 0));
    return null;
  });
}

/** All masks of a model: the module, the parameter's name and its path in the model. */
export function masked(model: Module): { parameter: Parameter; path: string; kept: Variable }[] {
  return model.namedModules().flatMap(([path, module]) =>
    [...(masks.get(module) ?? [])].map(([name, { kept }]) => ({
      parameter: [module, name] as const,
      path: path === "" ? name : `${path}.${name}`,
      kept,
    })),
  );
}

/** The mask of a parameter (true: it stays), or `null`. */
export function maskOf([module, name]: Parameter): Tensor | null {
  return masks.get(module)?.get(name)?.kept.value ?? null;
}

/**
 * Sets all masked elements of a model to 0. They count as 0 whatever they hold, but an optimizer with momentum or weight decay
 * moves what nobody sees: call this before the weights are saved, or `remove`, which does it too.
 * @example
 * const layer = new nn.Dense(2, 2);
 * deploy.prune.customFromMask(layer, "weight", [[1, 0], [0, 1]]);
 * deploy.prune.apply(layer);
 */
export function apply(model: Module): void {
  for (const { parameter } of masked(model)) applyMask(parameter);
}

/**
 * True if the module or one below it has a mask.
 * @example deploy.prune.isPruned(new nn.Dense(2, 2)) // false
 */
export function isPruned(model: Module): boolean {
  return masked(model).length > 0;
}

/**
 * Makes pruning permanent: the elements are 0, and the mask is gone (later training may change them).
 * @throws ValueError if the parameter has no mask.
 * @example
 * const layer = new nn.Dense(2, 2);
 * deploy.prune.customFromMask(layer, "weight", [[1, 0], [0, 1]]);
 * deploy.prune.remove(layer, "weight");
 * deploy.prune.isPruned(layer) // false
 */
export function remove(module: Module, name: string): void {
  const mask = masks.get(module)?.get(name);
  if (!mask) throw new ValueError(`prune: ${labelOf([module, name])} has no mask to remove`);
  applyMask([module, name]);
  mask.takeOff();
  masks.get(module)?.delete(name);
}

/**
 * Makes all pruning of a model permanent, as `remove`.
 * @example
 * const model = new nn.Sequential(new nn.Dense(2, 2));
 * deploy.prune.customFromMask(model.layers[0], "weight", [[1, 0], [0, 1]]);
 * deploy.prune.removeAll(model);
 * deploy.prune.isPruned(model) // false
 */
export function removeAll(model: Module): void {
  for (const { parameter } of masked(model)) remove(...parameter);
}

/**
 * The masks of a model by path (bool), for a checkpoint beside `stateDict()`; `loadMasks` puts them on again.
 * @example
 * const layer = new nn.Dense(2, 2);
 * deploy.prune.customFromMask(layer, "weight", [[1, 0], [0, 1]]);
 * deploy.prune.maskState(layer).get("weight") // [[true, false], [false, true]]
 */
export function maskState(model: Module): Map<string, Tensor> {
  return snapshot(masked(model).map(({ path, kept }) => [path, kept] as const));
}

/**
 * Puts masks on a model by path, as `maskState` gave them.
 * @throws ValueError for a path that is no parameter of the model; nothing is pruned then. ShapeError as `customFromMask`.
 * @example
 * const layer = new nn.Dense(2, 2);
 * deploy.prune.loadMasks(layer, new Map([["weight", tensor([[true, false], [false, true]])]]));
 * layer.weight.equal(0).sum() // 2
 */
export function loadMasks(model: Module, state: ReadonlyMap<string, Tensor>): void {
  const modules = new Map(model.namedModules());
  const found = [...state].map(([path, mask]) => {
    const at = path.lastIndexOf(".");
    const module = modules.get(path.slice(0, Math.max(0, at)));
    if (!module) throw new ValueError(`prune: the model has no module for ${path}`);
    const name = path.slice(at + 1);
    parameterOf([module, name]);
    return { module, name, mask };
  });
  for (const { module, name, mask } of found) customFromMask(module, name, mask);
}
