// expect: wrong 3/6
// fails: no cycle in it, one when Add feeds Matmul1 | a diamond is no cycle | the cycle itself, without the way into it
// why: takes any node met twice for a cycle, and returns the way into it as well
type Dependency = "direct" | "indirect" | "independent";

/** How nodes `a` and `b` depend on each other. */
function dependency(edges: readonly Edge[], a: string, b: string): Dependency {
  const joined = (x: string, y: string) => edges.some(([from, to]) => from === x && to === y);
  if (joined(a, b) || joined(b, a)) return "direct";
  const reaches = (start: string, goal: string) => {
    const seen = new Set([start]);
    for (const node of seen) for (const [from, to] of edges) if (from === node) seen.add(to);
    return start !== goal && seen.has(goal);
  };
  return reaches(a, b) || reaches(b, a) ? "indirect" : "independent";
}

/** The nodes of one cycle, each with an edge to the next and the last to the first; `null` if there is none. */
function findCycle(edges: readonly Edge[]): string[] | null {
  const next = new Map<string, string[]>();
  for (const [from, to] of edges) next.set(from, [...(next.get(from) ?? []), to]);
  const finished = new Set<string>();
  const path: string[] = [];
  const walk = (node: string): string[] | null => {
    if (path.includes(node)) return [...path];
    if (finished.has(node)) return [...path, node];
    path.push(node);
    for (const successor of next.get(node) ?? []) {
      const cycle = walk(successor);
      if (cycle) return cycle;
    }
    path.pop();
    finished.add(node);
    return null;
  };
  for (const node of next.keys()) {
    const cycle = walk(node);
    if (cycle) return cycle;
  }
  return null;
}
