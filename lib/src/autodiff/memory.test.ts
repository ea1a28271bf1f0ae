/** What derivatives hold is given back: after they ran, when the function throws, when a kernel interrupts them. */
import { setImmediate as turn } from "node:timers/promises";
import vm from "node:vm";
import { afterEach, describe, expect, it } from "vitest";
import { settle } from "../../test/support/garbage.js";
import {
  checkpoint,
  customVjp,
  grad,
  heapStats,
  hessian,
  jacobian,
  jvp,
  logSoftmax,
  matmul,
  ones,
  relu,
  type Tensor,
  tensor,
  tidy,
  toStatic,
  type Variable,
  valueAndGrad,
  variable,
  vjp,
  vmap,
} from "../index.js";

const live = () => heapStats().liveStorages;

const x = tensor([
  [0.5, -1, 2],
  [1, 0.3, -0.2],
]);
const labels = tensor([
  [1, 0],
  [0, 1],
]);

const forward = (w1: Tensor, w2: Tensor): Tensor => {
  const h = relu(matmul(x, w1));
  h.mean(); // a result that the loss does not need
  return logSoftmax(matmul(h, w2)).mul(labels).sum().neg();
};

const model = () =>
  [
    variable(
      tensor([
        [0.1, -0.2],
        [0.3, 0.4],
        [0.5, 0.6],
      ]),
    ),
    variable(
      tensor([
        [1, -1],
        [0.5, 2],
      ]),
    ),
  ] as const;

const descend = (w: Variable, g: Tensor) => w.assign(w.sub(g.mul(0.01)).detach());

/** Live storages before and after `steps` runs, beyond what the first few runs cache (shared scalars). */
function growth(step: () => void, steps: number): number {
  for (let i = 0; i < 5; i++) step();
  const before = live();
  for (let i = 0; i < steps; i++) step();
  return live() - before;
}

class Stop extends Error {}

describe("memory", () => {
  it("1,000 steps of the tape inside tidy leave nothing", () => {
    const [w1, w2] = model();
    const losses: number[] = [];
    const step = () =>
      tidy(() => {
        const loss = forward(w1, w2);
        loss.backward();
        losses.push(loss.item());
        for (const w of [w1, w2]) {
          descend(w, w.grad as Tensor);
          w.zeroGrad();
        }
      });
    expect(growth(step, 1000)).toBe(0);
    expect(losses[losses.length - 1]).toBeLessThan(losses[0] * 0.6);
  });

  it("1,000 steps of valueAndGrad leave nothing, inside tidy; outside, only what they return", () => {
    const [w1, w2] = model();
    const both = valueAndGrad((p: { w1: Tensor; w2: Tensor }) => forward(p.w1, p.w2));
    const params = { w1: w1 as Tensor, w2: w2 as Tensor };
    expect(
      growth(() => {
        tidy(() => {
          const [, g] = both(params);
          descend(w1, g.w1);
          descend(w2, g.w2);
        });
      }, 1000),
    ).toBe(0);
    // without tidy: x.mean() of the loss is a tensor that the function made from tracers, and is given back too
    expect(
      growth(() => {
        const [loss, g] = both(params);
        for (const t of [loss, g.w1, g.w2]) t.dispose();
      }, 100),
    ).toBe(0);
  });

  it("every transformation gives back what it saved and made on the way", () => {
    const v = tensor([0.3, -0.4, 1.1]);
    const f = (z: Tensor) => z.sin().mul(z.exp()).sum();
    const runs: Record<string, () => { dispose(): void } | { dispose(): void }[]> = {
      grad: () => grad(f)(v),
      "grad of grad": () => grad((z: Tensor) => grad(f)(z).square().sum())(v),
      "grad of checkpoint": () => grad(checkpoint(f))(v),
      "grad of customVjp": () => grad(customVjp(f, { backward: ([z], g) => [z.mul(g)] }))(v),
      vmap: () => vmap((z: Tensor) => z.sin().add(1))(v),
      vjp: () => {
        const { value, pull, release } = vjp(f, v);
        const one = ones([]);
        const found = [...pull(one), value, one];
        release();
        return found;
      },
      "an unused argument": () => grad((a: Tensor, _: Tensor) => f(a), { argnums: [0, 1] })(v, v),
    };
    for (const [name, run] of Object.entries(runs)) {
      const step = () => {
        for (const t of [run()].flat()) t.dispose();
      };
      expect(growth(step, 20), name).toBe(0);
    }
    for (const [name, run] of Object.entries({
      jacobian: () => jacobian((z: Tensor) => z.sin().mul(z))(v),
      hessian: () => hessian(f)(v),
      jvp: () => jvp(f, [v], [v]),
      "vmap of grad": () => vmap(grad((z: Tensor) => z.sin()))(v),
    })) {
      expect(
        growth(() => tidy(() => void run()), 20),
        name,
      ).toBe(0);
    }
  });

  it("a tape that nobody can reach is given back with its scope; one that is returned is not", () => {
    const [w1, w2] = model();
    expect(growth(() => tidy(() => void forward(w1, w2)), 20)).toBe(0);
    const loss = tidy(() => forward(w1, w2));
    tidy(() => loss.backward());
    expect(w1.grad?.shape).toEqual([3, 2]);
  });

  it("intermediate results may be disposed before backward: the tape has its own handles", () => {
    const w = variable(tensor([1, 2]));
    const a = w.square();
    const b = tidy(() => a.mul(a));
    const loss = b.sum();
    a.dispose();
    b.dispose();
    expect(() => a.add(1)).toThrow(/disposed|dispose\(\)/);
    loss.backward();
    expect(Array.from((w.grad as Tensor).toTypedArray())).toEqual([4, 32]);
    const inside = grad((z: Tensor) => {
      using square = z.square();
      return tidy(() => square.mul(square)).sum();
    });
    expect(Array.from(inside(tensor([1, 2])).toTypedArray())).toEqual([4, 32]);
    const twice = grad((z: Tensor) => inside(z).square().sum());
    expect(Array.from(twice(tensor([1, 2])).toTypedArray())).toEqual([2 * 4 * 12, 2 * 32 * 48]);
  });

  it("nothing stays when the function throws in the middle", () => {
    const [w1, w2] = model();
    const failing = (a: Tensor, b: Tensor): Tensor => {
      forward(a, b);
      throw new Stop();
    };
    const attempts: Record<string, () => unknown> = {
      tape: () => tidy(() => failing(w1, w2)),
      grad: () => tidy(() => grad(failing)(w1, w2)),
      "grad of vmap": () =>
        tidy(() => grad((a: Tensor) => vmap((z: Tensor) => failing(w1.value.mul(z.sum()), w2))(a).sum())(x)),
      jvp: () => tidy(() => jvp(failing, [w1, w2], [w1, w2])),
      "the reverse rule": () =>
        tidy(() => {
          const broken = customVjp((z: Tensor) => z.sin(), {
            backward: () => {
              throw new Stop();
            },
          });
          grad((z: Tensor) => broken(z.mul(2)).exp().sum())(x);
        }),
      "the reverse rule, on the tape": () =>
        tidy(() => {
          const h = matmul(x, w1);
          h.onGrad(() => {
            throw new Stop();
          });
          h.square().sum().backward();
        }),
    };
    for (const [name, attempt] of Object.entries(attempts))
      expect(
        growth(() => expect(attempt).toThrow(Stop), 20),
        name,
      ).toBe(0);
    // without tidy, grad still gives back its own
    expect(
      growth(
        () =>
          expect(() =>
            grad((z: Tensor) => {
              z.sin().exp();
              throw new Stop();
            })(x),
          ).toThrow(Stop),
        20,
      ),
    ).toBe(0);
    expect(w1.grad).toBeNull();
  });
});

/** Waits until at most `limit` storages are alive. */
const givenBack = (limit: number) =>
  expect
    .poll(
      async () => {
        await settle();
        return live();
      },
      { timeout: 120_000 }, // a busy machine collects late
    )
    .toBeLessThanOrEqual(limit);

describe("a variable's memory", () => {
  it("goes back when neither the variable nor its value can be reached, whatever was assigned", async () => {
    await settle();
    const before = live();
    const make = () => {
      const v = variable(tensor([1, 2]));
      for (let i = 0; i < 3; i++) tidy(() => v.assign(v.add(1).detach()));
      v.mutate((data) => {
        data[0] = 9;
      });
      return v;
    };
    const values = [make().value];
    await settle();
    expect(values[0].toArray()).toEqual([9, 5]);
    values.length = 0;
    await givenBack(before);
  });

  it("goes back with the graph that holds it as a constant", async () => {
    const use = (): void => {
      const own = toStatic((a: Tensor) => a.mul(tensor([[1, 2, 3]])).sum());
      const slope = toStatic((a: Tensor) => grad((z: Tensor) => z.square().sum())(a));
      tidy(() => [(own(x) as Tensor).item(), slope(x)].length);
    };
    use();
    await settle();
    const before = live();
    for (let i = 0; i < 10; i++) use();
    await givenBack(before);
  });

  it("is counted right when a variable is given its own value, or its value is disposed", () => {
    const before = live();
    const v = variable(tensor([1, 2]));
    v.assign(v.value);
    v.assign(v);
    expect(v.toArray()).toEqual([1, 2]);
    const view = v.value.reshape([2, 1]);
    v.value.dispose();
    expect(view.toArray()).toEqual([[1], [2]]);
    expect(() => v.add(1)).toThrow(/dispose/);
    v.dispose();
    expect(view.toArray()).toEqual([[1], [2]]);
    view.dispose();
    expect(live()).toBe(before + 1); // what the variable was made from
  });
});

describe("an interrupt, which skips every finally", () => {
  /** Runs `body` until it is terminated in the middle of a call, as the kernel's interrupt does it. @returns how often it was. */
  async function interrupted(body: () => void): Promise<number> {
    let calls = 0;
    let interrupts = 0;
    const context = vm.createContext({
      body,
      // the watchdog terminates whatever runs when the time is over: never between two calls of body for long
      count: () => calls++,
    });
    // on a busy machine the time may be over before the first call: then nothing was interrupted yet
    for (let limit = 60; calls === 0; limit *= 2, interrupts++)
      expect(() => vm.runInContext("for (;;) { count(); body(); }", context, { timeout: limit })).toThrow(
        /timed out/,
      );
    await turn();
    return interrupts;
  }

  const [w1, w2] = model();
  afterEach(() => {
    w1.zeroGrad();
    w2.zeroGrad();
  });

  it.each<[string, number, () => void]>([
    ["tape", 1, () => tidy(() => forward(w1, w2).backward())],
    ["grad", 1, () => tidy(() => void grad(forward, { argnums: [0, 1] })(w1, w2))],
    ["vmap of grad", 1, () => tidy(() => void vmap(grad((z: Tensor) => z.sin().mul(z).sum()))(x))],
    ["hessian", 2, () => tidy(() => void hessian((z: Tensor) => z.sin().mul(z).sum())(tensor([1, 2, 3])))],
  ])("of %s leaves neither memory nor a changed mode behind", async (_, ofValue, body) => {
    body();
    for (const w of [w1, w2]) w.zeroGrad();
    await settle();
    const before = live();
    let interrupts = 0;
    for (let round = 0; round < 5; round++) {
      interrupts += await interrupted(body);
      for (const w of [w1, w2]) w.zeroGrad();
      // Each may leave the value that nothing held yet when the interrupt came; in forward mode a value is two storages.
      await givenBack(before + ofValue * interrupts);
      const outside = tensor([1]);
      expect(tidy(() => w1.mul(2)).requiresGrad).toBe(true);
      expect(outside.isDisposed).toBe(false);
      outside.dispose();
    }
  });
});
