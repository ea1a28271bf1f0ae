// expect: correct
// why: rounds by the remainder, cuts off by sorting
interface Params {
  scale: number;
  zero: number;
  low: number;
  high: number;
}

function paramsFor(least: number, most: number, bits: number, symmetric: boolean): Params {
  const steps = Math.pow(2, bits) - 1;
  if (symmetric) {
    const top = (steps - 1) / 2;
    const reach = most > -least ? most : -least;
    return { scale: reach === 0 ? 1 : reach / top, zero: 0, low: -top, high: top };
  }
  if (least > 0) least = 0;
  if (most < 0) most = 0;
  if (least === most) return { scale: 1, zero: 0, low: 0, high: steps };
  return { scale: (most - least) / steps, zero: Math.round((-least * steps) / (most - least)), low: 0, high: steps };
}

function quantized(values: number[], p: Params): number[] {
  return values.map((v) => {
    const x = v / p.scale;
    let q = Math.round(x);
    if (q - x === 0.5 && q % 2 !== 0) q--;
    return [p.low, q + p.zero, p.high].sort((a, b) => a - b)[1];
  });
}

function restored(q: number[], p: Params): number[] {
  return q.map((v) => (v - p.zero) * p.scale);
}

function perChannel(w: number[][], bits: number): Params[] {
  return w.map((row) => {
    const reach = row.reduce((a, v) => Math.max(a, Math.abs(v)), 0);
    return paramsFor(-reach, reach, bits, true);
  });
}
