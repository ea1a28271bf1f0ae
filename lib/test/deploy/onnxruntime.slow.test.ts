/** What is written, ONNX Runtime runs, with the same results; what ONNX Runtime runs is read with the same results. */
import { beforeAll, describe, expect, it } from "vitest";
import { deploy, Generator, ops, type Tensor, tensor, tree } from "../../src/index.js";
import { bind } from "../../src/ops/bind.js";
import { expectClose } from "../support/close.js";
import { INSTALLING_MS, prepareOnnxRuntime, runOnnxRuntime } from "../support/onnxruntime.js";
import { modelCases } from "./models.js";
import { caseOf, modelFolder, modelNames } from "./pytorch-cases.js";

const leaves = (value: unknown): Tensor[] => tree.flatten(value).leaves;

beforeAll(prepareOnnxRuntime, INSTALLING_MS);

describe("models of the library", () => {
  const cases = modelCases();
  it("are many", () => expect(Object.keys(cases).length).toBeGreaterThanOrEqual(25));

  it.each(Object.keys(cases))("%s", async (name) => {
    const { f, args, types } = cases[name];
    const wanted = leaves(f(...args));
    const bytes = deploy.writeOnnx(f, types ?? args);
    expectClose(await runOnnxRuntime(bytes, args), wanted, 1e-4);
    const model = deploy.readOnnx(bytes);
    expectClose(model.call(...args), wanted, 1e-4);
    const found = model.run(Object.fromEntries(model.inputs.map((input, i) => [input.name, args[i]])));
    expectClose(
      model.outputs.map((output) => found[output.name]),
      wanted,
      1e-4,
    );
  });
});

describe("converted models", () => {
  const cases = modelCases();
  it.each(Object.keys(cases))("%s", async (name) => {
    const { f, args } = cases[name];
    const converted = deploy.convert(f, args, { runs: 0 });
    const wanted = leaves(f(...args));
    expectClose(converted.call(...args), wanted, 1e-4);
    expectClose(await runOnnxRuntime(deploy.writeOnnx(converted.graph), args), wanted, 1e-4);
  });
});

describe("models from PyTorch", () => {
  it.each(modelNames)("%s: ONNX Runtime agrees on it, and on what is written of it", async (name) => {
    const { model, inputs } = await caseOf(name);
    const wanted = await runOnnxRuntime(`${modelFolder}${name}.onnx`, inputs);
    expectClose(model.call(...inputs), wanted, 1e-4);
    const again = deploy.writeOnnx((...xs: Tensor[]) => model.call(...xs), inputs);
    expectClose(await runOnnxRuntime(again, inputs), wanted, 1e-4);
  });
});

describe("every op that can be written", () => {
  const names = new Set(deploy.exportedOps());
  const draw = new Generator(3);

  it.each(
    ops()
      .filter((op) => names.has(op.name))
      .map((op) => [op.name, op] as const),
  )("%s", async (name, op) => {
    for (const sample of op.samples) {
      const inputs = sample.shapes.map((shape, i) => {
        const given = sample.dtypes?.[i] ?? "float64";
        const dtype = given === "float64" ? "float32" : given;
        const values = sample.values?.[i];
        if (values) return tensor(Float64Array.from(values), { shape, dtype });
        const [low, high] = sample.ranges?.[i] ?? [-2, 2];
        const even = draw.uniform(shape);
        if (dtype === "bool") return even.greater(0.5);
        if (dtype !== "float32") return even.mul(2).floor().cast(dtype);
        const x = even.mul(high - low).add(low);
        return name === "searchsorted" && i === 0 ? x.sort() : x;
      });
      const f = (...xs: Tensor[]) => bind(op, xs, sample.attrs ?? {});
      const wanted = f(...inputs);
      for (const opset of [13, 18, 22]) {
        let bytes: Uint8Array;
        try {
          bytes = deploy.writeOnnx(f, inputs, { opset });
        } catch (error) {
          expect((error as Error).message).toMatch(/needs opset \d+ or newer/);
          continue;
        }
        expectClose(await runOnnxRuntime(bytes, inputs), wanted, 1e-4);
        expectClose(deploy.readOnnx(bytes).call(...inputs), wanted, 1e-4);
      }
    }
  });
});
