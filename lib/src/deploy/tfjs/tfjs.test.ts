import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, describe, expect, it } from "vitest";
import { fromPlain, modelOf, type TfjsCase } from "../../../test/deploy/tfjs-cases.js";
import { expectClose } from "../../../test/support/close.js";
import { deploy, grad, MlsysError, ones, type Tensor, tensor } from "../../index.js";

const { readTfjs, loadTfjs, TfjsError } = deploy;
const folder = mkdtempSync(join(tmpdir(), "mlsys-tfjs-"));
afterAll(() => rmSync(folder, { recursive: true }));
const cases = JSON.parse(
  readFileSync(new URL("../../../test/expected/tfjs.json", import.meta.url), "utf8"),
) as Record<string, TfjsCase>;

describe("models of TF.js", () => {
  it.each(Object.keys(cases))("%s: as TF.js computes it, op by op, compiled, and written as ONNX", (name) => {
    const one = cases[name];
    const model = modelOf(one);
    const inputs = one.inputs.map(fromPlain);
    const wanted = one.outputs.map(fromPlain);
    expectClose(model.call(...inputs), wanted, 1e-4);
    const named = model.run(...inputs);
    expectClose(
      model.outputs.map((output) => named[output]),
      wanted,
      1e-4,
    );
    const again = deploy.readOnnx(deploy.writeOnnx((...xs: Tensor[]) => model.call(...xs), inputs));
    expectClose(again.call(...inputs), wanted, 1e-4);
  });

  it("tells its inputs, and can be differentiated", () => {
    const model = modelOf(cases.mlp);
    expect(model.inputs[0].shape).toEqual([null, 4]);
    expect(model.weights.size).toBe(4);
    const x = fromPlain(cases.mlp.inputs[0]);
    expect(grad((v: Tensor) => model.call(v)[0].square().sum())(x).shape).toEqual([2, 4]);
    expect(() => model.call(ones([2, 5]))).toThrow(
      /input ".*" is float32\(2, 5\), float32\(\?, 4\) was expected/,
    );
    expect(() => model.call()).toThrow(/1 input\(s\) expected, 0 given/);
  });

  it("reads model.json with its shards, none from elsewhere", async () => {
    const { json, weights } = cases.cnn;
    const bytes = Buffer.from(weights, "base64");
    const manifest = [{ ...(json.weightsManifest[0] as object), paths: ["a.bin", "b.bin"] }];
    writeFileSync(join(folder, "model.json"), JSON.stringify({ ...json, weightsManifest: manifest }));
    writeFileSync(join(folder, "a.bin"), bytes.subarray(0, 100));
    writeFileSync(join(folder, "b.bin"), bytes.subarray(100));
    const model = await loadTfjs(join(folder, "model.json"));
    expectClose(model.call(...cases.cnn.inputs.map(fromPlain)), cases.cnn.outputs.map(fromPlain), 1e-4);
    for (const path of ["../x.bin", "/etc/hostname", "nowhere.bin"]) {
      writeFileSync(
        join(folder, "bad.json"),
        JSON.stringify({ ...json, weightsManifest: [{ ...manifest[0], paths: [path] }] }),
      );
      await expect(loadTfjs(join(folder, "bad.json"))).rejects.toThrow(
        /weights are .*(outside the model's folder|not beside the model)/,
      );
    }
    writeFileSync(join(folder, "bad.json"), "{");
    await expect(loadTfjs(join(folder, "bad.json"))).rejects.toThrow(/not JSON/);
  });

  it("reads quantized weights", () => {
    const dense = (dtype: string, bytes: number[], scale: number, min: number) =>
      readTfjs(
        {
          format: "layers-model",
          modelTopology: {
            class_name: "Sequential",
            config: {
              layers: [
                {
                  class_name: "Dense",
                  config: { name: "d", units: 2, use_bias: false, batch_input_shape: [null, 2] },
                },
              ],
            },
          },
          weightsManifest: [
            {
              paths: [],
              weights: [
                {
                  name: "d/kernel",
                  shape: [2, 2],
                  dtype: "float32",
                  quantization: { dtype, scale, min, original_dtype: "float32" },
                },
              ],
            },
          ],
        },
        Uint8Array.from(bytes),
      ).call(tensor([[1, 1]]))[0];
    expectClose([dense("uint8", [0, 10, 20, 30], 0.5, -1)], [tensor([[8, 18]])]);
    expectClose([dense("uint16", [0, 0, 0, 1, 1, 0, 2, 0], 1, 0)], [tensor([[1, 258]])]);
    expectClose([dense("float16", [0, 60, 0, 64, 0, 60, 0, 60], 1, 0)], [tensor([[2, 3]])]);
    expect(() => dense("int4", [0], 1, 0)).toThrow(/weight "d\/kernel": quantized as "int4"/);
  });

  it.each([
    ["no model", 3, /no model: 3/],
    ["another format", { format: "keras" }, /format "keras"/],
    ["no topology", { format: "layers-model" }, /the topology is undefined/],
    ["an unknown model", { modelTopology: { class_name: "Magic" } }, /a model of class "Magic"/],
    [
      "an unknown layer",
      {
        modelTopology: {
          class_name: "Sequential",
          config: { layers: [{ class_name: "Lambda", config: { name: "l" } }] },
        },
      },
      /layer "l" is a Lambda, which is not among those/,
    ],
    [
      "a missing weight",
      {
        modelTopology: {
          class_name: "Sequential",
          config: { layers: [{ class_name: "Dense", config: { name: "d", units: 2 } }] },
        },
      },
      /layer "d" \(Dense\): its weight "kernel" is missing/,
    ],
    [
      "an unknown activation",
      {
        modelTopology: {
          class_name: "Sequential",
          config: { layers: [{ class_name: "Activation", config: { name: "a", activation: "boom" } }] },
        },
      },
      /layer "a" \(Activation\): activation "boom"/,
    ],
    [
      "channels first",
      {
        modelTopology: {
          class_name: "Sequential",
          config: {
            layers: [{ class_name: "UpSampling2D", config: { name: "u", data_format: "channels_first" } }],
          },
        },
      },
      /data_format is "channels_first"/,
    ],
    [
      "a cycle of layers",
      {
        modelTopology: {
          class_name: "Functional",
          config: {
            layers: [
              { class_name: "ReLU", name: "a", config: {}, inbound_nodes: [[["b", 0, 0, {}]]] },
              { class_name: "ReLU", name: "b", config: {}, inbound_nodes: [[["a", 0, 0, {}]]] },
            ],
            input_layers: [],
            output_layers: [["a", 0, 0]],
          },
        },
      },
      /waits for what no layer makes/,
    ],
    [
      "an unknown op",
      { format: "graph-model", modelTopology: { node: [{ name: "n", op: "Magic" }] } },
      /node "n" is a Magic/,
    ],
    [
      "a cycle of nodes",
      {
        format: "graph-model",
        modelTopology: {
          node: [
            { name: "a", op: "Relu", input: ["b"] },
            { name: "b", op: "Relu", input: ["a"] },
          ],
        },
      },
      /is part of a cycle/,
    ],
    [
      "a missing node",
      { format: "graph-model", modelTopology: { node: [{ name: "a", op: "Relu", input: ["b"] }] } },
      /node "a" reads "b", which is not there/,
    ],
    [
      "a constant without a weight",
      { format: "graph-model", modelTopology: { node: [{ name: "a", op: "Const" }] } },
      /node "a" \(Const\): its weight/,
    ],
    [
      "too few bytes",
      {
        modelTopology: {},
        weightsManifest: [{ paths: [], weights: [{ name: "w", shape: [4], dtype: "float32" }] }],
      },
      /weight "w": it takes 16 bytes, 0 are left/,
    ],
    [
      "a huge weight",
      {
        modelTopology: {},
        weightsManifest: [
          { paths: [], weights: [{ name: "w", shape: [2 ** 40, 2 ** 40], dtype: "float32" }] },
        ],
      },
      /manifest is malformed/,
    ],
    [
      "text weights",
      {
        modelTopology: {},
        weightsManifest: [{ paths: [], weights: [{ name: "w", shape: [], dtype: "string" }] }],
      },
      /dtype "string"/,
    ],
  ])("refuses %s", (_what, json, message) => {
    expect(() => readTfjs(json)).toThrow(message);
    expect(() => readTfjs(json)).toThrow(TfjsError);
  });

  it("comes to one error, whatever is changed in the JSON", () => {
    const paths: (string | number)[][] = [];
    const visit = (value: unknown, path: (string | number)[]): void => {
      if (path.length > 0) paths.push(path);
      if (Array.isArray(value)) for (const [i, one] of value.entries()) visit(one, [...path, i]);
      else if (typeof value === "object" && value !== null)
        for (const [key, one] of Object.entries(value)) visit(one, [...path, key]);
    };
    for (const name of ["unet", "bidirectional", "graph shapes"]) {
      const one = cases[name];
      paths.length = 0;
      visit(one.json, []);
      const change = fc.constantFrom<unknown>(
        null,
        -1,
        0,
        3,
        1e300,
        "",
        "tanh",
        [],
        {},
        [1, 2],
        true,
        "../x",
      );
      fc.assert(
        fc.property(fc.nat(paths.length - 1), change, (at, to) => {
          const json = structuredClone(one.json) as Record<string, unknown>;
          const path = paths[at];
          let parent = json as Record<string | number, unknown>;
          for (const key of path.slice(0, -1)) parent = parent[key] as Record<string | number, unknown>;
          parent[path[path.length - 1]] = to;
          try {
            modelOf({ ...one, json: json as never }).call(...one.inputs.map(fromPlain));
          } catch (error) {
            expect(error, `${path.join(".")}: ${String((error as Error).stack)}`).toBeInstanceOf(MlsysError);
          }
        }),
        { numRuns: 40 },
      );
    }
  });
});
