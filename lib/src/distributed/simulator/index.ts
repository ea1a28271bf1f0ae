/**
 * A simulated cluster: the library's own schedules and collectives on 8 to 16,384 devices that are not here, in virtual
 * time. (Book, chapter 9.)
 */
export { type Fit, fitLine, type Sample } from "./cluster/calibration.js";
export { type Cluster, dgxA100 } from "./cluster/cluster.js";
export type { Link, LinkKind, Network } from "./cluster/network.js";
export { DEVICES, type Device, LINKS } from "./cluster/presets.js";
export { type SharedMemory, sharedMemory } from "./cluster/shared-memory.js";
export { crossbar, fatTree, type ServersOptions, servers, torus } from "./cluster/topologies.js";
export type { Flow, Use } from "./engine/fluid.js";
export { type Demand, maxMinRates } from "./engine/max-min.js";
export { simulateTasks, type Task, type TasksRun } from "./engine/tasks.js";
export { simulateEveryDevice } from "./model/every-device.js";
export {
  layerActivationBytes,
  type MemoryUse,
  memoryPerDevice,
  STATES,
  type StateBytes,
  stateBytes,
} from "./model/memory.js";
export { completePlan, type FullPlan, type Plan } from "./model/plan.js";
export {
  type ScalingPoint,
  type SearchResult,
  type SearchSpace,
  scalingCurve,
  searchPlan,
} from "./model/search.js";
export { type Step, type StepOptions, simulateStep } from "./model/step.js";
export {
  flopsPerSequence,
  parameterCount,
  type Recompute,
  type Transformer,
} from "./model/transformer.js";
export { chromeTrace, linkUtilization, scalingPlot, stepParts, stepTimeline } from "./report/pictures.js";
export { type DataParallelStep, type GradientLayer, simulateDataParallel } from "./run/data-parallel.js";
export {
  type ServerJob,
  type ServerMode,
  type ServerRun,
  simulateParameterServer,
} from "./run/parameter-server.js";
export {
  collectiveRounds,
  collectiveSeconds,
  type Round,
  roundSeconds,
  type Transfer,
} from "./run/rounds.js";
export {
  simulatePrograms,
  type VirtualOptions,
  type VirtualRank,
  type VirtualRun,
} from "./run/virtual-cluster.js";
