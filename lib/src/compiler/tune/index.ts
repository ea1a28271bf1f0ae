/** Schedule search and measurement; the library's own schedules. */
export { type ConvTiles, convSchedule, depthwiseSchedule } from "../kernels/conv.js";
export {
  type GemmLayout,
  type GemmTiles,
  gemmDefinition,
  gemmSchedule,
  gemmSketch,
} from "../kernels/gemm.js";
export { rowsSchedule, thinSchedule } from "../kernels/gemv.js";
export { INT8_SIZES, type Int8Layout, int8Definition, int8Schedule } from "../kernels/int8.js";
export { REDUCE_SIZES, reduceSchedule } from "../kernels/reduce.js";
export { layerNormSchedule, softmaxSchedule } from "../kernels/rows.js";
export { BoostedTrees, type BoostingOptions } from "./boosting.js";
export { FEATURES, featuresOf } from "./features.js";
export { type MeasureOptions, measureProgram } from "./measure.js";
export { tuneProduct } from "./products.js";
export { type Sketch, sketchesOf } from "./sketch.js";
export { type Tuned, type TuneOptions, type TuneProgress, tune } from "./tune.js";
