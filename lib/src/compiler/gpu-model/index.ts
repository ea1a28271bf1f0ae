/** A model of GPUs: what a scheduled kernel would cost on one, and why. */
export { type Launch, type Occupancy, occupancyOf } from "./occupancy.js";
export { type Counters, STALLS, type Stall } from "./processor.js";
export { type SimulateOptions, type Simulation, simulate } from "./simulate.js";
export { GPUS, type GpuSpec, totalsOf } from "./spec.js";
