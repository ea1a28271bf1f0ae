import { describe, expect, it } from "vitest";
import { expectedFile } from "../../../test/support/expected.js";
import { robotics } from "../../index.js";

const { control } = robotics;
interface Case {
  readonly a: number[][];
  readonly b: number[][];
  readonly q: number[][];
  readonly r: number[][];
  readonly horizon: number;
  readonly x0: number[];
  readonly umax: number;
  readonly vmax: number;
  readonly inputs: number[][];
}
const { predictive } = expectedFile<{ predictive: Case[] }>("robotics_control.json");
const car = {
  a: [
    [1, 0.1],
    [0, 1],
  ],
  b: [[0.005], [0.1]],
  q: [
    [1, 0],
    [0, 0.1],
  ],
  r: [[0.1]],
};
const FORMS = ["sparse", "condensed"] as const;
const limits = (umax: number, vmax: number) => ({
  inputBounds: { lower: -umax, upper: umax },
  stateBounds: { lower: [Number.NEGATIVE_INFINITY, -vmax], upper: [Number.POSITIVE_INFINITY, vmax] },
});

describe.each(FORMS)("predictive control, %s", (formulation) => {
  it.each(predictive.map((each) => [each.horizon, each] as const))(
    "over %d steps is quadprog's",
    (_, each) => {
      const { a, b, q, r, horizon, x0, umax, vmax } = each;
      const plan = new control.Mpc({ a, b, q, r, horizon, formulation, ...limits(umax, vmax) }).plan(x0);
      expect(plan.status).toBe("solved");
      plan.inputs.forEach((u, k) => {
        expect(u[0]).toBeCloseTo(each.inputs[k][0], 6);
      });
      expect(Math.max(...plan.states.slice(1).map((x) => Math.abs(x[1])))).toBeLessThan(vmax + 1e-5);
    },
  );

  it("without active bounds is the regulator, and costs half of xᵀPx", () => {
    const { gain, cost } = control.dlqr(car);
    const plan = new control.Mpc({ ...car, horizon: 10, formulation }).plan([0.4, -0.2]);
    expect(plan.input?.[0]).toBeCloseTo(-(gain[0][0] * 0.4 - gain[0][1] * 0.2), 7);
    // the cost of the plan leaves out that of the present state, which no input changes
    const whole = cost[0][0] * 0.16 - 2 * cost[0][1] * 0.08 + cost[1][1] * 0.04;
    expect(2 * plan.cost).toBeCloseTo(whole - (0.16 + 0.1 * 0.04), 7);
  });

  it("reports what contradicts what when no plan exists, and goes on after", () => {
    const mpc = new control.Mpc({ ...car, horizon: 5, formulation, ...limits(1, 1) });
    const lost = mpc.plan([0, 3]); // brakes by 0.1 m/s a step: 2.9 m/s is too fast
    expect(lost.status).toBe("infeasible");
    expect(lost.input).toBeNull();
    expect(lost.conflict.join()).toContain("state 1 ≤ 1 at step");
    expect(lost.conflict.join()).toContain("input 0 ≥ -1 at step 0");
    expect(mpc.plan([0, 0.5]).status).toBe("solved");
  });

  it("breaks soft bounds where it must and nowhere else", () => {
    const soft = { linear: 1e3, quadratic: 1 };
    const mpc = new control.Mpc({ ...car, horizon: 8, formulation, soft, ...limits(1, 1) });
    const lost = mpc.plan([0, 1.35]);
    expect(lost.status).toBe("solved");
    expect(lost.violation).toBeCloseTo(0.25, 4); // full braking from the first step on
    expect(lost.inputs.slice(0, 3).map(([u]) => Math.round(u * 1e4) / 1e4)).toEqual([-1, -1, -1]);
    const free = mpc.plan([3, 0]);
    const hard = new control.Mpc({ ...car, horizon: 8, formulation, ...limits(1, 1) }).plan([3, 0]);
    expect(free.violation).toBeLessThan(1e-5);
    free.inputs.forEach(([u], k) => {
      expect(u).toBeCloseTo(hard.inputs[k][0], 4);
    });
  });

  it("limits how fast inputs change, from the last input on", () => {
    const mpc = new control.Mpc({
      ...car,
      horizon: 12,
      formulation,
      rateBounds: { lower: -0.2, upper: 0.2 },
    });
    const plan = mpc.plan([2, 0], {}, [0.1]);
    const all = [0.1, ...plan.inputs.map(([u]) => u)];
    const changes = all.slice(1).map((u, k) => u - all[k]);
    expect(Math.max(...changes.map(Math.abs))).toBeCloseTo(0.2, 5);
    expect(changes[0]).toBeCloseTo(-0.2, 5);
    const next = mpc.plan(plan.states[1]);
    expect(Math.abs((next.input?.[0] as number) - all[1])).toBeLessThan(0.2 + 1e-5);
  });

  it("follows a reference, the same for all steps or one per step", () => {
    const mpc = new control.Mpc({ ...car, horizon: 25, formulation, ...limits(1, 1) });
    let x = [0, 0];
    for (let k = 0; k < 120; k++) x = mpc.plan(x, { state: [1, 0] }).states[1];
    expect(x[0]).toBeCloseTo(1, 3);
    const ramp = Array.from({ length: 25 }, (_, k) => [1 + 0.05 * (k + 1), 0.5]);
    const plan = mpc.plan([1, 0.5], { state: ramp });
    plan.inputs.forEach(([u]) => {
      expect(u).toBeCloseTo(0, 4); // on the ramp already
    });
    expect(() => mpc.plan([0, 0], { state: ramp.slice(1) })).toThrow(/one per step, 25, wanted, got 24/);
  });
});

describe("predictive control", () => {
  it("starts from the plan before", () => {
    const mpc = new control.Mpc({ ...car, horizon: 30, ...limits(1, 1) });
    const cold = mpc.plan([4, 0]);
    const warm = mpc.plan(cold.states[1]);
    expect(warm.iterations).toBeLessThanOrEqual(cold.iterations);
    const fresh = new control.Mpc({ ...car, horizon: 30, ...limits(1, 1) }).plan(cold.states[1]);
    warm.inputs.forEach(([u], k) => {
      expect(u).toBeCloseTo(fresh.inputs[k][0], 6);
    });
  });

  it("keeps a cart-pole upright within the force that it has", () => {
    const system = control.cartPole();
    const { a, b } = system.linearize([0, 0, 0, 0], [0]);
    const q = [1, 10, 0.1, 0.1].map((v, i, all) => all.map((_, j) => (i === j ? v : 0)));
    const mpc = new control.Mpc({
      ...control.discretize(a, b, 0.05),
      q,
      r: [[0.01]],
      horizon: 20,
      inputBounds: { lower: -5, upper: 5 },
    });
    const { states, inputs } = control.simulate(
      system,
      [0.5, 0.2, 0, 0],
      (x) => mpc.plan(x).input as number[],
      { dt: 0.05, steps: 100 },
    );
    expect(Math.max(...inputs.map(([u]) => Math.abs(u)))).toBeLessThanOrEqual(5 + 1e-5);
    expect(Math.hypot(...states[100])).toBeLessThan(0.05);
  });

  it("shows its plan as curves", () => {
    const plan = new control.Mpc({ ...car, horizon: 5 }).plan([1, 0]);
    const bundle = (plan as never as Record<symbol, () => Record<string, string>>)[
      Symbol.for("Jupyter.display")
    ]();
    expect(bundle["image/svg+xml"]).toMatch(/^<svg .*<polyline.*<\/svg>$/s);
    expect(bundle["text/plain"]).toContain("5 steps");
  });

  it("names wrong options", () => {
    expect(() => new control.Mpc({ ...car, horizon: 0 })).toThrow(/horizon of at least one step/);
    expect(() => new control.Mpc({ ...car, horizon: 3, inputBounds: { lower: [1, 2] } })).toThrow(
      "Mpc: inputBounds.lower: 1 numbers wanted, got 2",
    );
    expect(() => new control.Mpc({ ...car, horizon: 3, soft: { linear: -1 } })).toThrow(/at least 0/);
    expect(() => new control.Mpc({ ...car, horizon: 3, formulation: "dense" as never })).toThrow(
      /"sparse" or "condensed"/,
    );
  });
});
