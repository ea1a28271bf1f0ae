/** Convolutions: the algorithms, what each costs, and which one is fastest here. (Book, chapter 8.) */
import { ALGORITHMS } from "./registry.js";

export type { ConvAlgorithm, HostDevice } from "./algorithm.js";
export {
  type ConvMode,
  type ConvReport,
  type ConvTiming,
  convolutionMode,
  findAlgorithm,
  formatReport,
  type MeasureOptions,
  measureConvolution,
  setConvolutionMode,
} from "./choose.js";
export { cookToom, type FastFilter, filterBy } from "./cook-toom.js";
export { type ConvGeometry, type ConvSizes, geometry } from "./geometry.js";
export { Rational } from "./rational.js";

/** All algorithms. @example compiler.convolution.algorithms().map((a) => a.name).includes("winograd") // true */
export const algorithms = (): typeof ALGORITHMS => ALGORITHMS;
