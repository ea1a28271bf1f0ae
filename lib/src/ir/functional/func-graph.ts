/**
 * A functional, graph-based representation after MindSpore's MindIR: functions are values, they may read values of the
 * functions around them (free variables), and control flow is calls. The closed graphs of `graph.ts` convert to it. (Book,
 * chapter 4: ANode, ValueNode, ParameterNode, CNode.)
 */
import type { TensorType } from "../../core/shape.js";
import type { Attrs, OpDef } from "../../ops/registry.js";
import type { DenseTensor } from "../../runtime/dense.js";

/** A built-in function. */
export type Primitive =
  | {
      readonly kind: "op";
      readonly op: OpDef;
      readonly attrs: Attrs;
      /** Number of results: one is returned as it is, several as a tuple. */
      readonly results: number;
      /** Known where it came from a typed graph; differentiation needs them. */
      readonly types?: { readonly inputs: readonly TensorType[]; readonly outputs: readonly TensorType[] };
    }
  | { readonly kind: "makeTuple" | "switch" | "gradAdd" | "envNew" | "fill" | "onesLike" }
  /** `getItem` takes an entry of a tuple; `inject` makes a tuple whose other entries are zero gradients. */
  | { readonly kind: "getItem" | "inject"; readonly index: number }
  /** Gradients of free variables, by variable. */
  | { readonly kind: "envSet" | "envGet"; readonly key: ANode };

/** The gradient of what nothing depends on, whatever its type. */
export const ZERO = Symbol("zero");

export class ValueNode {
  readonly kind = "value";
  constructor(readonly value: DenseTensor | Primitive | FuncGraph | typeof ZERO) {}
}

export class ParameterNode {
  readonly kind = "parameter";
  constructor(
    readonly owner: FuncGraph,
    readonly name: string | null,
  ) {}
}

/** A call: the function, then its arguments. */
export class CNode {
  readonly kind = "call";
  constructor(
    readonly owner: FuncGraph,
    readonly inputs: readonly ANode[],
    readonly loc: string | null = null,
  ) {}
}

export type ANode = ValueNode | ParameterNode | CNode;

export class FuncGraph {
  readonly parameters: ParameterNode[] = [];
  private result: ANode | null = null;

  constructor(readonly name: string) {}

  parameter(name: string | null = null): ParameterNode {
    const node = new ParameterNode(this, name);
    this.parameters.push(node);
    return node;
  }

  /** A call in this function. */
  call(f: ANode | FuncGraph | Primitive, args: readonly ANode[], loc: string | null = null): CNode {
    const head =
      f instanceof ValueNode || f instanceof ParameterNode || f instanceof CNode ? f : new ValueNode(f);
    return new CNode(this, [head, ...args], loc);
  }

  returns(node: ANode): this {
    this.result = node;
    return this;
  }

  get output(): ANode {
    if (this.result === null) throw new Error(`function ${this.name} has no result yet`);
    return this.result;
  }
}

/** What a function's own calls read: functions, and values of functions around it. */
class Body {
  readonly functions = new Set<FuncGraph>();
  readonly outside = new Set<ParameterNode | CNode>();
  private readonly seen = new Set<ANode>();

  constructor(private readonly graph: FuncGraph) {
    this.visit(graph.output);
  }

  visit(node: ANode): void {
    if (this.seen.has(node)) return;
    this.seen.add(node);
    if (node.kind === "value") {
      if (node.value instanceof FuncGraph) this.functions.add(node.value);
    } else if (node.owner !== this.graph) this.outside.add(node);
    else if (node.kind === "call") for (const input of node.inputs) this.visit(input);
  }
}

/** The bodies of a function and of those in it. A call may stand in a body only because a function inside reads it. */
function bodiesOf(graph: FuncGraph): Map<FuncGraph, Body> {
  const bodies = new Map([[graph, new Body(graph)]]);
  const size = (): number =>
    [...bodies.values()].reduce((sum, { functions, outside }) => sum + functions.size + outside.size, 0);
  for (let before = -1; before !== size(); ) {
    before = size();
    for (const { functions, outside } of bodies.values()) {
      for (const inner of functions) if (!bodies.has(inner)) bodies.set(inner, new Body(inner));
      for (const node of outside) bodies.get(node.owner)?.visit(node);
    }
  }
  return bodies;
}

/**
 * Functions whose values stand in a function, at any depth, itself first.
 * @example ir.functional.functionsOf(ir.functional.fromGraph(capture((x: Tensor) => x.sin(), tensor([1])))).length // 1
 */
export function functionsOf(graph: FuncGraph): FuncGraph[] {
  return [...bodiesOf(graph).keys()];
}

const known = new WeakMap<FuncGraph, readonly (ParameterNode | CNode)[]>();

/**
 * The values of functions around it that a function reads, itself or through functions in it. (Functions may be recursive:
 * the smallest sets that satisfy all equations.)
 * @example ir.functional.freeVariables(ir.functional.fromGraph(capture((x: Tensor) => x.sin(), tensor([1])))).length // 0
 */
export function freeVariables(graph: FuncGraph): readonly (ParameterNode | CNode)[] {
  const found = known.get(graph);
  if (found) return found;
  const bodies = bodiesOf(graph);
  const free = new Map([...bodies].map(([g, { outside }]) => [g, new Set(outside)]));
  for (let changed = true; changed; ) {
    changed = false;
    for (const [g, set] of free) {
      const before = set.size;
      for (const inner of bodies.get(g)?.functions ?? [])
        for (const node of free.get(inner) ?? []) if (node.owner !== g) set.add(node);
      if (set.size > before) changed = true;
    }
  }
  for (const [g, set] of free) known.set(g, [...set]);
  return known.get(graph) as readonly (ParameterNode | CNode)[];
}

const orders = new WeakMap<FuncGraph, readonly CNode[]>();

/**
 * A function's own calls in an order in which they can run; what functions in it read comes before these are made.
 * @example ir.functional.callsOf(ir.functional.fromGraph(capture((x: Tensor) => x.sin().cos(), tensor([1])))).length // 2
 */
export function callsOf(graph: FuncGraph): readonly CNode[] {
  const found = orders.get(graph);
  if (found) return found;
  const order: CNode[] = [];
  const seen = new Set<ANode>();
  const visit = (node: ANode): void => {
    if (seen.has(node)) return;
    seen.add(node);
    if (node.kind === "value") {
      if (node.value instanceof FuncGraph) freeVariables(node.value).forEach(visit);
    } else if (node.kind === "call" && node.owner === graph) {
      node.inputs.forEach(visit);
      order.push(node);
    }
  };
  visit(graph.output);
  orders.set(graph, order);
  return order;
}
