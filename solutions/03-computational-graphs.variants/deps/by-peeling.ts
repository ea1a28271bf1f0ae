// expect: correct
// why: transitive closure for the relation; peels off nodes without inputs, then walks backward inside what is left
type Dependency = "direct" | "indirect" | "independent";

function dependency(edges: readonly Edge[], a: string, b: string): Dependency {
  for (const [from, to] of edges) if ((from === a && to === b) || (from === b && to === a)) return "direct";
  const names = [...new Set(edges.flat())];
  const reach = new Set(edges.map(([from, to]) => `${from}>${to}`));
  for (const via of names) {
    for (const from of names) {
      for (const to of names) if (reach.has(`${from}>${via}`) && reach.has(`${via}>${to}`)) reach.add(`${from}>${to}`);
    }
  }
  return reach.has(`${a}>${b}`) || reach.has(`${b}>${a}`) ? "indirect" : "independent";
}

function findCycle(edges: readonly Edge[]): string[] | null {
  let left = new Set(edges.flat());
  for (;;) {
    const waiting = new Set([...left].filter((node) => edges.some(([from, to]) => to === node && left.has(from))));
    if (waiting.size === left.size) break;
    left = waiting;
  }
  if (left.size === 0) return null;
  const back: string[] = [];
  let node = [...left][0];
  while (!back.includes(node)) {
    back.push(node);
    node = edges.find(([from, to]) => to === back[back.length - 1] && left.has(from))![0];
  }
  return back.slice(back.indexOf(node)).reverse();
}
