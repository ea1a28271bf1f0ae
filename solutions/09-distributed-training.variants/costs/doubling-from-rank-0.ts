// expect: wrong 7/9
// fails: any tree, from any root
// why: the root is always 0
type Kind = "broadcast" | "reduce" | "allReduce" | "allGather" | "reduceScatter";

/** Bytes per second that a link carried. */
function busBandwidth(kind: Kind, ranks: number, bytes: number, seconds: number): number {
  const share = (ranks - 1) / ranks;
  const factor = { broadcast: 1, reduce: 1, allReduce: 2 * share, allGather: share, reduceScatter: share }[kind];
  return (bytes / seconds) * factor;
}

/** Who sends to whom, step by step. */
function treeBroadcast(ranks: number, root: number): [from: number, to: number][][] {
  const steps: [number, number][][] = [];
  for (let have = 1; have < ranks; have *= 2) {
    const step: [number, number][] = [];
    for (let i = 0; i < have && i + have < ranks; i++) step.push([i, i + have]);
    steps.push(step);
  }
  return steps;
}

/** Seconds. */
function cost(kind: Kind, algorithm: string, ranks: number, bytes: number, alpha: number, beta: number): number {
  const log = Math.ceil(Math.log2(ranks));
  const whole = alpha + beta * bytes;
  const found: Record<string, number> = {
    "broadcast naive": (ranks - 1) * whole,
    "broadcast tree": log * whole,
    "allReduce tree": 2 * log * whole,
    "allReduce ring": 2 * (ranks - 1) * (alpha + (beta * bytes) / ranks),
    "allGather naive": log * whole,
    "allGather hypercube": log * alpha + ((ranks - 1) / ranks) * beta * bytes,
  };
  return found[`${kind} ${algorithm}`];
}

/** Name of the cheapest algorithm. */
function fastest(kind: Kind, ranks: number, bytes: number, alpha: number, beta: number): string {
  const names = { broadcast: ["naive", "tree"], allReduce: ["tree", "ring"], allGather: ["naive", "hypercube"] }[kind as "broadcast"];
  const costs = names.map((name) => cost(kind, name, ranks, bytes, alpha, beta));
  return names[costs.indexOf(Math.min(...costs))];
}
