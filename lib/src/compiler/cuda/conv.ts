/** Convolution and its two gradients: a thread per element of the result. */
import { sizeOf } from "../../core/shape.js";
import type { ConvAttrs } from "../../ops/conv.js";
import { type CudaArray, type CudaOp, computed, fits } from "./types.js";
import { KernelWriter } from "./writer.js";

const floats: CudaOp["supports"] = (inputs, outputs) =>
  fits([...inputs, ...outputs]) && ["float", "double", "int"].includes(computed(outputs[0].dtype));

/** Names of the parameters as arguments. */
function names(w: KernelWriter, { stride, padding, dilation }: ConvAttrs) {
  return {
    stride: stride.map((n) => w.int(n)),
    before: padding.map(([n]) => w.int(n)),
    dilation: dilation.map((n) => w.int(n)),
  };
}

const spread = (x: CudaArray): CudaArray => ({ ...x, shape: x.shape.map(() => 2) });

/** y[b, f, r, c] = Σ x[b, i, r·s − p + u·d, …]·w[f, i, u, v] */
const conv2d: CudaOp<ConvAttrs> = {
  op: "conv2d",
  supports: floats,
  run([x, filter], [y], attrs) {
    const w = new KernelWriter("mlsys_conv2d");
    const { stride, before, dilation } = names(w, attrs);
    const { text } = w.coordinates(y.shape, "i", "c");
    const [, inner, kh, kw] = filter.shape.map((n) => w.int(n));
    const perGroup = w.int(filter.shape[0] / attrs.groups);
    const from = w.input(x)(w.position(spread(x), ["c0", "(first + j)", "row", "column"]));
    const weight = w.input(filter)(w.position(spread(filter), ["c1", "j", "u", "v"]));
    w.run(
      sizeOf(y.shape),
      `    ${text}const int first = c1 / ${perGroup} * ${inner}; ${computed(y.dtype)} s = 0;
    for (int j = 0; j < ${inner}; j++)
      for (int u = 0; u < ${kh}; u++) {
        const int row = c2 * ${stride[0]} - ${before[0]} + u * ${dilation[0]};
        if (row < 0 || row >= ${w.int(x.shape[2])}) continue;
        for (int v = 0; v < ${kw}; v++) {
          const int column = c3 * ${stride[1]} - ${before[1]} + v * ${dilation[1]};
          if (column >= 0 && column < ${w.int(x.shape[3])}) s += ${from} * ${weight};
        }
      }
    ${w.output(y)("i", "s")}`,
    );
  },
};

/** The gradient of x: each pixel looks for the outputs that it went into. */
const inputGrad: CudaOp<ConvAttrs> = {
  op: "conv2dInputGrad",
  supports: floats,
  run([g, filter], [dx], attrs) {
    const w = new KernelWriter("mlsys_conv2d_input_grad");
    const { stride, before, dilation } = names(w, attrs);
    const { text } = w.coordinates(dx.shape, "i", "c");
    const [, inner, kh, kw] = filter.shape.map((n) => w.int(n));
    const perGroup = w.int(filter.shape[0] / attrs.groups);
    const from = w.input(g)(w.position(spread(g), ["c0", "f", "r", "q"]));
    const weight = w.input(filter)(w.position(spread(filter), ["f", "j", "u", "v"]));
    w.run(
      sizeOf(dx.shape),
      `    ${text}const int group = c1 / ${inner}, j = c1 % ${inner}; ${computed(dx.dtype)} s = 0;
    for (int f = group * ${perGroup}; f < (group + 1) * ${perGroup}; f++)
      for (int u = 0; u < ${kh}; u++) {
        const int down = c2 + ${before[0]} - u * ${dilation[0]}, r = down / ${stride[0]};
        if (down < 0 || down % ${stride[0]} != 0 || r >= ${w.int(g.shape[2])}) continue;
        for (int v = 0; v < ${kw}; v++) {
          const int right = c3 + ${before[1]} - v * ${dilation[1]}, q = right / ${stride[1]};
          if (right >= 0 && right % ${stride[1]} == 0 && q < ${w.int(g.shape[3])}) s += ${from} * ${weight};
        }
      }
    ${w.output(dx)("i", "s")}`,
    );
  },
};

/** The gradient of the filters: each weight goes through all pixels that it met. A warp per weight. */
const weightGrad: CudaOp<ConvAttrs> = {
  op: "conv2dWeightGrad",
  supports: floats,
  run([x, g], [dw], attrs) {
    const w = new KernelWriter("mlsys_conv2d_weight_grad");
    const { stride, before, dilation } = names(w, attrs);
    const { text } = w.coordinates(dw.shape, "(i / 32)", "c");
    const [, inner] = dw.shape.map((n) => w.int(n));
    const perGroup = w.int(dw.shape[0] / attrs.groups);
    const { text: pixel } = w.coordinates([g.shape[0], g.shape[2], g.shape[3]], "k", "n");
    const from = w.input(x)(w.position(spread(x), ["n0", "channel", "row", "column"]));
    const grad = w.input(g)(w.position(spread(g), ["n0", "c0", "n1", "n2"]));
    const type = computed(dw.dtype);
    w.run(
      sizeOf(dw.shape) * 32,
      `    ${text}const int channel = c0 / ${perGroup} * ${inner} + c1; ${type} s = 0;
    for (int k = i % 32; k < ${w.int(g.shape[0] * g.shape[2] * g.shape[3])}; k += 32) {
      ${pixel}const int row = n1 * ${stride[0]} - ${before[0]} + c2 * ${dilation[0]};
      const int column = n2 * ${stride[1]} - ${before[1]} + c3 * ${dilation[1]};
      if (row >= 0 && row < ${w.int(x.shape[2])} && column >= 0 && column < ${w.int(x.shape[3])}) s += ${from} * ${grad};
    }
    for (int by = 16; by > 0; by /= 2) s += __shfl_xor_sync(0xffffffffu, s, by);
    if (i % 32 == 0) { ${w.output(dw)("i / 32", "s")} }`,
    );
  },
};

export const convOps: readonly CudaOp[] = [conv2d, inputGrad, weightGrad] as readonly CudaOp[];
