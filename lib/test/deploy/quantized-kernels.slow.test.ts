/** Products and convolutions of whole numbers against ONNX Runtime's: the same numbers, not about the same. */
import { afterEach, beforeAll, describe, expect, it } from "vitest";
import { type AttributeValue, attributeOf, infoOf } from "../../src/deploy/onnx/export/exporter.js";
import { encodeModel } from "../../src/deploy/onnx/schema.js";
import { compiler, Generator, getDevice, setDevice, type Tensor, tensor, zeros } from "../../src/index.js";
import { apply } from "../../src/ops/bind.js";
import { packWeights, quantizedConv2dOp, quantizedMatmulOp } from "../../src/ops/quantized.js";
import { INSTALLING_MS, prepareOnnxRuntime, runOnnxRuntime } from "../support/onnxruntime.js";

beforeAll(prepareOnnxRuntime, INSTALLING_MS);
const home = getDevice();
afterEach(() => setDevice(home));

/** A model of one node, its result of this type. */
function modelOf(
  op: string,
  inputs: readonly Tensor[],
  attributes: Readonly<Record<string, AttributeValue>> = {},
): Uint8Array {
  const names = inputs.map((_, i) => `in${i}`);
  const attribute = Object.entries(attributes).map(([key, value]) => attributeOf(key, value));
  return encodeModel({
    ir_version: 9,
    opset_import: [{ domain: "", version: 20 }],
    graph: {
      name: "one",
      node: [{ op_type: op, name: op, input: names, output: ["out"], attribute }],
      input: inputs.map((x, i) => infoOf(names[i], x)),
      output: [{ name: "out" }],
    },
  });
}

const draw = new Generator(5);
const whole = (shape: readonly number[], dtype: "uint8" | "int8"): Tensor =>
  draw
    .uniform(shape)
    .mul(256)
    .add(dtype === "int8" ? -128 : 0)
    .floor()
    .clip(dtype === "int8" ? -128 : 0, dtype === "int8" ? 127 : 255)
    .cast(dtype);

const values = (x: Tensor): number[] => Array.from(x.toTypedArray());
const ones = (n: number): Tensor => zeros([n]).add(1);
const plain = { least: null, most: null, output: null } as const;

/** Weights and what belongs to them, for sums alone. */
const operandsOf = (filters: Tensor): Tensor[] => [
  packWeights(filters),
  filters.cast("int32").sum([1, 2, 3]).cast("int32"),
  ones(filters.shape[0]),
  zeros([filters.shape[0]]),
];

const devices = compiler.codegen.nativeAvailable() ? (["wasm", "native"] as const) : (["wasm"] as const);

describe.each(devices)("on %s", (device) => {
  /** The same once more when what the first call asked for is compiled. */
  async function computed(run: () => Tensor): Promise<Tensor> {
    setDevice(device);
    run();
    await compiler.nativeKernels().ready;
    return run();
  }

  it.each(["uint8", "int8"] as const)("a product of %s is MatMulInteger", async (dtype) => {
    const [x, w] = [whole([37, 75], dtype), whole([75, 50], "int8")];
    const zero = dtype === "uint8" ? 131 : -3;
    const inputs = [x, w, tensor(zero, { dtype }), tensor(0, { dtype: "int8" })];
    const [wanted] = await runOnnxRuntime(modelOf("MatMulInteger", inputs), inputs);
    const filters = w.transpose([1, 0]).reshape([50, 75, 1, 1]);
    const attrs = { ...plain, zero, columns: 50 };
    const found = await computed(() => apply(quantizedMatmulOp, [x, ...operandsOf(filters)], attrs));
    expect(values(found)).toEqual(values(wanted));
  });

  it("a product that is quantized again is QLinearMatMul", async () => {
    const [x, w] = [whole([12, 40], "uint8"), whole([40, 33], "int8")];
    const scalar = (v: number): Tensor => tensor(v, { dtype: "float32" });
    // powers of two: no rounding but the last one, which is the same everywhere
    const [a, b, y] = [2 ** -5, 2 ** -7, 2 ** -2];
    const zeroes = [
      tensor(128, { dtype: "uint8" }),
      tensor(0, { dtype: "int8" }),
      tensor(119, { dtype: "uint8" }),
    ];
    const inputs = [x, scalar(a), zeroes[0], w, scalar(b), zeroes[1], scalar(y), zeroes[2]];
    const [wanted] = await runOnnxRuntime(modelOf("QLinearMatMul", inputs), inputs);
    const [packed, sums, scale, bias] = operandsOf(w.transpose([1, 0]).reshape([33, 40, 1, 1]));
    const output = { dtype: "uint8", scale: y, zero: 119, low: 0, high: 255 } as const;
    const operands = [x, packed, sums, scale.mul(a * b), bias];
    const attrs = { ...plain, output, zero: 128, columns: 33 };
    const found = await computed(() => apply(quantizedMatmulOp, operands, attrs));
    expect(values(found)).toEqual(values(wanted));
  });

  it.each([
    [[3, 3], [1, 1], [1, 1], 1],
    [[3, 2], [2, 1], [1, 2], 0],
    [[1, 1], [1, 1], [1, 1], 0],
  ] as const)(
    "a convolution by %j, stride %j, dilation %j is ConvInteger",
    async (kernel, stride, dilation, pad) => {
      const [x, w] = [whole([2, 19, 13, 11], "uint8"), whole([21, 19, ...kernel], "int8")];
      const inputs = [x, w, tensor(77, { dtype: "uint8" })];
      const model = modelOf("ConvInteger", inputs, {
        strides: [...stride],
        dilations: [...dilation],
        pads: [pad, pad, pad, pad],
      });
      const [wanted] = await runOnnxRuntime(model, inputs);
      const padding = [
        [pad, pad],
        [pad, pad],
      ] as const;
      const attrs = { ...plain, zero: 77, filters: 21, kernel, stride, dilation, padding };
      const found = await computed(() => apply(quantizedConv2dOp, [x, ...operandsOf(w)], attrs));
      expect(values(found)).toEqual(values(wanted));
    },
  );
});
