/** Derivatives and maps of functions, in any order. */
export { type VmapOptions, vmap } from "./batch.js";
export { jvp } from "./forward.js";
export { hessian, type JacobianOptions, jacobian } from "./jacobian.js";
export { type GradOptions, grad, type Pullback, valueAndGrad, vjp } from "./reverse.js";
export { backward, noGrad, type TapeEntry, TapeTensor, tapeOf, Variable, variable } from "./variable.js";
