/** The stored models of TF.js are what TF.js makes and computes today. */
import { readFileSync } from "node:fs";
import { expect, it } from "vitest";
import { expectClose } from "../support/close.js";
import { INSTALLING_MS, peer } from "../support/onnxruntime.js";
import { fromPlain, modelOf, type TfjsCase } from "./tfjs-cases.js";

it("makes the same of what TF.js saves now", { timeout: INSTALLING_MS }, async () => {
  const script = new URL("../expected/tfjs_models.mjs", import.meta.url).href;
  const { tfjsCases } = (await import(script)) as {
    tfjsCases(tf: unknown): Promise<Record<string, TfjsCase>>;
  };
  const cases = await tfjsCases(peer("@tensorflow/tfjs", "4.22.0"));
  const stored = JSON.parse(
    readFileSync(new URL("../expected/tfjs.json", import.meta.url), "utf8"),
  ) as typeof cases;
  expect(Object.keys(cases)).toEqual(Object.keys(stored));
  for (const [name, one] of Object.entries(cases)) {
    const found = modelOf(one).call(...one.inputs.map(fromPlain));
    expectClose(
      found,
      one.outputs.map((y, i) => fromPlain({ ...y, dtype: found[i].dtype })),
      1e-4,
    );
    expect(one.weights, name).toBe(stored[name].weights);
  }
});
