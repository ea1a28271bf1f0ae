/** Activation functions (激活函数). */
import type { Tensor } from "../core/tensor.js";
import { unaryOp } from "./elementwise.js";
import { erf as erfOf } from "./special.js";

const SQRT_2_OVER_PI = Math.sqrt(2 / Math.PI);
const SELU_SCALE = 1.0507009873554805;
const SELU_ALPHA = 1.6732632423543772;

const softplusOf = (x: number): number => Math.max(x, 0) + Math.log1p(Math.exp(-Math.abs(x)));

/** 1 where low < x < high, else 0. */
const between = (x: Tensor, low: number, high: number): Tensor =>
  x.greater(low).logicalAnd(x.less(high)).cast(x.dtype);

/**
 * 1/(1 + e⁻ˣ).
 * @example sigmoid([-2, 0, 2]) // [0.1192, 0.5, 0.8808]
 */
export const sigmoid = unaryOp("sigmoid", {
  f: (x) => 1 / (1 + Math.exp(-x)),
  derivative: (_, y) => y.mul(y.neg().add(1)),
  reads: "y",
  float: true,
});

/**
 * max(x, 0); its derivative at 0 is 0.
 * @example relu([-1, 2]) // [0, 2]
 */
export const relu = unaryOp("relu", {
  f: (x) => (x > 0 || Number.isNaN(x) ? x : 0),
  derivative: (_, y) => y.greater(0).cast(y.dtype),
  reads: "y",
  range: [0.2, 2],
  also: [-2, -0.2],
});

/**
 * x where positive, else eˣ − 1 (Clevert et al. 2016, α = 1).
 * @example elu([-1, 2]) // [-0.6321, 2]
 */
export const elu = unaryOp("elu", {
  f: (x) => (x > 0 ? x : Math.expm1(x)),
  derivative: (_, y) => y.add(1).minimum(1),
  reads: "y",
  float: true,
  range: [-2, -0.1],
  also: [0.1, 2],
});

/**
 * x·sigmoid(x) (swish).
 * @example silu([-1, 2]) // [-0.2689, 1.762]
 */
export const silu = unaryOp("silu", {
  f: (x) => x / (1 + Math.exp(-x)),
  derivative: (x) => {
    const s = x.sigmoid();
    return s.mul(x.mul(s.neg().add(1)).add(1));
  },
  reads: "x",
  float: true,
});

/**
 * x·Φ(x), exact by erf (Hendrycks & Gimpel 2016).
 * @example gelu([-1, 2]) // [-0.1587, 1.954]
 */
export const gelu = unaryOp("gelu", {
  f: (x) => 0.5 * x * (1 + erfOf(x / Math.SQRT2)),
  derivative: (x) =>
    x
      .mul(Math.SQRT1_2)
      .erf()
      .add(1)
      .mul(0.5)
      .add(x.mul(x.square().mul(-0.5).exp()).mul(SQRT_2_OVER_PI / 2)),
  reads: "x",
  float: true,
  also: [3, 9],
});

/**
 * ln(1 + eˣ) without overflow.
 * @example softplus([-1, 2]) // [0.3133, 2.127]
 */
export const softplus = unaryOp("softplus", {
  f: softplusOf,
  derivative: (x) => x.sigmoid(),
  reads: "x",
  float: true,
});

/**
 * ln(1/(1 + e⁻ˣ)) without overflow.
 * @example logSigmoid([-1, 2]) // [-1.313, -0.1269]
 */
export const logSigmoid = unaryOp("logSigmoid", {
  f: (x) => Math.min(x, 0) - Math.log1p(Math.exp(-Math.abs(x))),
  derivative: (x) => x.neg().sigmoid(),
  reads: "x",
  float: true,
});

/**
 * x/(1 + |x|).
 * @example softsign([-1, 3]) // [-0.5, 0.75]
 */
export const softsign = unaryOp("softsign", {
  f: (x) => x / (1 + Math.abs(x)),
  derivative: (x) => x.abs().add(1).square().reciprocal(),
  reads: "x",
  float: true,
  range: [0.2, 2],
  also: [-2, -0.2],
});

/**
 * x·tanh(softplus(x)) (Misra 2019).
 * @example mish([-1, 2]) // [-0.3034, 1.944]
 */
export const mish = unaryOp("mish", {
  f: (x) => x * Math.tanh(softplusOf(x)),
  derivative: (x) => {
    const t = x.softplus().tanh();
    return t.add(x.mul(x.sigmoid()).mul(t.square().neg().add(1)));
  },
  reads: "x",
  float: true,
});

/**
 * Scaled ELU, which keeps mean 0 and variance 1 (Klambauer et al. 2017).
 * @example selu([-1, 2]) // [-1.111, 2.101]
 */
export const selu = unaryOp("selu", {
  f: (x) => SELU_SCALE * (x > 0 ? x : SELU_ALPHA * Math.expm1(x)),
  derivative: (x, y) => y.add(SELU_SCALE * SELU_ALPHA).where(x.lessEqual(0), SELU_SCALE),
  reads: "both",
  float: true,
  range: [0.1, 2],
  also: [-2, -0.1],
});

/**
 * GELU by its tanh approximation, as in GPT-2: ½x(1 + tanh(√(2/π)(x + 0.044715x³))).
 * @example geluTanh([-1, 2]) // [-0.1588, 1.955]
 */
export const geluTanh = unaryOp("geluTanh", {
  f: (x) => 0.5 * x * (1 + Math.tanh(SQRT_2_OVER_PI * (x + 0.044715 * x ** 3))),
  derivative: (x) => {
    const t = x.mul(x.square().mul(0.044715).add(1)).mul(SQRT_2_OVER_PI).tanh();
    const inner = x
      .square()
      .mul(3 * 0.044715)
      .add(1)
      .mul(SQRT_2_OVER_PI);
    return t
      .add(1)
      .add(x.mul(t.square().neg().add(1)).mul(inner))
      .mul(0.5);
  },
  reads: "x",
  float: true,
});

/**
 * min(max(x, 0), 6).
 * @example relu6([-1, 3, 9]) // [0, 3, 6]
 */
export const relu6 = unaryOp("relu6", {
  f: (x) => Math.min(Math.max(x, 0), 6),
  derivative: (x) => between(x, 0, 6),
  reads: "x",
  range: [0.2, 5.8],
  also: [6.2, 8],
});

/**
 * min(max(x/6 + ½, 0), 1): a sigmoid of straight lines (PyTorch's).
 * @example hardSigmoid([-3, 0, 3]) // [0, 0.5, 1]
 */
export const hardSigmoid = unaryOp("hardSigmoid", {
  f: (x) => Math.min(Math.max(x / 6 + 0.5, 0), 1),
  derivative: (x) => between(x, -3, 3).div(6),
  reads: "x",
  float: true,
  range: [-2.8, 2.8],
  also: [3.2, 5],
});

/**
 * x·hardSigmoid(x) (Howard et al. 2019).
 * @example hardSwish([-1, 2, 4]) // [-0.3333, 1.667, 4]
 */
export const hardSwish = unaryOp("hardSwish", {
  f: (x) => x * Math.min(Math.max(x / 6 + 0.5, 0), 1),
  derivative: (x) => x.clip(-3, 3).div(3).add(0.5).where(x.abs().less(3), x.greater(0).cast(x.dtype)),
  reads: "x",
  float: true,
  range: [-2.8, 2.8],
  also: [3.2, 5],
});

declare module "../core/tensor.js" {
  interface Tensor {
    /** 1/(1 + e⁻ˣ). */
    sigmoid(): Tensor;
    /** max(x, 0); its derivative at 0 is 0. */
    relu(): Tensor;
    /** x where positive, else eˣ − 1 (Clevert et al. 2016, α = 1). */
    elu(): Tensor;
    /** x·sigmoid(x) (swish). */
    silu(): Tensor;
    /** x·Φ(x), exact by erf (Hendrycks & Gimpel 2016). */
    gelu(): Tensor;
    /** ln(1 + eˣ) without overflow. */
    softplus(): Tensor;
    /** ln(1/(1 + e⁻ˣ)) without overflow. */
    logSigmoid(): Tensor;
    /** x/(1 + |x|). */
    softsign(): Tensor;
    /** x·tanh(softplus(x)) (Misra 2019). */
    mish(): Tensor;
    /** Scaled ELU, which keeps mean 0 and variance 1 (Klambauer et al. 2017). */
    selu(): Tensor;
    /** GELU by its tanh approximation, as in GPT-2: ½x(1 + tanh(√(2/π)(x + 0.044715x³))). */
    geluTanh(): Tensor;
    /** min(max(x, 0), 6). */
    relu6(): Tensor;
    /** min(max(x/6 + ½, 0), 1): a sigmoid of straight lines (PyTorch's). */
    hardSigmoid(): Tensor;
    /** x·hardSigmoid(x) (Howard et al. 2019). */
    hardSwish(): Tensor;
  }
}
