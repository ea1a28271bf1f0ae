/** The protocol over gRPC: one handler per method. */
import type {
  handleUnaryCall,
  Metadata,
  Server,
  ServerUnaryCall,
  ServiceError,
  UntypedServiceImplementation,
} from "@grpc/grpc-js";
import { asServeError, CODES, type ServeError } from "./errors.js";
import { parametersFrom } from "./grpc-codec.js";
import { type GrpcOptions, inferOne } from "./grpc-infer.js";
import {
  type InferRequestMessage,
  inferenceService,
  type NamedVersion,
  type RepositoryChange,
} from "./grpc-schema.js";
import { streamHandler } from "./grpc-stream.js";
import { changeModel } from "./http.js";
import { EXTENSIONS, type InferenceService, SERVER_NAME } from "./service.js";

export interface GrpcServer {
  readonly server: Server;
  /** Listens. @returns the port. @throws Error if it is taken */
  listen(host: string, port: number): Promise<number>;
  /** No new calls; waits for those that are there. */
  close(): Promise<void>;
  /** Ends all calls. */
  force(): void;
}

export async function grpcServer(service: InferenceService, options: GrpcOptions): Promise<GrpcServer> {
  const grpc = await import("@grpc/grpc-js");
  const server = new grpc.Server({
    "grpc.max_receive_message_length": options.maxBody,
    "grpc.max_send_message_length": -1,
  });
  const toStatus = (error: ServeError): Partial<ServiceError> => {
    const metadata: Metadata = new grpc.Metadata();
    if (error.retryAfter !== undefined) metadata.set("retry-after", String(error.retryAfter));
    return { code: CODES[error.code].grpc, details: error.message, metadata };
  };
  server.addService(await inferenceService(), implementation(service, options, toStatus));
  return {
    server,
    listen: (host, port) =>
      new Promise((resolve, reject) => {
        const address = `${host.includes(":") ? `[${host}]` : host}:${port}`;
        server.bindAsync(address, grpc.ServerCredentials.createInsecure(), (error, bound) =>
          error ? reject(error) : resolve(bound),
        );
      }),
    close: () => new Promise((resolve) => server.tryShutdown(() => resolve())),
    force: () => server.forceShutdown(),
  };
}

function implementation(
  service: InferenceService,
  options: GrpcOptions,
  toStatus: (error: ServeError) => Partial<ServiceError>,
): UntypedServiceImplementation {
  /** A handler from a function; what that throws is the call's status. */
  const unary =
    <Request, Response extends object>(
      work: (request: Request, call: ServerUnaryCall<object, object>) => Response | Promise<Response>,
    ): handleUnaryCall<object, object> =>
    (call, answer) => {
      new Promise<Response>((resolve) => resolve(work(call.request as Request, call))).then(
        (response) => answer(null, response),
        (error: unknown) => answer(toStatus(asServeError(error))),
      );
    };
  return {
    ServerLive: unary(() => ({ live: true })),
    ServerReady: unary(() => ({ ready: service.isReady() })),
    ModelReady: unary(({ name, version }: NamedVersion) => ({ ready: service.isModelReady(name, version) })),
    ServerMetadata: unary(() => ({
      name: SERVER_NAME,
      version: service.serverVersion,
      extensions: EXTENSIONS,
    })),
    ModelMetadata: unary(({ name, version }: NamedVersion) => service.metadata(name, version)),
    ModelConfig: unary(({ name, version }: NamedVersion) => ({ config: service.config(name, version) })),
    RepositoryIndex: unary(async ({ ready }: { ready: boolean }) => ({
      models: (await service.index()).filter(({ state }) => !ready || state === "READY"),
    })),
    RepositoryModelLoad: unary(async ({ model_name, parameters }: RepositoryChange) => {
      await changeModel(service, model_name, parametersFrom(parameters));
      return {};
    }),
    RepositoryModelUnload: unary(async ({ model_name }: RepositoryChange) => {
      await service.models.unload(model_name);
      return {};
    }),
    ModelInfer: unary((request: InferRequestMessage, call) => inferOne(service, options, request, call)),
    ModelStreamInfer: streamHandler(service, options),
  };
}
