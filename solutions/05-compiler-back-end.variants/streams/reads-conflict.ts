// expect: wrong 7/9
// fails: reads are free, a write waits for all of them | random effects
// why: orders reads among each other
type Edge = [from: string, to: string];

/** When and where each task runs. */
function schedule(tasks: Task[], streams: number): Record<string, Slot> {
  const rank = new Map<string, number>();
  for (const { name, time } of [...tasks].reverse()) {
    const behind = tasks.filter(({ after }) => after.includes(name)).map((t) => rank.get(t.name)!);
    rank.set(name, time + Math.max(0, ...behind));
  }
  const placed: Record<string, Slot> = {};
  const freeAt = new Array<number>(streams).fill(0);
  let now = 0;
  while (Object.keys(placed).length < tasks.length) {
    const ready = tasks.filter(({ name, after }) => !(name in placed) && after.every((x) => x in placed && placed[x].end <= now));
    const stream = freeAt.findIndex((time) => time <= now);
    if (ready.length === 0 || stream < 0) {
      now = Math.min(...Object.values(placed).map(({ end }) => end).filter((end) => end > now));
      continue;
    }
    const next = ready.reduce((a, b) => (rank.get(b.name)! > rank.get(a.name)! ? b : a));
    placed[next.name] = { stream, start: now, end: now + next.time };
    freeAt[stream] = now + next.time;
  }
  return placed;
}

/** Pairs of tasks on different streams of which the second has to wait. */
function waits(tasks: Task[], placed: Record<string, Slot>): Edge[] {
  const edges = tasks.flatMap(({ name, after }) => [...new Set(after)].map((from): Edge => [from, name]));
  const order = [...tasks].sort((a, b) => placed[a.name].start - placed[b.name].start);
  const along = order.flatMap(({ name }, i): Edge[] => {
    const next = order.slice(i + 1).find((t) => placed[t.name].stream === placed[name].stream);
    return next ? [[name, next.name]] : [];
  });
  const all = [...edges, ...along];
  return sorted(
    edges.filter(([from, to]) => placed[from].stream !== placed[to].stream && !follows(all, from, to)),
    tasks.map(({ name }) => name),
  );
}

/** Edges that keep the order of effects. */
function controlEdges(effects: Effect[]): Edge[] {
  const meets = (a: string[], b: string[]) => a.some((x) => b.includes(x));
  const edges = effects.flatMap((later, j) =>
    effects
      .slice(0, j)
      .filter((earlier) => meets(earlier.writes, [...later.reads, ...later.writes]) || meets(earlier.reads, [...later.reads, ...later.writes]))
      .map((earlier): Edge => [earlier.name, later.name]),
  );
  return sorted(
    edges.filter(([from, to]) => !follows(edges, from, to)),
    effects.map(({ name }) => name),
  );
}

/** True if there is a way from one to the other beside the edge itself. */
function follows(edges: Edge[], from: string, to: string): boolean {
  const open = edges.filter(([a, b]) => a === from && b !== to).map(([, b]) => b);
  const seen = new Set(open);
  for (let at = open.pop(); at !== undefined; at = open.pop()) {
    if (at === to) return true;
    for (const [a, b] of edges)
      if (a === at && !seen.has(b)) {
        seen.add(b);
        open.push(b);
      }
  }
  return false;
}

function sorted(edges: Edge[], order: string[]): Edge[] {
  const at = (name: string) => order.indexOf(name);
  return edges.sort((p, q) => at(p[1]) - at(q[1]) || at(p[0]) - at(q[0]));
}
