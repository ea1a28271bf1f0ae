/** Inference requests and responses as gRPC messages: tensors raw, or as lists of their elements. */
import type { WireTensor } from "./backend.js";
import { DATATYPES, type Datatype } from "./datatypes.js";
import { quoted, ServeError } from "./errors.js";
import type {
  InferRequestMessage,
  InferResponseMessage,
  Int64,
  ParameterMap,
  TensorMessage,
} from "./grpc-schema.js";
import { encodeNumbers } from "./numbers.js";
import { checkTensorType, type InferRequest, type Parameter, type Parameters } from "./request.js";

const refuse = (problem: string): never => {
  throw new ServeError("INVALID_ARGUMENT", problem);
};

const numberOf = (value: Int64): number => (typeof value === "number" ? value : Number(value.toString()));

/** @throws ServeError INVALID_ARGUMENT for a parameter without a value. */
export function parametersFrom(map: ParameterMap): Parameters {
  return Object.fromEntries(
    Object.entries(map).map(([name, value]): [string, Parameter] => {
      const given = (field: keyof typeof value): boolean => Object.hasOwn(value, field);
      if (given("bool_param")) return [name, value.bool_param as boolean];
      if (given("string_param")) return [name, value.string_param as string];
      if (given("double_param")) return [name, value.double_param as number];
      const long = given("int64_param")
        ? value.int64_param
        : given("uint64_param")
          ? value.uint64_param
          : null;
      return [name, numberOf(long ?? refuse(`the parameter ${quoted(name)} has no value`))];
    }),
  );
}

export interface GrpcInferRequest extends InferRequest {
  readonly parameters: Parameters;
}

/** @param most bytes of one message. @throws ServeError INVALID_ARGUMENT */
export function decodeInferMessage(message: InferRequestMessage, most: number): GrpcInferRequest {
  const { inputs, raw_input_contents: raw, outputs } = message;
  if (raw.length > 0 && raw.length !== inputs.length)
    refuse(`${raw.length} raw_input_contents for ${inputs.length} input(s); all of them come raw, or none`);
  return {
    parameters: parametersFrom(message.parameters),
    inputs: inputs.map((input, i) => decodeTensor(input, raw.length > 0 ? raw[i] : null, most)),
    outputs: outputs.length > 0 ? outputs.map((output) => outputName(output)) : null,
  };
}

function outputName({ name, parameters }: InferRequestMessage["outputs"][number]): string {
  for (const unserved of ["classification", "shared_memory_region"])
    if (Object.hasOwn(parameters, unserved))
      throw new ServeError("UNIMPLEMENTED", `output ${quoted(name)}: ${unserved} is not served here`);
  return name;
}

function decodeTensor(
  { name, datatype, shape: dims, parameters = {}, contents }: TensorMessage,
  raw: Uint8Array | null,
  most: number,
): WireTensor {
  if (Object.hasOwn(parameters, "shared_memory_region"))
    throw new ServeError("UNIMPLEMENTED", `input ${quoted(name)}: shared memory is not served here`);
  const shape = dims.map(numberOf);
  const bytes = checkTensorType(name, datatype, shape, 8 * most); // a varint of one byte may be an element of eight
  const typed = { name, datatype: datatype as Datatype, shape };
  const filled = Object.entries(contents ?? {}).filter(([, list]) => list && list.length > 0);
  if (raw !== null) {
    if (filled.length > 0)
      refuse(`input ${quoted(name)} has raw_input_contents and contents; one of them is meant`);
    if (raw.length !== bytes)
      refuse(`input ${quoted(name)}: ${raw.length} raw bytes, ${datatype}[${shape}] has ${bytes}`);
    return { ...typed, data: raw };
  }
  return { ...typed, data: decodeContents(typed, filled as [string, readonly unknown[]][], bytes) };
}

function decodeContents(
  { name, datatype }: Omit<WireTensor, "data">,
  filled: readonly (readonly [string, readonly unknown[]])[],
  bytes: number,
): Uint8Array {
  const { field, bytes: width, range } = DATATYPES[datatype];
  if (field === null) return refuse(`input ${quoted(name)}: ${datatype} is sent as raw_input_contents`);
  const other = filled.find(([key]) => key !== field);
  if (other) refuse(`input ${quoted(name)}: ${datatype} is sent in ${field}, not in ${other[0]}`);
  const values = filled[0]?.[1] ?? [];
  if (values.length * width !== bytes)
    refuse(`input ${quoted(name)}: ${values.length} elements in ${field}, its shape has ${bytes / width}`);
  if (datatype === "INT64" || datatype === "UINT64") {
    const whole = values.map((value) => BigInt(String(value)));
    const array = datatype === "INT64" ? BigInt64Array.from(whole) : BigUint64Array.from(whole);
    return new Uint8Array(array.buffer);
  }
  const numbers = values as readonly (number | boolean)[];
  if (range && datatype !== "BOOL") {
    const outside = (numbers as readonly number[]).find((value) => value < range[0] || value > range[1]);
    if (outside !== undefined) refuse(`input ${quoted(name)}: ${outside} is outside ${datatype}`);
  }
  return encodeNumbers(datatype, numbers);
}

/** The message of an answer, elements raw. */
export function responseMessage(
  head: {
    readonly name: string;
    readonly version: string;
    readonly id: string;
    readonly parameters?: Parameters;
  },
  outputs: readonly WireTensor[],
): InferResponseMessage {
  return {
    model_name: head.name,
    model_version: head.version,
    id: head.id,
    parameters: Object.fromEntries(
      Object.entries(head.parameters ?? {}).map(([name, value]) => [
        name,
        typeof value === "boolean"
          ? { bool_param: value }
          : typeof value === "string"
            ? { string_param: value }
            : Number.isSafeInteger(value)
              ? { int64_param: value }
              : { double_param: value },
      ]),
    ),
    outputs: outputs.map(({ name, datatype, shape }) => ({ name, datatype, shape })),
    raw_output_contents: outputs.map(({ data }) => data),
  };
}
