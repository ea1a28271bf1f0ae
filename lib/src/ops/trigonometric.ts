/** Angles, and the hyperbolic functions. */
import { unaryOp } from "./elementwise.js";

/**
 * Sine of radians.
 * @example sin([0, Math.PI / 2]) // [0, 1]
 */
export const sin = unaryOp("sin", { f: Math.sin, derivative: (x) => x.cos(), reads: "x", float: true });

/**
 * Cosine of radians.
 * @example cos([0, Math.PI]) // [1, -1]
 */
export const cos = unaryOp("cos", { f: Math.cos, derivative: (x) => x.sin().neg(), reads: "x", float: true });

/**
 * Tangent of radians.
 * @example tan([0, 1]) // [0, 1.557]
 */
export const tan = unaryOp("tan", {
  f: Math.tan,
  derivative: (_, y) => y.square().add(1),
  reads: "y",
  float: true,
  range: [-1, 1],
});

/**
 * Inverse sine, in radians.
 * @example asin([0, 1]) // [0, 1.571]
 */
export const asin = unaryOp("asin", {
  f: Math.asin,
  derivative: (x) => x.square().neg().add(1).rsqrt(),
  reads: "x",
  float: true,
  range: [-0.8, 0.8],
});

/**
 * Inverse cosine, in radians.
 * @example acos([1, 0]) // [0, 1.571]
 */
export const acos = unaryOp("acos", {
  f: Math.acos,
  derivative: (x) => x.square().neg().add(1).rsqrt().neg(),
  reads: "x",
  float: true,
  range: [-0.8, 0.8],
});

/**
 * Inverse tangent, in radians.
 * @example atan([0, 1]) // [0, 0.7854]
 */
export const atan = unaryOp("atan", {
  f: Math.atan,
  derivative: (x) => x.square().add(1).reciprocal(),
  reads: "x",
  float: true,
});

/**
 * Hyperbolic sine.
 * @example sinh([0, 1]) // [0, 1.175]
 */
export const sinh = unaryOp("sinh", { f: Math.sinh, derivative: (x) => x.cosh(), reads: "x", float: true });

/**
 * Hyperbolic cosine.
 * @example cosh([0, 1]) // [1, 1.543]
 */
export const cosh = unaryOp("cosh", { f: Math.cosh, derivative: (x) => x.sinh(), reads: "x", float: true });

/**
 * Hyperbolic tangent.
 * @example tanh([0, 1]) // [0, 0.7616]
 */
export const tanh = unaryOp("tanh", {
  f: Math.tanh,
  derivative: (_, y) => y.square().neg().add(1),
  reads: "y",
  float: true,
});

/**
 * Inverse hyperbolic sine.
 * @example asinh([0, 1]) // [0, 0.8814]
 */
export const asinh = unaryOp("asinh", {
  f: Math.asinh,
  derivative: (x) => x.square().add(1).rsqrt(),
  reads: "x",
  float: true,
});

/**
 * Inverse hyperbolic cosine, of numbers from 1.
 * @example acosh([1, 2]) // [0, 1.317]
 */
export const acosh = unaryOp("acosh", {
  f: Math.acosh,
  derivative: (x) => x.square().sub(1).rsqrt(),
  reads: "x",
  float: true,
  range: [1.2, 3],
});

/**
 * Inverse hyperbolic tangent, of numbers between −1 and 1.
 * @example atanh([0, 0.5]) // [0, 0.5493]
 */
export const atanh = unaryOp("atanh", {
  f: Math.atanh,
  derivative: (x) => x.square().neg().add(1).reciprocal(),
  reads: "x",
  float: true,
  range: [-0.8, 0.8],
});

/**
 * sin(πx)/(πx), 1 at 0 (NumPy's, normalized).
 * @example sinc([0, 0.5]) // [1, 0.6366]
 */
export const sinc = unaryOp("sinc", {
  f: (x) => (x === 0 ? 1 : Math.sin(Math.PI * x) / (Math.PI * x)),
  derivative: (x, y) =>
    x
      .mul(Math.PI)
      .cos()
      .sub(y)
      .div(x.where(x.notEqual(0), 1)),
  reads: "both",
  float: true,
  range: [0.2, 2],
  also: [-2, -0.2],
});

/**
 * Degrees to radians.
 * @example deg2rad(180) // 3.1416
 */
export const deg2rad = unaryOp("deg2rad", {
  f: (x) => (x * Math.PI) / 180,
  derivative: () => Math.PI / 180,
  float: true,
});

/**
 * Radians to degrees.
 * @example rad2deg(Math.PI) // 180
 */
export const rad2deg = unaryOp("rad2deg", {
  f: (x) => (x * 180) / Math.PI,
  derivative: () => 180 / Math.PI,
  float: true,
});

declare module "../core/tensor.js" {
  interface Tensor {
    /** Sine of radians. */
    sin(): Tensor;
    /** Cosine of radians. */
    cos(): Tensor;
    /** Tangent of radians. */
    tan(): Tensor;
    /** Inverse sine, in radians. */
    asin(): Tensor;
    /** Inverse cosine, in radians. */
    acos(): Tensor;
    /** Inverse tangent, in radians. */
    atan(): Tensor;
    /** Hyperbolic sine. */
    sinh(): Tensor;
    /** Hyperbolic cosine. */
    cosh(): Tensor;
    /** Hyperbolic tangent. */
    tanh(): Tensor;
    /** Inverse hyperbolic sine. */
    asinh(): Tensor;
    /** Inverse hyperbolic cosine, of numbers from 1. */
    acosh(): Tensor;
    /** Inverse hyperbolic tangent, of numbers between −1 and 1. */
    atanh(): Tensor;
    /** sin(πx)/(πx), 1 at 0 (NumPy's, normalized). */
    sinc(): Tensor;
    /** Degrees to radians. */
    deg2rad(): Tensor;
    /** Radians to degrees. */
    rad2deg(): Tensor;
  }
}
