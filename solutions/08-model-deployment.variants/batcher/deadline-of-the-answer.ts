// expect: wrong 4/8
// fails: back-pressure: the queue is short, the server slow | deadlines | on the very moment
// why: a deadline on the very moment is too late
interface Request {
  at: number;
  deadline: number;
}
interface Rules {
  maxBatch: number;
  /** Milliseconds that the first of the queue waits for others. */
  maxWait: number;
  /** Requests that may wait. */
  queue: number;
  /** A batch of n takes fixed + n · each. */
  fixed: number;
  each: number;
}
type Outcome = { state: "done"; batch: number; begin: number; end: number } | { state: "refused" } | { state: "expired" };

/** What becomes of each request. */
function serve(requests: Request[], rules: Rules): Outcome[] {
  const outcomes: Outcome[] = new Array(requests.length);
  let waiting: number[] = [];
  let [next, freeAt, batches] = [0, 0, 0];
  let now = requests[0]?.at ?? 0;
  while (next < requests.length || waiting.length > 0) {
    for (; next < requests.length && requests[next].at <= now; next++)
      if (waiting.length < rules.queue) waiting.push(next);
      else outcomes[next] = { state: "refused" };
    waiting = waiting.filter((i) => {
      if (requests[i].deadline > now) return true;
      outcomes[i] = { state: "expired" };
      return false;
    });
    const ripe = waiting.length >= rules.maxBatch || (waiting.length > 0 && now - requests[waiting[0]].at >= rules.maxWait);
    if (freeAt <= now && ripe) {
      const members = waiting.splice(0, rules.maxBatch);
      freeAt = now + rules.fixed + rules.each * members.length;
      for (const i of members) outcomes[i] = { state: "done", batch: batches, begin: now, end: freeAt };
      batches++;
    }
    const moments = [
      ...(next < requests.length ? [requests[next].at] : []),
      ...waiting.map((i) => requests[i].deadline),
      ...(waiting.length > 0 ? [requests[waiting[0]].at + rules.maxWait, freeAt] : []),
    ].filter((t) => t > now);
    if (moments.length === 0) break;
    now = Math.min(...moments);
  }
  return outcomes;
}
