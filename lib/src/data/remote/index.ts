/** Pipelines over several machines: data workers, their dispatcher. */
export type { ClaimOptions } from "./claim-node.js";
export type { RemoteWorkers } from "./crew.js";
export { DataDispatcher, type DispatcherOptions, dispatchData } from "./dispatcher.js";
export { DataWorker, type DataWorkerOptions, serveData } from "./worker.js";
