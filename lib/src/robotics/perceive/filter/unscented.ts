/**
 * Unscented Kalman filter: the Gaussian goes through the models as a few weighted points, without derivatives (Julier &
 * Uhlmann 1997; van der Merwe 2004).
 */
import { ShapeError, ValueError } from "../../../core/errors.js";
import { wrapAngle } from "../../solve/manifold.js";
import { cholesky, choleskySolve, mahalanobis } from "../dense.js";
import { chiSquaredQuantile } from "./chi-squared.js";
import type { UpdateResult } from "./kalman.js";

export interface UnscentedOptions {
  /** Components of the state that are angles in radians: their mean is that of the circle. */
  readonly angles?: readonly number[];
  /** Spread of the points. Default 1e-1. */
  readonly alpha?: number;
  /** 2 (default) is best for Gaussians. */
  readonly beta?: number;
  /** Default 0. */
  readonly kappa?: number;
}

interface Cloud {
  readonly mean: Float64Array;
  readonly points: Float64Array[];
}

export class UnscentedKalmanFilter {
  state: Float64Array;
  /** n × n, row-major. */
  covariance: Float64Array;
  private readonly angles: readonly number[];
  private readonly lambda: number;
  private readonly first: number; // weight of the middle point in covariances

  constructor(state: ArrayLike<number>, covariance: ArrayLike<number>, options: UnscentedOptions = {}) {
    const { angles = [], alpha = 0.1, beta = 2, kappa = 0 } = options;
    const n = state.length;
    if (covariance.length !== n * n)
      throw new ShapeError(
        `UnscentedKalmanFilter: a state of ${n} numbers has a covariance of ${n * n}, got ${covariance.length}`,
      );
    this.state = Float64Array.from(state);
    this.covariance = Float64Array.from(covariance);
    this.angles = angles;
    this.lambda = alpha ** 2 * (n + kappa) - n;
    this.first = this.lambda / (n + this.lambda) + 1 - alpha ** 2 + beta;
  }

  /** state ← f(state) and its covariance, plus the noise Q (n × n). */
  predict(f: (state: Float64Array) => ArrayLike<number>, noise: Float64Array): void {
    const points = this.sigmaPoints().map((point) => Float64Array.from(f(point)));
    const cloud = this.meanOf(points, this.angles);
    const differences = points.map((point) => subtract(point, cloud.mean, this.angles));
    this.covariance = this.product(differences, differences, noise);
    this.state = cloud.mean;
  }

  /**
   * Takes a measurement in, unless its distance exceeds the gate.
   * @param h what a state predicts; `angles` are its components that are angles
   */
  update(
    z: ArrayLike<number>,
    h: (state: Float64Array) => ArrayLike<number>,
    noise: Float64Array,
    { gate, angles = [] }: { readonly gate?: number; readonly angles?: readonly number[] } = {},
  ): UpdateResult {
    const [n, m] = [this.state.length, z.length];
    const sigma = this.sigmaPoints();
    const cloud = this.meanOf(
      sigma.map((point) => Float64Array.from(h(point))),
      angles,
    );
    const seen = cloud.points.map((point) => subtract(point, cloud.mean, angles));
    const states = sigma.map((point) => subtract(point, this.state, this.angles));
    const covariance = this.product(seen, seen, noise);
    const cross = this.product(states, seen, new Float64Array(n * m));
    const innovation = subtract(Float64Array.from(z), cloud.mean, angles);
    const factor = cholesky(covariance, m);
    if (!factor) throw new ValueError("update: the innovation's covariance is not positive definite");
    const nis = mahalanobis(factor, m, innovation);
    if (gate !== undefined && nis > chiSquaredQuantile(gate, m))
      return { innovation, covariance, nis, accepted: false };
    const gain = new Float64Array(n * m);
    for (let i = 0; i < n; i++) {
      const row = cross.slice(i * m, i * m + m);
      choleskySolve(factor, m, row);
      gain.set(row, i * m);
      for (let a = 0; a < m; a++) this.state[i] += row[a] * innovation[a];
    }
    for (const i of this.angles) this.state[i] = wrapAngle(this.state[i]);
    for (let i = 0; i < n; i++)
      for (let j = 0; j <= i; j++) {
        let [ij, ji] = [0, 0];
        for (let a = 0; a < m; a++) {
          ij += gain[i * m + a] * cross[j * m + a];
          ji += gain[j * m + a] * cross[i * m + a];
        }
        const value = this.covariance[i * n + j] - (ij + ji) / 2;
        this.covariance[i * n + j] = value;
        this.covariance[j * n + i] = value;
      }
    return { innovation, covariance, nis, accepted: true };
  }

  /** 2n + 1 points: the mean, and both ways along each column of the covariance's root. */
  private sigmaPoints(): Float64Array[] {
    const n = this.state.length;
    const root = cholesky(this.covariance, n);
    if (!root) throw new ValueError("UnscentedKalmanFilter: the covariance is not positive definite");
    const scale = Math.sqrt(n + this.lambda);
    const points = [this.state.slice()];
    for (const sign of [1, -1])
      for (let k = 0; k < n; k++) points.push(this.state.map((x, i) => x + sign * scale * root[i * n + k]));
    return points;
  }

  private meanOf(points: Float64Array[], angles: readonly number[]): Cloud {
    const middle = points[0];
    const n = this.state.length;
    const other = 1 / (2 * (n + this.lambda));
    // as differences from the middle point, in which angles are small; weights add up to 1
    const mean = middle.slice();
    for (const point of points.slice(1)) {
      const difference = subtract(point, middle, angles);
      for (let i = 0; i < mean.length; i++) mean[i] += other * difference[i];
    }
    for (const i of angles) mean[i] = wrapAngle(mean[i]);
    return { mean, points };
  }

  private product(a: readonly Float64Array[], b: readonly Float64Array[], noise: Float64Array): Float64Array {
    const [rows, columns] = [a[0].length, b[0].length];
    const out = noise.slice();
    const other = 1 / (2 * (this.state.length + this.lambda));
    a.forEach((x, k) => {
      const weight = k === 0 ? this.first : other;
      for (let i = 0; i < rows; i++)
        for (let j = 0; j < columns; j++) out[i * columns + j] += weight * x[i] * b[k][j];
    });
    return out;
  }
}

function subtract(a: Float64Array, b: Float64Array, angles: readonly number[]): Float64Array {
  return a.map((x, i) => (angles.includes(i) ? wrapAngle(x - b[i]) : x - b[i]));
}
