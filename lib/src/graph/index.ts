/** Graphs of programs: capture, control flow, analysis, scheduling, execution. */
export * from "../ir/index.js";
export { type CaptureOptions, capture, captureWith } from "./capture.js";
export * from "./control/index.js";
