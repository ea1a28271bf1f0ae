/**
 * The messages of the two peers (test and learner's code). They are the same whatever carries them, so the plain
 * kernel of today and a hardened sandbox differ only in the carrier.
 */
import { WireError } from "./typed-arrays.js";
import type { Wire } from "./values.js";

/** What a request is about: a name in the learner's notebook, or a handle in the receiver's table. */
export type Target = { global: string } | { handle: number };

export type Request =
  | { type: "call"; id: number; target: Target; method?: string; construct?: boolean; args: Wire[] }
  | { type: "read"; id: number; target: Target; key?: string; deep?: boolean };

export interface ThrownData {
  /** `thrown` by the code itself, `missing`: there is no such name, `wire`: the value can't cross. */
  kind: "thrown" | "missing" | "wire";
  name: string;
  message: string;
  /** Lines of the stack, outermost last. */
  stack: string[];
}
export type Response =
  | { type: "return"; id: number; value: Wire }
  | { type: "throw"; id: number; error: ThrownData };
export type Frame = Request | Response;

/** Characters of one frame as JSON. */
export const MAX_FRAME_CHARS = 96 * 1024 * 1024;
/** Values in the frames of one exchange, those that only tag others included. */
export const MAX_FRAME_PARTS = 8_000_000;
/** Frames of one exchange. */
export const MAX_FRAMES = 100_000;
const MAX_TEXT = 4000;

/**
 * How many values a JSON text holds, at most, without parsing it: a text of 100 MB can become gigabytes of objects.
 * Counting ends at `limit`.
 */
export function countParts(json: string, limit: number): number {
  let parts = 1;
  for (let at = 0; at < json.length && parts < limit; at++) {
    const code = json.charCodeAt(at);
    if (code === QUOTE) at = endOfString(json, at);
    else if (code === COMMA || code === OPEN_ARRAY || code === OPEN_OBJECT) parts++;
  }
  return parts;
}

const [QUOTE, COMMA, OPEN_ARRAY, OPEN_OBJECT, BACKSLASH] = [...'",[{\\'].map((char) => char.charCodeAt(0));

/** Where the string that begins at `start` ends. */
function endOfString(json: string, start: number): number {
  for (let at = json.indexOf('"', start + 1); at !== -1; at = json.indexOf('"', at + 1)) {
    let slashes = 0;
    while (json.charCodeAt(at - 1 - slashes) === BACKSLASH) slashes++;
    if (slashes % 2 === 0) return at;
  }
  return json.length;
}

/** Checks everything but the values, which `decode` checks. @throws WireError */
export function checkFrame(data: unknown): Frame {
  const frame = object(data);
  const id = integer(frame.id);
  switch (frame.type) {
    case "return":
      return { type: "return", id, value: frame.value as Wire };
    case "throw": {
      const error = object(frame.error);
      const kind = error.kind === "missing" || error.kind === "wire" ? error.kind : "thrown";
      const stack = Array.isArray(error.stack) ? error.stack.slice(0, 30).map((line) => text(line)) : [];
      return {
        type: "throw",
        id,
        error: { kind, name: text(error.name), message: text(error.message), stack },
      };
    }
    case "call": {
      if (!Array.isArray(frame.args)) throw new WireError("malformed frame: args");
      const method = frame.method === undefined ? undefined : text(frame.method);
      return {
        type: "call",
        id,
        target: target(frame.target),
        method,
        construct: frame.construct === true,
        args: frame.args,
      };
    }
    case "read": {
      const key = frame.key === undefined ? undefined : text(frame.key);
      return { type: "read", id, target: target(frame.target), key, deep: frame.deep === true };
    }
    default:
      throw new WireError("malformed frame: type");
  }
}

function target(value: unknown): Target {
  const data = object(value);
  return data.global === undefined ? { handle: integer(data.handle) } : { global: text(data.global) };
}

function object(value: unknown): Record<string, unknown> {
  if (value === null || typeof value !== "object" || Array.isArray(value))
    throw new WireError("malformed frame");
  return value as Record<string, unknown>;
}

function integer(value: unknown): number {
  if (!Number.isSafeInteger(value) || (value as number) < 0) throw new WireError("malformed frame: number");
  return value as number;
}

function text(value: unknown): string {
  if (typeof value !== "string") throw new WireError("malformed frame: text");
  return value.slice(0, MAX_TEXT);
}
