// expect: wrong 8/10
// fails: too few cores: the slowest op is as fast as can be
// why: shares out by cost, rounded down, the rest from the left
interface Diagnosis {
  stalls: boolean;
  limit: "reading" | "preprocessing" | "consumer";
}

/** Whether the consumer waits, and for what. */
function diagnose(F: number, P: number, G: number): Diagnosis {
  if (G < Math.min(F, P)) return { stalls: false, limit: "consumer" };
  return { stalls: true, limit: F < P ? "reading" : "preprocessing" };
}

/** Milliseconds that the consumer waits. */
function waited(making: number[], using: number[], capacity: number): number {
  const taken: number[] = [];
  let [put, free, total] = [0, 0, 0];
  for (const [k, ms] of making.entries()) {
    put = Math.max(put + ms, taken[k - capacity] ?? 0);
    taken[k] = Math.max(put, free);
    total += taken[k] - free;
    free = taken[k] + using[k];
  }
  return total;
}

/** Threads for each op. */
function shareThreads(costs: number[], pace: number, cores: number): number[] {
  const wanted = costs.map((cost) => Math.max(1, Math.ceil(cost / pace)));
  if (wanted.reduce((a, b) => a + b, 0) <= cores) return wanted;
  const all = costs.reduce((a, b) => a + b, 0);
  const threads = costs.map((cost) => Math.max(1, Math.floor((cores * cost) / all)));
  for (let left = cores - threads.reduce((a, b) => a + b, 0), i = 0; left > 0; left--, i++) threads[i % costs.length]++;
  return threads;
}
