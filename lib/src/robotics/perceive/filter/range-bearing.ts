/** Range and bearing of a landmark, as a lidar or a camera with depth gives them (Probabilistic Robotics, §6.6). */
import { wrapAngle } from "../../solve/manifold.js";

/** A landmark seen from the robot. */
export interface RangeBearing {
  /** Metres. */
  readonly range: number;
  /** Radians from straight ahead, counter-clockwise. */
  readonly bearing: number;
  /** Which landmark it is, if the sensor knows. */
  readonly id?: number;
}

/** Standard deviations. */
export interface RangeBearingNoise {
  /** Metres. */
  readonly range: number;
  /** Radians. */
  readonly bearing: number;
}

/**
 * What is expected, with derivatives by (x, y, θ, landmark x, landmark y), 2 × 5.
 * @example robotics.perceive.predictRangeBearing(0, 0, 0, 3, 4).predicted // [5, 0.9273]
 */
export function predictRangeBearing(
  x: number,
  y: number,
  theta: number,
  lx: number,
  ly: number,
): { predicted: Float64Array; jacobian: Float64Array } {
  const [dx, dy] = [lx - x, ly - y];
  const q = Math.max(dx * dx + dy * dy, 1e-12);
  const r = Math.sqrt(q);
  return {
    predicted: Float64Array.of(r, wrapAngle(Math.atan2(dy, dx) - theta)),
    jacobian: Float64Array.of(-dx / r, -dy / r, 0, dx / r, dy / r, dy / q, -dx / q, -1, -dy / q, dx / q),
  };
}

export function noiseMatrix({ range, bearing }: RangeBearingNoise): Float64Array {
  return Float64Array.of(range * range, 0, 0, bearing * bearing);
}
