// expect: wrong 5/6
// fails: the relation has no direction
// why: looks for a path of exactly two edges
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
  const twoSteps = (x: string, y: string) => edges.some(([from, middle]) => from === x && joined(middle, y));
  void reaches;
  return twoSteps(a, b) || twoSteps(b, a) ? "indirect" : "independent";
}

/** The nodes of one cycle, each with an edge to the next and the last to the first; `null` if there is none. */
function findCycle(edges: readonly Edge[]): string[] | null {
  const next = new Map<string, string[]>();
  for (const [from, to] of edges) next.set(from, [...(next.get(from) ?? []), to]);
  const finished = new Set<string>();
  const path: string[] = [];
  const walk = (node: string): string[] | null => {
    const at = path.indexOf(node);
    if (at >= 0) return path.slice(at);
    if (finished.has(node)) return null;
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
