/**
 * ONNX files as messages. The schema is ONNX's own (`assets/onnx.proto`, Apache-2.0); protobufjs reads it and the bytes.
 * Byte fields of a message are views of the file's bytes, so that weights are not copied before they become tensors.
 */
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import type protobuf from "protobufjs";
import { MlsysError } from "../../core/errors.js";

/** A model file that is damaged, says what this library can't do, or can't be written. Names node, op and opset. */
export class OnnxError extends MlsysError {
  override name = "OnnxError";
}

/** protobufjs gives 64-bit fields as objects with two halves. */
export type Int64 = number | { toString(): string };

export interface TensorProto {
  name?: string;
  dims?: Int64[];
  data_type?: number;
  float_data?: number[];
  int32_data?: number[];
  int64_data?: Int64[];
  double_data?: number[];
  uint64_data?: Int64[];
  string_data?: Uint8Array[];
  raw_data?: Uint8Array;
  data_location?: number;
  external_data?: { key?: string; value?: string }[];
}

export interface AttributeProto {
  name?: string;
  ref_attr_name?: string;
  type?: number;
  f?: number;
  i?: Int64;
  s?: Uint8Array;
  t?: TensorProto;
  g?: GraphProto;
  floats?: number[];
  ints?: Int64[];
  strings?: Uint8Array[];
  tensors?: TensorProto[];
  graphs?: GraphProto[];
}

export interface NodeProto {
  name?: string;
  op_type?: string;
  domain?: string;
  input?: string[];
  output?: string[];
  attribute?: AttributeProto[];
}

export interface DimensionProto {
  dim_value?: Int64;
  dim_param?: string;
}

export interface ValueInfoProto {
  name?: string;
  type?: {
    tensor_type?: { elem_type?: number; shape?: { dim?: DimensionProto[] } | null } | null;
    sequence_type?: object | null;
    optional_type?: object | null;
  } | null;
}

export interface GraphProto {
  name?: string;
  node?: NodeProto[];
  initializer?: TensorProto[];
  sparse_initializer?: object[];
  input?: ValueInfoProto[];
  output?: ValueInfoProto[];
  value_info?: ValueInfoProto[];
}

export interface FunctionProto {
  name?: string;
  domain?: string;
  overload?: string;
  input?: string[];
  output?: string[];
  attribute?: string[];
  attribute_proto?: AttributeProto[];
  node?: NodeProto[];
  opset_import?: { domain?: string; version?: Int64 }[];
}

export interface ModelProto {
  ir_version?: Int64;
  producer_name?: string;
  producer_version?: string;
  opset_import?: { domain?: string; version?: Int64 }[];
  graph?: GraphProto | null;
  functions?: FunctionProto[];
  metadata_props?: { key?: string; value?: string }[];
}

/** What an attribute holds, by ONNX's numbers. */
export const ATTRIBUTE = {
  float: 1,
  int: 2,
  string: 3,
  tensor: 4,
  graph: 5,
  floats: 6,
  ints: 7,
  strings: 8,
} as const;

let schema: protobuf.Type | null = null;

function modelType(): protobuf.Type {
  if (schema === null) {
    // loaded when a model is: starting the library must not wait for it
    const { parse } = createRequire(import.meta.url)("protobufjs") as typeof protobuf;
    const text = readFileSync(new URL("../../../assets/onnx.proto", import.meta.url), "utf8");
    schema = parse(text, { keepCase: true }).root.lookupType("onnx.ModelProto");
  }
  return schema;
}

/**
 * The message of a file.
 * @throws OnnxError if the bytes are no such message.
 */
export function decodeModel(bytes: Uint8Array, where: string): ModelProto {
  let model: ModelProto;
  try {
    model = modelType().decode(bytes) as ModelProto;
  } catch (cause) {
    throw new OnnxError(`${where}: not an ONNX model, or damaged: ${shortened((cause as Error).message)}`, {
      cause,
    });
  }
  if (!model.graph)
    throw new OnnxError(`${where}: not an ONNX model: there is no graph in its ${bytes.length} bytes`);
  return model;
}

/** The bytes of a message. @throws OnnxError if graphs in it nest deeper than readers allow. */
export function encodeModel(model: ModelProto): Uint8Array {
  try {
    return modelType()
      .encode(model as protobuf.Message)
      .finish();
  } catch (cause) {
    throw new OnnxError(`onnx: the model can't be written: ${(cause as Error).message}`, { cause });
  }
}

/** Names and texts of a file in messages: a hostile one has them as long as itself. */
export function shortened(text: string): string {
  return text.length > 80 ? `${text.slice(0, 80)}…` : text;
}

export const quoted = (name: string | undefined): string => JSON.stringify(shortened(name ?? ""));

/** A whole number of a file. 2⁶³ − 1, which ONNX writes for "to the end", loses its last digits; it stays as large. */
export const numberOf = (value: Int64 | undefined): number => Number(value ?? 0);

const text = new TextDecoder();
export const textOf = (bytes: Uint8Array | undefined): string => (bytes ? text.decode(bytes) : "");
