/** The solver against SciPy's least_squares, its parts against dense algebra and finite differences. */
import fc from "fast-check";
import { expect, test } from "vitest";
import { expectedFile } from "../../../test/support/expected.js";
import { stack, type Tensor } from "../../index.js";
import { snavelyReprojection } from "../perceive/bundle/snavely.js";
import { between2 } from "../perceive/pose-graph/factors.js";
import * as s from "./index.js";

interface Expected {
  readonly decay: {
    t: number[];
    y: number[];
    fits: Record<string, { x: number[]; cost: number }>;
    covariance: number[];
  };
  readonly bundle: {
    cameras: number[];
    points: number[];
    seen: [number, number][];
    pixels: number[];
    initialCost: number;
    cost: number;
    x: number[];
    cameraCovariance: number[];
  };
  readonly poses: {
    start: number[];
    edges: [number, number][];
    measured: number[];
    sigma: number[];
    cost: number;
    x: number[];
    covariance: number[];
  };
}
const expected = expectedFile<Expected>("robotics/least_squares.json");
const TIGHT = { costTolerance: 1e-15, stepTolerance: 1e-13, gradientTolerance: 1e-11, maxIterations: 500 };

function worst(found: ArrayLike<number>, wanted: ArrayLike<number>): number {
  expect(found.length).toBe(wanted.length);
  return Math.max(...Array.from(found, (x, i) => Math.abs(x - wanted[i]) / (1 + Math.abs(wanted[i]))));
}

const decayKind = s.autodiffResidual(
  { name: "decay", size: 1, parameters: [3], data: 2 },
  (p: Tensor, d: Tensor) =>
    p
      .at(0)
      .mul(p.at(1).mul(d.at(0)).neg().exp())
      .add(p.at(2))
      .sub(d.at(1)),
);

function decayProblem(loss: s.RobustLoss | null): { problem: s.Problem; p: s.ParameterGroup } {
  const { t, y } = expected.decay;
  const problem = new s.Problem();
  const p = problem.addParameters("p", [1, 1, 0], { size: 3 });
  const data = t.flatMap((time, i) => [time, y[i]]);
  problem.addResiduals(decayKind, [[p, new Int32Array(t.length)]], data, { loss });
  return { problem, p };
}

test("curve fits under several losses, and their covariance, are SciPy's", async () => {
  const losses = { linear: null, huber: s.huber(0.1), cauchy: s.cauchy(0.1) };
  for (const [name, loss] of Object.entries(losses)) {
    const { problem, p } = decayProblem(loss);
    const summary = await s.minimize(problem, TIGHT);
    const wanted = expected.decay.fits[name];
    expect(summary.converged, name).toBe(true);
    expect(worst([summary.cost], [wanted.cost]), name).toBeLessThan(1e-10);
    expect(worst(p.values, wanted.x), name).toBeLessThan(1e-6);
    if (!loss) expect(worst(s.covariance(problem, [[p, 0]]), expected.decay.covariance)).toBeLessThan(1e-6);
  }
});

test("Tukey's biweight leaves outliers out altogether", async () => {
  const { problem, p } = decayProblem(s.cauchy(0.1));
  await s.minimize(problem, TIGHT);
  const robust = new s.Problem();
  const q = robust.addParameters("p", p.values, { size: 3 });
  const { t, y } = expected.decay;
  const inliers = t.map((_, i) => i).filter((i) => ![5, 17, 30].includes(i));
  const rows = (which: number[]): number[] => which.flatMap((i) => [t[i], y[i]]);
  robust.addResiduals(decayKind, [[q, new Int32Array(t.length)]], rows(t.map((_, i) => i)), {
    loss: s.tukey(0.6),
  });
  await s.minimize(robust, TIGHT);
  const without = new s.Problem();
  const r = without.addParameters("p", p.values, { size: 3 });
  without.addResiduals(decayKind, [[r, new Int32Array(inliers.length)]], rows(inliers), {
    loss: s.tukey(0.6),
  });
  await s.minimize(without, TIGHT);
  expect(worst(q.values, r.values)).toBeLessThan(1e-6);
});

/** Snavely's camera over tensors, without its derivatives. */
const tensorCamera = s.autodiffResidual(
  { name: "camera", size: 2, parameters: [9, 3], data: 2 },
  (camera: Tensor, point: Tensor, seen: Tensor) => {
    const w = camera.slice("0:3");
    const angle = w.square().sum().sqrt();
    const axis = w.div(angle);
    const across = cross(axis, point);
    const along = axis.mul(axis.mul(point).sum());
    const turned = point
      .mul(angle.cos())
      .add(across.mul(angle.sin()))
      .add(along.mul(angle.cos().neg().add(1)));
    const p = turned.add(camera.slice("3:6"));
    const u = p.slice("0:2").div(p.at(2)).neg();
    const n = u.square().sum();
    const d = n
      .mul(camera.at(7))
      .add(n.square().mul(camera.at(8)))
      .add(1);
    return u.mul(d).mul(camera.at(6)).sub(seen);
  },
);

function cross(a: Tensor, b: Tensor): Tensor {
  const part = (i: number, j: number): Tensor =>
    a
      .at(i)
      .mul(b.at(j))
      .sub(a.at(j).mul(b.at(i)));
  return stack([part(1, 2), part(2, 0), part(0, 1)]);
}

function bundleProblem(kind: s.ResidualKind): {
  problem: s.Problem;
  cameras: s.ParameterGroup;
  points: s.ParameterGroup;
} {
  const { cameras: c, points: p, seen, pixels } = expected.bundle;
  const problem = new s.Problem();
  const cameras = problem.addParameters("cameras", c, { size: 9, constant: [0, 1] });
  const points = problem.addParameters("points", p, { size: 3 });
  problem.addResiduals(
    kind,
    [
      [cameras, seen.map(([i]) => i)],
      [points, seen.map(([, j]) => j)],
    ],
    pixels,
  );
  return { problem, cameras, points };
}

test.each([
  ["by hand, sparse Cholesky", snavelyReprojection, false],
  ["by hand, Schur complement", snavelyReprojection, true],
  ["by autodiff, Schur complement", tensorCamera, true],
] as const)("bundle adjustment (%s) ends where SciPy does", async (_, kind, schur) => {
  const { problem, cameras, points } = bundleProblem(kind);
  expect(worst([problem.cost()], [expected.bundle.initialCost])).toBeLessThan(1e-10);
  const summary = await s.minimize(problem, { ...TIGHT, eliminate: schur ? [points] : [] });
  expect(worst([summary.cost], [expected.bundle.cost])).toBeLessThan(1e-9);
  const x = [...cameras.values.subarray(18), ...points.values];
  expect(worst(x, expected.bundle.x)).toBeLessThan(1e-5);
  const wanted = expected.bundle.cameraCovariance;
  const found = s.covariance(problem, [[cameras, 2]]);
  for (let i = 0; i < 9; i++)
    for (let j = 0; j < 9; j++) {
      const size = Math.sqrt(wanted[i * 10] * wanted[j * 10]);
      expect(Math.abs(found[i * 9 + j] - wanted[i * 9 + j]) / size).toBeLessThan(1e-4);
    }
});

function poseProblem(constant: number[]): { problem: s.Problem; poses: s.ParameterGroup } {
  const { start, edges, measured, sigma } = expected.poses;
  const problem = new s.Problem();
  const poses = problem.addParameters("poses", start, { manifold: s.SE2, constant });
  const w = [1 / sigma[0], 0, 0, 0, 1 / sigma[1], 0, 0, 0, 1 / sigma[2]];
  problem.addResiduals(
    between2,
    [
      [poses, edges.map(([i]) => i)],
      [poses, edges.map(([, j]) => j)],
    ],
    edges.flatMap((_, k) => [...measured.slice(k * 3, k * 3 + 3), ...w]),
  );
  return { problem, poses };
}

test.each(["gauss-newton", "levenberg-marquardt"] as const)(
  "a pose graph by %s ends where SciPy does",
  async (method) => {
    const { problem, poses } = poseProblem([0]);
    const summary = await s.minimize(problem, { ...TIGHT, method });
    expect(worst([summary.cost], [expected.poses.cost])).toBeLessThan(1e-10);
    expect(worst(poses.values.subarray(3), expected.poses.x)).toBeLessThan(1e-6);
    // SciPy's covariance is of x, y, heading in the world; ours of a step in the pose's frame
    const c = s.covariance(problem, [[poses, 11]]);
    const heading = poses.block(11)[2];
    const r = [Math.cos(heading), -Math.sin(heading), 0, Math.sin(heading), Math.cos(heading), 0, 0, 0, 1];
    const world = Float64Array.from({ length: 9 }, (_, at) => {
      const [i, j] = [Math.floor(at / 3), at % 3];
      let sum = 0;
      for (let k = 0; k < 3; k++)
        for (let l = 0; l < 3; l++) sum += r[i * 3 + k] * c[k * 3 + l] * r[j * 3 + l];
      return sum;
    });
    expect(worst(world, expected.poses.covariance)).toBeLessThan(1e-6);
  },
);

test("a pose graph of which no pose is held is refused, with the block's name", async () => {
  const { problem } = poseProblem([]);
  await expect(s.minimize(problem, { method: "gauss-newton" })).rejects.toThrow(
    /^degree of freedom \d of poses\[\d+\] is not determined by the residuals/,
  );
  expect(() => s.covariance(problem, [])).toThrow(s.RankDeficiencyError);
  // damping chooses the nearest of the solutions
  expect((await s.minimize(problem, TIGHT)).cost).toBeCloseTo(expected.poses.cost, 8);
});

test("blocks in no residual, and wrong arguments, are named", () => {
  const { problem } = poseProblem([0]);
  problem.addParameters("landmarks", [1, 2], { size: 2 });
  expect(() => s.minimizeSync(problem)).toThrow("landmarks[0] is in no residual");
  expect(() => problem.addParameters("poses", [])).toThrow('there are parameters "poses" already');
  expect(() => problem.addParameters("q", [1, 2], { manifold: s.SE2 })).toThrow(
    "blocks of SE2 hold 3 numbers",
  );
  expect(() => problem.addParameters("q", [0, 0, 0, 2], { manifold: s.SO3 })).toThrow("one of length 2");
  const poses = problem.groups[0];
  expect(() => problem.addResiduals(between2, [[poses, [0]]])).toThrow("takes 2 parameters, got 1");
  expect(() =>
    problem.addResiduals(
      between2,
      [
        [poses, [0]],
        [poses, [12]],
      ],
      new Float64Array(12),
    ),
  ).toThrow("residual 0 wants poses[12], there are 12 blocks");
  const wrong = s.autodiffResidual({ name: "wrong", size: 2, parameters: [3] }, (x: Tensor) => x);
  problem.addResiduals(wrong, [[poses, [0]]]);
  expect(() => problem.cost()).toThrow("wrong: a residual of shape [2] wanted, the function returned (3,)");
});

test("joined blocks can't both be eliminated", () => {
  const { problem, poses } = poseProblem([0]);
  expect(() => s.minimizeSync(problem, { eliminate: [poses] })).toThrow("can't both be eliminated");
});

test("reports go out after each iteration; an abort keeps the best values", async () => {
  const { problem, points } = bundleProblem(snavelyReprojection);
  const controller = new AbortController();
  const costs: number[] = [];
  const summary = await s.minimize(problem, {
    eliminate: [points],
    signal: controller.signal,
    onIteration: ({ cost, iteration }) => {
      costs.push(cost);
      if (iteration === 2) controller.abort();
    },
  });
  expect(summary.termination).toBe("aborted");
  expect(costs.length).toBe(2);
  expect(summary.iterations.map((report) => report.cost)).toEqual(costs);
  expect(problem.cost()).toBeCloseTo(costs[1], 10);
});

/** A random sparse positive definite matrix of blocks, dense and in a BlockCholesky. */
const blockMatrix = fc
  .record({
    dims: fc.array(fc.integer({ min: 1, max: 4 }), { minLength: 1, maxLength: 14 }),
    edges: fc.array(fc.tuple(fc.nat(13), fc.nat(13)), { maxLength: 30 }),
    values: fc.array(fc.double({ min: -1, max: 1, noNaN: true }), { minLength: 64, maxLength: 64 }),
  })
  .map(({ dims, edges, values }) => {
    const n = dims.length;
    const neighbours: Set<number>[] = dims.map(() => new Set());
    for (const [a, b] of edges) {
      const [i, j] = [a % n, b % n];
      if (i === j) continue;
      neighbours[i].add(j);
      neighbours[j].add(i);
    }
    const start = [0];
    for (const d of dims) start.push((start.at(-1) as number) + d);
    const size = start[n];
    const dense = new Float64Array(size * size);
    let next = 0;
    for (let i = 0; i < n; i++)
      for (const j of [...neighbours[i], i])
        if (j <= i)
          for (let a = start[i]; a < start[i + 1]; a++)
            for (let b = start[j]; b < start[j + 1]; b++) {
              const value = values[next++ % values.length] + (a === b ? 4 * size : 0);
              dense[a * size + b] = value;
              dense[b * size + a] = value;
            }
    return { dims, neighbours, dense, size, start };
  });

test("sparse Cholesky solves what dense algebra solves, in any order of blocks", () => {
  fc.assert(
    fc.property(blockMatrix, ({ dims, neighbours, dense, size, start }) => {
      const cholesky = new s.BlockCholesky(dims, neighbours);
      expect(Array.from(cholesky.order).sort((a, b) => a - b)).toEqual(dims.map((_, i) => i));
      for (let i = 0; i < dims.length; i++)
        for (const j of [...neighbours[i], i]) {
          const { offset, stride, transposed } = cholesky.locate(i, j);
          for (let a = 0; a < dims[i]; a++)
            for (let b = 0; b < dims[j]; b++)
              cholesky.values[offset + (transposed ? b * stride + a : a * stride + b)] =
                dense[(start[i] + a) * size + start[j] + b];
        }
      cholesky.factor();
      const x = Float64Array.from({ length: size }, (_, i) => Math.cos(i));
      const right = x.map((_, i) => x.reduce((sum, v, j) => sum + dense[i * size + j] * v, 0));
      cholesky.solve(right);
      expect(worst(right, x)).toBeLessThan(1e-10);
    }),
  );
});

test("minimum degree orders a grid with far less fill than rows do", () => {
  const n = 24;
  const neighbours = Array.from({ length: n * n }, (_, v) => {
    const [x, y] = [v % n, Math.floor(v / n)];
    const near = [];
    if (x > 0) near.push(v - 1);
    if (x < n - 1) near.push(v + 1);
    if (y > 0) near.push(v - n);
    if (y < n - 1) near.push(v + n);
    return new Set(near);
  });
  const cholesky = new s.BlockCholesky(new Int32Array(n * n).fill(1), neighbours);
  // by rows the band fills: n³ numbers; by nested dissection about 31/4·n²·log₂ n
  expect(cholesky.values.length).toBeLessThan(0.7 * n ** 3);
});

test("manifolds: minus undoes plus, and plus has the Jacobian it says", () => {
  const number = fc.double({ min: -2, max: 2, noNaN: true });
  for (const manifold of [s.SE2, s.SO3, s.SE3, s.euclidean(4)]) {
    fc.assert(
      fc.property(
        fc.array(number, { minLength: 6, maxLength: 6 }),
        fc.array(number, { minLength: 6, maxLength: 6 }),
        (from, steps) => {
          const origin = new Float64Array(manifold.ambient);
          if (manifold === s.SO3 || manifold === s.SE3) origin[manifold.ambient - 1] = 1;
          const x = new Float64Array(manifold.ambient);
          manifold.plus(origin, 0, Float64Array.from(from), 0, x, 0);
          const step = Float64Array.from(steps.slice(0, manifold.tangent), (v) => v * 0.8);
          const y = new Float64Array(manifold.ambient);
          manifold.plus(x, 0, step, 0, y, 0);
          const back = new Float64Array(manifold.tangent);
          manifold.minus(y, 0, x, 0, back, 0);
          expect(worst(back, step)).toBeLessThan(1e-9);
          if (!manifold.plusJacobian) return;
          const jacobian = new Float64Array(manifold.ambient * manifold.tangent);
          manifold.plusJacobian(x, 0, jacobian);
          for (let k = 0; k < manifold.tangent; k++) {
            const [ahead, behind] = [1e-6, -1e-6].map((h) => {
              const one = new Float64Array(manifold.tangent);
              one[k] = h;
              const moved = new Float64Array(manifold.ambient);
              manifold.plus(x, 0, one, 0, moved, 0);
              return moved;
            });
            for (let i = 0; i < manifold.ambient; i++) {
              if (manifold === s.SE2 && i === 2) continue; // the heading may wrap
              expect(jacobian[i * manifold.tangent + k]).toBeCloseTo((ahead[i] - behind[i]) / 2e-6, 6);
            }
          }
        },
      ),
      { numRuns: 40 },
    );
  }
});

test("losses: the weight is the derivative of the cost", () => {
  for (const loss of [s.huber(0.7), s.cauchy(0.7), s.tukey(0.7)])
    for (const at of [0.01, 0.2, 0.48, 0.6, 3]) {
      const slope = (loss.cost(at + 1e-6) - loss.cost(at - 1e-6)) / 2e-6;
      expect(loss.weight(at), `${loss.name} at ${at}`).toBeCloseTo(slope, 6);
    }
  expect(() => s.huber(0)).toThrow("a scale above 0 wanted, got 0");
});
