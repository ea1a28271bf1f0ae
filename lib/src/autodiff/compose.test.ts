/** Transformations of random programs in random orders, judged by finite differences and by plain loops. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { f64, numbers, numericJacobian, relativeError } from "../../test/support/finite-differences.js";
import {
  checkpoint,
  concat,
  grad,
  hessian,
  jacobian,
  jvp,
  linearize,
  stack,
  type Tensor,
  tidy,
  variable,
  vmap,
  where,
} from "../index.js";

const N = 3;
type Program = (x: Tensor) => Tensor;

/** A step of a random program: from two earlier values of shape (N) to a third. */
interface Step {
  readonly name: string;
  readonly run: (a: Tensor, b: Tensor) => Tensor;
}

const mask = f64([1, 0, 1]).greater(0);
const matrix = f64([
  [0.5, -0.2, 0.1],
  [0.3, 0.4, -0.6],
  [-0.1, 0.2, 0.7],
]);

const STEPS: Step[] = [
  { name: "sin", run: (a) => a.sin() },
  { name: "tanh", run: (a) => a.tanh() },
  { name: "sigmoid", run: (a) => a.sigmoid() },
  { name: "square", run: (a) => a.tanh().square() },
  { name: "add", run: (a, b) => a.add(b) },
  { name: "sub", run: (a, b) => a.sub(b.mul(0.5)) },
  { name: "mul", run: (a, b) => a.mul(b) },
  { name: "div", run: (a, b) => a.div(b.square().add(1)) },
  { name: "matmul", run: (a) => matrix.matmul(a) },
  { name: "softmax", run: (a) => a.softmax() },
  { name: "logSumExp", run: (a, b) => a.logSumExp(0, true).mul(b) },
  { name: "mean", run: (a, b) => a.mean(0, true).add(b) },
  {
    name: "outer",
    run: (a, b) =>
      a
        .reshape([N, 1])
        .mul(b.reshape([1, N]))
        .sum(1),
  },
  { name: "flip", run: (a) => a.flip() },
  { name: "slice and concat", run: (a, b) => concat([a.slice("1:"), b.slice(":1")]) },
  { name: "where", run: (a, b) => where(mask, a, b) },
  { name: "stack", run: (a, b) => stack([a, b]).transpose().sum(1) },
  { name: "tidy", run: (a, b) => tidy(() => a.mul(2).cos().add(b)) },
  { name: "checkpoint", run: (a, b) => checkpoint((p: Tensor, q: Tensor) => p.sin().mul(q).tanh())(a, b) },
  { name: "vmap inside", run: (a, b) => vmap((p: Tensor) => p.mul(b.sum()).sin())(a) },
  { name: "grad inside", run: (a, b) => grad((p: Tensor) => p.sin().mul(b).sum())(a) },
];

const anyProgram = fc
  .array(fc.tuple(fc.nat(STEPS.length - 1), fc.nat(5), fc.nat(5)), { minLength: 1, maxLength: 6 })
  .map((choices) => {
    const program: Program = (x) => {
      const values = [x];
      for (const [step, a, b] of choices)
        values.push(STEPS[step].run(values[a % values.length], values[b % values.length]));
      return values[values.length - 1];
    };
    const text = choices.map(([s, a, b], i) => `v${i + 1}=${STEPS[s].name}(v${a % (i + 1)},v${b % (i + 1)})`);
    return Object.assign(program, { toString: () => text.join("; ") });
  });

const weights = f64([0.7, -1.1, 0.4]);
const direction = f64([0.2, 0.9, -0.5]);

const row = (jacobianOf: number[][], c: Tensor) =>
  numbers(c.reshape([1, N]).matmul(f64(jacobianOf)).reshape([N]));
const column = (jacobianOf: number[][], c: Tensor) => numbers(f64(jacobianOf).matmul(c));

/** A transformation of programs, and what it should give, from values of the program alone. */
interface Transformation {
  readonly apply: (f: Program) => Program;
  readonly expected: (f: Program, x: Tensor) => number[];
}

const TRANSFORMATIONS: Record<string, Transformation> = {
  grad: {
    apply: (f) => grad((x: Tensor) => f(x).mul(weights).sum()),
    expected: (f, x) => row(numericJacobian(f, x), weights),
  },
  jvp: {
    apply: (f) => (x) => jvp(f, [x], [direction])[1],
    expected: (f, x) => column(numericJacobian(f, x), direction),
  },
  linearize: {
    apply: (f) => (x) => linearize(f, x)[1](direction),
    expected: (f, x) => column(numericJacobian(f, x), direction),
  },
  jacobian: {
    apply: (f) => (x) => jacobian(f)(x).matmul(direction),
    expected: (f, x) => column(numericJacobian(f, x), direction),
  },
  "forward jacobian": {
    apply: (f) => (x) => weights.matmul(jacobian(f, { mode: "forward" })(x)),
    expected: (f, x) => row(numericJacobian(f, x), weights),
  },
  vmap: {
    apply: (f) => (x) =>
      vmap(f)(stack([x, x.mul(0.5), x.sin()]))
        .mul(f64([[1], [2], [-1]]))
        .sum(0),
    expected: (f, x) =>
      numbers(
        f(x)
          .add(f(x.mul(0.5)).mul(2))
          .sub(f(x.sin())),
      ),
  },
  "vmap over the last axis": {
    apply: (f) => (x) => vmap(f, { inAxes: -1, outAxes: 1 })(stack([x, x.cos()], 1)).sum(1),
    expected: (f, x) => numbers(f(x).add(f(x.cos()))),
  },
  checkpoint: { apply: (f) => checkpoint(f), expected: (f, x) => numbers(f(x)) },
};

const anyPoint = fc
  .array(fc.double({ min: -1.5, max: 1.5, noNaN: true }), { minLength: N, maxLength: N })
  .map((values) => f64(values));

describe("composition", () => {
  it("any transformations in any order, of any program", () => {
    const names = Object.keys(TRANSFORMATIONS);
    fc.assert(
      fc.property(
        anyProgram,
        fc.array(fc.constantFrom(...names), { minLength: 1, maxLength: 3 }),
        anyPoint,
        (program, order, x) => {
          let f: Program = program;
          for (const name of order) {
            const { apply, expected } = TRANSFORMATIONS[name];
            const g = apply(f);
            const error = relativeError(numbers(g(x)), expected(f, x));
            expect(error, `${order.join(" of ")} of ${program}`).toBeLessThan(2e-6);
            f = g;
          }
        },
      ),
      { numRuns: 120, seed: 20 },
    );
  });

  it("the tape gives the same gradients, also through transformed functions", () => {
    fc.assert(
      fc.property(
        anyProgram,
        fc.array(fc.constantFrom(...Object.keys(TRANSFORMATIONS)), { maxLength: 1 }),
        anyPoint,
        (program, order, x) => {
          const f = order.reduce<Program>((inner, name) => TRANSFORMATIONS[name].apply(inner), program);
          const expected = grad((z: Tensor) => f(z).mul(weights).sum())(x);
          const v = variable(x);
          // functional transforms take the value of variables that are arguments: v enters as a tensor of the tape
          const loss = f(v.mul(1)).mul(weights).sum();
          if (loss.requiresGrad) loss.backward();
          const got = v.grad ? numbers(v.grad) : [0, 0, 0];
          expect(relativeError(got, numbers(expected)), `${order} of ${program}`).toBeLessThan(1e-11);
        },
      ),
      { numRuns: 80, seed: 21 },
    );
  });
});

describe("nesting", () => {
  it("keeps the perturbations of nested derivatives apart", () => {
    const one = f64(1);
    const product = (outer: Tensor) => outer.mul(grad((inner: Tensor) => outer.add(inner))(one));
    expect(grad(product)(f64(3)).item()).toBe(1);
    const forward = (outer: Tensor) => outer.mul(jvp((inner: Tensor) => outer.add(inner), [one], [one])[1]);
    expect(jvp(forward, [f64(3)], [one])[1].item()).toBe(1);
    expect(grad(forward)(f64(3)).item()).toBe(1);
    expect(jvp(product, [f64(3)], [one])[1].item()).toBe(1);
    // d/dx x · d/dy (x·y²) at y = x: 2x² · … = d/dx 2x³ = 6x²
    const tangled = (x: Tensor) => x.mul(grad((y: Tensor) => x.mul(y.square()))(x));
    expect(grad(tangled)(f64(2)).item()).toBe(24);
  });

  it("goes as deep as asked: the first five derivatives of sin", () => {
    let f: Program = (x) => x.sin();
    const at = f64(0.7);
    const cycle = [Math.sin, Math.cos, (v: number) => -Math.sin(v), (v: number) => -Math.cos(v)];
    for (let n = 0; n < 6; n++) {
      expect(f(at).item()).toBeCloseTo(cycle[n % 4](0.7), 12);
      f =
        n % 2 === 0
          ? grad(f)
          : (
              (g) => (x: Tensor) =>
                jvp(g, [x], [f64(1)])[1]
            )(f);
    }
  });

  it("grad(vmap(grad(f))), jvp(grad(f)), vmap(jacobian(f)), vmap(vmap(f)), vmap(hessian(f))", () => {
    const f = (x: Tensor) => x.sin().mul(x).sum();
    const batch = f64([
      [0.1, 0.2, 0.3],
      [1, -1, 0.5],
    ]);
    const first = (v: number) => Math.sin(v) + v * Math.cos(v);
    const second = (v: number) => 2 * Math.cos(v) - v * Math.sin(v);
    const diagonal = grad((x: Tensor) => vmap(grad(f))(x).sum())(batch);
    expect(relativeError(numbers(diagonal), numbers(batch).map(second))).toBeLessThan(1e-14);
    const slope = vmap((x: Tensor) => jvp(grad(f), [x], [direction])[1])(batch);
    const expected = numbers(batch).map((v, i) => second(v) * numbers(direction)[i % N]);
    expect(relativeError(numbers(slope), expected)).toBeLessThan(1e-14);
    const jacobians = vmap(jacobian(grad(f)))(batch);
    expect(jacobians.shape).toEqual([2, N, N]);
    expect(relativeError(numbers(vmap(hessian(f))(batch)), numbers(jacobians))).toBeLessThan(1e-14);
    const scalarwise = vmap(vmap(grad((x: Tensor) => x.sin().mul(x))))(batch);
    expect(relativeError(numbers(scalarwise), numbers(batch).map(first))).toBeLessThan(1e-14);
  });

  it("maps trees, with an axis per leaf, per argument, or none", () => {
    const f = (p: { w: Tensor; b: Tensor }, x: Tensor) => ({ y: p.w.mul(x).add(p.b), b: p.b });
    const p = {
      w: f64([
        [1, 2],
        [3, 4],
        [5, 6],
      ]),
      b: f64([10, 20]),
    };
    const x = f64([
      [1, 1, 1],
      [2, 2, 2],
    ]);
    const out = vmap(f, { inAxes: [{ w: 0, b: null }, 1], outAxes: { y: 1, b: null } })(p, x);
    expect(out.y.toArray()).toEqual([
      [11, 13, 15],
      [24, 28, 32],
    ]);
    expect(numbers(out.b)).toEqual([10, 20]);
    const fresh = vmap(() => f64([1, 2]), { inAxes: [], axisSize: 3 })();
    expect(fresh.shape).toEqual([3, 2]);
  });
});
