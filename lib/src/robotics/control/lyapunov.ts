/**
 * Lyapunov functions (李雅普诺夫函数): V > 0 and V̇ < 0 on a region, proved by branch and bound: on each box the bounds of V and V̇ settle the
 * matter, or its middle is a counterexample, or it is cut in two.
 */
import { grad } from "../../autodiff/grad.js";
import { ShapeError, ValueError } from "../../core/errors.js";
import type { Tensor } from "../../core/tensor.js";
import { tensor } from "../../ops/convert.js";
import { tidy } from "../../ops/tidy.js";
import { type Matrix, type MatrixLike, toMatrix, toRows, toSquare, toSymmetric } from "./dense.js";
import { intervalBounds, type Rows } from "./interval.js";
import { lyapunovSolution } from "./riccati.js";

export interface LyapunovProblem {
  /** ẋ of the closed loop: (n,) → (n,), 0 at 0. */
  readonly field: (x: Tensor) => Tensor;
  /** V: (n,) → a scalar. */
  readonly candidate: (x: Tensor) => Tensor;
  /** Half-widths of the box around 0. */
  readonly region: readonly number[];
  /** Half-widths of the box around 0 that is left out: there both V and V̇ vanish. Default: a twentieth of the region. */
  readonly hole?: readonly number[];
  /** Boxes looked at before the search gives up. Default 200,000. */
  readonly maxBoxes?: number;
}

export interface LyapunovVerdict {
  /**
   * "verified": V > V(0) and V̇ < 0 on the region without the hole; "refuted": at `counterexample` they are not; "unknown":
   * the boxes ran out.
   */
  readonly status: "verified" | "refuted" | "unknown";
  readonly counterexample: number[] | null;
  /** Boxes looked at. */
  readonly boxes: number;
  /**
   * If verified: from states with V below this, no trajectory leaves the region (a lower bound of V on its boundary): they end up in
   * every sublevel set that holds the hole. Else 0.
   */
  readonly level: number;
}

const BATCH = 128;
/** Far above the rounding of the bounds. */
const MARGIN = 1e-10;

/**
 * Looks for a proof, or for a counterexample.
 * @throws ValueError if a function uses an op that intervals don't know; ShapeError if sizes do not fit
 * @example
 * const verdict = control.verifyLyapunov({ field: (x) => x.neg(), candidate: (x) => x.square().sum(), region: [1, 1] });
 * verdict.level // 1
 */
export function verifyLyapunov({
  field,
  candidate,
  region,
  hole = region.map((v) => v / 20),
  maxBoxes = 200_000,
}: LyapunovProblem): LyapunovVerdict {
  const n = region.length;
  if (hole.length !== n)
    throw new ShapeError(`verifyLyapunov: region has ${n} half-widths, hole ${hole.length}`);
  if (!region.every((v, i) => v > 0 && hole[i] > 0 && hole[i] < v))
    throw new ValueError("verifyLyapunov: half-widths with 0 < hole < region wanted");
  const value = (x: Tensor): Tensor => candidate(x).sum();
  const rate = (x: Tensor): Tensor => grad(value)(x).mul(field(x)).sum();
  const zero = at(value, new Array<number>(n).fill(0));
  const values = intervalBounds(value, n, BATCH);
  const rates = intervalBounds(rate, n, BATCH);
  const slopes = intervalBounds((x) => grad(rate)(x), n, BATCH);
  const middles = (boxes: Rows): number[][] =>
    boxes.lower.map((low, k) => low.map((v, i) => (v + boxes.upper[k][i]) / 2));
  let open: [number[], number[]][] = [[region.map((v) => -v), [...region]]];
  let looked = 0;
  while (open.length > 0) {
    const taken = open.splice(-BATCH);
    looked += taken.length;
    if (looked > maxBoxes) return { status: "unknown", counterexample: null, boxes: looked, level: 0 };
    const boxes: Rows = { lower: taken.map(([low]) => low), upper: taken.map(([, high]) => high) };
    const centres = middles(boxes);
    const points: Rows = { lower: centres, upper: centres };
    const [v, d, here, valueHere, slope] = [
      values(boxes),
      rates(boxes),
      rates(points),
      values(points),
      slopes(boxes),
    ];
    for (const [k, [low, high]] of taken.entries()) {
      // V̇(x) ≤ V̇(c) + Σ max|∂V̇|·half-width: tighter than the plain bound on small boxes
      const spread = low.reduce(
        (sum, a, i) =>
          sum + (Math.max(Math.abs(slope.lower[k][i]), Math.abs(slope.upper[k][i])) * (high[i] - a)) / 2,
        0,
      );
      const falls = Math.min(d.upper[k][0], here.upper[k][0] + spread) < -MARGIN;
      if (falls && v.lower[k][0] > zero + MARGIN) continue;
      const outside = centres[k].some((c, i) => Math.abs(c) > hole[i]);
      if (outside && (here.lower[k][0] >= -MARGIN || valueHere.upper[k][0] <= zero + MARGIN))
        return { status: "refuted", counterexample: centres[k], boxes: looked, level: 0 };
      let widest = 0;
      for (let i = 1; i < n; i++)
        if ((high[i] - low[i]) / region[i] > (high[widest] - low[widest]) / region[widest]) widest = i;
      const middle = centres[k][widest];
      open.push(
        [low, high.map((b, i) => (i === widest ? middle : b))],
        [low.map((a, i) => (i === widest ? middle : a)), high],
      );
    }
    open = open.filter(([low, high]) => low.some((a, i) => a < -hole[i] || high[i] > hole[i]));
  }
  return {
    status: "verified",
    counterexample: null,
    boxes: looked,
    level: boundaryLevel(values, region) - zero,
  };
}

/** A lower bound of V on the boundary of a box, within a hundredth of the least value found there. */
function boundaryLevel(values: (boxes: Rows) => Rows, region: readonly number[]): number {
  let open: [number[], number[]][] = region.flatMap((width, i) =>
    [-width, width].map((side): [number[], number[]] => [
      region.map((v, j) => (j === i ? side : -v)),
      region.map((v, j) => (j === i ? side : v)),
    ]),
  );
  let found = Number.POSITIVE_INFINITY;
  let settled = Number.POSITIVE_INFINITY;
  for (let round = 0; open.length > 0 && round < 2000; round++) {
    const taken = open.splice(-BATCH);
    const centres = taken.map(([low, high]) => low.map((a, i) => (a + high[i]) / 2));
    const bounds = values({ lower: taken.map(([low]) => low), upper: taken.map(([, high]) => high) });
    for (const [value] of values({ lower: centres, upper: centres }).upper) found = Math.min(found, value);
    taken.forEach(([low, high], k) => {
      const least = bounds.lower[k][0];
      if (least >= found - 0.01 * Math.abs(found)) {
        settled = Math.min(settled, least);
        return;
      }
      let widest = 0;
      for (let i = 1; i < region.length; i++) if (high[i] - low[i] > high[widest] - low[widest]) widest = i;
      open.push(
        [low, high.map((b, i) => (i === widest ? centres[k][i] : b))],
        [low.map((a, i) => (i === widest ? centres[k][i] : a)), high],
      );
    });
    open = open.filter((box) => box !== undefined);
  }
  // what was not settled counts with its own bound
  for (let i = 0; i < open.length; i += BATCH) {
    const rest = open.slice(i, i + BATCH);
    for (const [least] of values({ lower: rest.map(([low]) => low), upper: rest.map(([, high]) => high) })
      .lower)
      settled = Math.min(settled, least);
  }
  return settled;
}

/** A function's value at a point. */
function at(f: (x: Tensor) => Tensor, x: readonly number[]): number {
  return tidy(() => f(tensor(Float64Array.from(x), { dtype: "float64" })).item());
}

/**
 * The quadratic candidate xᵀPx of a linear closed loop ẋ = A·x, with AᵀP + PA = −Q.
 * @param q Default: the identity
 * @throws ValueError if A is not stable
 * @example control.quadraticLyapunov([[-1, 0], [0, -2]]).p // [[0.5, 0], [0, 0.25]]
 */
export function quadraticLyapunov(
  a: MatrixLike,
  q?: MatrixLike,
): { readonly p: number[][]; readonly candidate: (x: Tensor) => Tensor } {
  const A = toSquare(a, "quadraticLyapunov: A");
  const Q: Matrix =
    q === undefined
      ? toMatrix(
          Array.from({ length: A.rows }, (_, i) =>
            Array.from({ length: A.rows }, (_, j) => (i === j ? 1 : 0)),
          ),
          "Q",
        )
      : toSymmetric(q, "quadraticLyapunov: Q", A.rows);
  const P = lyapunovSolution(A, Q, "quadraticLyapunov");
  const weights = tensor(P.values, { shape: [A.rows, A.rows], dtype: "float64" });
  return {
    p: toRows(P),
    candidate: (x) => x.mul(weights.matmul(x.reshape([A.rows, 1])).reshape([A.rows])).sum(),
  };
}
