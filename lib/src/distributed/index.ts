/** Distributed training: process groups, collectives and what is built on them. (Book, chapter 9.) */

export { consolidateCheckpoint, loadCheckpoint } from "./checkpoint/load.js";
export { saveCheckpoint } from "./checkpoint/save.js";
export { calibrate } from "./collectives/calibrate.js";
export type {
  Algorithm,
  CollectiveKind,
  Cost,
  Load,
  Member,
  Requests,
  Situation,
} from "./collectives/collective.js";
export { type Combine, combine } from "./collectives/combine/combine.js";
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
export { type JobEnvironment, jobEnvironment } from "./environment.js";
export type { GateOptions } from "./expert/gate.js";
export { type Mixed, MixtureOfExperts, type MixtureOptions } from "./expert/mixture.js";
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
export { clipGradients } from "./mesh/clip.js";
export { type AverageOptions, averageGradients } from "./mesh/gradients.js";
export { type Mesh, mesh } from "./mesh/mesh.js";
export { NcclGroup, type NcclOptions } from "./nccl/group.js";
export {
  type ClientOptions,
  type ClusterStats,
  type Consistency,
  Coordinator,
  type CoordinatorOptions,
  type Delay,
  type DenseSpec,
  HotKeys,
  type JobOptions,
  LocalCluster,
  type LocalOptions,
  type OptimizerSpec,
  ParameterClient,
  ParameterServer,
  PartitionLostError,
  type PartitionStats,
  type PushResult,
  parameterServer,
  type Replication,
  type Rows,
  type RowsSpec,
  type ServerOptions,
  type TensorSpec,
  type TrainOptions,
  type TrainPoint,
  type TrainResult,
  trainWorkers,
  type Values,
  type WorkerContext,
} from "./parameter-server/index.js";
export type { LayeredModel, LayeredModule, NamedLayer } from "./pipeline/layers.js";
export { balancedStages, measuredCosts } from "./pipeline/partition.js";
export { type SchedulePicture, schedulePicture } from "./pipeline/picture.js";
export { causalLayers, Pipeline, type PipelineOptions, pipeline } from "./pipeline/pipeline.js";
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
export * from "./shard/index.js";
export * as simulator from "./simulator/index.js";
export { ParallelAttention } from "./tensor-parallel/attention.js";
export { ParallelCausalLM, SequenceParallelNorm } from "./tensor-parallel/causal-lm.js";
export {
  copyToTensorParallel,
  type ExchangeCounts,
  exchangeRows,
  type GatherOptions,
  gatherFromSequenceParallel,
  gatherFromTensorParallel,
  maxAcross,
  reduceFromTensorParallel,
  reduceScatterToSequenceParallel,
  scatterToTensorParallel,
} from "./tensor-parallel/collective-ops.js";
export { loadWholeState, wholeState } from "./tensor-parallel/cuts.js";
export { PartDropout } from "./tensor-parallel/dropout.js";
export {
  ColumnParallelLinear,
  type ColumnParallelOptions,
  RowParallelLinear,
  type RowParallelOptions,
  type SequenceOptions,
} from "./tensor-parallel/linear.js";
export { SPLITS, type SplitName, type TensorParallelPlan, tensorParallel } from "./tensor-parallel/plan.js";
export {
  type VocabParallelCrossEntropyOptions,
  VocabParallelEmbedding,
  vocabParallelCrossEntropy,
} from "./tensor-parallel/vocabulary.js";
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
