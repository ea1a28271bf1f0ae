import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { expectedFile } from "../../../test/support/expected.js";
import { robotics } from "../../index.js";

const { control } = robotics;
type M = number[][];

interface Expected {
  readonly riccati: Record<"a" | "b" | "q" | "r" | "s" | "dare" | "dareCross" | "care" | "careCross", M>[];
  readonly lyapunov: Record<"stable" | "hurwitz" | "q" | "discrete" | "continuous", M>[];
  readonly holds: (Record<"a" | "b" | "ad" | "bd", M> & { readonly dt: number })[];
}
const { riccati, lyapunov, holds } = expectedFile<Expected>("robotics_control.json");

function expectNear(found: M, wanted: M, tolerance = 1e-9): void {
  const scale = Math.max(1, ...wanted.flat().map(Math.abs));
  found.forEach((row, i) => {
    row.forEach((v, j) => {
      expect(Math.abs(v - wanted[i][j]) / scale, `(${i}, ${j}): ${v} for ${wanted[i][j]}`).toBeLessThan(
        tolerance,
      );
    });
  });
  expect(found.length).toBe(wanted.length);
}

describe("matrix equations", () => {
  it.each(riccati.map((each) => [each.a.length, each] as const))(
    "Riccati's of size %d are SciPy's",
    (_, each) => {
      const { a, b, q, r, s } = each;
      expectNear(control.dare({ a, b, q, r }), each.dare);
      expectNear(control.dare({ a, b, q, r, n: s }), each.dareCross);
      expectNear(control.care({ a, b, q, r }), each.care);
      expectNear(control.care({ a, b, q, r, n: s }), each.careCross);
    },
  );

  it.each(lyapunov.map((each) => [each.q.length, each] as const))(
    "Lyapunov's of size %d are SciPy's",
    (_, each) => {
      expectNear(control.discreteLyapunov(each.stable, each.q), each.discrete);
      expectNear(control.continuousLyapunov(each.hurwitz, each.q), each.continuous);
    },
  );

  it("gives an unstable system no sum", () => {
    expect(() => control.discreteLyapunov([[1.01]], [[1]])).toThrow(/not stable/);
    expect(() => control.continuousLyapunov([[0.01]], [[1]])).toThrow(/not stable/);
    expect(() =>
      control.continuousLyapunov(
        [
          [0, 1],
          [-1, 0],
        ],
        [
          [1, 0],
          [0, 1],
        ],
      ),
    ).toThrow(/not stable/);
  });

  it("finds no law for what an input does not reach", () => {
    const problem = {
      a: [
        [2, 0],
        [0, 0.5],
      ],
      b: [[0], [1]],
      q: [
        [1, 0],
        [0, 1],
      ],
      r: [[1]],
    };
    expect(() => control.dlqr(problem)).toThrow(/stabilizable/);
    expect(() => control.lqr(problem)).toThrow(/stabilizable/);
  });

  it("names what is wrong with a problem", () => {
    const good = { a: [[1]], b: [[1]], q: [[1]], r: [[1]] };
    expect(() => control.dlqr({ ...good, r: [[0]] })).toThrow("dlqr: R: a positive definite matrix wanted");
    expect(() => control.dlqr({ ...good, q: [[-1]] })).toThrow(
      "dlqr: Q: a positive semidefinite matrix wanted",
    );
    expect(() => control.lqr({ ...good, b: [[1], [2]] })).toThrow("lqr: B: (1, …) wanted, got (2, 1)");
    expect(() => control.lqr({ ...good, a: [[1, 2]] })).toThrow("lqr: A: a square matrix wanted, got (1, 2)");
    expect(() => control.dare({ ...good, a: [[Number.NaN]] })).toThrow("element (0, 0) is NaN");
    expect(() =>
      control.dare({
        a: [
          [1, 0],
          [0, 1],
        ],
        b: [[1], [1]],
        q: [
          [1, 2],
          [0, 1],
        ],
        r: [[1]],
      }),
    ).toThrow(/symmetric matrix wanted/);
  });

  it.each(holds)("samples as SciPy's zero-order hold", ({ a, b, dt, ad, bd }) => {
    const found = control.discretize(a, b, dt);
    expectNear(found.a, ad, 1e-12);
    expectNear(found.b, bd, 1e-12);
  });
});

describe("regulators", () => {
  const problem = {
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

  it("costs what it says: the sum along the closed loop is xᵀPx", () => {
    const { gain, cost } = control.dlqr(problem);
    let x = [1, -0.5];
    const wanted = x[0] * (cost[0][0] * x[0] + 2 * cost[0][1] * x[1]) + cost[1][1] * x[1] * x[1];
    let sum = 0;
    for (let k = 0; k < 2000; k++) {
      const u = -(gain[0][0] * x[0] + gain[0][1] * x[1]);
      sum += x[0] ** 2 + 0.1 * x[1] ** 2 + 0.1 * u * u;
      x = [x[0] + 0.1 * x[1] + 0.005 * u, x[1] + 0.1 * u];
    }
    expect(sum).toBeCloseTo(wanted, 10);
  });

  it("of the double integrator is the textbook's: K = [1, √3] for unit weights", () => {
    const { gain } = control.lqr({
      a: [
        [0, 1],
        [0, 0],
      ],
      b: [[0], [1]],
      q: [
        [1, 0],
        [0, 1],
      ],
      r: [[1]],
    });
    expectNear(gain, [[1, Math.sqrt(3)]], 1e-12);
  });

  it("of a long horizon is the endless one's", () => {
    const { gains, costs } = control.finiteHorizonLqr(problem, 300);
    const { gain, cost } = control.dlqr(problem);
    expectNear(gains[0], gain, 1e-9);
    expectNear(costs[0], cost, 1e-9);
    expect(costs).toHaveLength(301);
    expectNear(control.finiteHorizonLqr(problem, 3, cost).gains[2], gain, 1e-9);
  });

  it("of a horizon is the best of all input sequences (dense least squares)", () => {
    // scalar: minimize Σ over u of a quadratic; its optimum by two Newton steps on finite differences is exact
    const [a, b, q, r] = [1.2, 0.7, 2, 0.5];
    const cost = (us: readonly number[]): number => {
      let [x, sum] = [1.5, 0];
      for (const u of us) {
        sum += q * x * x + r * u * u;
        x = a * x + b * u;
      }
      return sum + 3 * x * x;
    };
    const { gains, costs } = control.finiteHorizonLqr({ a: [[a]], b: [[b]], q: [[q]], r: [[r]] }, 4, [[3]]);
    let x = 1.5;
    const us = gains.map(([[k]]) => {
      const u = -k * x;
      x = a * x + b * u;
      return u;
    });
    expect(cost(us)).toBeCloseTo(costs[0][0][0] * 1.5 ** 2, 10);
    for (let i = 0; i < 4; i++)
      for (const change of [-1e-3, 1e-3])
        expect(cost(us.map((u, j) => (j === i ? u + change : u)))).toBeGreaterThan(cost(us));
  });

  it("brings a disturbed robot back to its trajectory", () => {
    const system = control.unicycle();
    const dt = 0.05;
    const drive = control.simulate(system, [0, 0, 0], (_, k) => [1, 0.5 * Math.sin(k * dt)], {
      dt,
      steps: 120,
    });
    const linear = system.linearizations(drive.states, drive.inputs, dt);
    const law = new control.TrackingLqr({
      ...drive,
      a: linear.map((each) => each.a),
      b: linear.map((each) => each.b),
      q: [
        [10, 0, 0],
        [0, 10, 0],
        [0, 0, 1],
      ],
      r: [
        [1, 0],
        [0, 1],
      ],
    });
    const off = (states: M): number => Math.hypot(...states[120].map((v, i) => v - drive.states[120][i]));
    const start = [-0.3, 0.4, 0.3];
    const open = control.simulate(system, start, (_, k) => drive.inputs[k], { dt, steps: 120 });
    const closed = control.simulate(system, start, (x, k) => law.control(k, x), { dt, steps: 120 });
    expect(off(open.states)).toBeGreaterThan(0.5);
    expect(off(closed.states)).toBeLessThan(0.01);
    expect(() => new control.TrackingLqr({ ...drive, a: [], b: [], q: [[1]], r: [[1]] })).toThrow(
      /120 inputs want 121 states/,
    );
  });
});

describe("systems", () => {
  const all = [
    control.doubleIntegrator(),
    control.unicycle(),
    control.bicycle(),
    control.pendulum({ damping: 0.2 }),
    control.cartPole(),
    control.quadrotor2d(),
  ];

  it.each(all.map((system) => [system.name, system] as const))(
    "%s: tensors, numbers and differences agree",
    (_, system) => {
      const [n, m] = [system.states.length, system.inputs.length];
      const numbers = (size: number) =>
        fc.array(fc.double({ min: -1.2, max: 1.2, noNaN: true }), { minLength: size, maxLength: size });
      fc.assert(
        fc.property(numbers(n), numbers(m), (x, u) => {
          const { a, b, value } = system.linearize(x, u);
          const fast = system.rate(x, u);
          value.forEach((v, i) => {
            expect(v).toBeCloseTo(fast[i], 10);
          });
          const h = 1e-5;
          const slope = (xs: (s: number) => number[], us: (s: number) => number[]): number[] => {
            const [up, down] = [system.rate(xs(h), us(h)), system.rate(xs(-h), us(-h))];
            return up.map((v, i) => (v - down[i]) / (2 * h));
          };
          for (let j = 0; j < n; j++)
            slope(
              (s) => x.map((v, i) => (i === j ? v + s : v)),
              () => u,
            ).forEach((v, i) => {
              expect(Math.abs(a[i][j] - v)).toBeLessThan(1e-6 * (1 + Math.abs(v)));
            });
          for (let j = 0; j < m; j++)
            slope(
              () => x,
              (s) => u.map((v, i) => (i === j ? v + s : v)),
            ).forEach((v, i) => {
              expect(Math.abs(b[i][j] - v)).toBeLessThan(1e-6 * (1 + Math.abs(v)));
            });
        }),
        { numRuns: 8 },
      );
    },
  );

  it("linearize as the textbooks write them down", () => {
    const g = 9.81;
    expectNear(
      control.unicycle().linearize([0, 0, 0.3], [2, 0]).a,
      [
        [0, 0, -2 * Math.sin(0.3)],
        [0, 0, 2 * Math.cos(0.3)],
        [0, 0, 0],
      ],
      1e-12,
    );
    expectNear(
      control.bicycle({ wheelbase: 2 }).linearize([0, 0, 0, 3], [0, 0]).b,
      [
        [0, 0],
        [0, 0],
        [0, 1.5],
        [1, 0],
      ],
      1e-12,
    );
    const upright = control.pendulum({ mass: 2, length: 0.5, damping: 0.3 }).linearize([0, 0], [0]);
    expectNear(
      upright.a,
      [
        [0, 1],
        [g / 0.5, -0.3 / 0.5],
      ],
      1e-12,
    );
    expectNear(upright.b, [[0], [2]], 1e-12);
    const [M, m, l] = [1, 0.1, 0.5];
    const cart = control.cartPole({ cart: M, pole: m, length: l }).linearize([0, 0, 0, 0], [0]);
    expectNear(
      cart.a,
      [
        [0, 0, 1, 0],
        [0, 0, 0, 1],
        [0, (-m * g) / M, 0, 0],
        [0, ((M + m) * g) / (M * l), 0, 0],
      ],
      1e-12,
    );
    expectNear(cart.b, [[0], [0], [1 / M], [-1 / (M * l)]], 1e-12);
    const hover = control
      .quadrotor2d({ mass: 0.5, inertia: 0.01, arm: 0.2 })
      .linearize([0, 0, 0, 0, 0, 0], [2.4525, 2.4525]);
    expectNear(
      hover.a,
      [
        [0, 0, 0, 1, 0, 0],
        [0, 0, 0, 0, 1, 0],
        [0, 0, 0, 0, 0, 1],
        [0, 0, -g, 0, 0, 0],
        [0, 0, 0, 0, 0, 0],
        [0, 0, 0, 0, 0, 0],
      ],
      1e-12,
    );
    expectNear(
      hover.b,
      [
        [0, 0],
        [0, 0],
        [0, 0],
        [0, 0],
        [2, 2],
        [20, -20],
      ],
      1e-12,
    );
  });

  it("keep a free pendulum's energy, to the order of the method", () => {
    const system = control.pendulum();
    const energy = ([theta, omega]: number[]): number => omega ** 2 / 2 + 9.81 * Math.cos(theta);
    const drift = (dt: number): number => {
      const { states } = control.simulate(system, [2, 0], () => [0], { dt, steps: Math.round(2 / dt) });
      return Math.abs(energy(states[states.length - 1]) - energy(states[0]));
    };
    expect(drift(0.01)).toBeLessThan(1e-6);
    expect(drift(0.02) / drift(0.01)).toBeGreaterThan(10); // order 4 gives 16 or more
  });

  it("report a wrong definition", () => {
    expect(
      () =>
        new control.System({
          name: "odd",
          states: ["a", "b"],
          inputs: ["u"],
          derivative: (x) => x.slice([0, 1]),
        }),
    ).toThrow("odd: 2 states want a derivative (2,), got (1)");
    expect(() => control.cartPole({ pole: 0 })).toThrow("cartPole: pole must be above 0, got 0");
    expect(() => control.simulate(control.pendulum(), [0, 0], () => [1, 2], { dt: 0.1, steps: 1 })).toThrow(
      /takes 1 input/,
    );
  });
});
