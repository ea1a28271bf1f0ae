// expect: correct
// why: keeps successor lists and counts how many nodes came out
interface Ordering {
  order: string[];
  table: Record<string, number>[];
}

function topologicalOrder(nodes: readonly string[], edges: readonly Edge[]): Ordering {
  const successors = new Map<string, string[]>(nodes.map((node) => [node, []]));
  const waits = new Map<string, number>(nodes.map((node) => [node, 0]));
  for (const [from, to] of edges) {
    successors.get(from)!.push(to);
    waits.set(to, waits.get(to)! + 1);
  }
  const order = nodes.filter((node) => !waits.get(node));
  const table = [Object.fromEntries(waits)];
  for (const node of order) {
    for (const to of successors.get(node)!) {
      waits.set(to, waits.get(to)! - 1);
      if (waits.get(to) === 0) order.push(to);
    }
    table.push(Object.fromEntries(waits));
  }
  const stuck = nodes.filter((node) => waits.get(node)! > 0);
  if (stuck.length > 0) throw new TypeError("Cycle: " + stuck.join(" "));
  return { order, table };
}
