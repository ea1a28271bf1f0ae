// expect: correct
// why: by loops, in place of maps
interface Edges {
  left: number[];
  top: number[];
}

function feed(A: number[][], B: number[][], t: number): Edges {
  const k = B.length;
  const left: number[] = [];
  const top: number[] = [];
  for (let i = 0; i < A.length; i++) left.push(t >= i && t - i < k ? A[i][t - i] : 0);
  for (let j = 0; j < B[0].length; j++) top.push(t >= j && t - j < k ? B[t - j][j] : 0);
  return { left, top };
}

function clock(state: ArrayState, left: number[], top: number[]): ArrayState {
  const next = structuredClone(state);
  for (let i = state.a.length - 1; i >= 0; i--)
    for (let j = state.a[0].length - 1; j >= 0; j--) {
      next.a[i][j] = j > 0 ? state.a[i][j - 1] : left[i];
      next.b[i][j] = i > 0 ? state.b[i - 1][j] : top[j];
      next.sum[i][j] += next.a[i][j] * next.b[i][j];
    }
  return next;
}

function cycles(rows: number, columns: number, { m, n, k }: { m: number; n: number; k: number }): number {
  let total = 0;
  for (let i = 0; i < m; i += rows) for (let j = 0; j < n; j += columns) total += 2 * rows + columns + k - 2;
  return total;
}
