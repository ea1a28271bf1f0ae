/** What several update rules share. */
import { ValueError } from "../core/errors.js";
import type { Tensor } from "../core/tensor.js";

/** @throws ValueError for a number that is negative, not finite, or not below `below`. */
export function checkOptions(
  where: string,
  values: Readonly<Record<string, number | undefined>>,
  below = Number.POSITIVE_INFINITY,
): void {
  for (const [name, value] of Object.entries(values))
    if (value !== undefined && !(value >= 0 && value < below)) {
      const limit = below < Number.POSITIVE_INFINITY ? ` and below ${below}` : " and finite";
      throw new ValueError(`${where}: ${name} is at least 0${limit}, got ${value}`);
    }
}

/** The gradient of the loss plus decay/2 · |p|². */
export const decayed = (g: Tensor, p: Tensor, decay: number): Tensor =>
  decay === 0 ? g : g.add(p.mul(decay));

/** factor · old + (1 − factor) · value. */
export const averaged = (old: Tensor, value: Tensor, factor: number): Tensor =>
  old.mul(factor).add(value.mul(1 - factor));

/** 1 − βᵗ, exact also where βᵗ is near 1. */
export const biasOf = (beta: number, step: Tensor): Tensor => step.mul(Math.log(beta)).expm1().neg();
