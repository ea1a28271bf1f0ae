// expect: wrong 4/5
// fails: the message names all nodes left over and no other
// why: says that there is a cycle, not where
interface Ordering {
  order: string[];
  /** In-degree of every node: at the start, then after each step. */
  table: Record<string, number>[];
}

/** Kahn's topological order of `nodes`. @throws Error naming the nodes that a cycle leaves over. */
function topologicalOrder(nodes: readonly string[], edges: readonly Edge[]): Ordering {
  const indegree: Record<string, number> = Object.fromEntries(nodes.map((node) => [node, 0]));
  for (const [, to] of edges) indegree[to]++;
  const table = [{ ...indegree }];
  const queue = nodes.filter((node) => indegree[node] === 0);
  const order: string[] = [];
  while (queue.length > 0) {
    const node = queue.shift()!;
    order.push(node);
    for (const [from, to] of edges) if (from === node && --indegree[to] === 0) queue.push(to);
    table.push({ ...indegree });
  }
  if (order.length < nodes.length) {
    const left = nodes.filter((node) => !order.includes(node));
    throw new Error(`the graph has a cycle among ${left.length} nodes`);
  }
  return { order, table };
}
