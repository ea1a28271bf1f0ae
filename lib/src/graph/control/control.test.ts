import { describe, expect, it } from "vitest";
import { grad, jvp, valueAndGrad, vmap } from "../../autodiff/index.js";
import type { Tensor } from "../../core/tensor.js";
import type { Graph } from "../../ir/graph.js";
import { interpret } from "../../ir/interpret.js";
import { parseGraph } from "../../ir/parse.js";
import { printGraph } from "../../ir/print.js";
import { verify } from "../../ir/verify.js";
import { tensor } from "../../ops/index.js";
import { capture } from "../capture.js";
import { cond, scan, switchCase, whileLoop } from "./index.js";

const f64 = (x: number | number[] | number[][]): Tensor => tensor(x as number[], { dtype: "float64" });
const values = (x: unknown): number[] => Array.from((x as Tensor).toTypedArray());

/** Runs `f` captured: the graph is verified, printed, parsed back and interpreted. */
function staged<A extends unknown[]>(f: (...args: A) => unknown, ...args: A): Tensor[] {
  const graph = verify(capture(f, ...args));
  const again = parseGraph(printGraph(graph));
  expect(printGraph(again)).toBe(printGraph(graph));
  return interpret(again, args as unknown as Tensor[]);
}

function closeTo(found: unknown, wanted: readonly number[], digits = 8): void {
  const list = values(found);
  expect(list.length).toBe(wanted.length);
  list.forEach((x, i) => {
    expect(x).toBeCloseTo(wanted[i], digits);
  });
}

/** Directional derivative of a scalar function by central differences. */
function slope(f: (x: Tensor) => Tensor, x: Tensor): number[] {
  const base = values(x);
  return base.map((_, i) => {
    const at = (d: number) =>
      f(
        tensor(base.map((v, k) => (k === i ? v + d : v)) as number[], { dtype: "float64" }).reshape(x.shape),
      ).item();
    return (at(1e-5) - at(-1e-5)) / 2e-5;
  });
}

describe("cond", () => {
  const f = (x: Tensor): Tensor =>
    cond(
      x.sum().greater(0),
      (x) => x.square(),
      (x) => x.mul(-3),
      x,
    ).sum();

  it("runs one branch, eagerly and in a graph", () => {
    for (const x of [f64([1, 2]), f64([-1, -2])]) {
      closeTo(staged(f, x)[0], values(f(x)));
    }
  });

  it("differentiates the branch that is taken", () => {
    for (const x of [f64([1, 2]), f64([-1, -2])]) {
      const wanted = slope(f, x);
      closeTo(grad(f)(x), wanted, 6);
      closeTo(staged(grad(f), x)[0], wanted, 6);
      closeTo(
        staged((x: Tensor) => grad(f)(x).square().sum(), x)[0],
        [wanted.reduce((s, g) => s + g * g, 0)],
        4,
      );
    }
  });

  it("gives second derivatives and forward mode in a graph", () => {
    const second = (x: Tensor): Tensor => grad((y: Tensor) => grad(f)(y).sum())(x);
    closeTo(staged(second, f64([1, 2]))[0], [2, 2]);
    closeTo(staged(second, f64([-1, -2]))[0], [0, 0]);
    const [, t] = staged((x: Tensor) => jvp(f, [x], [f64([1, 0.5])]), f64([1, 2]));
    closeTo(t, [2 + 2]);
  });

  it("differentiates what the branches read by closure", () => {
    const g = (w: Tensor, x: Tensor): Tensor =>
      cond(
        x.greater(0),
        () => w.mul(x),
        () => w.mul(w),
      );
    closeTo(staged(grad(g), f64(3), f64(5))[0], [5]);
    closeTo(staged(grad(g), f64(3), f64(-5))[0], [6]);
  });

  it("chooses per example under vmap", () => {
    const x = f64([
      [1, 2],
      [-1, -2],
      [3, 0],
    ]);
    const wanted = [5, 9, 9];
    closeTo(vmap(f)(x), wanted);
    closeTo(staged(vmap(f), x)[0], wanted);
    closeTo(vmap(grad(f))(x), [2, 4, -3, -3, 6, 0]);
    closeTo(grad((x: Tensor) => vmap(f)(x).sum())(x), [2, 4, -3, -3, 6, 0]);
  });

  it("says how the branches differ", () => {
    const x = f64([1, 2]);
    expect(() =>
      capture(
        (x: Tensor) =>
          cond(
            x.sum().greater(0),
            () => x,
            () => x.sum(),
          ),
        x,
      ),
    ).toThrow(/cond: what "else" returns is float64\(\), what "then" returns float64\(2,\)/);
    expect(() =>
      capture(
        (x: Tensor) =>
          cond(
            x.greater(0),
            () => x,
            () => x,
          ),
        x,
      ),
    ).toThrow(/predicate is one value, got bool\(2,\)/);
  });
});

describe("switchCase", () => {
  const f = (i: Tensor, x: Tensor): Tensor =>
    switchCase(i, [(x: Tensor) => x, (x: Tensor) => x.square(), (x: Tensor) => x.exp()], x).sum();
  const at = (i: number): Tensor => tensor(i, { dtype: "int32" });

  it("takes the branch with the number, the nearest one outside", () => {
    const x = f64([0.5, 2]);
    const wanted = [2.5, 4.25, Math.exp(0.5) + Math.exp(2)];
    for (const i of [-3, 0, 1, 2, 9]) {
      const expected = wanted[Math.min(Math.max(i, 0), 2)];
      closeTo(f(at(i), x), [expected]);
      closeTo(staged(f, at(i), x)[0], [expected]);
    }
  });

  it("has gradients and maps", () => {
    const x = f64([0.5, 2]);
    closeTo(staged(grad(f, { argnums: 1 }), at(1), x)[0], [1, 4]);
    const index = tensor([0, 2, 1, 7, -1], { dtype: "int32" });
    const batch = f64([
      [1, 2],
      [0, 0],
      [3, 1],
      [0, 0],
      [5, 5],
    ]);
    closeTo(vmap(f)(index, batch), [3, 2, 10, 2, 10]);
    closeTo(staged(vmap(f), index, batch)[0], [3, 2, 10, 2, 10]);
  });
});

describe("whileLoop", () => {
  /** Squares x until it is above 100; the trip count depends on x. */
  const f = (x: Tensor, w: Tensor): Tensor => {
    const [y] = whileLoop(
      (y: Tensor) => y.sum().less(100),
      (y: Tensor): [Tensor] => [y.mul(w).add(1)],
      [x] as [Tensor],
    );
    return y.sin().sum();
  };
  const g = (x: Tensor): Tensor => f(x, f64([1.5, 2]));
  const h = (w: Tensor): Tensor => f(f64([1, 2]), w);

  it("runs the same eagerly and as a node", () => {
    for (const x of [f64([1, 2]), f64([40, 1]), f64([200, 1])]) closeTo(staged(g, x)[0], values(g(x)));
  });

  it("has gradients of state and closure, of the unrolled loop and of finite differences", () => {
    for (const x of [f64([1, 2]), f64([40, 1]), f64([200, 1])]) {
      closeTo(grad(g)(x), slope(g, x), 3);
      closeTo(staged(grad(g), x)[0], values(grad(g)(x)), 8);
    }
    const w = f64([1.5, 2]);
    closeTo(staged(grad(h), w)[0], values(grad(h)(w)), 8);
  });

  it("has higher derivatives in a graph", () => {
    const second = (x: Tensor): Tensor => grad((y: Tensor) => grad(g)(y).square().sum())(x);
    closeTo(staged(second, f64([1, 2]))[0], values(second(f64([1, 2]))), 4);
    const mixed = (w: Tensor): Tensor => jvp(grad(h), [w], [f64([1, -1])])[1];
    closeTo(staged(mixed, f64([1.5, 2]))[0], values(mixed(f64([1.5, 2]))), 5);
  });

  it("goes forward with tangents", () => {
    const t = f64([0.3, -1]);
    const both = (x: Tensor): unknown => jvp(g, [x], [t]);
    const [y, dy] = staged(both, f64([1, 2]));
    const [wantedY, wantedDy] = jvp(g, [f64([1, 2])], [t]);
    closeTo(y, values(wantedY));
    closeTo(dy, values(wantedDy));
  });

  it("goes on per example under vmap", () => {
    const x = f64([
      [1, 2],
      [40, 1],
      [200, 1],
    ]);
    const wanted = [0, 1, 2].flatMap((i) => values(g(x.at(i))));
    closeTo(vmap(g)(x), wanted);
    closeTo(staged(vmap(g), x)[0], wanted);
    const slopes = [0, 1, 2].flatMap((i) => values(grad(g)(x.at(i))));
    closeTo(vmap(grad(g))(x), slopes);
    closeTo(staged(vmap(grad(g)), x)[0], slopes);
  });

  it("carries counters and several entries", () => {
    const count = (x: Tensor): unknown =>
      whileLoop(
        (i: Tensor) => i.less(5),
        (i: Tensor, s: { sum: Tensor }) => [i.add(1), { sum: s.sum.add(x) }],
        [tensor(0, { dtype: "int32" }), { sum: f64(0) }] as [Tensor, { sum: Tensor }],
      )[1].sum;
    closeTo(staged(count, f64(3))[0], [15]);
    closeTo(staged(grad(count as (x: Tensor) => Tensor), f64(3))[0], [5]);
  });

  it("names what the body changes", () => {
    expect(() =>
      capture(
        (x: Tensor) =>
          whileLoop(
            (y: Tensor) => y.sum().less(3),
            (y: Tensor) => [y.sum()],
            [x],
          ),
        f64([1, 2]),
      ),
    ).toThrow(/whileLoop: the state at 0 is float64\(2,\), what the body returns float64\(\)/);
  });
});

describe("scan", () => {
  const xs = f64([
    [0.1, 0.2],
    [0.3, -0.4],
    [0.5, 0.6],
  ]);
  const rnn =
    (reverse: boolean) =>
    (w: Tensor, x: Tensor): Tensor => {
      const [last, all] = scan(
        (h: Tensor, x: Tensor) => {
          const next = h.mul(w).add(x).tanh();
          return [next, next.square()];
        },
        f64([0.5, -0.5]),
        x,
        { reverse },
      );
      return last.sum().add(all.mul(f64([[1], [2], [3]])).sum());
    };

  it.each([false, true])("equals the host loop, with its gradients (reverse %s)", (reverse) => {
    const f = rnn(reverse);
    const w = f64([0.7, 1.3]);
    closeTo(staged(f, w, xs)[0], values(f(w, xs)));
    const both = grad(f, { argnums: [0, 1] as const });
    const [gw, gx] = staged(both, w, xs);
    const [wantedW, wantedX] = both(w, xs);
    closeTo(gw, values(wantedW));
    closeTo(gx, values(wantedX));
    closeTo(
      gw,
      slope((w) => f(w, xs), w),
      6,
    );
  });

  it("has second derivatives, forward mode and batches", () => {
    const f = rnn(false);
    const w = f64([0.7, 1.3]);
    const second = (w: Tensor): Tensor => grad((v: Tensor) => grad(f)(v, xs).square().sum())(w);
    closeTo(staged(second, w)[0], values(second(w)));
    const along = (w: Tensor, x: Tensor): unknown => jvp(f, [w, x], [f64([1, 2]), x.mul(0.5)]);
    const [, t] = staged(along, w, xs);
    closeTo(t, values((along(w, xs) as Tensor[])[1]));
    const many = f64([
      [0.7, 1.3],
      [0.2, -1],
    ]);
    const mapped = vmap(f, { inAxes: [0, null] });
    closeTo(staged(mapped, many, xs)[0], values(mapped(many, xs)));
    const gradients = vmap(grad(f), { inAxes: [0, null] });
    closeTo(staged(gradients, many, xs)[0], values(gradients(many, xs)));
    const overEntries = vmap(f, { inAxes: [null, 1] });
    const batch = xs.reshape([3, 1, 2]).broadcastTo([3, 4, 2]);
    closeTo(staged(overEntries, w, batch)[0], values(overEntries(w, batch)));
  });

  it("keeps trees and says what is wrong", () => {
    const [state, out] = scan(
      (s: { n: Tensor }, x: { a: Tensor }) => [{ n: s.n.add(x.a) }, [s.n, null]],
      { n: tensor(0) },
      { a: tensor([1, 2, 3]) },
    );
    expect(state.n.item()).toBe(6);
    expect((out[0] as Tensor).toArray()).toEqual([0, 1, 3]);
    expect(() => scan((s: Tensor) => [s, s], tensor(0), [tensor([1]), tensor([1, 2])])).toThrow(
      /different numbers of entries/,
    );
    expect(() => scan(((s: Tensor) => s) as never, tensor(0), tensor([1]))).toThrow(
      /returns \[state, output\]/,
    );
  });
});

describe("the book's examples", () => {
  it("control(A, B, C, cond) has a gradient for the taken branch only", () => {
    const control = (p: Tensor, a: Tensor, b: Tensor, c: Tensor): Tensor =>
      cond(
        p,
        () => a.matmul(b),
        () => a.matmul(c),
      ).sum();
    const [a, b, c] = [f64([[1, 2]]), f64([[3], [4]]), f64([[5], [6]])];
    const all = grad(control, { argnums: [1, 2, 3] as const });
    const taken = tensor(true);
    const [ga, gb, gc] = staged(all, taken, a, b, c);
    closeTo(ga, [3, 4]);
    closeTo(gb, [1, 2]);
    closeTo(gc, [0, 0]);
    const [, lost] = grad(control, { argnums: [1, 3] as const, unused: "null" })(taken, a, b, c);
    expect(lost).toBeNull();
  });

  it("recurrent_control(X, [W0, W1, W2]) equals its unrolled form, and so do its gradients", () => {
    const weights = f64([
      [1, 2],
      [3, -1],
    ] as never).reshape([1, 2, 2]);
    const stacked = weights.broadcastTo([3, 2, 2]).mul(f64([0.5, 0.25, 2]).reshape([3, 1, 1]));
    const x = f64([[1, -2]]);
    const loop = (x: Tensor, w: Tensor): Tensor =>
      scan((x: Tensor, w: Tensor) => [x.matmul(w), null], x, w)[0].sum();
    const unrolled = (x: Tensor, w: Tensor): Tensor =>
      x.matmul(w.at(0)).matmul(w.at(1)).matmul(w.at(2)).sum();
    const both = (f: typeof loop) => valueAndGrad(f, { argnums: [0, 1] as const });
    const [value, [gx, gw]] = both(unrolled)(x, stacked);
    const found = staged(both(loop), x, stacked);
    closeTo(found[0], values(value));
    closeTo(found[1], values(gx));
    closeTo(found[2], values(gw));
  });
});

describe("branches that read values around them", () => {
  it("hold what they do with them, so that only the branch taken runs", () => {
    const graph = capture(
      (flag: Tensor, a: Tensor, b: Tensor) =>
        cond(
          flag,
          () => a.exp().mul(a),
          () => b.sin(),
        ),
      tensor(true),
      f64([1, 2]),
      f64([3, 4]),
    );
    expect(graph.nodes.map(({ op }) => op.name)).toEqual(["cond"]);
    const { onTrue, onFalse } = graph.nodes[0].attrs as Record<string, Graph>;
    expect(onTrue.nodes.map(({ op }) => op.name)).toEqual(["exp", "mul"]);
    expect(onFalse.nodes.map(({ op }) => op.name)).toEqual(["sin"]);
  });

  it("so do loops over values of other transformations", () => {
    const loop = (w: Tensor, xs: Tensor): Tensor =>
      scan((s: Tensor, x: Tensor) => [s.add(w.mul(w).mul(x)), null], f64(0), xs)[0];
    const [w, xs] = [f64(3), f64([1, 2, 4])];
    closeTo(staged(grad(loop), w, xs)[0], [2 * 3 * 7]);
    closeTo(staged((ws: Tensor) => vmap((v: Tensor) => grad(loop)(v, xs))(ws), f64([1, 3]))[0], [14, 42]);
  });
});
