/**
 * From measurements to the constants of a model: seconds = fixed + perUnit · amount, as α + β·bytes of a message or the
 * seconds of a batch. The runs to be predicted are never among the samples.
 */
import { ValueError } from "../../../core/errors.js";

export interface Sample {
  /** Bytes, samples of a batch, floating-point operations … */
  readonly amount: number;
  readonly seconds: number;
}

export interface Fit {
  /** Seconds whatever the amount: α. */
  readonly fixed: number;
  /** Seconds for each unit: β. */
  readonly perUnit: number;
  /** The largest deviation of a sample from the line, relative to the sample. */
  readonly worst: number;
}

/**
 * The line through the samples whose relative deviations have the least squares, so that small amounts count like large
 * ones; neither constant below 0.
 * @throws ValueError for fewer than two different amounts, or what is no time
 * @example
 * const { fixed, perUnit } = fitLine([{ amount: 0, seconds: 1 }, { amount: 10, seconds: 21 }]);
 * [fixed, perUnit] // [1, 2]
 */
export function fitLine(samples: readonly Sample[]): Fit {
  if (new Set(samples.map(({ amount }) => amount)).size < 2)
    throw new ValueError(`fitLine: at least two different amounts are needed, got ${samples.length} samples`);
  for (const { amount, seconds } of samples)
    if (!(seconds > 0 && Number.isFinite(seconds) && amount >= 0))
      throw new ValueError(
        `fitLine: amounts are 0 or more and seconds above 0, got ${amount} and ${seconds}`,
      );
  let [w, x, xx, y, xy] = [0, 0, 0, 0, 0];
  for (const { amount, seconds } of samples) {
    const weight = 1 / seconds ** 2;
    w += weight;
    x += weight * amount;
    xx += weight * amount ** 2;
    y += weight * seconds;
    xy += weight * amount * seconds;
  }
  let perUnit = (w * xy - x * y) / (w * xx - x * x);
  let fixed = (y - perUnit * x) / w;
  if (fixed < 0) [fixed, perUnit] = [0, xy / xx];
  if (perUnit < 0) [fixed, perUnit] = [y / w, 0];
  const worst = samples.reduce(
    (most, { amount, seconds }) => Math.max(most, Math.abs((fixed + perUnit * amount) / seconds - 1)),
    0,
  );
  return { fixed, perUnit, worst };
}
