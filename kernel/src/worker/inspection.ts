/**
 * What the debugger asks of the worker, called by name over the host's inspector connection: values as one line of
 * text, parts of long lists, the reader's variables, frames behind an `await`, and the work of logpoints.
 */
import { inspect, types } from "node:util";
import type { MimeBundle } from "../link/messages.js";
import { render } from "./render.js";
import { flush, write } from "./streams.js";

/** One value in a list of variables. */
export interface Description {
  value: string;
  type: string;
  /** Children that have an index: elements, entries. */
  indexed?: number;
  /** Its entries are pairs of key and value. */
  entries?: true;
}

/** A frame of an async function that waits for the one that runs; `line` and `column` from 0, in the evaluated code. */
export interface AsyncFrame {
  name: string;
  url: string;
  line: number;
  column: number;
}

const MAX_TEXT = 300;
const MAX_KEYS = 100;

/** Node's own; the kernel's additions are not enumerable, so what else is enumerable is the reader's. */
const NODE_GLOBALS: ReadonlySet<string> = new Set(Object.getOwnPropertyNames(globalThis));
/** Prefix of the reader's variables that have the name of a global; see `compile/shadow.ts`. */
const ALIAS = /^__cell_/;

let attached = false;

/** Whether a debugger looks on: evaluations then report what they throw. */
export function isDebugged(): boolean {
  return attached;
}

const hits = new Map<number, number>();
const failures = new Set<number>();

export const inspection = Object.freeze({
  flush,

  attach(on: boolean): void {
    attached = on;
    hits.clear();
    failures.clear();
  },

  describe(values: unknown[]): Description[] {
    return values.map(describe);
  },

  /** Elements of a list or set from `start` on; of a map keys and values by turns. */
  slice(value: object, start: number, count: number): unknown[] {
    if (value instanceof Map) return taken(value, start, count).flat();
    if (value instanceof Set) return taken(value, start, count);
    return Array.prototype.slice.call(value, start, start + count);
  },

  /** Puts `value` where `slice` found the element at `index`. */
  put(target: object, index: number, value: unknown): void {
    if (target instanceof Map) target.set([...target.keys()][index], value);
    else if (target instanceof Set) throw new TypeError("The elements of a Set cannot be replaced.");
    else (target as Record<number, unknown>)[index] = value;
  },

  /** Names of getters that the classes of `value` define. */
  getters(value: object): string[] {
    const names = new Set<string>();
    for (let at = Object.getPrototypeOf(value); at && at !== Object.prototype; at = Object.getPrototypeOf(at))
      for (const [name, { get }] of Object.entries(Object.getOwnPropertyDescriptors(at)))
        if (get && name !== "__proto__" && !Object.hasOwn(value, name)) names.add(name);
    return [...names];
  },

  /** What the reader's cells declared, under the reader's names. */
  variables(): object {
    const found = Object.create(null) as object;
    for (const [name, descriptor] of Object.entries(Object.getOwnPropertyDescriptors(globalThis)))
      if (descriptor.enumerable && !NODE_GLOBALS.has(name))
        Object.defineProperty(found, name.replace(ALIAS, ""), { ...descriptor, configurable: true });
    return found;
  },

  /** The values behind `readers`; a variable that has none yet is left out. */
  read(readers: Record<string, () => unknown>): object {
    const found = Object.create(null) as Record<string, unknown>;
    for (const [name, reader] of Object.entries(readers))
      try {
        found[name] = reader();
      } catch {
        // `let` before its line
      }
    return found;
  },

  assign(name: string, value: unknown): void {
    const target = globalThis as unknown as Record<string, unknown>;
    target[`__cell_${name}` in target ? `__cell_${name}` : name] = value;
  },

  /** The value as a cell would show it. While the process is paused, promises do not settle: its text then. */
  bundle(value: unknown, paused: boolean): Promise<MimeBundle> | MimeBundle {
    const shown = render(value);
    const text = { "text/plain": describe(value).value };
    if (shown instanceof Promise) return paused ? text : shown.then((bundle) => bundle ?? text);
    return shown ?? text;
  },

  asyncFrames(): AsyncFrame[] {
    const { prepareStackTrace, stackTraceLimit } = Error;
    Error.stackTraceLimit = 500;
    Error.prepareStackTrace = (_error, sites) => sites;
    try {
      return (new Error().stack as unknown as AsyncSite[])
        .filter((site) => site.isAsync())
        .map((site) => ({
          name: site.getFunctionName() ?? "",
          url: site.getScriptNameOrSourceURL() ?? "",
          line: (site.getLineNumber() ?? 1) - 1,
          column: (site.getColumnNumber() ?? 1) - 1,
        }));
    } finally {
      Object.assign(Error, { prepareStackTrace, stackTraceLimit });
    }
  },

  /** Counts a breakpoint's hits. */
  hit(id: number): number {
    const count = (hits.get(id) ?? 0) + 1;
    hits.set(id, count);
    return count;
  },

  /** Forgets the hits of a breakpoint that was set anew. */
  forget(ids: number[]): void {
    for (const id of ids) {
      hits.delete(id);
      failures.delete(id);
    }
  },

  /** Prints a logpoint's message. */
  log(parts: unknown[]): void {
    write(
      "stdout",
      `${parts.map((part) => (typeof part === "string" ? part : describe(part).value)).join("")}\n`,
    );
  },

  /** A condition threw: said once, or the breakpoint would seem to be ignored. */
  failed(id: number, error: unknown): false {
    if (!failures.has(id)) write("stderr", `The breakpoint's condition failed: ${String(error)}\n`);
    failures.add(id);
    return false;
  },
});

type AsyncSite = NodeJS.CallSite & { isAsync(): boolean };

function describe(value: unknown): Description {
  if (typeof value === "string") return { value: quoted(value), type: "string" };
  if ((typeof value !== "object" || value === null) && typeof value !== "function")
    return { value: inspect(value), type: value === null ? "null" : typeof value };
  // Looking at a proxy would run its traps.
  if (types.isProxy(value)) return { value: textOf(value), type: "Proxy" };
  const indexed = lengthOf(value);
  return {
    value: textOf(value),
    type: typeof value === "function" ? "function" : className(value),
    ...(indexed === undefined ? {} : { indexed }),
    ...(value instanceof Map ? { entries: true } : {}),
  };
}

function textOf(value: object): string {
  try {
    const proxy = types.isProxy(value);
    if (!proxy && value instanceof Error) return oneLine(`${value.name}: ${value.message}`);
    // What its class does not show itself would be listed key by key, however many there are.
    if (
      !proxy &&
      !(inspect.custom in value) &&
      lengthOf(value) === undefined &&
      Object.keys(value).length > MAX_KEYS
    )
      return `${className(value)} with ${Object.keys(value).length} properties`;
    return oneLine(
      inspect(value, {
        depth: 1,
        maxArrayLength: 10,
        maxStringLength: 100,
        breakLength: Number.POSITIVE_INFINITY,
        compact: true,
        showProxy: true,
      }),
    );
  } catch (error) {
    return `[cannot be shown: ${String(error)}]`;
  }
}

function lengthOf(value: object): number | undefined {
  if (Array.isArray(value)) return value.length;
  if (ArrayBuffer.isView(value)) return (value as { length?: number } & ArrayBufferView).length;
  return value instanceof Map || value instanceof Set ? value.size : undefined;
}

function className(value: object): string {
  try {
    const maker: unknown = value.constructor;
    return typeof maker === "function" && maker.name !== "" ? maker.name : "Object";
  } catch {
    return "Object";
  }
}

function quoted(text: string): string {
  const cut = text.length > MAX_TEXT ? `${text.slice(0, MAX_TEXT)}…` : text;
  return JSON.stringify(cut);
}

function oneLine(text: string): string {
  const line = text.replace(/\s*\n\s*/g, " ");
  return line.length > MAX_TEXT ? `${line.slice(0, MAX_TEXT)}…` : line;
}

function taken<T>(items: Iterable<T>, start: number, count: number): T[] {
  const found: T[] = [];
  let at = 0;
  for (const item of items) {
    if (at >= start + count) break;
    if (at++ >= start) found.push(item);
  }
  return found;
}
