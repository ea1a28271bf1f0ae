/** Pose graphs: poses, landmarks, and what was measured between them. Optimizing one is the back end of SLAM. */
import { ShapeError, ValueError } from "../../../core/errors.js";
import type { RobustLoss } from "../../solve/loss.js";
import { euclidean, SE2, SE3 } from "../../solve/manifold.js";
import { type ParameterGroup, Problem } from "../../solve/problem.js";
import { minimize, minimizeSync, type SolveOptions, type SolveSummary } from "../../solve/solver.js";
import { cholesky } from "../dense.js";
import { between2, between3, landmark2 } from "./factors.js";

/** A measurement between two nodes, of the graph's indices (not a file's ids). */
export interface PoseEdge {
  readonly from: number;
  readonly to: number;
  /** The second as the first sees it: (x, y, θ), or (x, y, z, qx, qy, qz, qw); of a landmark (x, y). */
  readonly measurement: ArrayLike<number>;
  /** Inverse of the covariance, n × n row-major: n is 3, 6 (translation first), 2 for landmarks. */
  readonly information: ArrayLike<number>;
}

export class PoseGraph {
  readonly poses: number[] = [];
  /** Landmarks in the plane. */
  readonly landmarks: number[] = [];
  readonly edges: PoseEdge[] = [];
  readonly landmarkEdges: PoseEdge[] = [];
  /** Poses that keep their values. If there is none, the first one does. */
  readonly fixed = new Set<number>();

  /** @param dimension 2: poses are (x, y, θ); 3: (x, y, z, qx, qy, qz, qw) */
  constructor(readonly dimension: 2 | 3) {}

  /** Numbers in a pose. */
  get ambient(): number {
    return this.dimension === 2 ? 3 : 7;
  }

  get poseCount(): number {
    return this.poses.length / this.ambient;
  }

  get landmarkCount(): number {
    return this.landmarks.length / 2;
  }

  /** Returns the new pose's index. */
  addPose(pose: ArrayLike<number>): number {
    if (pose.length !== this.ambient)
      throw new ShapeError(`addPose: ${this.ambient} numbers wanted, got ${pose.length}`);
    for (let i = 0; i < pose.length; i++) this.poses.push(pose[i]);
    return this.poseCount - 1;
  }

  addLandmark(x: number, y: number): number {
    if (this.dimension !== 2) throw new ValueError("addLandmark: landmarks are of graphs in the plane");
    this.landmarks.push(x, y);
    return this.landmarkCount - 1;
  }

  pose(i: number): Float64Array {
    const n = this.ambient;
    return Float64Array.from(this.poses.slice(i * n, i * n + n));
  }

  setPose(i: number, pose: ArrayLike<number>): void {
    for (let k = 0; k < this.ambient; k++) this.poses[i * this.ambient + k] = pose[k];
  }

  addEdge(edge: PoseEdge): void {
    const [n, tangent] = this.dimension === 2 ? [3, 3] : [7, 6];
    this.check(edge, n, tangent, this.poseCount);
    this.edges.push(edge);
  }

  /** `from` is a pose, `to` a landmark. */
  addLandmarkEdge(edge: PoseEdge): void {
    this.check(edge, 2, 2, this.landmarkCount);
    this.landmarkEdges.push(edge);
  }

  private check(
    { from, to, measurement, information }: PoseEdge,
    n: number,
    t: number,
    targets: number,
  ): void {
    if (!(from >= 0 && from < this.poseCount && to >= 0 && to < targets))
      throw new ValueError(
        `addEdge: ${from} → ${to} is between ${this.poseCount} poses and ${targets} targets, counted from 0`,
      );
    if (measurement.length !== n || information.length !== t * t)
      throw new ShapeError(
        `addEdge: a measurement of ${n} numbers and an information matrix of ${t * t} wanted, got ${measurement.length} and ${information.length}`,
      );
  }
}

export interface PoseGraphOptions extends SolveOptions {
  /** Of each edge's squared Mahalanobis distance, against wrong loop closures. Default: none. */
  readonly loss?: RobustLoss | null;
}

/**
 * The least-squares problem of a graph; the groups hold copies of its values.
 * @example
 * const world = robotics.perceive.manhattanWorld({ poses: 5 });
 * robotics.perceive.poseGraphProblem(world.graph).poses.count // 5
 */
export function poseGraphProblem(
  graph: PoseGraph,
  loss: RobustLoss | null = null,
): { problem: Problem; poses: ParameterGroup; landmarks: ParameterGroup | null } {
  const { edges, landmarkEdges, fixed } = graph;
  const problem = new Problem();
  const poses = problem.addParameters("poses", graph.poses, {
    manifold: graph.dimension === 2 ? SE2 : SE3,
    constant: fixed.size > 0 ? fixed : [0],
  });
  const slots = (list: readonly PoseEdge[], to: ParameterGroup) =>
    [
      [poses, list.map((edge) => edge.from)],
      [to, list.map((edge) => edge.to)],
    ] as const;
  if (edges.length > 0)
    problem.addResiduals(
      graph.dimension === 2 ? between2 : between3,
      slots(edges, poses),
      edgeData(edges, graph.dimension === 2 ? 3 : 6),
      { loss },
    );
  if (landmarkEdges.length === 0) return { problem, poses, landmarks: null };
  const landmarks = problem.addParameters("landmarks", graph.landmarks, { manifold: euclidean(2) });
  problem.addResiduals(landmark2, slots(landmarkEdges, landmarks), edgeData(landmarkEdges, 2), { loss });
  return { problem, poses, landmarks };
}

/**
 * Moves poses and landmarks to where the measurements fit best; the graph holds the result.
 * @returns as `minimize`; the cost is half of χ²
 * @throws ValueError if an information matrix is not positive definite, or a pose has no edge.
 * @example
 * const world = robotics.perceive.manhattanWorld({ poses: 60 });
 * (await robotics.perceive.optimizePoseGraph(world.graph)).converged // true
 */
export async function optimizePoseGraph(
  graph: PoseGraph,
  { loss = null, ...options }: PoseGraphOptions = {},
): Promise<SolveSummary> {
  const { problem, poses, landmarks } = poseGraphProblem(graph, loss);
  const summary = await minimize(problem, options);
  store(graph, poses, landmarks);
  return summary;
}

/**
 * The same in one go, for small graphs inside a loop.
 * @example
 * const world = robotics.perceive.manhattanWorld({ poses: 60 });
 * robotics.perceive.optimizePoseGraphSync(world.graph).converged // true
 */
export function optimizePoseGraphSync(
  graph: PoseGraph,
  { loss = null, ...options }: PoseGraphOptions = {},
): SolveSummary {
  const { problem, poses, landmarks } = poseGraphProblem(graph, loss);
  const summary = minimizeSync(problem, options);
  store(graph, poses, landmarks);
  return summary;
}

function store(graph: PoseGraph, poses: ParameterGroup, landmarks: ParameterGroup | null): void {
  for (const [i, x] of poses.values.entries()) graph.poses[i] = x;
  if (landmarks) for (const [i, x] of landmarks.values.entries()) graph.landmarks[i] = x;
}

/** Measurement and square root of the information, edge after edge. Equal matrices are factored once. */
function edgeData(edges: readonly PoseEdge[], n: number): Float64Array {
  const size = edges[0].measurement.length + n * n;
  const data = new Float64Array(edges.length * size);
  const roots = new Map<ArrayLike<number>, Float64Array>();
  edges.forEach(({ from, to, measurement, information }, i) => {
    let root = roots.get(information);
    if (!root) {
      const factor = cholesky(Float64Array.from(information), n);
      if (!factor)
        throw new ValueError(
          `the information matrix of edge ${i} (${from} → ${to}) is not positive definite`,
        );
      root = new Float64Array(n * n);
      for (let r = 0; r < n; r++) for (let c = 0; c <= r; c++) root[c * n + r] = factor[r * n + c];
      roots.set(information, root);
    }
    data.set(measurement, i * size);
    data.set(root, i * size + measurement.length);
  });
  return data;
}
