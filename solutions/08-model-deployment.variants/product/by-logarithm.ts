// expect: correct
// why: finds the shift by a logarithm, rounds by the remainder
interface Requantization {
  m0: number;
  shift: number;
  zero: number;
  low: number;
  high: number;
}

function multiplier(m: number): { m0: number; shift: number } {
  let shift = 30 - Math.floor(Math.log2(m));
  let m0 = Math.round(m * Math.pow(2, shift));
  while (m0 >= 2147483648) m0 = Math.round(m * Math.pow(2, --shift));
  while (m0 < 1073741824) m0 = Math.round(m * Math.pow(2, ++shift));
  if (m0 === 2147483648) return { m0: 1073741824, shift: shift - 1 };
  return { m0, shift };
}

function requantize(sum: number, m0: number, shift: number): number {
  const scaled = BigInt(sum) * BigInt(m0);
  const whole = 1n << BigInt(shift);
  let down = scaled / whole;
  let rest = scaled % whole;
  if (rest < 0n) {
    rest += whole;
    down -= 1n;
  }
  return Number(rest * 2n >= whole ? down + 1n : down);
}

function integerProduct(x: number[][], w: number[][], x0: number, w0: number, y: Requantization): number[][] {
  const columns = w[0].length;
  const k = w.length;
  const ofW = correction(w, x0);
  return x.map((row) => {
    const ofX = row.reduce((a, b) => a + b, 0);
    return Array.from({ length: columns }, (_, j) => {
      let sum = 0;
      for (let p = 0; p < k; p++) sum += row[p] * w[p][j];
      const q = y.zero + requantize(sum + ofW[j] - w0 * ofX + k * x0 * w0, y.m0, y.shift);
      return q < y.low ? y.low : q > y.high ? y.high : q;
    });
  });
}

function correction(w: number[][], x0: number): number[] {
  const sums = w[0].map(() => 0);
  for (const row of w) row.forEach((v, j) => (sums[j] -= v * x0));
  return sums;
}
