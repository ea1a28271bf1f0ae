/** What a watermark proves: how likely so many matches are by chance. */
import { createHash } from "node:crypto";

export interface Evidence {
  readonly matches: number;
  /** What could have matched. */
  readonly of: number;
  /** Probability that a model that knows nothing of the mark matches at least as often. */
  readonly pValue: number;
}

/**
 * Evidence from independent matches, each of which chance makes with this probability.
 * @param chance between 0 and 1, both excluded
 */
export function evidence(matches: number, of: number, chance: number): Evidence {
  return { matches, of, pValue: binomialTail(matches, of, chance) };
}

/** P(X ≥ k) for X ~ Bin(n, p), in logarithms: the smallest are far below what products of probabilities can hold. */
function binomialTail(k: number, n: number, p: number): number {
  let logTerm = 0; // of the binomial coefficient, then of the term
  let sum = 0;
  for (let i = 0; i <= n; i++) {
    if (i > 0) logTerm += Math.log((n - i + 1) / i);
    if (i >= k) sum += Math.exp(logTerm + i * Math.log(p) + (n - i) * Math.log1p(-p));
  }
  return Math.min(1, sum);
}

/** A number for secrets: published before a model is, it proves later that they were not made to fit it. */
export function commitmentTo(...secrets: readonly (string | Uint8Array)[]): string {
  const hash = createHash("sha256").update("mlsys watermark");
  for (const secret of secrets) {
    const bytes = Buffer.from(secret as string);
    hash.update(`;${bytes.length}:`).update(bytes);
  }
  return hash.digest("hex");
}
