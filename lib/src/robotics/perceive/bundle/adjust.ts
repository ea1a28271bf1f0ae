/** Bundle adjustment: cameras and points that explain all pixels best (Triggs et al. 2000). */
import type { RobustLoss } from "../../solve/loss.js";
import { Problem } from "../../solve/problem.js";
import type { ResidualKind } from "../../solve/residual.js";
import { minimize, type SolveOptions, type SolveSummary } from "../../solve/solver.js";
import type { BundleProblem } from "./bal.js";
import { snavelyReprojection } from "./snavely.js";

export interface BundleOptions extends Omit<SolveOptions, "eliminate"> {
  /** Of each observation's squared distance in pixels. Default: none. */
  readonly loss?: RobustLoss;
  /** The camera: 9 and 3 parameters, 2 constants (u, v). Default `snavelyReprojection`. */
  readonly kind?: ResidualKind;
  /** Cameras that keep their values. Default none: damping settles the frame, which is then near the start's. */
  readonly constantCameras?: readonly number[];
}

export interface BundleSolution {
  readonly problem: BundleProblem;
  readonly summary: SolveSummary;
  /** Root of the mean squared distance per observation, in pixels. */
  readonly rms: number;
}

/**
 * Refines cameras and points together by Levenberg–Marquardt; points are eliminated by the Schur complement.
 * @example
 * const { problem } = robotics.perceive.syntheticBundle({ cameras: 8, points: 200 });
 * (await robotics.perceive.bundleAdjust(problem)).rms < 0.71 // true
 */
export async function bundleAdjust(
  start: BundleProblem,
  options: BundleOptions = {},
): Promise<BundleSolution> {
  const { loss, kind = snavelyReprojection, constantCameras, ...solving } = options;
  const problem = new Problem();
  const cameras = problem.addParameters("cameras", start.cameras, { size: 9, constant: constantCameras });
  const points = problem.addParameters("points", start.points, { size: 3 });
  const set = problem.addResiduals(
    kind,
    [
      [cameras, start.cameraIndex],
      [points, start.pointIndex],
    ],
    start.pixels,
    { loss },
  );
  const summary = await minimize(problem, { ...solving, eliminate: [points] });
  const residuals = problem.residuals(set);
  const squares = residuals.reduce((sum, r) => sum + r * r, 0);
  return {
    problem: { ...start, cameras: cameras.values, points: points.values },
    summary,
    rms: Math.sqrt(squares / start.cameraIndex.length),
  };
}
