import { readFileSync } from "node:fs";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { deploy, heapStats, MlsysError, ones, resetPeak, type Tensor, tensor } from "../../index.js";
import { decodeModel, encodeModel, type ModelProto, type NodeProto } from "./schema.js";

const { readOnnx, writeOnnx, OnnxError } = deploy;
const gpt = readFileSync(new URL("../../../test/expected/onnx/gpt.onnx", import.meta.url));

const floats = (name: string, ...dims: number[]) => ({
  name,
  type: { tensor_type: { elem_type: 1, shape: { dim: dims.map((dim_value) => ({ dim_value })) } } },
});

/** A model of these nodes from x to y. */
function modelOf(
  node: NodeProto[],
  parts: Partial<ModelProto["graph"] & object> = {},
  opset = 20,
): Uint8Array {
  return encodeModel({
    ir_version: 9,
    opset_import: [{ domain: "", version: opset }],
    graph: { name: "test", node, input: [floats("x", 2)], output: [floats("y", 2)], ...parts },
  });
}

const node = (
  op_type: string,
  input: string[],
  output: string[],
  more: Partial<NodeProto> = {},
): NodeProto => ({ op_type, input, output, name: `my ${op_type}`, ...more });
const relu = node("Relu", ["x"], ["y"]);

describe("readOnnx", () => {
  it("tells what the file says of itself", () => {
    const { description } = readOnnx(
      writeOnnx((x: Tensor) => x.relu(), [ones([2])], { metadata: { author: "me" }, name: "mine" }),
    );
    expect(description).toEqual({
      name: "mine",
      opset: 20,
      opsets: {},
      producer: "mlsys",
      metadata: { author: "me" },
      inputs: [{ name: "x", dtype: "float32", shape: [2] }],
      outputs: [{ name: "output", dtype: "float32", shape: [2] }],
    });
  });

  it("names node, op and opset, and lists every op that it lacks", () => {
    const bytes = modelOf([
      node("Magic", ["x"], ["a"]),
      node("Relu", ["a"], ["b"]),
      node("More", ["b"], ["y"], { domain: "com.me" }),
    ]);
    expect(() => readOnnx(bytes)).toThrow(
      /^onnx: node "my Magic" \(Magic, opset 20\): this op is not among those that can be read; nor are "More"$/,
    );
  });

  it.each([
    ["an old opset", () => modelOf([relu], {}, 9), /opset 9; opsets 13 to 24 can be read/],
    ["no opset", () => encodeModel({ graph: { node: [relu] } }), /names no opset/],
    ["no graph", () => encodeModel({ ir_version: 9 }), /there is no graph/],
    [
      "a cycle",
      () => modelOf([node("Add", ["x", "b"], ["a"]), node("Relu", ["a"], ["b"]), node("Relu", ["b"], ["y"])]),
      /"my Add" \(Add, opset 20\) reads "b", which only a later node makes/,
    ],
    [
      "a value from nowhere",
      () => modelOf([node("Relu", ["ghost"], ["y"])]),
      /reads "ghost", which nothing makes/,
    ],
    ["a value made twice", () => modelOf([relu, relu]), /makes "y", which is made before/],
    [
      "an output from nowhere",
      () => modelOf([relu], { output: [floats("z", 2)] }),
      /output "z" of graph "test" is made by nothing/,
    ],
    [
      "huge dims",
      () => modelOf([relu], { initializer: [{ name: "w", data_type: 1, dims: [2 ** 40, 2 ** 20] }] }),
      /tensor "w": its shape .* is no shape/,
    ],
    [
      "large dims without elements",
      () => modelOf([relu], { initializer: [{ name: "w", data_type: 1, dims: [2 ** 20, 2 ** 12] }] }),
      /"w": 0 elements, its type .* has 4294967296/,
    ],
    [
      "negative dims",
      () => modelOf([relu], { initializer: [{ name: "w", data_type: 1, dims: [-4] }] }),
      /is no shape/,
    ],
    [
      "too few elements",
      () =>
        modelOf([relu], {
          initializer: [{ name: "w", data_type: 1, dims: [4], raw_data: new Uint8Array(12) }],
        }),
      /12 bytes, its type float32\(4\) has 16|12 bytes/,
    ],
    [
      "text",
      () => modelOf([relu], { initializer: [{ name: "w", data_type: 8, dims: [1] }] }),
      /tensor "w": dtype string; this library has/,
    ],
    [
      "an unknown dtype",
      () => modelOf([relu], { initializer: [{ name: "w", data_type: 99, dims: [1] }] }),
      /dtype number 99/,
    ],
    [
      "weights elsewhere",
      () =>
        modelOf([relu], {
          initializer: [
            {
              name: "w",
              data_type: 1,
              dims: [1],
              data_location: 1,
              external_data: [{ key: "location", value: "w" }],
            },
          ],
        }),
      /bytes alone have no folder/,
    ],
    ["sparse weights", () => modelOf([relu], { sparse_initializer: [{}] }), /sparse initializers/],
    [
      "a sequence",
      () => modelOf([relu], { input: [{ name: "x", type: { sequence_type: {} } }] }),
      /input "x" is no tensor/,
    ],
    [
      "a negative size",
      () => modelOf([relu], { input: [floats("x", -3)] }),
      /input "x" has the sizes \[-3\]/,
    ],
  ])("refuses %s", (_what, make, message) => {
    expect(() => readOnnx(make())).toThrow(message as RegExp);
    expect(() => readOnnx(make())).toThrow(OnnxError);
  });

  it("blames the node that can't be computed", () => {
    const axis = { name: "axis", type: 2, i: 7 };
    const model = readOnnx(modelOf([node("Softmax", ["x"], ["y"], { attribute: [axis] })]));
    expect(() => model.call(tensor([1, 2]))).toThrow(
      /node "my Softmax" \(Softmax, opset 20\): axis 7 is outside of 1 axes/,
    );
    const wrong = readOnnx(
      modelOf([
        node("Softmax", ["x"], ["y"], { attribute: [{ name: "axis", type: 3, s: new Uint8Array(1) }] }),
      ]),
    );
    expect(() => wrong.call(tensor([1, 2]))).toThrow(/attribute "axis" is of type string, int was expected/);
    const missing = readOnnx(modelOf([node("Add", ["x"], ["y"])]));
    expect(() => missing.call(tensor([1, 2]))).toThrow(/"my Add" \(Add, opset 20\): input 1 is missing/);
    const shapes = readOnnx(
      modelOf([node("MatMul", ["x", "w"], ["y"])], {
        initializer: [{ name: "w", data_type: 1, dims: [3], float_data: [1, 2, 3] }],
      }),
    );
    expect(() => shapes.call(tensor([1, 2]))).toThrow(/"my MatMul" \(MatMul, opset 20\): matmul/);
  });

  it("blames the input that does not fit", () => {
    const model = readOnnx(writeOnnx((x: Tensor, y: Tensor) => x.add(y), ["float32(n, 3)", "float32(n, 3)"]));
    expect(() => model.call(ones([2, 3]))).toThrow(/2 input\(s\) expected, 1 given/);
    expect(() => model.call(ones([2, 3]), ones([4, 3]))).toThrow(
      /input ".*" is float32\(4, 3\), float32\(n, 3\) was expected/,
    );
    expect(() => model.run({ a: ones([2, 3]) })).toThrow(/has no input "a"; it has/);
    expect(() => model.run({ [model.inputs[0].name]: ones([2, 3]) })).toThrow(/is missing/);
  });

  it("makes nothing that is larger than it may be", () => {
    const shape = { name: "s", data_type: 7, dims: [2], int64_data: [2 ** 30, 2 ** 20] };
    const model = readOnnx(modelOf([node("ConstantOfShape", ["s"], ["y"])], { initializer: [shape] }));
    expect(() => model.call(tensor([1, 2]))).toThrow(
      /the result would have \d+ elements, more than the 268435456 that are allowed/,
    );
    const least = readOnnx(
      modelOf([node("Expand", ["x", "s"], ["y"])], { initializer: [{ ...shape, int64_data: [3, 2] }] }),
      { mostElements: 4 },
    );
    expect(() => least.call(tensor([1, 2]))).toThrow(/6 elements, more than the 4/);
  });

  it("pads no further than it may", () => {
    const attribute = [
      { name: "kernel_shape", type: 7, ints: [1, 1] },
      { name: "pads", type: 7, ints: [2 ** 20, 2 ** 20, 0, 0] },
    ];
    const parts = { input: [floats("x", 1, 1, 2, 2)] };
    const model = readOnnx(modelOf([node("MaxPool", ["x"], ["y"], { attribute })], parts));
    expect(() => model.call(ones([1, 1, 2, 2]))).toThrow(
      /"my MaxPool" .*: the result would have \d+ elements/,
    );
  });

  it("says so when a shape depends on values, and computes it op by op", () => {
    const model = readOnnx(modelOf([node("NonZero", ["x"], ["y"])]));
    expect(model.call(tensor([0, 3]))[0].toArray()).toEqual([[1]]);
    expect(() => model.run({ x: tensor([0, 3]) })).toThrow(
      /NonZero, whose size depends on the model's input values/,
    );
  });

  it("calls functions of the model's own, with their attributes", () => {
    const alpha = { name: "alpha", ref_attr_name: "slope", type: 1 };
    const bytes = encodeModel({
      ir_version: 9,
      opset_import: [
        { domain: "", version: 20 },
        { domain: "mine", version: 1 },
      ],
      functions: [
        {
          name: "Leaky",
          domain: "mine",
          input: ["a"],
          output: ["b"],
          attribute: ["slope"],
          node: [node("LeakyRelu", ["a"], ["b"], { attribute: [alpha] })],
          opset_import: [{ domain: "", version: 20 }],
        },
      ],
      graph: {
        name: "g",
        node: [
          node("Leaky", ["x"], ["y"], { domain: "mine", attribute: [{ name: "slope", type: 1, f: 0.5 }] }),
        ],
        input: [floats("x", 2)],
        output: [floats("y", 2)],
      },
    });
    expect(
      readOnnx(bytes)
        .call(tensor([-2, 4]))[0]
        .toArray(),
    ).toEqual([-1, 4]);
    const forever = encodeModel({
      ir_version: 9,
      opset_import: [{ domain: "", version: 20 }],
      functions: [
        {
          name: "Again",
          domain: "mine",
          input: ["a"],
          output: ["b"],
          node: [node("Again", ["a"], ["b"], { domain: "mine" })],
        },
      ],
      graph: {
        name: "g",
        node: [node("Again", ["x"], ["y"], { domain: "mine" })],
        input: [floats("x", 2)],
        output: [floats("y", 2)],
      },
    });
    expect(() => readOnnx(forever).call(tensor([1, 2]))).toThrow(/the function calls itself/);
  });

  it("reads graphs in graphs only as deep as they make sense", () => {
    const field = (number: number, content: number[]): number[] => {
      const length: number[] = [];
      for (let n = content.length; ; n >>= 7) {
        length.push(n > 127 ? (n & 127) | 128 : n);
        if (n <= 127) break;
      }
      return [(number << 3) | 2, ...length, ...content];
    };
    let inner: number[] = []; // graph in attribute in node in graph …, by the numbers of onnx.proto
    for (let i = 0; i < 200; i++) inner = field(1, field(5, field(6, inner)));
    const deep = Uint8Array.from(field(7, inner));
    expect(() => readOnnx(deep)).toThrow(/not an ONNX model, or damaged: max depth exceeded/);
  });
});

describe("hostile bytes", () => {
  const attempt = (bytes: Uint8Array): void => {
    try {
      readOnnx(bytes);
    } catch (error) {
      expect(error, String((error as Error).stack)).toBeInstanceOf(MlsysError);
      expect((error as Error).message.length).toBeLessThan(2000);
    }
  };

  it("cut short anywhere, it is refused with one error, or is still a model", () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: gpt.length - 1 }), (length) => attempt(gpt.subarray(0, length))),
      { numRuns: 60 },
    );
  });

  it("with bytes changed, nothing but an error of the library comes of it, and little memory is taken", () => {
    resetPeak();
    const before = heapStats().liveBytes;
    const change = fc.record({ at: fc.nat(gpt.length - 1), to: fc.nat(255) });
    fc.assert(
      fc.property(fc.array(change, { minLength: 1, maxLength: 12 }), (changes) => {
        const bytes = Uint8Array.from(gpt);
        for (const { at, to } of changes) bytes[at] = to;
        attempt(bytes);
      }),
      { numRuns: 150 },
    );
    expect(heapStats().peakBytes - before).toBeLessThan(1000 * gpt.length);
  });

  it("random bytes are no model", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => attempt(bytes)),
      { numRuns: 200 },
    );
  });

  it("models with changed fields run, or end with an error of the library", () => {
    const small = decodeModel(
      readFileSync(new URL("../../../test/expected/onnx/cnn.onnx", import.meta.url)),
      "cnn",
    );
    const x = ones([2, 1, 12, 12]);
    const count = small.graph?.node?.length ?? 0;
    fc.assert(
      fc.property(
        fc.nat(count - 1),
        fc.nat(5),
        fc.integer({ min: -3, max: 40 }),
        fc.constantFrom("Conv", "Reshape", "Gemm", "Resize", "Slice", "Pad", "LSTM", "Loop", "TopK"),
        (i, k, value, op) => {
          const nodes = (small.graph?.node ?? []).map((old, j) => {
            if (j !== i) return old;
            const attribute = (old.attribute ?? []).map((a, at) =>
              at === k
                ? {
                    name: a.name,
                    type: a.type,
                    i: value,
                    f: value,
                    ints: [value, value],
                    s: new Uint8Array([value & 255]),
                  }
                : a,
            );
            return {
              name: old.name,
              input: old.input,
              output: old.output,
              op_type: k === 5 ? op : old.op_type,
              attribute,
            };
          });
          const bytes = encodeModel({
            ...small,
            opset_import: small.opset_import,
            graph: { ...small.graph, node: nodes },
          });
          try {
            readOnnx(bytes, { mostElements: 1e6 }).call(x);
          } catch (error) {
            expect(error, String((error as Error).stack)).toBeInstanceOf(MlsysError);
          }
        },
      ),
      { numRuns: 100 },
    );
  });
});
