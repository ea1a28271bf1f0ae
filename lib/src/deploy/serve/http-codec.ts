/** Inference requests and responses in HTTP: JSON, with tensors as binary data behind it where asked for. */
import type { WireTensor } from "./backend.js";
import type { Datatype } from "./datatypes.js";
import { quoted, ServeError } from "./errors.js";
import { encodeNumbers, numbersOf, whyNot } from "./numbers.js";
import { checkTensorType, type InferRequest, type Parameters } from "./request.js";

/** Header with the length of the JSON in front of binary data. */
export const JSON_LENGTH = "inference-header-content-length";

export interface HttpInferRequest extends InferRequest {
  readonly id: string | undefined;
  readonly parameters: Parameters;
  /** Whether an output goes as binary data. */
  isBinary(output: string): boolean;
}

type Json = Readonly<Record<string, unknown>>;

/** Lists that one request may have. */
const MOST_TENSORS = 1024;
const MOST_AXES = 32;

const refuse = (problem: string): never => {
  throw new ServeError("INVALID_ARGUMENT", problem);
};

const isJson = (value: unknown): value is Json =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** An own field; what an object inherits is none of a client's. */
const field = (object: Json, name: string): unknown =>
  Object.hasOwn(object, name) ? object[name] : undefined;

/** @throws ServeError INVALID_ARGUMENT */
export function parseJson(bytes: Uint8Array, what = "the request"): Json {
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch (cause) {
    return refuse(`${what} is not JSON: ${(cause as Error).message.slice(0, 200)}`);
  }
  return isJson(value) ? value : refuse(`${what} is no JSON object, but ${quoted(value)}`);
}

/** @throws ServeError INVALID_ARGUMENT for values that are no text, number or truth value. */
export function parametersOf(value: unknown, where: string): Parameters {
  if (value === undefined) return {};
  if (!isJson(value)) return refuse(`${where}: parameters are an object, got ${quoted(value)}`);
  for (const [name, one] of Object.entries(value))
    if (!["string", "number", "boolean"].includes(typeof one))
      refuse(
        `${where}: the parameter ${quoted(name)} is text, a number or a truth value, got ${quoted(one)}`,
      );
  return value as Parameters;
}

/** @param jsonLength the header that says where binary data begins. @throws ServeError INVALID_ARGUMENT */
export function decodeInfer(body: Uint8Array, jsonLength: string | undefined): HttpInferRequest {
  const length =
    jsonLength === undefined ? body.length : /^\d{1,15}$/.test(jsonLength) ? Number(jsonLength) : -1;
  if (length < 0 || length > body.length)
    refuse(`${JSON_LENGTH} is ${quoted(jsonLength)}; the body has ${body.length} bytes`);
  const json = parseJson(body.subarray(0, length));
  const id = field(json, "id");
  if (id !== undefined && (typeof id !== "string" || id.length > 1024))
    refuse(`id is text, got ${quoted(id)}`);
  const parameters = parametersOf(field(json, "parameters"), "the request");
  const binary = new BinaryData(body.subarray(length));
  const inputs = listOf(json, "inputs").map((input) => decodeInput(input, binary, body.length));
  binary.end();
  const allBinary = parameters.binary_data_output === true;
  const outputs = field(json, "outputs") === undefined ? null : listOf(json, "outputs").map(decodeOutput);
  const own = new Map(outputs?.map(({ name, binary }) => [name, binary]));
  return {
    id: id as string | undefined,
    parameters,
    inputs,
    outputs: outputs && outputs.length > 0 ? outputs.map(({ name }) => name) : null,
    isBinary: (name) => own.get(name) ?? allBinary,
  };
}

/** What lies behind the JSON, taken in order. */
class BinaryData {
  private at = 0;

  constructor(private readonly bytes: Uint8Array) {}

  take(size: number, name: unknown): Uint8Array {
    if (this.at + size > this.bytes.length)
      refuse(
        `input ${quoted(name)}: ${size} bytes of binary data are announced, ${this.bytes.length - this.at} are there`,
      );
    this.at += size;
    return this.bytes.subarray(this.at - size, this.at);
  }

  end(): void {
    if (this.at < this.bytes.length)
      refuse(`${this.bytes.length - this.at} bytes of binary data belong to no input`);
  }
}

function listOf(json: Json, name: string): Json[] {
  const value = field(json, name);
  if (!Array.isArray(value) || value.length > MOST_TENSORS)
    return refuse(`${name} is a list of at most ${MOST_TENSORS} objects, got ${quoted(value)}`);
  return value.map((one) =>
    isJson(one) ? one : refuse(`${name}: an object is expected, got ${quoted(one)}`),
  );
}

function nameIn(json: Json, what: string): string {
  const name = field(json, "name");
  return typeof name === "string" ? name : refuse(`${what} has no name, but ${quoted(name)}`);
}

function decodeInput(json: Json, binary: BinaryData, most: number): WireTensor {
  const name = nameIn(json, "an input");
  const [datatype, shape, data] = [field(json, "datatype"), field(json, "shape"), field(json, "data")];
  const parameters = parametersOf(field(json, "parameters"), `input ${quoted(name)}`);
  if (parameters.shared_memory_region !== undefined)
    throw new ServeError("UNIMPLEMENTED", `input ${quoted(name)}: shared memory is not served here`);
  const size = parameters.binary_data_size;
  const bytes = checkTensorType(name, datatype, shape, 8 * most); // JSON has at least 2 bytes for an element, of at most 8
  const typed = { name, datatype: datatype as Datatype, shape: shape as number[] };
  if (size === undefined) return { ...typed, data: decodeData(typed, data) };
  if (data !== undefined) refuse(`input ${quoted(name)} has data and binary_data_size; one of them is meant`);
  if (size !== bytes)
    refuse(
      `input ${quoted(name)}: binary_data_size is ${quoted(size)}, ${datatype}[${shape}] has ${bytes} bytes`,
    );
  return { ...typed, data: binary.take(bytes, name) };
}

function decodeData({ name, datatype, shape }: Omit<WireTensor, "data">, data: unknown): Uint8Array {
  const count = shape.reduce((product, dim) => product * dim, 1);
  if (!Array.isArray(data)) return refuse(`input ${quoted(name)} has no list of data, but ${quoted(data)}`);
  const flat = flattened(data, count, name);
  for (let i = 0; i < flat.length; i++) {
    const problem = whyNot(datatype, flat[i]);
    if (problem !== null)
      refuse(`input ${quoted(name)}, element ${i}: ${datatype} cannot hold ${quoted(flat[i])}: ${problem}`);
  }
  return encodeNumbers(datatype, flat as number[]);
}

/** The elements, whether rows are lists of their own or not. */
function flattened(data: readonly unknown[], count: number, name: string): readonly unknown[] {
  let level = data;
  for (let axis = 0; level.some(Array.isArray); axis++) {
    if (axis >= MOST_AXES || !level.every(Array.isArray))
      refuse(`input ${quoted(name)}: lists and elements stand side by side in its data, or too deep`);
    level = level.flat();
  }
  if (level.length !== count)
    refuse(`input ${quoted(name)}: ${level.length} elements, its shape has ${count}`);
  return level;
}

function decodeOutput(json: Json): { name: string; binary: boolean | undefined } {
  const name = nameIn(json, "an output");
  const { binary_data, classification, shared_memory_region } = parametersOf(
    field(json, "parameters"),
    `output ${quoted(name)}`,
  );
  if (classification !== undefined || shared_memory_region !== undefined)
    throw new ServeError(
      "UNIMPLEMENTED",
      `output ${quoted(name)}: ${classification === undefined ? "shared memory" : "classification"} is not served here`,
    );
  if (binary_data !== undefined && typeof binary_data !== "boolean")
    refuse(`output ${quoted(name)}: binary_data is true or false, got ${quoted(binary_data)}`);
  return { name, binary: binary_data as boolean | undefined };
}

export interface EncodedResponse {
  readonly body: Buffer;
  /** Bytes of JSON, if binary data is behind it. */
  readonly jsonLength: number | null;
}

/** @throws ServeError INVALID_ARGUMENT for elements that JSON has no words for. */
export function encodeResponse(
  head: Readonly<Record<string, unknown>>,
  outputs: readonly WireTensor[],
  isBinary: (output: string) => boolean,
): EncodedResponse {
  const behind = outputs.filter(({ name }) => isBinary(name)).map(({ data }) => data);
  const texts = outputs.map(({ name, datatype, shape, data }) => {
    const typed = JSON.stringify({
      name,
      datatype,
      shape,
      ...(isBinary(name) ? { parameters: { binary_data_size: data.length } } : {}),
    });
    return isBinary(name) ? typed : `${typed.slice(0, -1)},"data":[${elementTexts(name, datatype, data)}]}`;
  });
  const json = Buffer.from(`${JSON.stringify(head).slice(0, -1)},"outputs":[${texts.join(",")}]}`);
  return {
    body: behind.length === 0 ? json : Buffer.concat([json, ...behind]),
    jsonLength: behind.length === 0 ? null : json.length,
  };
}

function elementTexts(name: string, datatype: Datatype, data: Uint8Array): string {
  if (datatype === "INT64" || datatype === "UINT64") {
    const own = new Uint8Array(data);
    return (datatype === "INT64" ? new BigInt64Array(own.buffer) : new BigUint64Array(own.buffer)).join(",");
  }
  const numbers = numbersOf(datatype, data);
  if (datatype === "BOOL") return numbers.map((value) => (value ? "true" : "false")).join(",");
  const bad = numbers.findIndex((value) => !Number.isFinite(value));
  if (bad >= 0)
    refuse(
      `output ${quoted(name)}, element ${bad}, is ${numbers[bad]}, which JSON can't hold: ask for it as binary_data`,
    );
  return numbers.join(",");
}
