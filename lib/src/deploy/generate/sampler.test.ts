/** Choice of tokens: against Hugging Face's transformers (test/expected/gpt2.py), and what must hold of any. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { expectedFile, type Values } from "../../../test/support/expected.js";
import { candidates, checkedSampling, type SamplingParams, sample } from "./sampler.js";

interface Kept {
  readonly temperature: number;
  readonly topK: number;
  readonly topP: number;
  readonly tokens: number[];
  readonly probabilities: number[];
}
const expected = expectedFile<{ logits: Values; logprobs: number[]; kept: Kept[] }>("gpt2.json");
const row = Float32Array.from(expected.logits.values.slice(-83));

const logitsOf = fc.array(fc.integer({ min: -40, max: 40 }), { minLength: 1, maxLength: 60 });
const take = (logits: Float32Array, params: SamplingParams, index = 0, tokens: number[] = []) =>
  sample(logits.slice(), checkedSampling(params), tokens, index);

describe("sampling", () => {
  it.each(expected.kept)("leaves what transformers leaves: $temperature, $topK, $topP", (wanted) => {
    const { tokens, weights } = candidates(row, wanted.temperature, wanted.topK, wanted.topP);
    const found = [...(tokens ?? row.keys())];
    const total = [...weights].reduce((a, b) => a + b);
    const probabilities = new Map(found.map((token, i) => [token, weights[i] / total]));
    expect(found.toSorted((a, b) => a - b)).toEqual(wanted.tokens);
    for (const [i, token] of wanted.tokens.entries())
      expect(Math.abs((probabilities.get(token) as number) - wanted.probabilities[i])).toBeLessThan(1e-5);
  });

  it("tells the logarithms of probabilities before temperature and choice, as transformers has them", () => {
    for (let seed = 0; seed < 20; seed++) {
      const { token, logprob } = take(row, { seed, logprobs: true, temperature: 3, topK: 40 });
      expect(Math.abs((logprob as number) - expected.logprobs[token])).toBeLessThan(1e-5);
    }
    expect(take(row, { seed: 0 })).not.toHaveProperty("logprob");
  });

  it("keeps the k likeliest, and of those the fewest that have the probability", () => {
    fc.assert(
      fc.property(
        logitsOf,
        fc.constantFrom(0.1, 0.7, 1, 3),
        fc.nat(70),
        fc.constantFrom(0.01, 0.47, 0.91, 0.997, 1), // no shares of equal tokens,
        (values, temperature, k, p) => {
          const logits = Float32Array.from(values, (v) => v / 4);
          // the same, by sorting all
          const sorted = [...logits.keys()].sort((a, b) => logits[b] - logits[a] || a - b);
          const top = sorted.slice(0, k === 0 ? undefined : k);
          const weight = (i: number): number => Math.exp((logits[i] - logits[sorted[0]]) / temperature);
          const total = top.reduce((sum, i) => sum + weight(i), 0);
          let [kept, mass] = [0, 0];
          while (kept < top.length && (kept === 0 || mass < p * total * (1 - 1e-12)))
            mass += weight(top[kept++]);
          const { tokens } = candidates(logits, temperature, k, p);
          if (tokens === null) expect([k === 0 || k >= logits.length, p]).toEqual([true, 1]);
          else if (p < 1) expect(tokens).toEqual(top.slice(0, kept));
          else expect(new Set(tokens)).toEqual(new Set(top));
        },
      ),
      { numRuns: 500 },
    );
  });

  it("draws by the probabilities", () => {
    const logits = Float32Array.from([1, 2, 3, 4].map(Math.log));
    const draws = 20_000;
    const counts = [0, 0, 0, 0];
    for (let seed = 0; seed < draws; seed++) counts[take(logits, { seed }).token]++;
    const chi = counts.reduce((sum, n, i) => {
      const wanted = (draws * (i + 1)) / 10;
      return sum + (n - wanted) ** 2 / wanted;
    }, 0);
    expect(chi).toBeLessThan(16.3); // 0.1 % of three degrees of freedom; the seeds are fixed
  });

  it("depends on seed and number alone", () => {
    const logits = new Float32Array(1000);
    const series = (seed: number): number[] =>
      Array.from({ length: 8 }, (_, i) => take(logits, { seed }, i).token);
    expect(series(5)).toEqual(series(5));
    expect(series(5)).not.toEqual(series(6));
    expect(series(5)).not.toEqual(series(5 + 2 ** 32));
    expect(new Set(series(5)).size).toBeGreaterThan(5);
  });

  it("is greedy at temperature 0, takes the first of equals, and makes repetitions rarer", () => {
    const logits = Float32Array.from([1, 3, 3, -2]);
    expect(take(logits, { temperature: 0 }).token).toBe(1);
    expect(take(logits, { temperature: 0, repetitionPenalty: 2 }, 0, [1, 1]).token).toBe(2);
    expect(take(Float32Array.from([-3, -2]), { temperature: 0, repetitionPenalty: 2 }, 0, [1]).token).toBe(0);
    expect(take(Float32Array.from([-1e4, 5, Number.NEGATIVE_INFINITY]), { seed: 1, topP: 0.5 }).token).toBe(
      1,
    );
  });

  it.each<[SamplingParams, string]>([
    [{ temperature: -1 }, "generation: temperature is a number from 0, got -1"],
    [{ temperature: Number.NaN }, "generation: temperature is a number from 0, got NaN"],
    [{ topK: 1.5 }, "generation: topK is a whole number from 0, got 1.5"],
    [{ topP: 0 }, "generation: topP is above 0 and at most 1, got 0"],
    [{ repetitionPenalty: 0 }, "generation: repetitionPenalty is above 0, got 0"],
    [{ seed: -1 }, "generation: seed is a whole number from 0, got -1"],
    [{ maxTokens: 0 }, "generation: maxTokens is a whole number from 1, got 0"],
    [{ topP: "0.5" as never }, "generation: topP is above 0 and at most 1, got 0.5"],
    [{ stopTokens: 3 as never }, "generation: stopTokens is an array of token numbers, got 3"],
    [{ logprobs: 1 as never }, "generation: logprobs is true or false, got 1"],
    [{ stopTokens: [-1] }, "generation: stopTokens is an array of token numbers, got -1"],
  ])("refuses %j", (params, message) => {
    expect(() => checkedSampling(params)).toThrow(message);
  });
});
