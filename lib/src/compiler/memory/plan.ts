/**
 * The memory plan of a graph: an address for each buffer, decided before the first run. (Book, chapter 5: memory
 * allocation, reuse by lifetime, contiguous buffers for groups.)
 */
import { ValueError } from "../../core/errors.js";
import { dagOf } from "../../graph/dag.js";
import type { Graph, Value } from "../../ir/graph.js";
import { getAllocator } from "./allocators/index.js";
import type { AllocationProblem, Attempt, Block } from "./allocators/problem.js";
import { ancestorsOf, type NodeOrder } from "./ancestors.js";
import { type Buffer, type BufferKind, type BufferOptions, buffersOf } from "./buffers.js";

export interface PlanOptions extends BufferOptions {
  /** "none", "bestFit", "doubleCursor" or "somas". Default "somas". */
  readonly allocator?: string;
  /** Every buffer starts at a multiple of so many bytes. Default 64, a cache line. */
  readonly alignment?: number;
  /**
   * Values whose buffers must lie side by side, in this order: what one operation then takes as a whole (several
   * gradients in one all-reduce, all weights in one broadcast).
   */
  readonly groups?: readonly (readonly Value[])[];
}

export interface PlannedBuffer {
  readonly name: string;
  readonly kind: BufferKind;
  readonly bytes: number;
  /** Bytes from the start of the arena. */
  readonly offset: number;
  /** Positions of the first and the last node during which it is kept; −1 and `nodes.length` stand for the caller's time. */
  readonly first: number;
  readonly last: number;
  /** Ids of the values in it. */
  readonly values: readonly number[];
  /** Number of its group, if it has one. */
  readonly group: number | null;
}

/** Plain data: it can be written as JSON and drawn (`viz.memoryMap`). */
export interface MemoryPlan {
  readonly graph: string;
  readonly allocator: string;
  readonly alignment: number;
  /** Names of the nodes, in order. */
  readonly nodes: readonly string[];
  readonly buffers: readonly PlannedBuffer[];
  /** Size of the arena. */
  readonly peakBytes: number;
  /** If every buffer had memory of its own. */
  readonly withoutReuseBytes: number;
  /** The most that is alive at once: no plan for this order is smaller. */
  readonly lowerBoundBytes: number;
  /** What a solver tried. */
  readonly attempts: readonly Attempt[];
}

/**
 * Plans the memory of a graph's intermediate results and results (with `weights`, of parameters and constants too).
 * @throws ValueError for an unknown allocator, an alignment that is no power of two, an allocator that walks through
 * time together with another order than "sequence", or a value in two groups.
 * @example compiler.planMemory(capture((x: Tensor) => x.matmul(x).matmul(x).matmul(x), ones([4, 4]))).peakBytes // 128
 */
export function planMemory(graph: Graph, options: PlanOptions = {}): MemoryPlan {
  const buffers = buffersOf(graph, options);
  const { allocator, alignment, peakBytes, offsets, groups, lowerBound, attempts } = planBuffers(
    graph,
    buffers,
    options,
  );
  const apart = buffersOf(graph, { ...options, inPlace: false });
  return {
    graph: graph.name,
    allocator,
    alignment,
    nodes: dagOf(graph).nodes,
    buffers: buffers.map(({ name, kind, bytes, first, last, values }, i) => ({
      name,
      kind,
      bytes,
      offset: offsets[i],
      first,
      last,
      values: values.map(({ id }) => id),
      group: groups[i],
    })),
    peakBytes,
    withoutReuseBytes: apart.reduce((sum, { bytes }) => sum + aligned(bytes, alignment), 0),
    lowerBoundBytes: lowerBound,
    attempts,
  };
}

/** Places for buffers. */
export interface Placement {
  readonly allocator: string;
  readonly alignment: number;
  readonly offsets: readonly number[];
  /** Number of each buffer's group, or `null`. */
  readonly groups: readonly (number | null)[];
  readonly peakBytes: number;
  readonly lowerBound: number;
  readonly attempts: readonly Attempt[];
}

/** `planMemory` for buffers that are known already. */
export function planBuffers(
  graph: Graph,
  buffers: readonly Buffer[],
  { allocator: name = "somas", alignment = 64, groups = [], order = "sequence" }: PlanOptions,
): Placement {
  if (!Number.isInteger(alignment) || alignment < 1 || (alignment & (alignment - 1)) !== 0)
    throw new ValueError(`planMemory: the alignment is a power of two, got ${alignment}`);
  const allocator = getAllocator(name);
  if (allocator.needsSequence && order !== "sequence")
    throw new ValueError(
      `planMemory: ${allocator.name} walks through time, so it plans for the order of the nodes only; for others take "somas"`,
    );
  const packs = packed(buffers, groups);
  const blocks = packs.map((pack): Block => {
    const members = pack.map((i) => buffers[i]);
    const [first, last] = [Math.min(...members.map((b) => b.first)), Math.max(...members.map((b) => b.last))];
    const bytes = members.reduce((sum, b) => sum + aligned(b.bytes, alignment), 0);
    return { bytes, first, last, lasting: first < 0 && last >= graph.nodes.length };
  });
  const conflicts = order === "sequence" ? null : conflictsOf(packs, exclusions(graph, buffers, order));
  const problem: AllocationProblem = {
    blocks,
    conflict: (a, b) => (conflicts === null ? meet(blocks[a], blocks[b]) : conflicts[a][b]),
    lowerBound: order === "sequence" ? mostAlive(blocks) : Math.max(0, ...blocks.map(({ bytes }) => bytes)),
  };
  const { offsets, peakBytes, attempts = [] } = allocator.allocate(problem);
  const places = new Array<number>(buffers.length).fill(0);
  const groupOf = new Array<number | null>(buffers.length).fill(null);
  packs.forEach((pack, k) => {
    let at = offsets[k];
    for (const i of pack) {
      places[i] = at;
      if (k < groups.length) groupOf[i] = k;
      at += aligned(buffers[i].bytes, alignment);
    }
  });
  const { lowerBound } = problem;
  return {
    allocator: allocator.name,
    alignment,
    offsets: places,
    groups: groupOf,
    peakBytes,
    lowerBound,
    attempts,
  };
}

const aligned = (bytes: number, alignment: number): number => Math.ceil(bytes / alignment) * alignment;

const meet = (a: Block, b: Block): boolean => a.first <= b.last && b.first <= a.last;

function conflictsOf(
  packs: readonly (readonly number[])[],
  exclude: (a: number, b: number) => boolean,
): boolean[][] {
  return packs.map((a) => packs.map((b) => a.some((i) => b.some((j) => exclude(i, j)))));
}

/** Buffers that must not overlap: neither is surely done before the other begins. */
function exclusions(
  graph: Graph,
  buffers: readonly Buffer[],
  order: NodeOrder,
): (a: number, b: number) => boolean {
  const ancestors = ancestorsOf(graph, order);
  const lasts = (b: Buffer): boolean => b.first < 0 || b.last >= graph.nodes.length;
  /** Everything that touches `a` has ended when the first node that touches `b` starts. */
  const done = (a: Buffer, b: Buffer): boolean =>
    a.last < graph.nodes.length && b.first >= 0 && a.touchedBy.every((node) => ancestors.has(b.first, node));
  return (i, j) => {
    const [a, b] = [buffers[i], buffers[j]];
    if (i === j || (lasts(a) && lasts(b))) return true;
    return !done(a, b) && !done(b, a);
  };
}

/** The most bytes of blocks that are alive at one node. */
function mostAlive(blocks: readonly Block[]): number {
  const changes = new Map<number, number>();
  const change = (at: number, by: number): void => void changes.set(at, (changes.get(at) ?? 0) + by);
  for (const { first, last, bytes } of blocks) {
    change(first, bytes);
    change(last + 1, -bytes);
  }
  let alive = 0;
  let most = 0;
  for (const [, by] of [...changes].sort(([a], [b]) => a - b)) {
    alive += by;
    most = Math.max(most, alive);
  }
  return most;
}

/** The groups' buffers together, then each other one alone: positions in `buffers`. */
function packed(buffers: readonly Buffer[], groups: readonly (readonly Value[])[]): number[][] {
  const at = new Map<Value, number>();
  buffers.forEach(({ values }, i) => {
    for (const value of values) at.set(value, i);
  });
  const taken = new Set<number>();
  const packs = groups.map((group, k) =>
    group.map((value) => {
      const i = at.get(value);
      if (i === undefined)
        throw new ValueError(`planMemory: %${value.id} of group ${k} has no buffer in this plan`);
      if (taken.has(i))
        throw new ValueError(`planMemory: the buffer of %${value.id} stands in two places of groups`);
      taken.add(i);
      return i;
    }),
  );
  return [...packs, ...buffers.flatMap((_, i) => (taken.has(i) ? [] : [[i]]))];
}
