/**
 * Messages as rosbridge's JSON has them: arrays of bytes in base64, numbers that JSON lacks as null, integers of 64 bits
 * as plain digits. Source: rosbridge_library's `message_conversion.py`.
 */
import type { FieldDefinition, MessageDefinition, MessageType } from "../interfaces/types.js";

const BYTES: ReadonlySet<string> = new Set(["uint8", "char", "byte"]);

/** Digits that are to stand bare in JSON; the mark can't be guessed, so no message's own text is taken for one. */
const MARK = `\u0001${Math.random().toString(36).slice(2)}${Math.random().toString(36).slice(2)}:`;
const MARKED = new RegExp(`"\\\\u0001${MARK.slice(1)}(-?\\d+)"`, "g");

/** JSON text; bigints become digits. */
export function stringify(value: unknown): string {
  let marked = false;
  const text = JSON.stringify(value, (_, part: unknown) => {
    if (typeof part !== "bigint") return part;
    marked = true;
    return `${MARK}${part}`;
  });
  return marked ? text.replace(MARKED, "$1") : text;
}

/** What `stringify` takes, of a message as `type.create` made it. */
export function toJson(type: MessageType, message: unknown): unknown {
  return plain(type.definition, type.dependencies, message as Record<string, unknown>);
}

type Definitions = ReadonlyMap<string, MessageDefinition>;

function plain(definition: MessageDefinition, all: Definitions, message: Record<string, unknown>): unknown {
  const out: Record<string, unknown> = {};
  for (const field of definition.fields) out[field.name] = plainField(field, all, message[field.name]);
  return out;
}

function plainField(field: FieldDefinition, all: Definitions, value: unknown): unknown {
  if (field.isMessage) {
    const inner = all.get(field.type)!;
    if (field.array === undefined) return plain(inner, all, value as Record<string, unknown>);
    return (value as Record<string, unknown>[]).map((one) => plain(inner, all, one));
  }
  if (!ArrayBuffer.isView(value)) return value;
  if (BYTES.has(field.type))
    return Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString("base64");
  return Array.from(value as unknown as ArrayLike<number | bigint>);
}

/**
 * What `type.create` takes, of parsed JSON: it checks what this leaves as it is.
 * @param now what a header without a stamp gets, as rosbridge gives it
 */
export function fromJson(
  type: MessageType,
  given: unknown,
  now: () => { sec: number; nanosec: number },
): unknown {
  return filled(type.definition, type.dependencies, given, now);
}

function filled(definition: MessageDefinition, all: Definitions, given: unknown, now: () => object): unknown {
  if (typeof given !== "object" || given === null || Array.isArray(given)) return given;
  const out: Record<string, unknown> = { ...given };
  if (definition.name === "std_msgs/msg/Header" && out.stamp === undefined) out.stamp = now();
  for (const field of definition.fields) {
    // A header that was left out has a stamp too.
    const missing = field.type === "std_msgs/msg/Header" && field.array === undefined ? {} : undefined;
    const value = Object.hasOwn(given, field.name) ? out[field.name] : missing;
    if (value !== undefined) out[field.name] = filledField(field, all, value, now);
  }
  return out;
}

function filledField(field: FieldDefinition, all: Definitions, value: unknown, now: () => object): unknown {
  if (field.isMessage) {
    const inner = all.get(field.type)!;
    if (field.array !== undefined && Array.isArray(value))
      return value.map((one) => filled(inner, all, one, now));
    return filled(inner, all, value, now);
  }
  if (field.type === "float32" || field.type === "float64") {
    const real = (one: unknown) => (one === null ? Number.NaN : one);
    return field.array !== undefined && Array.isArray(value) ? value.map(real) : real(value);
  }
  if (field.array !== undefined && BYTES.has(field.type) && typeof value === "string") {
    const bytes = Buffer.from(value, "base64");
    // Node skips what is no base64: text that does not come back was none.
    return bytes.toString("base64").replace(/=+$/, "") === value.replace(/=+$/, "") ? bytes : value;
  }
  return value;
}
