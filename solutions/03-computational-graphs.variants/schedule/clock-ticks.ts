// expect: correct
// why: advances through the sorted times at which something ends; computes memory from intervals
function schedule(jobs: readonly Job[], streams: number): Placement[] {
  const rank = new Map<string, number>();
  for (let changed = true; changed; ) {
    changed = false;
    for (const job of jobs) {
      const behind = jobs.filter((other) => other.inputs.includes(job.id)).map((other) => rank.get(other.id) ?? 0);
      const length = behind.reduce((a, b) => Math.max(a, b), 0) + job.cost;
      if (rank.get(job.id) !== length) {
        rank.set(job.id, length);
        changed = true;
      }
    }
  }
  const byRank = jobs.map((job, at) => ({ job, at })).sort((a, b) => rank.get(b.job.id)! - rank.get(a.job.id)! || a.at - b.at);
  const end = new Map<string, number>();
  const busyUntil = Array.from({ length: streams }, () => 0);
  const result: Placement[] = [];
  const times = [0];
  while (result.length < jobs.length) {
    times.sort((a, b) => b - a);
    const now = times.pop()!;
    for (const { job } of byRank) {
      if (end.has(job.id) || job.inputs.some((input) => !end.has(input) || end.get(input)! > now)) continue;
      const stream = busyUntil.findIndex((time) => time <= now);
      if (stream === -1) break;
      busyUntil[stream] = now + job.cost;
      end.set(job.id, now + job.cost);
      times.push(now + job.cost);
      result.push({ id: job.id, stream, start: now });
    }
  }
  return result;
}

function peakBytes(jobs: readonly Job[], order: readonly string[]): number {
  const at = new Map(order.map((id, i) => [id, i]));
  const dies = (job: Job) => {
    const readers = jobs.filter((other) => other.inputs.includes(job.id)).map((other) => at.get(other.id)!);
    return readers.length ? Math.max(...readers) : Number.POSITIVE_INFINITY;
  };
  return Math.max(
    0,
    ...order.map((_, now) => jobs.reduce((sum, job) => (at.get(job.id)! <= now && now <= dies(job) ? sum + job.bytes : sum), 0)),
  );
}
