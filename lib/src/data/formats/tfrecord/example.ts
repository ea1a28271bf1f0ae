/**
 * tf.train.Example, what TFRecord files mostly hold: named lists of bytes, floats or 64-bit integers, as a protocol buffer
 * (tensorflow/core/example/{example,feature}.proto). Read and written with protobufjs's wire primitives, so that lists become
 * typed arrays at once.
 */
import protobuf from "protobufjs/minimal.js";
import { ValueError } from "../../../core/errors.js";

/** A list of one kind; "none" if the example names a feature without a list. */
export type Feature =
  | { readonly kind: "bytes"; readonly values: readonly Uint8Array[] }
  | { readonly kind: "float"; readonly values: Float32Array }
  | { readonly kind: "int64"; readonly values: BigInt64Array }
  | { readonly kind: "none"; readonly values: readonly [] };

/** Features by name. */
export type Example = Record<string, Feature>;

/** What a feature is made from: text and bytes; numbers for floats; bigints for integers; or a feature as it was read. */
export type FeatureInput =
  | Feature
  | string
  | Uint8Array
  | readonly (string | Uint8Array)[]
  | number
  | readonly number[]
  | Float32Array
  | bigint
  | readonly bigint[]
  | BigInt64Array;

type Reader = InstanceType<typeof protobuf.Reader>;
type Writer = InstanceType<typeof protobuf.Writer>;

const BYTES = 2; // wire type of what has a length
const FIXED32 = 5;
const tag = (field: number, wire: number): number => (field << 3) | wire;

/**
 * Parses a tf.train.Example.
 * @example data.decodeExample(data.encodeExample({ label: [7n] })).label.values[0] === 7n // true
 * @throws ValueError if the bytes are no such message.
 */
export function decodeExample(bytes: Uint8Array): Example {
  const example: Example = {};
  try {
    const reader = protobuf.Reader.create(bytes);
    for (const features of fieldsOf(reader, reader.len, 1))
      for (const entry of fieldsOf(reader, features, 1)) readEntry(reader, entry, example);
  } catch (error) {
    if (error instanceof ValueError) throw error;
    throw new ValueError(`decodeExample: not a tf.train.Example: ${(error as Error).message}`, {
      cause: error,
    });
  }
  return example;
}

/** Ends of the messages in field `wanted`, up to `end`; other fields are skipped. */
function* fieldsOf(reader: Reader, end: number, wanted: number): Generator<number> {
  while (reader.pos < end) {
    const key = reader.uint32();
    if (key === tag(wanted, BYTES)) {
      const inner = endOf(reader, end);
      yield inner;
      reader.pos = inner;
    } else skip(reader, key, end);
  }
}

/** End of a part with a length, which must lie in the part around it. */
function endOf(reader: Reader, outer: number): number {
  const length = reader.uint32();
  const end = reader.pos + length;
  if (end > outer) throw new ValueError(`decodeExample: a part of ${length} bytes goes past what holds it`);
  return end;
}

function skip(reader: Reader, key: number, end: number): void {
  if (key >>> 3 === 0) throw new ValueError("decodeExample: not a tf.train.Example: a field numbered 0");
  reader.skipType(key & 7);
  if (reader.pos > end) throw new ValueError("decodeExample: a field goes past what holds it");
}

function readEntry(reader: Reader, end: number, into: Example): void {
  let name = "";
  let feature: Feature = { kind: "none", values: [] };
  while (reader.pos < end) {
    const key = reader.uint32();
    if (key === tag(1, BYTES)) {
      const inner = endOf(reader, end);
      name = Buffer.from(reader.buf.buffer, reader.buf.byteOffset + reader.pos, inner - reader.pos).toString(
        "utf8",
      );
      reader.pos = inner;
    } else if (key === tag(2, BYTES)) {
      const inner = endOf(reader, end);
      feature = readFeature(reader, inner);
    } else skip(reader, key, end);
  }
  // not by assignment, to which "__proto__" would mean something else
  Object.defineProperty(into, name, { value: feature, enumerable: true, writable: true, configurable: true });
}

function readFeature(reader: Reader, end: number): Feature {
  let feature: Feature = { kind: "none", values: [] };
  while (reader.pos < end) {
    const key = reader.uint32();
    const list = LISTS[key];
    if (list) feature = list(reader, endOf(reader, end));
    else skip(reader, key, end);
  }
  return feature;
}

/** By key of the field in Feature. */
const LISTS: Record<number, (reader: Reader, end: number) => Feature> = {
  [tag(1, BYTES)](reader, end) {
    const values: Uint8Array[] = [];
    for (const inner of fieldsOf(reader, end, 1)) values.push(new Uint8Array(reader.raw(reader.pos, inner)));
    return { kind: "bytes", values };
  },
  [tag(2, BYTES)](reader, end) {
    const parts: Float32Array[] = [];
    while (reader.pos < end) {
      const key = reader.uint32();
      if (key === tag(1, BYTES)) {
        const inner = endOf(reader, end);
        if ((inner - reader.pos) % 4 !== 0)
          throw new ValueError("decodeExample: a list of floats ends inside of one");
        parts.push(new Float32Array(new Uint8Array(reader.raw(reader.pos, inner)).buffer));
        reader.pos = inner;
      } else if (key === tag(1, FIXED32)) parts.push(Float32Array.of(reader.float()));
      else skip(reader, key, end);
    }
    return { kind: "float", values: parts.length === 1 ? parts[0] : concatenated(parts) };
  },
  [tag(3, BYTES)](reader, end) {
    const values: bigint[] = [];
    while (reader.pos < end) {
      const key = reader.uint32();
      if (key === tag(1, BYTES)) {
        const inner = endOf(reader, end);
        while (reader.pos < inner) values.push(varint(reader));
        if (reader.pos > inner) throw new ValueError("decodeExample: a list of integers ends inside of one");
      } else if (key === tag(1, 0)) values.push(varint(reader));
      else skip(reader, key, end);
    }
    return { kind: "int64", values: BigInt64Array.from(values) };
  },
};

function concatenated(parts: readonly Float32Array[]): Float32Array {
  const out = new Float32Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    out.set(part, at);
    at += part.length;
  }
  return out;
}

/** A varint of up to 10 bytes, two's complement. */
function varint(reader: Reader): bigint {
  const { buf } = reader;
  let [low, shift] = [0, 0];
  for (; shift < 28; shift += 7) {
    const byte = byteAt(reader, buf);
    low |= (byte & 127) << shift;
    if (byte < 128) return BigInt(low);
  }
  let value = BigInt(low);
  for (let wide = 28n; wide < 70n; wide += 7n) {
    const byte = byteAt(reader, buf);
    value |= BigInt(byte & 127) << wide;
    if (byte < 128) return BigInt.asIntN(64, value);
  }
  throw new ValueError("decodeExample: an integer of more than 10 bytes");
}

function byteAt(reader: Reader, buf: Uint8Array): number {
  if (reader.pos >= reader.len) throw new ValueError("decodeExample: ends inside of an integer");
  return buf[reader.pos++];
}

/**
 * A tf.train.Example's bytes. Numbers become floats, bigints integers.
 * @example data.decodeExample(data.encodeExample({ x: [0.5, 1], name: "a", label: 7n })).x.kind // "float"
 * @throws ValueError for a value that is neither.
 */
export function encodeExample(features: Readonly<Record<string, FeatureInput>>): Uint8Array {
  const writer = protobuf.Writer.create();
  writer.uint32(tag(1, BYTES)).fork();
  for (const [name, input] of Object.entries(features)) {
    writer.uint32(tag(1, BYTES)).fork();
    writer.uint32(tag(1, BYTES)).string(name);
    writer.uint32(tag(2, BYTES)).fork();
    writeFeature(writer, featureOf(input, name));
    writer.ldelim().ldelim();
  }
  return writer.ldelim().finish();
}

function writeFeature(writer: Writer, feature: Feature): void {
  if (feature.kind === "none") return;
  if (feature.kind === "bytes") {
    writer.uint32(tag(1, BYTES)).fork();
    for (const value of feature.values) writer.uint32(tag(1, BYTES)).bytes(value);
    writer.ldelim();
    return;
  }
  writer.uint32(tag(feature.kind === "float" ? 2 : 3, BYTES)).fork();
  if (feature.values.length > 0) {
    if (feature.kind === "float") {
      const { buffer, byteOffset, byteLength } = feature.values;
      writer.uint32(tag(1, BYTES)).bytes(new Uint8Array(buffer, byteOffset, byteLength));
    } else {
      writer.uint32(tag(1, BYTES)).bytes(varints(feature.values));
    }
  }
  writer.ldelim();
}

function varints(values: BigInt64Array): Uint8Array {
  const out = new Uint8Array(10 * values.length);
  let at = 0;
  for (const value of values) {
    if (value >= 0n && value < 0x10000000n) {
      let small = Number(value);
      for (; small > 127; small >>>= 7) out[at++] = (small & 127) | 128;
      out[at++] = small;
      continue;
    }
    let rest = BigInt.asUintN(64, value);
    for (; rest > 127n; rest >>= 7n) out[at++] = Number(rest & 127n) | 128;
    out[at++] = Number(rest);
  }
  return out.subarray(0, at);
}

function featureOf(input: FeatureInput, name: string): Feature {
  if (typeof input === "string" || input instanceof Uint8Array) return featureOf([input], name);
  if (typeof input === "number" || typeof input === "bigint") return featureOf([input] as number[], name);
  if (input instanceof Float32Array) return { kind: "float", values: input };
  if (input instanceof BigInt64Array) return { kind: "int64", values: input };
  if (!Array.isArray(input)) {
    if (typeof input === "object" && input !== null && "kind" in input) return input;
    throw new ValueError(`encodeExample: feature ${name} can't be made from ${String(input)}`);
  }
  const list = input as readonly unknown[];
  const all = (test: (value: unknown) => boolean): boolean => list.every(test);
  if (list.length === 0) return { kind: "none", values: [] };
  if (all((v) => typeof v === "number"))
    return { kind: "float", values: Float32Array.from(list as number[]) };
  if (all((v) => typeof v === "bigint" && BigInt.asIntN(64, v) === v))
    return { kind: "int64", values: BigInt64Array.from(list as bigint[]) };
  if (all((v) => typeof v === "string" || v instanceof Uint8Array))
    return {
      kind: "bytes",
      values: list.map((v) => (typeof v === "string" ? Buffer.from(v) : (v as Uint8Array))),
    };
  throw new ValueError(
    `encodeExample: feature ${name} is a list of text and bytes, of numbers, or of bigints of 64 bits; got ${list.map((v) => typeof v).join(", ")}`,
  );
}
