import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { robotics, type Tensor, tensor } from "../../index.js";
import { boxStep } from "./box-step.js";
import { matrix } from "./dense.js";

const { control } = robotics;
const weighted = (weights: readonly number[]) => {
  const w = tensor([...weights], { dtype: "float64" });
  return (x: Tensor): Tensor => x.square().mul(w).sum();
};

describe("iterative LQR", () => {
  it("of a linear system is the finite-horizon regulator, after one step", () => {
    const system = control.doubleIntegrator();
    const [dt, steps] = [0.1, 20];
    const result = control.ilqr(system, [1, -0.4], {
      dt,
      cost: (x, u) => weighted([1, 0.1])(x).add(u.square().sum().mul(0.2)),
      finalCost: weighted([5, 2]),
      inputs: Array.from({ length: steps }, () => [0]),
    });
    const wanted = control.finiteHorizonLqr(
      {
        ...control.discretize(
          [
            [0, 1],
            [0, 0],
          ],
          [[0], [1]],
          dt,
        ),
        q: [
          [1, 0],
          [0, 0.1],
        ],
        r: [[0.2]],
      },
      steps,
      [
        [5, 0],
        [0, 2],
      ],
    );
    expect(result.status).toBe("converged");
    expect(result.history.length).toBeLessThanOrEqual(3);
    const P = wanted.costs[0];
    expect(result.cost).toBeCloseTo(P[0][0] - 2 * 0.4 * P[0][1] + 0.16 * P[1][1], 8);
    result.gains.forEach((gain, k) => {
      gain[0].forEach((v, j) => {
        expect(v).toBeCloseTo(-wanted.gains[k][0][j], 7);
      });
    });
  });

  it("swings a pendulum up within its torque, which is too small to lift it", () => {
    const system = control.pendulum();
    const result = control.ilqr(system, [Math.PI, 0], {
      dt: 0.05,
      cost: (_, u) => u.square().sum().mul(0.005),
      finalCost: weighted([100, 10]),
      inputs: Array.from({ length: 80 }, (_, k) => [Math.sin(k / 8)]),
      limits: { lower: [-5], upper: [5] }, // lifting takes m·g·l = 9.81 N·m
      maxIterations: 300,
    });
    expect(Math.max(...result.inputs.flat().map(Math.abs))).toBeLessThanOrEqual(5);
    const [theta, omega] = result.states[80];
    expect(Math.abs(control.wrapAngle(theta))).toBeLessThan(0.05);
    expect(Math.abs(omega)).toBeLessThan(0.2);
    for (let i = 1; i < result.history.length; i++)
      expect(result.history[i]).toBeLessThan(result.history[i - 1]);
    // it is a local optimum: no single input that moves makes it cheaper
    const cost = (inputs: number[][]): number => {
      const { states } = control.simulate(system, [Math.PI, 0], (_, k) => inputs[k], { dt: 0.05, steps: 80 });
      return (
        inputs.reduce((sum, [u]) => sum + 0.005 * u * u, 0) +
        100 * states[80][0] ** 2 +
        10 * states[80][1] ** 2
      );
    };
    expect(cost(result.inputs)).toBeCloseTo(result.cost, 8);
    for (const k of [0, 13, 40, 66])
      for (const change of [-0.02, 0.02])
        expect(
          cost(result.inputs.map(([u], i) => [i === k ? Math.max(-5, Math.min(5, u + change)) : u])),
        ).toBeGreaterThan(result.cost - 1e-6);
  });

  it("parks a car, and its law keeps a disturbed one on the way", () => {
    const system = control.unicycle();
    const result = control.ilqr(system, [0, 1, 0], {
      dt: 0.1,
      cost: (_, u) => weighted([0.05, 0.05])(u),
      finalCost: weighted([50, 50, 20]),
      inputs: Array.from({ length: 30 }, () => [0.2, -0.1]),
    });
    const last = result.states[30];
    expect(Math.hypot(...last)).toBeLessThan(0.1);
    const start = [0.05, 1.1, 0.1];
    const drive = (law: (x: number[], k: number) => number[]) =>
      control.simulate(system, start, law, { dt: 0.1, steps: 30 }).states[30];
    const open = drive((_, k) => result.inputs[k]);
    const closed = drive((x, k) =>
      result.inputs[k].map(
        (u, i) => u + result.gains[k][i].reduce((sum, g, j) => sum + g * (x[j] - result.states[k][j]), 0),
      ),
    );
    expect(Math.hypot(...closed.map((v, i) => v - last[i]))).toBeLessThan(
      0.5 * Math.hypot(...open.map((v, i) => v - last[i])),
    );
  });

  it("names what it can't take", () => {
    const options = {
      dt: 0.1,
      cost: (x: Tensor) => x.square().sum(),
      finalCost: (x: Tensor) => x.square().sum(),
      inputs: [[0]],
    };
    const system = control.pendulum();
    expect(() => control.ilqr(system, [0, 0], { ...options, inputs: [] })).toThrow(/at least one input/);
    expect(() => control.ilqr(system, [0, 0], { ...options, cost: (x) => x.square() })).toThrow(
      /the cost of a step is a scalar, got \(2\)/,
    );
    expect(() => control.ilqr(system, [0], options)).toThrow("ilqr: the start: 2 numbers wanted, got 1");
  });
});

describe("steps in a box", () => {
  it("are the optimum of the quadratic program", () => {
    const number = fc.double({ min: -2, max: 2, noNaN: true });
    fc.assert(
      fc.property(
        fc.array(fc.tuple(number, number, number), { minLength: 3, maxLength: 3 }),
        fc.tuple(number, number, number),
        (g, slope) => {
          const H = g.map((_, i) =>
            g.map((_, j) => g.reduce((sum, row) => sum + row[i] * row[j], i === j ? 0.5 : 0)),
          );
          const limits = { lower: Float64Array.of(-0.5, -1, 0), upper: Float64Array.of(0.5, 0.2, 0.4) };
          const found = boxStep(
            matrix(3, 3, Float64Array.from(H.flat())),
            Float64Array.from(slope),
            matrix(3, 1),
            limits,
          );
          const wanted = control.solveQp(
            {
              p: H,
              q: slope,
              a: [
                [1, 0, 0],
                [0, 1, 0],
                [0, 0, 1],
              ],
              lower: limits.lower,
              upper: limits.upper,
            },
            { method: "active-set" },
          );
          found?.step.forEach((v, i) => {
            expect(v).toBeCloseTo(wanted.x[i], 6);
          });
          expect(found).not.toBeNull();
        },
      ),
    );
    expect(boxStep(matrix(1, 1, Float64Array.of(-1)), Float64Array.of(1), matrix(1, 1))).toBeNull();
  });
});

describe("safety filters", () => {
  const disc = (x: Tensor): Tensor => x.slice([0, 2]).square().sum().sub(1); // outside of the unit disc

  it("leave a safe input alone, and change an unsafe one to the nearest safe (closed form)", () => {
    const single = new control.System({
      name: "point",
      states: ["x", "y"],
      inputs: ["vx", "vy"],
      derivative: (_, u) => u,
    });
    const filter = new control.SafetyFilter(single, { barriers: [disc], rate: 2 });
    fc.assert(
      fc.property(
        fc.double({ min: 1.01, max: 3, noNaN: true }),
        fc.double({ min: -3, max: 3, noNaN: true }),
        fc.tuple(fc.double({ min: -3, max: 3, noNaN: true }), fc.double({ min: -3, max: 3, noNaN: true })),
        (r, angle, wanted) => {
          const x = [r * Math.cos(angle), r * Math.sin(angle)];
          const found = filter.filter(x, wanted);
          // project on 2·xᵀu ≥ −2·(r² − 1)
          const a = x.map((v) => 2 * v);
          const lack = Math.max(0, -2 * (r * r - 1) - a[0] * wanted[0] - a[1] * wanted[1]);
          const scale = lack / (a[0] ** 2 + a[1] ** 2);
          found.input.forEach((v, i) => {
            expect(v).toBeCloseTo(wanted[i] + scale * a[i], 8);
          });
          if (lack > 1e-6) expect(found.active).toEqual([0]);
          expect(found.barriers[0]).toBeCloseTo(r * r - 1, 9);
        },
      ),
    );
  });

  it("keep a reckless driver out of an obstacle that it drives straight into", () => {
    const system = control.unicycle();
    // a point ahead of the wheels: there both inputs act
    const ahead = (x: Tensor): Tensor => {
      const theta = x.slice(2);
      const dx = x.slice(0).add(theta.cos().mul(0.1));
      const dy = x.slice(1).add(theta.sin().mul(0.1)).sub(0.05);
      return dx
        .square()
        .add(dy.square())
        .sub(1.1 ** 2);
    };
    const filter = new control.SafetyFilter(system, {
      barriers: [ahead],
      rate: 2,
      limits: { lower: [-1, -3], upper: [1, 3] },
    });
    const clearance = (law: (x: number[]) => number[]): number => {
      const { states } = control.simulate(system, [-3, 0, 0], law, { dt: 0.02, steps: 180 });
      return Math.min(...states.map(([x, y]) => Math.hypot(x, y - 0.05)));
    };
    expect(clearance(() => [1, 0])).toBeLessThan(0.2);
    expect(clearance((x) => filter.filter(x, [1, 0]).input)).toBeGreaterThan(0.98);
  });

  it("brake a pushed mass before a wall, by a barrier on its speed too", () => {
    const system = control.doubleIntegrator();
    const wall = control.higherBarrier(system, (x) => x.slice(0).neg().add(2), 2);
    const filter = new control.SafetyFilter(system, { barriers: [wall], rate: 2 });
    const { states } = control.simulate(system, [0, 0], (x) => filter.filter(x, [1]).input, {
      dt: 0.02,
      steps: 250,
    });
    expect(Math.max(...states.map(([p]) => p))).toBeLessThanOrEqual(2 + 1e-3);
    expect(states[250][0]).toBeGreaterThan(1.9);
  });

  it("say when limits and barriers contradict each other, and do the least harm", () => {
    const single = new control.System({
      name: "line",
      states: ["x"],
      inputs: ["v"],
      derivative: (_, u) => u,
    });
    const filter = new control.SafetyFilter(single, {
      barriers: [(x) => x.slice(0)],
      rate: 1,
      limits: { lower: [-1], upper: [1] },
    });
    const found = filter.filter([-3], [-0.5]); // wants v ≥ 3
    expect(found.infeasible).toBe(true);
    expect(found.input[0]).toBeCloseTo(1, 5);
    expect(filter.filter([1], [-0.5]).infeasible).toBe(false);
  });

  it("refuse what they can't guard", () => {
    expect(() => new control.SafetyFilter(control.bicycle(), { barriers: [disc] })).toThrow(
      /bicycle is not affine in its inputs: the rate of θ/,
    );
    expect(() => new control.SafetyFilter(control.unicycle(), { barriers: [] })).toThrow(
      /at least one barrier/,
    );
    expect(() =>
      new control.SafetyFilter(control.unicycle(), { barriers: [(x) => x] }).filter([0, 0, 0], [0, 0]),
    ).toThrow(/barrier 0 gave float64.*a scalar was wanted/);
  });
});
