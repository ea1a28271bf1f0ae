// expect: wrong 3/6
// fails: two products at once on two streams | the longest chain goes first | random graphs: valid, and no later than the rule
// why: uses one stream only
/** Places every job of an acyclic graph on one of `streams` streams. */
function schedule(jobs: readonly Job[], streams: number): Placement[] {
  const priorities = new Map<string, number>();
  const priority = (job: Job): number => {
    const known = priorities.get(job.id);
    if (known !== undefined) return known;
    const behind = jobs.filter((other) => other.inputs.includes(job.id)).map(priority);
    const length = job.cost + Math.max(0, ...behind);
    priorities.set(job.id, length);
    return length;
  };
  const ends = new Map<string, number>();
  const freeAt = new Array<number>(Math.min(1, streams)).fill(0);
  const waiting = new Set(jobs);
  const placed: Placement[] = [];
  let now = 0;
  while (waiting.size > 0) {
    const ready = [...waiting].filter((job) => job.inputs.every((input) => (ends.get(input) ?? Infinity) <= now));
    const stream = freeAt.findIndex((time) => time <= now);
    if (ready.length === 0 || stream < 0) {
      now = Math.min(...[...freeAt, ...ends.values()].filter((time) => time > now));
      continue;
    }
    const job = ready.reduce((best, other) => (priority(other) > priority(best) ? other : best));
    waiting.delete(job);
    placed.push({ id: job.id, stream, start: now });
    freeAt[stream] = now + job.cost;
    ends.set(job.id, now + job.cost);
  }
  return placed;
}

/** The most bytes that are alive at once when the jobs run one at a time in this order. */
function peakBytes(jobs: readonly Job[], order: readonly string[]): number {
  const byId = new Map(jobs.map((job) => [job.id, job]));
  const lastRead = new Map<string, number>();
  order.forEach((id, at) => {
    for (const input of byId.get(id)!.inputs) lastRead.set(input, at);
  });
  let alive = 0;
  let peak = 0;
  order.forEach((id, at) => {
    const job = byId.get(id)!;
    alive += job.bytes;
    peak = Math.max(peak, alive);
    for (const input of new Set(job.inputs)) if (lastRead.get(input) === at) alive -= byId.get(input)!.bytes;
  });
  return peak;
}
