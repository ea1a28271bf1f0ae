/** Directed graphs of named nodes: what dependency analysis and scheduling work on, whatever the nodes stand for. */
import { ValueError } from "../core/errors.js";
import type { Graph, GraphNode } from "../ir/graph.js";

export interface Dag {
  readonly nodes: readonly string[];
  /** `[a, b]`: b needs a. */
  readonly edges: readonly (readonly [from: string, to: string])[];
}

/** A graph's nodes under readable names. */
export interface GraphDag extends Dag {
  readonly nodeOf: ReadonlyMap<string, GraphNode>;
  readonly nameOf: ReadonlyMap<GraphNode, string>;
}

/** @example graph.dag("a->d, b->c, c->d, d->e").nodes // ["a", "b", "c", "d", "e"] */
export function dag(text: string): Dag {
  const nodes = new Set<string>();
  const edges: [string, string][] = [];
  for (const part of text.split(",").map((p) => p.trim())) {
    if (part === "") continue;
    const chain = part.split(/->|→/).map((name) => name.trim());
    if (chain.some((name) => name === ""))
      throw new ValueError(`dag: "${part}" is no edge; write "a->b" or a single name`);
    for (const name of chain) nodes.add(name);
    for (let i = 1; i < chain.length; i++) edges.push([chain[i - 1], chain[i]]);
  }
  return checked({ nodes: [...nodes].sort(), edges });
}

/**
 * The dependencies between a graph's nodes, named by op and number: `matmul1`, `matmul2`, `relu1`.
 * @example graph.dagOf(capture((x: Tensor) => x.sin().add(1), tensor([1, 2]))).edges.length // 1
 */
export function dagOf(graph: Graph): GraphDag {
  const counts = new Map<string, number>();
  const nameOf = new Map<GraphNode, string>();
  const nodeOf = new Map<string, GraphNode>();
  for (const node of graph.nodes) {
    const count = (counts.get(node.op.name) ?? 0) + 1;
    counts.set(node.op.name, count);
    nameOf.set(node, `${node.op.name}${count}`);
    nodeOf.set(`${node.op.name}${count}`, node);
  }
  const edges = graph.nodes.flatMap((node) =>
    graph
      .predecessors(node)
      .map((from): [string, string] => [nameOf.get(from) as string, nameOf.get(node) as string]),
  );
  return { nodes: [...nodeOf.keys()], edges, nodeOf, nameOf };
}

/**
 * Successors of each node.
 * @example graph.successors(graph.dag("a->b, a->c")).get("a") // ["b", "c"]
 */
export function successors({ nodes, edges }: Dag): Map<string, string[]> {
  const found = new Map<string, string[]>(nodes.map((name) => [name, []]));
  for (const [from, to] of edges) found.get(from)?.push(to);
  return found;
}

/**
 * Predecessors of each node.
 * @example graph.predecessors(graph.dag("a->c, b->c")).get("c") // ["a", "b"]
 */
export function predecessors({ nodes, edges }: Dag): Map<string, string[]> {
  return successors({ nodes, edges: edges.map(([from, to]) => [to, from] as const) });
}

/** Returns the graph. @throws ValueError for a node that stands twice or an edge to nowhere. */
export function checked<D extends Dag>(d: D): D {
  const known = new Set(d.nodes);
  if (known.size !== d.nodes.length) throw new ValueError("dag: a node's name stands twice");
  for (const edge of d.edges)
    for (const name of edge)
      if (!known.has(name))
        throw new ValueError(`dag: the edge ${edge.join(" -> ")} names an unknown node, "${name}"`);
  return d;
}
