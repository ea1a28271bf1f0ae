/** Data sets and the ways to batches. */

export { clock } from "../core/clock.js";
export { complexNorm, lowpassBiquad, timeMasking } from "./audio/index.js";
export { type BatchOptions, batches, Dataset } from "./dataset.js";
export * from "./formats/index.js";
export { encodeIdx, type IdxArray, parseIdx, readIdx } from "./idx.js";
export { type Iris, iris } from "./iris.js";
export { type ImageSplit, type MnistOptions, mnist, mnistFiles } from "./mnist.js";
export { loadMnistBatch, type MnistArrays, type MnistTask } from "./mnist-batch.js";
export { mobyDick } from "./moby-dick.js";
export { type ParallelOptions, parallelMap, type WorkerFunction } from "./parallel.js";
export { collectSpans, type StageSpan, stage } from "./spans.js";
export * from "./text/index.js";
export { rescale, resizeBilinear } from "./transforms.js";
export * from "./vision/index.js";
