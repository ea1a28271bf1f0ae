import { describe, expect, it } from "vitest";
import { displaySymbol } from "../../../core/display.js";
import { dgxA100 } from "../cluster/cluster.js";
import { crossbar } from "../cluster/topologies.js";
import { chromeTrace, linkUtilization, scalingPlot, stepParts, stepTimeline } from "../report/pictures.js";
import { simulateDataParallel } from "../run/data-parallel.js";
import { simulatePrograms } from "../run/virtual-cluster.js";
import { scalingCurve, searchPlan } from "./search.js";
import { simulateStep } from "./step.js";
import type { Transformer } from "./transformer.js";

const model: Transformer = { layers: 24, hidden: 2304, heads: 24, sequence: 2048, vocabulary: 51200 };
const large: Transformer = { layers: 48, hidden: 8192, heads: 64, sequence: 2048, vocabulary: 51200 };

describe("search", () => {
  it("finds what trying all finds", () => {
    const cluster = dgxA100(2);
    const space = {
      pipeline: [1, 2, 4],
      tensor: [1, 2, 8],
      microBatch: [1, 4],
      recompute: ["none", "full"],
    } as const;
    const { best, simulated, possible, fitting } = searchPlan(model, cluster, 64, space);
    const all: number[] = [];
    for (const pipeline of space.pipeline)
      for (const tensor of space.tensor)
        for (const microBatch of space.microBatch)
          for (const recompute of space.recompute)
            for (const zero of [0, 1] as const) {
              const data = 16 / (pipeline * tensor);
              if (!Number.isInteger(data) || 64 % (data * microBatch) !== 0) continue;
              const plan = {
                data,
                tensor,
                pipeline,
                microBatch,
                recompute,
                zero,
                sequenceParallel: tensor > 1,
              };
              const step = simulateStep(model, cluster, plan, 64);
              if (step.fits) all.push(step.seconds);
            }
    expect(best.seconds).toBe(Math.min(...all));
    expect(best.fits).toBe(true);
    expect(simulated[0]).toBe(best);
    expect(simulated.length).toBeLessThan(fitting); // the bound saved work
    expect(fitting).toBeLessThanOrEqual(possible);
  });

  it("a small model takes data parallelism alone, a large one also splits its layers", () => {
    const small = { ...model, layers: 12, hidden: 768, heads: 12 };
    const { plan } = searchPlan(small, dgxA100(1), 64, { pipeline: [1, 2, 4], microBatch: [4, 8] }).best;
    expect([plan.data, plan.tensor, plan.pipeline]).toEqual([8, 1, 1]);
    const big = searchPlan(large, dgxA100(8), 128, { pipeline: [1, 2, 4, 8], microBatch: [1, 2] }).best.plan;
    expect(big.tensor * big.pipeline).toBeGreaterThanOrEqual(3); // 39 billion × 4.75 bytes over 80 GB
  });

  it("says by how much nothing fits", () => {
    const space = { pipeline: [1], tensor: [1], microBatch: [1], zero: [0] } as const;
    expect(() => searchPlan(large, dgxA100(1), 8, space)).toThrow(
      /none of 3 plans fits 80\.0 GB a device; the smallest takes \d/,
    );
    expect(() => searchPlan(large, dgxA100(1), 7, space)).toThrow(
      "no plan of this space uses all 8 devices for a batch of 7",
    );
  });
});

describe("scaling", () => {
  it("weak scaling stays near one, strong scaling falls with the bubble and the exchange, up to 16,384 devices", () => {
    const sizes = [64, 512, 2048, 16384];
    const plan = (devices: number) => ({
      data: devices / 32,
      tensor: 8,
      pipeline: 4,
      recompute: "full" as const,
    });
    const weak = scalingCurve(large, sizes, (n) => ({ cluster: dgxA100(n / 8), plan: plan(n), batch: n }));
    const strong = scalingCurve(large, sizes.slice(0, 3), (n) => ({
      cluster: dgxA100(n / 8),
      plan: plan(n),
      batch: 1024,
    }));
    expect(weak[0].efficiency).toBe(1);
    expect(weak[3].efficiency).toBeGreaterThan(0.8);
    for (const [i, { efficiency }] of strong.entries())
      if (i > 0) expect(efficiency).toBeLessThan(strong[i - 1].efficiency);
    expect(scalingPlot(weak)[displaySymbol]()).toHaveProperty("application/vnd.plotly.v1+json");
    // a rack's uplink that is shared 16 to 1 makes the exchange dearer
    const racks = (oversubscription: number) =>
      simulateStep(
        large,
        dgxA100(64, { perRack: 4, oversubscription }),
        { ...plan(512), overlap: false },
        512,
      );
    expect(racks(16).parts.gradients).toBeGreaterThan(1.5 * racks(1).parts.gradients);
  });
});

describe("buckets", () => {
  const layers = Array.from({ length: 10 }, () => ({ forward: 1, backward: 2, bytes: 100 }));

  it("hide all but the last bucket while the network keeps up, and are the network's time if it does not", () => {
    const fast = simulateDataParallel(layers, (bytes) => bytes / 100, { bucketBytes: 200 });
    expect(fast.buckets).toEqual([200, 200, 200, 200, 200]);
    expect([fast.seconds, fast.exposed]).toEqual([32, 2]);
    const slow = simulateDataParallel(layers, (bytes) => bytes / 10, { bucketBytes: 200, optimizer: 3 });
    expect(slow.seconds).toBe(10 + 4 + 100 + 3); // the first bucket is full after two layers
    const one = simulateDataParallel(layers, (bytes) => bytes / 100, { bucketBytes: 1e9 });
    expect([one.buckets, one.seconds]).toEqual([[1000], 40]);
  });

  it("have a best size between a latency each and one that nothing hides", () => {
    const time = (bucketBytes: number): number =>
      simulateDataParallel(layers, (bytes) => 1.5 + bytes / 100, { bucketBytes }).seconds;
    expect(time(200)).toBeLessThan(time(100));
    expect(time(200)).toBeLessThan(time(1000));
  });
});

describe("pictures", () => {
  it("timeline, parts, link utilization and a trace show what was simulated", async () => {
    const step = simulateStep(model, dgxA100(1), { data: 1, tensor: 2, pipeline: 4 }, 8);
    expect(stepTimeline(step)[displaySymbol]()["text/plain"]).toContain("1f1b: 4 stages, 8 micro-batches");
    expect(stepParts({ one: step }).data.map(({ name }) => name)).toContain("bubble");
    const trace = chromeTrace(step.spans());
    expect(trace.traceEvents.filter(({ ph }) => ph === "X")).toHaveLength(2 * 4 * 8);
    expect(trace.traceEvents.filter(({ ph }) => ph === "M")).toHaveLength(4);

    const network = crossbar(3, { bandwidth: 1e3, latency: 0 });
    const run = await simulatePrograms(
      network,
      async ({ rank, transport, compute }) => {
        if (rank === 0) await transport.send(1, 0, new Uint8Array(1000));
        if (rank === 1) await transport.receive(0, 0, new Uint8Array(1000));
        if (rank === 2) await compute(2);
      },
      { record: true },
    );
    const { data } = linkUtilization(network, run, { columns: 4 });
    expect(data[0].y).toEqual(["device 0 → switch", "switch → device 1"]);
    expect(data[0].z).toEqual([
      [1, 1, 0, 0],
      [1, 1, 0, 0],
    ]);
    expect(() => linkUtilization(network, { uses: [], seconds: 1 })).toThrow("run with { record: true }");
  });
});
