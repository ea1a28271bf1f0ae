/**
 * Messages to bytes and back, as DDS sends them: CDR (XCDR version 1, plain), a header of four bytes, then each field
 * at a multiple of its size. Every type gets a reader and a writer of its own, compiled once.
 * Source: OMG Data Distribution Service Interoperability Wire Protocol 2.5, section 10; ROS 2's mapping of messages.
 */
import { MlsysError } from "../../../core/errors.js";
import { CdrReader, CdrWriter } from "./cdr-stream.js";
import { TYPED_ARRAYS } from "./check.js";
import type { FieldDefinition, MessageDefinition, MessageInit, MessageType } from "./types.js";

/** Bytes that are no message of the type that they were read as. */
export class CdrError extends MlsysError {
  override name = "CdrError";
}

interface Codec {
  write(message: unknown, to: CdrWriter): void;
  read(from: CdrReader): unknown;
}

const codecs = new WeakMap<MessageType, Codec>();
const writer = new CdrWriter();

/**
 * CDR of a message, little-endian with its header, as `rclpy.serialization.serialize_message` makes it.
 * @throws TypeError for a wrong field, as `type.create`
 * @throws {CdrError} for a `wstring`, whose bytes differ between implementations of DDS
 * @example
 * ros.serialize(ros.msg("std_msgs/msg/Int32"), { data: 1 }) // [0, 1, 0, 0, 1, 0, 0, 0]
 */
export function serialize<M>(type: MessageType<M>, message: MessageInit<M>): Uint8Array {
  return encode(type, type.create(message));
}

/** {@link serialize} of a whole message, as `type.create` made it, without checks. @internal */
export function encode<M>(type: MessageType<M>, message: M): Uint8Array {
  const codec = codecOf(type as MessageType);
  writer.start();
  codec.write(message, writer);
  return writer.finish();
}

/** {@link encode} without a copy: the bytes are whole while `use` runs, which makes no others. @internal */
export function withEncoded<M>(type: MessageType<M>, message: M, use: (bytes: Uint8Array) => void): void {
  const codec = codecOf(type as MessageType);
  writer.start();
  codec.write(message, writer);
  try {
    use(writer.view());
  } finally {
    writer.end();
  }
}

/**
 * The message in CDR bytes of either byte order; it shares no memory with them.
 * @throws {CdrError} if the bytes end early or are no such message
 * @example
 * ros.deserialize(ros.msg("std_msgs/msg/Int32"), Uint8Array.of(0, 1, 0, 0, 5, 0, 0, 0)).data // 5
 */
export function deserialize<M>(type: MessageType<M>, bytes: Uint8Array): M {
  const codec = codecOf(type as MessageType);
  try {
    return codec.read(new CdrReader(bytes)) as M;
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    const why = error.message.includes("DataView") ? "the bytes end early" : error.message;
    throw new CdrError(`${bytes.length} bytes are no ${type.name}: ${why}`);
  }
}

function codecOf(type: MessageType): Codec {
  const known = codecs.get(type);
  if (known !== undefined) return known;
  const made = new Map<string, Codec>();
  const codec = compile(type.definition, type.dependencies, made);
  codecs.set(type, codec);
  return codec;
}

function compile(
  definition: MessageDefinition,
  definitions: ReadonlyMap<string, MessageDefinition>,
  made: Map<string, Codec>,
): Codec {
  const known = made.get(definition.name);
  if (known !== undefined) return known;
  const values: Record<string, unknown> = {};
  for (const [i, field] of definition.fields.entries()) {
    if (field.type === "wstring") {
      throw new CdrError(
        `${definition.name}: field ${field.name} is a wstring, whose bytes differ between implementations of DDS`,
      );
    }
    if (field.isMessage) values[`nested${i}`] = compile(definitions.get(field.type)!, definitions, made);
    values[`elements${i}`] = TYPED_ARRAYS[field.type];
  }
  const { fields } = definition;
  // A message without fields holds one byte, as IDL knows no empty struct.
  const writes = fields.length === 0 ? ["to.uint8(0);"] : fields.map(writeField);
  const reads = fields.map((field, i) => `const f${i} = ${readField(field, i)};`);
  if (fields.length === 0) reads.push("from.uint8();");
  const source = `"use strict"; return {
  write(m, to) { let v; ${writes.join("\n    ")} },
  read(from) { ${reads.join("\n    ")} return { ${fields.map((f, i) => `${f.name}: f${i}`).join(", ")} }; },
};`;
  const codec = new Function(...Object.keys(values), source)(...Object.values(values)) as Codec;
  made.set(definition.name, codec);
  return codec;
}

/** Names of a stream's methods are those of the types, but for the two that are uint8 to DDS. */
const method = (type: string): string => (type === "byte" || type === "char" ? "uint8" : type);

function writeField(field: FieldDefinition, i: number): string {
  const from = `m.${field.name}`;
  if (field.array === undefined) {
    return field.isMessage ? `nested${i}.write(${from}, to);` : `to.${method(field.type)}(${from});`;
  }
  const count = field.array.length === undefined ? "to.uint32(v.length); " : "";
  const each = field.isMessage ? `nested${i}.write(v[i], to)` : `to.${method(field.type)}(v[i])`;
  if (TYPED_ARRAYS[field.type]) return `v = ${from}; ${count}to.elements(v);`;
  return `v = ${from}; ${count}for (let i = 0; i < v.length; i++) ${each};`;
}

function readField(field: FieldDefinition, i: number): string {
  const { array, type } = field;
  if (array === undefined) return field.isMessage ? `nested${i}.read(from)` : `from.${method(type)}()`;
  const count = array.length ?? `from.count(${array.bound ?? 0xffff_ffff})`;
  if (TYPED_ARRAYS[type]) return `from.elements(${count}, elements${i})`;
  const one = field.isMessage ? `nested${i}.read(from)` : `from.${method(type)}()`;
  return `from.list(${count}, () => ${one})`;
}
