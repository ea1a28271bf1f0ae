/** A row of layers cut into stages that take about the same time: the slowest stage sets the pace of all. */

import { noGrad } from "../../autodiff/tape-mode.js";
import { Variable } from "../../autodiff/variable.js";
import { isFloat } from "../../core/dtype.js";
import { ValueError } from "../../core/errors.js";
import type { Tensor } from "../../core/tensor.js";
import { tidy } from "../../ops/tidy.js";
import { wholeSize } from "../tensor-parallel/cuts.js";
import { type LayeredModel, layersOf, runLayer } from "./layers.js";

/**
 * How many layers each stage gets, in order, so that the most expensive stage is as cheap as it can be; of several such
 * cuts the one whose costs are nearest to each other.
 * @param costs of the layers, in any unit
 * @throws ValueError for fewer layers than stages, or costs that are negative or no numbers
 * @example distributed.balancedStages([1, 1, 1, 3], 2) // [3, 1]
 */
export function balancedStages(costs: readonly number[], stages: number): number[] {
  if (!Number.isInteger(stages) || stages < 1 || costs.length < stages)
    throw new ValueError(`balancedStages: ${costs.length} layers can't be cut into ${stages} stages`);
  const wrong = costs.findIndex((cost) => !(cost >= 0 && cost < Number.POSITIVE_INFINITY));
  if (wrong >= 0) throw new ValueError(`balancedStages: the cost of layer ${wrong} is ${costs[wrong]}`);
  const before = [0];
  for (const cost of costs) before.push(before[before.length - 1] + cost);
  /** Of the first `end` layers in the stages so far: [most expensive stage, sum of squares, where the last one starts]. */
  type Best = readonly [most: number, squares: number, start: number];
  let best: (Best | null)[] = before.map((_, end) => (end === 0 ? [0, 0, 0] : null));
  const starts: number[][] = [];
  for (let stage = 1; stage <= stages; stage++) {
    const next: (Best | null)[] = before.map((_, end) => {
      let found: Best | null = null;
      for (let start = stage - 1; start < end; start++) {
        const earlier = best[start];
        if (!earlier) continue;
        const own = before[end] - before[start];
        const [most, squares] = [Math.max(earlier[0], own), earlier[1] + own * own];
        if (!found || most < found[0] || (most === found[0] && squares < found[1]))
          found = [most, squares, start];
      }
      return found;
    });
    starts.push(next.map((found) => found?.[2] ?? 0));
    best = next;
  }
  const sizes: number[] = [];
  for (let stage = stages - 1, end = costs.length; stage >= 0; stage--) {
    const start = starts[stage][end];
    sizes.unshift(end - start);
    end = start;
  }
  return sizes;
}

/**
 * Numbers that a layer holds: what it costs where nothing was measured. Layers without any count a little, those that are
 * cut within as if they were whole: members with other parts must cut the row alike.
 */
export function parameterCosts(model: LayeredModel): number[] {
  return layersOf(model).map(([, layer]) =>
    layer.namedVariables().reduce((sum, [, variable]) => sum + wholeSize(variable), 1),
  );
}

/**
 * Milliseconds that each layer takes forward and back, measured on example data: the fastest of some runs. Measure on
 * one member, and send what comes out to the others (`group.broadcastObject`): all must cut alike.
 * @param x what goes into the first layer
 * @example
 * const model = new nn.Sequential(new nn.Dense(4, 4), new nn.ReLU());
 * distributed.measuredCosts(model, ones([2, 4])).length // 2
 */
export function measuredCosts(
  model: LayeredModel,
  x: Tensor,
  { runs = 3 }: { readonly runs?: number } = {},
): number[] {
  let input = x;
  return layersOf(model).map(([, layer]) => {
    let fastest = Number.POSITIVE_INFINITY;
    for (let i = 0; i < runs; i++) {
      const start = performance.now();
      tidy(() => {
        const from = isFloat(input.dtype) ? new Variable(input) : input;
        const y = runLayer(layer, from);
        if (isFloat(y.dtype) && y.requiresGrad) y.backward(y.detach());
        return null;
      });
      fastest = Math.min(fastest, performance.now() - start);
    }
    layer.zeroGrad();
    input = noGrad(() => runLayer(layer, input));
    return fastest;
  });
}
