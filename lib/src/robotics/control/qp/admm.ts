/**
 * Operator splitting (交替方向乘子法) as in OSQP (Stellato, Banjac, Goulart, Bemporad & Boyd 2020): one factorization serves all
 * iterations and, while P and A stay, all later problems. From a rough point the active constraints are guessed and
 * solved as equations, which is exact when the guess is right.
 */
import { ValueError } from "../../../core/errors.js";
import { largest, toVector, type VectorLike } from "../dense.js";
import { BandedCholesky } from "./banded.js";
import { interiorPoint } from "./interior-point.js";
import { polish } from "./polish.js";
import {
  type CheckedQp,
  checkBounds,
  checkQp,
  type QpProblem,
  type QpResult,
  residuals,
  type SparseRows,
} from "./problem.js";

export interface AdmmOptions {
  /** Largest violation and gradient that count as solved, relative above 1. Default 1e-6. */
  readonly tolerance?: number;
  /** Default 20,000. */
  readonly maxIterations?: number;
  /** Guess the active constraints and solve with them. Default true. */
  readonly polish?: boolean;
}

const SIGMA = 1e-6;
const RELAXATION = 1.6;
/** Iterations between two looks at the residuals. */
const LOOK = 20;
/** An equation weighs more than an inequality. */
const EQUATION = 1e3;
const CERTIFICATE = 1e-7;

/** Solves problems that share P and A; each solve starts from the answer before. */
export class AdmmSolver {
  /** Rows and columns scaled to the same size (Ruiz): x = d·x̄, y = e·ȳ/cost. */
  private readonly d: Float64Array;
  private readonly e: Float64Array;
  private cost = 1;
  private scaled: CheckedQp;
  private readonly factors: BandedCholesky;
  private factored = false;
  private rho = 0.1;
  private weights: Float64Array;
  private x: Float64Array;
  private z: Float64Array;
  private y: Float64Array;
  private readonly tolerance: number;
  private readonly maxIterations: number;
  private readonly polishes: boolean;
  private problem: CheckedQp;

  /** @throws ShapeError, ValueError as `solveQp` */
  constructor(
    problem: QpProblem,
    { tolerance = 1e-6, maxIterations = 20_000, polish = true }: AdmmOptions = {},
  ) {
    if (!(tolerance > 0)) throw new ValueError(`AdmmSolver: a tolerance above 0 wanted, got ${tolerance}`);
    this.problem = checkQp(problem, "AdmmSolver");
    this.tolerance = tolerance;
    this.maxIterations = maxIterations;
    this.polishes = polish;
    const { P, A } = this.problem;
    ({ d: this.d, e: this.e } = equilibrate(P, A));
    this.scaled = this.scaleData();
    this.factors = new BandedCholesky(this.scaled.P, this.scaled.A);
    this.x = new Float64Array(P.rows);
    this.z = new Float64Array(A.rows);
    this.y = new Float64Array(A.rows);
    this.weights = this.rowWeights();
  }

  /** Another linear part or other bounds; the factors stay. */
  update({
    q,
    lower,
    upper,
  }: {
    readonly q?: VectorLike;
    readonly lower?: VectorLike;
    readonly upper?: VectorLike;
  }): this {
    const before = this.problem;
    const m = before.A.rows;
    this.problem = {
      ...before,
      q: q === undefined ? before.q : toVector(q, "AdmmSolver.update: q", before.q.length),
      lower: lower === undefined ? before.lower : toVector(lower, "AdmmSolver.update: lower", m),
      upper: upper === undefined ? before.upper : toVector(upper, "AdmmSolver.update: upper", m),
    };
    checkBounds(this.problem.lower, this.problem.upper, "AdmmSolver.update");
    const { P, A } = this.scaled;
    this.scaled = {
      P,
      A,
      q: this.problem.q.map((v, j) => v * this.d[j] * this.cost),
      lower: this.problem.lower.map((v, i) => v * this.e[i]),
      upper: this.problem.upper.map((v, i) => v * this.e[i]),
    };
    const weights = this.rowWeights();
    if (weights.some((w, i) => w !== this.weights[i])) {
      this.weights = weights;
      this.factored = false;
    }
    return this;
  }

  /** Where the next solve starts. */
  warmStart(x: VectorLike, y?: VectorLike): this {
    const { P, A } = this.scaled;
    this.x = toVector(x, "AdmmSolver.warmStart: x", P.rows).map((v, j) => v / this.d[j]);
    this.z = A.times(this.x);
    if (y !== undefined)
      this.y = toVector(y, "AdmmSolver.warmStart: y", A.rows).map((v, i) => (v * this.cost) / this.e[i]);
    return this;
  }

  solve(): QpResult {
    const { scaled, problem } = this;
    const { P, A, q, lower, upper } = scaled;
    const [n, m] = [P.rows, A.rows];
    const step = new Float64Array(n);
    const [pull, zTilde] = [new Float64Array(m), new Float64Array(m)];
    const [xBefore, yBefore] = [new Float64Array(n), new Float64Array(m)];
    let rough = 1e-2; // a guess is tried at this accuracy, then at finer ones
    for (let iteration = 1; iteration <= this.maxIterations; iteration++) {
      if (!this.factored) {
        this.factors.factor(SIGMA, this.weights);
        this.factored = true;
      }
      const look = iteration % LOOK === 0 || iteration === this.maxIterations;
      if (look) {
        xBefore.set(this.x);
        yBefore.set(this.y);
      }
      for (let i = 0; i < m; i++) pull[i] = this.weights[i] * this.z[i] - this.y[i];
      A.transposeTimes(pull, step);
      for (let j = 0; j < n; j++) step[j] += SIGMA * this.x[j] - q[j];
      this.factors.solve(step);
      A.times(step, zTilde);
      for (let j = 0; j < n; j++) this.x[j] += RELAXATION * (step[j] - this.x[j]);
      for (let i = 0; i < m; i++) {
        const mixed = RELAXATION * zTilde[i] + (1 - RELAXATION) * this.z[i];
        const wanted = mixed + this.y[i] / this.weights[i];
        this.z[i] = Math.min(upper[i], Math.max(lower[i], wanted));
        this.y[i] += this.weights[i] * (mixed - this.z[i]);
      }
      if (!look) continue;
      const { primal, dual, primalScale, dualScale } = this.state();
      const within = (tolerance: number): boolean =>
        primal <= tolerance * (1 + primalScale) && dual <= tolerance * (1 + dualScale);
      if (this.polishes && within(rough)) {
        // where constraints depend on each other guesses fail, and the interior-point method does not care
        const found = polish(scaled, this.z, this.y) ?? (rough < 1e-3 ? interiorPoint(scaled) : null);
        if (found) {
          const [x, y] = this.unscaled(found.x, found.y);
          const exact = residuals(problem, x, y);
          if (
            exact.primal <= this.tolerance * (1 + primalScale) &&
            exact.dual <= this.tolerance * (1 + dualScale)
          ) {
            this.x = found.x;
            this.y = found.y;
            this.z = A.times(found.x);
            return this.result("solved", x, y, iteration);
          }
        }
        rough /= 10;
      }
      if (within(this.tolerance)) return this.result("solved", ...this.unscaled(this.x, this.y), iteration);
      const certificate = this.certificate(xBefore, yBefore);
      if (certificate) {
        this.forget();
        return { ...certificate, iterations: iteration };
      }
      if (iteration % (5 * LOOK) === 0)
        this.adaptRho(primal / Math.max(primalScale, 1e-10), dual / Math.max(dualScale, 1e-10));
    }
    return this.result("max-iterations", ...this.unscaled(this.x, this.y), this.maxIterations);
  }

  private unscaled(x: Float64Array, y: Float64Array): [Float64Array, Float64Array] {
    return [x.map((v, j) => v * this.d[j]), y.map((v, i) => (v * this.e[i]) / this.cost)];
  }

  private result(status: QpResult["status"], x: Float64Array, y: Float64Array, iterations: number): QpResult {
    const { primal, dual, objective } = residuals(this.problem, x, y);
    return { status, x, y, objective, iterations, primalResidual: primal, dualResidual: dual };
  }

  /** Residuals in the user's units, and what they are measured against. */
  private state() {
    const { P, A, q } = this.scaled;
    const [Px, Ax, Ay] = [P.times(this.x), A.times(this.x), A.transposeTimes(this.y)];
    let [primal, primalScale, dual, dualScale] = [0, 0, 0, 0];
    for (let i = 0; i < A.rows; i++) {
      primal = Math.max(primal, Math.abs(Ax[i] - this.z[i]) / this.e[i]);
      primalScale = Math.max(primalScale, Math.abs(Ax[i]) / this.e[i], Math.abs(this.z[i]) / this.e[i]);
    }
    for (let j = 0; j < P.rows; j++) {
      const unit = this.d[j] * this.cost;
      dual = Math.max(dual, Math.abs(Px[j] + q[j] + Ay[j]) / unit);
      dualScale = Math.max(dualScale, Math.abs(Px[j]) / unit, Math.abs(q[j]) / unit, Math.abs(Ay[j]) / unit);
    }
    return { primal, dual, primalScale, dualScale };
  }

  /** Successive differences tend to a proof that there is no solution (Banjac et al. 2019). */
  private certificate(xBefore: Float64Array, yBefore: Float64Array): Omit<QpResult, "iterations"> | null {
    const { P, A, q, lower, upper } = this.problem;
    const infinite = {
      objective: Number.POSITIVE_INFINITY,
      primalResidual: Number.POSITIVE_INFINITY,
      dualResidual: 0,
    };
    const [dx, dy] = this.unscaled(
      this.x.map((v, j) => v - xBefore[j]),
      this.y.map((v, i) => v - yBefore[i]),
    );
    const sizeY = largest(dy);
    if (sizeY > 1e-10) {
      const y = dy.map((v) => v / sizeY);
      let support = 0;
      for (let i = 0; i < y.length; i++) {
        if (Math.abs(y[i]) < CERTIFICATE) y[i] = 0;
        else support += y[i] > 0 ? y[i] * upper[i] : y[i] * lower[i];
      }
      if (support < -CERTIFICATE && largest(A.transposeTimes(y)) < CERTIFICATE * Math.max(1, -support))
        return { status: "infeasible", x: new Float64Array(P.rows).fill(Number.NaN), y, ...infinite };
    }
    const sizeX = largest(dx);
    if (sizeX > 1e-10) {
      const x = dx.map((v) => v / sizeX);
      const slope = x.reduce((sum, v, j) => sum + v * q[j], 0);
      const Ax = A.times(x);
      const open = Ax.every(
        (v, i) =>
          (v < CERTIFICATE || upper[i] === Number.POSITIVE_INFINITY) &&
          (v > -CERTIFICATE || lower[i] === Number.NEGATIVE_INFINITY),
      );
      if (slope < -CERTIFICATE && open && largest(P.times(x)) < CERTIFICATE)
        return {
          status: "unbounded",
          x,
          y: new Float64Array(A.rows),
          objective: Number.NEGATIVE_INFINITY,
          primalResidual: 0,
          dualResidual: Number.POSITIVE_INFINITY,
        };
    }
    return null;
  }

  /** A certificate's point is no place to start the next problem from. */
  private forget(): void {
    this.x.fill(0);
    this.y.fill(0);
    this.z.fill(0);
  }

  private adaptRho(primal: number, dual: number): void {
    const ratio = Math.sqrt(Math.max(primal, 1e-12) / Math.max(dual, 1e-12));
    if (ratio < 5 && ratio > 0.2) return;
    this.rho = Math.min(1e6, Math.max(1e-6, this.rho * ratio));
    this.weights = this.rowWeights();
    this.factored = false;
  }

  private rowWeights(): Float64Array {
    const { lower, upper } = this.scaled;
    return lower.map((low, i) =>
      low === upper[i]
        ? Math.min(1e6, EQUATION * this.rho)
        : low === Number.NEGATIVE_INFINITY && upper[i] === Number.POSITIVE_INFINITY
          ? 1e-6
          : this.rho,
    );
  }

  private scaleData(): CheckedQp {
    const { P, A, q, lower, upper } = this.problem;
    const scaledQ = q.map((v, j) => v * this.d[j]);
    const bare = P.scaledBy(this.d, this.d);
    this.cost = 1 / Math.max(largest(bare.value), largest(scaledQ), 1e-8);
    return {
      P: P.scaledBy(this.d, this.d, this.cost),
      A: A.scaledBy(this.e, this.d),
      q: scaledQ.map((v) => v * this.cost),
      lower: lower.map((v, i) => v * this.e[i]),
      upper: upper.map((v, i) => v * this.e[i]),
    };
  }
}

/** Scales that bring the largest element of each row and column of [P Aᵀ; A 0] near 1 (Ruiz 2001). */
function equilibrate(P: SparseRows, A: SparseRows): { d: Float64Array; e: Float64Array } {
  const d = new Float64Array(P.rows).fill(1);
  const e = new Float64Array(A.rows).fill(1);
  for (let round = 0; round < 10; round++) {
    const column = new Float64Array(P.rows);
    const row = new Float64Array(A.rows);
    for (let i = 0; i < P.rows; i++)
      for (let k = P.start[i]; k < P.start[i + 1]; k++)
        column[i] = Math.max(column[i], Math.abs(P.value[k]) * d[i] * d[P.index[k]]);
    for (let i = 0; i < A.rows; i++) {
      for (let k = A.start[i]; k < A.start[i + 1]; k++) {
        const size = Math.abs(A.value[k]) * e[i] * d[A.index[k]];
        row[i] = Math.max(row[i], size);
        column[A.index[k]] = Math.max(column[A.index[k]], size);
      }
    }
    const root = (v: number): number => (v > 1e-8 ? 1 / Math.sqrt(v) : 1);
    for (let j = 0; j < d.length; j++) d[j] *= root(column[j]);
    for (let i = 0; i < e.length; i++) e[i] *= root(row[i]);
  }
  return { d, e };
}
