/**
 * EKF localization in a map of known landmarks, and EKF-SLAM, which estimates the map too: one Gaussian over the robot's pose
 * and all landmarks. (Probabilistic Robotics, ch. 7 and 10.)
 */
import { ValueError } from "../../../core/errors.js";
import { cholesky, mahalanobis } from "../dense.js";
import { type Association, type Candidate, jointCompatibility, nearestNeighbour } from "./association.js";
import { ExtendedKalmanFilter, type LinearMeasurement } from "./kalman.js";
import { linearDrive, type MotionNoise, type Pose2, type Twist2 } from "./motion.js";
import {
  noiseMatrix,
  predictRangeBearing,
  type RangeBearing,
  type RangeBearingNoise,
} from "./range-bearing.js";

export interface LandmarkFilterOptions {
  readonly motionNoise: MotionNoise;
  readonly sensorNoise: RangeBearingNoise;
  /** Standard deviations of the first pose, metres and radians. Default exact. */
  readonly startDeviation?: readonly [x: number, y: number, theta: number];
  /** Probability with which a right pair passes the gate. Default 0.99. */
  readonly gate?: number;
  /**
   * Who is who: "known" takes the observations' ids; "nearest" the nearest landmark inside the gate; "joint" the largest
   * jointly compatible set. Default "known".
   */
  readonly association?: "known" | "nearest" | "joint";
}

/** What became of the observations of one moment. */
export interface Observed {
  /** Landmark of each observation, −1 for none. */
  readonly association: Association;
  /** NIS of those that were taken in, in order. */
  readonly nis: readonly number[];
}

abstract class LandmarkFilter {
  readonly filter: ExtendedKalmanFilter;
  protected readonly noise: Float64Array;
  protected readonly gate: number;

  constructor(
    start: Pose2,
    protected readonly options: LandmarkFilterOptions,
  ) {
    const deviation = options.startDeviation ?? [0, 0, 0];
    const covariance = new Float64Array(9);
    for (let i = 0; i < 3; i++) covariance[i * 4] = deviation[i] ** 2;
    this.filter = new ExtendedKalmanFilter([start.x, start.y, start.theta], covariance, [2]);
    this.noise = noiseMatrix(options.sensorNoise);
    this.gate = options.gate ?? 0.99;
  }

  get pose(): Pose2 {
    const [x, y, theta] = this.filter.state;
    return { x, y, theta };
  }

  /** Covariance of x, y and θ, 3 × 3. */
  get poseCovariance(): Float64Array {
    const n = this.filter.size;
    return Float64Array.from(
      { length: 9 },
      (_, at) => this.filter.covariance[Math.floor(at / 3) * n + (at % 3)],
    );
  }

  /** The robot drove so for `dt` seconds. */
  predict(twist: Twist2, dt: number): void {
    const { pose, jacobian, noise } = linearDrive(this.pose, twist, dt, this.options.motionNoise);
    this.filter.predict([pose.x, pose.y, pose.theta], jacobian, noise);
  }

  protected abstract readonly landmarkCount: number;
  /** The model of a landmark at the present state. */
  protected abstract expected(landmark: number): Omit<LinearMeasurement, "z" | "noise"> & {
    readonly columns: readonly number[];
  };

  protected measurement({ range, bearing }: RangeBearing, landmark: number): LinearMeasurement {
    return { ...this.expected(landmark), z: [range, bearing], noise: this.noise, angles: [1] };
  }

  /** By distance: all observations of one moment together. */
  protected associate(observations: readonly RangeBearing[]): Association {
    const candidates = observations.map((observation) => {
      const list: Candidate[] = [];
      for (let landmark = 0; landmark < this.landmarkCount; landmark++) {
        const measurement = this.measurement(observation, landmark);
        const { innovation, nis } = this.filter.innovation(measurement);
        const { jacobian, columns } = this.expected(landmark);
        list.push({ landmark, innovation, jacobian, columns, noise: this.noise, nis });
      }
      return list;
    });
    return this.options.association === "joint"
      ? jointCompatibility(candidates, this.filter.covariance, this.gate)
      : nearestNeighbour(candidates, this.gate);
  }
}

/** Where the robot is in a known map. */
export class EkfLocalization extends LandmarkFilter {
  /** @param map (x, y) of each landmark; `id` of an observation is an index into it */
  constructor(
    private readonly map: readonly (readonly [x: number, y: number])[],
    start: Pose2,
    options: LandmarkFilterOptions,
  ) {
    super(start, options);
  }

  protected override get landmarkCount(): number {
    return this.map.length;
  }

  protected override expected(landmark: number) {
    const [x, y, theta] = this.filter.state;
    const { predicted, jacobian } = predictRangeBearing(x, y, theta, ...this.map[landmark]);
    return {
      predicted,
      jacobian: Float64Array.of(...jacobian.subarray(0, 3), ...jacobian.subarray(5, 8)),
      columns: [0, 1, 2],
    };
  }

  /**
   * Takes in what was seen at one moment; what does not pass the gate is left out.
   * @throws ValueError if association is "known" and an observation has no id of the map.
   */
  observe(observations: readonly RangeBearing[]): Observed {
    const known = (this.options.association ?? "known") === "known";
    const association = known
      ? Int32Array.from(observations, ({ id }) => {
          if (id === undefined || !this.map[id])
            throw new ValueError(`observe: id ${id} is no landmark of the map's ${this.map.length}`);
          return id;
        })
      : this.associate(observations);
    const nis: number[] = [];
    observations.forEach((observation, i) => {
      if (association[i] < 0) return;
      const result = this.filter.update(this.measurement(observation, association[i]), { gate: this.gate });
      if (result.accepted) nis.push(result.nis);
      else association[i] = -1;
    });
    return { association, nis };
  }
}

/** Robot and map together. Landmarks are numbered as they were first seen. */
export class EkfSlam extends LandmarkFilter {
  private readonly ids = new Map<number, number>();

  /** Landmarks so far. */
  override get landmarkCount(): number {
    return (this.filter.size - 3) / 2;
  }

  landmark(i: number): { readonly x: number; readonly y: number; readonly covariance: Float64Array } {
    const { state, covariance, size: n } = this.filter;
    const at = 3 + 2 * i;
    return {
      x: state[at],
      y: state[at + 1],
      covariance: Float64Array.of(
        covariance[at * n + at],
        covariance[at * n + at + 1],
        covariance[(at + 1) * n + at],
        covariance[(at + 1) * n + at + 1],
      ),
    };
  }

  protected override expected(landmark: number) {
    const { state } = this.filter;
    const at = 3 + 2 * landmark;
    return {
      ...predictRangeBearing(state[0], state[1], state[2], state[at], state[at + 1]),
      columns: [0, 1, 2, at, at + 1],
    };
  }

  /**
   * Takes in what was seen at one moment. What belongs to no landmark becomes a new one, unless it is close to one, and so
   * ambiguous: then it is left out.
   * @throws ValueError if association is "known" and an observation has no id.
   */
  observe(observations: readonly RangeBearing[]): Observed {
    const known = (this.options.association ?? "known") === "known";
    const association = known
      ? Int32Array.from(observations, ({ id }) => {
          if (id === undefined)
            throw new ValueError("observe: association is known, an observation has no id");
          return this.ids.get(id) ?? -1;
        })
      : this.associate(observations);
    const fresh: number[] = [];
    observations.forEach((observation, i) => {
      if (association[i] < 0 && (known || this.isNew(observation))) fresh.push(i);
    });
    const nis: number[] = [];
    observations.forEach((observation, i) => {
      if (association[i] < 0) return;
      const result = this.filter.update(this.measurement(observation, association[i]), { gate: this.gate });
      if (result.accepted) nis.push(result.nis);
      else association[i] = -1;
    });
    for (const i of fresh) {
      association[i] = this.augment(observations[i]);
      const { id } = observations[i];
      if (known && id !== undefined) this.ids.set(id, association[i]);
    }
    return { association, nis };
  }

  /** Far from every landmark: a distance that a right pair has once in 10⁵. */
  private isNew(observation: RangeBearing): boolean {
    for (let i = 0; i < this.landmarkCount; i++) {
      const { innovation, covariance } = this.filter.innovation(this.measurement(observation, i));
      const factor = cholesky(covariance, 2);
      if (factor && mahalanobis(factor, 2, innovation) < 23) return false;
    }
    return true;
  }

  /** A landmark where the observation says, with its covariance to everything else. */
  private augment({ range, bearing }: RangeBearing): number {
    const { filter } = this;
    const n = filter.size;
    const [x, y, theta] = filter.state;
    const [c, s] = [Math.cos(theta + bearing), Math.sin(theta + bearing)];
    const byPose = [1, 0, -range * s, 0, 1, range * c];
    const byReading = [c, -range * s, s, range * c];
    const state = new Float64Array(n + 2);
    state.set(filter.state);
    state[n] = x + range * c;
    state[n + 1] = y + range * s;
    const m = n + 2;
    const p = new Float64Array(m * m);
    for (let i = 0; i < n; i++) p.set(filter.covariance.subarray(i * n, i * n + n), i * m);
    for (let r = 0; r < 2; r++)
      for (let j = 0; j < n; j++) {
        let sum = 0;
        for (let k = 0; k < 3; k++) sum += byPose[r * 3 + k] * filter.covariance[k * n + j];
        p[(n + r) * m + j] = sum;
        p[j * m + n + r] = sum;
      }
    for (let r = 0; r < 2; r++)
      for (let q = 0; q < 2; q++) {
        let sum = 0;
        for (let k = 0; k < 3; k++) sum += p[(n + r) * m + k] * byPose[q * 3 + k];
        for (let k = 0; k < 2; k++) sum += byReading[r * 2 + k] * this.noise[k * 3] * byReading[q * 2 + k];
        p[(n + r) * m + n + q] = sum;
      }
    filter.state = state;
    filter.covariance = p;
    return (n - 3) / 2;
  }
}
