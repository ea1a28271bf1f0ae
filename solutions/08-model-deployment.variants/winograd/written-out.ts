// expect: correct
// why: sums written out, tiles of a padded image, filters one after the other
const columns = (t: number[][], f: (c: number[]) => number[]): number[][] => {
  const done = t[0].map((_, j) => f(t.map((row) => row[j])));
  return done[0].map((_, i) => done.map((c) => c[i]));
};
const twice = (t: number[][], f: (c: number[]) => number[]): number[][] => columns(t, f).map((row) => f(row));

function transformInput(d: number[][]): number[][] {
  return twice(d, ([a, b, c, e]) => [a - c, b + c, c - b, b - e]);
}

function transformFilter(g: number[][]): number[][] {
  return twice(g, ([a, b, c]) => [a, (a + b + c) / 2, (a - b + c) / 2, c]);
}

function transformOutput(m: number[][]): number[][] {
  return twice(m, ([a, b, c, e]) => [a + b + c, b - c - e]);
}

function winograd(x: number[][][], w: number[][][][]): { y: number[][][]; products: number } {
  const [H, W] = [x[0].length, x[0][0].length];
  const [rows, across] = [Math.ceil((H - 2) / 2), Math.ceil((W - 2) / 2)];
  const padded = x.map((c) =>
    Array.from({ length: 2 * rows + 2 }, (_, i) => Array.from({ length: 2 * across + 2 }, (_, j) => (i < H && j < W ? c[i][j] : 0))),
  );
  let products = 0;
  const y = w.map((own) => {
    const u = own.map(transformFilter);
    const out = Array.from({ length: 2 * rows }, () => new Array<number>(2 * across).fill(0));
    for (let t = 0; t < rows * across; t++) {
      const [i, j] = [2 * Math.floor(t / across), 2 * (t % across)];
      const m = [0, 1, 2, 3].map(() => [0, 0, 0, 0]);
      padded.forEach((c, k) => {
        const v = transformInput(c.slice(i, i + 4).map((row) => row.slice(j, j + 4)));
        for (let e = 0; e < 16; e++) {
          m[e >> 2][e & 3] += u[k][e >> 2][e & 3] * v[e >> 2][e & 3];
          products++;
        }
      });
      const four = transformOutput(m);
      for (let e = 0; e < 4; e++) out[i + (e >> 1)][j + (e & 1)] = four[e >> 1][e & 1];
    }
    return out.slice(0, H - 2).map((row) => row.slice(0, W - 2));
  });
  return { y, products };
}

function productsOf(C: number, H: number, W: number, O: number): number {
  const tiles = Math.floor((H - 1) / 2) * Math.floor((W - 1) / 2);
  return ((H - 2) * (W - 2) * 9) / (tiles * 16);
}
