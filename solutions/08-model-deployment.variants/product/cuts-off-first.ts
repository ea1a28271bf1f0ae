// expect: wrong 6/8
// fails: zero points on both sides, and of the result
// why: adds the zero point behind cutting off
interface Requantization {
  m0: number;
  shift: number;
  zero: number;
  low: number;
  high: number;
}

/** A factor as a whole number of 31 bits and a shift. */
function multiplier(m: number): { m0: number; shift: number } {
  let shift = 31;
  let fraction = m;
  while (fraction < 0.5) {
    fraction *= 2;
    shift++;
  }
  const m0 = Math.round(fraction * 2 ** 31);
  return m0 === 2 ** 31 ? { m0: 2 ** 30, shift: shift - 1 } : { m0, shift };
}

/** sum · m0 / 2^shift, rounded to nearest. */
function requantize(sum: number, m0: number, shift: number): number {
  return Number((BigInt(sum) * BigInt(m0) + (1n << BigInt(shift - 1))) >> BigInt(shift));
}

/** The product of two quantized matrices, quantized. */
function integerProduct(x: number[][], w: number[][], x0: number, w0: number, y: Requantization): number[][] {
  return x.map((row) =>
    w[0].map((_, j) => {
      const sum = row.reduce((total, q, k) => total + (q - x0) * (w[k][j] - w0), 0);
      return y.zero + Math.min(y.high, Math.max(y.low, requantize(sum, y.m0, y.shift)));
    }),
  );
}

/** What is added to Σ qx·qw of each column, for w0 = 0. */
function correction(w: number[][], x0: number): number[] {
  return w[0].map((_, j) => -x0 * w.reduce((sum, row) => sum + row[j], 0));
}
