/** GraphEditor: makes a changed copy of a graph, node by node; what is not touched stays the same object. */
import { formatType, type TensorType } from "../core/shape.js";
import { type Attrs, getOp, type OpDef } from "../ops/registry.js";
import type { DenseTensor } from "../runtime/dense.js";
import { constantOf } from "./data.js";
import {
  type Constant,
  type Graph,
  type GraphNode,
  IRError,
  isFused,
  mapRegions,
  regionsOf,
  type Value,
} from "./graph.js";
import { sameType } from "./verify.js";

export class GraphEditor {
  private readonly replaced = new Map<Value, Value>();
  private readonly made = new Map<Value, GraphNode>();
  private readonly data = new Map<Value, DenseTensor>();
  private readonly scalars = new Map<string, Value>();
  private readonly constants: Constant[];
  private readonly nodes: GraphNode[] = [];
  private next: number;
  private touched = false;

  constructor(private readonly graph: Graph) {
    this.next = graph.nextId;
    this.constants = [...graph.constants];
    for (const { value, data } of graph.constants) this.data.set(value, data);
  }

  /** What stands for a value of the old graph. */
  now(value: Value): Value {
    let found = value;
    for (let by = this.replaced.get(found); by; by = this.replaced.get(found)) found = by;
    return found;
  }

  /** The node of the new graph that computes a value. */
  producer(value: Value): GraphNode | null {
    return this.made.get(value) ?? null;
  }

  /** The elements of a value that is constant. */
  constantData(value: Value): DenseTensor | null {
    return this.data.get(value) ?? null;
  }

  /** A new constant. */
  constant(data: DenseTensor): Value {
    const value = this.value(data);
    this.constants.push({ value, data });
    this.data.set(value, data);
    this.touched = true;
    return value;
  }

  /** The constant without axes of this number. */
  scalar(number: number, dtype: TensorType["dtype"]): Value {
    const key = `${dtype} ${Object.is(number, -0) ? "-0" : number}`;
    const known = this.scalars.get(key);
    if (known) return known;
    const value = this.constant(constantOf([number], { shape: [], dtype }));
    this.scalars.set(key, value);
    return value;
  }

  /** Readers of `old` read `by` from now on. @throws IRError if the types differ. */
  replace(old: Value, by: Value): void {
    if (old === by) return;
    if (!sameType(old, by))
      throw new IRError(`%${old.id} : ${formatType(old)} cannot be replaced by a ${formatType(by)}`);
    this.replaced.set(old, by);
    this.touched = true;
  }

  /** The node with its operands as they are now; not yet part of the graph. */
  current(node: GraphNode): GraphNode {
    const inputs = node.inputs.map((input) => this.now(input));
    return inputs.every((input, i) => input === node.inputs[i]) ? node : { ...node, inputs };
  }

  /** Puts a node behind those there are. */
  push(node: GraphNode): void {
    this.nodes.push(node);
    for (const output of node.outputs) this.made.set(output, node);
  }

  /** A node on values of the new graph; not yet part of it. */
  make(
    op: OpDef | string,
    inputs: readonly Value[],
    attrs: Attrs = {},
    loc: string | null = null,
  ): GraphNode {
    const def = typeof op === "string" ? getOp(op) : op;
    return { op: def, inputs, attrs, outputs: def.type(inputs, attrs).map((type) => this.value(type)), loc };
  }

  /** Applies an op to values of the new graph. */
  emit(
    op: OpDef | string,
    inputs: readonly Value[],
    attrs: Attrs = {},
    loc: string | null = null,
  ): readonly Value[] {
    const node = this.make(op, inputs, attrs, loc);
    this.push(node);
    this.touched = true;
    return node.outputs;
  }

  /** Marks the graph as changed, by a caller that pushes a changed node. */
  changed(): void {
    this.touched = true;
  }

  /** Copies a closed graph into this one. Returns what its results are here. */
  inline(region: Graph, inputs: readonly Value[]): Value[] {
    const here = new Map<Value, Value>(region.params.map((param, i) => [param, inputs[i]]));
    const get = (value: Value): Value => here.get(value) as Value;
    for (const { value, data } of region.constants) here.set(value, this.constant(data));
    for (const node of region.nodes) {
      const outputs = node.outputs.map((output) => this.value(output));
      node.outputs.forEach((output, i) => {
        here.set(output, outputs[i]);
      });
      this.push({ ...node, inputs: node.inputs.map(get), outputs });
    }
    this.touched = true;
    return region.results.map(get);
  }

  /** The new graph; the old one if nothing changed. */
  finish(): Graph {
    const { graph } = this;
    if (!this.touched) return graph;
    return graph.with({
      nodes: this.nodes,
      constants: this.constants,
      results: graph.results.map((result) => this.now(result)),
    });
  }

  private value({ shape, dtype }: TensorType): Value {
    return { id: this.next++, name: null, shape, dtype };
  }
}

/**
 * Goes over the nodes in order, those of regions first. `visit` puts each node (or what stands for it) into the graph.
 */
export function editNodes(graph: Graph, visit: (node: GraphNode, editor: GraphEditor) => void): Graph {
  const editor = new GraphEditor(graph);
  for (const node of graph.nodes) {
    const inner = editRegions(node, (region) => editNodes(region, visit));
    if (inner !== node) editor.changed();
    visit(editor.current(inner), editor);
  }
  return editor.finish();
}

/** The node with its regions replaced; the node itself if none changes. Fused nodes are kernels, and stay as they are. */
export function editRegions(node: GraphNode, f: (region: Graph) => Graph): GraphNode {
  const regions = isFused(node) ? [] : regionsOf(node.attrs);
  if (regions.length === 0) return node;
  const found = new Map(regions.map(([, region]) => [region, f(region)]));
  const same = regions.every(([, region]) => found.get(region) === region);
  return same ? node : { ...node, attrs: mapRegions(node.attrs, (region) => found.get(region) as Graph) };
}
