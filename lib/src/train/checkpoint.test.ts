import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { data, fit, Generator, nn, optim, type Tensor, tensor, train } from "../index.js";

const folder = mkdtempSync(join(tmpdir(), "mlsys-checkpoint-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const rows = () => {
  const generator = new Generator(3);
  const x = generator.normal([64, 4]);
  return data.batches({ x, y: x.sum(1, true).tanh() }, { size: 16 });
};

function start(seed: number) {
  const generator = new Generator(seed);
  const model = new nn.Sequential(
    new nn.Dense(4, 8, { generator }),
    new nn.BatchNorm(8),
    new nn.Tanh(),
    new nn.Dense(8, 1, { generator }),
  );
  const optimizer = new optim.Adam(model, { lr: optim.cosine(0.05, 40) });
  return { model, optimizer, history: new train.History() };
}

const go = async (t: ReturnType<typeof start>, epochs: number, more = {}) =>
  fit(t.model, rows(), { loss: nn.mse, progress: false, epochs, ...t, ...more });
const weights = (m: nn.Module) => [...m.stateDict()].map(([name, value]) => [name, value.toArray()]);

describe("checkpoints", () => {
  it.each([false, true])("go on as if there had been no break (captured: %s)", async (captured) => {
    const file = join(folder, `whole-${captured}.safetensors`);
    const [whole, broken, resumed] = [start(1), start(1), start(99)];
    await go(whole, 6, { static: captured });
    await go(broken, 3, { static: captured });
    await train.saveCheckpoint(file, broken);
    await go(broken, 1); // the file stays as it was written
    await train.loadCheckpoint(file, resumed);
    await go(resumed, 3, { static: captured });
    expect(weights(resumed.model)).toEqual(weights(whole.model));
    expect(resumed.history.loss).toEqual(whole.history.loss);
    expect(resumed.history.epochEnds).toEqual(whole.history.epochEnds);
  });

  it("assign nothing if anything does not fit", async () => {
    const file = join(folder, "other.safetensors");
    const t = start(1);
    await train.saveCheckpoint(file, { model: t.model, optimizer: t.optimizer });
    const other = start(2);
    const before = weights(other.model);
    const sgd = new optim.SGD(other.model, { lr: 1, momentum: 0.9 });
    await expect(train.loadCheckpoint(file, { model: other.model, optimizer: sgd })).rejects.toThrow(
      /SGD.loadStateDict: velocity.layers.0.weight is missing/,
    );
    await expect(train.loadCheckpoint(file, { model: new nn.Dense(2, 2) })).rejects.toThrow(
      /weight is missing; bias is missing; layers.0.weight is not in the model/,
    );
    await expect(train.loadCheckpoint(file, other)).rejects.toThrow(/this checkpoint has no history/);
    expect(weights(other.model)).toEqual(before);
    await train.saveSafetensors(file, { w: tensor(1) }, { history: "{}" });
    await expect(train.loadCheckpoint(file, other)).rejects.toThrow(/history of this checkpoint is damaged/);
  });

  it("are written while training, the latest few kept", async () => {
    const t = start(1);
    const target = join(folder, "run");
    await go(t, 2, { callbacks: [train.checkpoints(target, { ...t, everySteps: 3, keep: 1 })] });
    expect(readdirSync(target)).toEqual(["step-6.safetensors"]);
    await go(t, 2, { callbacks: [train.checkpoints(target, t)] });
    expect(readdirSync(target).sort()).toEqual([
      "step-12.safetensors",
      "step-16.safetensors",
      "step-6.safetensors",
    ]);
    expect(() => train.checkpoints(target, { ...t, keep: 0 })).toThrow(
      /keep is a whole number from 1, got 0/,
    );
  });
});

describe("earlyStopping", () => {
  const scores = (values: number[]) => {
    let next = 0;
    return { score: () => tensor(values[Math.floor(next++)]) };
  };
  const one = data.batches({ x: tensor([[1, 2, 3, 4]]), y: tensor([[1]]) }, { size: 1 });
  const run = async (values: number[], options: train.EarlyStoppingOptions) => {
    const t = start(5);
    t.model.remove(1); // one row has no variance
    const seen: unknown[] = [];
    const { epochEnds } = await fit(t.model, one, {
      loss: nn.mse,
      optimizer: new optim.SGD(t.model, { lr: 0.01 }),
      progress: false,
      epochs: 9,
      metrics: scores(values) as Record<string, (p: Tensor, y: Tensor) => Tensor>,
      validation: one,
      callbacks: [
        { onEpoch: () => void seen.push(weights(t.model)) },
        train.earlyStopping({ ...options, restore: options.restore && t.model }),
      ],
    });
    return { epochs: epochEnds.length, seen, last: weights(t.model) };
  };

  it("ends when nothing gets better, and gives the best weights back", async () => {
    const { epochs, seen, last } = await run([1, 3, 2, 3, 2.5, 9, 9, 9, 9], {
      metric: "score",
      patience: 3,
      restore: start(1).model,
    });
    expect(epochs).toBe(5);
    expect(last).toEqual(seen[1]);
    expect(
      (await run([5, 4, 3, 3.5, 3.5, 1, 1, 1, 1], { metric: "score", better: "less", patience: 2 })).epochs,
    ).toBe(5);
    expect(
      (await run([1, 1.9, 2, 5, 5, 5, 5, 5, 5], { metric: "score", least: 1, patience: 2 })).epochs,
    ).toBe(3);
    expect((await run([0, 0, 0, 0, 0, 0, 0, 0, 0], {})).epochs).toBe(9); // the loss falls all the time
  });

  it("says what it was given wrongly", async () => {
    expect(() => train.earlyStopping({ patience: 0 })).toThrow(/patience is a whole number from 1, got 0/);
    await expect(run([1], { metric: "f1" })).rejects.toThrow(/no metric f1; there are loss, score/);
  });
});

describe("clipNorm", () => {
  it.each([false, true])("limits each step (captured: %s)", async (captured) => {
    const model = new nn.Dense(1, 1, { bias: false });
    model.weight.assign([[0]]);
    const steep = data.batches({ x: tensor([[100]]), y: tensor([[100]]) }, { size: 1 });
    const options = {
      loss: nn.mse,
      optimizer: new optim.SGD(model, { lr: 0.5 }),
      progress: false,
      static: captured,
    };
    await fit(model, steep, { ...options, clipNorm: 1, epochs: 2 });
    expect(model.weight.item()).toBeCloseTo(1, 5);
    await expect(fit(model, steep, { ...options, clipNorm: 0 })).rejects.toThrow(
      /clipNorm is above 0, got 0/,
    );
  });
});
