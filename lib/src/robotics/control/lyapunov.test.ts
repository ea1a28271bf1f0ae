import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { robotics, stack, type Tensor, tensor } from "../../index.js";

const { control } = robotics;
/** A pendulum under u = −k·x, written out. */
const held =
  (k1: number, k2: number) =>
  (x: Tensor): Tensor =>
    stack([x.slice(1), x.slice(0).sin().mul(9.81).sub(x.slice(0).mul(k1)).sub(x.slice(1).mul(k2))]);

describe("interval bounds", () => {
  const functions: Record<string, (x: Tensor) => Tensor> = {
    polynomial: (x) => x.slice(0).square().mul(x.slice(1)).sub(x.slice(1).mul(3)).add(x.abs().sum()),
    waves: (x) => x.slice(0).mul(4).sin().add(x.slice(1).mul(3).cos()).mul(x.slice(0).cos()),
    fraction: (x) => x.slice(0).div(x.slice(1).square().add(1)),
    curves: (x) => x.tanh().sum().mul(x.exp().sum()).sub(x.sigmoid().sum()),
  };
  it.each(Object.entries(functions))("hold what %s takes in a box", (_, f) => {
    const bounds = control.intervalBounds(f, 2, 1);
    const end = fc.double({ min: -3, max: 3, noNaN: true });
    fc.assert(
      fc.property(
        fc.tuple(end, end),
        fc.tuple(end, end),
        fc.tuple(fc.double({ min: 0, max: 1, noNaN: true }), fc.double({ min: 0, max: 1, noNaN: true })),
        (a, b, t) => {
          const [lower, upper] = [a.map((v, i) => Math.min(v, b[i])), a.map((v, i) => Math.max(v, b[i]))];
          const found = bounds({ lower: [lower], upper: [upper] });
          const x = lower.map((v, i) => v + t[i] * (upper[i] - v));
          const value = f(tensor(Float64Array.from(x), { dtype: "float64" })).item();
          expect(value).toBeGreaterThanOrEqual(found.lower[0][0] - 1e-9);
          expect(value).toBeLessThanOrEqual(found.upper[0][0] + 1e-9);
          const exact = bounds({ lower: [x], upper: [x] });
          expect(Math.abs(exact.upper[0][0] - value) + Math.abs(exact.lower[0][0] - value)).toBeLessThan(
            1e-9 * (1 + Math.abs(value)),
          );
        },
      ),
      { numRuns: 30 },
    );
  });

  it("name an op that they don't know, and wrong boxes", () => {
    expect(() => control.intervalBounds((x) => x.slice(0).erf(), 2, 1)).toThrow(
      /no rule for erf; there are ones for abs, add/,
    );
    expect(() => control.intervalBounds((x) => x, 2, 1)({ lower: [[0]], upper: [[1]] })).toThrow(
      /1 … 1 boxes of 2 numbers/,
    );
  });
});

describe("Lyapunov functions", () => {
  const closed = control.pendulum().linearize([0, 0], [0]);
  const gain = control.lqr({
    ...closed,
    q: [
      [1, 0],
      [0, 1],
    ],
    r: [[1]],
  }).gain[0];
  const loop = [
    [0, 1],
    [9.81 - gain[0], -gain[1]],
  ];

  it("of a linear loop: V̇ = −xᵀQx, and the level is the ellipse that fits into the box", () => {
    const { p, candidate } = control.quadraticLyapunov(loop);
    const x = tensor([0.3, -0.7], { dtype: "float64" });
    expect(candidate(x).item()).toBeCloseTo(0.09 * p[0][0] - 0.42 * p[0][1] + 0.49 * p[1][1], 10);
    const A = tensor(loop, { dtype: "float64" });
    const verdict = control.verifyLyapunov({
      field: (at) => A.matmul(at.reshape([2, 1])).reshape([2]),
      candidate,
      region: [1, 2],
    });
    expect(verdict.status).toBe("verified");
    const det = p[0][0] * p[1][1] - p[0][1] ** 2;
    const exact = Math.min(det / p[1][1], (4 * det) / p[0][0]); // least xᵀPx on the sides: a²/(P⁻¹)ᵢᵢ
    expect(verdict.level).toBeLessThanOrEqual(exact + 1e-9);
    expect(verdict.level).toBeGreaterThan(0.97 * exact);
  });

  it("of a held pendulum: proved, and trajectories from inside the level come to rest", () => {
    const { candidate } = control.quadraticLyapunov(loop);
    const verdict = control.verifyLyapunov({
      field: held(gain[0], gain[1]),
      candidate,
      region: [1, 2],
      hole: [0.05, 0.1],
    });
    expect(verdict.status).toBe("verified");
    expect(verdict.level).toBeGreaterThan(0);
    const system = control.pendulum();
    let checked = 0;
    for (let i = 0; i < 20; i++) {
      const start = [Math.cos(i), 2 * Math.sin(i * 1.7)];
      if (candidate(tensor(start, { dtype: "float64" })).item() >= verdict.level) continue;
      checked++;
      const { states } = control.simulate(system, start, (x) => [-gain[0] * x[0] - gain[1] * x[1]], {
        dt: 0.02,
        steps: 500,
      });
      expect(Math.hypot(...states[500])).toBeLessThan(1e-3);
    }
    expect(checked).toBeGreaterThan(3);
  });

  it("that are none are refuted by a place where V does not fall", () => {
    const field = held(12, 3);
    const candidate = (x: Tensor): Tensor => x.square().sum();
    const verdict = control.verifyLyapunov({ field, candidate, region: [1, 2] });
    expect(verdict.status).toBe("refuted");
    const [a, b] = verdict.counterexample as number[];
    expect(2 * a * b + 2 * b * (9.81 * Math.sin(a) - 12 * a - 3 * b)).toBeGreaterThanOrEqual(-1e-9);
    const few = control.verifyLyapunov({
      field: (x) => x.neg(),
      candidate,
      region: [1, 1],
      hole: [1e-4, 1e-4],
      maxBoxes: 3,
    });
    expect(few.status).toBe("unknown");
    expect(() => control.verifyLyapunov({ field, candidate, region: [1, 1], hole: [1, 1] })).toThrow(
      /0 < hole < region/,
    );
    expect(() => control.quadraticLyapunov([[1]])).toThrow(/not stable/);
  });

  it("are learned by a network and proved, with the help of counterexamples", () => {
    const field = held(20, 5);
    const found = control.learnLyapunov({ field, region: [0.8, 1.6], seed: 2 });
    expect(found.history.map(({ status }) => status)).toEqual(["refuted", "verified"]);
    expect(found.verdict.status).toBe("verified");
    expect(found.verdict.level).toBeGreaterThan(0);
    // the proof holds on points that no one trained on
    for (let i = 0; i < 60; i++) {
      const x = [0.8 * Math.sin(i * 12.9), 1.6 * Math.sin(i * 78.2)];
      if (Math.abs(x[0]) < 0.08 && Math.abs(x[1]) < 0.16) continue;
      const h = 1e-4;
      const V = (at: number[]): number =>
        found.candidate(tensor(Float64Array.from(at), { dtype: "float64" })).item();
      const f = [x[1], 9.81 * Math.sin(x[0]) - 20 * x[0] - 5 * x[1]];
      const slope = (V(x.map((v, j) => v + h * f[j])) - V(x.map((v, j) => v - h * f[j]))) / (2 * h);
      expect(slope).toBeLessThan(0);
    }
  });
});
