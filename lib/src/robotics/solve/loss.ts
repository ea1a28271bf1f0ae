/**
 * Robust losses: what a residual block of squared length s costs, ρ(s), so that outliers pull less. ρ(s) ≈ s near 0.
 * (Triggs et al., "Bundle adjustment: a modern synthesis", 2000, §3; forms as in Ceres and SciPy.)
 */
import { ValueError } from "../../core/errors.js";

export interface RobustLoss {
  readonly name: string;
  /** ρ(s) for s ≥ 0. */
  cost(s: number): number;
  /** ρ′(s) in [0, 1]: the weight of the block in the normal equations (iteratively reweighted least squares). */
  weight(s: number): number;
}

function scaleOf(name: string, scale: number): number {
  if (!(scale > 0 && scale < Infinity)) throw new ValueError(`${name}: a scale above 0 wanted, got ${scale}`);
  return scale * scale;
}

/**
 * Quadratic up to |r| = scale, linear from there: an outlier's pull stays constant.
 * @example robotics.solve.huber(1).weight(4) // 0.5
 */
export function huber(scale = 1): RobustLoss {
  const square = scaleOf("huber", scale);
  return {
    name: `huber(${scale})`,
    cost: (s) => (s <= square ? s : 2 * scale * Math.sqrt(s) - square),
    weight: (s) => (s <= square ? 1 : scale / Math.sqrt(s)),
  };
}

/**
 * scale²·log(1 + s/scale²): an outlier's pull falls as 1/r.
 * @example robotics.solve.cauchy(2).weight(4) // 0.5
 */
export function cauchy(scale = 1): RobustLoss {
  const square = scaleOf("cauchy", scale);
  return {
    name: `cauchy(${scale})`,
    cost: (s) => square * Math.log1p(s / square),
    weight: (s) => 1 / (1 + s / square),
  };
}

/**
 * Tukey's biweight: what is farther than `scale` has no pull at all, so a good start is needed.
 * @example robotics.solve.tukey(1).weight(4) // 0
 */
export function tukey(scale = 1): RobustLoss {
  const square = scaleOf("tukey", scale);
  return {
    name: `tukey(${scale})`,
    cost: (s) => (square / 3) * (s < square ? 1 - (1 - s / square) ** 3 : 1),
    weight: (s) => (s < square ? (1 - s / square) ** 2 : 0),
  };
}
