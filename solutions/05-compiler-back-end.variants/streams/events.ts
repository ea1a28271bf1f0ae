// expect: correct
// why: a queue of ends, reachability as sets
type Edge = [from: string, to: string];

function schedule(tasks: Task[], streams: number): Record<string, Slot> {
  const memo: Record<string, number> = {};
  const rank = (name: string): number => {
    memo[name] ??= tasks.find((t) => t.name === name)!.time + tasks.reduce((m, t) => (t.after.includes(name) ? Math.max(m, rank(t.name)) : m), 0);
    return memo[name];
  };
  const order = tasks.map((t, i) => ({ t, i })).sort((a, b) => rank(b.t.name) - rank(a.t.name) || a.i - b.i).map(({ t }) => t);
  const done: Record<string, Slot> = {};
  const busy: (Slot | null)[] = Array.from({ length: streams }, () => null);
  let clock = 0;
  let left = tasks.length;
  while (left > 0) {
    busy.forEach((slot, s) => {
      if (slot && slot.end <= clock) busy[s] = null;
    });
    for (const t of order) {
      const s = busy.indexOf(null);
      if (s < 0) break;
      if (done[t.name] || !t.after.every((x) => done[x] && done[x].end <= clock)) continue;
      busy[s] = done[t.name] = { stream: s, start: clock, end: clock + t.time };
      left--;
    }
    const ends = busy.flatMap((slot) => (slot ? [slot.end] : []));
    if (left > 0) clock = Math.min(...ends);
  }
  return done;
}

/** Edges of which none follows from the others, out of those that `keep` wants. */
function reduced(names: string[], edges: Edge[], keep: (from: string, to: string) => boolean): Edge[] {
  const next = new Map<string, Set<string>>(names.map((n) => [n, new Set()]));
  for (const [a, b] of edges) next.get(a)!.add(b);
  const cache = new Map<string, Set<string>>();
  const beyond = (n: string): Set<string> => {
    if (!cache.has(n)) cache.set(n, new Set([...next.get(n)!].flatMap((m) => [m, ...beyond(m)])));
    return cache.get(n)!;
  };
  const out: Edge[] = [];
  for (const to of names)
    for (const from of names) {
      if (!next.get(from)!.has(to) || !keep(from, to)) continue;
      if ([...next.get(from)!].some((m) => m !== to && beyond(m).has(to))) continue;
      out.push([from, to]);
    }
  return out;
}

function waits(tasks: Task[], placed: Record<string, Slot>): Edge[] {
  const edges: Edge[] = [];
  for (const t of tasks) for (const from of t.after) edges.push([from, t.name]);
  const dependency = new Set(edges.map(([a, b]) => a + ">" + b));
  for (const a of tasks) for (const b of tasks) if (placed[a.name].stream === placed[b.name].stream && placed[a.name].start < placed[b.name].start) edges.push([a.name, b.name]);
  return reduced(tasks.map((t) => t.name), edges, (a, b) => placed[a].stream !== placed[b].stream && dependency.has(a + ">" + b));
}

function controlEdges(effects: Effect[]): Edge[] {
  const edges: Edge[] = [];
  for (let j = 0; j < effects.length; j++)
    for (let i = 0; i < j; i++) {
      const [a, b] = [effects[i], effects[j]];
      const touched = (e: Effect) => new Set([...e.reads, ...e.writes]);
      if (a.writes.some((v) => touched(b).has(v)) || b.writes.some((v) => touched(a).has(v))) edges.push([a.name, b.name]);
    }
  return reduced(effects.map((e) => e.name), edges, () => true);
}
