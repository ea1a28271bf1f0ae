/** Data sets and the ways to batches. */
export { type BatchOptions, batches, Dataset } from "./dataset.js";
export { type IdxArray, parseIdx } from "./idx.js";
export { type ImageSplit, mnist } from "./mnist.js";
