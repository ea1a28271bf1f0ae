/** Every op family, as functions; loading this attaches the methods of Tensor. */
export * from "./activation.js";
export * from "./arithmetic.js";
export * from "./arrange.js";
export * from "./attention.js";
export { autocast, type LowPrecision } from "./autocast.js";
export * from "./binary.js";
export * from "./bitwise.js";
export * from "./comparison.js";
export { type Conv2dOptions, conv2d } from "./conv.js";
export * from "./conv-variants.js";
export { cast, type NestedNumbers, type TensorLike, type TensorOptions, tensor } from "./convert.js";
export * from "./create.js";
export * from "./cumulative.js";
export * from "./einsum.js";
export * from "./exponential.js";
export { oneHot, scatterAdd, take, takeAlongAxis, tril, triu } from "./gather.js";
export { type AnyIndex, addAt, argwhere, get, nonzero, setAt } from "./indexing.js";
export * as linalg from "./linalg/index.js";
export { det, diag, diagonal, eigh, inv, norm, solve, trace } from "./linalg/index.js";
export * from "./matmul.js";
export * from "./normalization.js";
export * from "./pool.js";
export { Generator, manualSeed } from "./random.js";
export * as random from "./random-numbers.js";
export { concrete, type NestedValues } from "./read.js";
export { linearRecurrence, type RecurrenceOptions } from "./recurrence.js";
export {
  all,
  any,
  argmax,
  argmin,
  logSumExp,
  max,
  mean,
  min,
  prod,
  std,
  sum,
  sumTo,
  variance,
} from "./reduce.js";
export { defineOp, getOp, NOT_DIFFERENTIABLE, type OpDef, ops } from "./registry.js";
export * from "./resize.js";
export * from "./rounding.js";
export * from "./scatter.js";
export * from "./select.js";
export {
  broadcastTo,
  concat,
  expandDims,
  flatten,
  flip,
  type Index,
  pad,
  reshape,
  slice,
  split,
  squeeze,
  stack,
  stopGradient,
  swapAxes,
  tile,
  transpose,
} from "./shape.js";
export { logSoftmax, softmax } from "./softmax.js";
export * from "./sorting.js";
export { RaggedTensor, ragged, SparseTensor, sparse, toSparse } from "./sparse/index.js";
export * from "./special-functions.js";
export * from "./tidy.js";
export * from "./trigonometric.js";
