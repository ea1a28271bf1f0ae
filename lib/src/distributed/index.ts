/** Distributed training: process groups, collectives and what is built on them. (Book, chapter 9.) */
export type {
  CollectiveOptions,
  Expected,
  GroupOptions,
  ProcessGroup,
  ReduceOptions,
  Work,
} from "./group/process-group.js";
export { type ShardOptions, shard, shardOp } from "./shard/annotate.js";
export { type ClusterCost, DEFAULT_CLUSTER, type LinkCost } from "./shard/cost.js";
export { type LogicalMesh, logicalMesh } from "./shard/mesh.js";
export type { PlanCost, ShardingPlan } from "./shard/plan.js";
export { type PartitionOptions, partitioned, type ShardedProgram } from "./shard/program.js";
export { formatStep, type Resharding, reshard, type Step } from "./shard/reshard.js";
export { type DimSpec, formatDims, type Sharding, type ShardSpec } from "./shard/sharding.js";
export { GroupTimeoutError, PeerLostError, TransportError } from "./transport/errors.js";
export { inProcess, samePlace } from "./transport/in-process.js";
export { REDUCE_OPS, type ReduceOp } from "./transport/reduce-op.js";
export type { Place, Transport } from "./transport/transport.js";
