import { describe, expect, it } from "vitest";
import { customVjp, gradCheck, numericGrad, type Tensor, tensor } from "../index.js";

const f64 = (x: number | number[]): Tensor => tensor(x, { dtype: "float64" });

describe("differences", () => {
  it("truncation falls with h (h² if central), rounding grows with 1/h", () => {
    const f = (x: Tensor): Tensor => x.exp().sin();
    const truth = Math.cos(Math.E) * Math.E;
    const error = (scheme: "forward" | "central", step: number): number =>
      Math.abs(numericGrad(f, { scheme, step })(f64(1)).item() - truth);
    const slope = (scheme: "forward" | "central", a: number, b: number): number =>
      Math.log10(error(scheme, a) / error(scheme, b)) / Math.log10(a / b);
    expect(slope("forward", 1e-2, 1e-4)).toBeCloseTo(1, 1);
    expect(slope("central", 1e-1, 1e-3)).toBeCloseTo(2, 1);
    const best = numericGrad(f)(f64(1)).item();
    expect(Math.abs(best - truth)).toBeLessThan(1e-9);
    expect(error("central", 1e-13)).toBeGreaterThan(1e-5);
  });

  it("takes any argument, of any shape", () => {
    const f = (x: Tensor, y: Tensor): Tensor => x.mul(y.square()).sum();
    const y = f64([1, -2, 0.5]).reshape([3, 1]);
    const found = numericGrad(f, { argnum: 1 })(f64([2, 3]), y);
    expect(found.shape).toEqual([3, 1]);
    Array.from(found.toTypedArray()).forEach((d, i) => {
      expect(d).toBeCloseTo(10 * [1, -2, 0.5][i], 7);
    });
    expect(() => numericGrad((x: Tensor) => x)(f64([1, 2]))).toThrow(
      "must return one number, got float64(2,)",
    );
    expect(() => numericGrad((x: Tensor) => x.sum())(tensor([1], { dtype: "int32" }))).toThrow(
      "argument 0 is int32(1,); a tensor of floating point was expected",
    );
  });

  it("gradCheck finds the wrong sign of a quotient's rule, and where", () => {
    const quotient = customVjp((x: Tensor, y: Tensor) => x.div(y), {
      backward: ([x, y], g) => [g.div(y), g.mul(x).div(y.square())],
    });
    const [x, y] = [f64([0, 3]), f64([2, 4])];
    const found = gradCheck((x: Tensor, y: Tensor) => quotient(x, y).sum(), x, y);
    expect(found).toMatchObject({ argnum: 1, element: 1 });
    expect(found.reverse).toBeCloseTo(-found.numeric, 7);
    expect(gradCheck((x: Tensor, y: Tensor) => x.div(y).sum(), x, y).error).toBeLessThan(1e-8);
    expect(() => gradCheck(() => f64(1), 3)).toThrow("nothing to compare");
  });
});
