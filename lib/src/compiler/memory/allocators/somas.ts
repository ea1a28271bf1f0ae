/**
 * A solver in the manner of SOMAS (Safe Optimized Memory Allocation Solver; book, chapter 5): all buffers are known
 * beforehand, with the pairs that exclude each other. Placing them in the least memory is NP-complete (a packing of
 * rectangles), so several greedy ways are tried and the best result is kept.
 */
import { type Allocation, type AllocationProblem, type Allocator, type Attempt, peakOf } from "./problem.js";

type Fitting = "best" | "lowest";

/** Ways to place one block after the other; the first named is the fastest and mostly the best. */
const SORTINGS: Readonly<Record<string, (p: AllocationProblem) => (a: number, b: number) => number>> = {
  size: (p) => (a, b) => p.blocks[b].bytes - p.blocks[a].bytes || a - b,
  "size, last first": (p) => (a, b) => p.blocks[b].bytes - p.blocks[a].bytes || b - a,
  area: (p) => (a, b) => areaOf(p, b) - areaOf(p, a) || a - b,
  lifetime: (p) => (a, b) => spanOf(p, b) - spanOf(p, a) || p.blocks[b].bytes - p.blocks[a].bytes || a - b,
  conflicts: (p) => {
    const count = p.blocks.map((_, i) =>
      p.blocks.reduce((n, _b, j) => n + Number(i !== j && p.conflict(i, j)), 0),
    );
    return (a, b) => count[b] - count[a] || p.blocks[b].bytes - p.blocks[a].bytes || a - b;
  },
  start: (p) => (a, b) =>
    p.blocks[a].first - p.blocks[b].first || p.blocks[b].bytes - p.blocks[a].bytes || a - b,
};

/** Choosing the lowest of all blocks costs a pass over all pairs per block. */
const LOWEST_FIRST_LIMIT = 300;

export const somas: Allocator = {
  name: "somas",
  summary: "all lifetimes known beforehand: several greedy orders and fits, the best result kept",
  needsSequence: false,
  allocate: (problem) => {
    const attempts: Attempt[] = [];
    let best: Allocation | null = null;
    const consider = (name: string, offsets: readonly number[]): boolean => {
      const peakBytes = peakOf(problem.blocks, offsets);
      attempts.push({ name, peakBytes });
      if (best === null || peakBytes < best.peakBytes) best = { offsets, peakBytes };
      return peakBytes <= problem.lowerBound; // nothing can be better
    };
    search: for (const [sorting, compare] of Object.entries(SORTINGS)) {
      const order = problem.blocks.map((_, i) => i).sort(compare(problem));
      for (const fitting of ["best", "lowest"] as const)
        if (consider(`by ${sorting}, ${fitting} gap`, oneByOne(problem, order, fitting))) break search;
      if (problem.blocks.length <= LOWEST_FIRST_LIMIT && sorting !== "start")
        if (consider(`lowest block first, by ${sorting}`, lowestFirst(problem, order))) break;
    }
    const { offsets, peakBytes } = best ?? { offsets: [], peakBytes: 0 };
    return { offsets, peakBytes, attempts };
  },
};

const spanOf = ({ blocks }: AllocationProblem, i: number): number => blocks[i].last - blocks[i].first + 1;
const areaOf = (p: AllocationProblem, i: number): number => p.blocks[i].bytes * spanOf(p, i);

/** Each block in order, into a gap between the placed ones that it must not overlap. */
function oneByOne(problem: AllocationProblem, order: readonly number[], fitting: Fitting): number[] {
  const { blocks, conflict } = problem;
  const offsets = new Array<number>(blocks.length).fill(0);
  const placed: number[] = []; // by offset
  for (const i of order) {
    offsets[i] = gapFor(
      blocks[i].bytes,
      placed.filter((j) => conflict(i, j)),
      problem,
      offsets,
      fitting,
    );
    let at = placed.length;
    while (at > 0 && offsets[placed[at - 1]] > offsets[i]) at--;
    placed.splice(at, 0, i);
  }
  return offsets;
}

/** Where `bytes` fit among blocks that are sorted by offset. */
function gapFor(
  bytes: number,
  around: readonly number[],
  { blocks }: AllocationProblem,
  offsets: readonly number[],
  fitting: Fitting,
): number {
  let end = 0;
  let best = -1;
  let bestGap = Number.POSITIVE_INFINITY;
  for (const j of around) {
    const gap = offsets[j] - end;
    if (gap >= bytes && gap < bestGap) {
      best = end;
      bestGap = gap;
      if (fitting === "lowest") break;
    }
    end = Math.max(end, offsets[j] + blocks[j].bytes);
  }
  return best >= 0 ? best : end;
}

/** Again and again the block that can lie lowest; among equals the first in order. */
function lowestFirst(problem: AllocationProblem, order: readonly number[]): number[] {
  const { blocks, conflict } = problem;
  const offsets = new Array<number>(blocks.length).fill(0);
  const lowest = new Array<number>(blocks.length).fill(0);
  const placed: number[] = [];
  const waiting = new Set(order);
  while (waiting.size > 0) {
    let next = -1;
    for (const i of waiting) if (next < 0 || lowest[i] < lowest[next]) next = i;
    offsets[next] = lowest[next];
    waiting.delete(next);
    let at = placed.length;
    while (at > 0 && offsets[placed[at - 1]] > offsets[next]) at--;
    placed.splice(at, 0, next);
    for (const i of waiting)
      if (conflict(i, next))
        lowest[i] = gapFor(
          blocks[i].bytes,
          placed.filter((j) => conflict(i, j)),
          problem,
          offsets,
          "lowest",
        );
  }
  return offsets;
}
