/** Parameter server: sharded keys, pushed to and pulled from, in several modes of consistency and replication. */
export {
  type ClientOptions,
  type ClusterStats,
  ParameterClient,
  type PushResult,
  type Rows,
  type Values,
} from "./client.js";
export { Coordinator, type CoordinatorOptions } from "./coordinator.js";
export {
  type Consistency,
  type DenseSpec,
  type JobOptions,
  type OptimizerSpec,
  PartitionLostError,
  type Replication,
  type RowsSpec,
  type TensorSpec,
} from "./job.js";
export { LocalCluster, type LocalOptions, parameterServer } from "./local.js";
export { ParameterServer, type PartitionStats, type ServerOptions } from "./server.js";
export { HotKeys } from "./sketch.js";
export {
  type Delay,
  type TrainOptions,
  type TrainPoint,
  type TrainResult,
  trainWorkers,
  type WorkerContext,
} from "./train.js";
