// expect: wrong 5/7
// fails: cycles, as the model counts them
// why: forgets that the sums must move out
interface Edges {
  left: number[];
  top: number[];
}

/** What comes in at the edges in cycle t. */
function feed(A: number[][], B: number[][], t: number): Edges {
  const left = A.map((row, i) => row[t - i] ?? 0);
  const top = B[0].map((_, j) => B[t - j]?.[j] ?? 0);
  return { left, top };
}

/** The array after one more cycle. */
function clock(state: ArrayState, left: number[], top: number[]): ArrayState {
  const a = state.a.map((row, i) => row.map((_, j) => (j === 0 ? left[i] : row[j - 1])));
  const b = state.b.map((row, i) => row.map((_, j) => (i === 0 ? top[j] : state.b[i - 1][j])));
  const sum = state.sum.map((row, i) => row.map((s, j) => s + a[i][j] * b[i][j]));
  return { a, b, sum };
}

/** Cycles of a product on an array of this size. */
function cycles(rows: number, columns: number, size: { m: number; n: number; k: number }): number {
  const pieces = Math.ceil(size.m / rows) * Math.ceil(size.n / columns);
  return pieces * (size.k + rows + columns - 2);
}
