// expect: correct
// why: looks for the best bound among all costs / threads
function diagnose(F: number, P: number, G: number): { stalls: boolean; limit: "reading" | "preprocessing" | "consumer" } {
  const supply = F < P ? F : P;
  if (supply > G) return { limit: "consumer", stalls: false };
  return { limit: supply === P ? "preprocessing" : "reading", stalls: true };
}

function waited(making: number[], using: number[], capacity: number): number {
  let clock = 0;
  let waits = 0;
  const puts: number[] = [];
  const takes: number[] = [];
  for (let k = 0; k < making.length; k++) {
    const finished = (puts[k - 1] ?? 0) + making[k];
    puts.push(k >= capacity ? Math.max(finished, takes[k - capacity]) : finished);
    const start = Math.max(clock, puts[k]);
    waits += start - clock;
    takes.push(start);
    clock = start + using[k];
  }
  return waits;
}

function shareThreads(costs: number[], pace: number, cores: number): number[] {
  const need = (bound: number): number[] => costs.map((cost) => Math.max(1, Math.ceil(cost / bound)));
  const sum = (list: number[]): number => list.reduce((a, b) => a + b, 0);
  if (sum(need(pace)) <= cores) return need(pace);
  if (cores <= costs.length) return costs.map(() => 1);
  const bounds = costs.flatMap((cost) => Array.from({ length: cores }, (_, w) => cost / (w + 1))).filter((b) => b > 0).sort((a, b) => a - b);
  const best = bounds.find((bound) => sum(costs.map((cost) => Math.max(1, Math.ceil(cost / bound - 1e-9)))) <= cores)!;
  const threads = costs.map((cost) => Math.max(1, Math.ceil(cost / best - 1e-9)));
  threads[costs.indexOf(Math.max(...costs))] += cores - sum(threads);
  return threads;
}
