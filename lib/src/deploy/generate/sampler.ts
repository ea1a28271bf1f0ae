/** From logits to a token. What is drawn depends on the request, its seed and the token's number alone. */
import { ValueError } from "../../core/errors.js";
import { WordStream } from "../../core/random.js";

/** Names and defaults as vLLM's SamplingParams. */
export interface SamplingParams {
  /** Logits are divided by it. 0: always the likeliest token (greedy). Default 1. */
  readonly temperature?: number;
  /** Only so many likeliest tokens are drawn from; 0: all. Default 0. */
  readonly topK?: number;
  /** Only the fewest likeliest tokens that together have this probability. Default 1: all. */
  readonly topP?: number;
  /**
   * Above 1, tokens of the prompt and of the output so far become less likely (Keskar et al. 2019): their logits are divided by
   * it if they are above 0, else multiplied. Default 1.
   */
  readonly repetitionPenalty?: number;
  /** Whole number from 0. The same seed gives the same tokens, whatever runs beside. Default: another one each time. */
  readonly seed?: number;
  /** Most tokens to generate. Default 16. */
  readonly maxTokens?: number;
  /** Tokens behind which generation ends; they are part of the output. */
  readonly stopTokens?: readonly number[];
  /** Whether tokens come with the logarithm of their probability, before temperature, penalty and choice. Default false. */
  readonly logprobs?: boolean;
}

export type Sampling = Required<SamplingParams>;

/** All values, checked. @throws ValueError that names the one outside its range. */
export function checkedSampling(params: SamplingParams): Sampling {
  const sampling = {
    temperature: params.temperature ?? 1,
    topK: params.topK ?? 0,
    topP: params.topP ?? 1,
    repetitionPenalty: params.repetitionPenalty ?? 1,
    seed: params.seed ?? Math.floor(Math.random() * 2 ** 32),
    maxTokens: params.maxTokens ?? 16,
    stopTokens: params.stopTokens ?? [],
    logprobs: params.logprobs ?? false,
  };
  const check = (name: keyof Sampling, ok: boolean, what: string): void => {
    if (!ok) throw new ValueError(`generation: ${name} is ${what}, got ${String(sampling[name])}`);
  };
  const { temperature, topK, topP, repetitionPenalty, seed, maxTokens, stopTokens } = sampling;
  const whole = (value: number, least: number): boolean => Number.isSafeInteger(value) && value >= least;
  // requests may come from outside: types are checked too
  check("temperature", Number.isFinite(temperature) && temperature >= 0, "a number from 0");
  check("topK", whole(topK, 0), "a whole number from 0");
  check("topP", Number.isFinite(topP) && topP > 0 && topP <= 1, "above 0 and at most 1");
  check("repetitionPenalty", Number.isFinite(repetitionPenalty) && repetitionPenalty > 0, "above 0");
  check("seed", whole(seed, 0), "a whole number from 0");
  check("maxTokens", whole(maxTokens, 1), "a whole number from 1");
  check(
    "stopTokens",
    Array.isArray(stopTokens) && stopTokens.every((token) => whole(token, 0)),
    "an array of token numbers",
  );
  check("logprobs", typeof sampling.logprobs === "boolean", "true or false");
  return sampling;
}

/**
 * The next token.
 * @param logits of every token; they may be changed
 * @param tokens of prompt and output so far, for the penalty
 * @param index the new token's number in the output
 */
export function sample(
  logits: Float32Array,
  sampling: Sampling,
  tokens: readonly number[],
  index: number,
): { token: number; logprob?: number } {
  const { temperature, repetitionPenalty, topK, topP, seed } = sampling;
  const before = sampling.logprobs ? logits.slice() : null;
  if (repetitionPenalty !== 1)
    for (const token of new Set(tokens))
      logits[token] =
        logits[token] > 0 ? logits[token] / repetitionPenalty : logits[token] * repetitionPenalty;
  const token =
    temperature === 0 ? likeliest(logits) : draw(logits, temperature, topK, topP, uniform(seed, index));
  return before ? { token, logprob: before[token] - logSumExp(before) } : { token };
}

/** The first of the largest. */
function likeliest(logits: Float32Array): number {
  let best = 0;
  for (let i = 1; i < logits.length; i++) if (logits[i] > logits[best]) best = i;
  return best;
}

/** Evenly distributed in [0, 1), 53 bits. */
function uniform(seed: number, index: number): number {
  const words = new WordStream([seed >>> 0, Math.floor(seed / 2 ** 32)], index);
  return ((words.next() >>> 5) * 2 ** 26 + (words.next() >>> 6)) / 2 ** 53;
}

function draw(logits: Float32Array, temperature: number, topK: number, topP: number, u: number): number {
  const { tokens, weights } = candidates(logits, temperature, topK, topP);
  let total = 0;
  for (const weight of weights) total += weight;
  let rest = u * total;
  for (let i = 0; i < weights.length; i++) {
    rest -= weights[i];
    if (rest < 0) return tokens ? tokens[i] : i;
  }
  // rounding: the last one that has any weight
  for (let i = weights.length - 1; i >= 0; i--) if (weights[i] > 0) return tokens ? tokens[i] : i;
  return likeliest(logits);
}

/** Buckets of logits by their distance from the largest: only what may be chosen is sorted. */
const BUCKETS = 1024;
const PER_UNIT = 32;

export interface Candidates {
  /** `null`: all, by number. */
  readonly tokens: readonly number[] | null;
  /** e^((logit − largest)/temperature) of each. */
  readonly weights: ArrayLike<number> & Iterable<number>;
}

/** What top-k and then top-p leave, likeliest first, of equals the smaller number. */
export function candidates(
  logits: Float32Array,
  temperature: number,
  topK: number,
  topP: number,
): Candidates {
  const top = logits[likeliest(logits)];
  const count = logits.length;
  const weights = new Float64Array(count);
  for (let i = 0; i < count; i++) weights[i] = Math.exp((logits[i] - top) / temperature);
  const most = topK === 0 ? count : Math.min(topK, count);
  if (most === count && topP === 1) return { tokens: null, weights };

  const bucket = (i: number): number =>
    Math.min(BUCKETS - 1, Math.floor(((top - logits[i]) / temperature) * PER_UNIT)) || 0;
  const numbers = new Int32Array(BUCKETS);
  const masses = new Float64Array(BUCKETS);
  let all = 0;
  for (let i = 0; i < count; i++) {
    const b = bucket(i);
    numbers[b]++;
    masses[b] += weights[i];
    all += weights[i];
  }
  // the first bucket at which enough tokens are found, or enough of the whole mass
  let last = 0;
  for (let [n, mass] = [0, 0]; last < BUCKETS - 1; last++) {
    n += numbers[last];
    mass += masses[last];
    if (most < count ? n >= most : mass > topP * all) break;
  }
  const tokens: number[] = [];
  for (let i = 0; i < count; i++) if (bucket(i) <= last) tokens.push(i);
  tokens.sort((a, b) => logits[b] - logits[a] || a - b);
  tokens.length = Math.min(tokens.length, most);
  if (topP < 1) {
    const mass = most < count ? tokens.reduce((sum, token) => sum + weights[token], 0) : all;
    let kept = 0;
    for (let sum = 0; kept < tokens.length && (kept === 0 || sum < topP * mass); kept++)
      sum += weights[tokens[kept]];
    tokens.length = kept;
  }
  return { tokens, weights: tokens.map((token) => weights[token]) };
}

function logSumExp(logits: Float32Array): number {
  const top = logits[likeliest(logits)];
  let sum = 0;
  for (let i = 0; i < logits.length; i++) sum += Math.exp(logits[i] - top);
  return top + Math.log(sum);
}
