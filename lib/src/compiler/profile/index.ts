/** Measurement: kernels of a graph beside what the machine can do. */

export { costsOf, type NodeCost } from "./cost.js";
export { type MachinePeaks, machinePeaks } from "./machine.js";
export {
  type KernelProfile,
  Profile,
  type ProfileOptions,
  profile,
  profileWith,
  type TraceEvent,
} from "./profile.js";
export {
  type ExecutionStyle,
  profileStyles,
  profileStylesWith,
  type StyleOptions,
  type StyleProfile,
} from "./styles.js";
