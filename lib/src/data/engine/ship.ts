/**
 * Functions on their way to threads: as source text, with the values of the variables around them. What can't travel
 * without becoming something else is refused, by name: a function that counts in an outer variable would count in another
 * one on each thread; a socket stays with its thread.
 */
import type * as Typescript from "typescript";
import { MlsysError } from "../../core/errors.js";
import { Tensor } from "../../core/tensor.js";
import { namesIn } from "../../graph/source/names.js";
import { type Node, type TS, typescript } from "../../graph/source/parse.js";
import { type ElementFunction, onThread, type ThreadMaker } from "../dataset/node.js";
import { capturesOf } from "./captures.js";
import { type ModulePath, modulePathOf } from "./known-modules.js";
import { CLONED } from "./transport.js";

/** Entry of a table: plain data, or how to make a value of others of the table. */
export type Parcel =
  | { readonly kind: "data"; readonly value: unknown }
  | { readonly kind: "module"; readonly path: ModulePath }
  | { readonly kind: "maker"; readonly path: ModulePath; readonly args: readonly unknown[] }
  | {
      readonly kind: "function";
      readonly text: string;
      readonly captured: readonly (readonly [name: string, parcel: number])[];
    }
  | { readonly kind: "array"; readonly items: readonly number[] }
  | { readonly kind: "object"; readonly entries: readonly (readonly [key: string, parcel: number])[] };

/** A function, and all that it needs. */
export interface Shipment {
  readonly parcels: readonly Parcel[];
  readonly root: number;
  /** Folder from which `import("…")` in it looks for packages and files. */
  readonly folder: string;
}

/** A function's value can't be sent. */
export class ShipError extends MlsysError {
  override name = "ShipError";
}

const PIPELINE: Shipper = {
  who: "pipeline",
  how: "make it inside of the function, or give a function of a module: data.moduleFunction(import.meta.resolve(…), name)",
};

interface Parsed {
  readonly text: string;
  readonly free: ReadonlySet<string>;
  readonly assigned: ReadonlySet<string>;
}

/** How messages speak of who ships. */
export interface Shipper {
  /** "pipeline". */
  readonly who: string;
  /** What to do instead. */
  readonly how: string;
}

/** @param name for messages: "map(decode)" @throws ShipError naming the variable that can't travel, and why */
export function ship(f: unknown, name: string, shipper: Shipper = PIPELINE): Shipment {
  const packer = new Packer(name, shipper);
  const root = packer.add(f, []);
  return { parcels: packer.parcels, root, folder: process.cwd() };
}

const MAX_FUNCTIONS = 200;
class Packer {
  readonly parcels: Parcel[] = [];
  private readonly numbers = new Map<unknown, number>();
  private functions = 0;

  constructor(
    private readonly name: string,
    private readonly shipper: Shipper,
  ) {}

  /** @param trail names that lead to the value */
  add(value: unknown, trail: readonly string[]): number {
    const known = this.numbers.get(value);
    if (known !== undefined) return known;
    const number = this.parcels.length;
    this.parcels.push({ kind: "data", value: undefined }); // its place, also for those that it contains
    if (typeof value === "function" || (typeof value === "object" && value !== null))
      this.numbers.set(value, number);
    this.parcels[number] = this.parcelOf(value, trail);
    return number;
  }

  private parcelOf(value: unknown, trail: readonly string[]): Parcel {
    if (typeof value === "symbol") throw this.refuse(trail, "a symbol: other threads have other ones");
    if (typeof value !== "object" && typeof value !== "function") return { kind: "data", value };
    if (value === null || value === globalThis) {
      return value === null ? { kind: "data", value } : { kind: "module", path: { module: "", keys: [] } };
    }
    const maker = (value as { [onThread]?: ThreadMaker })[onThread];
    if (maker) return { kind: "maker", path: { module: maker.module, keys: [maker.name] }, args: maker.args };
    const path = modulePathOf(value);
    if (path) return { kind: "module", path };
    if (typeof value === "function") return this.functionParcel(value as ElementFunction, trail);
    return this.objectParcel(value, trail);
  }

  private functionParcel(f: ElementFunction, trail: readonly string[]): Parcel {
    if (++this.functions > MAX_FUNCTIONS)
      throw this.refuse(
        trail.slice(0, 2),
        `it needs more than ${MAX_FUNCTIONS} functions: a package, it seems; import it inside of the function: (await import("…"))`,
      );
    const { text, free, assigned } = this.parse(f, trail);
    const captures = free.size > 0 ? capturesOf(f, free) : new Map<string, unknown>();
    const captured: [string, number][] = [];
    if (text.includes("$super"))
      captured.push(["$super", this.add(Object.getPrototypeOf(f), [...trail, "extends"])]);
    for (const name of free) {
      if (!captures.has(name)) {
        if (name in globalThis && !STANDARD.has(name))
          captures.set(name, (globalThis as Record<string, unknown>)[name]);
        else continue; // a global of every thread, or a name that the function never reaches
      }
      if (assigned.has(name))
        throw this.refuse(
          trail,
          `it changes \`${name}\`, a variable outside of it: each thread would change one of its own`,
        );
      captured.push([name, this.add(captures.get(name), [...trail, name])]);
    }
    return { kind: "function", text, captured };
  }

  private objectParcel(value: object, trail: readonly string[]): Parcel {
    if (value instanceof Tensor)
      throw this.refuse(
        trail,
        "a tensor: its memory is counted on this thread; keep its numbers in a typed array",
      );
    if (ArrayBuffer.isView(value)) return { kind: "data", value };
    if (Array.isArray(value))
      return { kind: "array", items: value.map((item, i) => this.add(item, [...trail, String(i)])) };
    const proto = Object.getPrototypeOf(value) as object | null;
    if (
      proto === null ||
      proto === Object.prototype ||
      Object.getPrototypeOf(proto) === null ||
      isNamespace(value)
    ) {
      const entries = Object.entries(value).map(
        ([key, item]) => [key, this.add(item, [...trail, key])] as const,
      );
      return { kind: "object", entries };
    }
    const type = proto.constructor?.name ?? "object";
    if (value instanceof Map || value instanceof Set) {
      try {
        structuredClone(value);
      } catch (error) {
        throw this.refuse(trail, `a ${type} of what can't be copied (${(error as Error).message})`);
      }
      return { kind: "data", value };
    }
    if (CLONED.has(type)) return { kind: "data", value };
    throw this.refuse(
      trail,
      `an instance of ${type}: its methods, and what it holds in this thread, would be lost`,
    );
  }

  private parse(f: ElementFunction, trail: readonly string[]): Parsed {
    const source = Function.prototype.toString.call(f);
    if (/\{\s*\[native code\]\s*\}\s*$/.test(source))
      throw this.refuse(trail, "native code or a bound function, which has no source");
    const ts = typescript();
    for (const text of [source, `function ${source}`, source.replace(/^async\s+/, "async function ")]) {
      const file = ts.createSourceFile("f.js", `(${text})`, ts.ScriptTarget.ESNext, true, ts.ScriptKind.JS);
      const { parseDiagnostics } = file as unknown as { parseDiagnostics: readonly unknown[] };
      const [statement] = file.statements;
      if (parseDiagnostics.length > 0 || file.statements.length !== 1 || !ts.isExpressionStatement(statement))
        continue;
      let node: Node = statement.expression;
      while (ts.isParenthesizedExpression(node)) node = node.expression;
      if (!ts.isArrowFunction(node) && !ts.isFunctionExpression(node) && !ts.isClassExpression(node)) break;
      this.refuseWords(ts, node, trail);
      const { mentioned, assigned } = namesIn(ts, node);
      return { text: portableText(ts, file, node), free: mentioned, assigned };
    }
    throw this.refuse(trail, "its source is that of no function: a getter, or a method with a computed name");
  }

  private refuseWords(ts: TS, fn: Node, trail: readonly string[]): void {
    const visit = (node: Node, own: boolean): void => {
      if (!own && node.kind === ts.SyntaxKind.ThisKeyword)
        throw this.refuse(trail, "it uses `this`, which is not there on another thread");
      if (!own && node.kind === ts.SyntaxKind.SuperKeyword) throw this.refuse(trail, "it uses `super`");
      if (ts.isMetaProperty(node) && node.keywordToken === ts.SyntaxKind.ImportKeyword)
        throw this.refuse(trail, "it uses `import.meta`, which is its module's");
      const inner =
        own || ts.isClassLike(node) || (node !== fn && ts.isFunctionLike(node) && !ts.isArrowFunction(node));
      ts.forEachChild(node, (child) => visit(child, inner));
    };
    visit(fn, false);
  }

  private refuse(trail: readonly string[], why: string): ShipError {
    const [first, ...rest] = trail;
    const what =
      first === undefined
        ? "the function itself"
        : `\`${first}\`${rest.length > 0 ? ` (in it, ${rest.map((n) => `\`${n}\``).join(", ")})` : ""}`;
    return new ShipError(
      `${this.shipper.who}: ${this.name} can't run on worker threads: ${what} can't travel: ${why}. ${this.shipper.how}`,
    );
  }
}

const isNamespace = (x: object): boolean => Object.prototype.toString.call(x) === "[object Module]";

/**
 * The text with `import("…")` as a call of `$import`, which looks from the user's folder; and `extends $super`, as what a
 * class extends is no variable that V8 keeps for it.
 */
function portableText(ts: TS, file: Typescript.SourceFile, fn: Node): string {
  const places: { from: number; to: number; by: string }[] = [];
  const visit = (node: Node): void => {
    if (ts.isCallExpression(node) && node.expression.kind === ts.SyntaxKind.ImportKeyword)
      places.push({ from: node.expression.getStart(file), to: node.expression.end, by: "$import" });
    ts.forEachChild(node, visit);
  };
  visit(fn);
  if (ts.isClassExpression(fn))
    for (const { token, types } of fn.heritageClauses ?? [])
      if (token === ts.SyntaxKind.ExtendsKeyword)
        places.push({ from: types[0].expression.getStart(file), to: types[0].expression.end, by: "$super" });
  let text = file.text;
  for (const { from, to, by } of places.sort((a, b) => b.from - a.from))
    text = text.slice(0, from) + by + text.slice(to);
  return text;
}

/** Globals that a fresh thread has. */
const STANDARD: ReadonlySet<string> = new Set(
  "Object Function Array Number parseFloat parseInt Infinity NaN undefined Boolean String Symbol Date Promise RegExp Error AggregateError EvalError RangeError ReferenceError SyntaxError TypeError URIError globalThis JSON Math Intl ArrayBuffer Atomics Uint8Array Int8Array Uint16Array Int16Array Uint32Array Int32Array Float32Array Float64Array Uint8ClampedArray BigUint64Array BigInt64Array DataView Map BigInt Set WeakMap WeakSet WeakRef Proxy Reflect FinalizationRegistry SharedArrayBuffer decodeURI decodeURIComponent encodeURI encodeURIComponent escape unescape eval isFinite isNaN console process global Buffer URL URLSearchParams TextEncoder TextDecoder AbortController AbortSignal Event EventTarget MessageChannel MessagePort MessageEvent performance queueMicrotask structuredClone atob btoa setTimeout setInterval setImmediate clearTimeout clearInterval clearImmediate fetch Headers Request Response FormData Blob BroadcastChannel WebAssembly crypto Crypto CryptoKey SubtleCrypto ReadableStream WritableStream TransformStream CompressionStream DecompressionStream DOMException Iterator navigator arguments".split(
    " ",
  ),
);
