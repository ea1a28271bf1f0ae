/**
 * No leak over 1,000 training steps, whichever way they are written: a network with convolution, batch and layer normalization and
 * dropout, trained by Adam. Counted are storages and bytes of the shared heap, and what JavaScript holds.
 */
import { describe, expect, it } from "vitest";
import { settle } from "../../test/support/garbage.js";
import {
  fit,
  grad,
  heapStats,
  manualSeed,
  nn,
  optim,
  random,
  type Tensor,
  tensor,
  tidy,
  toStatic,
  valueAndGrad,
  vmap,
} from "../index.js";

const counts = () => ({ storages: heapStats().liveStorages, bytes: heapStats().liveBytes });
const jsHeap = (): number => process.memoryUsage().heapUsed;
const MEBIBYTE = 2 ** 20;

/** Waits until no more is alive than `before`: the collector may take one step's tensors in its next round only. */
async function givenBack(before: ReturnType<typeof counts>, when: string): Promise<void> {
  const beyond = async () => {
    await settle();
    const now = counts();
    return Math.max(now.storages - before.storages, now.bytes - before.bytes);
  };
  await expect
    .poll(beyond, { timeout: 20_000, message: `beyond what was alive, ${when}` })
    .toBeLessThanOrEqual(0);
}

interface Training {
  readonly model: nn.Sequential;
  readonly optimizer: optim.Adam;
  readonly x: Tensor;
  readonly y: Tensor;
}

function training(): Training {
  manualSeed(3);
  const model = new nn.Sequential(
    new nn.Conv2d(1, 3, 3, { padding: 1 }),
    new nn.BatchNorm(3),
    new nn.ReLU(),
    new nn.MaxPool2d(2),
    new nn.Flatten(),
    new nn.Dense(12, 8),
    new nn.LayerNorm(8),
    new nn.Tanh(),
    new nn.Dropout(0.2),
    new nn.Dense(8, 3),
  );
  const x = random.normal(random.key(1), [6, 1, 4, 4]);
  const y = tensor(Int32Array.from([0, 1, 2, 0, 1, 2]));
  return { model, optimizer: new optim.Adam(model, { lr: 3e-3 }), x, y };
}

/** What one step does, by the way in which it is written; each returns the loss. */
const WAYS: Readonly<Record<string, (t: Training) => () => number>> = {
  "gradients as values (valueAndGrad)": ({ model, optimizer, x, y }) => {
    const both = valueAndGrad((m: nn.Sequential) => nn.crossEntropy(m.forward(x), y));
    return () =>
      tidy(() => {
        const [loss, gradients] = both(model);
        optimizer.step(gradients);
        return loss.item();
      });
  },
  "the tape (backward)": ({ model, optimizer, x, y }) => {
    return () =>
      tidy(() => {
        const loss = nn.crossEntropy(model.forward(x), y);
        loss.backward();
        optimizer.step();
        optimizer.zeroGrad();
        return loss.item();
      });
  },
  "a captured graph (toStatic)": ({ model, optimizer, x, y }) => {
    const step = toStatic((a: Tensor, b: Tensor) => {
      const [loss, gradients] = valueAndGrad((m: nn.Sequential) => nn.crossEntropy(m.forward(a), b))(model);
      optimizer.step(gradients);
      return loss;
    });
    return () => tidy(() => (step(x, y) as Tensor).item());
  },
};

describe("1,000 steps", { timeout: 300_000 }, () => {
  it.each(Object.keys(WAYS))("by %s leave what the first steps left", async (way) => {
    const run = WAYS[way](training());
    const losses: number[] = new Array<number>(1000);
    for (let k = 0; k < 100; k++) run();
    await settle();
    const [before, heap] = [counts(), jsHeap()];
    for (let k = 0; k < 1000; k++) {
      losses[k] = run();
      // not only in the end: no step may hold more than the one before
      if (k % 100 === 99) expect(counts(), `after ${k + 1} steps`).toEqual(before);
    }
    await settle();
    expect(counts()).toEqual(before);
    expect(jsHeap() - heap).toBeLessThan(2 * MEBIBYTE);
    const mean = (part: number[]): number => part.reduce((a, b) => a + b) / part.length;
    expect(mean(losses.slice(-50))).toBeLessThan(mean(losses.slice(0, 50)));
  });

  it.each(Object.keys(WAYS).filter((way) => !way.includes("graph")))(
    "by %s without tidy: the garbage collector gives back what is unreachable",
    async (way) => {
      const { model, optimizer, x, y } = training();
      const both = valueAndGrad((m: nn.Sequential) => nn.crossEntropy(m.forward(x), y));
      const step = (): void => {
        if (way.includes("tape")) {
          nn.crossEntropy(model.forward(x), y).backward();
          optimizer.step();
          optimizer.zeroGrad();
        } else optimizer.step(both(model)[1]);
      };
      for (let k = 0; k < 50; k++) step();
      await settle();
      const before = counts();
      for (let k = 0; k < 1000; k++) {
        step();
        if (k % 200 === 199) await givenBack(before, `after ${k + 1} steps`);
      }
    },
  );

  it.each([false, true])("of fit (static: %s) leave what its first steps left", async (captured) => {
    const { model, optimizer, x, y } = training();
    const batches = { *[Symbol.iterator]() { for (let k = 0; k < 1100; k++) yield { x, y }; } }; // biome-ignore format: one line
    await settle(); // what the tests before left
    const seen: ReturnType<typeof counts>[] = [];
    const history = await fit(model, batches, {
      loss: nn.crossEntropy,
      optimizer,
      static: captured,
      progress: false,
      callbacks: [{ onStep: ({ step }) => void (step % 100 === 0 && seen.push(counts())) }],
    });
    expect(history.loss).toHaveLength(1100);
    expect(seen).toHaveLength(11);
    for (const at of seen.slice(1)) expect(at).toEqual(seen[1]);
  });

  it("of gradients per example (vmap of grad) leave nothing", async () => {
    const { x } = training();
    const w = random.normal(random.key(2), [16]);
    const each = vmap(grad((row: Tensor) => row.mul(w).sum().tanh().square()));
    const rows = x.reshape([6, 16]);
    const run = (): void => tidy(() => void each(rows).sum().item());
    for (let k = 0; k < 20; k++) run();
    await settle();
    const before = counts();
    for (let k = 0; k < 1000; k++) run();
    expect(counts()).toEqual(before);
  });

  it("a graph that is dropped is given back with its constants", async () => {
    const use = (): void => {
      const own = toStatic((a: Tensor) => a.mul(tensor([1, 2, 3])).sum());
      tidy(() => (own(tensor([4, 5, 6])) as Tensor).item());
    };
    use();
    await settle();
    const before = counts();
    for (let k = 0; k < 20; k++) use();
    await settle();
    expect(counts()).toEqual(before);
  });

  it("a model that is dropped is given back with its optimizer", async () => {
    const use = (): void => {
      const run = WAYS["a captured graph (toStatic)"](training());
      for (let k = 0; k < 3; k++) run();
    };
    use();
    await settle();
    const before = counts();
    for (let k = 0; k < 5; k++) use();
    await settle();
    expect(counts()).toEqual(before);
  });
});
