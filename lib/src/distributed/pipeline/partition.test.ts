import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { nn, ones } from "../../index.js";
import { balancedStages, measuredCosts, parameterCosts } from "./partition.js";

/** Every way to cut `n` layers into `stages`. */
function* cuts(n: number, stages: number): Generator<number[]> {
  if (stages === 1) yield [n];
  else
    for (let first = 1; first <= n - stages + 1; first++)
      for (const rest of cuts(n - first, stages - 1)) yield [first, ...rest];
}

function most(costs: readonly number[], sizes: readonly number[]): number {
  const ends = sizes.map((_, i) => sizes.slice(0, i + 1).reduce((a, b) => a + b));
  return Math.max(...ends.map((end, i) => costs.slice(end - sizes[i], end).reduce((a, b) => a + b, 0)));
}

describe("balanced stages", () => {
  it("no other cut has a cheaper most expensive stage", () => {
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: 0, max: 20 }), { minLength: 1, maxLength: 9 }),
        fc.integer({ min: 1, max: 5 }),
        (costs, wanted) => {
          const stages = Math.min(wanted, costs.length);
          const sizes = balancedStages(costs, stages);
          expect(sizes).toHaveLength(stages);
          expect(sizes.reduce((a, b) => a + b)).toBe(costs.length);
          expect(Math.min(...sizes)).toBeGreaterThan(0);
          const best = Math.min(...[...cuts(costs.length, stages)].map((cut) => most(costs, cut)));
          expect(most(costs, sizes)).toBe(best);
        },
      ),
    );
  });

  it("of equal cuts takes the evener one", () => {
    expect(balancedStages([5, 1, 1, 1, 1], 3)).toEqual([1, 2, 2]);
  });

  it("refuses what can't be cut", () => {
    expect(() => balancedStages([1], 2)).toThrow("1 layers can't be cut into 2 stages");
    expect(() => balancedStages([1, -1], 1)).toThrow("the cost of layer 1 is -1");
    expect(() => balancedStages([Number.NaN], 1)).toThrow("the cost of layer 0 is NaN");
  });

  it("costs of layers: what they hold, or what they take", () => {
    const model = new nn.Sequential(new nn.Embedding(10, 4), new nn.Dense(4, 8), new nn.ReLU());
    expect(parameterCosts(model)).toEqual([41, 41, 1]);
    const measured = measuredCosts(model, ones([3, 2], { dtype: "int32" }), { runs: 1 });
    expect(measured).toHaveLength(3);
    for (const cost of measured) expect(cost).toBeGreaterThan(0);
    expect(model.parameters().every((p) => p.grad === null)).toBe(true); // it leaves no gradients
  });
});
