/**
 * Pose graphs of the published forms, made from a seed: a walk through a grid of streets (as Olson's Manhattan world, 2006)
 * and a helix around a sphere (as g2o's).
 */
import { WordStream } from "../../../core/random.js";
import { quaternionExp, quaternionProduct, SE2, SE3, wrapAngle } from "../../solve/manifold.js";
import { normals } from "../random.js";
import { pose3, relativePose3 } from "./factors.js";
import { PoseGraph } from "./graph.js";

export interface WorldOptions {
  readonly poses: number;
  /** Standard deviation of measured translations, in metres. Default 0.05. */
  readonly translationNoise?: number;
  /** Of measured turns, in radians. Default 0.02. */
  readonly rotationNoise?: number;
  readonly seed?: number;
}

/** A graph whose poses are the odometry's, with the truth beside it. */
export interface World {
  readonly graph: PoseGraph;
  /** Poses, one after the other. */
  readonly truth: Float64Array;
}

function diagonalInverse(sigmas: readonly number[]): Float64Array {
  const n = sigmas.length;
  const out = new Float64Array(n * n);
  for (let i = 0; i < n; i++) out[i * n + i] = 1 / sigmas[i] ** 2;
  return out;
}

/**
 * A walk of 1 m steps on a square grid, 90° turns at random; poses that come back to a place are joined to who was there.
 * @example robotics.perceive.manhattanWorld({ poses: 30 }).graph.poseCount // 30
 */
export function manhattanWorld(options: WorldOptions & { readonly size?: number }): World {
  const { poses: n, translationNoise: st = 0.05, rotationNoise: sr = 0.02, seed = 0, size = 12 } = options;
  const stream = new WordStream([seed, 0x6d616e]);
  const normal = normals(stream);
  const truth = new Float64Array(n * 3);
  const visits = new Map<string, number[]>();
  const graph = new PoseGraph(2);
  const information = diagonalInverse([st, st, sr]);
  const measured = (a: number, b: number): Float64Array => {
    const z = new Float64Array(3);
    SE2.minus(truth, b * 3, truth, a * 3, z, 0);
    return z.map((x, i) => (i < 2 ? x + st * normal() : wrapAngle(x + sr * normal())));
  };
  let [x, y, quarter] = [0, 0, 0];
  const odometry = new Float64Array(3);
  for (let i = 0; i < n; i++) {
    truth.set([x, y, wrapAngle((quarter * Math.PI) / 2)], i * 3);
    if (i > 0) {
      const z = measured(i - 1, i);
      SE2.plus(odometry, 0, z, 0, odometry, 0);
      graph.addPose(odometry);
      graph.addEdge({ from: i - 1, to: i, measurement: z, information });
    } else graph.addPose(odometry);
    const place = `${x},${y}`;
    const before = visits.get(place) ?? [];
    for (const other of before.slice(-2))
      if (i - other > 3) graph.addEdge({ from: other, to: i, measurement: measured(other, i), information });
    visits.set(place, [...before, i]);
    const ahead = (): [number, number] => [x + [1, 0, -1, 0][quarter], y + [0, 1, 0, -1][quarter]];
    if (stream.uniform() < 0.3) quarter = (quarter + (stream.uniform() < 0.5 ? 1 : 3)) % 4;
    while (ahead().some((c) => Math.abs(c) > size / 2)) quarter = (quarter + 1) % 4;
    [x, y] = ahead();
  }
  return { graph, truth };
}

/**
 * A helix from the south to the north of a sphere of 10 m radius; each pose is joined to the one a round below.
 * @example robotics.perceive.sphereWorld({ poses: 50 }).graph.edges.length // 79
 */
export function sphereWorld(options: WorldOptions & { readonly perRound?: number }): World {
  const {
    poses: n,
    translationNoise: st = 0.05,
    rotationNoise: sr = 0.02,
    seed = 0,
    perRound = 20,
  } = options;
  const normal = normals(new WordStream([seed, 0x737068]));
  const truth = new Float64Array(n * 7);
  const graph = new PoseGraph(3);
  const information = diagonalInverse([st, st, st, sr, sr, sr]);
  const row = (i: number): Float64Array => truth.subarray(i * 7, i * 7 + 7);
  const step = new Float64Array(4);
  const measured = (a: number, b: number): Float64Array => {
    const z = relativePose3(row(a), row(b));
    for (let k = 0; k < 3; k++) z[k] += st * normal();
    quaternionExp(Float64Array.from([sr * normal(), sr * normal(), sr * normal()]), 0, step, 0);
    quaternionProduct(z, 3, step, 0, z, 3);
    return z;
  };
  for (let i = 0; i < n; i++) {
    const longitude = (2 * Math.PI * i) / perRound;
    const latitude = -Math.PI / 2 + (Math.PI * (i + 1)) / (n + 1);
    const [cl, sl] = [Math.cos(longitude), Math.sin(longitude)];
    const [ca, sa] = [Math.cos(latitude), Math.sin(latitude)];
    // forward along the parallel, left to the north, up outwards
    const rotation = [-sl, -sa * cl, ca * cl, cl, -sa * sl, ca * sl, 0, ca, sa];
    truth.set(pose3(rotation, [10 * ca * cl, 10 * ca * sl, 10 * sa]), i * 7);
    if (i === 0) {
      graph.addPose(row(0));
      continue;
    }
    const z = measured(i - 1, i);
    graph.addPose(compose3(graph.pose(i - 1), z));
    graph.addEdge({ from: i - 1, to: i, measurement: z, information });
    if (i >= perRound)
      graph.addEdge({
        from: i - perRound,
        to: i,
        measurement: measured(i - perRound, i),
        information,
      });
  }
  return { graph, truth };
}

/** a∘b for poses in space. */
export function compose3(a: Float64Array, b: Float64Array): Float64Array {
  const step = new Float64Array(6);
  step.set(b.subarray(0, 3));
  const out = new Float64Array(7);
  SE3.plus(a, 0, step, 0, out, 0);
  quaternionProduct(a, 3, b, 3, out, 3);
  return out;
}

/**
 * Root mean squared distance between estimated and true positions, after the rigid motion that fits them best (absolute
 * trajectory error; Umeyama 1991 without scale), for poses in the plane.
 * @param estimate,truth rows of (x, y, θ)
 * @example robotics.perceive.trajectoryError2([0, 0, 0, 0, 1, 0], [0, 0, 0, 1, 0, 0]) // 0
 */
export function trajectoryError2(estimate: ArrayLike<number>, truth: ArrayLike<number>): number {
  const n = truth.length / 3;
  const mean = [0, 0, 0, 0];
  for (let i = 0; i < n; i++) {
    mean[0] += estimate[i * 3] / n;
    mean[1] += estimate[i * 3 + 1] / n;
    mean[2] += truth[i * 3] / n;
    mean[3] += truth[i * 3 + 1] / n;
  }
  let [dot, cross] = [0, 0];
  for (let i = 0; i < n; i++) {
    const [ax, ay] = [estimate[i * 3] - mean[0], estimate[i * 3 + 1] - mean[1]];
    const [bx, by] = [truth[i * 3] - mean[2], truth[i * 3 + 1] - mean[3]];
    dot += ax * bx + ay * by;
    cross += ax * by - ay * bx;
  }
  const angle = Math.atan2(cross, dot);
  const [c, s] = [Math.cos(angle), Math.sin(angle)];
  let sum = 0;
  for (let i = 0; i < n; i++) {
    const [ax, ay] = [estimate[i * 3] - mean[0], estimate[i * 3 + 1] - mean[1]];
    sum +=
      (c * ax - s * ay + mean[2] - truth[i * 3]) ** 2 + (s * ax + c * ay + mean[3] - truth[i * 3 + 1]) ** 2;
  }
  return Math.sqrt(sum / n);
}
