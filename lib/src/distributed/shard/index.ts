/** Sharding: annotations, propagation, search, partitioned programs. */
export { type ShardOptions, shard, shardOp } from "./annotate.js";
export { type ClusterCost, DEFAULT_CLUSTER, type LinkCost } from "./cost.js";
export { type LogicalMesh, logicalMesh } from "./mesh.js";
export type { PlanCost, ShardingPlan } from "./plan.js";
export { type PartitionOptions, partitioned, type ShardedProgram } from "./program.js";
export { formatStep, type Resharding, type ReshardStep, reshard } from "./reshard.js";
export {
  type AutoOptions,
  AutoShardedProgram,
  autoSharded,
  type GraphStage,
  type PipelineSearch,
  pipelinePlan,
} from "./search/auto.js";
export { pipelineStages, type Stage, type StagePlan, type StageProblem } from "./search/inter-op.js";
export type { FoundPlan } from "./search/intra-op.js";
export { type DimSpec, formatDims, type Sharding, type ShardSpec } from "./sharding.js";
