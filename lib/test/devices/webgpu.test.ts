import { describe, it } from "vitest";
import { devices } from "../../src/index.js";
import { gpu } from "../../src/runtime/webgpu/start.js";
import { describeConformance } from "./conformance.js";

const info = devices().find(({ name }) => name === "webgpu");
if (info?.available)
  describeConformance("webgpu", {
    native: 133,
    ulps: 64,
    pieces: () => gpu().buffers.stats().liveBuffers,
    hostOps: { MLP: [], CNN: [] },
  });
else describe("webgpu", () => it.skip(`has no adapter here: ${info?.detail}`, () => {}));
