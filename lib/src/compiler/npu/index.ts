/** A cycle-level model of an accelerator with a systolic array, its instruction set, and the compiler from loop IR to it. */
export * from "./array.js";
export * from "./assembly.js";
export { compileKernel, type NpuCompileOptions, type NpuProgram, runKernel } from "./compile.js";
export * from "./config.js";
export * from "./counts.js";
export { decodeProgram, encodeProgram } from "./encoding.js";
export { EYERISS, PICOJOULES, sramPicojoules } from "./energy.js";
export {
  type Element,
  FORMATS,
  INSTRUCTION_BYTES,
  type Instruction,
  instruction,
  OPCODES,
  type Opcode,
  unitOf,
  type VectorFunction,
} from "./isa.js";
export type { Placed } from "./kernel.js";
export type { Lowered, LowerOptions } from "./lower.js";
export { type InstructionSpan, type RunReport, reportText, type Traffic, type UnitCycles } from "./report.js";
export { type NpuNode, type NpuRun, run } from "./run.js";
export { type SimulateOptions, simulate } from "./simulate.js";
export { synchronize } from "./synchronize.js";
export {
  measureTiling,
  ORDERS,
  type Prediction,
  type ProductStrides,
  predictTiling,
  type SearchOptions,
  searchTilings,
  type TileOrder,
  type Tiling,
  tileSteps,
} from "./tiling.js";
export { type Timing, timingOf } from "./timing.js";
export { programProblems, type VerifyOptions, verifyProgram } from "./verify.js";
