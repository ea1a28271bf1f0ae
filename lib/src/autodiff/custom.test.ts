import { describe, expect, it } from "vitest";
import { f64, numbers, numericGradient, relativeError } from "../../test/support/finite-differences.js";
import {
  checkpoint,
  customVjp,
  defineOp,
  grad,
  heapStats,
  hessian,
  jvp,
  type Tensor,
  tidy,
  valueAndGrad,
  variable,
  vmap,
} from "../index.js";
import { apply } from "../ops/bind.js";
import type { OpDef } from "../ops/registry.js";

const x3 = f64([0.3, -1.2, 0.8]);
const close = (a: Tensor, b: readonly number[], tolerance = 1e-12) =>
  expect(relativeError(numbers(a), b)).toBeLessThan(tolerance);

describe("customVjp", () => {
  /** ln(1 + eˣ), with the derivative in a form that does not overflow. */
  const softplus = customVjp((x: Tensor) => x.exp().add(1).log(), {
    forward: (x) => [x.exp().add(1).log(), { x }],
    backward: ({ x }, g) => [g.mul(x.neg().exp().add(1).reciprocal())],
  });

  it("uses its rule, in every mode that goes backward", () => {
    const sigmoid = numbers(x3.sigmoid());
    close(grad((x: Tensor) => softplus(x).sum())(x3), sigmoid);
    close(vmap(grad((x: Tensor) => softplus(x)))(x3), sigmoid);
    close(grad((x: Tensor) => vmap(softplus)(x).sum())(x3), sigmoid);
    const v = variable(x3);
    softplus(v).sum().backward();
    close(v.grad as Tensor, sigmoid);
    expect(grad((x: Tensor) => x.exp().add(1).log())(f64(800)).item()).toBeNaN();
    expect(grad((x: Tensor) => softplus(x))(f64(800)).item()).toBe(1);
  });

  it("can be differentiated again, through what forward kept and through the rule", () => {
    const first = grad((x: Tensor) => softplus(x).mul(x).sum());
    close(
      grad((x: Tensor) => first(x).square().sum())(x3),
      numericGradient((x) => first(x).square().sum(), x3),
      1e-7,
    );
    const through = customVjp((x: Tensor) => x.round(), { backward: (_, g) => [g] });
    const square = (x: Tensor) => through(x).square();
    expect(grad(square)(f64(1.3)).item()).toBe(2);
    expect(grad(grad(square))(f64(1.3)).item()).toBe(2);
    expect(numbers(vmap(grad(grad(square)))(f64([1.3, 5.6])))).toEqual([2, 2]);
  });

  it("takes and returns trees; null stands for a zero gradient", () => {
    const f = customVjp(
      (p: { a: Tensor; b: Tensor }, c: Tensor) => ({ sum: p.a.add(p.b), c: c.mul(1), name: "out" }),
      { backward: (_, g) => [{ a: g.sum.mul(10), b: g.sum.mul(20) }, null] },
    );
    const loss = (p: { a: Tensor; b: Tensor }, c: Tensor) => {
      const y = f(p, c);
      expect(y.name).toBe("out");
      return y.sum.mul(y.c).sum();
    };
    const [p, c] = [{ a: f64([1, 2]), b: f64([3, 4]) }, f64([5, 6])];
    const [gp, gc] = grad(loss, { argnums: [0, 1] })(p, c);
    expect([numbers(gp.a), numbers(gp.b), numbers(gc)]).toEqual([
      [50, 60],
      [100, 120],
      [0, 0],
    ]);
    const mapped = vmap(grad(loss), { inAxes: [{ a: 0, b: null }, null] })(
      {
        a: f64([
          [1, 2],
          [0, 0],
        ]),
        b: p.b,
      },
      c,
    );
    expect(mapped.b.toArray()).toEqual([
      [100, 120],
      [100, 120],
    ]);
  });

  it("says what does not fit", () => {
    const broken = (backward: (residuals: unknown, g: Tensor) => readonly unknown[]) =>
      grad((x: Tensor) =>
        customVjp(
          function twice(z: Tensor) {
            return z.mul(2);
          },
          { backward },
        )(x).sum(),
      );
    expect(() => broken(() => [])(x3)).toThrow(
      "customVjp(twice): backward returns a list with one gradient per argument (1), got 0 entries",
    );
    expect(() => broken((_, g) => [[g]])(x3)).toThrow(
      "argument 0 is a tensor in one and an array in the other",
    );
    expect(() => broken((_, g) => [g.sum()])(x3)).toThrow(
      "returned a gradient float64() for input 0, which is float64(3,)",
    );
    expect(() => jvp(softplus, [x3], [x3])).toThrow(/defines a reverse rule only; jvp.*cannot pass/);
    const closing = (x: Tensor) => customVjp((y: Tensor) => y.mul(x), { backward: (_, g) => [g] })(x).sum();
    expect(() => grad(closing)(x3)).toThrow(
      /uses a value that is being differentiated but is not among its arguments/,
    );
    const incomplete = customVjp((z: Tensor) => z.mul(2), {
      forward: ((z: Tensor) => z) as never,
      backward: (_, g) => [g],
    });
    expect(() => grad((x: Tensor) => incomplete(x).sum())(x3)).toThrow("forward returns [value, residuals]");
  });
});

describe("checkpoint", () => {
  const deep = (x: Tensor, w: Tensor) => {
    let h = x;
    for (let i = 0; i < 20; i++) h = h.mul(w).sin().add(x);
    return h;
  };
  const loss = (x: Tensor, w: Tensor) => deep(x, w).square().sum();
  const saving = (x: Tensor, w: Tensor) => checkpoint(deep)(x, w).square().sum();
  const w3 = f64([1.1, 0.9, -0.4]);

  it("changes no derivative of any order or mode", () => {
    const argnums = [0, 1] as const;
    const [a, b] = [grad(loss, { argnums })(x3, w3), grad(saving, { argnums })(x3, w3)];
    for (const [i, g] of a.entries()) close(b[i], numbers(g), 1e-14);
    close(hessian(saving)(x3, w3), numbers(hessian(loss)(x3, w3)));
    close(jvp(saving, [x3, w3], [w3, x3])[1], numbers(jvp(loss, [x3, w3], [w3, x3])[1]));
    const slope = (f: typeof loss) => grad((x: Tensor) => jvp(f, [x, w3], [w3, x3])[1])(x3);
    close(slope(saving), numbers(slope(loss)));
  });

  it("keeps a fraction of the memory until backward", () => {
    const big = f64(new Float64Array(1000).fill(0.5));
    const kept = (f: typeof loss): number =>
      tidy(() => {
        const v = variable(big);
        const before = heapStats().liveBytes;
        const y = tidy(() => f(v.mul(1), w3.sum()));
        const held = heapStats().liveBytes - before;
        y.backward();
        v.dispose();
        return held;
      });
    expect(kept(saving)).toBeLessThan(kept(loss) / 8);
  });

  it("runs the function once forward, once more backward", () => {
    let runs = 0;
    const counted = checkpoint((x: Tensor) => {
      runs++;
      return x.sin().sum();
    });
    valueAndGrad(counted)(x3);
    expect(runs).toBe(2);
    counted(x3);
    expect(runs).toBe(3);
  });

  it("refuses differentiated values from around it", () => {
    const f = (x: Tensor) =>
      checkpoint(function inner(y: Tensor) {
        return y.mul(x);
      })(x).sum();
    expect(() => grad(f)(x3)).toThrow(
      "checkpoint(inner): the function uses a value that is being differentiated",
    );
  });
});

describe("ops with residuals", () => {
  interface CubeAttrs {
    readonly wide?: boolean;
  }
  /** x³; when it is to be differentiated, 3x² comes behind. */
  const cubeOp: OpDef<CubeAttrs> = defineOp<CubeAttrs>({
    name: "test.cube",
    type: ([x], { wide }) => (wide ? [x, x] : [x]),
    reference: ([x], outputs) => {
      for (let i = 0; i < x.data.length; i++) {
        outputs[0].data[i] = x.data[i] ** 3;
        if (outputs[1]) outputs[1].data[i] = 3 * x.data[i] ** 2;
      }
    },
    residuals: () => ({ wide: true }),
    saves: { outputs: true },
    vjp: ([g], { outputs }) => [g && g.mul(outputs[1])],
    jvp: ([x], [t]) => [t && t.mul(x.square().mul(3))],
    batch: ([x], [axis], attrs) => ({ outputs: [apply(cubeOp, [x], attrs)], axes: [axis] }),
    samples: [],
  });
  const cube = (x: Tensor) => apply(cubeOp, [x], {});

  it("run with them where a walk back is to come, and hide them", () => {
    const derivative = numbers(x3.square().mul(3));
    close(grad((x: Tensor) => cube(x).sum())(x3), derivative);
    const v = variable(x3);
    cube(v).sum().backward();
    close(v.grad as Tensor, derivative);
    const before = heapStats().liveStorages;
    for (let i = 0; i < 10; i++)
      tidy(() => {
        cube(v);
        grad((x: Tensor) => cube(x).sum())(x3);
      });
    expect(heapStats().liveStorages).toBe(before);
  });
});
