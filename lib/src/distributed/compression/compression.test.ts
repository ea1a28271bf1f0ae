/** Training with compressed gradients, on two and three ranks, on MNIST's images. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { library as mlsys } from "../../../test/support/built-library.js";
import {
  type CompressionRun,
  type HookName,
  trainCompressed,
} from "../../../test/support/rank-compression.js";
import type { Team } from "../launch/team.js";
import { orthonormalize } from "./power-sgd.js";
import { addSigns, packSigns } from "./sign.js";
import { largest } from "./top-k.js";

let two: Team;
let digits: Pick<CompressionRun, "images" | "labels">;
beforeAll(async () => {
  two = await mlsys.distributed.team(2);
  const { images, labels } = await mlsys.data.mnist("test");
  digits = {
    images: (images.toTypedArray() as Uint8Array).slice(0, 512 * 784),
    labels: (labels.toTypedArray() as Uint8Array).slice(0, 512),
  };
  images.dispose();
  labels.dispose();
});
afterAll(async () => {
  await two.close();
});

/** One bit needs twice the steps. */
const train = (hook: HookName, mode: CompressionRun["mode"] = "backward") =>
  two.run(trainCompressed, { hook, mode, steps: hook === "oneBit" ? 128 : 64, ...digits });

/** Largest part of the bytes that may be sent, and by how much the loss may end above that without compression. */
const BOUNDS: Record<Exclude<HookName, "none">, { sent: number; above: number }> = {
  float16: { sent: 0.5, above: 0.01 },
  bfloat16: { sent: 0.5, above: 0.02 },
  "1-6-9": { sent: 0.5, above: 0.01 },
  "1-5-2": { sent: 0.25, above: 0.03 },
  topK: { sent: 0.045, above: 0.1 },
  powerSGD: { sent: 0.08, above: 0.1 },
  "powerSGD cold": { sent: 0.08, above: 0.15 },
  oneBit: { sent: 0.04, above: 0.1 },
};

describe("training with compressed gradients", () => {
  let plain = Number.NaN;
  beforeAll(async () => {
    const [{ before, after }] = await train("none");
    expect(before).toBeGreaterThan(2);
    expect(after).toBeLessThan(0.25);
    plain = after;
  });

  it.each(Object.entries(BOUNDS))("%s", async (name, { sent, above }) => {
    const ranks = await train(name as HookName);
    for (const rank of ranks) {
      expect(rank.after).toBeLessThan(plain + above);
      expect(rank.sent / rank.raw).toBeLessThanOrEqual(sent);
      expect(rank.given).toBe(rank.sent); // what the group got is what the hook says
      expect(rank.error).toBeGreaterThan(0);
      expect(rank.error).toBeLessThan(1.5); // PowerSGD's is against the other ranks' gradients too
      expect(rank.weights).toEqual(ranks[0].weights); // all ranks stay equal, bit by bit
    }
  });

  it("also in captured steps, with the same result", async () => {
    const [eager] = await train("powerSGD");
    const [captured] = await train("powerSGD", "static");
    expect(captured.sent).toBe(eager.sent);
    expect(captured.after).toBeLessThan(plain + BOUNDS.powerSGD.above);
  });
});

describe("parts", () => {
  const values = Float32Array.from({ length: 1001 }, (_, i) => Math.sin(i * 12.9898) * 3);

  it("the k largest are those of a full sort; equals, zeros and NaN among them", () => {
    for (const x of [values, new Float32Array(9), Float32Array.from([1, -1, 1, Number.NaN, 0, -2, 1])]) {
      for (const k of [1, 2, 5, x.length]) {
        const size = (i: number) => (Number.isNaN(x[i]) ? -1 : Math.abs(x[i]));
        const places = [...x.keys()].sort((a, b) => size(b) - size(a) || a - b).slice(0, k);
        expect([...largest(x, k)]).toEqual(places.sort((a, b) => a - b));
      }
    }
  });

  it("signs come back with the mean size of their part, in a bit each", () => {
    const ends = [400, 400, 1001];
    const bytes = packSigns(values, ends);
    expect(bytes.length).toBe(4 * 3 + 126);
    const got = new Float32Array(1001);
    addSigns(got, bytes, ends);
    const mean = (from: number, to: number) =>
      values.subarray(from, to).reduce((sum, x) => sum + Math.abs(x), 0) / (to - from);
    for (const [i, x] of values.entries())
      expect(got[i]).toBeCloseTo((x < 0 ? -1 : 1) * (i < 400 ? mean(0, 400) : mean(400, 1001)), 5);
  });

  it("columns become orthonormal and span the same; dependent ones become zeros", () => {
    const x = values.slice(0, 60 * 3);
    for (let i = 0; i < 60; i++) x[3 * i + 2] = x[3 * i] - 2 * x[3 * i + 1];
    const q = x.slice();
    orthonormalize(q, 60, 3);
    const dot = (a: number, b: number) => {
      let sum = 0;
      for (let i = 0; i < 60; i++) sum += q[3 * i + a] * q[3 * i + b];
      return sum;
    };
    expect(dot(0, 0)).toBeCloseTo(1, 5);
    expect(dot(1, 1)).toBeCloseTo(1, 5);
    expect(dot(0, 1)).toBeCloseTo(0, 5);
    expect(dot(2, 2)).toBe(0);
  });
});
