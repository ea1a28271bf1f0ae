/** Error, gamma and logistic functions, after SciPy. */

import { ValueError } from "../core/errors.js";
import type { Tensor } from "../core/tensor.js";
import { apply } from "./bind.js";
import { asFloat, type TensorLike } from "./convert.js";
import { unaryOp } from "./elementwise.js";
import { defineOp, type OpDef } from "./registry.js";
import { elementwiseBatch, mapReference } from "./rules.js";
import {
  digamma as digammaOf,
  erfc as erfcOf,
  erfinv as erfinvOf,
  erf as erfOf,
  lgamma as lgammaOf,
  polygamma as polygammaOf,
} from "./special.js";

/**
 * Gauss error function.
 * @example erf([0, 0.5]) // [0, 0.5205]
 */
export const erf = unaryOp("erf", {
  f: erfOf,
  derivative: (x) =>
    x
      .square()
      .neg()
      .exp()
      .mul(2 / Math.sqrt(Math.PI)),
  reads: "x",
  float: true,
  also: [2.4, 6.5],
});

/**
 * 1 − erf(x), exact also where it is tiny.
 * @example erfc([0, 5]) // [1, 1.5375e-12]
 */
export const erfc = unaryOp("erfc", {
  f: erfcOf,
  derivative: (x) =>
    x
      .square()
      .neg()
      .exp()
      .mul(-2 / Math.sqrt(Math.PI)),
  reads: "x",
  float: true,
  also: [2.4, 6.5],
});

/**
 * The inverse of erf, on (−1, 1).
 * @example erf(erfinv(0.3)) // 0.3
 */
export const erfinv = unaryOp("erfinv", {
  f: erfinvOf,
  derivative: (_, y) =>
    y
      .square()
      .exp()
      .mul(Math.sqrt(Math.PI) / 2),
  reads: "y",
  float: true,
  range: [-0.9, 0.9],
  also: [0.9, 0.95],
});

/**
 * ln |Γ(x)|.
 * @example lgamma([1, 5]).exp() // [1, 24]
 */
export const lgamma = unaryOp("lgamma", {
  f: lgammaOf,
  derivative: (x) => x.digamma(),
  reads: "x",
  float: true,
  range: [0.3, 6],
  also: [-1.8, -1.2],
});

/**
 * d ln Γ(x)/dx.
 * @example digamma(1) // -0.5772
 */
export const digamma = unaryOp("digamma", {
  f: digammaOf,
  derivative: (x) => polygamma(1, x),
  reads: "x",
  float: true,
  range: [0.3, 6],
  also: [-1.8, -1.2],
});

/**
 * ln(x/(1 − x)): the inverse of the sigmoid.
 * @example sigmoid(logit(0.3)) // 0.3
 */
export const logit = unaryOp("logit", {
  f: (x) => Math.log(x / (1 - x)),
  derivative: (x) => x.mul(x.neg().add(1)).reciprocal(),
  reads: "x",
  float: true,
  range: [0.1, 0.9],
});

interface PolygammaAttrs {
  /** From 1 on. */
  readonly order: number;
}

const polygammaOp: OpDef<PolygammaAttrs> = defineOp<PolygammaAttrs>({
  name: "polygamma",
  kind: "elementwise",
  type: ([x]) => [x],
  reference: (inputs, outputs, { order }) =>
    mapReference((x) => polygammaOf(order, x))(inputs, outputs, undefined),
  saves: { inputs: "all" },
  vjp: ([g], { inputs: [x], attrs: { order } }) => [g && g.mul(polygamma(order + 1, x))],
  jvp: ([x], [t], _y, { order }) => [t && t.mul(polygamma(order + 1, x))],
  batch: elementwiseBatch(() => polygammaOp),
  samples: [
    { shapes: [[2, 3]], attrs: { order: 1 }, ranges: [[0.5, 6]] },
    { shapes: [[3]], attrs: { order: 2 }, ranges: [[-1.8, -1.2]] },
  ],
});

/**
 * The derivative of `digamma` of this order (order 1 is called trigamma).
 * @example polygamma(1, 1) // 1.6449
 * @throws ValueError unless the order is a whole number from 0.
 */
export function polygamma(order: number, x: TensorLike): Tensor {
  if (!Number.isInteger(order) || order < 0)
    throw new ValueError(`polygamma: the order is a whole number from 0, got ${order}`);
  return order === 0 ? digamma(x) : apply(polygammaOp, [asFloat(x)], { order });
}

declare module "../core/tensor.js" {
  interface Tensor {
    /** Gauss error function. */
    erf(): Tensor;
    /** 1 − erf(x), exact also where it is tiny. */
    erfc(): Tensor;
    /** The inverse of erf, on (−1, 1). */
    erfinv(): Tensor;
    /** ln |Γ(x)|. */
    lgamma(): Tensor;
    /** d ln Γ(x)/dx. */
    digamma(): Tensor;
    /** ln(x/(1 − x)): the inverse of the sigmoid. */
    logit(): Tensor;
  }
}
