/** Data sets and the ways to batches. */

export { clock } from "../core/clock.js";
export { complexNorm, lowpassBiquad, timeMasking } from "./audio/index.js";
export type { Group } from "./dataset/batch.js";
export { type Collated, type CollateOptions, collate } from "./dataset/collate.js";
export { Dataset, type ElementRandom, type MapOptions } from "./dataset/dataset.js";
export { ElementError } from "./dataset/failure.js";
export type { DeviceMode, ErrorPolicy, RandomAccess, State } from "./dataset/node.js";
export { permutation } from "./dataset/permutation.js";
export { type BatchOptions, batches } from "./dataset/rows.js";
export type { Resumable, Source } from "./dataset/source.js";
export type { AsyncWalk, Checkpoint, Walk } from "./dataset/walk.js";
export { pipelineThreads } from "./engine/crew.js";
export { moduleFunction } from "./engine/module-function.js";
export { type NativeOpOptions, nativeOp, nativeOpSupport } from "./engine/native-op.js";
export { Pipeline, type PipelineOptions, PipelineWalk } from "./engine/pipeline.js";
export { type OpProfile, PipelineProfile } from "./engine/profile.js";
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
