/** Matrix equations of control: Lyapunov's and Riccati's, discrete and continuous, by doubling (quadratic convergence). */
import { ValueError } from "../../core/errors.js";
import {
  checkDefinite,
  identity,
  largest,
  type Matrix,
  type MatrixLike,
  plus,
  product,
  scaled,
  solveLinear,
  symmetric,
  times,
  toMatrix,
  toRows,
  toSquare,
  toSymmetric,
  transposed,
} from "./dense.js";

const MAX_DOUBLINGS = 60;

/**
 * P with AᵀPA − P + Q = 0: the value of xᵀPx = Σ xₖᵀQxₖ along xₖ₊₁ = A·xₖ. By doubling (Smith 1968).
 * @param a (n, n), its eigenvalues inside the unit circle
 * @param q (n, n), symmetric
 * @throws ValueError if the sum does not converge, so A is not stable
 * @example control.discreteLyapunov([[0.5]], [[3]]) // [[4]]
 */
export function discreteLyapunov(a: MatrixLike, q: MatrixLike): number[][] {
  const A = toSquare(a, "discreteLyapunov: A");
  return toRows(steinSum(A, toSymmetric(q, "discreteLyapunov: Q", A.rows), "discreteLyapunov"));
}

function steinSum(a: Matrix, q: Matrix, where: string): Matrix {
  let sum = q;
  let power = a;
  for (let k = 0; k < MAX_DOUBLINGS; k++) {
    const term = product(transposed(power), sum, power);
    sum = symmetric(plus(sum, term));
    if (!sum.values.every(Number.isFinite) || largest(power.values) > 1e150) break;
    power = times(power, power);
    if (largest(power.values) < 1e-17) return sum;
  }
  throw new ValueError(
    `${where}: the sum grows without end, so A is not stable: an eigenvalue lies on or outside the stability boundary`,
  );
}

/**
 * P with AᵀP + PA + Q = 0: the value of xᵀPx = ∫ xᵀQx dt along ẋ = A·x. By a Cayley transform to the discrete one.
 * @param a (n, n), its eigenvalues left of the imaginary axis
 * @param q (n, n), symmetric
 * @throws ValueError if A is not stable
 * @example control.continuousLyapunov([[-1]], [[4]]) // [[2]]
 */
export function continuousLyapunov(a: MatrixLike, q: MatrixLike): number[][] {
  const A = toSquare(a, "continuousLyapunov: A");
  return toRows(lyapunovSolution(A, toSymmetric(q, "continuousLyapunov: Q", A.rows), "continuousLyapunov"));
}

/** As `continuousLyapunov`, on matrices that were checked. */
export function lyapunovSolution(a: Matrix, q: Matrix, where: string): Matrix {
  const n = a.rows;
  const shift = Math.max(1e-3, largest(a.values));
  const inverse = solveLinear(
    plus(identity(n, shift), a, -1),
    identity(n),
    `${where}: A has the eigenvalue ${shift}, so it is not stable`,
  );
  const moved = times(plus(identity(n, shift), a), inverse);
  return steinSum(moved, scaled(product(transposed(inverse), q, inverse), 2 * shift), where);
}

/** Weights and system of a Riccati equation; n states, m inputs. */
export interface RiccatiProblem {
  /** (n, n). */
  readonly a: MatrixLike;
  /** (n, m). */
  readonly b: MatrixLike;
  /** Weight of the state, (n, n), positive semidefinite. */
  readonly q: MatrixLike;
  /** Weight of the input, (m, m), positive definite. */
  readonly r: MatrixLike;
  /** Weight of their product 2·xᵀNu, (n, m). Default 0. */
  readonly n?: MatrixLike;
}

/** A problem as matrices, and with the product term moved into A and Q. */
export interface CheckedProblem {
  readonly A: Matrix;
  readonly B: Matrix;
  readonly Q: Matrix;
  readonly R: Matrix;
  readonly N: Matrix | null;
  /** A − B·R⁻¹·Nᵀ. */
  readonly drift: Matrix;
  /** Q − N·R⁻¹·Nᵀ. */
  readonly weight: Matrix;
  /** B·R⁻¹·Bᵀ. */
  readonly reach: Matrix;
}

/** @throws ShapeError, ValueError for sizes or weights that do not fit, in the name of `where` */
export function checkProblem({ a, b, q, r, n }: RiccatiProblem, where: string): CheckedProblem {
  const A = toSquare(a, `${where}: A`);
  const size = A.rows;
  const B = toMatrix(b, `${where}: B`, { rows: size });
  const Q = toSymmetric(q, `${where}: Q`, size);
  const R = toSymmetric(r, `${where}: R`, B.columns);
  const N = n === undefined ? null : toMatrix(n, `${where}: N`, { rows: size, columns: B.columns });
  checkDefinite(R, `${where}: R`, true);
  const inverseB = solveLinear(R, transposed(B), `${where}: R`);
  const inverseN = N && solveLinear(R, transposed(N), `${where}: R`);
  const weight = N && inverseN ? symmetric(plus(Q, times(N, inverseN), -1)) : Q;
  checkDefinite(weight, N ? `${where}: Q − N·R⁻¹·Nᵀ` : `${where}: Q`, false);
  return {
    A,
    B,
    Q,
    R,
    N,
    drift: inverseN ? plus(A, times(B, inverseN), -1) : A,
    weight,
    reach: symmetric(times(B, inverseB)),
  };
}

/** Structure-preserving doubling (Chu, Fan, Lin & Wang 2004): H tends to the stabilizing solution. */
function doubled(a: Matrix, g: Matrix, h: Matrix, where: string): Matrix {
  const n = a.rows;
  let [A, G, H] = [a, g, h];
  for (let k = 0; k < MAX_DOUBLINGS; k++) {
    const W = plus(identity(n), times(G, H));
    const WA = solveLinear(W, A, where);
    const WG = solveLinear(W, G, where);
    const next = symmetric(plus(H, product(transposed(A), H, WA)));
    const change = largest(plus(next, H, -1).values);
    G = symmetric(plus(G, product(A, WG, transposed(A))));
    A = times(A, WA);
    H = next;
    if (!H.values.every(Number.isFinite) || !G.values.every(Number.isFinite)) break;
    if (change <= 1e-15 * largest(H.values) && largest(A.values) < 1e-8) return H;
  }
  throw new ValueError(
    `${where}: there is no stabilizing solution; (A, B) must be stabilizable, and (A, Q) without an unseen mode on the stability boundary`,
  );
}

/** As `dare`, on a problem that was checked. */
export const discreteRiccati = ({ drift, reach, weight }: CheckedProblem, where: string): Matrix =>
  doubled(drift, reach, weight, where);

/** As `care`, on a problem that was checked: a Cayley transform (Chu, Fan & Lin 2005), then doubling. */
export function continuousRiccati({ drift, reach, weight }: CheckedProblem, where: string): Matrix {
  const n = drift.rows;
  let failure: unknown = null;
  // The shift must miss the spectrum; another one follows if it does not.
  for (const factor of [1, 1.7, 0.6, 3.1]) {
    const shift =
      factor *
      Math.max(1e-2, Math.sqrt(largest(drift.values) ** 2 + largest(reach.values) * largest(weight.values)));
    try {
      const left = solveLinear(plus(drift, identity(n, shift), -1), identity(n), where); // A_γ⁻¹
      const W = plus(transposed(plus(drift, identity(n, shift), -1)), product(weight, left, reach));
      const inverse = solveLinear(W, identity(n), where);
      return doubled(
        plus(identity(n), scaled(transposed(inverse), 2 * shift)),
        symmetric(scaled(product(left, reach, inverse), 2 * shift)),
        symmetric(scaled(product(inverse, weight, left), 2 * shift)),
        where,
      );
    } catch (error) {
      failure = error;
    }
  }
  throw failure;
}

/**
 * The stabilizing solution P of the discrete algebraic Riccati equation
 * P = AᵀPA − (AᵀPB + N)(R + BᵀPB)⁻¹(BᵀPA + Nᵀ) + Q.
 * @throws ValueError if there is none, or R is not positive definite
 * @example control.dare({ a: [[1]], b: [[1]], q: [[1]], r: [[1]] }) // [[1.618]]
 */
export function dare(problem: RiccatiProblem): number[][] {
  return toRows(discreteRiccati(checkProblem(problem, "dare"), "dare"));
}

/**
 * The stabilizing solution P of the continuous algebraic Riccati equation
 * AᵀP + PA − (PB + N)R⁻¹(BᵀP + Nᵀ) + Q = 0.
 * @throws ValueError if there is none, or R is not positive definite
 * @example control.care({ a: [[0, 1], [0, 0]], b: [[0], [1]], q: [[1, 0], [0, 1]], r: [[1]] }) // [[1.7321, 1], [1, 1.7321]]
 */
export function care(problem: RiccatiProblem): number[][] {
  return toRows(continuousRiccati(checkProblem(problem, "care"), "care"));
}
