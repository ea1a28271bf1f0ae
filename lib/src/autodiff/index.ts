/** Derivatives and maps of functions, in any order; and the tape of variables. */
export { type BackwardOptions, backward } from "./backward.js";
export { type Axes, type VmapOptions, vmap } from "./batch.js";
export { checkpoint } from "./checkpoint.js";
export { type CustomRule, customVjp } from "./custom.js";
export { jvp, linearize } from "./forward.js";
export { type Gradient, type GradOptions, grad, valueAndGrad } from "./grad.js";
export { type SavedTensor, type TapeEntry, type TapeMemory, tapeMemory, tapeOf } from "./inspect.js";
export { hessian, type JacobianOptions, jacobian } from "./jacobian.js";
export {
  type DifferenceScheme,
  type GradCheck,
  gradCheck,
  type NumericGradOptions,
  numericGrad,
} from "./numeric.js";
export { type Pullback, vjp } from "./reverse.js";
export { noGrad, TapeTensor } from "./tape-mode.js";
export { Variable, type VariableOptions, variable } from "./variable.js";
