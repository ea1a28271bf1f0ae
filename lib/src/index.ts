/** mlsys: tensors, transformations, graphs and training, from which the chapters are built. */

export * from "./autodiff/index.js";
export * as compiler from "./compiler/index.js";
export { profile } from "./compiler/profile/profile.js";
export { DTYPES, type DType, promoteTypes } from "./core/dtype.js";
export * from "./core/errors.js";
export type { Shape, TensorType } from "./core/shape.js";
export { Tensor } from "./core/tensor.js";
export * as tree from "./core/tree.js";
export * as data from "./data/index.js";
export * as deploy from "./deploy/index.js";
export * as distributed from "./distributed/index.js";
export * as extend from "./extend.js";
export { capture } from "./graph/capture.js";
export { cond, scan, switchCase, whileLoop } from "./graph/control/index.js";
export { explain } from "./graph/explain.js";
export * as graph from "./graph/index.js";
export { toStatic } from "./graph/static.js";
export * as ir from "./ir/front-end.js";
export * as nn from "./nn/index.js";
export * from "./ops/index.js";
export * as optim from "./optim/index.js";
export * as robotics from "./robotics/index.js";
export { devices, getDevice, setDevice } from "./runtime/devices.js";
export { heapStats, resetPeak } from "./runtime/heap.js";
export { getNumThreads, setNumThreads } from "./runtime/pool/pool.js";
export { type DeviceCounts, deviceCounts, resetDeviceCounts } from "./runtime/remote.js";

import "./runtime/tfjs/index.js";
import "./runtime/wasm/index.js";

export { fit } from "./train/fit.js";
export * as train from "./train/index.js";
export * as viz from "./viz/index.js";
export * as widgets from "./viz/widgets/index.js";
