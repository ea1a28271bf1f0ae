/**
 * Ancestor analysis: which nodes have surely ended when a node starts. A node's ancestors are what it needs, directly and
 * indirectly, and what its stream runs before it. (Book, chapter 5: SOMAS aggregates streams and analyses ancestors.)
 */
import { ValueError } from "../../core/errors.js";
import type { Graph } from "../../ir/graph.js";

/**
 * Which orders of execution a plan must be safe for: "sequence", the nodes one after the other; "any", whatever the
 * dependencies allow; or a stream per node, each of which keeps its order.
 */
export type NodeOrder = "sequence" | "any" | readonly number[];

export interface Ancestors {
  /** True if node `earlier` has ended before node `later` starts, in every order that is allowed. */
  has(later: number, earlier: number): boolean;
}

/**
 * Which nodes end before which start, whatever order is taken.
 * @throws ValueError if there is not one stream per node.
 * @example compiler.ancestorsOf(capture((x: Tensor) => x.sin().cos(), ones([2])), "any").has(1, 0) // true
 */
export function ancestorsOf(graph: Graph, order: NodeOrder): Ancestors {
  if (order === "sequence") return { has: (later, earlier) => earlier < later };
  const count = graph.nodes.length;
  if (order !== "any" && order.length !== count)
    throw new ValueError(`ancestorsOf: ${order.length} streams are given for ${count} nodes`);
  const index = new Map(graph.nodes.map((node, i) => [node, i]));
  const words = (count + 31) >>> 5;
  const rows = new Uint32Array(count * words);
  const previous = new Map<number, number>();
  graph.nodes.forEach((node, i) => {
    const inherit = (from: number): void => {
      for (let w = 0; w < words; w++) rows[i * words + w] |= rows[from * words + w];
      rows[i * words + (from >>> 5)] |= 1 << (from & 31);
    };
    for (const before of graph.predecessors(node)) inherit(index.get(before) as number);
    if (order === "any") return;
    const mate = previous.get(order[i]);
    if (mate !== undefined) inherit(mate);
    previous.set(order[i], i);
  });
  return { has: (later, earlier) => ((rows[later * words + (earlier >>> 5)] >>> (earlier & 31)) & 1) === 1 };
}
