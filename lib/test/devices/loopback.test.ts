import { expect, it } from "vitest";
import {
  deviceCounts,
  resetDeviceCounts,
  setDevice,
  type Tensor,
  tensor,
  tidy,
  toStatic,
} from "../../src/index.js";
import type { DenseTensor } from "../../src/runtime/dense.js";
import { loopbackPieces, registerLoopback } from "../support/loopback.js";
import { describeConformance } from "./conformance.js";

registerLoopback();
describeConformance("loopback", {
  native: 146,
  ulps: 4,
  pieces: loopbackPieces,
  hostOps: { MLP: [], CNN: [] },
});

it("copies once what both sides read, and nothing that only the device reads", () => {
  setDevice("loopback");
  try {
    tidy(() => {
      resetDeviceCounts("loopback");
      const x = tensor([1, 2, 3]);
      const y = x.mul(x).add(x).mul(x.add(x));
      expect(deviceCounts("loopback")).toMatchObject({ uploads: 1, uploadedBytes: 12, downloads: 0 });
      expect([y.toArray(), y.toArray()]).toEqual([[4, 24, 72], [4, 24, 72]]); // biome-ignore format: two rows
      expect(deviceCounts("loopback")).toMatchObject({ uploads: 1, downloads: 1, downloadedBytes: 12 });
      y.tanh(); // by the host
      expect(deviceCounts("loopback")).toMatchObject({ uploads: 1, downloads: 1 });
      expect([...deviceCounts("loopback").fallback]).toEqual([["tanh", 1]]);
    });
  } finally {
    setDevice("cpu");
  }
});

it("runs a compiled graph kernel by kernel, and what it fuses part by part", () => {
  setDevice("loopback");
  try {
    const f = toStatic((x: Tensor) => x.mul(2).add(1).tanh().sum());
    const x = tensor([0.5, -0.5]);
    f(x);
    resetDeviceCounts("loopback");
    expect(f(x).item()).toBeCloseTo(Math.tanh(2) + Math.tanh(0), 6);
    expect([...deviceCounts("loopback").fallback.keys()]).toEqual(["tanh"]);
    expect(deviceCounts("loopback").native.get("sum")).toBe(1);
  } finally {
    setDevice("cpu");
  }
});

it("brings elements to a heap that grows for them", () => {
  setDevice("loopback");
  try {
    tidy(() => {
      for (const [i, count] of [5_000_000, 6_000_000, 7_000_000].entries()) {
        const x = tensor([1]).broadcastTo([count]).add(1) as DenseTensor; // on the device alone
        const read = [() => x.storage.readableBytes(), () => x.storage.bytes(), () => x.storage.elements];
        expect(read[i]()).toHaveLength(i === 2 ? count : 4 * count);
      }
    });
  } finally {
    setDevice("cpu");
  }
});
