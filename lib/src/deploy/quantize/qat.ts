/**
 * Training for quantization: what goes into layers, and their weights, are rounded as they will be, and gradients pass
 * straight through, so that the weights learn to live with it. (Book, chapter 8: fake quantization, range tracking.)
 */

import type { Variable } from "../../autodiff/variable.js";
import { ValueError } from "../../core/errors.js";
import type { Tensor } from "../../core/tensor.js";
import { Conv2d } from "../../nn/convolution.js";
import { Dense } from "../../nn/dense.js";
import type { Module } from "../../nn/module.js";
import { concrete } from "../../ops/read.js";
import { fakeQuantize, quantParams, type Range } from "./scheme.js";

export interface QatOptions {
  /** Of weights and of what goes in. Default 8. */
  readonly bits?: number;
  /** Share of the range before in the range that is tracked. Default 0.9. */
  readonly momentum?: number;
}

/**
 * Puts fake quantization into every Dense and Conv2d of a model; it trains as before, step by step (a graph would keep the
 * ranges of its capture). Weights per channel and symmetric, what goes in by a range that follows the batches.
 * @returns a function that takes it out again; quantize the model then
 * @throws ValueError for a model without such layers, or a momentum outside 0 to 1
 * @example deploy.qat(new nn.Sequential(new nn.Dense(2, 3)), { bits: 4 })()
 */
export function qat(model: Module, { bits = 8, momentum = 0.9 }: QatOptions = {}): () => void {
  if (!(momentum >= 0 && momentum < 1))
    throw new ValueError(`qat: the momentum is between 0 and 1, got ${momentum}`);
  const layers = model
    .namedModules()
    .flatMap(([, module]) => (module instanceof Dense || module instanceof Conv2d ? [module] : []));
  if (layers.length === 0) throw new ValueError("qat: the model has no Dense and no Conv2d");
  const removers = layers.map((layer) => hooked(layer, bits, momentum));
  return () => {
    for (const remove of removers) remove();
  };
}

function hooked(layer: Dense | Conv2d, bits: number, momentum: number): () => void {
  const channel = layer instanceof Conv2d ? 0 : 1;
  let range: Range | null = null;
  const plain: Variable[] = [];
  const before = layer.registerForwardPreHook((module, [x, ...rest]) => {
    const held = module as unknown as { weight: Variable | Tensor; training: boolean };
    range = tracked(range, x as Tensor, held.training ? momentum : 1);
    const { weight } = held;
    plain.push(weight as Variable);
    held.weight = fakeWeight(weight, channel, bits);
    return [range ? fakeQuantize(x as Tensor, quantParams([range], [], { bits })) : x, ...rest];
  });
  const putBack = (module: Module): void => {
    const weight = plain.pop();
    if (weight) (module as unknown as { weight: Variable }).weight = weight;
  };
  const after = layer.registerForwardHook(putBack, { alwaysCall: true });
  return () => {
    before();
    after();
  };
}

/** The range with this batch in it; where values can't be read, as it was. */
function tracked(range: Range | null, x: Tensor, momentum: number): Range | null {
  const values = concrete(x);
  if (!values || (range && momentum === 1)) return range;
  const now: Range = [values.min().item(), values.max().item()];
  if (!range) return now;
  return [range[0] * momentum + now[0] * (1 - momentum), range[1] * momentum + now[1] * (1 - momentum)];
}

function fakeWeight(weight: Tensor, channel: number, bits: number): Tensor {
  const values = concrete(weight);
  if (!values) return weight;
  const axes = weight.shape.flatMap((_, i) => (i === channel ? [] : [i]));
  const [least, most] = [values.min(axes), values.max(axes)].map((limit) => Array.from(limit.toTypedArray()));
  const shape = weight.shape.map((dim, i) => (i === channel ? dim : 1));
  const ranges = least.map((from, i): Range => [from, most[i]]);
  return fakeQuantize(weight, quantParams(ranges, shape, { bits, symmetric: true }));
}
