import { describe, expect, it } from "vitest";
import { tensor } from "../../index.js";
import { route } from "./gate.js";

describe("gates", () => {
  const logits = tensor([
    [9, 1, 0],
    [8, 2, 0],
    [7, 0, 3],
    [0, 6, 1],
  ]);

  it("fill experts in the order of tokens, first choices first, and count what finds no place", () => {
    const routing = route(logits, { topK: 1, capacityFactor: 1.5 }); // two places each
    expect(routing.tokens.toArray()).toEqual([0, 1, 3]);
    expect(routing.counts).toEqual([2, 1, 0]);
    expect(routing.dropped).toBe(1);
    const two = route(logits, { topK: 2, capacityFactor: 0.75 }); // two places: of second choices only those of 3 and 2 fit
    expect(two.counts).toEqual([2, 2, 2]);
    expect(two.tokens.toArray()).toEqual([0, 1, 3, 0, 2, 3]);
    expect(two.dropped).toBe(2);
  });

  it("one choice weighs its probability, two weigh shares", () => {
    const one = route(logits, { topK: 1, capacityFactor: 3 });
    expect(one.weights.reshape([4]).toArray()[0]).toBeCloseTo(
      Math.exp(9) / (Math.exp(9) + Math.exp(1) + 1),
      5,
    );
    const two = route(logits, { topK: 2, capacityFactor: 3 });
    const sums = [0, 0, 0, 0];
    for (const [i, token] of (two.tokens.toArray() as number[]).entries())
      sums[token] += (two.weights.toArray() as number[][])[i][0];
    for (const sum of sums) expect(sum).toBeCloseTo(1, 6);
  });

  it("the balance is 1 for even use, and the number of experts for one that does all", () => {
    const even = tensor([
      [50, 0],
      [0, 50],
    ]);
    const one = tensor([
      [50, 0],
      [50, 0],
    ]);
    expect(route(even, { topK: 1 }).balance.item()).toBeCloseTo(1, 6);
    expect(route(one, { topK: 1 }).balance.item()).toBeCloseTo(2, 6);
  });
});
