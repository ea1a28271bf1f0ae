// expect: wrong 1/8
// fails: an image with channels and filters | each transform by itself | odd sizes | random tiles, 16 products each | the filter that copies the middle
// why: uses Aᵀ as the book prints it
/** Bᵀ d B. */
function transformInput(d: number[][]): number[][] {
  return onBoth([[1, 0, -1, 0], [0, 1, 1, 0], [0, -1, 1, 0], [0, 1, 0, -1]], d);
}

/** G g Gᵀ. */
function transformFilter(g: number[][]): number[][] {
  return onBoth([[1, 0, 0], [0.5, 0.5, 0.5], [0.5, -0.5, 0.5], [0, 0, 1]], g);
}

/** Aᵀ m A. */
function transformOutput(m: number[][]): number[][] {
  return onBoth([[1, 1, -1, 0], [0, 1, -1, -1]], m);
}

/** A convolution, and how many products of step 3 it made. */
function winograd(x: number[][][], w: number[][][][]): { y: number[][][]; products: number } {
  const [height, width] = [x[0].length - 2, x[0][0].length - 2];
  const filters = w.map((own) => own.map(transformFilter));
  const y = w.map(() => Array.from({ length: height }, () => new Array<number>(width).fill(0)));
  let products = 0;
  for (let i = 0; i < height; i += 2)
    for (let j = 0; j < width; j += 2) {
      const patches = x.map((c) =>
        transformInput([0, 1, 2, 3].map((p) => [0, 1, 2, 3].map((q) => c[i + p]?.[j + q] ?? 0))),
      );
      filters.forEach((own, o) => {
        const m = [0, 1, 2, 3].map((p) =>
          [0, 1, 2, 3].map((q) =>
            patches.reduce((sum, patch, c) => {
              products++;
              return sum + patch[p][q] * own[c][p][q];
            }, 0),
          ),
        );
        transformOutput(m).forEach((row, p) =>
          row.forEach((v, q) => {
            if (i + p < height && j + q < width) y[o][i + p][j + q] = v;
          }),
        );
      });
    }
  return { y, products };
}

/** Products of the direct way over those of `winograd`. */
function productsOf(C: number, H: number, W: number, O: number): number {
  const direct = 9 * C * O * (H - 2) * (W - 2);
  return direct / (16 * C * O * Math.ceil((H - 2) / 2) * Math.ceil((W - 2) / 2));
}

/** m · t · mᵀ. */
function onBoth(m: number[][], t: number[][]): number[][] {
  const left = m.map((row) => t[0].map((_, j) => row.reduce((sum, v, k) => sum + v * t[k][j], 0)));
  return left.map((row) => m.map((other) => other.reduce((sum, v, k) => sum + v * row[k], 0)));
}
