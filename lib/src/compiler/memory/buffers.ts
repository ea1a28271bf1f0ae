/**
 * Buffers: which values of a graph need memory of their own, how much, and while which nodes run. Views lie in what they
 * look at; an elementwise node may write over an operand that nobody reads after it. (Book, chapter 5: the three classes
 * of device memory, in-place ops.)
 */
import { bytesPerElement } from "../../core/dtype.js";
import { isContiguous } from "../../core/layout.js";
import { sameShape, sizeOf } from "../../core/shape.js";
import { dagOf } from "../../graph/dag.js";
import { type Layouts, layoutsOf } from "../../graph/layouts.js";
import type { Graph, GraphNode, Value } from "../../ir/graph.js";
import { ancestorsOf, type NodeOrder } from "./ancestors.js";

/** `weight`: parameters and constants, there before the first node; `workspace`: what a node needs while it runs only. */
export type BufferKind = "weight" | "activation" | "result" | "workspace";

/** A piece of memory. */
export interface Buffer {
  /** `matmul1`, `fused2.1` for the second output of a node, a parameter's name, `conv2d1.workspace`. */
  readonly name: string;
  readonly kind: BufferKind;
  /** Without alignment. */
  readonly bytes: number;
  /** Positions of the nodes during which it must be kept; −1: before the first, `nodes.length`: behind the last. */
  readonly first: number;
  readonly last: number;
  /** What lies in it, in the order of its making: a value, its views, and what was written over it in place. */
  readonly values: readonly Value[];
  /** Positions of the nodes that write or read it. */
  readonly touchedBy: readonly number[];
}

export interface BufferOptions {
  /** Write elementwise results over operands that are not needed any more. Default true. */
  readonly inPlace?: boolean;
  /** Count parameters and constants too. Default false: they are the caller's. */
  readonly weights?: boolean;
  /** Only values for which this is true get a buffer, with their views. Default: all. */
  readonly includes?: (value: Value) => boolean;
  /** How values lie. Default: as if parameters and constants were row-major. */
  readonly layouts?: Layouts;
  /** Bytes that a node needs besides, while it runs. Default 0. */
  readonly workspace?: (node: GraphNode) => number;
  /** Which orders of execution must be safe. Default "sequence": the order of the nodes. */
  readonly order?: NodeOrder;
}

interface Open {
  name: string;
  kind: BufferKind;
  bytes: number;
  values: Value[];
  touchedBy: number[];
  result: boolean;
}

/**
 * The buffers of a graph, weights first, then in the order of the nodes.
 * @example compiler.buffersOf(capture((x: Tensor) => x.matmul(x).sin().transpose(), ones([2, 2]))).length // 1
 */
export function buffersOf(graph: Graph, options: BufferOptions = {}): Buffer[] {
  const { inPlace = true, weights = false, includes = () => true, workspace = () => 0, order } = options;
  const layouts = options.layouts ?? layoutsOf(graph);
  const names = namesOf(graph);
  const of = new Map<Value, Open>();
  const all: Open[] = [];
  const results = new Set(graph.results);
  const add = (value: Value, kind: BufferKind): void => {
    const buffer: Open = {
      name: names.get(value) as string,
      kind,
      bytes: sizeOf(value.shape) * bytesPerElement(value.dtype),
      values: [value],
      touchedBy: [],
      result: false,
    };
    of.set(value, buffer);
    all.push(buffer);
  };
  const given = [...graph.params, ...graph.constants.map(({ value }) => value)];
  for (const value of given) add(value, "weight");
  const lastRead = lastReaders(graph, layouts.viewed);
  const before = order === undefined || order === "sequence" ? null : ancestorsOf(graph, order);
  graph.nodes.forEach((node, i) => {
    for (const input of node.inputs) of.get(input)?.touchedBy.push(i);
    const base = node.outputs.length === 1 ? layouts.viewed.get(node.outputs[0]) : undefined;
    const taken = new Set<Open>();
    for (const output of node.outputs) {
      const target = base
        ? of.get(base)
        : inPlace && includes(output)
          ? overwritten(node, i, output, { of, layouts, lastRead, before, includes, taken })
          : undefined;
      if (target) {
        target.values.push(output);
        of.set(output, target);
        taken.add(target);
      } else add(output, "activation");
      of.get(output)?.touchedBy.push(i);
    }
    const extra = workspace(node);
    if (extra > 0)
      all.push({
        name: `${nodeName(names, node)}.workspace`,
        kind: "workspace",
        bytes: extra,
        values: [],
        touchedBy: [i],
        result: false,
      });
  });
  for (const result of results) {
    const buffer = of.get(result);
    if (buffer) buffer.result = true;
  }
  return all
    .filter(({ kind, values }) =>
      kind === "weight" ? weights : kind === "workspace" || values.some(includes),
    )
    .map(({ name, kind, bytes, values, touchedBy, result }) => ({
      name,
      kind: result && kind === "activation" ? "result" : kind,
      bytes,
      values,
      touchedBy: [...new Set(touchedBy)],
      first: kind === "weight" ? -1 : Math.min(...touchedBy),
      last: kind === "weight" || result ? graph.nodes.length : Math.max(...touchedBy),
    }));
}

interface InPlace {
  readonly of: ReadonlyMap<Value, Open>;
  readonly layouts: Layouts;
  readonly lastRead: ReadonlyMap<Value, number>;
  readonly before: ReturnType<typeof ancestorsOf> | null;
  readonly includes: (value: Value) => boolean;
  readonly taken: ReadonlySet<Open>;
}

/** The buffer of an operand that element i of the output may be written over as soon as element i was read. */
function overwritten(node: GraphNode, i: number, output: Value, about: InPlace): Open | undefined {
  if (node.op.kind !== "elementwise" && node.op.name !== "fused") return undefined;
  const bytes = sizeOf(output.shape) * bytesPerElement(output.dtype);
  for (const input of node.inputs) {
    const buffer = about.of.get(input);
    if (!buffer || buffer.kind !== "activation" || buffer.bytes !== bytes || about.taken.has(buffer))
      continue;
    if (
      !sameShape(input.shape, output.shape) ||
      bytesPerElement(input.dtype) !== bytesPerElement(output.dtype)
    )
      continue;
    const layout = about.layouts.of.get(input);
    if (!layout || !isContiguous(layout) || layout.offset !== 0 || !about.includes(buffer.values[0]))
      continue;
    const others = node.inputs.some((other) => other !== input && about.of.get(other) === buffer);
    if (others) continue; // the same memory seen otherwise: element i may be wanted again
    const over = buffer.values.every((value) => (about.lastRead.get(value) ?? -1) <= i);
    const ordered =
      about.before === null || buffer.touchedBy.every((j) => j === i || about.before?.has(i, j));
    if (over && ordered) return buffer;
  }
  return undefined;
}

/** Where each value is read last; results are read behind the last node. */
function lastReaders(graph: Graph, viewed: ReadonlyMap<Value, Value>): Map<Value, number> {
  const last = new Map<Value, number>();
  graph.nodes.forEach((node, i) => {
    for (const input of node.inputs) last.set(input, i);
  });
  for (const result of graph.results) last.set(result, graph.nodes.length);
  for (const [view, base] of [...viewed].reverse())
    last.set(base, Math.max(last.get(base) ?? -1, last.get(view) ?? -1));
  return last;
}

function namesOf(graph: Graph): Map<Value | GraphNode, string> {
  const names = new Map<Value | GraphNode, string>();
  for (const value of graph.values()) names.set(value, value.name ?? `%${value.id}`);
  for (const [node, name] of dagOf(graph).nameOf) {
    names.set(node, name);
    node.outputs.forEach((output, k) => {
      names.set(output, node.outputs.length > 1 ? `${name}.${k}` : name);
    });
  }
  return names;
}

const nodeName = (names: ReadonlyMap<Value | GraphNode, string>, node: GraphNode): string =>
  names.get(node) as string;
