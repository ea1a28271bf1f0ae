/** Cholesky factors of banded matrices: with variables in the order of time, those of predictive control are banded. */
import { ValueError } from "../../../core/errors.js";
import type { SparseRows } from "./problem.js";

/** Factors P + shift·I + Aᵀ·diag(w)·A, and solves with it. Work: n·band². */
export class BandedCholesky {
  /** Entries left of the diagonal in a row. n − 1 for a full matrix. */
  readonly band: number;
  private readonly n: number;
  /** Row i, from column i − band on, diagonal last. */
  private readonly rows: Float64Array;

  constructor(
    private readonly P: SparseRows,
    private readonly A: SparseRows,
  ) {
    this.n = P.rows;
    let band = 0;
    for (let i = 0; i < P.rows; i++)
      if (P.start[i] < P.start[i + 1]) band = Math.max(band, i - P.index[P.start[i]]);
    for (let i = 0; i < A.rows; i++)
      if (A.start[i] < A.start[i + 1])
        band = Math.max(band, A.index[A.start[i + 1] - 1] - A.index[A.start[i]]);
    this.band = band;
    this.rows = new Float64Array(this.n * (band + 1));
  }

  /** @throws ValueError if the sum is not positive definite */
  factor(shift: number, weights: Float64Array): this {
    const { n, band, rows, P, A } = this;
    const width = band + 1;
    rows.fill(0);
    for (let i = 0; i < n; i++) {
      for (let k = P.start[i]; k < P.start[i + 1]; k++)
        if (P.index[k] <= i) rows[i * width + P.index[k] - i + band] += P.value[k];
      rows[i * width + band] += shift;
    }
    for (let r = 0; r < A.rows; r++) {
      if (weights[r] === 0) continue;
      for (let s = A.start[r]; s < A.start[r + 1]; s++) {
        const [i, factor] = [A.index[s], A.value[s] * weights[r]];
        for (let t = A.start[r]; t <= s; t++) rows[i * width + A.index[t] - i + band] += factor * A.value[t];
      }
    }
    for (let i = 0; i < n; i++) {
      const first = Math.max(0, i - band);
      for (let j = first; j <= i; j++) {
        let rest = rows[i * width + j - i + band];
        for (let k = Math.max(first, j - band); k < j; k++)
          rest -= rows[i * width + k - i + band] * rows[j * width + k - j + band];
        if (j < i) rows[i * width + j - i + band] = rest / rows[j * width + band];
        else if (rest > 0) rows[i * width + band] = Math.sqrt(rest);
        else
          throw new ValueError(`banded Cholesky: pivot ${i} is ${rest}, so P is not positive semidefinite`);
      }
    }
    return this;
  }

  /** Overwrites `b` with the solution. */
  solve(b: Float64Array): Float64Array {
    const { n, band, rows } = this;
    const width = band + 1;
    for (let i = 0; i < n; i++) {
      let rest = b[i];
      for (let k = Math.max(0, i - band); k < i; k++) rest -= rows[i * width + k - i + band] * b[k];
      b[i] = rest / rows[i * width + band];
    }
    for (let i = n - 1; i >= 0; i--) {
      b[i] /= rows[i * width + band];
      for (let k = Math.max(0, i - band); k < i; k++) b[k] -= rows[i * width + k - i + band] * b[i];
    }
    return b;
  }
}
