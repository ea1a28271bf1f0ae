// expect: wrong 7/8
// fails: sums in registers: C is touched a few times only
// why: vectors, but C is read and written in each round of k
/** C = A·B in tiles. */
function tiledProduct(A: Float32Array, B: Float32Array, n: number, tile: number, depth: number): Float32Array {
  const C = new Float32Array(n * n);
  for (let mo = 0; mo < n; mo += tile)
    for (let no = 0; no < n; no += tile)
      for (let ko = 0; ko < n; ko += depth)
        for (let k = ko; k < Math.min(ko + depth, n); k++)
          for (let m = mo; m < Math.min(mo + tile, n); m++)
            for (let j = no; j < Math.min(no + tile, n); j++) C[m * n + j] += A[m * n + k] * B[k * n + j];
  return C;
}

/** A schedule that uses what is in the cache. */
function blocked(n: number, cacheBytes: number): string {
  // In use at a time: a column of A (a line for each row), a row of B, a tile of C.
  const lines = (rows: number, columns: number) => rows + columns / 16 + (rows * columns) / 16;
  let best = [4, 16];
  for (const rows of [4, 8, 16, 32])
    for (const columns of [16, 32, 64])
      if (lines(rows, columns) <= 0.9 * (cacheBytes / 64) && 1 / rows + 1 / columns < 1 / best[0] + 1 / best[1]) best = [rows, columns];
  const [rows, columns] = best.map((size) => Math.min(size, n));
  return `tile i j ${rows} ${columns}\nreorder i_o j_o k i_i j_i`;
}

/** A schedule whose sums stay in registers, in vectors. */
function inRegisters(n: number): string {
  return `split i 4
split j 16
reorder i_o j_o k i_i j_i
unroll i_i
vectorize j_i` + `\n# ${n}`;
}
