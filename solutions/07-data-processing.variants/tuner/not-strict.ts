// expect: wrong 9/10
// fails: rates that are equal
// why: takes G = min(F, P) for no stall
interface Diagnosis {
  stalls: boolean;
  limit: "reading" | "preprocessing" | "consumer";
}

/** Whether the consumer waits, and for what. */
function diagnose(F: number, P: number, G: number): Diagnosis {
  if (G <= Math.min(F, P)) return { stalls: false, limit: "consumer" };
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
  const threads = costs.map(() => 1);
  for (let left = cores - costs.length; left > 0; left--) {
    let slowest = 0;
    for (const i of costs.keys()) if (costs[i] / threads[i] > costs[slowest] / threads[slowest]) slowest = i;
    threads[slowest]++;
  }
  return threads;
}
