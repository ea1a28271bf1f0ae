// expect: wrong 5/8
// fails: a range that does not hold 0 | a scale for each channel | eight bits, symmetric
// why: divides a symmetric range by 2^(bits − 1)
interface Params {
  scale: number;
  zero: number;
  low: number;
  high: number;
}

/** Parameters for a range. */
function paramsFor(least: number, most: number, bits: number, symmetric: boolean): Params {
  if (symmetric) {
    const high = 2 ** (bits - 1) - 1;
    return { scale: Math.max(Math.abs(least), Math.abs(most)) / (high + 1) || 1, zero: 0, low: -high, high };
  }
  const [from, to, high] = [Math.min(least, 0), Math.max(most, 0), 2 ** bits - 1];
  const scale = (to - from) / high || 1;
  return { scale, zero: Math.round(-from / scale), low: 0, high };
}

/** Whole numbers for real ones. */
function quantized(values: number[], { scale, zero, low, high }: Params): number[] {
  return values.map((r) => Math.min(high, Math.max(low, nearestEven(r / scale) + zero)));
}

/** What whole numbers stand for. */
function restored(q: number[], { scale, zero }: Params): number[] {
  return q.map((v) => scale * (v - zero));
}

/** Symmetric parameters of each row. */
function perChannel(w: number[][], bits: number): Params[] {
  return w.map((row) => paramsFor(Math.min(...row), Math.max(...row), bits, true));
}

/** Halves go to the even neighbour. */
function nearestEven(x: number): number {
  const below = Math.floor(x);
  const rest = x - below;
  if (rest !== 0.5) return rest < 0.5 ? below : below + 1;
  return below % 2 === 0 ? below : below + 1;
}
