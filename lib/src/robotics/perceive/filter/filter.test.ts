/** Filters against closed forms, finite differences and their own statistics over many seeded runs. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { expectedFile } from "../../../../test/support/expected.js";
import { WordStream } from "../../../core/random.js";
import { stack, type Tensor } from "../../../index.js";
import {
  analyticResidual,
  covariance,
  euclidean,
  minimizeSync,
  Problem,
  wrapAngle,
} from "../../solve/index.js";
import { symmetricInverse } from "../dense.js";
import { normals } from "../random.js";
import { type Candidate, jointCompatibility, nearestNeighbour } from "./association.js";
import { chiSquaredCdf, chiSquaredQuantile } from "./chi-squared.js";
import { ExtendedKalmanFilter, linearized } from "./kalman.js";
import { EkfLocalization, EkfSlam, type LandmarkFilterOptions } from "./landmark-slam.js";
import { drive, linearDrive, type MotionNoise, type Pose2, type Twist2 } from "./motion.js";
import type { RangeBearing } from "./range-bearing.js";
import { UnscentedKalmanFilter } from "./unscented.js";

function worst(found: ArrayLike<number>, wanted: ArrayLike<number>): number {
  expect(found.length).toBe(wanted.length);
  return Math.max(...Array.from(found, (x, i) => Math.abs(x - wanted[i]) / (1 + Math.abs(wanted[i]))));
}

test("chi-squared probabilities and quantiles are SciPy's", () => {
  for (const [degrees, p, x, cdf] of expectedFile<number[][]>("robotics/chi_squared.json")) {
    expect(Math.abs(chiSquaredCdf(x, degrees) - cdf), `cdf(${x}, ${degrees})`).toBeLessThan(1e-11);
    expect(worst([chiSquaredQuantile(p, degrees)], [x]), `quantile(${p}, ${degrees})`).toBeLessThan(1e-8);
  }
  expect(() => chiSquaredQuantile(1, 2)).toThrow("a probability in [0, 1) wanted, got 1");
});

const TRANSITION = Float64Array.of(1, 0.1, 0, 0.95);
const Q = Float64Array.of(0.01, 0.002, 0.002, 0.04);

/** Position and speed; the position is measured. All of it as one least-squares problem: a smoother, whose last state is the filter's. */
test("on a linear system the filter ends where least squares over all states does", () => {
  const normal = normals(new WordStream([3, 1]));
  const readings = Array.from({ length: 12 }, (_, k) => 0.3 * k + normal());
  const filters = [
    new ExtendedKalmanFilter([0, 0], [4, 0, 0, 1]),
    new UnscentedKalmanFilter([0, 0], [4, 0, 0, 1]),
  ] as const;
  const move = (x: ArrayLike<number>): number[] => [
    TRANSITION[0] * x[0] + TRANSITION[1] * x[1],
    TRANSITION[2] * x[0] + TRANSITION[3] * x[1],
  ];
  for (const z of readings) {
    filters[0].predict(move(filters[0].state), TRANSITION, Q);
    filters[0].update({
      z: [z],
      predicted: [filters[0].state[0]],
      jacobian: Float64Array.of(1, 0),
      noise: Float64Array.of(0.5),
    });
    filters[1].predict(move, Q);
    filters[1].update([z], (x) => [x[0]], Float64Array.of(0.5));
  }
  const problem = new Problem();
  const states = problem.addParameters("states", new Float64Array(2 * 13), { manifold: euclidean(2) });
  const inverse = symmetricInverse(Q, 2) as Float64Array;
  const a = Math.sqrt(inverse[0]);
  const [b, c] = [inverse[1] / a, Math.sqrt(inverse[3] - (inverse[1] / a) ** 2)];
  const prior = analyticResidual({ name: "prior", size: 2, parameters: [2] }, [2], ([x], _, r, j) => {
    r.set([x[0] / 2, x[1]]);
    j?.[0].set([0.5, 0, 0, 1]);
  });
  const motion = analyticResidual(
    { name: "motion", size: 2, parameters: [2, 2] },
    [2, 2],
    ([x, y], _, r, j) => {
      const [d, e] = move(x).map((value, i) => y[i] - value);
      r.set([a * d + b * e, c * e]);
      const f = TRANSITION;
      j?.[0].set([-a * f[0] - b * f[2], -a * f[1] - b * f[3], -c * f[2], -c * f[3]]);
      j?.[1].set([a, b, 0, c]);
    },
  );
  const reading = analyticResidual(
    { name: "reading", size: 1, parameters: [2], data: 1 },
    [2],
    ([x], z, r, j) => {
      r[0] = (x[0] - z[0]) / Math.sqrt(0.5);
      if (j) j[0][0] = 1 / Math.sqrt(0.5);
    },
  );
  const steps = readings.map((_, k) => k);
  problem.addResiduals(prior, [[states, [0]]]);
  problem.addResiduals(motion, [
    [states, steps],
    [states, steps.map((k) => k + 1)],
  ]);
  problem.addResiduals(reading, [[states, steps.map((k) => k + 1)]], readings);
  minimizeSync(problem, { method: "gauss-newton" });
  for (const filter of filters) {
    expect(worst(filter.state, states.block(12))).toBeLessThan(1e-9);
    expect(worst(filter.covariance, covariance(problem, [[states, 12]]))).toBeLessThan(1e-9);
  }
});

test("Joseph's form keeps the covariance symmetric and positive where P − K·H·P loses it", () => {
  const filter = new ExtendedKalmanFilter([0, 0, 0], [1e8, 0, 0, 0, 1e8, 0, 0, 0, 1e8]);
  for (let k = 0; k < 200; k++) {
    const jacobian = Float64Array.of(1, Math.sin(k), Math.cos(k) * 1e-3);
    filter.update({ z: [1], predicted: [0], jacobian, noise: Float64Array.of(1e-10) });
    expect(() => filter.nees([0, 0, 0])).not.toThrow();
    for (let i = 0; i < 3; i++)
      for (let j = 0; j < i; j++) expect(filter.covariance[i * 3 + j]).toBe(filter.covariance[j * 3 + i]);
  }
});

test("arguments that do not fit are named", () => {
  expect(() => new ExtendedKalmanFilter([1, 2], [1])).toThrow(
    "a state of 2 numbers has a covariance of 4, got 1",
  );
  const filter = new ExtendedKalmanFilter([1, 2], [1, 0, 0, 1]);
  expect(() => filter.predict([1, 2], Float64Array.of(1), Q)).toThrow("want F and Q of 4 numbers");
  const one = Float64Array.of(1);
  expect(() => filter.update({ z: [1], predicted: [1], jacobian: one, noise: one })).toThrow(
    "wants as many predicted, H of 2",
  );
});

test("a measurement beyond the gate leaves the state alone", () => {
  const filter = new ExtendedKalmanFilter([0], [1]);
  const far = { z: [10], predicted: [0], jacobian: Float64Array.of(1), noise: Float64Array.of(1) };
  expect(filter.update(far, { gate: 0.99 })).toMatchObject({ accepted: false, nis: expect.closeTo(50, 9) });
  expect(filter.state[0]).toBe(0);
  expect(filter.update(far).accepted).toBe(true);
  expect(filter.state[0]).toBeCloseTo(5);
});

test("models over tensors are linearized by autodiff", () => {
  const model = linearized((x: Tensor, u: Tensor) =>
    stack([
      x.at(0).add(u.at(0).mul(x.at(2).cos())),
      x.at(1).add(u.at(0).mul(x.at(2).sin())),
      x.at(2).add(u.at(1)),
    ]),
  );
  const { value, jacobian } = model([1, 2, 0.3], [0.5, 0.1]);
  expect(worst(value, [1 + 0.5 * Math.cos(0.3), 2 + 0.5 * Math.sin(0.3), 0.4])).toBeLessThan(1e-12);
  expect(worst(jacobian, [1, 0, -0.5 * Math.sin(0.3), 0, 1, 0.5 * Math.cos(0.3), 0, 0, 1])).toBeLessThan(
    1e-12,
  );
});

test("the drive's derivatives are its finite differences, straight and in curves", () => {
  const number = fc.double({ min: -2, max: 2, noNaN: true });
  const speed = fc.oneof(number, fc.constant(0), fc.double({ min: -1e-5, max: 1e-5, noNaN: true }));
  fc.assert(
    fc.property(number, number, number, number, speed, (x, y, theta, linear, angular) => {
      const alphas: MotionNoise = [1, 0, 0, 1];
      const at = (pose: Pose2, twist: Twist2): number[] => {
        const moved = drive(pose, twist, 0.4);
        return [moved.x, moved.y, moved.theta];
      };
      const motion = linearDrive({ x, y, theta }, { linear, angular }, 0.4, alphas);
      const slope = (ahead: number[], behind: number[]): number[] =>
        ahead.map((v, i) => (i === 2 ? wrapAngle(v - behind[i]) : v - behind[i]) / 2e-5);
      const h = 1e-5;
      const byPose = [
        slope(
          at({ x: x + h, y, theta }, { linear, angular }),
          at({ x: x - h, y, theta }, { linear, angular }),
        ),
        slope(
          at({ x, y: y + h, theta }, { linear, angular }),
          at({ x, y: y - h, theta }, { linear, angular }),
        ),
        slope(
          at({ x, y, theta: theta + h }, { linear, angular }),
          at({ x, y, theta: theta - h }, { linear, angular }),
        ),
      ];
      for (let i = 0; i < 3; i++)
        for (let j = 0; j < 3; j++) expect(motion.jacobian[i * 3 + j]).toBeCloseTo(byPose[j][i], 6);
      const pose = { x, y, theta };
      const byV = slope(at(pose, { linear: linear + h, angular }), at(pose, { linear: linear - h, angular }));
      const byW = slope(
        at(pose, { linear, angular: angular + h }),
        at(pose, { linear, angular: angular - h }),
      );
      for (let i = 0; i < 3; i++)
        for (let j = 0; j < 3; j++)
          expect(motion.noise[i * 3 + j]).toBeCloseTo(
            linear ** 2 * byV[i] * byV[j] + angular ** 2 * byW[i] * byW[j],
            5,
          );
    }),
  );
});

const ALPHAS: MotionNoise = [0.02, 0.005, 0.01, 0.02];
const SENSOR = { range: 0.1, bearing: 0.03 };
const OPTIONS: LandmarkFilterOptions = { motionNoise: ALPHAS, sensorNoise: SENSOR };
const MAP = Array.from({ length: 16 }, (_, i): [number, number] => [
  5 * Math.cos(i * 0.39) + (i % 3),
  5 * Math.sin(i * 0.39) - (i % 2),
]);

/** A robot that drives in a circle of 2.5 m and sees what is nearer than 4 m. */
function* drives(
  seed: number,
  steps: number,
): Generator<{ truth: Pose2; twist: Twist2; seen: RangeBearing[] }> {
  const normal = normals(new WordStream([seed, 99]));
  let truth: Pose2 = { x: 2.5, y: 0, theta: Math.PI / 2 };
  const twist = { linear: 1, angular: 0.4 };
  for (let k = 0; k < steps; k++) {
    const [a1, a2, a3, a4] = ALPHAS;
    const { linear: v, angular: w } = twist;
    truth = drive(
      truth,
      {
        linear: v + Math.sqrt(a1 * v * v + a2 * w * w) * normal(),
        angular: w + Math.sqrt(a3 * v * v + a4 * w * w) * normal(),
      },
      0.2,
    );
    const seen = MAP.map(([x, y], id) => ({
      range: Math.hypot(x - truth.x, y - truth.y),
      bearing: Math.atan2(y - truth.y, x - truth.x) - truth.theta,
      id,
    }))
      .filter(({ range }) => range < 4)
      .map(({ range, bearing, id }) => ({
        range: range + SENSOR.range * normal(),
        bearing: wrapAngle(bearing + SENSOR.bearing * normal()),
        id,
      }));
    yield { truth, twist, seen };
  }
}

const START: Pose2 = { x: 2.5, y: 0, theta: Math.PI / 2 };

describe("consistency over 30 runs", () => {
  /** The mean of `count` χ² variables of k degrees lies between these, but once in 10⁴. */
  const bounds = (count: number, k: number): [number, number] => [
    chiSquaredQuantile(0.00005, count * k) / count,
    chiSquaredQuantile(0.99995, count * k) / count,
  ];
  const within = (value: number, [low, high]: [number, number]): void => {
    expect(value).toBeGreaterThan(low);
    expect(value).toBeLessThan(high);
  };

  test.each(["known", "nearest"] as const)("EKF localization, association %s", (association) => {
    let [nees, count] = [0, 0];
    const nis: number[] = [];
    for (let seed = 0; seed < 30; seed++) {
      const robot = new EkfLocalization(MAP, START, { ...OPTIONS, association, gate: 0.9999 });
      let last: Pose2 = START;
      for (const { truth, twist, seen } of drives(seed, 40)) {
        robot.predict(twist, 0.2);
        nis.push(...robot.observe(seen).nis);
        last = truth;
      }
      nees += robot.filter.nees([last.x, last.y, last.theta]);
      count++;
    }
    within(nees / count, bounds(count, 3));
    // innovations of one moment share the prediction's error, so this mean varies more than a χ² mean: four times the width
    const [low, high] = bounds(nis.length, 2);
    const mean = nis.reduce((a, b) => a + b) / nis.length;
    expect(Math.abs(mean - 2)).toBeLessThan(4 * Math.max(high - 2, 2 - low));
  });

  test("EKF-SLAM: the map is found, the pose's error fits its covariance", () => {
    let [nees, count] = [0, 0];
    for (let seed = 0; seed < 30; seed++) {
      const robot = new EkfSlam(START, OPTIONS);
      let last: Pose2 = START;
      for (const { truth, twist, seen } of drives(seed, 40)) {
        robot.predict(twist, 0.2);
        robot.observe(seen);
        last = truth;
      }
      nees += robot.filter.nees([last.x, last.y, last.theta], 3);
      count++;
    }
    // linearization at the estimate makes EKF-SLAM a little too sure (Julier & Uhlmann 2001): no lower bound is missed, the upper is doubled
    const [low, high] = bounds(count, 3);
    expect(nees / count).toBeGreaterThan(low);
    expect(nees / count).toBeLessThan(2 * high);
  });
});

test.each(["nearest", "joint"] as const)(
  "EKF-SLAM without ids (%s) finds each landmark once",
  (association) => {
    const robot = new EkfSlam(START, { ...OPTIONS, association });
    for (const { twist, seen } of drives(5, 90)) {
      robot.predict(twist, 0.2);
      robot.observe(seen.map(({ range, bearing }) => ({ range, bearing })));
    }
    const seen = new Set([...drives(5, 90)].flatMap((step) => step.seen.map(({ id }) => id)));
    const near = Array.from({ length: robot.landmarkCount }, (_, i) => {
      const { x, y } = robot.landmark(i);
      const distances = MAP.map(([a, b]) => Math.hypot(a - x, b - y));
      const best = Math.min(...distances);
      expect(best).toBeLessThan(0.6);
      return distances.indexOf(best);
    });
    expect(new Set(near).size).toBe(near.length);
    expect(near.length).toBe(seen.size);
  },
);

test("joint compatibility is what trying all pairings gives, where the nearest neighbour errs", () => {
  // two landmarks 1 m apart; the robot's own place is uncertain by about as much along that line
  const covarianceOf = Float64Array.of(0.36, 0, 0, 0.01);
  const noise = Float64Array.of(0.01, 0, 0, 0.01);
  const candidates = (seen: [number, number][]): Candidate[][] =>
    seen.map(([x, y]) =>
      [0, 1, 2].map((landmark): Candidate => {
        const innovation = Float64Array.of(x - landmark, y);
        const nis = innovation[0] ** 2 / 0.37 + innovation[1] ** 2 / 0.02;
        return { landmark, innovation, jacobian: Float64Array.of(1, 0, 0, 1), columns: [0, 1], noise, nis };
      }),
    );
  // the robot is 0.6 m off: 0 and 1 appear at 0.6 and 1.6
  const both = candidates([
    [0.6, 0],
    [1.6, 0],
  ]);
  expect(Array.from(nearestNeighbour(both, 0.99))).toEqual([1, 2]);
  const joint = jointCompatibility(both, covarianceOf, 0.99);
  expect(Math.abs(joint[0] - joint[1])).toBe(1);
  // one that fits with no shift of the others is left out
  const three = candidates([
    [0.05, 0],
    [1.05, 0],
    [1.5, 0],
  ]);
  expect(Array.from(jointCompatibility(three, covarianceOf, 0.99))).toEqual([0, 1, -1]);
  expect(nearestNeighbour(three, 0.99)[2]).not.toBe(-1);
});
