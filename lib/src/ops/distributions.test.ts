/** Random numbers follow their distributions (SciPy's distribution functions), and depend on nothing but the key. */
import { describe, expect, it } from "vitest";
import { expectedFile } from "../../test/support/expected.js";
import { numbers } from "../../test/support/finite-differences.js";
import { random, ShapeError, type Tensor, tensor, toStatic, ValueError, vmap } from "../index.js";

interface Distribution {
  readonly name: string;
  readonly options: Readonly<Record<string, number>>;
  readonly grid: number[];
  /** Probability of a number up to each of the grid. */
  readonly below: number[];
}
const distributions = expectedFile<Distribution[]>("distributions.json");

type Draw = (key: Tensor, shape: readonly number[], o: Distribution["options"]) => Tensor;
const DRAWS: Record<string, Draw> = {
  uniform: (key, shape) => random.uniform(key, shape),
  normal: (key, shape) => random.normal(key, shape),
  exponential: (key, shape) => random.exponential(key, shape),
  laplace: (key, shape) => random.laplace(key, shape),
  gumbel: (key, shape) => random.gumbel(key, shape),
  logistic: (key, shape) => random.logistic(key, shape),
  cauchy: (key, shape) => random.cauchy(key, shape),
  truncatedNormal: (key, shape, { low, high }) => random.truncatedNormal(key, shape, low, high),
  gamma: (key, shape, { a }) => random.gamma(key, a, shape),
  beta: (key, shape, { a, b }) => random.beta(key, a, b, shape),
  poisson: (key, shape, { rate }) => random.poisson(key, rate, shape),
};
const drawOf = ({ name }: Distribution): Draw => DRAWS[name.split(" ")[0]];

const COUNT = 20_000;
/** So many standard deviations off would a right generator be once in 10⁸ checks; the keys are fixed, so it never is. */
const SIGMAS = 5.7;

describe("each distribution", () => {
  it.each(distributions)("$name has as many numbers below each of the grid as it should", (d) => {
    const drawn = numbers(drawOf(d)(random.key(7), [COUNT], d.options)).sort((a, b) => a - b);
    expect(drawn).toHaveLength(COUNT);
    let count = 0;
    for (const [i, limit] of d.grid.entries()) {
      while (count < COUNT && drawn[count] <= limit) count++;
      const p = d.below[i];
      const deviation = Math.sqrt(COUNT * p * (1 - p)) + 1;
      expect(Math.abs(count - COUNT * p) / deviation, `up to ${limit}`).toBeLessThan(SIGMAS);
    }
  });

  it.each(distributions)("$name: each element depends on the key and its place alone", (d) => {
    const draw = drawOf(d);
    const key = random.key(11);
    const once = numbers(draw(key, [6], d.options));
    expect(numbers(draw(key, [6], d.options))).toEqual(once);
    expect(numbers(draw(key, [2, 3], d.options))).toEqual(once);
    expect(numbers(draw(random.key(12), [6], d.options))).not.toEqual(once);
    expect(numbers(toStatic((k: Tensor) => draw(k, [6], d.options))(key) as Tensor)).toEqual(once);
    const keys = tensor([key.toArray(), random.key(12).toArray()] as number[][], { dtype: "int32" });
    const mapped = vmap((k: Tensor) => draw(k, [6], d.options))(keys);
    expect(numbers(mapped.slice(0))).toEqual(once);
    expect(numbers(mapped.slice(1))).toEqual(numbers(draw(random.key(12), [6], d.options)));
  });

  it("stays apart from its neighbours: no correlation of one element with the next, or with the next key's", () => {
    const centred = (xs: number[]) => {
      const mean = xs.reduce((a, b) => a + b) / xs.length;
      return xs.map((x) => x - mean);
    };
    const correlation = (a: number[], b: number[]) => {
      const [p, q] = [centred(a), centred(b)];
      const sum = (f: (i: number) => number) => p.reduce((s, _, i) => s + f(i), 0);
      return sum((i) => p[i] * q[i]) / Math.sqrt(sum((i) => p[i] ** 2) * sum((i) => q[i] ** 2));
    };
    for (const name of ["normal", "gamma 4.5", "poisson 35"]) {
      const d = distributions.find((each) => each.name === name) as Distribution;
      const xs = numbers(drawOf(d)(random.key(1), [COUNT], d.options));
      const ys = numbers(drawOf(d)(random.key(2), [COUNT], d.options));
      expect(Math.abs(correlation(xs.slice(1), xs.slice(0, -1))), name).toBeLessThan(
        SIGMAS / Math.sqrt(COUNT),
      );
      expect(Math.abs(correlation(xs, ys)), name).toBeLessThan(SIGMAS / Math.sqrt(COUNT));
    }
  });
});

describe("vectors and choices", () => {
  it("categorical draws each class as often as its weight says, for every row", () => {
    const weights = tensor([[1, 2, 5], [6, 1, 1]]); // biome-ignore format: a matrix
    const drawn = random.categorical(random.key(3), weights.log().expandDims(1), [2, 8000]);
    expect(drawn.type).toBe("int32(2, 8000)");
    const shares = weights.div(weights.sum(-1, true));
    for (const [row, share] of (shares.toArray() as number[][]).entries())
      for (const [k, p] of share.entries()) {
        const count = drawn.slice(row).equal(k).sum().item();
        expect(Math.abs(count - 8000 * p)).toBeLessThan(SIGMAS * Math.sqrt(8000 * p * (1 - p)));
      }
  });

  it("dirichlet has the means of its concentrations", () => {
    const drawn = random.dirichlet(random.key(4), [1, 2, 5], [6000]);
    for (const [k, mean] of (drawn.mean(0).toArray() as number[]).entries())
      expect(mean).toBeCloseTo([1, 2, 5][k] / 8, 1.7);
    expect(drawn.sum(-1).sub(1).abs().max().item()).toBeLessThan(1e-6);
  });

  it("multivariateNormal has the covariance", () => {
    const covariance = [[2, 0.6], [0.6, 0.5]]; // biome-ignore format: a matrix
    const x = random.multivariateNormal(random.key(5), [1, -1], covariance, [COUNT]);
    const centred = x.sub(x.mean(0));
    const found = centred.transpose().matmul(centred).div(COUNT).toArray() as number[][];
    for (const i of [0, 1]) for (const j of [0, 1]) expect(found[i][j]).toBeCloseTo(covariance[i][j], 1);
    expect((x.mean(0).toArray() as number[])[0]).toBeCloseTo(1, 1);
  });

  it("permutation holds each once, in any order alike", () => {
    const places = new Array<number>(4).fill(0);
    for (let seed = 0; seed < 2000; seed++) {
      const order = random.permutation(random.key(seed), 4).toArray() as number[];
      expect([...order].sort()).toEqual([0, 1, 2, 3]);
      places[order.indexOf(0)]++;
    }
    for (const count of places)
      expect(Math.abs(count - 500)).toBeLessThan(SIGMAS * Math.sqrt(2000 * 0.25 * 0.75));
    const many = random.permutation(random.key(1), 50_000);
    expect(new Set(numbers(many)).size).toBe(50_000);
    expect(random.permutation(random.key(1), 0).shape).toEqual([0]);
    const rows = random.permutation(random.key(1), tensor([[1, 2], [3, 4]])); // biome-ignore format: a matrix
    expect(rows.sum(0).toArray()).toEqual([4, 6]);
  });

  it("says what is wrong", () => {
    const key = random.key(0);
    expect(() => random.gamma(key, [1, 2], [3])).toThrow(ShapeError);
    expect(() => random.truncatedNormal(key, [1], 2, 1)).toThrow(/the range \[2, 1\] is empty/);
    expect(() => random.permutation(key, 1.5)).toThrow(ValueError);
    expect(() => random.categorical(key, 1)).toThrow(/logits \(…, k\) wanted/);
    expect(() => random.poisson(tensor([1, 2]), 1)).toThrow(
      /randomPoisson: a key is int32\(2,\), got float32\(2\)/,
    );
    expect(() => random.multivariateNormal(key, [0, 0], [[1, 2], [2, 1]])).toThrow(/not positive definite/); // biome-ignore format: a matrix
    expect(random.gamma(key, -1).item()).toBeNaN();
  });
});
