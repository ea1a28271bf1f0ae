// expect: correct
// why: a clock that ticks
interface Request {
  at: number;
  deadline: number;
}
interface Rules {
  maxBatch: number;
  maxWait: number;
  queue: number;
  fixed: number;
  each: number;
}
type Outcome = { state: "done"; batch: number; begin: number; end: number } | { state: "refused" } | { state: "expired" };

function serve(requests: Request[], rules: Rules): Outcome[] {
  const found = new Map<number, Outcome>();
  const line: number[] = [];
  let free = 0;
  let batch = 0;
  for (let t = 0, i = 0; found.size < requests.length; t++) {
    while (i < requests.length && requests[i].at === t) {
      if (line.length === rules.queue) found.set(i, { state: "refused" });
      else line.push(i);
      i++;
    }
    for (let k = line.length - 1; k >= 0; k--)
      if (requests[line[k]].deadline < t) {
        found.set(line[k], { state: "expired" });
        line.splice(k, 1);
      }
    if (t < free || line.length === 0) continue;
    if (line.length >= rules.maxBatch || t - requests[line[0]].at >= rules.maxWait) {
      const members = line.splice(0, rules.maxBatch);
      free = t + rules.fixed + rules.each * members.length;
      for (const m of members) found.set(m, { state: "done", batch, begin: t, end: free });
      batch++;
    }
  }
  return requests.map((_, k) => found.get(k) as Outcome);
}
