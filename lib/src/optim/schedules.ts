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
