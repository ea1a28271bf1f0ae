/**
 * Who computes which token: each goes to the experts that a gate scores highest, until those are full. (Lepikhin et al.,
 * "GShard", ICLR 2021; Fedus et al., "Switch Transformers", JMLR 2022.)
 */
import { ValueError } from "../../core/errors.js";
import type { Tensor } from "../../core/tensor.js";
import { tensor } from "../../ops/convert.js";
import { topk } from "../../ops/sorting.js";

export interface GateOptions {
  /** Experts for each token. 1 weighs by the probability (Switch), more by shares that add up to 1 (GShard). Default 2. */
  readonly topK?: number;
  /**
   * Tokens that an expert takes, in parts of what it would get if all got the same: it drops the rest. Default 1.25;
   * Infinity drops none.
   */
  readonly capacityFactor?: number;
}

/** Tokens on their way to experts. */
export interface Routing {
  /** Row of each assignment's token, expert by expert. */
  readonly tokens: Tensor;
  /** Weight of each assignment, (assignments, 1). */
  readonly weights: Tensor;
  /** Assignments of each expert. */
  readonly counts: readonly number[];
  /** Assignments that found their expert full. */
  readonly dropped: number;
  /** experts·Σ fₑ·Pₑ: fₑ the part of tokens whose first choice is e, Pₑ its mean probability. 1 when all are alike. */
  readonly balance: Tensor;
}

/**
 * @param logits (n, experts)
 * @throws ValueError if topK is not between 1 and the number of experts, or the capacity factor is not positive
 */
export function route(logits: Tensor, { topK = 2, capacityFactor = 1.25 }: GateOptions): Routing {
  const [n, experts] = logits.shape;
  checkGate(experts, { topK, capacityFactor });
  const probabilities = logits.softmax(-1);
  const chosen = topk(probabilities.detach(), topK).indices;
  const choices = chosen.toTypedArray() as Int32Array;
  const capacity = Math.ceil((capacityFactor * topK * n) / experts);
  const places: number[][] = Array.from({ length: experts }, () => []);
  let dropped = 0;
  // all first choices before any second one, as in GShard
  for (let k = 0; k < topK; k++)
    for (let token = 0; token < n; token++) {
      const place = token * topK + k;
      const mine = places[choices[place]];
      if (mine.length < capacity) mine.push(place);
      else dropped++;
    }
  const order = Int32Array.from(places.flat());
  const scores = probabilities.takeAlongAxis(chosen, -1);
  const shares = topK === 1 ? scores : scores.div(scores.sum(-1, true));
  const firsts = new Float32Array(experts);
  for (let token = 0; token < n; token++) firsts[choices[token * topK]] += 1 / n;
  const indices = (of: Int32Array): Tensor => tensor(of, { shape: [of.length], dtype: "int32" });
  return {
    tokens: indices(order.map((place) => Math.floor(place / topK))),
    weights: shares
      .reshape([n * topK])
      .take(indices(order), 0)
      .expandDims(-1),
    counts: places.map((mine) => mine.length),
    dropped,
    balance: probabilities
      .mean(0)
      .mul(tensor(firsts, { dtype: logits.dtype }))
      .sum()
      .mul(experts),
  };
}

/** @throws ValueError as `route` */
export function checkGate(experts: number, { topK = 2, capacityFactor = 1.25 }: GateOptions): void {
  if (!Number.isInteger(topK) || topK < 1 || topK > experts)
    throw new ValueError(`MixtureOfExperts: topK is 1 … ${experts}, the number of experts, got ${topK}`);
  if (!(capacityFactor > 0))
    throw new ValueError(`MixtureOfExperts: the capacity factor is positive, got ${capacityFactor}`);
}
