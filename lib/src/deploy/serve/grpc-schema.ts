/** The gRPC service's messages: `assets/inference.proto`, read by protobufjs when a server starts. */
import { readFileSync } from "node:fs";
import type { MethodDefinition } from "@grpc/grpc-js";
import type protobuf from "protobufjs";

/** 64-bit fields: objects with two halves, or numbers. */
export type Int64 = number | { toString(): string };

export interface InferParameter {
  readonly bool_param?: boolean;
  readonly int64_param?: Int64;
  readonly string_param?: string;
  readonly double_param?: number;
  readonly uint64_param?: Int64;
}

export type ParameterMap = Readonly<Record<string, InferParameter>>;

export type TensorContents = Readonly<Record<string, readonly unknown[] | undefined>>;

export interface TensorMessage {
  readonly name: string;
  readonly datatype: string;
  readonly shape: readonly Int64[];
  readonly parameters?: ParameterMap;
  readonly contents?: TensorContents | null;
}

export interface InferRequestMessage {
  readonly model_name: string;
  readonly model_version: string;
  readonly id: string;
  readonly parameters: ParameterMap;
  readonly inputs: readonly TensorMessage[];
  readonly outputs: readonly { readonly name: string; readonly parameters: ParameterMap }[];
  readonly raw_input_contents: readonly Uint8Array[];
}

export interface InferResponseMessage {
  readonly model_name: string;
  readonly model_version: string;
  readonly id: string;
  readonly parameters: ParameterMap;
  readonly outputs: readonly TensorMessage[];
  readonly raw_output_contents: readonly Uint8Array[];
}

export interface StreamResponseMessage {
  readonly error_message?: string;
  readonly infer_response?: InferResponseMessage;
}

export interface NamedVersion {
  readonly name: string;
  readonly version: string;
}

export interface RepositoryChange {
  readonly model_name: string;
  readonly parameters: ParameterMap;
}

const SERVICE = "inference.GRPCInferenceService";

export type ServiceDefinition = Readonly<Record<string, MethodDefinition<object, object>>>;

/** The service as grpc-js takes it: for servers and for clients. */
export async function inferenceService(): Promise<ServiceDefinition> {
  const { default: reader } = (await import("protobufjs")) as unknown as { default: typeof protobuf };
  const text = readFileSync(new URL("../../../assets/inference.proto", import.meta.url), "utf8");
  const service = reader.parse(text, { keepCase: true }).root.lookupService(SERVICE);
  return Object.fromEntries(
    service.methodsArray.map((method) => {
      method.resolve();
      const [request, response] = [coderOf(method.resolvedRequestType), coderOf(method.resolvedResponseType)];
      const definition: MethodDefinition<object, object> = {
        path: `/${SERVICE}/${method.name}`,
        requestStream: method.requestStream === true,
        responseStream: method.responseStream === true,
        requestSerialize: request.encode,
        requestDeserialize: request.decode,
        responseSerialize: response.encode,
        responseDeserialize: response.decode,
      };
      return [method.name, definition];
    }),
  );
}

interface Coder {
  readonly encode: (message: object) => Buffer;
  readonly decode: (bytes: Buffer) => object;
}

function coderOf(type: protobuf.Type | null): Coder {
  if (type === null) throw new Error(`${SERVICE} names a message that its schema lacks`);
  return {
    encode: (message) => Buffer.from(type.encode(type.fromObject(message)).finish()),
    decode: (bytes) => type.decode(bytes),
  };
}
