/** Learning rates that change with the number of steps taken. */
import { ValueError } from "../core/errors.js";

function checkSteps(where: string, steps: number): void {
  if (!Number.isInteger(steps) || steps < 1)
    throw new ValueError(`${where}: the number of steps is a whole number from 1, got ${steps}`);
}

/**
 * Always `rate`.
 * @example optim.constant(0.1)(1000) // 0.1
 */
export function constant(rate: number): (step: number) => number {
  return () => rate;
}

/**
 * `rate`, times `factor` after every `every` steps.
 * @example optim.stepDecay(0.1, 30)(45) // 0.01
 */
export function stepDecay(rate: number, every: number, factor = 0.1): (step: number) => number {
  checkSteps("stepDecay", every);
  return (step) => rate * factor ** Math.floor(step / every);
}

/**
 * `rate`, times `factor` after each step.
 * @example optim.exponentialDecay(0.1, 0.9)(2) // 0.081
 */
export function exponentialDecay(rate: number, factor: number): (step: number) => number {
  return (step) => rate * factor ** step;
}

/**
 * From `start` to `end` in a straight line over `steps`; then `end`.
 * @example optim.linear(1, 0, 10)(5) // 0.5
 */
export function linear(start: number, end: number, steps: number): (step: number) => number {
  checkSteps("linear", steps);
  return (step) => start + (end - start) * Math.min(1, step / steps);
}

/**
 * From `rate` to `least` along half a cosine over `steps` (Loshchilov & Hutter 2017).
 * @example optim.cosine(0.1, 100)(50) // 0.05
 */
export function cosine(rate: number, steps: number, least = 0): (step: number) => number {
  checkSteps("cosine", steps);
  return (step) => least + (rate - least) * 0.5 * (1 + Math.cos(Math.PI * Math.min(1, step / steps)));
}

/**
 * Rises linearly over `steps` to the first rate of `after`, then follows it.
 * @example optim.warmup(10, optim.constant(0.1))(4) // 0.05
 */
export function warmup(steps: number, after: (step: number) => number): (step: number) => number {
  checkSteps("warmup", steps);
  return (step) => (step < steps ? (after(0) * (step + 1)) / steps : after(step - steps));
}

/**
 * `rates[k]` from step `starts[k − 1]` on; `rates[0]` before.
 * @example optim.piecewise([100, 200], [0.1, 0.01, 0.001])(150) // 0.01
 * @throws ValueError if there is not one rate more than starts, or the starts do not rise.
 */
export function piecewise(starts: readonly number[], rates: readonly number[]): (step: number) => number {
  if (rates.length !== starts.length + 1 || starts.some((s, i) => i > 0 && s <= starts[i - 1]))
    throw new ValueError(
      `piecewise: ${starts.length} rising starts and ${starts.length + 1} rates wanted, got [${starts}] and [${rates}]`,
    );
  return (step) => rates[starts.filter((s) => s <= step).length];
}

/**
 * From `rate` to `least` along (1 − step/steps)^`power`; then `least`.
 * @example optim.polynomial(1, 10, { power: 2 })(5) // 0.25
 */
export function polynomial(
  rate: number,
  steps: number,
  { power = 1, least = 0 }: { readonly power?: number; readonly least?: number } = {},
): (step: number) => number {
  checkSteps("polynomial", steps);
  return (step) => least + (rate - least) * (1 - Math.min(1, step / steps)) ** power;
}

/**
 * Half a cosine from `rate` to `least` again and again; each round is `factor` times as long as the one before (SGDR,
 * Loshchilov & Hutter 2017).
 * @example optim.cosineRestarts(0.1, 10)(10) // 0.1
 */
export function cosineRestarts(
  rate: number,
  steps: number,
  { factor = 1, least = 0 }: { readonly factor?: number; readonly least?: number } = {},
): (step: number) => number {
  checkSteps("cosineRestarts", steps);
  checkSteps("cosineRestarts (factor)", factor);
  return (step) => {
    let [from, length] = [0, steps];
    while (step >= from + length) [from, length] = [from + length, length * factor];
    return cosine(rate, length, least)(step - from);
  };
}

/**
 * Up from `highest`/`divide` to `highest` over the first part of `steps` and down to almost nothing, along half cosines
 * (Smith & Topin 2018).
 * @example optim.oneCycle(1, 100)(29) // 1
 */
export function oneCycle(
  highest: number,
  steps: number,
  {
    rising = 0.3,
    divide = 25,
    divideLast = 1e4,
  }: { readonly rising?: number; readonly divide?: number; readonly divideLast?: number } = {},
): (step: number) => number {
  checkSteps("oneCycle", steps);
  if (!(rising > 0 && rising < 1))
    throw new ValueError(`oneCycle: the rising part is between 0 and 1, got ${rising}`);
  const [first, last] = [highest / divide, highest / divide / divideLast];
  const top = rising * steps - 1;
  const between = (from: number, to: number, part: number): number =>
    to + (from - to) * 0.5 * (1 + Math.cos(Math.PI * Math.min(1, part)));
  return (step) =>
    step <= top
      ? between(first, highest, step / top)
      : between(highest, last, (step - top) / (steps - 1 - top));
}
