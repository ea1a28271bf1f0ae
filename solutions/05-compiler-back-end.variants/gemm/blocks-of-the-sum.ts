// expect: correct
// why: the sum in pieces too; other tiles
function tiledProduct(A: Float32Array, B: Float32Array, n: number, tile: number, depth: number): Float32Array {
  const pieces = (by: number) => Array.from({ length: Math.ceil(n / by) }, (_, p) => [p * by, Math.min(n, (p + 1) * by)] as const);
  const out = new Float32Array(n * n);
  for (const [k0, k1] of pieces(depth))
    for (const [i0, i1] of pieces(tile))
      for (const [j0, j1] of pieces(tile))
        for (let i = i0; i < i1; i++)
          for (let j = j0; j < j1; j++) {
            let sum = out[i * n + j];
            for (let k = k0; k < k1; k++) sum += A[i * n + k] * B[k * n + j];
            out[i * n + j] = sum;
          }
  return out;
}

function blocked(n: number, cacheBytes: number): string {
  const columns = cacheBytes >= 4096 ? 32 : 16;
  const rows = Math.max(4, Math.min(16, 4 * Math.floor(cacheBytes / 64 / 10)));
  return [`split i ${Math.min(rows, n)} -> it ir`, `split j ${columns} -> jt jr`, "split k 4 -> kt kr", "reorder it jt kt kr ir jr"].join("\n");
}

function inRegisters(n: number): string {
  const rows = n % 8 === 0 ? 8 : 1;
  return [
    `split i ${rows} -> rows row`,
    "split j 8 -> cols col",
    "reorder rows cols k row col",
    "cacheWrite C at=cols -> sums",
    "vectorize col",
    "unroll row",
    "parallel rows",
  ].join("\n");
}
