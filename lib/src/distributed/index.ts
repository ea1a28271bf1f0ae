/** Distributed training: process groups, collectives and what is built on them. (Book, chapter 9.) */

export type { Algorithm, CollectiveKind, Member, Requests } from "./collectives/collective.js";
export { among, memberOf } from "./collectives/member.js";
export { ALGORITHMS, algorithmOf, runCollective } from "./collectives/registry.js";
export * from "./compression/index.js";
export {
  type BucketSpan,
  type CommunicationHook,
  type GradientBucket,
  meanHook,
} from "./data-parallel/bucket.js";
export {
  averageTree,
  type DataParallelOptions,
  DistributedDataParallel,
} from "./data-parallel/ddp.js";
export type {
  CollectiveOptions,
  Expected,
  GroupOptions,
  ProcessGroup,
  ReduceOptions,
  Work,
} from "./group/process-group.js";
export { type LaunchOptions, launch, team } from "./launch/launch.js";
export { RankError, type RankFunction, type Team, type TeamOptions } from "./launch/team.js";
export * from "./shard/index.js";
export { GroupTimeoutError, PeerLostError, TransportError } from "./transport/errors.js";
export { inProcess, samePlace } from "./transport/in-process.js";
export { type CombineOp, REDUCE_OPS, type ReduceOp } from "./transport/reduce-op.js";
export type { Place, Transport } from "./transport/transport.js";
export type { ZeroStage } from "./zero/flat-parameter.js";
export { FullyShardedDataParallel, type ShardedOptions } from "./zero/fsdp.js";
export { type ModelStates, zeroMemory } from "./zero/memory.js";
export { ShardedGradScaler } from "./zero/norm.js";
export { type WrapPolicy, wrapClasses, wrapLists } from "./zero/units.js";
