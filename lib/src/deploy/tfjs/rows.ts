/** The table of Keras layers. A new layer is a row. */
import type { Tensor } from "../../core/tensor.js";
import * as ops from "../../ops/index.js";
import { convolve, convolveTransposed, depthwise, type Pair, pool, resized } from "./images.js";
import type { Layer, LayerFunction, LayerRow } from "./layer.js";
import { RECURRENT } from "./recurrent.js";
import { TfjsError } from "./weights.js";

const rows = (table: Readonly<Record<string, (layer: Layer) => LayerFunction>>): LayerRow[] =>
  Object.entries(table).map(([className, make]) => ({ className, make }));

const same: LayerFunction = (x) => x;
const merge =
  (join: (a: Tensor, b: Tensor) => Tensor) =>
  (): LayerFunction =>
  (...inputs) =>
    inputs.reduce(join);

function biased(layer: Layer): (y: Tensor) => Tensor {
  const bias = layer.flag("use_bias", true) ? layer.weight("bias") : null;
  const f = layer.activation();
  return (y) => f(bias ? y.add(bias) : y);
}

/** (N, L, C) as images of height 1. */
const flat =
  (f: (x: Tensor) => Tensor): LayerFunction =>
  (x) =>
    f(x.expandDims(1)).squeeze(1);

function dense(layer: Layer): LayerFunction {
  const kernel = layer.weight("kernel");
  const end = biased(layer);
  return (x) => end(x.matmul(kernel));
}

function conv2d(layer: Layer): LayerFunction {
  layer.channelsLast();
  const parts = {
    stride: layer.pair("strides", [1, 1]),
    dilation: layer.pair("dilation_rate", [1, 1]),
    padding: layer.padding,
  };
  const kernel = layer.weight("kernel");
  const end = biased(layer);
  return (x) => end(convolve(x, kernel, parts));
}

function conv1d(layer: Layer): LayerFunction {
  const one = (key: string): Pair => [1, layer.pair(key, [1, 1])[0]];
  const causal = layer.config.padding === "causal";
  const kernel = layer.weight("kernel").expandDims(0);
  const dilation = one("dilation_rate");
  const before = (kernel.shape[1] - 1) * dilation[1];
  const padding = causal ? ([[0, 0], [before, 0]] as const) : layer.padding; // biome-ignore format: one line
  const end = biased(layer);
  return flat((x) => end(convolve(x, kernel, { stride: one("strides"), dilation, padding })));
}

function depthwiseConv2d(layer: Layer): LayerFunction {
  layer.channelsLast();
  const parts = {
    stride: layer.pair("strides", [1, 1]),
    dilation: layer.pair("dilation_rate", [1, 1]),
    padding: layer.padding,
  };
  const kernel = layer.weight("depthwise_kernel");
  const end = biased(layer);
  return (x) => end(depthwise(x, kernel, parts));
}

function separableConv2d(layer: Layer): LayerFunction {
  layer.channelsLast();
  const parts = {
    stride: layer.pair("strides", [1, 1]),
    dilation: layer.pair("dilation_rate", [1, 1]),
    padding: layer.padding,
  };
  const [each, across] = [layer.weight("depthwise_kernel"), layer.weight("pointwise_kernel")];
  const end = biased(layer);
  return (x) => end(convolve(depthwise(x, each, parts), across, { stride: [1, 1], padding: "valid" }));
}

function conv2dTranspose(layer: Layer): LayerFunction {
  layer.channelsLast();
  const parts = { stride: layer.pair("strides", [1, 1]), padding: layer.padding };
  const kernel = layer.weight("kernel");
  const end = biased(layer);
  return (x) => end(convolveTransposed(x, kernel, parts));
}

const pool2d =
  (how: "max" | "mean") =>
  (layer: Layer): LayerFunction => {
    layer.channelsLast();
    const size = layer.pair("pool_size", [2, 2]);
    const parts = { stride: layer.config.strides ? layer.pair("strides") : size, padding: layer.padding };
    return (x) => pool(x, how, size, parts);
  };

const pool1d =
  (how: "max" | "mean") =>
  (layer: Layer): LayerFunction => {
    const size = layer.pair("pool_size", [2, 2])[0];
    const stride = layer.config.strides ? layer.pair("strides")[0] : size;
    return flat((x) => pool(x, how, [1, size], { stride: [1, stride], padding: layer.padding }));
  };

const globally =
  (reduce: (x: Tensor, axes: number[]) => Tensor): LayerFunction =>
  (x) =>
    reduce(
      x,
      Array.from({ length: x.ndim - 2 }, (_, i) => 1 + i),
    );

function batchNormalization(layer: Layer): LayerFunction {
  const epsilon = layer.number("epsilon", 1e-3);
  const [mean, variance] = [layer.weight("moving_mean"), layer.weight("moving_variance")];
  const gamma = layer.flag("scale", true) ? layer.weight("gamma") : null;
  const beta = layer.flag("center", true) ? layer.weight("beta") : null;
  const axis = layer.config.axis;
  return (x) => {
    const at = Array.isArray(axis) ? axis[0] : (axis ?? -1);
    if (at !== -1 && at !== x.ndim - 1) layer.refuse("axis", "the last axis");
    const scale = variance.add(epsilon).rsqrt();
    const y = x.sub(mean).mul(gamma ? scale.mul(gamma) : scale);
    return beta ? y.add(beta) : y;
  };
}

function layerNormalization(layer: Layer): LayerFunction {
  const epsilon = layer.number("epsilon", 1e-3);
  const weight = layer.flag("scale", true) ? layer.weight("gamma") : undefined;
  const bias = layer.flag("center", true) ? layer.weight("beta") : undefined;
  return (x) => ops.layerNorm(x, -1, { weight, bias, epsilon });
}

function zeroPadding2d(layer: Layer): LayerFunction {
  layer.channelsLast();
  const given = layer.config.padding ?? 1;
  const sides = (Array.isArray(given) ? given : [given, given]).map((n: unknown) =>
    Array.isArray(n) ? n : [n, n],
  );
  if (sides.length !== 2 || !sides.flat().every((n) => Number.isInteger(n) && n >= 0))
    layer.refuse("padding", "widths");
  return (x) => ops.pad(x, [[0, 0], ...(sides as unknown as [Pair, Pair]), [0, 0]]);
}

function cropping2d(layer: Layer): LayerFunction {
  layer.channelsLast();
  const given = layer.config.cropping ?? 0;
  const sides = (Array.isArray(given) ? given : [given, given]).map((n: unknown) =>
    Array.isArray(n) ? n : [n, n],
  ) as unknown as Pair[];
  if (sides.length !== 2 || !sides.flat().every((n) => Number.isInteger(n) && n >= 0))
    layer.refuse("cropping", "widths");
  return (x) => x.slice([null, null], ...sides.map(([a, b], i): [number, number] => [a, x.shape[1 + i] - b]));
}

function upSampling2d(layer: Layer): LayerFunction {
  layer.channelsLast();
  const by = layer.pair("size", [2, 2]);
  const mode = layer.config.interpolation ?? "nearest";
  if (mode !== "nearest" && mode !== "bilinear") layer.refuse("interpolation", '"nearest" or "bilinear"');
  return (x) => resized(x, [x.shape[1] * by[0], x.shape[2] * by[1]], mode as "nearest", {});
}

function reshape(layer: Layer): LayerFunction {
  const shape = layer.numbers("target_shape");
  return (x) => x.reshape([x.shape[0], ...shape]);
}

function permute(layer: Layer): LayerFunction {
  const dims = layer.numbers("dims");
  return (x) => x.transpose([0, ...dims]);
}

function concatenate(layer: Layer): LayerFunction {
  const axis = layer.number("axis", -1);
  return (...inputs) => ops.concat(inputs, axis);
}

/** Products of the vectors of two inputs along an axis each. */
function dot(layer: Layer): LayerFunction {
  const axes = Array.isArray(layer.config.axes)
    ? layer.numbers("axes")
    : [layer.number("axes"), layer.number("axes")];
  return (a, b) => {
    if (a.ndim !== 2 || b.ndim !== 2 || axes.some((axis) => axis !== 1 && axis !== -1))
      throw new TfjsError(`${layer.where}: products of ${a.type} and ${b.type} along ${axes}`);
    return a.mul(b).sum(1, true);
  };
}

function embedding(layer: Layer): LayerFunction {
  const table = layer.weight("embeddings");
  return (x) => ops.take(table, x.cast("int32"), 0);
}

export const LAYERS: readonly LayerRow[] = [
  ...rows({
    InputLayer: () => same,
    Dense: dense,
    Activation: (layer) => layer.activation(),
    ReLU: (layer) => {
      const most = layer.config.max_value;
      return (x) => (typeof most === "number" ? x.clip(0, most) : x.relu());
    },
    LeakyReLU: (layer) => {
      const slope = layer.number("alpha", 0.3);
      return (x) => x.leakyRelu(slope);
    },
    ELU: (layer) => {
      const alpha = layer.number("alpha", 1);
      return (x) => ops.where(x.greater(0), x, x.expm1().mul(alpha));
    },
    PReLU: (layer) => {
      const slope = layer.weight("alpha");
      return (x) => ops.where(x.less(0), x.mul(slope), x);
    },
    ThresholdedReLU: (layer) => {
      const theta = layer.number("theta", 1);
      return (x) => ops.where(x.greater(theta), x, ops.zerosLike(x));
    },
    Softmax: (layer) => {
      const axis = layer.number("axis", -1);
      return (x) => x.softmax(axis < 0 ? axis + x.ndim : axis);
    },
    ...{ Dropout: () => same, SpatialDropout1D: () => same, SpatialDropout2D: () => same },
    ...{ AlphaDropout: () => same, GaussianDropout: () => same, GaussianNoise: () => same },
    Flatten: () => (x) => x.reshape([x.shape[0], -1]),
    Reshape: reshape,
    Permute: permute,
    RepeatVector: (layer) => {
      const n = layer.number("n");
      return (x) => x.expandDims(1).broadcastTo([x.shape[0], n, x.shape[1]]);
    },
    Conv1D: conv1d,
    Conv2D: conv2d,
    DepthwiseConv2D: depthwiseConv2d,
    SeparableConv2D: separableConv2d,
    Conv2DTranspose: conv2dTranspose,
    MaxPooling1D: pool1d("max"),
    MaxPooling2D: pool2d("max"),
    AveragePooling1D: pool1d("mean"),
    AveragePooling2D: pool2d("mean"),
    GlobalAveragePooling1D: () => globally((x, axes) => x.mean(axes)),
    GlobalAveragePooling2D: () => globally((x, axes) => x.mean(axes)),
    GlobalMaxPooling1D: () => globally((x, axes) => x.max(axes)),
    GlobalMaxPooling2D: () => globally((x, axes) => x.max(axes)),
    ZeroPadding2D: zeroPadding2d,
    Cropping2D: cropping2d,
    UpSampling2D: upSampling2d,
    BatchNormalization: batchNormalization,
    LayerNormalization: layerNormalization,
    Add: merge((a, b) => a.add(b)),
    Subtract: merge((a, b) => a.sub(b)),
    Multiply: merge((a, b) => a.mul(b)),
    Maximum: merge((a, b) => ops.maximum(a, b)),
    Minimum: merge((a, b) => ops.minimum(a, b)),
    Average:
      () =>
      (...inputs) =>
        inputs.reduce((a, b) => a.add(b)).div(inputs.length),
    Concatenate: concatenate,
    Dot: dot,
    Embedding: embedding,
  }),
  ...RECURRENT,
];
