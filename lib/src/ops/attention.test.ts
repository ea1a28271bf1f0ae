import { describe, expect, it } from "vitest";
import { randomTensor } from "../../test/support/op-samples.js";
import { attention, attentionWeights, grad, ones, type Tensor, tensor, vmap, zeros } from "../index.js";

/** By the definition, one query at a time. */
function byDefinition(q: Tensor, k: Tensor, v: Tensor, sees: (i: number, j: number) => boolean): number[][] {
  const [Q, K, V] = [q, k, v].map((x) => x.toArray() as number[][]);
  return Q.map((query, i) => {
    const scores = K.map((key, j) =>
      sees(i, j) ? key.reduce((s, x, d) => s + x * query[d], 0) / Math.sqrt(query.length) : -Infinity,
    );
    const top = Math.max(...scores);
    const weights = scores.map((s) => (s === -Infinity ? 0 : Math.exp(s - top)));
    const total = weights.reduce((a, b) => a + b, 0) || 1;
    return V[0].map((_, d) => weights.reduce((s, w, j) => s + (w / total) * V[j][d], 0));
  });
}

const far = (a: Tensor, b: number[][]): number =>
  a
    .sub(tensor(b, { dtype: "float64" }))
    .abs()
    .max()
    .item();

describe("attention", () => {
  const [q, k, v] = [randomTensor("q", [3, 4]), randomTensor("k", [5, 4]), randomTensor("v", [5, 2])];
  const sees = tensor([
    [true, false, true, true, false],
    [false, false, false, false, false],
    [true, true, true, true, true],
  ]);
  const visible = (i: number, j: number): boolean => (sees.toArray() as boolean[][])[i][j];

  it("is what its definition says, with and without masks", () => {
    expect(
      far(
        attention(q, k, v),
        byDefinition(q, k, v, () => true),
      ),
    ).toBeLessThan(1e-14);
    expect(
      far(
        attention(q, k, v, { causal: true }),
        byDefinition(q, k, v, (i, j) => j <= i),
      ),
    ).toBeLessThan(1e-14);
    expect(far(attention(q, k, v, { mask: sees }), byDefinition(q, k, v, visible))).toBeLessThan(1e-14);
    const both = byDefinition(q, k, v, (i, j) => j <= i && visible(i, j));
    expect(far(attention(q, k, v, { mask: sees, causal: true }), both)).toBeLessThan(1e-14);
    const bias = tensor([[0, -Infinity, 0, -Infinity, -Infinity]], { dtype: "float64" });
    const biased = byDefinition(q, k, v, (_i, j) => j === 0 || j === 2);
    expect(far(attention(q, k, v, { mask: bias }), biased)).toBeLessThan(1e-14);
    expect(
      far(
        attention(q, k, v, { scale: 0 }),
        byDefinition(q.mul(0), k, v, () => true),
      ),
    ).toBeLessThan(1e-14);
  });

  it("gives 0, and no NaN in gradients, where a query may see nothing", () => {
    expect(attention(q, k, v, { mask: sees }).at(1).toArray()).toEqual([0, 0]);
    const gradients = grad((a: Tensor, b: Tensor, c: Tensor) => attention(a, b, c, { mask: sees }).sum(), {
      argnums: [0, 1, 2],
    })(q, k, v);
    expect(gradients.every((g) => Array.from(g.toTypedArray()).every(Number.isFinite))).toBe(true);
    expect(gradients[0].at(1).toArray()).toEqual([0, 0, 0, 0]);
  });

  it.each(["float64", "float32", "float16"] as const)("keeps large scores finite in %s", (dtype) => {
    const large = tensor([[200, 0]], { dtype });
    const keys = tensor(
      [
        [200, 0],
        [0, 0],
        [-200, 0],
      ],
      { dtype },
    );
    const mask = tensor([true, true, false]);
    expect(attentionWeights(large, keys, { mask }).toArray()).toEqual([[1, 0, 0]]);
    expect(attentionWeights(large.neg(), keys, { mask }).toArray()).toEqual([[0, 1, 0]]);
  });

  it("goes over any axes in front, and under vmap", () => {
    const many = randomTensor("many", [2, 3, 4]);
    const mapped = vmap((x: Tensor) => attention(x, k, v, { causal: true }))(many);
    const whole = attention(many, k.broadcastTo([2, 5, 4]), v.broadcastTo([2, 5, 2]), { causal: true });
    expect(mapped.sub(whole).abs().max().item()).toBeLessThan(1e-15);
  });

  it("names what does not fit", () => {
    expect(() => attention(q, ones([5, 3]), v)).toThrow(/queries \(…, tq, d\).*\(3, 4\) and \(5, 3\)/);
    expect(() => attention(q, k, zeros([4, 2]))).toThrow(/5 keys want as many values.*\(4, 2\)/);
    expect(() => attention(q, k, v, { scale: Number.NaN })).toThrow(/scale is a finite number, got NaN/);
    expect(() => attention(q, k, v, { mask: tensor([true, false]) })).toThrow(/\(2,\)/);
  });
});
