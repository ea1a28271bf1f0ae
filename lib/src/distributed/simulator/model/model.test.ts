import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { scheduleRule } from "../../pipeline/schedules/index.js";
import { dgxA100 } from "../cluster/cluster.js";
import { DEVICES } from "../cluster/presets.js";
import { simulateEveryDevice } from "./every-device.js";
import { layerActivationBytes, memoryPerDevice, STATES, stateBytes } from "./memory.js";
import { completePlan, deviceAt, type Plan } from "./plan.js";
import { simulateStep } from "./step.js";
import {
  flopsPerSequence,
  layerSeconds,
  parameterCount,
  productSeconds,
  type Transformer,
} from "./transformer.js";

const GPT3: Transformer = { layers: 96, hidden: 12288, heads: 96, sequence: 2048, vocabulary: 51200 };
const small: Transformer = { layers: 8, hidden: 2048, heads: 16, sequence: 1024, vocabulary: 32000 };

describe("a transformer's cost", () => {
  it("GPT-3 has 174.6 billion parameters, and about six operations for each and token", () => {
    expect(parameterCount(GPT3) / 1e9).toBeCloseTo(174.6, 1);
    // equation 3 of Narayanan et al. 2021, with recomputation, for a batch of 1
    const { layers: l, hidden: h, sequence: s, vocabulary: V } = GPT3;
    const equation = 96 * s * l * h ** 2 * (1 + s / (6 * h) + V / (16 * l * h));
    expect(flopsPerSequence(GPT3, "full") / equation).toBeCloseTo(1, 9);
    expect(flopsPerSequence(GPT3) / (6 * parameterCount(GPT3) * s)).toBeCloseTo(1.025, 2);
    expect(flopsPerSequence(GPT3, "selective")).toBeGreaterThan(flopsPerSequence(GPT3));
  });

  it("the book's figures: 100 billion parameters, GPT-3's gradients, a terabyte over InfiniBand", () => {
    const billion = 1e9;
    // 100 B in float32: 400 GB; gradients double that; activations of like size make the book's 1.2 TB and more
    const { parameters, gradients } = stateBytes(100 * billion, 1, 0, STATES.float32);
    expect(parameters).toBe(400e9);
    expect(parameters + gradients + 400e9).toBe(1.2e12);
    expect(Math.ceil(1.2e12 / DEVICES.a100.memory)).toBe(15); // of 80 GB, at the least
    // GPT-3's gradients in float32: 700 GB. Three replicas hold 2.1 TB; 1.4 TB is what the two others must send to one
    const bytes = 175 * billion * 4;
    expect(bytes).toBe(700e9);
    expect(3 * bytes).toBe(2.1e12);
    expect(2 * bytes).toBe(1.4e12);
    // 1 TB at 200 Gb/s: 40 s at the least
    expect(1e12 / (200e9 / 8)).toBe(40);
  });

  it("products: more work is never faster, a large one reaches the device's rate, a small one its memory's", () => {
    const one = (rows: number, columns: number, inner: number): number =>
      productSeconds(DEVICES.a100, { batch: 1, rows, columns, inner });
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 5000 }),
        fc.integer({ min: 1, max: 5000 }),
        fc.integer({ min: 1, max: 5000 }),
        (m, n, k) => {
          expect(one(m + 64, n, k)).toBeGreaterThanOrEqual(one(m, n, k) * (1 - 1e-12));
          expect(one(m, n, k + 64)).toBeGreaterThanOrEqual(one(m, n, k));
        },
      ),
    );
    const large = (2 * 16384 ** 3) / one(16384, 16384, 16384) / DEVICES.a100.flops;
    expect(large).toBeGreaterThan(0.64);
    expect(large).toBeLessThanOrEqual(DEVICES.a100.productEfficiency);
    expect(one(1, 8192, 8192)).toBeGreaterThan((2 * 8192 ** 2) / DEVICES.a100.memoryBandwidth);
  });

  it("tensor parallelism divides a layer's time, by no more than its devices", () => {
    const time = (tensor: number): number => layerSeconds(DEVICES.a100, GPT3, 1, { tensor }).forward;
    for (const tensor of [2, 4, 8]) {
      expect(time(tensor)).toBeLessThan(time(1));
      expect(time(tensor)).toBeGreaterThan(time(1) / tensor);
    }
    expect(() => layerSeconds(DEVICES.a100, GPT3, 1, { tensor: 7 })).toThrow(
      "96 heads can't be split evenly over 7",
    );
  });
});

describe("memory", () => {
  it("ZeRO's table, cell by cell (Rajbhandari et al. 2020, table 1; GB)", () => {
    // https://arxiv.org/abs/1910.02054, table 1: stages 1, 2, 3 for 7.5B, 128B, 1T; by replicas
    const table: Readonly<Record<number, readonly number[]>> = {
      1: [120, 120, 120, 2048, 2048, 2048, 16000, 16000, 16000],
      4: [52.5, 41.3, 30, 896, 704, 512, 7000, 5500, 4000],
      16: [35.6, 21.6, 7.5, 608, 368, 128, 4750, 2875, 1000],
      64: [31.4, 16.6, 1.88, 536, 284, 32, 4187, 2218, 250],
      256: [30.4, 15.4, 0.47, 518, 263, 8, 4046, 2054, 62.5],
      1024: [30.1, 15.1, 0.12, 513, 257, 2, 4011, 2013, 15.6],
    };
    for (const [replicas, row] of Object.entries(table))
      for (const [i, parameters] of [7.5e9, 128e9, 1e12].entries())
        for (const zero of [1, 2, 3] as const) {
          const printed = row[3 * i + zero - 1];
          const ours = stateBytes(parameters, Number(replicas), zero).total / 1e9;
          // within what the paper rounds (or cuts) off
          expect(Math.abs(ours - printed)).toBeLessThan(printed >= 100 ? 1 : printed > 2 ? 0.06 : 0.006);
        }
  });

  it("a layer's activations: 34 + 5as/h by s·b·h; split, selective, full (Korthikanti et al. 2022)", () => {
    const sbh = 2048 * 12288;
    expect((5 * 96 * 2048) / 12288).toBe(80); // GPT-3's, as the paper says
    expect(layerActivationBytes(GPT3, 1)).toBe(sbh * 114);
    expect(layerActivationBytes(GPT3, 1, { tensor: 8 })).toBe(sbh * (10 + 3 + 10));
    expect(layerActivationBytes(GPT3, 1, { tensor: 8, sequenceParallel: true })).toBeCloseTo(
      (sbh * 114) / 8,
      3,
    );
    expect(
      layerActivationBytes(GPT3, 1, { tensor: 8, sequenceParallel: true, recompute: "selective" }),
    ).toBeCloseTo((sbh * 34) / 8, 3);
    expect(layerActivationBytes(GPT3, 1, { recompute: "full" })).toBe(2 * sbh);
  });

  it("GPipe keeps the whole batch alive, 1F1B only the pipeline's depth", () => {
    const use = (schedule: string, batch: number): number =>
      memoryPerDevice(small, completePlan({ data: 1, pipeline: 4, schedule }, small, batch)).activations;
    expect(use("gpipe", 32) / use("gpipe", 8)).toBeCloseTo(4, 9);
    expect(use("1f1b", 32)).toBe(use("1f1b", 8));
    expect(use("gpipe", 8) / use("1f1b", 8)).toBeCloseTo(2, 9);
  });
});

describe("a step", () => {
  it("of every device takes as long as the folded one", async () => {
    const cases: readonly (readonly [Plan, number, number])[] = [
      [{ data: 2, tensor: 8, pipeline: 1 }, 4, 2],
      [{ data: 1, tensor: 8, pipeline: 2, microBatch: 2 }, 8, 2],
      [{ data: 2, tensor: 4, pipeline: 2, chunks: 2, recompute: "full" }, 8, 2],
    ];
    const model = { ...small, layers: 4 };
    for (const [plan, batch, count] of cases) {
      const cluster = dgxA100(count);
      const whole = simulateStep(model, cluster, { ...plan, overlap: false }, batch);
      const { seconds } = await simulateEveryDevice(model, cluster, plan, batch);
      // folding takes the gather after a transfer for the sender's time; the rest is alike
      expect(Math.abs(whole.seconds / seconds - 1)).toBeLessThan(0.03);
    }
  });

  it("without transfers the bubble is the published one, and more micro-batches make it smaller", () => {
    const quick = dgxA100(1, { card: { bandwidth: 1e18, latency: 0 } });
    const model = { ...small, vocabulary: 1 }; // an output layer would make the last stage slower
    for (const [schedule, chunks] of [
      ["gpipe", 1],
      ["1f1b", 1],
      ["interleaved", 2],
    ] as const)
      for (const batch of [4, 8, 32]) {
        const { bubble } = simulateStep(model, quick, { data: 1, pipeline: 4, chunks, schedule }, batch);
        const published = scheduleRule(schedule).bubble({ ranks: 4, microBatches: batch, chunks });
        expect(Math.abs(bubble - published)).toBeLessThan(0.03);
      }
  });

  it("the number of micro-batches has an optimum between bubble and small kernels", () => {
    const batch = 64;
    const times = [1, 2, 4, 8, 16, 32, 64].map(
      (microBatch) => simulateStep(small, dgxA100(1), { data: 1, pipeline: 8, microBatch }, batch).seconds,
    );
    const best = times.indexOf(Math.min(...times));
    expect(best).toBeLessThan(times.length - 1);
    expect(times.at(-1)! / times[best]).toBeGreaterThan(2); // one micro-batch of everything: one device at a time
  });

  it("parts add up to the step, and it is never faster with slower links", () => {
    const plan: Plan = { data: 4, tensor: 8, pipeline: 2, recompute: "full" };
    const at = (bandwidth: number): ReturnType<typeof simulateStep> =>
      simulateStep(small, dgxA100(8, { card: { bandwidth, latency: 5e-6 } }), plan, 32);
    const step = at(25e9);
    const { bubble, gradients, optimizer, compute, tensorParallel, pipelineTransfers } = step.parts;
    const sum = compute + tensorParallel + pipelineTransfers + bubble + gradients + optimizer;
    expect(sum / step.seconds).toBeCloseTo(1, 9);
    expect(at(1e9).seconds).toBeGreaterThan(step.seconds);
    expect(step.spans().length).toBeGreaterThan(0);
  });

  it("overlap hides gradients; sharing states saves memory and parameters cost a gather more", () => {
    const cluster = dgxA100(4);
    const step = (plan: Partial<Plan>): ReturnType<typeof simulateStep> =>
      simulateStep(small, cluster, { data: 32, ...plan }, 64);
    expect(step({ overlap: true }).seconds).toBeLessThan(step({ overlap: false }).seconds);
    const memory = ([0, 1, 2, 3] as const).map((zero) => step({ zero }).memory.total);
    expect([...memory].sort((a, b) => b - a)).toEqual(memory);
    const exchange = (zero: 0 | 3): number => step({ zero, overlap: false }).parts.gradients;
    // two gathers of parameters and one reduction for one of each: 1.5 times the bytes, here for two micro-batches
    expect(exchange(3) / exchange(0)).toBeCloseTo((2 * 2 + 2) / 2, 1);
  });

  it("plans that can't be are refused", () => {
    const refused =
      (plan: Plan, batch = 64): (() => unknown) =>
      () =>
        simulateStep(small, dgxA100(1), plan, batch);
    expect(refused({ data: 16 })).toThrow("the plan wants 16 devices, the cluster has 8");
    expect(refused({ data: 3 })).toThrow("a batch of 64 can't be split evenly into 3");
    expect(refused({ data: 1, pipeline: 3 })).toThrow("8 layers can't be split evenly into 3");
    expect(refused({ data: 1, tensor: 0 })).toThrow("tensor is a whole number from 1, got 0");
  });

  it("the mesh gives every place a device of its own", () => {
    const seen = new Set<number>();
    for (let pipeline = 0; pipeline < 3; pipeline++)
      for (let data = 0; data < 4; data++)
        for (let tensor = 0; tensor < 2; tensor++)
          seen.add(deviceAt({ tensor: 2, data: 4 }, { tensor, data, pipeline }));
    expect(seen.size).toBe(24);
    expect(Math.max(...seen)).toBe(23);
  });
});
