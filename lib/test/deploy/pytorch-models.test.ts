/** Models that PyTorch exported (expected/onnx_models.py): read, run and written again, against PyTorch's own outputs. */
import { describe, expect, it } from "vitest";
import { deploy, type Tensor } from "../../src/index.js";
import { expectClose } from "../support/close.js";
import { caseOf, modelNames } from "./pytorch-cases.js";

describe("models from PyTorch", () => {
  it("are there", () => expect(modelNames.length).toBeGreaterThanOrEqual(30));

  it.each(modelNames)("%s: op by op, compiled, and written again", async (name) => {
    const { model, inputs, outputs } = await caseOf(name);
    expectClose(model.call(...inputs), outputs, 1e-4);
    const compiled = model.run(Object.fromEntries(model.inputs.map(({ name: key }, i) => [key, inputs[i]])));
    expectClose(
      model.outputs.map(({ name: key }) => compiled[key]),
      outputs,
      1e-4,
    );
    const again = deploy.readOnnx(deploy.writeOnnx((...xs: Tensor[]) => model.call(...xs), inputs));
    expectClose(again.call(...inputs), outputs, 1e-4);
  });

  it("one graph of sizes that stay open runs at any size", async () => {
    const { model, inputs, outputs } = await caseOf("dynamic");
    const symbolic = model.symbolic();
    expect(String(symbolic)).toMatch(/batch >= 2.*time >= 2/);
    expectClose(symbolic.call(inputs), outputs, 1e-4);
    const bytes = deploy.writeOnnx(symbolic);
    const again = deploy.readOnnx(bytes);
    expect(again.inputs[0].shape).toEqual(["batch", "time", 4]);
    expectClose(again.call(...inputs), outputs, 1e-4);
    expect(model.graph({ batch: 4, time: 3 }).results[0].shape).toEqual([4, 3]);
    expect(() => model.graph({ batch: 4 })).toThrow(/axis 1 of input "x" is open; give a size for "time"/);
  });
});
