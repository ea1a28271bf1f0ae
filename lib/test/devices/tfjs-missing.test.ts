/** The device `tfjs` where there is no TensorFlow, and where it does not load. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { devices, setDevice, tensor } from "../../src/index.js";
import { placeOf } from "../../src/runtime/tfjs/place.js";

let cache: string;

beforeEach(() => {
  cache = mkdtempSync(join(tmpdir(), "mlsys-tfjs-"));
  vi.stubEnv("MLSYS_CACHE", cache);
  vi.stubEnv("MLSYS_TFJS", undefined);
});
afterEach(() => {
  setDevice("cpu");
  vi.unstubAllEnvs();
  rmSync(cache, { recursive: true, force: true });
});

const MISSING = "TensorFlow for Node is not installed; get it with: npx mlsys devices install tfjs";

it("says how to get it", () => {
  expect(devices().find(({ name }) => name === "tfjs")).toEqual({
    name: "tfjs",
    available: false,
    detail: MISSING,
  });
  expect(() => setDevice("tfjs")).toThrow(`setDevice: "tfjs" is not available here: ${MISSING}`);
});

it("takes no half-made installation for one", () => {
  mkdirSync(placeOf("cpu"), { recursive: true });
  writeFileSync(join(placeOf("cpu"), "installed.json"), '{ "package": "@tens');
  expect(() => setDevice("tfjs")).toThrow("not installed");
});

it("says which one does not load, and why", () => {
  const home = join(placeOf("cpu"), "node_modules", "@tensorflow", "tfjs-node");
  mkdirSync(home, { recursive: true });
  writeFileSync(join(home, "index.js"), 'throw new Error("libtensorflow_cc.so.2: file too short");');
  const installed = {
    package: "@tensorflow/tfjs-node",
    version: "4.22.0",
    tensorflow: "2.20.0",
    from: "a wheel",
  };
  writeFileSync(join(placeOf("cpu"), "installed.json"), JSON.stringify(installed));
  expect(devices().find(({ name }) => name === "tfjs")).toEqual({
    name: "tfjs",
    available: true,
    detail: "@tensorflow/tfjs-node 4.22.0, TensorFlow 2.20.0 (a wheel)",
  });
  setDevice("tfjs");
  expect(() => tensor([1]).add(1)).toThrow(
    `tfjs: @tensorflow/tfjs-node in ${placeOf("cpu")} does not load: libtensorflow_cc.so.2: file too short; set it up again`,
  );
});
