/** Distributed training: process groups, collectives and what is built on them. (Book, chapter 9.) */
export type {
  CollectiveOptions,
  Expected,
  GroupOptions,
  ProcessGroup,
  ReduceOptions,
  Work,
} from "./group/process-group.js";
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
export { GroupTimeoutError, PeerLostError, TransportError } from "./transport/errors.js";
export { inProcess, samePlace } from "./transport/in-process.js";
export { REDUCE_OPS, type ReduceOp } from "./transport/reduce-op.js";
export type { Place, Transport } from "./transport/transport.js";
