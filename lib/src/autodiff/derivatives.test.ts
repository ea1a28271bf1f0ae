import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  f64,
  numbers,
  numericGradient,
  numericJacobian,
  relativeError,
} from "../../test/support/finite-differences.js";
import {
  grad,
  hessian,
  jacobian,
  jvp,
  linearize,
  onesLike,
  stopGradient,
  type Tensor,
  tensor,
  valueAndGrad,
  variable,
  vjp,
  vmap,
} from "../index.js";

const x3 = f64([0.3, -1.2, 0.8]);
const close = (a: Tensor, b: readonly number[], tolerance = 1e-7) =>
  expect(relativeError(numbers(a), b)).toBeLessThan(tolerance);

describe("the book's examples", () => {
  const y = (a: Tensor, b: Tensor) => a.log().add(a.mul(b)).sub(b.sin());

  it("y = ln x1 + x1 x2 − sin x2 at (2, 5), in both modes", () => {
    const [value, [d1, d2]] = valueAndGrad(y, { argnums: [0, 1] })(f64(2), f64(5));
    expect(value.item()).toBeCloseTo(11.652, 3);
    expect(d1.item()).toBeCloseTo(5.5, 12);
    expect(d2.item()).toBeCloseTo(1.716, 3);
    expect(jvp(y, [f64(2), f64(5)], [f64(1), f64(0)])[1].item()).toBeCloseTo(5.5, 12);
    expect(jvp(y, [f64(2), f64(5)], [f64(0), f64(1)])[1].item()).toBeCloseTo(5 - Math.cos(5) - 3, 12);
  });

  it("X1 = XW, Y = X1 W1, Loss = ½(Y − L)²: dW1 = X1ᵀ(Y − L), dW = Xᵀ(Y − L)W1ᵀ", () => {
    const [x, w, w1, l] = [
      f64([[1, 2]]),
      f64([
        [0.5, -1],
        [0.25, 2],
      ]),
      f64([[1.5], [-0.5]]),
      f64([[2]]),
    ];
    const loss = (a: Tensor, b: Tensor) => x.matmul(a).matmul(b).sub(l).square().mul(0.5).sum();
    const [dw, dw1] = grad(loss, { argnums: [0, 1] })(w, w1);
    const error = x.matmul(w).matmul(w1).sub(l);
    close(dw1, numbers(x.matmul(w).transpose().matmul(error)), 1e-14);
    close(dw, numbers(x.transpose().matmul(error).matmul(w1.transpose())), 1e-14);
  });
});

describe("grad", () => {
  it("agrees with finite differences on composed functions", () => {
    const functions: ((x: Tensor) => Tensor)[] = [
      (x) => x.sin().mul(x.exp()).sum(),
      (x) => x.sigmoid().log().mul(x.tanh()).mean(),
      (x) => x.square().sum().sqrt(),
      (x) => x.softmax().mul(x.logSoftmax()).sum(),
      (x) =>
        x
          .reshape([3, 1])
          .matmul(x.reshape([1, 3]))
          .slice("1:", ":2")
          .prod(),
      (x) => x.where(x.greater(0), x.mul(0.1)).square().add(x.clip(-1, 0.5)).sum(),
      (x) => x.sub(x.mean()).square().mean().sqrt().reciprocal(),
    ];
    for (const f of functions) close(grad(f)(x3), numericGradient(f, x3));
  });

  it("adds up the paths of a value that is used twice", () => {
    const diamond = (x: Tensor) => {
      const a = x.square();
      return a.mul(a.sin()).add(a).add(a).sum();
    };
    close(grad(diamond)(x3), numericGradient(diamond, x3));
    close(grad((x: Tensor) => x.add(x).sum())(x3), [2, 2, 2]);
    close(grad((x: Tensor) => x.mul(x).sum())(x3), numbers(x3.mul(2)), 1e-15);
  });

  it("follows trees, and keeps their structure", () => {
    const params = { layers: [{ w: f64([1, 2]), b: f64(0.5) }], scale: f64(3), name: "net", count: 2 };
    const g = grad((p: typeof params) => p.layers[0].w.sum().mul(p.scale).add(p.layers[0].b.square()))(
      params,
    );
    expect(numbers(g.layers[0].w)).toEqual([3, 3]);
    expect(g.layers[0].b.item()).toBe(1);
    expect(g.scale.item()).toBe(3);
    expect([g.name, g.count]).toEqual(["net", 2]);
  });

  it("gives gradients in the order of argnums, and aux untouched", () => {
    const f = (a: Tensor, b: Tensor): [Tensor, { sum: Tensor; note: string }] => [
      a.mul(b).sum(),
      { sum: a.add(b), note: "kept" },
    ];
    const [[loss, aux], [db, da]] = valueAndGrad(f, { argnums: [1, 0], hasAux: true })(f64([2]), f64([5]));
    expect([loss.item(), aux.sum.item(), aux.note, db.item(), da.item()]).toEqual([10, 7, "kept", 2, 5]);
  });

  it("gives zeros, or null, for what the loss does not depend on", () => {
    const f = (p: { a: Tensor; b: Tensor; n: Tensor }) => p.a.sum();
    const p = { a: f64([1]), b: f64([[1, 2]]), n: tensor([3], { dtype: "int32" }) };
    const zeros = grad(f)(p);
    expect([numbers(zeros.b), zeros.b.dtype, numbers(zeros.n), zeros.n.dtype]).toEqual([
      [0, 0],
      "float64",
      [0],
      "int32",
    ]);
    expect(grad(f, { unused: "null" })(p)).toMatchObject({ b: null, n: null });
    expect(numbers(grad((x: Tensor) => f64(2).mul(stopGradient(x)).sum())(x3))).toEqual([0, 0, 0]);
  });

  it("gives separate tensors where two gradients are one value", () => {
    const [a, b] = grad((x: Tensor, y: Tensor) => x.add(y), { argnums: [0, 1] })(f64(1), f64(2));
    a.dispose();
    expect(b.item()).toBe(1);
    const seed = f64(1);
    const { pull } = vjp((x: Tensor) => x, f64(3));
    pull(seed)[0].dispose();
    expect(seed.item()).toBe(1);
  });

  it("differentiates the trainable variables of a tree at their present value", () => {
    const model = { w: variable([1, 2]), fixed: variable([3, 4], { requiresGrad: false }) };
    const g = grad((m: typeof model) => m.w.mul(m.fixed).sum())(model) as unknown as Record<string, Tensor>;
    expect([numbers(g.w), numbers(g.fixed)]).toEqual([
      [3, 4],
      [0, 0],
    ]);
    expect(model.w.grad).toBeNull();
    model.w.assign([5, 6]);
    expect(numbers(grad((m: typeof model) => m.w.square().sum())(model).w)).toEqual([10, 12]);
  });

  it("sums over the places of a variable that a model holds twice", () => {
    const w = variable([2, 3]);
    const g = grad((m: { a: Tensor; b: Tensor }) => m.a.mul(m.b).sum())({ a: w, b: w });
    expect([numbers(g.a), numbers(g.b)]).toEqual([
      [4, 6],
      [4, 6],
    ]);
  });

  it("lets a function assign to variables that are not differentiated", () => {
    const running = variable([0, 0], { requiresGrad: false });
    grad((m: { x: Tensor; running: typeof running }) => {
      m.running.assign(m.x.mul(2));
      return m.x.sum();
    })({ x: tensor([1, 2]), running });
    expect(numbers(running)).toEqual([2, 4]);
  });
});

describe("what transformations refuse, and how they say it", () => {
  const message = (run: () => unknown): string => {
    try {
      run();
    } catch (error) {
      expect((error as Error).name).toBe("TransformError");
      return (error as Error).message;
    }
    throw new Error("nothing was thrown");
  };

  it.each<[string, () => unknown, RegExp]>([
    [
      "a result that is no scalar",
      () => grad((x: Tensor) => x)(x3),
      /must return one floating-point scalar.*float64\(3,\)/,
    ],
    ["an integer result", () => grad((x: Tensor) => x.argmax())(x3), /one floating-point scalar.*int32\(\)/],
    ["two results", () => grad((x: Tensor) => [x.sum(), x.sum()])(x3), /got float64\(\), float64\(\)/],
    ["no tensor", () => grad(() => 3)(x3 as never), /got no tensor/],
    [
      "an integer input",
      () => grad((x: Tensor) => x.sum())(tensor([1], { dtype: "int32" })),
      /no floating-point tensor \(it is int32\(1,\)\).*cast/,
    ],
    ["a number", () => grad((x: number) => x)(3), /argument 0 \(number\) holds no tensor.*tensor\(\.\.\.\)/],
    [
      "a missing argument",
      () => grad((x: Tensor) => x.sum(), { argnums: [1] as never })(x3),
      /argument 1 was asked for.*1 argument/,
    ],
    [
      "an asynchronous function",
      () => grad(async (x: Tensor) => x.sum())(x3),
      /grad: the function is asynchronous/,
    ],
    [
      "a function without return",
      () => vmap((x: Tensor) => void x)(x3),
      /vmap: the function returned undefined/,
    ],
    [
      "hasAux without a pair",
      () => grad((x: Tensor) => x.sum(), { hasAux: true })(x3),
      /returns \[loss, aux\]/,
    ],
    [
      "a tangent of another shape",
      () => jvp((x: Tensor) => x, [x3], [f64([1])]),
      /argument 0 is float64\(3,\), its tangent float64\(1,\)/,
    ],
    [
      "a tangent of another structure",
      () => jvp((x: Tensor[]) => x, [[x3]], [[x3, x3]]),
      /tangent of argument 0.*1 entries in one and 2/,
    ],
    [
      "a cotangent of another shape",
      () => vjp((x: Tensor) => x, x3).pull(f64([1])),
      /value is float64\(3,\), its cotangent float64\(1,\)/,
    ],
    ["a jacobian of integers", () => jacobian((x: Tensor) => x.argmax())(x3), /the result holds a int32\(\)/],
    [
      "batches of different sizes",
      () => vmap((a: Tensor, b: Tensor) => a.add(b))(x3, f64([1, 2])),
      /argument 1 of shape \(2,\) has 2 examples along axis 0, but argument 0 says 3/,
    ],
    ["nothing to map", () => vmap((a: Tensor) => a, { inAxes: null })(x3), /no argument is mapped/],
    [
      "axes that do not fit",
      () => vmap((a: { w: Tensor }) => a.w, { inAxes: [{ v: 0 }] })({ w: x3 }),
      /inAxes\[0\] has entries \[v\], the value there has \[w\]/,
    ],
    [
      "a batch where none is promised",
      () => vmap((a: Tensor) => a, { outAxes: null })(x3),
      /outAxes is null for a result float64\(\)/,
    ],
  ])("%s", (_, run, expected) => {
    expect(message(run)).toMatch(expected);
  });

  it("tracers that escaped, named with the op that meets them", () => {
    let escaped: Tensor | null = null;
    grad((x: Tensor) => {
      escaped = x.mul(2);
      return escaped.sum();
    })(x3);
    const leaked = escaped as unknown as Tensor;
    expect(message(() => x3.add(leaked))).toMatch(
      /^add: operand 1, a float64\(3,\), was made inside a grad that has already returned/,
    );
    expect(message(() => grad(() => leaked)(x3 as never))).toMatch(
      /returned a float64\(3,\) that was made inside a grad/,
    );
    expect(message(() => vmap((x: Tensor) => x.add(leaked))(f64([[1, 2, 3]])))).toMatch(/made inside a grad/);
  });

  it("reading elements where there are none", () => {
    expect(message(() => vmap((x: Tensor) => tensor(x.item()))(x3))).toMatch(
      /vmap is running the function on placeholders/,
    );
  });
});

describe("forward mode", () => {
  it("is linear in the tangent, and exact for linear functions", () => {
    const a = f64([
      [1, 2, 3],
      [4, 5, 6],
    ]);
    const linear = (x: Tensor) => a.matmul(x);
    const slope = (t: Tensor) => jvp(linear, [x3], [t])[1];
    const [u, v] = [f64([1, 0, 2]), f64([-1, 3, 0.5])];
    close(slope(u), numbers(linear(u)), 1e-15);
    close(slope(u.mul(2).add(v)), numbers(slope(u).mul(2).add(slope(v))), 1e-14);
  });

  it("is the transpose of reverse mode", () => {
    const f = (x: Tensor) => x.sin().mul(x.sum()).slice("1:");
    const [u, v] = [f64([0.2, -0.4, 1]), f64([2, -3])];
    const forward = jvp(f, [x3], [u])[1].mul(v).sum().item();
    const { pull, release } = vjp(f, x3);
    expect(pull(v)[0].mul(u).sum().item()).toBeCloseTo(forward, 12);
    expect(pull(v)[0].mul(u).sum().item()).toBeCloseTo(forward, 12);
    release();
    expect(() => pull(v)).toThrow(/what \w+ saved was given back/);
  });

  it("gives zeros for results without a derivative", () => {
    const [value, slope] = jvp((x: Tensor) => [x.square(), x.greater(0), f64(1)], [x3], [onesLike(x3)]);
    expect(numbers(value[1])).toEqual([1, 0, 1]);
    expect([numbers(slope[1]), slope[1].dtype, slope[2].item()]).toEqual([[0, 0, 0], "bool", 0]);
  });

  it("linearize runs the function once and gives the same slopes", () => {
    let runs = 0;
    const f = (x: Tensor) => {
      runs++;
      return x.exp().mul(x.sin());
    };
    const [value, push] = linearize(f, x3);
    for (const u of [f64([1, 0, 0]), f64([0.5, -2, 3])]) close(push(u), numbers(jvp(f, [x3], [u])[1]), 1e-14);
    close(value, numbers(f(x3)), 1e-15);
    expect(runs).toBe(1 + 2 + 1); // linearize, two jvps to compare with, one value
  });
});

describe("jacobian and hessian", () => {
  it("agree in both modes with finite differences, for any shapes", () => {
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: 1, max: 3 }), { maxLength: 2 }),
        fc.array(fc.double({ min: -2, max: 2, noNaN: true }), { minLength: 9, maxLength: 9 }),
        (shape, values) => {
          const size = shape.reduce((a, b) => a * b, 1);
          const x = f64(Float64Array.from(values.slice(0, size)), shape);
          const f = (z: Tensor) =>
            z
              .sin()
              .mul(z.sum())
              .reshape([1, ...shape]);
          const expected = numericJacobian(f, x).flat();
          for (const mode of ["forward", "reverse"] as const) {
            const j = jacobian(f, { mode })(x);
            expect(j.shape).toEqual([1, ...shape, ...shape]);
            close(j, expected);
          }
        },
      ),
      { numRuns: 25 },
    );
  });

  it("take trees apart into blocks", () => {
    const f = (p: { a: Tensor; b: Tensor }, c: Tensor) => ({ y: p.a.mul(c), z: p.b.sum() });
    const p = { a: f64([1, 2]), b: f64([[3, 4, 5]]) };
    for (const mode of ["forward", "reverse"] as const) {
      const j = jacobian(f, { mode })(p, f64([7, 8])) as Record<"y" | "z", typeof p>;
      expect(j.y.a.toArray()).toEqual([
        [7, 0],
        [0, 8],
      ]);
      expect(j.y.b.shape).toEqual([2, 1, 3]);
      expect(j.z.b.toArray()).toEqual([[1, 1, 1]]);
      expect(j.z.a.toArray()).toEqual([0, 0]);
    }
    const wrtC = jacobian(f, { argnum: 1 })(p, f64([7, 8])) as Record<"y", Tensor>;
    expect(wrtC.y.toArray()).toEqual([
      [1, 0],
      [0, 2],
    ]);
  });

  it("the hessian is symmetric and right", () => {
    const f = (x: Tensor) => x.sin().sum().mul(x.square().sum()).add(x.prod());
    const h = hessian(f)(x3);
    close(h, numbers(h.transpose()), 1e-13);
    close(h, numericJacobian(grad(f), x3).flat());
    close(jacobian(grad(f))(x3), numbers(h), 1e-13);
  });
});
