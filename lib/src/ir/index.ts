/** The graph representation: building, printing, reading, checking, storing, transforming. */
export { GraphBuilder } from "./builder.js";
export { call } from "./call.js";
export { batchedGraph, jvpGraph, partition, vjpGraph } from "./derive.js";
export { type DiffLine, diffLines, formatDiff, withContext } from "./diff.js";
export type { Sizes } from "./dynamic/dim.js";
export { type Guard, SymbolicGraph } from "./dynamic/symbolic-graph.js";
export { equalGraphs } from "./equal.js";
export { type Constant, countNodes, Graph, type GraphNode, IRError, regionsOf, type Value } from "./graph.js";
export { interpret } from "./interpret.js";
export { freeze, type GraphJson, graphFromJson, graphToJson } from "./json.js";
export { parseGraph, parseSymbolicGraph } from "./parse.js";
export { definePass, type Pass, passes, runPasses } from "./passes/index.js";
export {
  formatDump,
  LEVELS,
  type OptimizationLevel,
  type Optimized,
  PassManager,
  type PassManagerOptions,
  type PassRun,
  type PassTiming,
  type PipelineStage,
} from "./passes/manager.js";
export { FAST_MATH, type FastMathFlag, type PassOptions } from "./passes/pass.js";
export { printGraph } from "./print.js";
export { problems, verify } from "./verify.js";
