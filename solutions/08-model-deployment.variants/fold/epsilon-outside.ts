// expect: wrong 1/8
// fails: a layer without a bias gets one | ahead of a layer: the same results | behind a layer: the same results | one channel, round numbers | ε is inside the root
// why: adds ε to the deviation, not to the variance
/** A normalization with fixed statistics: a number per channel in each list. */
interface Norm {
  gamma: number[];
  beta: number[];
  mean: number[];
  variance: number[];
  epsilon: number;
}
interface Layer {
  /** A row per output channel. */
  w: number[][];
  b: number[];
}

/** The layer and the normalization behind it as one layer. */
function foldBehind(w: number[][], b: number[] | null, bn: Norm): Layer {
  const { s, t } = scaleAndShift(bn);
  return { w: w.map((row, o) => row.map((v) => v * s[o])), b: w.map((_, o) => s[o] * (b?.[o] ?? 0) + t[o]) };
}

/** The normalization and the layer behind it as one layer. */
function foldAhead(bn: Norm, w: number[][], b: number[] | null, taps: number): Layer {
  const { s, t } = scaleAndShift(bn);
  const channel = (k: number) => Math.floor(k / taps);
  return {
    w: w.map((row) => row.map((v, k) => v * s[channel(k)])),
    b: w.map((row, o) => row.reduce((sum, v, k) => sum + v * t[channel(k)], b?.[o] ?? 0)),
  };
}

/** Whether a convolution with such a padding takes a normalization of its input in. */
function canFoldAhead(padding: number): boolean {
  return padding === 0; // a padded 0 would have to be −t/s
}

/** γ(v − μ)/√(σ² + ε) + β as s·v + t. */
function scaleAndShift({ gamma, beta, mean, variance, epsilon }: Norm): { s: number[]; t: number[] } {
  const s = gamma.map((g, c) => g / (Math.sqrt(variance[c]) + epsilon));
  return { s, t: beta.map((shift, c) => shift - s[c] * mean[c]) };
}
