/** Distributed training: process groups, collectives and what is built on them. (Book, chapter 9.) */

export type { Algorithm, CollectiveKind, Member, Requests } from "./collectives/collective.js";
export { among, memberOf } from "./collectives/member.js";
export { ALGORITHMS, algorithmOf, runCollective } from "./collectives/registry.js";
export type {
  CollectiveOptions,
  Expected,
  GroupOptions,
  ProcessGroup,
  ReduceOptions,
  Work,
} from "./group/process-group.js";
// models cut across members
export { pipelineSchedule, SCHEDULES, scheduleRule } from "./pipeline/schedules/index.js";
export {
  type Action as PipelineAction,
  nameOf as actionName,
  type Schedule as PipelineSchedule,
  type ScheduleRule,
  type ScheduleShape,
} from "./pipeline/schedules/schedule.js";
export {
  type ScheduleCosts,
  type ScheduleTiming,
  type TimedAction,
  timeSchedule,
} from "./pipeline/timing.js";
export { GroupTimeoutError, PeerLostError, TransportError } from "./transport/errors.js";
export { inProcess, samePlace } from "./transport/in-process.js";
export { type CombineOp, REDUCE_OPS, type ReduceOp } from "./transport/reduce-op.js";
export type { Place, Transport } from "./transport/transport.js";
