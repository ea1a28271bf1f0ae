import { describe, expect, it } from "vitest";
import { f64, numbers, numericGradient, relativeError } from "../../test/support/finite-differences.js";
import {
  checkpoint,
  customVjp,
  grad,
  matmul,
  noGrad,
  relu,
  type Tensor,
  tapeMemory,
  tapeOf,
  tensor,
  tidy,
  variable,
  vmap,
} from "../index.js";

const double = (values: Parameters<typeof f64>[0], name = "") => variable(f64(values), { name });

describe("backward", () => {
  it("fills the gradients of the book's chain rule", () => {
    const [x, l] = [f64([[1, 2]]), f64([[2]])];
    const [w, w1] = [
      double([
        [0.5, -1],
        [0.25, 2],
      ]),
      double([[1.5], [-0.5]]),
    ];
    const x1 = x.matmul(w);
    const y = x1.matmul(w1);
    y.sub(l).square().mul(0.5).sum().backward();
    const error = y.detach().sub(l);
    expect(numbers(w1.grad as Tensor)).toEqual(numbers(x1.detach().transpose().matmul(error)));
    expect(numbers(w.grad as Tensor)).toEqual(
      numbers(x.transpose().matmul(error).matmul(w1.value.transpose())),
    );
  });

  it("accumulates until zeroGrad", () => {
    const v = double([1, 2]);
    v.square().sum().backward();
    v.mul(3).sum().backward();
    expect(numbers(v.grad as Tensor)).toEqual([5, 7]);
    v.zeroGrad();
    expect(v.grad).toBeNull();
    v.sum().backward();
    expect(numbers(v.grad as Tensor)).toEqual([1, 1]);
  });

  it("gives no gradient to the tensor of a branch that was not taken", () => {
    const [a, b, c] = [double([1, 2], "A"), double([3, 4], "B"), double([5, 6], "C")];
    const control = (condition: boolean) => (condition ? a.mul(b) : a.mul(c));
    control(true).sum().backward();
    expect(numbers(a.grad as Tensor)).toEqual([3, 4]);
    expect(numbers(b.grad as Tensor)).toEqual([1, 2]);
    expect(c.grad).toBeNull();
  });

  it("goes through an unrolled loop", () => {
    const ws = [
      double([
        [0.1, 0.2],
        [0.3, 0.4],
      ]),
      double([
        [1, -1],
        [0.5, 2],
      ]),
      double([
        [0.7, 0],
        [0, -0.3],
      ]),
    ];
    const x = f64([[1, -2]]);
    const recurrent = (list: readonly Tensor[]) => list.reduce((h: Tensor, w) => relu(h.matmul(w)), x).sum();
    recurrent(ws).backward();
    for (const [i, w] of ws.entries()) {
      const alone = (z: Tensor) => recurrent(ws.map((other, k) => (k === i ? z : other.value)));
      const got = w.grad ? numbers(w.grad) : [0, 0, 0, 0];
      expect(relativeError(got, numericGradient(alone, w.value))).toBeLessThan(1e-7);
    }
  });

  it("starts from a gradient where the value is no scalar", () => {
    const v = double([1, 2, 3]);
    v.square().backward([1, 0, -1]);
    expect(numbers(v.grad as Tensor)).toEqual([2, 0, -6]);
    const w = double([1, 2, 3]);
    w.backward(f64([4, 5, 6]));
    expect(numbers(w.grad as Tensor)).toEqual([4, 5, 6]);
  });

  it("runs twice with retainGraph, and says so where it cannot", () => {
    const v = double([1, 2]);
    const loss = v.exp().sum();
    loss.backward(undefined, { retainGraph: true });
    loss.backward();
    expect(relativeError(numbers(v.grad as Tensor), [2 * Math.E, 2 * Math.E ** 2])).toBeLessThan(1e-15);
    const before = numbers(v.grad as Tensor);
    expect(() => loss.backward()).toThrow(/what exp saved was given back.*retainGraph: true/);
    expect(numbers(v.grad as Tensor)).toEqual(before);
  });

  it("says why there is nothing to go back to", () => {
    const v = double([1, 2]);
    const errors: [() => unknown, RegExp][] = [
      [() => f64(1).backward(), /depends on no variable that requires a gradient/],
      [() => noGrad(() => v.sum()).backward(), /depends on no variable/],
      [() => v.detach().sum().backward(), /depends on no variable/],
      [() => variable(1, { requiresGrad: false }).backward(), /depends on no variable/],
      [
        () =>
          grad((x: Tensor) => {
            x.sum().backward();
            return x.sum();
          })(f64([1])),
        /inside a transformation/,
      ],
      [() => v.backward(), /a value of shape \(2,\) needs a gradient of that shape/],
      [() => v.sum().backward([1, 2]), /the gradient has shape \(2,\), the value \(\)/],
      [() => f64(1).retainGrad(), /retainGrad: this float64\(\) is not on the tape/],
      [
        () => variable(tensor([1], { dtype: "int32" }), { requiresGrad: true }),
        /int32\(1,\) cannot require a gradient/,
      ],
      [() => noGrad(async () => 1), /noGrad: the function is asynchronous/],
      [() => v.assign([1, 2, 3]), /is float64\(2,\), the new value float64\(3,\)/],
      [
        () =>
          vmap((x: Tensor) => {
            v.assign(x);
            return x;
          })(f64([[1, 2]])),
        /does not exist yet.*mapped/,
      ],
    ];
    for (const [run, message] of errors) expect(run).toThrow(message);
    expect(v.grad).toBeNull();
  });

  it("keeps the gradient of intermediate results on request, also of one of several outputs", () => {
    const v = double([1, 2]);
    const a = v.square().retainGrad();
    const b = a.mul(3);
    b.sum().backward();
    expect(numbers(a.grad as Tensor)).toEqual([3, 3]);
    expect(b.grad).toBeNull();
    expect(f64(1).grad).toBeNull();
    const two = customVjp((x: Tensor): [Tensor, Tensor] => [x.mul(2), x.mul(3)], {
      backward: (_, [g, h]) => [g.mul(2).add(h.mul(3))],
    });
    const [, second] = two(v);
    second.retainGrad();
    second.mul(5).sum().backward();
    expect(numbers(second.grad as Tensor)).toEqual([5, 5]);
    expect([v.requiresGrad, a.requiresGrad, f64(1).requiresGrad]).toEqual([true, true, false]);
  });

  it("lets hooks see and replace gradients", () => {
    const v = double([1, -2]);
    const seen: number[][] = [];
    const h = v.square();
    h.onGrad((g) => {
      seen.push(numbers(g));
      return g.clip(-1, 1);
    });
    const off = v.onGrad((g) => {
      seen.push(numbers(g));
    });
    h.mul(10).sum().backward();
    expect(seen).toEqual([
      [10, 10],
      [2, -4],
    ]);
    expect(numbers(v.grad as Tensor)).toEqual([2, -4]);
    off();
    v.sum().backward();
    expect(seen).toHaveLength(2);
    v.onGrad(() => f64(1));
    expect(() => v.sum().backward()).toThrow(
      /onGrad: the hook was given a gradient float64\(2,\) and returned float64\(\)/,
    );
  });

  it("passes through transformed functions, and they through it", () => {
    const v = double([0.5, 2]);
    const critic = (x: Tensor) => x.mul(v).sin().sum();
    const penalty = grad(critic)(f64([1, 3]))
      .square()
      .sum(); // gradients with respect to x, differentiated by v
    penalty.backward();
    const expected = numericGradient(
      (w: Tensor) =>
        grad((x: Tensor) => x.mul(w).sin().sum())(f64([1, 3]))
          .square()
          .sum(),
      v.value,
    );
    expect(relativeError(numbers(v.grad as Tensor), expected)).toBeLessThan(1e-7);
    v.zeroGrad();
    vmap((x: Tensor, w: Tensor) => x.mul(w), { inAxes: [0, null] })(
      f64([
        [1, 2],
        [3, 4],
      ]),
      v,
    )
      .sum()
      .backward();
    expect(numbers(v.grad as Tensor)).toEqual([4, 6]);
  });
});

describe("variables", () => {
  it("keep their own value: neither tidy nor dispose of what they came from takes it", () => {
    const source = f64([1, 2]);
    const v = variable(source);
    source.dispose();
    const w = tidy(() => ({ w: variable(f64([3])) })).w;
    tidy(() => v.assign(v.mul(2)));
    expect([numbers(v), numbers(w)]).toEqual([[2, 4], [3]]);
    const old = v.value;
    v.assign([7, 8]);
    expect(old.isDisposed).toBe(true);
    expect([v.version, numbers(v)]).toEqual([2, [7, 8]]);
  });

  it("may change between forward and backward: the tape keeps the values of its time", () => {
    for (const change of [
      (v: ReturnType<typeof double>) => v.assign([100, 100]),
      (v: ReturnType<typeof double>) => v.mutate((data) => data.fill(100)),
    ]) {
      const v = double([1, 2]);
      const loss = v.square().sum();
      change(v);
      loss.backward();
      expect(numbers(v.grad as Tensor)).toEqual([2, 4]);
      expect([numbers(v), v.version]).toEqual([[100, 100], 1]);
    }
  });

  it("mutate writes in place, unless somebody else sees the memory", () => {
    const source = f64([1, 2]);
    const v = variable(source);
    v.mutate((data) => data.fill(5)); // shared with source: copied
    expect([numbers(source), numbers(v)]).toEqual([
      [1, 2],
      [5, 5],
    ]);
    const { storage } = v.value;
    v.mutate((data) => data.fill(6));
    expect(v.value.storage).toBe(storage);
    const seen = v.detach();
    v.mutate((data) => data.fill(7));
    expect([numbers(seen), numbers(v)]).toEqual([
      [6, 6],
      [7, 7],
    ]);
  });

  it("records nothing in noGrad, whatever happens in it", () => {
    const v = double([1]);
    expect(noGrad(() => noGrad(() => v.mul(2)).add(v)).requiresGrad).toBe(false);
    expect(() =>
      noGrad(() => {
        throw new Error("inside");
      }),
    ).toThrow("inside");
    expect(v.mul(2).requiresGrad).toBe(true);
    expect(v.greater(0).requiresGrad).toBe(false);
    expect(v.stopGradient().requiresGrad).toBe(false);
  });
});

describe("the tape as data", () => {
  it("shows ops, inputs, types and what is saved", () => {
    const w = variable(
      tensor([
        [1, 2],
        [3, 4],
      ]),
      { name: "W" },
    );
    const x = tensor([[1, -1]]);
    const y = relu(matmul(x, w)).sum();
    const tape = tapeOf(y);
    expect(tape.map(({ name, leaf, types }) => [name, leaf, types])).toEqual([
      ["W", true, ["float32(2, 2)"]],
      ["matmul", false, ["float32(1, 2)"]],
      ["relu", false, ["float32(1, 2)"]],
      ["sum", false, ["float32()"]],
    ]);
    const [leaf, product, active, total] = tape;
    expect([product.inputs, active.inputs, total.inputs]).toEqual([[leaf.id], [product.id], [active.id]]);
    expect(product.parents).toEqual([null, { id: leaf.id, output: 0 }]);
    expect(product.saved).toEqual([
      { role: "input 0", type: "float32(1, 2)", bytes: 8, parameter: false },
      { role: "input 1", type: "float32(2, 2)", bytes: 16, parameter: true },
    ]);
    expect(active.saved.map(({ role }) => role)).toEqual(["output 0"]);
    expect(total.saved).toEqual([]);
    expect(tapeMemory(y)).toEqual({ activations: 16, parameters: 16 });
    expect(structuredClone(tape)).toEqual(tape);
    y.backward();
    expect(tapeMemory(y)).toEqual({ activations: 0, parameters: 0 });
    expect(tapeOf(x)).toEqual([]);
  });

  it("shows what a checkpoint saves: nothing but its inputs", () => {
    const w = variable(tensor([1, 2]), { name: "w" });
    const deep = (x: Tensor) => x.sin().exp().tanh().sigmoid().sum();
    expect(tapeMemory(deep(w.mul(2))).activations).toBe(4 * 8 + 4); // sin's input, three outputs, and 2
    const y = checkpoint(deep)(w.mul(2));
    expect(tapeOf(y).map(({ name }) => name)).toEqual(["w", "mul", "checkpoint(deep)"]);
    expect(tapeMemory(y).activations).toBe(8 + 4);
  });
});

describe("checkpoints on the tape", () => {
  it("give the same gradients, to arguments and to variables used by closure, once", () => {
    const gradients = (wrap: <A extends unknown[], T>(f: (...args: A) => T) => (...args: A) => T) => {
      const [a, b] = [double([1, 2]), double([0.5, -0.5])];
      const block = wrap((x: Tensor) => x.mul(b).sin().mul(x));
      const first = wrap(() => b.exp())();
      block(block(a.add(1)))
        .add(first)
        .sum()
        .backward();
      return [numbers(a.grad as Tensor), numbers(b.grad as Tensor)].flat();
    };
    const plain = gradients((f) => f);
    expect(relativeError(gradients(checkpoint), plain)).toBeLessThan(1e-14);
  });
});
