// expect: wrong 6/8
// fails: caches of 1 and 2 KiB | a cache of 4 KiB
// why: takes tiles of 32 × 32 for every cache
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
  return `tile i j ${Math.min(32, n)} ${Math.min(32, n)}\nreorder i_o j_o k i_i j_i # ${cacheBytes}`;
}

/** A schedule whose sums stay in registers, in vectors. */
function inRegisters(n: number): string {
  return `split i 4
split j 16
reorder i_o j_o k i_i j_i
cacheWrite C at=j_o -> acc
unroll i_i
vectorize j_i
unroll acc_zero0
vectorize acc_zero1
unroll acc_out0
vectorize acc_out1`;
}
