/** How values lie in memory: which are views, and of what. Known before any run, if the layouts of the arguments are. */
import { contiguousLayout, type Layout } from "../core/layout.js";
import type { Graph, GraphNode, Value } from "../ir/graph.js";

export interface Layouts {
  readonly of: ReadonlyMap<Value, Layout>;
  /** Values that are views, and of what. */
  readonly viewed: ReadonlyMap<Value, Value>;
}

/**
 * The layout of every value. Parameters are row-major, unless `given` says something else; what a node makes is
 * row-major, unless it is a view.
 * @param opaque nodes whose outputs have no layout before they run; views of those are no views here.
 */
export function layoutsOf(
  graph: Graph,
  given: ReadonlyMap<Value, Layout> = new Map(),
  opaque: (node: GraphNode) => boolean = () => false,
): Layouts {
  const of = new Map<Value, Layout>();
  const viewed = new Map<Value, Value>();
  for (const param of graph.params) of.set(param, given.get(param) ?? contiguousLayout(param.shape));
  for (const { value, data } of graph.constants) of.set(value, data);
  for (const node of graph.nodes) {
    if (opaque(node)) continue;
    const [output] = node.outputs;
    const base = node.op.view ? of.get(node.inputs[0]) : undefined;
    if (node.op.view && !base) continue; // of something opaque: known when it is there
    const view = (base && node.op.view?.(base, node.attrs)) ?? null;
    if (view) viewed.set(output, node.inputs[0]);
    for (const value of node.outputs) of.set(value, view ?? contiguousLayout(value.shape));
  }
  return { of, viewed };
}
