/**
 * convert: from a function to one of the same meaning whose control flow over tensors a capture sees. (Book, chapter 3:
 * conversion from source; Moldovan et al. 2019, "AutoGraph".)
 */
import type * as Typescript from "typescript";
import { ConversionError } from "./conversion-error.js";
import { RUNTIME } from "./flow.js";
import { boundNames, namesIn } from "./names.js";
import { lineOf, type Node, type ParsedFunction, type TS, typescript } from "./parse.js";
import { Runtime } from "./runtime.js";
import { transformSource } from "./transform.js";

export interface ConvertOptions {
  /** What the function's free names stand for. A function's text does not tell; names of globals and of a notebook's cells are found without. */
  readonly scope?: Readonly<Record<string, unknown>>;
  /** For messages and graphs. Default: the function's own name. */
  readonly name?: string;
}

/**
 * The function with `if`, `?:`, `while`, `for`, `break`, `continue`, early `return`, `&&`, `||`, `!`, comparisons,
 * arithmetic, `item()`, `Math` and indexing rewritten so that they also work on tensors whose elements are not known:
 * captured, they become control flow of the graph. On everything else it does what the original does.
 * @example
 * const graph = capture(convert((x: Tensor) => (x.sum().item() > 0 ? x.mul(2) : x.neg())), tensor([1, 2]));
 * @throws ConversionError naming the line, for syntax that cannot be converted or a name that is not found.
 */
export function convert<A extends unknown[], R>(
  f: (...args: A) => R,
  options: ConvertOptions = {},
): (...args: A) => R {
  const name = options.name ?? (f.name || "f");
  const { parsed, code } = transformSource(Function.prototype.toString.call(f), name);
  const scope = scopeFor(parsed, name, options.scope ?? {});
  const made = new Function(RUNTIME, ...Object.keys(scope), `"use strict"; return (${code});`);
  const converted = made(new Runtime(name), ...Object.values(scope)) as (...args: A) => R;
  return Object.defineProperty(converted, "name", { value: name });
}

/** Values of the free names that are not global. @throws ConversionError for a name that nobody knows. */
function scopeFor(
  { fn, file }: ParsedFunction,
  name: string,
  given: Readonly<Record<string, unknown>>,
): Record<string, unknown> {
  const ts = typescript();
  const own = new Set(fn.parameters.flatMap((p) => boundNames(ts, p.name)));
  if (ts.isFunctionExpression(fn) && fn.name) own.add(fn.name.text);
  const { mentioned, assigned } = namesIn(
    ts,
    ...fn.parameters.flatMap((p) => (p.initializer ? [p.initializer] : [])),
    fn.body,
  );
  const scope: Record<string, unknown> = {};
  for (const free of mentioned) {
    if (own.has(free) || free === "undefined") continue;
    if (Object.hasOwn(given, free)) {
      if (assigned.has(free))
        throw new ConversionError(
          `convert: ${name}, line ${lineOfName(ts, fn, file, free)}: "${free}" is changed, but it belongs to the code around; return the new value instead`,
        );
      scope[free] = given[free];
    } else if (!isGlobal(free)) {
      throw new ConversionError(
        `convert: ${name}, line ${lineOfName(ts, fn, file, free)}: a function's text does not tell what "${free}" stands for; pass it: convert(${name}, { scope: { ${free} } })`,
      );
    }
  }
  return scope;
}

/** Globals, and in notebooks what cells have declared: both are seen by code that belongs to no module. */
function isGlobal(name: string): boolean {
  return new Function(`return typeof ${name}`)() !== "undefined";
}

function lineOfName(ts: TS, fn: Node, file: Typescript.SourceFile, name: string): number {
  let line = 1;
  const visit = (node: Node): boolean => {
    if (ts.isIdentifier(node) && node.text === name) {
      line = lineOf(ts, node, file);
      return true;
    }
    return ts.forEachChild(node, (child) => visit(child) || undefined) ?? false;
  };
  visit(fn);
  return line;
}
