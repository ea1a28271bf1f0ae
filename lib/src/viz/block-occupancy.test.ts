import { expect, it } from "vitest";
import { deploy, Generator, nn, viz } from "../index.js";

it("draws the blocks of an engine's steps", async () => {
  const sizes = { vocabulary: 9, context: 24, size: 8, depth: 1, heads: 2 };
  using engine = new deploy.GenerationEngine(new nn.CausalLM({ ...sizes, generator: new Generator(1) }), {
    ...{ blockSize: 2, blocks: 12, traceSteps: 50 },
  });
  const samples = engine.submitSamples({ prompt: [1, 2, 3, 4, 5], maxTokens: 3, seed: 1 }, 3);
  for (const sample of samples) for await (const _ of sample);
  const [trace] = viz.blockOccupancy(engine.trace).data as { z: number[][] }[];
  expect(trace.z).toHaveLength(12);
  const steps = trace.z[0].map((_, step) => trace.z.map((row) => row[step]));
  const count = (step: number[], kind: number): number => step.filter((k) => k === kind).length;
  // the prompt's three blocks; two stay shared, and each sample has its own third one
  expect(steps.map((step) => [count(step, 1), count(step, 2)])).toEqual([
    [3, 0],
    [3, 2],
    [6, 2],
  ]);
});

it("wants as many blocks in each step", () => {
  expect(() => viz.blockOccupancy([{ occupancy: [0] }, { occupancy: [0, 1] }])).toThrow(
    "blockOccupancy: step 1 has 2 blocks, step 0 has 1",
  );
  expect(viz.blockOccupancy([]).data).toHaveLength(1);
});
