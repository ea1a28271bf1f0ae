/** Serving: models behind the Open Inference Protocol (KServe v2), and a client. */
export type { Backend, LoadedModel, ModelFormat, ModelSource, TensorSpec, WireTensor } from "./backend.js";
export {
  type CallOptions,
  client,
  type GenerateOptions,
  type InferAnswer,
  type InferOptions,
  ServeClient,
  type TokenEvent,
} from "./client.js";
export type { BatchingOptions, ModelOptions, VersionPolicy } from "./config.js";
export { type ServeCode, ServeError } from "./errors.js";
export type {
  ModelBytes,
  ModelInCode,
  ModelOfBackend,
  ModelPath,
  ServedModel,
} from "./given.js";
export type { RequestLog } from "./http.js";
export { Latencies, type LatencyOptions } from "./latency.js";
export type { AddOptions, IndexEntry } from "./models.js";
export { type CloseOptions, ModelServer, type ServeOptions, serve } from "./server.js";
export type { ModelMetadata } from "./service.js";
export type { StreamedToken, TokenModel, TokenRequest, TokenStream } from "./tokens.js";
