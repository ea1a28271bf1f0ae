import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { expectedFile } from "../../../../test/support/expected.js";
import { robotics } from "../../../index.js";

const { control } = robotics;
interface Program {
  readonly p: number[][];
  readonly q: number[];
  readonly a: number[][];
  readonly lower: number[];
  readonly upper: number[];
  readonly x: number[];
  readonly objective: number;
}
const { programs } = expectedFile<{ programs: Program[] }>("robotics_control.json");
const METHODS = ["admm", "active-set"] as const;
const ALL = ["admm", "active-set", "interior-point"] as const;

describe.each(METHODS)("quadratic programs by %s", (method) => {
  it.each(programs.map((program) => [program.q.length, program] as const))(
    "of %d unknowns are quadprog's",
    (_, program) => {
      const found = control.solveQp(program, { method });
      expect(found.status).toBe("solved");
      found.x.forEach((v, i) => {
        expect(v).toBeCloseTo(program.x[i], 7);
      });
      expect(found.objective).toBeCloseTo(program.objective, 7);
      expect(found.primalResidual).toBeLessThan(1e-6);
      expect(found.dualResidual).toBeLessThan(1e-6);
    },
  );

  it("has multipliers that say what a bound costs", () => {
    const solve = (upper: number) =>
      control.solveQp({ p: [[2]], q: [-6], a: [[1]], upper: [upper] }, { method });
    expect(solve(1).y[0]).toBeCloseTo(4, 8);
    expect(solve(5).y[0]).toBeCloseTo(0, 8);
    expect(solve(5).x[0]).toBeCloseTo(3, 8);
    const below = control.solveQp({ p: [[2]], q: [6], a: [[1]], lower: [-1] }, { method });
    expect(below.y[0]).toBeCloseTo(-4, 8);
  });

  it("proves that constraints contradict each other", () => {
    const a = [
      [1, 0],
      [0, 1],
      [1, 1],
    ];
    const found = control.solveQp(
      {
        p: [
          [1, 0],
          [0, 1],
        ],
        q: [0, 0],
        a,
        lower: [1, 1, -9],
        upper: [9, 9, 1.5],
      },
      { method },
    );
    expect(found.status).toBe("infeasible");
    const { y } = found;
    for (const j of [0, 1])
      expect(Math.abs(a.reduce((sum, row, i) => sum + row[j] * y[i], 0))).toBeLessThan(1e-6);
    const support = [1, 1, -9].reduce(
      (sum, low, i) => sum + (y[i] > 0 ? y[i] * [9, 9, 1.5][i] : y[i] * low),
      0,
    );
    expect(support).toBeLessThan(0);
    const equations = { p: [[1]], q: [0], a: [[1], [1]], lower: [0, 1], upper: [0, 1] };
    expect(control.solveQp(equations, { method }).status).toBe("infeasible");
  });

  it("takes equations that say the same twice", () => {
    const found = control.solveQp(
      {
        p: [
          [1, 0],
          [0, 1],
        ],
        q: [0, 0],
        a: [
          [1, 1],
          [2, 2],
          [1, 0],
        ],
        lower: [2, 4, -9],
        upper: [2, 4, 0.5],
      },
      { method },
    );
    expect(found.status).toBe("solved");
    expect(found.x[0]).toBeCloseTo(0.5, 6);
    expect(found.x[1]).toBeCloseTo(1.5, 6);
  });

  it("says what is wrong with a program", () => {
    expect(() => control.solveQp({ p: [[1]], q: [0], a: [[1]], lower: [2], upper: [1] }, { method })).toThrow(
      /bounds of row 0 are \[2, 1\]/,
    );
    expect(() => control.solveQp({ p: [[-1]], q: [0] }, { method })).toThrow(/positive semidefinite/);
    expect(() => control.solveQp({ p: [[1]], q: [0], a: [[1, 2]] }, { method })).toThrow(/wanted, got/);
  });
});

describe("quadratic programs", () => {
  it("come out the same from both methods", () => {
    const size = fc.record({
      n: fc.integer({ min: 1, max: 7 }),
      m: fc.integer({ min: 0, max: 10 }),
      seed: fc.integer({ min: 1, max: 1e6 }),
    });
    fc.assert(
      fc.property(size, ({ n, m, seed }) => {
        let state = seed;
        const draw = (): number => {
          state = (state * 48271) % 2147483647;
          return (state / 2147483647) * 2 - 1;
        };
        const rows = (k: number) => Array.from({ length: k }, () => Array.from({ length: n }, draw));
        const g = rows(n);
        const p = g.map((_, i) =>
          g.map((_, j) => g.reduce((sum, row) => sum + row[i] * row[j], i === j ? 0.1 : 0)),
        );
        const a = rows(m);
        const inside = Array.from({ length: n }, draw);
        const middle = a.map((row) => row.reduce((sum, v, j) => sum + v * inside[j], 0));
        const problem = {
          p,
          q: Array.from({ length: n }, () => 3 * draw()),
          a,
          lower: middle.map((v, i) => (i % 5 === 4 ? v : v - Math.abs(draw()))),
          upper: middle.map((v, i) => (i % 5 === 4 && i < n ? v : v + Math.abs(draw()))),
        };
        const [split, exact, inner] = ALL.map((method) => control.solveQp(problem, { method }));
        expect([split.status, exact.status, inner.status]).toEqual(["solved", "solved", "solved"]);
        expect(Math.abs(inner.objective - exact.objective)).toBeLessThan(
          1e-6 * (1 + Math.abs(exact.objective)),
        );
        expect(Math.abs(split.objective - exact.objective)).toBeLessThan(
          1e-6 * (1 + Math.abs(exact.objective)),
        );
        expect(Math.max(exact.primalResidual, exact.dualResidual)).toBeLessThan(1e-8);
      }),
      { numRuns: 60 },
    );
  });

  it("of a linear objective may fall without end", () => {
    const found = control.solveQp({
      p: [
        [0, 0],
        [0, 1],
      ],
      q: [-1, 0],
      a: [[0, 1]],
      lower: [-1],
      upper: [1],
    });
    expect(found.status).toBe("unbounded");
    expect(found.x[0]).toBeGreaterThan(0);
  });

  it("of a semidefinite objective are solved by admm: a linear program", () => {
    // max x + 2y, x + y ≤ 4, x + 3y ≤ 6, both from 0 on: (3, 1)
    const found = control.solveQp({
      p: [
        [0, 0],
        [0, 0],
      ],
      q: [-1, -2],
      a: [
        [1, 1],
        [1, 3],
        [1, 0],
        [0, 1],
      ],
      lower: [-99, -99, 0, 0],
      upper: [4, 6, 99, 99],
    });
    expect(found.status).toBe("solved");
    expect(found.x[0]).toBeCloseTo(3, 5);
    expect(found.x[1]).toBeCloseTo(1, 5);
    expect(() => control.activeSet({ p: [[0]], q: [1] })).toThrow(/positive definite/);
  });

  it("whose active constraints depend on each other come out exact", () => {
    // three lines through the optimum (1, 1) of a plane
    const problem = {
      p: [
        [1, 0],
        [0, 1],
      ],
      q: [-2, -2],
      a: [
        [1, 0],
        [0, 1],
        [1, 1],
      ],
      upper: [1, 1, 2],
    };
    for (const method of ALL) {
      const { status, x } = control.solveQp(problem, { method });
      expect(status).toBe("solved");
      expect(Math.hypot(x[0] - 1, x[1] - 1)).toBeLessThan(1e-7);
    }
    const none = control.solveQp(
      { p: [[1]], q: [0], a: [[1], [1]], lower: [1, -9], upper: [9, 0] },
      { method: "interior-point" },
    );
    expect(none.status).toBe("max-iterations");
  });

  it("start from the answer before: the second solve is shorter", () => {
    const { p, q, a, lower, upper, x } = programs[3];
    const solver = new control.AdmmSolver({ p, q, a, lower, upper });
    const cold = solver.solve();
    const warm = solver.update({ q: q.map((v) => v * 1.001) }).solve();
    expect(warm.status).toBe("solved");
    expect(warm.iterations).toBeLessThanOrEqual(cold.iterations);
    const known = new control.AdmmSolver({ p, q, a, lower, upper }).warmStart(x, cold.y).solve();
    expect(known.iterations).toBe(20);
  });

  it("report an answer that was not reached in time", () => {
    const { p, q, a, lower, upper } = programs[3];
    const found = control.solveQp({ p, q, a, lower, upper }, { maxIterations: 3, polish: false });
    expect(found.status).toBe("max-iterations");
    expect(found.iterations).toBe(3);
  });
});
