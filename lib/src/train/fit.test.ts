import { setTimeout as sleep, setImmediate as turn } from "node:timers/promises";
import vm from "node:vm";
import { afterEach, describe, expect, it, vi } from "vitest";
import {
  data,
  fit,
  Generator,
  getDevice,
  heapStats,
  nn,
  optim,
  setDevice,
  type Tensor,
  tensor,
  train,
} from "../index.js";

const { batches, Dataset } = data;

/** Points around three centres, the same at each run. */
function points(count: number, seed = 1): { x: Tensor; y: Tensor } {
  const generator = new Generator(seed);
  const y = generator.randint([count], 0, 3);
  const centres = tensor([
    [2, 0],
    [-2, 1],
    [0, -2],
  ]);
  return { x: centres.take(y).add(generator.normal([count, 2], 0, 0.4)), y };
}

function classifier(seed = 2) {
  const generator = new Generator(seed);
  const model = new nn.Sequential(
    new nn.Dense(2, 8, { generator }),
    new nn.ReLU(),
    new nn.Dense(8, 3, { generator }),
  );
  return { model, optimizer: new optim.Adam(model, { lr: 0.02 }) };
}

const quiet = { loss: nn.crossEntropy, progress: false } as const;
const weightsOf = (model: nn.Module) => [...model.stateDict()].map(([name, t]) => [name, t.toArray()]);
const publish = Symbol.for("Jupyter.publish");

afterEach(() => {
  delete (globalThis as Record<symbol, unknown>)[publish];
  vi.restoreAllMocks();
});

describe("fit", () => {
  it.each([false, true])("adds a penalty on the weights to the loss (captured: %s)", async (captured) => {
    const model = new nn.Dense(2, 1, { bias: false });
    const before = model.weight.value.toArray();
    const history = await fit(model, batches({ x: tensor([[0, 0]]), y: tensor([[0]]) }, { size: 1 }), {
      ...{ loss: nn.mse, progress: false, static: captured },
      penalty: (m) => (m as nn.Dense).weight.square().sum(),
      optimizer: new optim.SGD(model, { lr: 0.25 }),
    });
    const [[a], [b]] = before as number[][];
    expect(history.loss[0]).toBeCloseTo(a * a + b * b, 5);
    expect(model.weight.mul(2).toArray()).toEqual(before); // w − 0.25·2w
  });

  it.each([false, true])("learns; the history has each step and epoch (captured: %s)", async (captured) => {
    const { model, optimizer } = classifier();
    const history = await fit(model, batches(points(200), { size: 32, shuffle: true }), {
      ...quiet,
      optimizer,
      epochs: 8,
      metrics: { accuracy: train.accuracy },
      validation: batches(points(100, 9), { size: 30 }),
      static: captured,
    });
    expect(history.loss).toHaveLength(8 * 7);
    expect(history.epochEnds).toEqual([7, 14, 21, 28, 35, 42, 49, 56]);
    expect(history.metrics.accuracy).toHaveLength(8);
    expect(history.metrics.accuracy.at(-1)).toBeGreaterThan(0.95);
    expect(history.epochLoss(7)).toBeLessThan(history.epochLoss(0) / 3);
    expect(model.training).toBe(true);
  });

  it("gives the same weights eagerly and captured", async () => {
    const runs = await Promise.all(
      [false, true].map(async (captured) => {
        const { model, optimizer } = classifier();
        await fit(model, batches(points(96), { size: 32, shuffle: true, seed: 3 }), {
          ...quiet,
          optimizer,
          epochs: 3,
          static: captured,
        });
        return model.parameters().flatMap((p) => Array.from(p.toTypedArray()));
      }),
    );
    const worst = Math.max(...runs[0].map((v, i) => Math.abs(v - runs[1][i])));
    expect(worst).toBeLessThan(1e-5);
  });

  it.each([false, true])(
    "holds no more memory after 1,000 steps than after 50 (captured: %s)",
    async (captured) => {
      const { model, optimizer } = classifier();
      const live: [number, number][] = [];
      await fit(model, batches(points(100), { size: 10, shuffle: true }), {
        ...quiet,
        optimizer,
        epochs: 100,
        static: captured,
        callbacks: [
          {
            onStep({ step }) {
              if (step % 50 === 0) live.push([heapStats().liveBytes, heapStats().liveStorages]);
            },
          },
        ],
      });
      expect(live).toHaveLength(20);
      for (const [bytes, storages] of live) {
        expect(bytes).toBeLessThanOrEqual(live[0][0]);
        expect(storages).toBeLessThanOrEqual(live[0][1]);
      }
    },
    60_000,
  );

  it("keeps batches that were there before, and gives back those made for it", async () => {
    const { model, optimizer } = classifier();
    const own = [points(8), points(8, 2)];
    await fit(model, own, {
      ...quiet,
      optimizer,
      epochs: 3,
      validation: own,
      metrics: { a: train.accuracy },
    });
    expect(own[1].x.toArray()).toHaveLength(8);

    const made: Tensor[] = [];
    const source = Dataset.from([1, 2, 3]).map((seed) => {
      const batch = points(4, seed);
      made.push(batch.x, batch.y);
      return batch;
    });
    await fit(model, source, { ...quiet, optimizer });
    for (const t of made) expect(() => t.toArray()).toThrow(/after dispose/);

    const held = Dataset.from([1, 2, 3, 4]) // made for one element, used for a later one
      .map((seed) => points(4, seed))
      .shuffle(3);
    await fit(model, held, { ...quiet, optimizer, epochs: 2 });
  });

  it("stops where a callback says, and lets iterators end", async () => {
    const { model, optimizer } = classifier();
    let closed = 0;
    const source = Dataset.from(function* () {
      try {
        for (let i = 0; ; i++) yield points(4, i);
      } finally {
        closed++;
      }
    });
    const seen: string[] = [];
    const history = await fit(model, source, {
      ...quiet,
      optimizer,
      epochs: 10,
      callbacks: [
        {
          async onStep({ step, epoch, stop, loss, history: h }) {
            await null;
            expect(h.loss.at(-1)).toBe(loss);
            seen.push(`step ${step} of epoch ${epoch}`);
            if (step === 3) stop();
          },
          onEpoch: ({ epoch }) => void seen.push(`end of epoch ${epoch}`),
        },
      ],
    });
    expect(seen).toEqual(["step 1 of epoch 0", "step 2 of epoch 0", "step 3 of epoch 0", "end of epoch 0"]);
    expect([history.loss.length, history.epochEnds, closed]).toEqual([3, [3], 1]);
  });

  it("stops when a signal fires; the history is there, the model usable", async () => {
    const { model, optimizer } = classifier();
    const controller = new AbortController();
    const validation = batches(points(10), { size: 5 });
    const walk = vi.spyOn(validation, Symbol.iterator as never);
    const history = await fit(model, batches(points(100), { size: 10 }), {
      ...quiet,
      optimizer,
      epochs: 5,
      signal: controller.signal,
      metrics: { accuracy: train.accuracy },
      validation,
      callbacks: [{ onStep: ({ step }) => step === 14 && controller.abort() }] as train.Callback[],
    });
    expect(history.loss).toHaveLength(14);
    expect(history.epochEnds).toEqual([10, 14]);
    expect(history.metrics.accuracy).toHaveLength(1);
    expect(walk).toHaveBeenCalledTimes(1);
    expect(model.forward(points(2).x).shape).toEqual([2, 3]);

    const none = await fit(model, batches(points(100), { size: 10 }), {
      ...quiet,
      optimizer,
      signal: controller.signal,
    });
    expect(none.loss).toEqual([]);
  });

  it("answers a timer while it trains: interrupts get through", async () => {
    const { model, optimizer } = classifier();
    const controller = new AbortController();
    setTimeout(() => controller.abort(), 20);
    const endless = Dataset.from(function* () {
      for (let i = 0; ; i++) yield points(64, i % 5);
    });
    const history = await fit(model, endless, { ...quiet, optimizer, signal: controller.signal });
    expect(history.loss.length).toBeGreaterThan(0);
  });

  it("fills the history that it is given, so that an error or an interrupt leaves it", async () => {
    const { model, optimizer } = classifier();
    const history = new train.History(["accuracy"]);
    const broken = Dataset.from(function* () {
      yield points(4);
      yield points(4, 2);
      throw new Error("disk on fire");
    });
    await expect(fit(model, broken, { ...quiet, optimizer, history })).rejects.toThrow("disk on fire");
    expect(history.loss).toHaveLength(2);
    const steps: number[] = [];
    await fit(model, [points(4)], {
      ...quiet,
      optimizer,
      history,
      epochs: 2,
      callbacks: [{ onStep: ({ step, epoch }) => void steps.push(step, epoch) }],
    });
    expect([history.loss.length, history.epochEnds, steps]).toEqual([4, [3, 4], [3, 0, 4, 1]]);
  });

  it.each([false, true])(
    "refuses a loss that is no number; the weights are those before (captured: %s)",
    async (captured) => {
      const { model, optimizer } = classifier();
      const good = points(4);
      const bad = {
        x: tensor([
          [Number.NaN, 1],
          [1, 1],
          [1, 1],
          [1, 1],
        ]),
        y: good.y,
      };
      const before = new Map<number, unknown>();
      const history = new train.History();
      const live = heapStats().liveStorages;
      await expect(
        fit(model, [good, good, bad, good], {
          ...quiet,
          optimizer,
          history,
          static: captured,
          callbacks: [{ onStep: ({ step }) => void before.set(step, weightsOf(model)) }],
        }),
      ).rejects.toThrow(
        "fit: the loss is NaN at step 2 (epoch 1); lower the learning rate or look for bad inputs. The weights are those before this step",
      );
      expect(weightsOf(model)).toEqual(before.get(2));
      expect(history.loss).toHaveLength(2);
      expect(heapStats().liveStorages - live).toBeLessThan(100);
      await fit(model, [good], { ...quiet, optimizer, static: captured });
    },
  );

  it.each([false, true])(
    "leaves history and usable weights when a kernel interrupts it, which skips every finally (captured: %s)",
    async (captured) => {
      const { model, optimizer } = classifier();
      const history = new train.History();
      const options = { ...quiet, optimizer, history, static: captured };
      await fit(model, [points(16)], options);
      const endless = Dataset.from(function* () {
        for (let i = 0; ; i++) yield points(16, i % 7);
      });
      for (let round = 0; round < 6; round++) {
        const leave = new AbortController();
        let training: Promise<unknown> = new Promise(() => {}); // as long as fit has not got to its first await
        const start = () => {
          training = fit(model, endless, { ...options, signal: leave.signal });
        };
        const context = vm.createContext({ start });
        // the time is over before fit first lets the event loop turn: the step that runs then is cut off
        expect(() => vm.runInContext("start(); for (;;) {}", context, { timeout: 20 + 4 * round })).toThrow(
          /timed out/,
        );
        // on a busy machine fit may have let the loop turn before: then it was not cut off, and ends by itself
        leave.abort();
        await Promise.race([training, sleep(100)]);
        for (const p of model.parameters()) expect(p.toTypedArray().every(Number.isFinite)).toBe(true);
        const steps = history.loss.length;
        await fit(model, [points(16, 3)], options);
        expect(history.loss).toHaveLength(steps + 1);
      }
      expect(history.loss.length).toBeGreaterThanOrEqual(7);
      expect(history.loss.every(Number.isFinite)).toBe(true);
      const outside = tensor([1]);
      await turn();
      expect(outside.isDisposed).toBe(false);
    },
  );

  it("has no scopes left open after an error in the loss", async () => {
    const { model, optimizer } = classifier();
    const failing = () => {
      throw new Error("no such loss");
    };
    await expect(fit(model, [points(4)], { ...quiet, optimizer, loss: failing })).rejects.toThrow(
      "no such loss",
    );
    const kept = tensor([1]);
    await null;
    expect(kept.toArray()).toEqual([1]);
  });

  it("names what it cannot use", async () => {
    const { model, optimizer } = classifier();
    const metrics = { accuracy: train.accuracy };
    await expect(fit(model, [], { ...quiet, optimizer })).rejects.toThrow("fit: the data has no batch");
    const once = (function* () {
      yield points(4);
    })();
    await expect(fit(model, once, { ...quiet, optimizer, epochs: 2 })).rejects.toThrow(
      /no batch in epoch 2; a generator can be walked only once/,
    );
    await expect(fit(model, [points(4)], { ...quiet, optimizer, metrics })).rejects.toThrow(
      "fit: the metrics accuracy need data: give validation",
    );
    await expect(fit(model, [points(4)], { ...quiet, optimizer, epochs: 1.5 })).rejects.toThrow(
      /number of epochs is a whole number from 0, got 1.5/,
    );
    expect(() => train.evaluate(model, [], metrics)).toThrow("evaluate: the data has no row");
  });

  it("runs on the reference device as well", async () => {
    const before = getDevice();
    setDevice("cpu");
    try {
      const { model, optimizer } = classifier();
      const history = await fit(model, batches(points(64), { size: 16 }), { ...quiet, optimizer, epochs: 4 });
      expect(history.epochLoss(3)).toBeLessThan(history.epochLoss(0));
    } finally {
      setDevice(before);
    }
  });
});

describe("evaluate", () => {
  it("weighs batches by their rows, without dropout, and leaves the mode as it was", () => {
    const model = new nn.Sequential(new nn.Dropout(0.9), new nn.Flatten());
    const x = tensor([[1], [2], [3], [4], [100]]);
    const y = tensor([[0], [0], [0], [0], [0]]);
    const metrics = { value: (p: Tensor) => p.mean(), rows: (p: Tensor) => tensor(p.shape[0]) };
    const scores = train.evaluate(model, batches({ x, y }, { size: 2 }), metrics);
    expect(scores.value).toBeCloseTo(22, 6); // (1.5·2 + 3.5·2 + 100)/5: the mean over all rows
    expect(scores.rows).toBeCloseTo((2 * 2 + 2 * 2 + 1) / 5, 6);
    expect([model.training, model.layers[0].training]).toEqual([true, true]);
    model.eval();
    train.evaluate(model, [{ x, y }], metrics);
    expect(model.training).toBe(false);
    const failing = { metric: () => tensor([1, 2]) };
    model.train();
    expect(() => train.evaluate(model, [{ x, y }], failing)).toThrow(/item/);
    expect(model.training).toBe(true);
  });

  it("measures accuracy", () => {
    const logits = tensor([
      [3, 1, 2],
      [0, 5, 1],
      [1, 2, 3],
      [9, 1, 1],
    ]);
    expect(train.accuracy(logits, tensor([0, 1, 1, 0], { dtype: "uint8" })).item()).toBe(0.75);
  });
});

describe("progress of fit", () => {
  const run = async (options: Partial<train.FitOptions> = {}) => {
    const { model, optimizer } = classifier();
    await fit(model, batches(points(40), { size: 10 }), {
      loss: nn.crossEntropy,
      optimizer,
      epochs: 2,
      metrics: { accuracy: train.accuracy },
      validation: batches(points(10), { size: 10 }),
      ...options,
    });
  };
  type Message = { bundle: Record<string, unknown>; options?: { displayId?: string; update?: boolean } };
  const listen = (): Message[] => {
    const messages: Message[] = [];
    (globalThis as Record<symbol, unknown>)[publish] = (
      bundle: Message["bundle"],
      options: Message["options"],
    ) => messages.push({ bundle, options });
    return messages;
  };

  it("in a notebook is a bar per epoch and a curve, each updated in its place", async () => {
    const messages = listen();
    const write = vi.spyOn(process.stderr, "write");
    await run();
    const byId = new Map<string, Message[]>();
    for (const m of messages) {
      const id = m.options?.displayId ?? "";
      byId.set(id, [...(byId.get(id) ?? []), m]);
      expect(typeof m.bundle["text/plain"]).toBe("string");
    }
    expect(byId.size).toBe(3);
    for (const list of byId.values()) {
      expect(list.map((m) => m.options?.update)).toEqual(list.map((_, i) => i > 0));
    }
    const plots = messages.filter((m) => "application/vnd.plotly.v1+json" in m.bundle);
    const drawings = messages.filter((m) => "image/svg+xml" in m.bundle);
    expect(drawings.length).toBeGreaterThan(1);
    expect(plots).toHaveLength(1);
    expect(messages.indexOf(plots[0])).toBeGreaterThan(messages.indexOf(drawings.at(-1) as Message));
    const last = JSON.parse(JSON.stringify(plots.at(-1)?.bundle["application/vnd.plotly.v1+json"]));
    expect(last.data.map((t: { name: string }) => t.name)).toEqual(["loss", "accuracy"]);
    expect(last.data[0].x).toEqual([1, 2, 3, 4, 5, 6, 7, 8]);
    expect(last.data[1].x).toEqual([4, 8]);
    const bars = messages.filter((m) => "text/html" in m.bundle);
    expect(bars.at(-1)?.bundle["text/plain"]).toMatch(
      /^epoch 2\/2 · 4\/4 · \d+ s · loss \d\.\d{4} · accuracy \d\.\d{4}$/,
    );
    expect(bars.at(-1)?.bundle["text/html"]).toMatch(/width:100\.0%/);
    expect(write).not.toHaveBeenCalled();
  });

  it("can be switched off", async () => {
    const messages = listen();
    await run({ progress: false });
    expect(messages).toEqual([]);
  });

  it("outside of notebooks and terminals is silent", async () => {
    const write = vi.spyOn(process.stderr, "write").mockReturnValue(true);
    const out = vi.spyOn(process.stdout, "write").mockReturnValue(true);
    const tty = process.stderr.isTTY;
    try {
      process.stderr.isTTY = false;
      await run();
      expect([write.mock.calls, out.mock.calls]).toEqual([[], []]);
      process.stderr.isTTY = true;
      await run();
    } finally {
      process.stderr.isTTY = tty;
    }
    const text = write.mock.calls.map(([chunk]) => String(chunk));
    expect(text.length).toBeGreaterThan(0);
    expect(text.every((chunk) => chunk.startsWith("\r\x1b[K"))).toBe(true);
    expect(text.at(-1)).toMatch(/epoch 2\/2 · 4\/4 .*\n$/);
  });
});
