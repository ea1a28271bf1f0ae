/** Distributed training: process groups, collectives and what is built on them. (Book, chapter 9.) */

export { consolidateCheckpoint, loadCheckpoint } from "./checkpoint/load.js";
export { saveCheckpoint } from "./checkpoint/save.js";
export type {
  Algorithm,
  CollectiveKind,
  Cost,
  Load,
  Member,
  Requests,
  Situation,
} from "./collectives/collective.js";
export { type Combine, combine, combinerOver, type Scratch } from "./collectives/combine/combine.js";
export {
  algorithmBandwidth,
  busBandwidth,
  type CostModel,
  fastest,
  type Link,
  MODELS,
  modelOf,
  secondsOf,
} from "./collectives/cost.js";
export { among, memberOf } from "./collectives/member.js";
export { ALGORITHMS, algorithmOf, runCollective } from "./collectives/registry.js";
export { Schedule, type Step } from "./collectives/schedule.js";
export { type SimulationOptions, simulate } from "./collectives/simulate.js";
// sharding and gradient compression
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
export { type DistributedFitOptions, fit } from "./data-parallel/fit.js";
export type {
  CollectiveOptions,
  Expected,
  GroupOptions,
  ProcessGroup,
  ReduceOptions,
  Work,
} from "./group/process-group.js";
export { type ElasticOptions, elastic } from "./launch/elastic.js";
export { type InitOptions, init } from "./launch/init.js";
export { type LaunchOptions, launch, team } from "./launch/launch.js";
export { openStore, type SuperviseOptions, type SuperviseReport, supervise } from "./launch/supervise.js";
export { RankError, type RankFunction, type Team, type TeamOptions } from "./launch/team.js";
export * from "./shard/index.js";
export { GroupTimeoutError, PeerLostError, TransportError } from "./transport/errors.js";
export { inProcess, samePlace } from "./transport/in-process.js";
export { type CombineOp, REDUCE_OPS, type ReduceOp } from "./transport/reduce-op.js";
export { AuthenticationError, type Heartbeat, type TlsOptions } from "./transport/tcp/connection.js";
export type { RendezvousStore, StoreOptions } from "./transport/tcp/store.js";
export type { Place, Transport } from "./transport/transport.js";
export type { ZeroStage } from "./zero/flat-parameter.js";
export { FullyShardedDataParallel, type ShardedOptions } from "./zero/fsdp.js";
export { type ModelStates, zeroMemory } from "./zero/memory.js";
export { ShardedGradScaler } from "./zero/norm.js";
export { type WrapPolicy, wrapClasses, wrapLists } from "./zero/units.js";
