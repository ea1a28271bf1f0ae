/**
 * One streaming multiprocessor, cycle by cycle: its warps issue in order, each as soon as its registers are there and the unit
 * is free; what a warp waits for is counted by the reasons that NVIDIA's profiler gives.
 */
import type { Instruction } from "./instructions.js";
import { SECTOR } from "./memory-access.js";
import { WARP } from "./occupancy.js";
import type { GpuSpec } from "./spec.js";

/** Why a warp did not issue in a cycle. */
export const STALLS = [
  "long scoreboard", // waits for global memory
  "short scoreboard", // waits for shared memory
  "wait", // waits for arithmetic
  "LG throttle", // the queue of global accesses is full
  "MIO throttle", // the queue of shared accesses is full
  "math pipe throttle", // the arithmetic units are busy
  "barrier", // waits for other warps
  "not selected", // another warp issued
] as const;
export type Stall = (typeof STALLS)[number];

export interface Counters {
  /** Instructions of warps. */
  issued: number;
  math: number;
  flops: number;
  globalLoads: number;
  globalStores: number;
  sharedLoads: number;
  sharedStores: number;
  barriers: number;
  /** Of 32 bytes, asked for; missed in L1; missed in L2. */
  sectors: number;
  l1Misses: number;
  l2Misses: number;
  /** Turns of shared memory, and how many of them are due to conflicts between banks. */
  sharedTurns: number;
  bankConflicts: number;
  /** Cycles × warps by reason. */
  readonly stalls: Record<Stall, number>;
}

export interface Run {
  readonly cycles: number;
  readonly counters: Counters;
}

const SCHEDULERS = 4;
/** Accesses that wait for the memory pipe before warps must. */
const QUEUE = 16;
/** Sectors that L1 gives in a cycle, and tags that it compares. */
const L1_SECTORS = 4;

interface WarpState {
  readonly stream: Generator<Instruction>;
  readonly block: number;
  next: Instruction | null;
  /** Cycle at which each register is there, and who makes it. */
  readonly ready: number[];
  readonly maker: Stall[];
  atBarrier: boolean;
  /** Cycle of the last issue: the scheduler stays with a warp while it can, then takes the one that waited longest. */
  last: number;
}

export interface Machine {
  readonly spec: GpuSpec;
  /** Sectors in the L2 cache (shared by all processors), as far as this processor can know. */
  readonly l2: SectorCache;
  readonly l1: SectorCache;
}

/** Sectors, the least recently used of which goes first. */
export class SectorCache {
  private readonly kept = new Set<number>();

  constructor(private readonly capacity: number) {}

  /** @returns true if it was there; it is in any case afterwards. */
  touch(sector: number): boolean {
    const had = this.kept.delete(sector);
    this.kept.add(sector);
    if (this.kept.size > this.capacity) this.kept.delete(this.kept.values().next().value as number);
    return had;
  }
}

/** Runs blocks that are resident together, to the end. `streams`: by block, by warp. */
export function runProcessor(
  { spec, l1, l2 }: Machine,
  streams: readonly (readonly Generator<Instruction>[])[],
): Run {
  const counters = emptyCounters();
  const warps: WarpState[] = streams.flatMap((block, i) =>
    block.map((stream) => ({
      stream,
      block: i,
      next: null,
      ready: [],
      maker: [],
      atBarrier: false,
      last: -1,
    })),
  );
  const waiting = streams.map(() => 0);
  const alive = streams.map((block) => block.length);
  const mathEvery = WARP / (spec.units.fp32 / SCHEDULERS); // cycles that a unit is busy with a warp
  const mathFree = new Array<number>(SCHEDULERS).fill(0);
  const l2Cycles = (SECTOR * spec.processors * spec.ghz) / spec.l2Gbytes; // of one sector, for this processor's share
  const dramCycles = (SECTOR * spec.processors * spec.ghz) / spec.dramGbytes;
  let memoryFree = 0;
  let l2Free = 0;
  let dramFree = 0;
  let now = 0;
  let running = warps.length;

  const advance = (w: WarpState): void => {
    for (;;) {
      const step = w.stream.next();
      if (step.done) {
        w.next = null;
        running--;
        alive[w.block]--;
        release(w.block);
        return;
      }
      w.next = step.value;
      if (step.value.kind !== "copy") return;
      step.value.writes.forEach((to, i) => {
        const from = step.value.reads[i];
        w.ready[to] = w.ready[from] ?? 0;
        w.maker[to] = w.maker[from] ?? "wait";
      });
    }
  };
  const release = (block: number): void => {
    if (alive[block] === 0 || waiting[block] < alive[block]) return;
    waiting[block] = 0;
    for (const w of warps)
      if (w.block === block && w.atBarrier) {
        w.atBarrier = false;
        advance(w);
      }
  };
  /** Why it cannot issue now; `null` if it can. Also when it may be able to, as far as is known. */
  let wake = Number.POSITIVE_INFINITY;
  const blocked = (w: WarpState, scheduler: number): Stall | null => {
    const { kind, space, reads, writes } = w.next as Instruction;
    if (w.atBarrier) return "barrier";
    let until = now;
    let why: Stall = "wait";
    for (const list of [reads, writes])
      for (const r of list) {
        const at = w.ready[r] ?? 0;
        if (at > until) [until, why] = [at, w.maker[r]];
      }
    if (until > now) {
      wake = Math.min(wake, until);
      return why;
    }
    if (kind === "math" && mathFree[scheduler] > now) {
      wake = Math.min(wake, mathFree[scheduler]);
      return "math pipe throttle";
    }
    if ((kind === "load" || kind === "store") && memoryFree - now > QUEUE) {
      wake = Math.min(wake, memoryFree - QUEUE);
      return space === "global" ? "LG throttle" : "MIO throttle";
    }
    return null;
  };
  const issue = (w: WarpState, scheduler: number): void => {
    const instruction = w.next as Instruction;
    const { kind, writes } = instruction;
    counters.issued++;
    w.last = now;
    if (kind === "barrier") {
      counters.barriers++;
      w.atBarrier = true;
      waiting[w.block]++;
      release(w.block);
      return;
    }
    if (kind === "math") {
      counters.math++;
      counters.flops += instruction.flops;
      mathFree[scheduler] = now + mathEvery;
      for (const r of writes) {
        w.ready[r] = now + spec.latency.arithmetic;
        w.maker[r] = "wait";
      }
    } else {
      const arrival = instruction.space === "global" ? global(instruction) : shared(instruction);
      for (const r of writes) {
        w.ready[r] = arrival;
        w.maker[r] = instruction.space === "global" ? "long scoreboard" : "short scoreboard";
      }
    }
    advance(w);
  };
  const shared = ({ kind, turns, ideal }: Instruction): number => {
    counters[kind === "load" ? "sharedLoads" : "sharedStores"]++;
    counters.sharedTurns += turns;
    counters.bankConflicts += turns - ideal;
    memoryFree = Math.max(memoryFree, now) + turns;
    return memoryFree + spec.latency.shared;
  };
  const global = ({ kind, sectors }: Instruction): number => {
    counters[kind === "load" ? "globalLoads" : "globalStores"]++;
    counters.sectors += sectors.length;
    const lines = new Set(sectors.map((s) => s >> 2)).size;
    memoryFree = Math.max(memoryFree, now) + Math.max(1, lines, Math.ceil(sectors.length / L1_SECTORS));
    let arrival = memoryFree + spec.latency.l1;
    for (const sector of sectors) {
      if (kind === "load" && l1.touch(sector)) continue;
      counters.l1Misses++;
      l2Free = Math.max(l2Free, memoryFree) + l2Cycles;
      let at = l2Free + spec.latency.l2;
      if (!l2.touch(sector)) {
        counters.l2Misses++;
        dramFree = Math.max(dramFree, l2Free) + dramCycles;
        at = dramFree + spec.latency.dram;
      }
      arrival = Math.max(arrival, at);
    }
    return arrival;
  };

  for (const w of warps) advance(w);
  while (running > 0) {
    wake = Number.POSITIVE_INFINITY;
    let any = false;
    const reasons: (Stall | null)[] = new Array(warps.length).fill(null);
    for (let scheduler = 0; scheduler < SCHEDULERS; scheduler++) {
      let chosen = -1;
      for (let i = scheduler; i < warps.length; i += SCHEDULERS) {
        const w = warps[i];
        if (w.next === null) continue;
        const why = blocked(w, scheduler);
        reasons[i] = why;
        if (why !== null) continue;
        reasons[i] = "not selected";
        if (chosen < 0 || before(w, warps[chosen], now)) chosen = i;
      }
      if (chosen < 0) continue;
      reasons[chosen] = null;
      any = true;
      issue(warps[chosen], scheduler);
    }
    const next = any ? now + 1 : Number.isFinite(wake) ? Math.max(now + 1, Math.ceil(wake)) : now + 1;
    for (const why of reasons) if (why !== null) counters.stalls[why] += next - now;
    now = next;
  }
  return { cycles: Math.max(now, dramFree, l2Free), counters };
}

/** The warp that issued in the cycle before goes on; else the one that waited longest. */
function before(a: WarpState, b: WarpState, now: number): boolean {
  if (a.last === now - 1) return true;
  if (b.last === now - 1) return false;
  return a.last < b.last;
}

export function emptyCounters(): Counters {
  return {
    issued: 0,
    math: 0,
    flops: 0,
    globalLoads: 0,
    globalStores: 0,
    sharedLoads: 0,
    sharedStores: 0,
    barriers: 0,
    sectors: 0,
    l1Misses: 0,
    l2Misses: 0,
    sharedTurns: 0,
    bankConflicts: 0,
    stalls: Object.fromEntries(STALLS.map((s) => [s, 0])) as Record<Stall, number>,
  };
}
