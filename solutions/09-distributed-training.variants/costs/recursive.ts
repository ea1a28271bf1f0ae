// expect: correct
// why: halves instead of doubling, sums instead of formulas
type Kind = "broadcast" | "reduce" | "allReduce" | "allGather" | "reduceScatter";

function busBandwidth(kind: Kind, ranks: number, bytes: number, seconds: number): number {
  let moved = bytes;
  if (kind === "allReduce") moved = 2 * (bytes - bytes / ranks);
  if (kind === "allGather" || kind === "reduceScatter") moved = bytes - bytes / ranks;
  return moved / seconds;
}

function treeBroadcast(ranks: number, root: number): [from: number, to: number][][] {
  const depth = stepsOf(ranks);
  const steps = Array.from({ length: depth }, (): [number, number][] => []);
  const share = (first: number, count: number, step: number): void => {
    if (count <= 1) return;
    const half = Math.ceil(count / 2);
    steps[step].push([(first + root) % ranks, (first + half + root) % ranks]);
    share(first, half, step + 1);
    share(first + half, count - half, step + 1);
  };
  share(0, ranks, 0);
  return steps;
}

function stepsOf(ranks: number): number {
  return ranks <= 1 ? 0 : 1 + stepsOf(Math.ceil(ranks / 2));
}

function cost(kind: Kind, algorithm: string, ranks: number, bytes: number, alpha: number, beta: number): number {
  const message = (l: number): number => alpha + beta * l;
  let sum = 0;
  if (kind === "broadcast" && algorithm === "naive") for (let i = 1; i < ranks; i++) sum += message(bytes);
  else if (kind === "allReduce" && algorithm === "ring") for (let i = 1; i < ranks; i++) sum += 2 * message(bytes / ranks);
  else if (algorithm === "hypercube") sum = stepsOf(ranks) * alpha + beta * (bytes - bytes / ranks);
  else for (let i = 0; i < stepsOf(ranks); i++) sum += message(bytes) * (kind === "allReduce" ? 2 : 1);
  return sum;
}

function fastest(kind: Kind, ranks: number, bytes: number, alpha: number, beta: number): string {
  const [a, b] = kind === "broadcast" ? ["naive", "tree"] : kind === "allReduce" ? ["tree", "ring"] : ["naive", "hypercube"];
  return cost(kind, b, ranks, bytes, alpha, beta) < cost(kind, a, ranks, bytes, alpha, beta) ? b : a;
}
