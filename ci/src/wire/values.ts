/**
 * The values that cross between a test and the learner's code, as JSON.
 *
 * `encode` reads a value once (getters and proxies included) and `decode` builds fresh plain data from it, after
 * checking every field: what arrives has no getters, no prototypes of the sender's and no `then` of its own, so
 * comparing it twice gives the same answer twice. Functions and class instances don't cross; a numbered handle
 * does. Cycles, symbols, promises, `__proto__` keys and values past the limits are refused with their path.
 */
import { isTensorLike, TensorData } from "./tensor.js";
import {
  type AnyTypedArray,
  TYPED_ARRAYS,
  type TypedArrayName,
  typedArrayName,
  WireError,
} from "./typed-arrays.js";

/** JSON: primitives and arrays stand for themselves, `$` tags all others. */
export type Wire =
  | null
  | boolean
  | number
  | string
  | Wire[]
  | { readonly $: string; readonly [key: string]: unknown };

export interface Limits {
  /** Values in one message, nested ones counted. */
  nodes: number;
  /** Nesting. */
  depth: number;
  /** Characters of text and base64 in one message. */
  chars: number;
}
export const LIMITS: Limits = { nodes: 1_000_000, depth: 100, chars: 64 * 1024 * 1024 };

/** A function or an instance that stays where it is. */
export interface HandleRef {
  id: number;
  kind: "function" | "object";
  /** Function or class name, for messages. */
  name: string;
  /** Whose table the id is in, seen from the sender of the message. */
  owner: "sender" | "receiver";
}

/** A function that travels as source text: see `portable` in the kit. */
export class Portable {
  constructor(
    readonly source: string,
    readonly scope: Readonly<Record<string, unknown>>,
  ) {}
}

export interface EncodeContext {
  handle(value: object): HandleRef;
  /** `fields` writes class instances as their own enumerable fields. */
  instances?: "handles" | "fields";
  limits?: Limits;
}
export interface DecodeContext {
  handle(ref: HandleRef): unknown;
  tensor?(data: TensorData): unknown;
  portable?(value: Portable): unknown;
  limits?: Limits;
}

const MAX_HANDLE = 2 ** 31;
/** Hexadecimal digits of an integer: writing out or dividing a longer one takes minutes. */
const MAX_BIGINT_DIGITS = 50_000;

/** @throws WireError if the value can't cross. */
export function encode(value: unknown, context: EncodeContext): Wire {
  const limits = context.limits ?? LIMITS;
  const open = new Set<object>();
  let nodes = 0;
  let chars = 0;

  const text = (value: string, path: string): string => {
    chars += value.length;
    if (chars > limits.chars)
      throw new WireError(`${at(path)} the value is too large: more than ${limits.chars} characters`);
    return value;
  };
  const digits = (value: bigint, path: string): string => {
    const all = value.toString(16);
    if (all.length > MAX_BIGINT_DIGITS)
      throw new WireError(`${at(path)} the integer is too large: ${4 * all.length} bits`);
    return text(all, path);
  };
  const bytes = (view: ArrayBufferView, path: string): string => {
    if (view.byteLength * 1.34 + chars > limits.chars)
      throw new WireError(`${at(path)} the value is too large: ${view.byteLength} bytes`);
    return text(Buffer.from(view.buffer, view.byteOffset, view.byteLength).toString("base64"), path);
  };

  const visit = (value: unknown, path: string): Wire => {
    if (++nodes > limits.nodes)
      throw new WireError(`${at(path)} the value is too large: more than ${limits.nodes} parts`);
    switch (typeof value) {
      case "string":
        return text(value, path);
      case "boolean":
        return value;
      case "undefined":
        return { $: "undefined" };
      case "number":
        if (Number.isFinite(value) && !Object.is(value, -0)) return value;
        return { $: "number", v: Object.is(value, -0) ? "-0" : String(value) };
      case "bigint":
        return { $: "bigint", v: digits(value, path) };
      case "symbol":
        throw new WireError(`${at(path)} a symbol can't be passed between a test and an answer`);
      case "function":
        return { $: "handle", ...context.handle(value) };
      default:
        return value === null ? null : object(value as object, path);
    }
  };

  const object = (value: object, path: string): Wire => {
    if (open.has(value)) throw new WireError(`${at(path)} the value contains itself (a cycle)`);
    if (open.size >= limits.depth)
      throw new WireError(`${at(path)} the value is nested more than ${limits.depth} deep`);
    open.add(value);
    try {
      return content(value, path);
    } catch (error) {
      if (error instanceof WireError || error instanceof RangeError) throw error;
      throw new WireError(`${at(path)} reading the value failed: ${describeThrown(error)}`);
    } finally {
      open.delete(value);
    }
  };

  const content = (value: object, path: string): Wire => {
    if (Array.isArray(value)) {
      const length = Number(value.length);
      if (length > limits.nodes) throw new WireError(`${at(path)} the array is too long: ${length} elements`);
      const items: Wire[] = [];
      for (let i = 0; i < length; i++) items.push(visit(value[i], `${path}[${i}]`));
      return items;
    }
    const typed = typedArrayName(value);
    if (typed !== undefined) return { $: "typed", type: typed, v: bytes(value as ArrayBufferView, path) };
    if (value instanceof ArrayBuffer) return { $: "buffer", v: bytes(new Uint8Array(value), path) };
    if (value instanceof Map) {
      const entries: Wire[] = [];
      for (const [key, item] of Map.prototype.entries.call(value))
        entries.push([visit(key, `${path} key`), visit(item, `${path}.get(${label(key)})`)]);
      return { $: "map", v: entries };
    }
    if (value instanceof Set) {
      const items: Wire[] = [];
      for (const item of Set.prototype.values.call(value)) items.push(visit(item, `${path} element`));
      return { $: "set", v: items };
    }
    if (value instanceof Date) return { $: "date", v: visit(Date.prototype.getTime.call(value), path) };
    if (value instanceof RegExp)
      return { $: "regexp", source: text(value.source, path), flags: text(value.flags, path) };
    if (value instanceof Error)
      return { $: "error", name: text(String(value.name), path), message: text(String(value.message), path) };
    if (value instanceof Portable)
      return { $: "portable", source: text(value.source, path), scope: fields(value.scope, `${path} scope`) };
    if (value instanceof Promise) throw new WireError(`${at(path)} a Promise: await it first`);
    if (isTensorLike(value)) {
      const { dtype, shape, data } = TensorData.from(value);
      return { $: "tensor", dtype, shape: [...shape], type: typedArrayName(data), v: bytes(data, path) };
    }
    if (isPlain(value) || context.instances === "fields") return { $: "object", v: fields(value, path) };
    return { $: "handle", ...context.handle(value) };
  };

  const fields = (value: object, path: string): Wire[] =>
    Object.keys(value).map((key) => {
      if (key === "__proto__") throw new WireError(`${at(path)} the key "__proto__" is refused`);
      return [text(key, path), visit((value as Record<string, unknown>)[key], `${path}.${key}`)];
    });

  return visit(value, "");
}

/** @throws WireError if `wire` is not what `encode` writes, or past the limits. */
export function decode(wire: unknown, context: DecodeContext): unknown {
  const limits = context.limits ?? LIMITS;
  let nodes = 0;

  const visit = (wire: unknown, depth: number): unknown => {
    if (++nodes > limits.nodes)
      throw new WireError(`the message is too large: more than ${limits.nodes} parts`);
    if (depth > limits.depth) throw new WireError(`the message is nested more than ${limits.depth} deep`);
    if (wire === null || typeof wire === "boolean" || typeof wire === "string" || typeof wire === "number")
      return wire;
    if (Array.isArray(wire)) return wire.map((item) => visit(item, depth + 1));
    if (typeof wire !== "object") throw new WireError(`the message holds a ${typeof wire}`);
    return tagged(wire as Record<string, unknown>, depth);
  };

  const tagged = (wire: Record<string, unknown>, depth: number): unknown => {
    const inner = (item: unknown) => visit(item, depth + 1);
    switch (wire.$) {
      case "undefined":
        return undefined;
      case "number":
        if (!["NaN", "Infinity", "-Infinity", "-0"].includes(wire.v as string)) throw malformed("number");
        return Number(wire.v);
      case "bigint": {
        const digits = string(wire.v, "bigint");
        if (digits.length > MAX_BIGINT_DIGITS || !/^-?[0-9a-f]+$/.test(digits)) throw malformed("bigint");
        return digits.startsWith("-") ? -BigInt(`0x${digits.slice(1)}`) : BigInt(`0x${digits}`);
      }
      case "object":
        return record(pairs(wire.v, "object").map(([key, item]) => [string(key, "object"), inner(item)]));
      case "map":
        return new Map(pairs(wire.v, "map").map(([key, item]) => [inner(key), inner(item)]));
      case "set":
        return new Set(list(wire.v, "set").map(inner));
      case "date": {
        const time = inner(wire.v);
        if (typeof time !== "number") throw malformed("date");
        return new Date(time);
      }
      case "regexp":
        return regexp(string(wire.source, "regexp"), string(wire.flags, "regexp"));
      case "error": {
        const error = new Error(string(wire.message, "error"));
        error.name = string(wire.name, "error");
        return error;
      }
      case "typed":
        return typedArray(wire.type, wire.v);
      case "buffer":
        return typedArray("Uint8Array", wire.v).buffer;
      case "tensor": {
        const shape = list(wire.shape, "tensor").map((dim) => {
          if (!Number.isInteger(dim) || (dim as number) < 0) throw malformed("tensor shape");
          return dim as number;
        });
        if (!/^[a-z][a-z0-9]{0,15}$/.test(string(wire.dtype, "tensor"))) throw malformed("tensor dtype");
        const data = typedArray(wire.type, wire.v);
        if (shape.reduce((product, dim) => product * dim, 1) !== data.length)
          throw malformed("tensor (shape and data disagree)");
        const tensor = new TensorData(wire.dtype as string, shape, data);
        return context.tensor ? context.tensor(tensor) : tensor;
      }
      case "portable": {
        const scope = record(
          pairs(wire.scope, "portable").map(([key, item]) => [string(key, "portable"), inner(item)]),
        );
        if (!context.portable) throw new WireError("source text is not accepted here");
        return context.portable(new Portable(string(wire.source, "portable"), scope));
      }
      case "handle": {
        const { id, kind, name, owner } = wire;
        if (!Number.isInteger(id) || (id as number) < 0 || (id as number) > MAX_HANDLE)
          throw malformed("handle");
        if (kind !== "function" && kind !== "object") throw malformed("handle");
        if (owner !== "sender" && owner !== "receiver") throw malformed("handle");
        return context.handle({ id: id as number, kind, owner, name: string(name, "handle").slice(0, 100) });
      }
      default:
        throw malformed("value");
    }
  };

  return visit(wire, 0);
}

/** Plain data: made by a literal or `Object.create(null)`, in any realm. */
export function isPlain(value: object): boolean {
  const prototype = Object.getPrototypeOf(value);
  return prototype === null || Object.getPrototypeOf(prototype) === null;
}

function record(entries: [string, unknown][]): Record<string, unknown> {
  const result: Record<string, unknown> = {};
  for (const [key, item] of entries) {
    if (key === "__proto__") throw new WireError('the key "__proto__" is refused');
    // `await` would call it.
    if (key === "then" && typeof item === "function")
      throw new WireError('an object with a method "then" is refused');
    // Defined, not assigned: a setter that somebody put on Object.prototype is not run.
    Object.defineProperty(result, key, { value: item, enumerable: true, writable: true, configurable: true });
  }
  return result;
}

function typedArray(type: unknown, base64: unknown): AnyTypedArray {
  if (typeof type !== "string" || !Object.hasOwn(TYPED_ARRAYS, type)) throw malformed("typed array");
  const bytes = Buffer.from(string(base64, "typed array"), "base64");
  const array = TYPED_ARRAYS[type as TypedArrayName];
  if (bytes.byteLength % array.BYTES_PER_ELEMENT !== 0) throw malformed("typed array");
  return new array(new Uint8Array(bytes).buffer);
}

function regexp(source: string, flags: string): RegExp {
  try {
    return new RegExp(source, flags);
  } catch {
    throw malformed("regexp");
  }
}

function list(value: unknown, what: string): unknown[] {
  if (!Array.isArray(value)) throw malformed(what);
  return value;
}

function pairs(value: unknown, what: string): [unknown, unknown][] {
  return list(value, what).map((pair) => {
    if (!Array.isArray(pair) || pair.length !== 2) throw malformed(what);
    return pair as [unknown, unknown];
  });
}

function string(value: unknown, what: string): string {
  if (typeof value !== "string") throw malformed(what);
  return value;
}

function malformed(what: string): WireError {
  return new WireError(`malformed message: ${what}`);
}

function at(path: string): string {
  return path === "" ? "the value:" : `at ${path.length > 120 ? `…${path.slice(-120)}` : path}:`;
}

function label(key: unknown): string {
  return typeof key === "string" || typeof key === "number" ? String(key).slice(0, 40) : typeof key;
}

function describeThrown(error: unknown): string {
  try {
    return String(error instanceof Error ? error.message : error).slice(0, 300);
  } catch {
    return "it threw a value that can't be printed";
  }
}
