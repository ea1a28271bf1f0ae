/** One request over gRPC, of a call of its own or of a stream. */
import { randomUUID } from "node:crypto";
import { setMaxListeners } from "node:events";
import type { ServerDuplexStream, ServerUnaryCall } from "@grpc/grpc-js";
import { asServeError } from "./errors.js";
import { decodeInferMessage, responseMessage } from "./grpc-codec.js";
import type { InferRequestMessage, InferResponseMessage, StreamResponseMessage } from "./grpc-schema.js";
import { deadlineOf, type RequestLog } from "./http.js";
import type { Parameters, RequestContext } from "./request.js";
import type { InferenceService } from "./service.js";

export interface GrpcOptions {
  readonly maxBody: number;
  readonly log?: (entry: RequestLog) => void;
}

export type InferStream = ServerDuplexStream<InferRequestMessage, StreamResponseMessage>;
type Call = ServerUnaryCall<object, object> | InferStream;

const signals = new WeakMap<Call, AbortSignal>();

/** Aborted when the client is gone; one for all requests of a stream. */
function goneSignal(call: Call): AbortSignal {
  const known = signals.get(call);
  if (known) return known;
  const gone = new AbortController();
  if (call.cancelled) gone.abort();
  call.once("cancelled", () => gone.abort());
  setMaxListeners(0, gone.signal); // every request of a stream listens
  signals.set(call, gone.signal);
  return gone.signal;
}

/** The call's deadline and the request's own, the sooner. */
export function contextOf(call: Call, parameters: Parameters): RequestContext {
  const at = call.getDeadline();
  const own = Number(at) - Date.now() + performance.now();
  return { deadline: Math.min(deadlineOf(parameters), own), signal: goneSignal(call) };
}

/** Its answer. @throws ServeError */
export async function inferOne(
  service: InferenceService,
  { maxBody, log }: GrpcOptions,
  request: InferRequestMessage,
  call: Call,
): Promise<InferResponseMessage> {
  const { model_name: name, id } = request;
  const started = performance.now();
  let code = "OK";
  try {
    const asked = decodeInferMessage(request, maxBody);
    const context = contextOf(call, asked.parameters);
    const { outputs, version } = await service.infer("grpc", name, request.model_version, asked, context);
    return responseMessage({ name, version, id }, outputs);
  } catch (error) {
    code = asServeError(error).code;
    throw error;
  } finally {
    log?.({ id: id || randomUUID(), protocol: "grpc", model: name, code, ms: performance.now() - started });
  }
}
