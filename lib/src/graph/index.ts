/** Graphs of programs: capture, control flow, analysis, scheduling, execution. */
export * from "../ir/index.js";
export { type CaptureOptions, capture, captureWith } from "./capture.js";
export * from "./control/index.js";
export { type Dag, dag, dagOf, type GraphDag, predecessors, successors } from "./dag.js";
export {
  checkAcyclic,
  type Dependency,
  dependency,
  findCycle,
  independentPairs,
  type Lifetime,
  lifetimes,
  memoryUse,
  unroll,
} from "./dependencies.js";
export { captureSymbolic } from "./dynamic.js";
export { type CompileOptions, compile, type Executable } from "./execute.js";
export { Explanation, explain, explainGraph, explainWith } from "./explain.js";
export type { PlacedKernel, Placement, PlacementOptions } from "./placement.js";
export {
  type Cost,
  criticalPath,
  type KahnStep,
  levels,
  listSchedule,
  type Schedule,
  type Task,
  topologicalOrder,
  workOf,
} from "./schedule.js";
export { type DefinedGraph, type Definition, define, Session } from "./session.js";
export { type SunkFunction, sink } from "./sink.js";
export {
  ConversionError,
  ConversionExplained,
  type ConvertOptions,
  convert,
  explainConversion,
} from "./source/index.js";
export { type StaticFunction, type StaticOptions, toStatic } from "./static.js";
export type { NodeSpan } from "./step.js";
