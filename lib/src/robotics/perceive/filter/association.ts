/**
 * Data association: which landmark each observation is of. Nearest neighbour with a gate, and joint compatibility branch and
 * bound, which refuses sets whose errors do not fit together. (Neira & Tardós, "Data association in stochastic mapping using
 * the joint compatibility test", 2001.)
 */
import { wrapAngle } from "../../solve/manifold.js";
import { cholesky, mahalanobis } from "../dense.js";
import { chiSquaredQuantile } from "./chi-squared.js";

/** One observation beside one landmark, linearized. */
export interface Candidate {
  readonly landmark: number;
  readonly innovation: Float64Array;
  /** 2 × columns. */
  readonly jacobian: Float64Array;
  readonly columns: readonly number[];
  /** 2 × 2, of the observation alone. */
  readonly noise: Float64Array;
  /** Squared Mahalanobis distance. */
  readonly nis: number;
}

/** A landmark's index for each observation, or −1. */
export type Association = Int32Array;

/**
 * Each observation to the landmark with the smallest distance inside the gate; of two observations of one landmark, the
 * nearer one has it.
 * @example robotics.perceive.nearestNeighbour([[], []], 0.99) // [-1, -1]
 */
export function nearestNeighbour(candidates: readonly (readonly Candidate[])[], gate: number): Association {
  const limit = chiSquaredQuantile(gate, 2);
  const pairs = candidates.flatMap((list, i) =>
    list.filter(({ nis }) => nis <= limit).map(({ landmark, nis }) => ({ i, landmark, nis })),
  );
  pairs.sort((a, b) => a.nis - b.nis);
  const association = new Int32Array(candidates.length).fill(-1);
  const taken = new Set<number>();
  for (const { i, landmark } of pairs) {
    if (association[i] >= 0 || taken.has(landmark)) continue;
    association[i] = landmark;
    taken.add(landmark);
  }
  return association;
}

/** Nodes that branch and bound visits before it takes the best found so far. */
const MOST_NODES = 20_000;

/**
 * The largest set of pairs that is jointly compatible; of equally large ones that with the smallest joint distance.
 * @param covariance of the state, n × n
 * @example robotics.perceive.jointCompatibility([[], []], Float64Array.of(1), 0.99) // [-1, -1]
 */
export function jointCompatibility(
  candidates: readonly (readonly Candidate[])[],
  covariance: Float64Array,
  gate: number,
): Association {
  const n = Math.sqrt(covariance.length);
  const limit = chiSquaredQuantile(gate, 2);
  const open = candidates.map((list) => list.filter(({ nis }) => nis <= limit));
  const possible = new Int32Array(open.length + 1);
  for (let i = open.length - 1; i >= 0; i--) possible[i] = possible[i + 1] + (open[i].length > 0 ? 1 : 0);
  let best: (Candidate | null)[] = [];
  let [bestCount, bestDistance] = [-1, Number.POSITIVE_INFINITY];
  const chosen: (Candidate | null)[] = [];
  let nodes = 0;
  const visit = (i: number, count: number, distance: number): void => {
    if (nodes++ > MOST_NODES) return;
    if (i === open.length) {
      if (count > bestCount || (count === bestCount && distance < bestDistance))
        [best, bestCount, bestDistance] = [chosen.slice(), count, distance];
      return;
    }
    for (const candidate of open[i].toSorted((a, b) => a.nis - b.nis)) {
      if (chosen.some((other) => other?.landmark === candidate.landmark)) continue;
      chosen.push(candidate);
      const joint = jointDistance(chosen, covariance, n);
      if (joint <= chiSquaredQuantile(gate, 2 * (count + 1))) visit(i + 1, count + 1, joint);
      chosen.pop();
    }
    if (count + possible[i + 1] < bestCount) return;
    if (count + possible[i + 1] === bestCount && distance >= bestDistance) return;
    chosen.push(null);
    visit(i + 1, count, distance);
    chosen.pop();
  };
  visit(0, 0, 0);
  return Int32Array.from(candidates, (_, i) => best[i]?.landmark ?? -1);
}

function jointDistance(chosen: readonly (Candidate | null)[], p: Float64Array, n: number): number {
  const pairs = chosen.filter((candidate) => candidate !== null);
  const m = pairs.length * 2;
  const s = new Float64Array(m * m);
  pairs.forEach((a, i) => {
    for (let j = 0; j <= i; j++) {
      const b = pairs[j];
      for (let r = 0; r < 2; r++)
        for (let c = 0; c < 2; c++) {
          let sum = i === j ? a.noise[r * 2 + c] : 0;
          for (let k = 0; k < a.columns.length; k++)
            for (let l = 0; l < b.columns.length; l++)
              sum +=
                a.jacobian[r * a.columns.length + k] *
                p[a.columns[k] * n + b.columns[l]] *
                b.jacobian[c * b.columns.length + l];
          s[(i * 2 + r) * m + j * 2 + c] = sum;
        }
    }
  });
  const factor = cholesky(s, m);
  if (!factor) return Number.POSITIVE_INFINITY;
  return mahalanobis(
    factor,
    m,
    pairs.flatMap(({ innovation }) => Array.from(innovation)),
  );
}

/** z − predicted, the bearing wrapped. */
export function rangeBearingInnovation(
  range: number,
  bearing: number,
  predicted: Float64Array,
): Float64Array {
  return Float64Array.of(range - predicted[0], wrapAngle(bearing - predicted[1]));
}
