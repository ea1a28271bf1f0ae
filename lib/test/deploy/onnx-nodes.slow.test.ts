/** Nodes of ONNX that PyTorch and this library don't write, or not with these attributes, against ONNX Runtime. */
import { beforeAll, describe, it } from "vitest";
import { codeOf, protoOf } from "../../src/deploy/onnx/elements.js";
import { type AttributeValue, attributeOf, Float, infoOf } from "../../src/deploy/onnx/export/exporter.js";
import { encodeModel, type GraphProto } from "../../src/deploy/onnx/schema.js";
import { deploy, Generator, type Tensor, tensor } from "../../src/index.js";
import type { DenseTensor } from "../../src/runtime/dense.js";
import { expectClose } from "../support/close.js";
import { INSTALLING_MS, prepareOnnxRuntime, runOnnxRuntime } from "../support/onnxruntime.js";

const draw = new Generator(17);
const x = (...shape: number[]): Tensor => draw.normal(shape);
const ints = (...values: number[]): Tensor => tensor(values, { dtype: "int64" });
const i32 = (...values: number[]): Tensor => tensor(values, { dtype: "int32" });
const f = (value: number): Float => new Float(value);

interface NodeCase {
  readonly op: string;
  /** `null`: an optional input that is left out. */
  readonly inputs: readonly (Tensor | null)[];
  readonly attributes?: Readonly<Record<string, AttributeValue>>;
  readonly outputs?: number;
  /** From this input on: known when the model is read, as shapes and axes are. */
  readonly constantFrom?: number;
  readonly opset?: number;
  readonly tolerance?: number;
}

function modelOf({
  op,
  inputs,
  attributes = {},
  outputs = 1,
  constantFrom = 99,
  opset = 20,
}: NodeCase): Uint8Array {
  const names = inputs.map((input, i) => (input ? `in${i}` : ""));
  const given = inputs.flatMap((input, i) => (input && i < constantFrom ? [infoOf(`in${i}`, input)] : []));
  const known = inputs.flatMap((input, i) =>
    input && i >= constantFrom ? [protoOf(`in${i}`, input as DenseTensor)] : [],
  );
  const made = Array.from({ length: outputs }, (_, i) => `out${i}`);
  return encodeModel({
    ir_version: opset > 22 ? 11 : 9,
    opset_import: [{ domain: "", version: opset }],
    graph: {
      name: "one",
      node: [
        {
          op_type: op,
          name: op,
          input: names,
          output: made,
          attribute: Object.entries(attributes).map(([k, v]) => attributeOf(k, v)),
        },
      ],
      input: given,
      initializer: known,
      output: made.map((name) => ({ name })), // types are inferred
    },
  });
}

const image = x(1, 4, 6, 7);
const lstm = (extra: Partial<NodeCase> = {}, directions = 1): NodeCase => ({
  op: "LSTM",
  inputs: [x(4, 2, 3), x(directions, 8, 3), x(directions, 8, 2), x(directions, 16)],
  attributes: { hidden_size: 2 },
  outputs: 3,
  ...extra,
});

const body: GraphProto = {
  name: "body",
  node: [
    { op_type: "Add", input: ["s", "s"], output: ["next"] },
    { op_type: "Identity", input: ["next"], output: ["kept"] },
    { op_type: "Identity", input: ["on"], output: ["still"] },
  ],
  input: [
    infoOf("i", { shape: [], dtype: "int64" }),
    infoOf("on", { shape: [], dtype: "bool" }),
    infoOf("s", { shape: [2], dtype: "float32" }),
  ],
  output: [
    infoOf("still", { shape: [], dtype: "bool" }),
    infoOf("next", { shape: [2], dtype: "float32" }),
    infoOf("kept", { shape: [2], dtype: "float32" }),
  ],
};

const CASES: Readonly<Record<string, NodeCase>> = {
  "LRN, factors": {
    op: "LRN",
    inputs: [image],
    attributes: { size: 3, alpha: f(0.1), beta: f(0.6), bias: f(1.5) },
  },
  "LpNormalization, p 1": { op: "LpNormalization", inputs: [x(3, 4)], attributes: { p: 1, axis: 0 } },
  MeanVarianceNormalization: { op: "MeanVarianceNormalization", inputs: [image], tolerance: 1e-3 },
  "GroupNormalization by channel": {
    op: "GroupNormalization",
    inputs: [image, x(4), x(4)],
    attributes: { num_groups: 2 },
    opset: 21,
  },
  "LayerNormalization with mean": {
    op: "LayerNormalization",
    inputs: [x(2, 3, 4), x(3, 4), x(3, 4)],
    attributes: { axis: 1 },
    outputs: 3,
  },
  RMSNormalization: { op: "RMSNormalization", inputs: [x(2, 4), x(4)], opset: 23 },
  "Attention, causal, flat heads": {
    op: "Attention",
    inputs: [x(1, 4, 6), x(1, 4, 6), x(1, 4, 6)],
    attributes: { q_num_heads: 2, kv_num_heads: 2, is_causal: 1 },
    opset: 23,
  },
  "Attention, masked, grouped": {
    op: "Attention",
    inputs: [x(1, 4, 3, 2), x(1, 2, 5, 2), x(1, 2, 5, 2), x(3, 5)],
    opset: 23,
  },
  "Conv, same upper": {
    op: "Conv",
    inputs: [image, x(2, 4, 3, 2), x(2)],
    attributes: { auto_pad: "SAME_UPPER", strides: [2, 2] },
  },
  "Conv, same lower": { op: "Conv", inputs: [image, x(2, 4, 2, 4)], attributes: { auto_pad: "SAME_LOWER" } },
  "Conv, uneven pads": { op: "Conv", inputs: [image, x(2, 4, 3, 3)], attributes: { pads: [0, 2, 1, 0] } },
  "ConvTranspose, output shape": {
    op: "ConvTranspose",
    inputs: [image, x(4, 2, 3, 3)],
    attributes: { strides: [2, 2], output_shape: [12, 14] },
  },
  "ConvTranspose, same": {
    op: "ConvTranspose",
    inputs: [image, x(4, 2, 3, 3)],
    attributes: { strides: [2, 2], auto_pad: "SAME_UPPER" },
  },
  "ConvTranspose, uneven": {
    op: "ConvTranspose",
    inputs: [image, x(4, 1, 3, 2)],
    attributes: { strides: [3, 2], pads: [1, 0, 0, 1], output_padding: [1, 0], group: 4 },
  },
  "AveragePool, ceil": {
    op: "AveragePool",
    inputs: [image],
    attributes: { kernel_shape: [3, 2], strides: [2, 2], ceil_mode: 1, pads: [1, 0, 1, 0] },
  },
  "AveragePool, ceil, pads counted": {
    op: "AveragePool",
    inputs: [image],
    attributes: {
      kernel_shape: [3, 2],
      strides: [2, 2],
      ceil_mode: 1,
      pads: [1, 0, 1, 0],
      count_include_pad: 1,
    },
  },
  "MaxPool, dilated, same": {
    op: "MaxPool",
    inputs: [image],
    attributes: { kernel_shape: [3, 3], dilations: [2, 1], auto_pad: "VALID" },
  },
  GlobalMaxPool: { op: "GlobalMaxPool", inputs: [image] },
  ...Object.fromEntries(
    ["half_pixel", "align_corners", "asymmetric", "pytorch_half_pixel"].flatMap((form) =>
      ["nearest", "linear", "cubic"].map((mode): [string, NodeCase] => [
        `Resize, ${mode}, ${form}`,
        {
          op: "Resize",
          inputs: [x(1, 1, 5, 6), null, null, ints(1, 1, 7, 4)],
          attributes: { mode, coordinate_transformation_mode: form },
          constantFrom: 1,
        },
      ]),
    ),
  ),
  "Resize, nearest, ceil": {
    op: "Resize",
    inputs: [x(1, 1, 4, 4), null, tensor([1, 1, 1.5, 0.5])],
    attributes: { mode: "nearest", nearest_mode: "ceil", coordinate_transformation_mode: "asymmetric" },
    constantFrom: 1,
  },
  "LSTM, both ways": lstm({ attributes: { hidden_size: 2, direction: "bidirectional" } }, 2),
  "LSTM, peepholes": { ...lstm(), inputs: [...lstm().inputs, null, x(1, 2, 2), x(1, 2, 2), x(1, 6)] },
  "LSTM, lengths": { ...lstm(), inputs: [...lstm().inputs, i32(3, 4)] },
  "LSTM, other activations": lstm({
    attributes: { hidden_size: 2, activations: ["Sigmoid", "Relu", "Softsign"] },
  }),
  "GRU, reset before": {
    op: "GRU",
    inputs: [x(4, 2, 3), x(1, 6, 3), x(1, 6, 2), x(1, 12)],
    attributes: { hidden_size: 2, direction: "reverse" },
    outputs: 2,
  },
  "GRU, reset after": {
    op: "GRU",
    inputs: [x(4, 2, 3), x(1, 6, 3), x(1, 6, 2), x(1, 12)],
    attributes: { hidden_size: 2, linear_before_reset: 1 },
    outputs: 2,
  },
  "OneHot, own axis": {
    op: "OneHot",
    inputs: [ints(1, -1, 2), ints(4), tensor([-1, 5])],
    attributes: { axis: 0 },
    constantFrom: 1,
  },
  EyeLike: { op: "EyeLike", inputs: [x(3, 4)], attributes: { k: 1, dtype: codeOf("int32") } },
  "ScatterElements, max": { op: "ScatterElements", inputs: [x(3, 3), tensor([[0, -1, 0], [1, 0, 2]], { dtype: "int64" }), x(2, 3)], attributes: { axis: 0, reduction: "max" } }, // biome-ignore format: two rows
  ScatterND: { op: "ScatterND", inputs: [x(4, 3), tensor([[0], [2]], { dtype: "int64" }), x(2, 3)] }, // biome-ignore format: two rows
  "ScatterND, add": { op: "ScatterND", inputs: [x(4, 3), tensor([[0, 1], [0, 1], [3, 2]], { dtype: "int64" }), x(3)], attributes: { reduction: "add" } }, // biome-ignore format: three rows
  GatherND: { op: "GatherND", inputs: [x(4, 3), tensor([[0, 1], [3, -1]], { dtype: "int64" })] }, // biome-ignore format: two rows
  "Gather, negative": { op: "Gather", inputs: [x(4, 3), ints(-1, 0)], attributes: { axis: 1 } },
  "GatherElements, fewer": { op: "GatherElements", inputs: [x(4, 3), tensor([[0, 2], [-1, 1]], { dtype: "int64" })], attributes: { axis: 1 } }, // biome-ignore format: two rows
  "TopK, smallest": {
    op: "TopK",
    inputs: [x(3, 5), ints(2)],
    attributes: { axis: 0, largest: 0 },
    outputs: 2,
    constantFrom: 1,
  },
  "ArgMax, last": { op: "ArgMax", inputs: [tensor([[1, 3, 3], [2, 2, 0]])], attributes: { axis: 1, select_last_index: 1 } }, // biome-ignore format: two rows
  NonZero: { op: "NonZero", inputs: [tensor([[1, 0], [0, 2]])] }, // biome-ignore format: two rows
  Compress: {
    op: "Compress",
    inputs: [x(3, 2), tensor([true, false, true])],
    attributes: { axis: 0 },
    constantFrom: 1,
  },
  "CumSum, exclusive, reverse": {
    op: "CumSum",
    inputs: [x(2, 4), tensor(1, { dtype: "int64" })],
    attributes: { exclusive: 1, reverse: 1 },
    constantFrom: 1,
  },
  "Slice, backwards": {
    op: "Slice",
    inputs: [x(4, 5), ints(-1, 3), ints(-100, 0), ints(1, 0), ints(-2, -1)],
    constantFrom: 1,
  },
  "Pad, cut and wrap": { op: "Pad", inputs: [x(4, 5), ints(1, -1, 2, -1)], constantFrom: 1 },
  "Pad, own axes": { op: "Pad", inputs: [x(4, 5), ints(1, 2), tensor(7), ints(-1)], constantFrom: 1 },
  "Split, uneven": { op: "Split", inputs: [x(5, 2)], attributes: { num_outputs: 3 }, outputs: 3 },
  "Trilu, lower": {
    op: "Trilu",
    inputs: [x(4, 5), tensor(-1, { dtype: "int64" })],
    attributes: { upper: 0 },
    constantFrom: 1,
  },
  "DepthToSpace, CRD": { op: "DepthToSpace", inputs: [image], attributes: { blocksize: 2, mode: "CRD" } },
  SpaceToDepth: { op: "SpaceToDepth", inputs: [x(1, 2, 4, 6)], attributes: { blocksize: 2 } },
  Range: {
    op: "Range",
    inputs: [ints(10).reshape([]), ints(1).reshape([]), ints(-3).reshape([])],
    constantFrom: 0,
  },
  "Gemm, all": {
    op: "Gemm",
    inputs: [x(3, 2), x(4, 3), x(4)],
    attributes: { alpha: f(0.5), beta: f(2), transA: 1, transB: 1 },
  },
  Hardmax: { op: "Hardmax", inputs: [x(3, 4)], attributes: { axis: 0 } },
  "Mod, negative": { op: "Mod", inputs: [i32(7, -7, 5), i32(3, 3, -3)] },
  "Mod, fmod": { op: "Mod", inputs: [x(5), x(5)], attributes: { fmod: 1 } },
  "Div, whole": { op: "Div", inputs: [i32(7, -7, 9), i32(2, 2, -4)] },
  "IsInf, negative": {
    op: "IsInf",
    inputs: [tensor([Infinity, -Infinity, 1])],
    attributes: { detect_positive: 0 },
  },
  Shrink: { op: "Shrink", inputs: [x(6)], attributes: { lambd: f(0.3), bias: f(0.1) } },
  ThresholdedRelu: { op: "ThresholdedRelu", inputs: [x(6)], attributes: { alpha: f(0.4) } },
  Celu: { op: "Celu", inputs: [x(6)], attributes: { alpha: f(0.4) } },
  "PRelu, by channel": { op: "PRelu", inputs: [image, x(4, 1, 1)] },
  "Clip, one bound": { op: "Clip", inputs: [x(6), null, tensor(0.2)] },
  "Max of three": { op: "Max", inputs: [x(3), x(2, 1), x(2, 3)] },
  "Mean of three": { op: "Mean", inputs: [x(3), x(2, 1), x(2, 3)] },
  "Pow, mixed": { op: "Pow", inputs: [x(3).abs(), i32(1, 2, 3)] },
  "Reshape, kept": { op: "Reshape", inputs: [x(2, 3, 4), ints(0, -1)], constantFrom: 1 },
  "Expand, by rank": { op: "Expand", inputs: [x(3, 1), ints(2, 1, 4)], constantFrom: 1 },
  QuantizeLinear: {
    op: "QuantizeLinear",
    inputs: [x(2, 3).mul(3), tensor(0.02), tensor(5, { dtype: "uint8" })],
  },
  "QuantizeLinear, by axis": {
    op: "QuantizeLinear",
    inputs: [x(2, 3), tensor([0.02, 0.01, 0.03]), tensor([0, 1, -2], { dtype: "int8" })],
    attributes: { axis: 1 },
  },
  DequantizeLinear: {
    op: "DequantizeLinear",
    inputs: [tensor([-128, 0, 127], { dtype: "int8" }), tensor(0.5), tensor(3, { dtype: "int8" })],
  },
  DynamicQuantizeLinear: { op: "DynamicQuantizeLinear", inputs: [x(3, 4)], outputs: 3 },
  MatMulInteger: { op: "MatMulInteger", inputs: [tensor([[1, 250], [3, 4]], { dtype: "uint8" }), tensor([[1, -2], [100, 4]], { dtype: "int8" }), tensor(12, { dtype: "uint8" })] }, // biome-ignore format: two rows
  ConvInteger: {
    op: "ConvInteger",
    inputs: [
      x(1, 1, 4, 4).abs().mul(60).cast("uint8"),
      x(1, 1, 2, 2).abs().mul(60).cast("uint8"),
      tensor(10, { dtype: "uint8" }),
    ],
    attributes: { pads: [1, 1, 1, 1] },
  },
  "Loop, outputs collected": {
    op: "Loop",
    inputs: [ints(4).reshape([]), tensor(true), x(2)],
    attributes: { body },
    outputs: 2,
  },
};

beforeAll(prepareOnnxRuntime, INSTALLING_MS);

describe("nodes", () => {
  it.each(Object.keys(CASES))("%s", async (name) => {
    const one = CASES[name];
    const bytes = modelOf(one);
    const given = one.inputs.filter(
      (input, i): input is Tensor => input !== null && i < (one.constantFrom ?? 99),
    );
    const wanted = await runOnnxRuntime(bytes, given);
    const model = deploy.readOnnx(bytes);
    const found = model.call(...given);
    expectClose(found, wanted, one.tolerance ?? 1e-4);
  });
});
