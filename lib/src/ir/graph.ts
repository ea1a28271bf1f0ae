/**
 * Graph: the intermediate representation of a captured function. Typed, pure, in single-assignment form: every value is
 * defined once, before its uses. Control flow carries graphs of its own (regions) among a node's attributes; regions
 * are closed, so what they read from outside comes in as operands. (Book, chapters 3 and 4.)
 */
import { MlsysError } from "../core/errors.js";
import type { TensorType } from "../core/shape.js";
import type { Tensor } from "../core/tensor.js";
import type { TreeDef } from "../core/tree.js";
import type { Attrs, OpDef } from "../ops/registry.js";
import type { DenseTensor } from "../runtime/dense.js";

/** A graph or its text that breaks the rules of the representation. */
export class IRError extends MlsysError {
  override name = "IRError";
}

/** What a parameter, a constant or a node defines. Values are compared by identity. */
export interface Value extends TensorType {
  /** Unique in its graph. */
  readonly id: number;
  /** For readers: an argument's or a variable's name. */
  readonly name: string | null;
}

/** A value known when the graph was made. */
export interface Constant {
  readonly value: Value;
  readonly data: DenseTensor;
}

/** One application of an op. */
export interface GraphNode {
  readonly op: OpDef;
  readonly inputs: readonly Value[];
  /** Plain data; graphs in it (also in arrays) are the node's regions. */
  readonly attrs: Attrs;
  readonly outputs: readonly Value[];
  /** `file:line:column` of the user's line that made it. */
  readonly loc: string | null;
}

/** Where a graph came from; not part of its meaning, its text or its JSON. */
export interface GraphOrigin {
  /** Values from around the captured function (variables, values of outer transformations) that its last parameters stand for. */
  readonly captured?: readonly Tensor[];
  /** Structure of the arguments and of the result. */
  readonly inputs?: TreeDef;
  readonly output?: TreeDef;
}

export class Graph {
  private made: Map<Value, GraphNode> | null = null;
  private used: Map<Value, GraphNode[]> | null = null;
  private all: readonly Value[] | null = null;
  private free = -1;

  constructor(
    readonly name: string,
    readonly params: readonly Value[],
    readonly constants: readonly Constant[],
    /** In an order in which they can run. */
    readonly nodes: readonly GraphNode[],
    readonly results: readonly Value[],
    readonly origin: GraphOrigin = {},
  ) {}

  /** The node that computes a value; `null` for parameters and constants. */
  producer(value: Value): GraphNode | null {
    if (this.made === null) {
      this.made = new Map();
      for (const node of this.nodes) for (const output of node.outputs) this.made.set(output, node);
    }
    return this.made.get(value) ?? null;
  }

  /** The nodes that read a value, in order; a node that reads it twice stands once. */
  users(value: Value): readonly GraphNode[] {
    if (this.used === null) {
      this.used = new Map();
      for (const node of this.nodes) {
        for (const input of new Set(node.inputs)) {
          const list = this.used.get(input);
          if (list) list.push(node);
          else this.used.set(input, [node]);
        }
      }
    }
    return this.used.get(value) ?? [];
  }

  /** The nodes whose results a node reads. */
  predecessors(node: GraphNode): GraphNode[] {
    const found = new Set<GraphNode>();
    for (const input of node.inputs) {
      const from = this.producer(input);
      if (from) found.add(from);
    }
    return [...found];
  }

  /** Every value: parameters, constants, then what the nodes define. */
  values(): readonly Value[] {
    this.all ??= [
      ...this.params,
      ...this.constants.map((constant) => constant.value),
      ...this.nodes.flatMap((node) => node.outputs),
    ];
    return this.all;
  }

  /** A number that no value has, nor any larger one. */
  get nextId(): number {
    if (this.free < 0) this.free = this.values().reduce((next, { id }) => Math.max(next, id + 1), 0);
    return this.free;
  }

  /** The same graph with some parts replaced. */
  with(parts: Partial<Pick<Graph, "name" | "params" | "constants" | "nodes" | "results" | "origin">>): Graph {
    return new Graph(
      parts.name ?? this.name,
      parts.params ?? this.params,
      parts.constants ?? this.constants,
      parts.nodes ?? this.nodes,
      parts.results ?? this.results,
      parts.origin ?? this.origin,
    );
  }
}

const FUSED: ReadonlySet<string> = new Set([
  ...["fused", "fusedMany", "fusedContraction", "fusedReduction"],
  "deviceCall",
]);

/** True for nodes whose regions are kernels, or are compiled by themselves: passes leave them as they are. */
export function isFused({ op }: GraphNode): boolean {
  return FUSED.has(op.name);
}

/**
 * The graphs among a node's attributes, with where they stand: `then`, `branches.0`.
 * @example graph.regionsOf({}).length // 0
 */
export function regionsOf(attrs: Attrs): [path: string, region: Graph][] {
  const found: [string, Graph][] = [];
  const visit = (value: unknown, path: string): void => {
    if (value instanceof Graph) found.push([path, value]);
    else if (Array.isArray(value)) for (const [i, entry] of value.entries()) visit(entry, `${path}.${i}`);
  };
  for (const [key, value] of Object.entries(attrs)) visit(value, key);
  return found;
}

/** The attributes with each region replaced. */
export function mapRegions(attrs: Attrs, f: (region: Graph) => Graph): Attrs {
  const visit = (value: unknown): unknown => {
    if (value instanceof Graph) return f(value);
    return Array.isArray(value) && value.some((entry) => entry instanceof Graph) ? value.map(visit) : value;
  };
  return Object.fromEntries(Object.entries(attrs).map(([key, value]) => [key, visit(value)]));
}

/** The type of a value, without the value. */
export function typeOf({ shape, dtype }: TensorType): TensorType {
  return { shape, dtype };
}

/**
 * Nodes in the graph and in its regions, at any depth.
 * @example graph.countNodes(capture((x: Tensor) => x.sin().add(1), tensor([1, 2]))) // 2
 */
export function countNodes(graph: Graph): number {
  return graph.nodes.reduce(
    (sum, node) =>
      sum + 1 + regionsOf(node.attrs).reduce((inner, [, region]) => inner + countNodes(region), 0),
    0,
  );
}
