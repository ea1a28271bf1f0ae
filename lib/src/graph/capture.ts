/**
 * Capture by trace: runs a function once on placeholders and writes down the ops that it applies. What the host program
 * decides meanwhile (loops over arrays, ifs on numbers) is decided for good: only the path taken is in the graph.
 * (Book, chapter 3: conversion of dynamic to static graphs by tracing.)
 */

import { callSync } from "../autodiff/trace.js";
import { Variable } from "../autodiff/variable.js";
import { TransformError } from "../core/errors.js";
import type { Tensor } from "../core/tensor.js";
import { flatten, pathsOf, unflatten } from "../core/tree.js";
import type { Graph, Value } from "../ir/graph.js";
import { withGraphTrace } from "../ir/trace.js";
import { concrete } from "../ops/read.js";
import { VariableScope } from "./variables.js";

export interface CaptureOptions {
  /** Name of the graph. Default: the function's. */
  readonly name?: string;
  /**
   * What happens when the function reads elements (`item()`, `toArray()`, printing). "error" (default): it throws, for
   * there are no elements. "warn": the function runs on the examples' values besides; it goes on with those, and the
   * graph keeps only the path that they took, as `torch.jit.trace` does; each such place is warned of once.
   */
  readonly onRead?: "error" | "warn";
  /** Where warnings go. Default: `console.warn`. */
  readonly warn?: (message: string) => void;
  /** Write down which line of the user's code made each node. Default true. */
  readonly locations?: boolean;
}

/**
 * The graph of `f` for arguments like these: trees of tensors, whose leaves become the parameters, in order. Numbers and
 * other plain values are constants of the graph.
 *
 * Tensors that `f` reads by closure become constants. Variables (closed over or in arguments) and values of
 * transformations around become parameters: those in arguments at their place, the others last; `graph.origin.captured`
 * holds them, and running the graph reads their present values.
 * @example capture((x: Tensor, w: Tensor) => x.matmul(w).relu(), ones([2, 3]), ones([3, 4])).nodes.length // 2
 * @throws TransformError if `f` is asynchronous, reads elements, or assigns to a variable (see `toStatic`).
 */
export function capture<A extends unknown[]>(f: (...args: A) => unknown, ...args: A): Graph {
  return captureWith({}, f, ...args);
}

/**
 * `capture` with options.
 * @example graph.captureWith({ name: "twice" }, (x: Tensor) => x.mul(2), tensor([1, 2])).name // "twice"
 */
export function captureWith<A extends unknown[]>(
  options: CaptureOptions,
  f: (...args: A) => unknown,
  ...args: A
): Graph {
  const found = captureState(options, f, args);
  if (found.updated.length > 0) {
    const names = found.updated.map((v) => v.name || "one without a name").join(", ");
    throw new TransformError(
      `capture: the function assigns to variables (${names}), which a graph alone cannot do; use toStatic, which carries them along, or return the new values`,
    );
  }
  return found.graph;
}

/** A captured function with the variables that it changes: their new values are the graph's last results. */
export interface CapturedState {
  readonly graph: Graph;
  readonly updated: readonly Variable[];
  /** What the host program decides before each run: learning rates, for example. */
  readonly hooks: readonly (() => void)[];
}

/** Captures `f`; assignments to variables become results. */
export function captureState(
  options: CaptureOptions,
  f: (...args: never[]) => unknown,
  args: readonly unknown[],
  /** Variables in arguments stay variables (their value is read when the graph runs) instead of becoming parameters. */
  keepVariables = false,
): CapturedState {
  const name = options.name ?? (f.name || "f");
  const flat = flatten(args);
  const names = parameterNames(f, args);
  const asks = options.onRead === "warn";
  const scope = new VariableScope();
  let output = flat.def;
  const seen = new Set<string | null>();
  const staged = withGraphTrace(
    name,
    (trace) => {
      scope.open(trace);
      const given = flat.leaves.map((leaf, i) => {
        if (leaf instanceof Variable && keepVariables) return leaf;
        return trace.param(leaf, names[i], asks ? concrete(leaf) : null);
      });
      const result = scope.run(() => flatten(callSync(f, unflatten(flat.def, given) as unknown[], name)));
      output = result.def;
      return [...result.leaves, ...scope.finish()];
    },
    {
      locations: options.locations,
      resolve: (x) => scope.resolve(x),
      onRead: asks ? (value, loc) => warnOnce(seen, value, loc, options.warn ?? console.warn) : undefined,
    },
  );
  const origin = { captured: staged.captured, inputs: flat.def, output };
  return { graph: staged.graph.with({ origin }), updated: scope.updated, hooks: scope.hooks };
}

function warnOnce(
  seen: Set<string | null>,
  value: Value,
  loc: string | null,
  warn: (text: string) => void,
): void {
  if (seen.has(loc)) return;
  seen.add(loc);
  warn(
    `capture: elements of %${value.id} were read${loc ? ` at ${loc}` : ""}; what the program does with them is fixed in the graph as these examples decided it. Other inputs may need the branch that was not taken: use cond, whileLoop or convert`,
  );
}

/** Names for the leaves of the arguments: `x`, `model.layers.0.weight`. */
function parameterNames(f: (...args: never[]) => unknown, args: readonly unknown[]): string[] {
  const written = argumentNames(f);
  return args.flatMap((arg, i) => {
    const name = written[i] ?? `arg${i}`;
    return pathsOf(flatten(arg).def).map((path) => (path === "" ? name : `${name}.${path}`));
  });
}

/** The parameter names of a function as far as its source shows them plainly. */
function argumentNames(f: (...args: never[]) => unknown): (string | undefined)[] {
  const source = Function.prototype.toString.call(f);
  const single = /^(?:async\s+)?([A-Za-z_$][\w$]*)\s*=>/.exec(source);
  if (single) return [single[1]];
  const list = /^[^(]*\(([^()]*)\)/.exec(source)?.[1] ?? "";
  return list.split(",").map((part) => /^\s*([A-Za-z_$][\w$]*)/.exec(part)?.[1]);
}

/** The values that the last parameters of a captured graph stand for. */
export function capturedValues(graph: Graph): readonly Tensor[] {
  return graph.origin.captured ?? [];
}
