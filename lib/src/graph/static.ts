/**
 * toStatic: from an eager function to one that is captured once per signature, optimized, and then run as a graph; calls
 * look the same. (Book, chapter 3: conversion of dynamic to static graphs, mixed execution.)
 */

import { isRecording, variableHost } from "../autodiff/tape-mode.js";
import { LruMap } from "../core/lru.js";
import { formatType } from "../core/shape.js";
import type { MemoryHolder, Tensor } from "../core/tensor.js";
import { flatten, type TreeDef, unflatten } from "../core/tree.js";
import { call } from "../ir/call.js";
import type { Graph } from "../ir/graph.js";
import { PassManager } from "../ir/passes/manager.js";
import { isTracing } from "../ir/trace.js";
import { DenseTensor } from "../runtime/dense.js";
import { getDevice } from "../runtime/devices.js";
import { closeScope, openScope } from "../runtime/tidy.js";
import { type CapturedState, type CaptureOptions, captureState } from "./capture.js";
import { type CompileOptions, compile, type Executable } from "./execute.js";
import { type Captureable, isVariable, SymbolicFamilies } from "./families.js";

export interface StaticOptions extends CaptureOptions, CompileOptions {
  /** Default "O3": a function that is worth capturing runs often enough for all passes to pay. */
  readonly level?: CompileOptions["level"];
  /** Called with the result before variables get their new values; if it throws, they keep the old ones. */
  readonly beforeAssign?: (result: unknown) => void;
  /**
   * At the second set of sizes of the same arguments, make one graph for all sizes (see `captureSymbolic`), as
   * `torch.compile` does: sizes that differ become symbols, those that were equal both times one symbol. A function whose
   * graph depends on sizes in other ways, as far as the sizes that are tried (5 to 43) show, is captured for each of them.
   */
  readonly dynamic?: boolean;
}

/** A function that runs as a graph. */
export interface StaticFunction<A extends unknown[], R> {
  (...args: A): R;
  /** The graph for such arguments; captured now if it was not yet. */
  graphFor(...args: A): Graph;
  /** How its graphs are compiled. */
  readonly options: CompileOptions;
  /** How many signatures (structures, shapes and dtypes of arguments) it was captured for. */
  readonly captures: number;
}

/** Signatures that are kept; one that was forgotten is captured again. */
const MOST_SIGNATURES = 256;

interface Captured extends CapturedState {
  /** What runs: the graph, or what the passes made of it for all sizes. */
  readonly executable: (donates: boolean) => Executable;
  /** The structure of what the function returns. */
  readonly output: TreeDef;
  /**
   * It assigns to variables that require gradients, as training steps do: those gradients were taken inside, and the tape
   * does not record the step.
   */
  readonly trains: boolean;
}

/**
 * The function as a graph. It is captured at the first call for each signature of its arguments: tensors by shape and
 * dtype, everything else by value. What it does besides computing tensors (printing, random choices of the host program)
 * happens then only. Variables it reads keep their identity, and assignments to them happen at every call, so a whole
 * training step can be converted. Control flow over tensors needs `cond` and its like, or `convert` first. Derivatives pass through it.
 * @example
 * const step = toStatic((x: Tensor, y: Tensor) => {
 *   const [loss, slope] = valueAndGrad((x: Tensor) => x.sub(y).square().sum())(x);
 *   return [loss, slope];
 * });
 * step(tensor([3]), tensor([1]))[1] // [4]
 */
export function toStatic<A extends unknown[], R>(
  f: (...args: A) => R,
  options: StaticOptions = {},
): StaticFunction<A, R> {
  const name = options.name ?? (f.name || "f");
  const compiling: CompileOptions = { level: "O3", ...options };
  const { passes, level, placement } = compiling;
  const optimize = (graph: Graph): Graph => new PassManager({ stages: passes, level }).run(graph).graph;
  const captured = new LruMap<string, Captured>(MOST_SIGNATURES);
  const families = options.dynamic ? new SymbolicFamilies({ ...options, name }, optimize) : null;
  let concrete = 0;
  const capturedFor = (args: A): { entry: Captured; leaves: Tensor[] } => {
    const { leaves, def } = flatten(args);
    const key = signature(def, leaves);
    let entry = captured.get(key);
    if (!entry) {
      const family = families && signature(def, leaves, ({ dtype, ndim }) => `${dtype}/${ndim}`);
      const shared = family === null ? null : families?.stateFor(family, f as Captureable, leaves, def);
      const state = shared ?? captureState({ ...options, name }, f as Captureable, args, true);
      if (!shared) concrete++;
      const { graph } = state;
      const done = placement === undefined ? (shared?.optimized ?? null) : null;
      entry = {
        ...state,
        executable: executableOf(done ?? graph, {
          ...compiling,
          ...(done ? { passes: [] } : {}),
          donate: options.beforeAssign ? undefined : donations(state),
        }),
        output: state.graph.origin.output as TreeDef,
        trains: state.updated.some((variable) => variable.requiresGrad),
      };
      captured.set(key, entry);
    }
    return { entry, leaves };
  };
  const run = (...args: A): R => {
    const { entry, leaves } = capturedFor(args);
    for (const hook of entry.hooks) hook();
    const { graph, updated, output } = entry;
    // a variable's value that is an argument besides must not change under it
    const donates = !leaves.some((leaf) => leaf instanceof DenseTensor && leaf.isLeased);
    const around = graph.origin.captured ?? [];
    const given = [...leaves.filter((leaf) => !isVariable(leaf)), ...around];
    const seenThrough = isTracing() || given.some((x) => needsOp(x, entry.trains));
    openScope(); // new values of variables then never pass to the garbage collector
    let results: readonly Tensor[] = [];
    let count = 0;
    try {
      results = seenThrough ? call(graph, given) : entry.executable(donates).run(given);
      count = results.length - updated.length;
      const result = unflatten(output, results.slice(0, count)) as R;
      options.beforeAssign?.(result);
      updated.forEach((variable, i) => {
        variable.assign(results[count + i]);
      });
      return result;
    } finally {
      const kept: MemoryHolder[] = [];
      for (const y of results.slice(0, count)) y.parts((part) => kept.push(part));
      closeScope(kept);
    }
  };
  return Object.defineProperties(run as StaticFunction<A, R>, {
    name: { value: name },
    graphFor: { value: (...args: A) => capturedFor(args).entry.graph },
    options: { value: compiling },
    captures: { get: () => concrete + (families?.made ?? 0) },
  });
}

/** Each variable's old value, with its new one: updates are written in place. */
export function donations({ graph, updated }: CapturedState): [argument: number, result: number][] {
  const around = graph.origin.captured ?? [];
  const first = graph.params.length - around.length;
  const count = graph.results.length - updated.length;
  return updated.flatMap((variable, i): [number, number][] => {
    const at = around.indexOf(variable);
    return at < 0 ? [] : [[first + at, count + i]];
  });
}

/** The executable for the device in use, found again without a look at the options. */
function executableOf(graph: Graph, options: CompileOptions): (donates: boolean) => Executable {
  const known = new Map<string, Executable>();
  return (donates) => {
    const key = `${getDevice()} ${donates}`;
    let found = known.get(key);
    if (!found) {
      found = compile(graph, donates ? options : { ...options, donate: undefined });
      known.set(key, found);
    }
    return found;
  };
}

/** True for values that a transformation or the tape must see. */
function needsOp(x: Tensor, trains: boolean): boolean {
  if (isVariable(x)) return variableHost() !== null || (!trains && x.requiresGrad && isRecording());
  return x.trace !== null;
}

const identities = new WeakMap<object, number>();
let nextIdentity = 0;

/** Structure, types and plain values of arguments; objects that are no trees (modules) by identity. */
function signature(
  def: TreeDef,
  leaves: readonly Tensor[],
  typeText: (leaf: Tensor) => string = formatType,
): string {
  const types = leaves.map((leaf) => (isVariable(leaf) ? `v${identityOf(leaf)}` : typeText(leaf)));
  return `${JSON.stringify(def, (key, value) => (key === "rebuild" ? undefined : plain(value)))}|${types.join()}`;
}

/** What stands for a static value in a signature: other values have other texts. */
function plain(value: unknown): unknown {
  if (typeof value === "number")
    return Object.is(value, -0) || !Number.isFinite(value) ? `number ${value}` : value;
  if (typeof value === "bigint" || value === undefined) return `${typeof value} ${value}`;
  if (typeof value === "function") return `function ${identityOf(value)}`;
  if (typeof value !== "object" || value === null || Array.isArray(value)) return value;
  return Object.getPrototypeOf(value) === Object.prototype ? value : `object ${identityOf(value)}`;
}

function identityOf(x: object): number {
  let id = identities.get(x);
  if (id === undefined) {
    id = nextIdentity++;
    identities.set(x, id);
  }
  return id;
}
