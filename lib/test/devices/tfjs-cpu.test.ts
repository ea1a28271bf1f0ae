import { expect, it } from "vitest";
import { useTfjs } from "../../src/extend.js";
import { devices } from "../../src/index.js";
import { plainTfjs } from "../support/tfjs.js";
import { describeTfjs } from "./tfjs.js";

const tf = await plainTfjs();
useTfjs(tf);

describeTfjs({
  native: 112,
  edges: {
    pow: "of 1 by NaN it makes NaN, as JavaScript does",
    sign: "of NaN it makes 0",
    remainder: "of 0 by an infinity it makes NaN",
    floorDivide: "its mod of a small number by a large negative one is 0",
  },
});

it("says what it computes with", () => {
  expect(devices().find(({ name }) => name === "tfjs")).toEqual({
    name: "tfjs",
    available: true,
    detail: "TensorFlow.js, backend cpu",
  });
});

it("takes TensorFlow.js alone, with a backend that serves", () => {
  expect(() => useTfjs({})).toThrow("useTfjs: this is not TensorFlow.js");
  expect(() => useTfjs({ ...tf, getBackend: () => "" })).toThrow("has no backend yet");
  expect(() => useTfjs({ ...tf, getBackend: () => "wasm" })).toThrow(
    "backend wasm can't serve: it reverses bool",
  );
});
