/** Linear-quadratic regulators: u = −K·x that makes Σ xᵀQx + uᵀRu (or its integral) smallest. */
import { ValueError } from "../../core/errors.js";
import {
  apply,
  type Matrix,
  type MatrixLike,
  plus,
  product,
  solveLinear,
  symmetric,
  times,
  toMatrix,
  toRows,
  toSymmetric,
  toVector,
  transposed,
  type VectorLike,
} from "./dense.js";
import { checkProblem, continuousRiccati, discreteRiccati, type RiccatiProblem } from "./riccati.js";

export interface Regulator {
  /** (m, n): the law is u = −K·x. */
  readonly gain: number[][];
  /** (n, n): xᵀPx is the cost from x on. */
  readonly cost: number[][];
  /** (n, n): A − B·K. */
  readonly closedLoop: number[][];
}

/** A regulator of a horizon: the law at step k is u = −gains[k]·x. */
export interface HorizonRegulator {
  readonly gains: number[][][];
  /** costs[k]: the cost from step k on; one more than gains. */
  readonly costs: number[][][];
}

/**
 * The regulator of ẋ = A·x + B·u for the integral of xᵀQx + uᵀRu + 2·xᵀNu.
 * @throws ValueError if no law stabilizes the system
 * @example control.lqr({ a: [[0, 1], [0, 0]], b: [[0], [1]], q: [[1, 0], [0, 1]], r: [[1]] }).gain // [[1, 1.7321]]
 */
export function lqr(problem: RiccatiProblem): Regulator {
  const checked = checkProblem(problem, "lqr");
  const { A, B, R, N } = checked;
  const P = continuousRiccati(checked, "lqr");
  const inner = times(transposed(B), P);
  const K = solveLinear(R, N ? plus(inner, transposed(N)) : inner, "lqr: R");
  return { gain: toRows(K), cost: toRows(P), closedLoop: toRows(plus(A, times(B, K), -1)) };
}

/**
 * The regulator of xₖ₊₁ = A·xₖ + B·uₖ for the sum of xᵀQx + uᵀRu + 2·xᵀNu.
 * @throws ValueError if no law stabilizes the system
 * @example control.dlqr({ a: [[1]], b: [[1]], q: [[1]], r: [[1]] }).gain // [[0.618]]
 */
export function dlqr(problem: RiccatiProblem): Regulator {
  const checked = checkProblem(problem, "dlqr");
  const { A, B, R, N } = checked;
  const P = discreteRiccati(checked, "dlqr");
  const K = gainOf(A, B, R, N, P);
  return { gain: toRows(K), cost: toRows(P), closedLoop: toRows(plus(A, times(B, K), -1)) };
}

/** (R + BᵀPB)⁻¹(BᵀPA + Nᵀ). */
function gainOf(A: Matrix, B: Matrix, R: Matrix, N: Matrix | null, P: Matrix): Matrix {
  const BP = times(transposed(B), P);
  const right = N ? plus(times(BP, A), transposed(N)) : times(BP, A);
  return solveLinear(plus(R, times(BP, B)), right, "R + BᵀPB");
}

/** One backward step of Riccati's recursion. */
function stepBack(A: Matrix, B: Matrix, Q: Matrix, R: Matrix, N: Matrix | null, next: Matrix) {
  const K = gainOf(A, B, R, N, next);
  const closed = plus(A, times(B, K), -1);
  // Joseph's form: symmetric and positive semidefinite whatever the rounding
  let P = plus(plus(Q, product(transposed(closed), next, closed)), product(transposed(K), R, K));
  if (N) {
    const mixed = times(N, K);
    P = plus(P, plus(mixed, transposed(mixed)), -1);
  }
  return { K, P: symmetric(P) };
}

/**
 * The regulator of xₖ₊₁ = A·xₖ + B·uₖ over `horizon` steps, by Riccati's recursion from the last step back.
 * @param final weight of the last state, (n, n). Default Q
 * @example control.finiteHorizonLqr({ a: [[1]], b: [[1]], q: [[1]], r: [[1]] }, 1).gains // [[[0.5]]]
 */
export function finiteHorizonLqr(
  problem: RiccatiProblem,
  horizon: number,
  final?: MatrixLike,
): HorizonRegulator {
  if (!Number.isInteger(horizon) || horizon < 1)
    throw new ValueError(`finiteHorizonLqr: a horizon of at least one step wanted, got ${horizon}`);
  const { A, B, Q, R, N } = checkProblem(problem, "finiteHorizonLqr");
  let P = final === undefined ? Q : toSymmetric(final, "finiteHorizonLqr: the final weight", A.rows);
  const [gains, costs] = [[] as number[][][], [toRows(P)]];
  for (let k = horizon - 1; k >= 0; k--) {
    const found = stepBack(A, B, Q, R, N, P);
    P = found.P;
    gains.unshift(toRows(found.K));
    costs.unshift(toRows(P));
  }
  return { gains, costs };
}

/** A trajectory and the system's linearizations along it. */
export interface TrackingProblem {
  /** T + 1 states. */
  readonly states: readonly VectorLike[];
  /** T inputs. */
  readonly inputs: readonly VectorLike[];
  /** T matrices (n, n) and (n, m) of the discrete system, at each step. */
  readonly a: readonly MatrixLike[];
  readonly b: readonly MatrixLike[];
  readonly q: MatrixLike;
  readonly r: MatrixLike;
  /** Weight of the last state's error. Default Q. */
  readonly final?: MatrixLike;
}

/** Follows a trajectory: u = uₖ − Kₖ·(x − xₖ), with the gains of a regulator that changes with time. */
export class TrackingLqr implements HorizonRegulator {
  readonly gains: number[][][];
  readonly costs: number[][][];
  private readonly laws: readonly Matrix[];
  private readonly states: readonly Float64Array[];
  private readonly inputs: readonly Float64Array[];

  /** @throws ShapeError, ValueError if lengths or sizes do not fit */
  constructor({ states, inputs, a, b, q, r, final }: TrackingProblem) {
    const steps = inputs.length;
    if (states.length !== steps + 1 || a.length !== steps || b.length !== steps || steps === 0)
      throw new ValueError(
        `TrackingLqr: ${steps} inputs want ${steps + 1} states and ${steps} linearizations, got ${states.length}, ${a.length} A and ${b.length} B`,
      );
    this.states = states.map((x, k) => toVector(x, `TrackingLqr: state ${k}`));
    this.inputs = inputs.map((u, k) => toVector(u, `TrackingLqr: input ${k}`));
    const [n, m] = [this.states[0].length, this.inputs[0].length];
    const R = toSymmetric(r, "TrackingLqr: R", m);
    const Q = toSymmetric(q, "TrackingLqr: Q", n);
    let P = final === undefined ? Q : toSymmetric(final, "TrackingLqr: the final weight", n);
    const laws: Matrix[] = [];
    this.costs = [toRows(P)];
    for (let k = steps - 1; k >= 0; k--) {
      const A = toMatrix(a[k], `TrackingLqr: A of step ${k}`, { rows: n, columns: n });
      const B = toMatrix(b[k], `TrackingLqr: B of step ${k}`, { rows: n, columns: m });
      const found = stepBack(A, B, Q, R, null, P);
      P = found.P;
      laws.unshift(found.K);
      this.costs.unshift(toRows(P));
    }
    this.laws = laws;
    this.gains = laws.map(toRows);
  }

  /** The input at step k in state x; after the last step, the last law around the last state. */
  control(k: number, x: VectorLike): number[] {
    const step = Math.min(Math.max(0, Math.floor(k)), this.laws.length - 1);
    const wanted = this.states[k > step ? this.states.length - 1 : step];
    const now = toVector(x, "TrackingLqr: the state", wanted.length);
    const correction = apply(
      this.laws[step],
      now.map((v, i) => v - wanted[i]),
    );
    return Array.from(this.inputs[step], (u, i) => u - correction[i]);
  }
}
