/**
 * Files of g2o (Kümmerle et al. 2011), in which pose-graph data sets are published: one line to a vertex or an edge, the
 * upper triangle of the information matrix at its end.
 */
import { MlsysError } from "../../../core/errors.js";
import { PoseGraph } from "./graph.js";

interface LineKind {
  readonly numbers: number;
  /** Degrees of freedom of an edge's information. */
  readonly tangent?: number;
  readonly dimension?: 2 | 3;
}

const KINDS: Readonly<Record<string, LineKind>> = {
  VERTEX_SE2: { numbers: 4, dimension: 2 },
  VERTEX_XY: { numbers: 3, dimension: 2 },
  "VERTEX_SE3:QUAT": { numbers: 8, dimension: 3 },
  EDGE_SE2: { numbers: 11, tangent: 3, dimension: 2 },
  EDGE_SE2_XY: { numbers: 7, tangent: 2, dimension: 2 },
  "EDGE_SE3:QUAT": { numbers: 30, tangent: 6, dimension: 3 },
};

/**
 * A pose graph from a file's text. Vertices may have any ids, in any order; they get indices in the order of the file.
 * Read are VERTEX_SE2, VERTEX_XY, VERTEX_SE3:QUAT, the edges between them, and FIX.
 * @returns the graph, with the file's ids of its poses and landmarks
 * @throws MlsysError with the line, for what is none of these, for numbers that do not fit, or ids that are not defined.
 * @example robotics.perceive.parseG2o("VERTEX_SE2 7 1 2 0.5").graph.poses // [1, 2, 0.5]
 */
export function parseG2o(text: string): { graph: PoseGraph; poseIds: number[]; landmarkIds: number[] } {
  const lines = text.split(/\r?\n/);
  const fail = (line: number, what: string): never => {
    throw new MlsysError(`parseG2o: line ${line + 1}: ${what}`);
  };
  let graph: PoseGraph | null = null;
  const poses = new Map<number, number>();
  const landmarks = new Map<number, number>();
  const later: { line: number; tag: string; values: number[] }[] = [];
  for (const [line, raw] of lines.entries()) {
    const [tag, ...rest] = raw.trim().split(/\s+/);
    if (tag === "" || tag.startsWith("#")) continue;
    const values = rest.map((token) => {
      const value = Number(token);
      if (!Number.isFinite(value)) fail(line, `"${token.slice(0, 40)}" is no number`);
      return value;
    });
    if (tag === "FIX") {
      later.push({ line, tag, values });
      continue;
    }
    const kind = Object.hasOwn(KINDS, tag) ? KINDS[tag] : null;
    if (!kind)
      throw fail(line, `"${tag.slice(0, 40)}" is not known; ${Object.keys(KINDS).join(", ")} and FIX are`);
    if (values.length !== kind.numbers)
      fail(line, `${tag} has ${kind.numbers} numbers, got ${values.length}`);
    graph ??= new PoseGraph(kind.dimension as 2 | 3);
    if (graph.dimension !== kind.dimension) fail(line, `${tag} in a graph of ${graph.dimension} dimensions`);
    if (kind.tangent) {
      later.push({ line, tag, values });
      continue;
    }
    const id = values[0];
    if (!Number.isInteger(id)) fail(line, `an id is a whole number, got ${id}`);
    if (poses.has(id) || landmarks.has(id)) fail(line, `vertex ${id} is defined twice`);
    if (tag === "VERTEX_XY") landmarks.set(id, graph.addLandmark(values[1], values[2]));
    else {
      const pose = values.slice(1);
      if (kind.dimension === 3) normalizeQuaternion(pose, (what) => fail(line, what));
      poses.set(id, graph.addPose(pose));
    }
  }
  const found = graph as PoseGraph | null;
  if (!found) throw new MlsysError("parseG2o: no vertex in the file");
  for (const { line, tag, values } of later) {
    const index = (of: Map<number, number>, id: number): number =>
      of.get(id) ?? fail(line, `${tag} names vertex ${id}, which is not defined as such`);
    if (tag === "FIX") {
      for (const id of values) found.fixed.add(index(poses, id));
      continue;
    }
    const n = KINDS[tag].tangent as number;
    const count = tag === "EDGE_SE3:QUAT" ? 7 : n;
    const measurement = values.slice(2, 2 + count);
    if (count === 7) normalizeQuaternion(measurement, (what) => fail(line, what));
    const information = new Float64Array(n * n);
    let at = 2 + count;
    for (let i = 0; i < n; i++)
      for (let j = i; j < n; j++, at++) {
        information[i * n + j] = values[at];
        information[j * n + i] = values[at];
      }
    const from = index(poses, values[0]);
    if (tag === "EDGE_SE2_XY")
      found.addLandmarkEdge({ from, to: index(landmarks, values[1]), measurement, information });
    else found.addEdge({ from, to: index(poses, values[1]), measurement, information });
  }
  return { graph: found, poseIds: [...poses.keys()], landmarkIds: [...landmarks.keys()] };
}

/**
 * The graph as text; poses have their indices as ids, landmarks follow.
 * @example
 * const poses = new robotics.perceive.PoseGraph(2);
 * poses.addPose([0, 0, 0]);
 * robotics.perceive.formatG2o(poses).trim() // "VERTEX_SE2 0 0 0 0"
 */
export function formatG2o(graph: PoseGraph): string {
  const lines: string[] = [];
  const { dimension, ambient, poseCount, landmarkCount, edges, landmarkEdges, fixed } = graph;
  for (let i = 0; i < poseCount; i++)
    lines.push(
      `${dimension === 2 ? "VERTEX_SE2" : "VERTEX_SE3:QUAT"} ${i} ${graph.poses.slice(i * ambient, (i + 1) * ambient).join(" ")}`,
    );
  for (let i = 0; i < landmarkCount; i++)
    lines.push(`VERTEX_XY ${poseCount + i} ${graph.landmarks[2 * i]} ${graph.landmarks[2 * i + 1]}`);
  for (const i of fixed) lines.push(`FIX ${i}`);
  const upper = (m: ArrayLike<number>, n: number): string => {
    const out: number[] = [];
    for (let i = 0; i < n; i++) for (let j = i; j < n; j++) out.push(m[i * n + j]);
    return out.join(" ");
  };
  for (const { from, to, measurement, information } of edges)
    lines.push(
      `${dimension === 2 ? "EDGE_SE2" : "EDGE_SE3:QUAT"} ${from} ${to} ${Array.from(measurement).join(" ")} ${upper(information, dimension === 2 ? 3 : 6)}`,
    );
  for (const { from, to, measurement, information } of landmarkEdges)
    lines.push(
      `EDGE_SE2_XY ${from} ${poseCount + to} ${Array.from(measurement).join(" ")} ${upper(information, 2)}`,
    );
  return `${lines.join("\n")}\n`;
}

/** Files round quaternions to a few digits. */
function normalizeQuaternion(pose: number[], fail: (what: string) => never): void {
  const length = Math.hypot(...pose.slice(3, 7));
  if (!(Math.abs(length - 1) < 0.01)) fail(`a unit quaternion wanted, got one of length ${length}`);
  for (let i = 3; i < 7; i++) pose[i] /= length;
}
