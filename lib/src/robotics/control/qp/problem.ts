/** Quadratic programs: smallest ½·xᵀPx + qᵀx with l ≤ Ax ≤ u. Their data, as sparse rows, and what a solver answers. */
import { ShapeError, ValueError } from "../../../core/errors.js";
import {
  checkDefinite,
  type Matrix,
  type MatrixLike,
  toMatrix,
  toSymmetric,
  toVector,
  type VectorLike,
} from "../dense.js";

/** A sparse matrix by rows (CSR): row i holds entries `start[i]` … `start[i + 1] − 1`. */
export class SparseRows {
  private constructor(
    readonly rows: number,
    readonly columns: number,
    readonly start: Int32Array,
    readonly index: Int32Array,
    readonly value: Float64Array,
  ) {}

  /** From lists of [column, value] per row; equal columns add up. */
  static from(columns: number, rows: readonly (readonly (readonly [number, number])[])[]): SparseRows {
    const merged = rows.map((row) => {
      const sums = new Map<number, number>();
      for (const [j, v] of row) sums.set(j, (sums.get(j) ?? 0) + v);
      return [...sums].filter(([, v]) => v !== 0).sort(([i], [j]) => i - j);
    });
    const start = new Int32Array(rows.length + 1);
    merged.forEach((row, i) => {
      start[i + 1] = start[i] + row.length;
    });
    const flat = merged.flat();
    return new SparseRows(
      rows.length,
      columns,
      start,
      Int32Array.from(flat, ([j]) => j),
      Float64Array.from(flat, ([, v]) => v),
    );
  }

  static fromDense({ rows, columns, values }: Matrix): SparseRows {
    return SparseRows.from(
      columns,
      Array.from({ length: rows }, (_, i) =>
        Array.from(values.subarray(i * columns, (i + 1) * columns), (v, j) => [j, v] as const).filter(
          ([, v]) => v !== 0,
        ),
      ),
    );
  }

  /** The same places with other values. */
  scaledBy(row: ArrayLike<number>, column: ArrayLike<number>, factor = 1): SparseRows {
    const value = this.value.slice();
    for (let i = 0; i < this.rows; i++)
      for (let k = this.start[i]; k < this.start[i + 1]; k++)
        value[k] *= row[i] * column[this.index[k]] * factor;
    return new SparseRows(this.rows, this.columns, this.start, this.index, value);
  }

  /** out = this·x. */
  times(x: ArrayLike<number>, out = new Float64Array(this.rows)): Float64Array {
    for (let i = 0; i < this.rows; i++) {
      let sum = 0;
      for (let k = this.start[i]; k < this.start[i + 1]; k++) sum += this.value[k] * x[this.index[k]];
      out[i] = sum;
    }
    return out;
  }

  /** out = thisᵀ·y. */
  transposeTimes(y: ArrayLike<number>, out = new Float64Array(this.columns)): Float64Array {
    out.fill(0);
    for (let i = 0; i < this.rows; i++) {
      if (y[i] === 0) continue;
      for (let k = this.start[i]; k < this.start[i + 1]; k++) out[this.index[k]] += this.value[k] * y[i];
    }
    return out;
  }

  /** The dense matrix, row-major. */
  toDense(): Float64Array {
    const out = new Float64Array(this.rows * this.columns);
    for (let i = 0; i < this.rows; i++)
      for (let k = this.start[i]; k < this.start[i + 1]; k++)
        out[i * this.columns + this.index[k]] = this.value[k];
    return out;
  }
}

/** min ½·xᵀPx + qᵀx with lower ≤ A·x ≤ upper; equal bounds make an equation. */
export interface QpProblem {
  /** (n, n), symmetric and positive semidefinite. */
  readonly p: MatrixLike | SparseRows;
  /** (n,). */
  readonly q: VectorLike;
  /** (m, n). Default: no constraints. */
  readonly a?: MatrixLike | SparseRows;
  /** (m,); −∞ for none. */
  readonly lower?: VectorLike;
  /** (m,); ∞ for none. */
  readonly upper?: VectorLike;
}

export interface QpResult {
  /**
   * "solved"; "infeasible": no x meets the constraints, and `y` is the certificate: Aᵀy = 0, and bounds that y weighs
   * contradict each other; "unbounded": the objective falls without end along `x`; "max-iterations": x is the best found.
   */
  readonly status: "solved" | "infeasible" | "unbounded" | "max-iterations";
  readonly x: Float64Array;
  /** Multipliers of the rows: above 0 where the upper bound holds x back, below 0 where the lower does. */
  readonly y: Float64Array;
  readonly objective: number;
  readonly iterations: number;
  /** Largest violation of a constraint. */
  readonly primalResidual: number;
  /** Largest element of P·x + q + Aᵀ·y. */
  readonly dualResidual: number;
}

/** A problem as the solvers take it. */
export interface CheckedQp {
  readonly P: SparseRows;
  readonly q: Float64Array;
  readonly A: SparseRows;
  readonly lower: Float64Array;
  readonly upper: Float64Array;
}

/** @throws ShapeError for sizes that do not fit; ValueError if P is not symmetric, or a lower bound exceeds its upper */
export function checkQp({ p, q, a, lower, upper }: QpProblem, where: string): CheckedQp {
  const Q = toVector(q, `${where}: q`);
  const n = Q.length;
  const sparse = (like: MatrixLike | SparseRows, name: string): SparseRows =>
    like instanceof SparseRows
      ? like
      : SparseRows.fromDense(toMatrix(like, `${where}: ${name}`, { columns: n }));
  let P: SparseRows;
  if (p instanceof SparseRows) P = p;
  else {
    const dense = toSymmetric(p, `${where}: P`, n);
    checkDefinite(dense, `${where}: P`, false);
    P = SparseRows.fromDense(dense);
  }
  const A = a === undefined ? SparseRows.from(n, []) : sparse(a, "A");
  if (P.rows !== n || P.columns !== n || A.columns !== n)
    throw new ShapeError(
      `${where}: q has ${n} elements, P is (${P.rows}, ${P.columns}) and A (${A.rows}, ${A.columns})`,
    );
  const bound = (like: VectorLike | undefined, open: number, name: string): Float64Array =>
    like === undefined ? new Float64Array(A.rows).fill(open) : toVector(like, `${where}: ${name}`, A.rows);
  const [l, u] = [
    bound(lower, Number.NEGATIVE_INFINITY, "lower"),
    bound(upper, Number.POSITIVE_INFINITY, "upper"),
  ];
  checkBounds(l, u, where);
  return { P, q: Q, A, lower: l, upper: u };
}

/** @throws ValueError if a lower bound lies above its upper one */
export function checkBounds(lower: Float64Array, upper: Float64Array, where: string): void {
  const wrong = lower.findIndex((v, i) => v > upper[i]);
  if (wrong >= 0)
    throw new ValueError(
      `${where}: bounds of row ${wrong} are [${lower[wrong]}, ${upper[wrong]}]: the lower lies above the upper`,
    );
}

/** How far a point is from meeting the conditions of an optimum. */
export function residuals(
  { P, q, A, lower, upper }: CheckedQp,
  x: Float64Array,
  y: Float64Array,
): { readonly primal: number; readonly dual: number; readonly objective: number } {
  const [Px, Ax, Ay] = [P.times(x), A.times(x), A.transposeTimes(y)];
  let primal = 0;
  for (let i = 0; i < A.rows; i++) primal = Math.max(primal, lower[i] - Ax[i], Ax[i] - upper[i]);
  let dual = 0;
  let objective = 0;
  for (let j = 0; j < q.length; j++) {
    dual = Math.max(dual, Math.abs(Px[j] + q[j] + Ay[j]));
    objective += x[j] * (0.5 * Px[j] + q[j]);
  }
  return { primal, dual, objective };
}
