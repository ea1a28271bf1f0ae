/**
 * Elementwise fusion: a chain or tree of elementwise ops over one shape becomes one node, so that what flows between them
 * is never written to memory. (Book, chapter 3: Add + ReLU; chapter 5: memory-bound ops.)
 */
import { sameShape } from "../../core/shape.js";
import { fusedOp } from "../call.js";
import { type Constant, Graph, type GraphNode, type Value } from "../graph.js";
import type { Pass } from "./pass.js";

/** Groups larger than this are cut: a kernel has only so many registers. */
const MAX_GROUP = 32;

export function fuseElementwise(graph: Graph): Graph {
  const groups = findGroups(graph);
  if (groups.size === 0) return graph;
  const absorbed = new Set([...groups.values()].flat());
  const scalars = new Map(
    graph.constants.filter(({ data }) => data.ndim === 0).map((constant) => [constant.value, constant]),
  );
  const nodes = graph.nodes.flatMap((node) => {
    const group = groups.get(node);
    if (group) return [fusedNode(node, group, scalars)];
    return absorbed.has(node) ? [] : [node];
  });
  const used = new Set<Value>([...nodes.flatMap((node) => node.inputs), ...graph.results]);
  return graph.with({ nodes, constants: graph.constants.filter(({ value }) => used.has(value)) });
}

export const fuse: Pass = {
  name: "fuse",
  summary: "joins elementwise ops over one shape into one kernel",
  run: fuseElementwise,
};

/** The last node of each group, with the whole group in order. */
function findGroups(graph: Graph): Map<GraphNode, GraphNode[]> {
  const results = new Set(graph.results);
  const position = new Map(graph.nodes.map((node, i) => [node, i]));
  const taken = new Set<GraphNode>();
  const groups = new Map<GraphNode, GraphNode[]>();
  for (const root of [...graph.nodes].reverse()) {
    if (taken.has(root) || !isElementwise(root)) continue;
    const group = new Set<GraphNode>([root]);
    const open = [root];
    for (let node = open.pop(); node; node = open.pop()) {
      for (const producer of graph.predecessors(node)) {
        // a value may vanish into the group if nothing outside reads it; that also keeps the group free of cycles
        const inside =
          isElementwise(producer) &&
          !taken.has(producer) &&
          sameShape(producer.outputs[0].shape, root.outputs[0].shape) &&
          !results.has(producer.outputs[0]) &&
          graph.users(producer.outputs[0]).every((user) => group.has(user));
        if (inside && !group.has(producer) && group.size < MAX_GROUP) {
          group.add(producer);
          open.push(...group); // a new member may complete the users of an earlier candidate
        }
      }
    }
    if (group.size < 2) continue;
    for (const node of group) taken.add(node);
    groups.set(
      root,
      [...group].sort((a, b) => (position.get(a) as number) - (position.get(b) as number)),
    );
  }
  return groups;
}

const isElementwise = (node: GraphNode): boolean =>
  node.op.kind === "elementwise" && node.outputs.length === 1;

function fusedNode(
  root: GraphNode,
  group: readonly GraphNode[],
  scalars: ReadonlyMap<Value, Constant>,
): GraphNode {
  const inner = new Set(group.flatMap((node) => node.outputs));
  const read = [...new Set(group.flatMap((node) => node.inputs))].filter((value) => !inner.has(value));
  const constants = read.map((value) => scalars.get(value)).filter((c): c is Constant => c !== undefined);
  const inputs = read.filter((value) => !scalars.has(value));
  const name = group.map((node) => node.op.name).join("_");
  return {
    op: fusedOp as unknown as GraphNode["op"],
    inputs,
    attrs: { graph: new Graph(name, inputs, constants, group, root.outputs) },
    outputs: root.outputs,
    loc: root.loc,
  };
}
