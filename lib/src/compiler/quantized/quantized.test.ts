/** Products of whole numbers on the devices of the host: bit for bit the reference's, which is plain integer arithmetic. */
import fc from "fast-check";
import { afterEach, describe, expect, it } from "vitest";
import { compiler, Generator, getDevice, setDevice, type Tensor, tensor } from "../../index.js";
import { apply } from "../../ops/bind.js";
import {
  packWeights,
  type QuantizedAttrs,
  quantizedConv2dOp,
  quantizedMatmulOp,
  type Requantize,
} from "../../ops/quantized.js";
import { withDevice } from "../../runtime/devices.js";

const home = getDevice();
afterEach(() => setDevice(home));

const size = (least: number, most: number) => fc.integer({ min: least, max: most });
const pair = (least: number, most: number) => fc.tuple(size(least, most), size(least, most));

const outputs: fc.Arbitrary<Requantize | null> = fc.oneof(
  fc.constant(null),
  fc.record({ scale: fc.constantFrom(0.03, 0.5, 7), zero: size(0, 255) }).map(({ scale, zero }) => ({
    ...{ dtype: "uint8" as const, low: 0, high: 255, scale, zero },
  })),
  fc.constantFrom(0.03, 0.5).map((scale) => ({
    ...{ dtype: "int8" as const, low: -127, high: 127, zero: 0, scale },
  })),
);

const layers = fc.record({
  signed: fc.boolean(),
  zero: size(0, 255),
  activation: fc.constantFrom("none", "relu", "relu6"),
  output: outputs,
  seed: size(1, 10_000),
});

function attrsOf({
  signed,
  zero,
  activation,
  output,
}: typeof layers extends fc.Arbitrary<infer L> ? L : never): QuantizedAttrs {
  const least = activation === "none" ? null : 0;
  return { zero: signed ? zero - 128 : zero, least, most: activation === "relu6" ? 6 : null, output };
}

/** Random x, and what stands behind it: weights that reach both ends of int8. */
function operands(
  shape: readonly number[],
  weight: readonly number[],
  signed: boolean,
  seed: number,
): Tensor[] {
  const draw = new Generator(seed);
  const whole = (dims: readonly number[], low: number, high: number): Tensor =>
    draw
      .uniform(dims)
      .mul(high - low + 1)
      .add(low)
      .floor()
      .clip(low, high);
  const x = whole(shape, signed ? -128 : 0, signed ? 127 : 255).cast(signed ? "int8" : "uint8");
  const w = whole(weight, -128, 127);
  const scale = draw.uniform([weight[0]]).mul(0.01).add(1e-4);
  return [x, packWeights(w.cast("int8")), w.sum([1, 2, 3]).cast("int32"), scale, draw.normal([weight[0]])];
}

const same = (device: string, run: () => Tensor): void => {
  const wanted = withDevice("cpu", run);
  const found = withDevice(device, run);
  expect(found.type).toEqual(wanted.type);
  expect(Array.from(found.toTypedArray())).toEqual(Array.from(wanted.toTypedArray()));
};

describe.each(compiler.codegen.nativeAvailable() ? (["wasm", "native"] as const) : (["wasm"] as const))(
  "on %s",
  (device) => {
    it("a product is the reference's", async () => {
      fc.assert(
        fc.property(layers, size(1, 30), size(1, 40), size(1, 40), (layer, m, k, n) => {
          const inputs = operands([m, k], [n, k, 1, 1], layer.signed, layer.seed);
          same(device, () => apply(quantizedMatmulOp, inputs, { ...attrsOf(layer), columns: n }));
        }),
        { numRuns: 60 },
      );
      await compiler.nativeKernels().ready;
      const inputs = operands([3, 7, 33], [70, 33, 1, 1], false, 1);
      same(device, () =>
        apply(quantizedMatmulOp, inputs, { zero: 9, least: null, most: null, output: null, columns: 70 }),
      );
    });

    it("a convolution is the reference's", async () => {
      await compiler.nativeKernels().ready;
      const geometry = fc.record({
        n: size(1, 2),
        channels: size(1, 9),
        filters: size(1, 40),
        kernel: fc.oneof(fc.constant([1, 1] as [number, number]), pair(1, 3)),
        stride: pair(1, 2),
        dilation: pair(1, 2),
        padding: fc.tuple(pair(0, 2), pair(0, 2)),
        extra: pair(0, 9),
      });
      fc.assert(
        fc.property(layers, geometry, (layer, g) => {
          const { n, channels, filters, kernel, stride, dilation, padding, extra } = g;
          const image = [0, 1].map((i) => dilation[i] * (kernel[i] - 1) + 1 + extra[i]);
          const inputs = operands(
            [n, channels, ...image],
            [filters, channels, ...kernel],
            layer.signed,
            layer.seed,
          );
          same(device, () =>
            apply(quantizedConv2dOp, inputs, {
              ...attrsOf(layer),
              filters,
              kernel,
              stride,
              dilation,
              padding,
            }),
          );
        }),
        { numRuns: 60 },
      );
    });
  },
);

it("says which operands do not fit", () => {
  const [x, w, sums, scale, bias] = operands([2, 5], [3, 5, 1, 1], false, 1);
  const attrs = { zero: 0, least: null, most: null, output: null, columns: 3 };
  expect(() => apply(quantizedMatmulOp, [x.cast("float32"), w, sums, scale, bias], attrs)).toThrow(
    "quantizedMatmul: x of 8 bits, int8 weights and int32 sums wanted, got float32, int8 and int32",
  );
  expect(() => apply(quantizedMatmulOp, [x, w, sums, scale, bias], { ...attrs, columns: 20 })).toThrow(
    "packed weights",
  );
  expect(() => apply(quantizedMatmulOp, [x, w, sums, tensor([1]), bias], attrs)).toThrow(
    "quantizedMatmul: 3 sums, scales and biases wanted",
  );
});
