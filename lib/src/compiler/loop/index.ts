/** Loop IR: definitions, text form, rules. */
export { Affine, type Index } from "./affine.js";
export { type Axes, cast, Definition, lit, op, TensorRef, when } from "./compute.js";
export {
  type Conv2dShape,
  conv2d,
  conv2dInputGrad,
  depthwise,
  elementwise,
  gemm,
  layerNormRows,
  type MatmulOptions,
  matmul,
  rowReduce,
  softmaxRows,
  stencil,
} from "./definitions.js";
export {
  type Buffer,
  type Condition,
  type Expr,
  type For,
  LoopError,
  type LoopKernel,
  type LoopKind,
  type LoopType,
  type Reduction,
  type Scope,
  type Stmt,
} from "./ir.js";
export type { ScalarOp } from "./operators.js";
export { parseKernel } from "./parse.js";
export { printKernel } from "./print.js";
export { problemsOf, verifyKernel } from "./verify.js";
