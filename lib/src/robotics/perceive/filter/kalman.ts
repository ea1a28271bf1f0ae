/**
 * Extended Kalman filter: a Gaussian over the state, moved by a linearized motion and narrowed by linearized measurements.
 * (Thrun, Burgard & Fox, "Probabilistic robotics", 2005, ch. 3; the covariance by Joseph's form, which stays positive for
 * any gain.)
 */
import { jacobian } from "../../../autodiff/jacobian.js";
import { ShapeError, ValueError } from "../../../core/errors.js";
import type { Tensor } from "../../../core/tensor.js";
import { toStatic } from "../../../graph/static.js";
import { tensor } from "../../../ops/convert.js";
import { tidy } from "../../../ops/tidy.js";
import { wrapAngle } from "../../solve/manifold.js";
import { cholesky, choleskySolve, mahalanobis } from "../dense.js";
import { chiSquaredQuantile } from "./chi-squared.js";

/** A measurement and its model, linearized at the present state. */
export interface LinearMeasurement {
  /** What was measured, m numbers. */
  readonly z: ArrayLike<number>;
  /** What the state predicts. */
  readonly predicted: ArrayLike<number>;
  /** ∂predicted/∂state, m × columns, row-major. */
  readonly jacobian: Float64Array;
  /** The components of the state that `jacobian` has columns for. Default: all. The others have no influence. */
  readonly columns?: ArrayLike<number>;
  /** Covariance of its noise, m × m. */
  readonly noise: Float64Array;
  /** Components that are angles: differences are wrapped to [−π, π). */
  readonly angles?: readonly number[];
}

/** How a measurement compares with what was expected. */
export interface Innovation {
  /** z − predicted. */
  readonly innovation: Float64Array;
  /** Its covariance S = H·P·Hᵀ + R, m × m. */
  readonly covariance: Float64Array;
  /** Squared Mahalanobis distance (normalized innovation squared, NIS): χ² of m degrees of freedom if all is well. */
  readonly nis: number;
}

export interface UpdateResult extends Innovation {
  /** False if the gate refused it; the state is then unchanged. */
  readonly accepted: boolean;
}

interface Prepared extends Innovation {
  readonly factor: Float64Array;
  /** P·Hᵀ, n × m. */
  readonly cross: Float64Array;
}

export class ExtendedKalmanFilter {
  state: Float64Array;
  /** n × n, row-major, symmetric. */
  covariance: Float64Array;

  /**
   * @param state,covariance copied
   * @param angles components of the state that are angles in radians
   * @throws ShapeError unless the covariance is n × n.
   */
  constructor(
    state: ArrayLike<number>,
    covariance: ArrayLike<number>,
    readonly angles: readonly number[] = [],
  ) {
    this.state = Float64Array.from(state);
    this.covariance = Float64Array.from(covariance);
    if (covariance.length !== state.length ** 2)
      throw new ShapeError(
        `ExtendedKalmanFilter: a state of ${state.length} numbers has a covariance of ${state.length ** 2}, got ${covariance.length}`,
      );
  }

  get size(): number {
    return this.state.length;
  }

  /**
   * Motion: state ← f(state), P ← F·P·Fᵀ + Q.
   * @param moved f(state)
   * @param jacobian F, of the first `rows` components; the others stay as they are
   * @param noise Q, of the same components
   */
  predict(moved: ArrayLike<number>, jacobian: Float64Array, noise: Float64Array): void {
    const n = this.size;
    const k = moved.length;
    if (k > n || jacobian.length !== k * k || noise.length !== k * k)
      throw new ShapeError(
        `predict: ${k} components that move want F and Q of ${k * k} numbers and at most ${n} components, got ${jacobian.length} and ${noise.length}`,
      );
    for (let i = 0; i < k; i++) this.state[i] = moved[i];
    this.wrap();
    const p = this.covariance;
    const top = new Float64Array(k * n);
    for (let i = 0; i < k; i++)
      for (let l = 0; l < k; l++) {
        const f = jacobian[i * k + l];
        if (f !== 0) for (let j = 0; j < n; j++) top[i * n + j] += f * p[l * n + j];
      }
    for (let i = 0; i < k; i++) {
      for (let j = k; j < n; j++) {
        p[i * n + j] = top[i * n + j];
        p[j * n + i] = top[i * n + j];
      }
      for (let j = 0; j < k; j++) {
        let sum = noise[i * k + j];
        for (let l = 0; l < k; l++) sum += top[i * n + l] * jacobian[j * k + l];
        p[i * n + j] = sum;
      }
    }
  }

  /** Compares without changing the state: for gates and data association. */
  innovation(measurement: LinearMeasurement): Innovation {
    return this.compare(measurement);
  }

  /**
   * Takes a measurement in, unless its distance exceeds the gate.
   * @param gate probability with which a measurement of this model passes (0.99); none: all pass
   * @throws ShapeError if parts do not fit; ValueError if S is not positive definite.
   */
  update(measurement: LinearMeasurement, { gate }: { readonly gate?: number } = {}): UpdateResult {
    const prepared = this.prepare(measurement);
    const m = prepared.innovation.length;
    if (gate !== undefined && prepared.nis > chiSquaredQuantile(gate, m))
      return { ...prepared, accepted: false };
    const n = this.size;
    const { factor, cross, innovation } = prepared;
    const gain = cross.slice(); // K = P·Hᵀ·S⁻¹, row by row
    const row = new Float64Array(m);
    for (let i = 0; i < n; i++) {
      for (let a = 0; a < m; a++) row[a] = cross[i * m + a];
      choleskySolve(factor, m, row);
      for (let a = 0; a < m; a++) {
        gain[i * m + a] = row[a];
        this.state[i] += row[a] * innovation[a];
      }
    }
    this.wrap();
    this.joseph(measurement, gain, cross);
    return { ...prepared, accepted: true };
  }

  /**
   * P ← (I − K·H)·P·(I − K·H)ᵀ + K·R·Kᵀ, in O(n²·m) and one pass over half of it. The second factor is applied to what rounding made of the
   * first: written out as one sum, the products cancel, and P loses its positive eigenvalues where measurements are far
   * more exact than P.
   */
  private joseph(
    { jacobian, columns, noise }: LinearMeasurement,
    gain: Float64Array,
    cross: Float64Array,
  ): void {
    const n = this.size;
    const m = gain.length / n;
    const p = this.covariance;
    const width = columns?.length ?? n;
    const rest = new Float64Array(n * m); // (I − K·H)·P·Hᵀ − K·R, from the columns of P that H reaches
    for (let i = 0; i < n; i++) {
      for (let c = 0; c < width; c++) {
        const column = columns ? columns[c] : c;
        let left = p[i * n + column];
        for (let a = 0; a < m; a++) left -= gain[i * m + a] * cross[column * m + a];
        for (let a = 0; a < m; a++) rest[i * m + a] += left * jacobian[a * width + c];
      }
      for (let a = 0; a < m; a++)
        for (let b = 0; b < m; b++) rest[i * m + a] -= gain[i * m + b] * noise[b * m + a];
    }
    if (m === 2) narrowByPairs(p, gain, cross, rest, n);
    else narrow(p, gain, cross, rest, n);
  }

  private prepare(measurement: LinearMeasurement): Prepared {
    const { jacobian, columns, z } = measurement;
    const compared = this.compare(measurement);
    return { ...compared, cross: this.timesTransposed(jacobian, columns, z.length) };
  }

  /** Innovation and its covariance, from the part of P that the measurement depends on. */
  private compare(measurement: LinearMeasurement): Omit<Prepared, "cross"> {
    const { z, predicted, jacobian, columns, noise, angles = [] } = measurement;
    const n = this.size;
    const m = z.length;
    const width = columns?.length ?? n;
    if (predicted.length !== m || jacobian.length !== m * width || noise.length !== m * m)
      throw new ShapeError(
        `update: a measurement of ${m} numbers wants as many predicted, H of ${m * width} and R of ${m * m} numbers; got ${predicted.length}, ${jacobian.length}, ${noise.length}`,
      );
    const innovation = new Float64Array(m);
    for (let i = 0; i < m; i++) {
      const difference = z[i] - predicted[i];
      innovation[i] = angles.includes(i) ? wrapAngle(difference) : difference;
    }
    const covariance = Float64Array.from(noise);
    const p = this.covariance;
    for (let c = 0; c < width; c++) {
      const row = (columns ? columns[c] : c) * n;
      for (let b = 0; b < m; b++) {
        let sum = 0; // element (c, b) of P·Hᵀ
        for (let d = 0; d < width; d++) sum += p[row + (columns ? columns[d] : d)] * jacobian[b * width + d];
        for (let a = 0; a < m; a++) covariance[a * m + b] += jacobian[a * width + c] * sum;
      }
    }
    const factor = cholesky(covariance, m);
    if (!factor)
      throw new ValueError("update: the innovation's covariance H·P·Hᵀ + R is not positive definite");
    return { innovation, covariance, factor, nis: mahalanobis(factor, m, innovation) };
  }

  /** P·Hᵀ, n × m. */
  private timesTransposed(h: Float64Array, columns: ArrayLike<number> | undefined, m: number): Float64Array {
    const n = this.size;
    const width = columns?.length ?? n;
    const out = new Float64Array(n * m);
    for (let i = 0; i < n; i++)
      for (let a = 0; a < m; a++) {
        let sum = 0;
        for (let c = 0; c < width; c++)
          sum += this.covariance[i * n + (columns ? columns[c] : c)] * h[a * width + c];
        out[i * m + a] = sum;
      }
    return out;
  }

  /** Squared Mahalanobis distance of a true state (normalized estimation error squared, NEES): χ² of n degrees if all is well. */
  nees(truth: ArrayLike<number>, components: number = this.size): number {
    const n = this.size;
    const part = new Float64Array(components ** 2);
    for (let i = 0; i < components; i++)
      for (let j = 0; j < components; j++) part[i * components + j] = this.covariance[i * n + j];
    const factor = cholesky(part, components);
    if (!factor) throw new ValueError("nees: the covariance is not positive definite");
    const error = Float64Array.from({ length: components }, (_, i) => {
      const difference = truth[i] - this.state[i];
      return this.angles.includes(i) ? wrapAngle(difference) : difference;
    });
    return mahalanobis(factor, components, error);
  }

  private wrap(): void {
    for (const i of this.angles) this.state[i] = wrapAngle(this.state[i]);
  }
}

/** `joseph`'s pass: the lower triangle of p ← (p − gain·crossᵀ) − rest·gainᵀ, from a row and a column on, and its mirror. */
function narrow(
  p: Float64Array,
  gain: Float64Array,
  cross: Float64Array,
  rest: Float64Array,
  n: number,
  { from = 0, to = n, left = 0 } = {},
): void {
  const m = gain.length / n;
  for (let i = from; i < to; i++)
    for (let j = left; j <= i; j++) {
      let x = p[i * n + j];
      for (let a = 0; a < m; a++) x -= gain[i * m + a] * cross[j * m + a];
      for (let a = 0; a < m; a++) x -= rest[i * m + a] * gain[j * m + a];
      p[i * n + j] = x;
      p[j * n + i] = x;
    }
}

/** The same for measurements of two numbers, as nearly all are: four rows at a time share what is read of a column. */
function narrowByPairs(
  p: Float64Array,
  gain: Float64Array,
  cross: Float64Array,
  rest: Float64Array,
  n: number,
): void {
  const [gain0, gain1] = [everySecond(gain, 0), everySecond(gain, 1)];
  const [cross0, cross1] = [everySecond(cross, 0), everySecond(cross, 1)];
  const [second, third, fourth] = [n, 2 * n, 3 * n];
  let i = 0;
  for (; i + 3 < n; i += 4) {
    const [g0, g1, r0, r1] = [gain0[i], gain1[i], rest[2 * i], rest[2 * i + 1]];
    const [h0, h1, s0, s1] = [gain0[i + 1], gain1[i + 1], rest[2 * i + 2], rest[2 * i + 3]];
    const [k0, k1, t0, t1] = [gain0[i + 2], gain1[i + 2], rest[2 * i + 4], rest[2 * i + 5]];
    const [l0, l1, u0, u1] = [gain0[i + 3], gain1[i + 3], rest[2 * i + 6], rest[2 * i + 7]];
    let at = i * n;
    let mirror = i;
    for (let j = 0; j < i; j++, at++, mirror += n) {
      const [a, b, c, d] = [cross0[j], cross1[j], gain0[j], gain1[j]];
      const w = p[at] - g0 * a - g1 * b - r0 * c - r1 * d;
      const x = p[at + second] - h0 * a - h1 * b - s0 * c - s1 * d;
      const y = p[at + third] - k0 * a - k1 * b - t0 * c - t1 * d;
      const z = p[at + fourth] - l0 * a - l1 * b - u0 * c - u1 * d;
      p[at] = w;
      p[at + second] = x;
      p[at + third] = y;
      p[at + fourth] = z;
      p[mirror] = w;
      p[mirror + 1] = x;
      p[mirror + 2] = y;
      p[mirror + 3] = z;
    }
    narrow(p, gain, cross, rest, n, { from: i, to: i + 4, left: i });
  }
  narrow(p, gain, cross, rest, n, { from: i });
}

function everySecond(x: Float64Array, first: number): Float64Array {
  const half = new Float64Array(x.length / 2);
  for (let i = 0; i < half.length; i++) half[i] = x[2 * i + first];
  return half;
}

/**
 * A model written over tensors, compiled with its derivatives: what `predict` and `update` want.
 * @param f from the state and inputs (float64 tensors of one axis) to a tensor of one axis
 * @returns a function from numbers to f's value and ∂f/∂state, row-major
 * @example
 * const model = robotics.perceive.linearized((x, u) => x.add(u.mul(x.at(0).cos())));
 * model([0, 1], [2, 3]).jacobian // [1, 0, 0, 1]
 */
export function linearized(
  f: (state: Tensor, ...inputs: Tensor[]) => Tensor,
): (
  state: ArrayLike<number>,
  ...inputs: ArrayLike<number>[]
) => { value: Float64Array; jacobian: Float64Array } {
  const compiled = toStatic((...args: [Tensor, ...Tensor[]]) => [f(...args), jacobian(f)(...args)], {
    name: f.name || "model",
  });
  return (...args) =>
    tidy(() => {
      const tensors = args.map((x) => tensor(Float64Array.from(x), { dtype: "float64" }));
      const [value, slope] = compiled(...(tensors as [Tensor, ...Tensor[]]));
      return {
        value: Float64Array.from(value.toTypedArray() as Float64Array),
        jacobian: Float64Array.from(slope.toTypedArray() as Float64Array),
      };
    });
}
