/**
 * What a GPU would make of a kernel: time, counters and reasons for waiting, from the loop IR alone. One processor is
 * simulated with the blocks that it holds at once; long loops are cut short at two lengths and continued in a straight
 * line; the grid is so many rounds of blocks. (Book, chapter 6: what the profiler shows at each step of the ladder.)
 *
 * Left out: address arithmetic that a compiler doesn't fold, instruction fetch, register banks, page tables, clocks that change.
 */
import { DeviceError } from "../../core/errors.js";
import type { LoopKernel } from "../loop/ir.js";
import { type Grid, gridOf } from "./grid.js";
import { type Instruction, Warp } from "./instructions.js";
import { SECTOR } from "./memory-access.js";
import { type Launch, type Occupancy, occupancyOf, WARP } from "./occupancy.js";
import { type Counters, emptyCounters, runProcessor, SectorCache, STALLS, type Stall } from "./processor.js";
import { type GpuSpec, totalsOf } from "./spec.js";

export interface Simulation {
  readonly kernel: string;
  readonly gpu: string;
  readonly milliseconds: number;
  readonly gflops: number;
  /** Of the arithmetic units' peak. */
  readonly shareOfPeak: number;
  readonly blocks: number;
  readonly launch: Launch;
  readonly occupancy: Occupancy;
  /** Of the whole grid. */
  readonly counters: Readonly<Counters>;
  /** Cycles that a warp waits for each instruction that it issues, by reason. */
  readonly stallsPerIssue: Readonly<Record<Stall, number>>;
  /** Operations per byte that leaves L1. */
  readonly intensity: number;
  /** Bytes that memory gives or takes. */
  readonly dramBytes: number;
}

export interface SimulateOptions {
  /** Rounds of the longest loop that are simulated; more is slower and exacter. Default 16. */
  readonly rounds?: number;
}

/**
 * @example
 * const twice = compiler.loop.parseKernel(`kernel twice(X: float32[1024], out Y: float32[1024]) {
 *   block for b in 0..4 {
 *     thread for t in 0..256 {
 *       Y[256*b + t] = X[256*b + t] + X[256*b + t]
 *     }
 *   }
 * }`);
 * compiler.gpu.simulate(twice, compiler.gpu.GPUS.V100).counters.flops // 1024
 * @throws LoopError for a kernel without block loops; DeviceError if a block does not fit on the GPU
 */
export function simulate(kernel: LoopKernel, spec: GpuSpec, options: SimulateOptions = {}): Simulation {
  const grid = gridOf(kernel);
  const launch: Launch = {
    threads: grid.threads,
    registersPerThread: grid.registersPerThread,
    sharedBytes: grid.sharedBytes,
  };
  if (launch.sharedBytes > spec.limits.sharedBytes)
    throw new DeviceError(
      `${kernel.name}: a block wants ${launch.sharedBytes} bytes of shared memory, ${spec.name} has ${spec.limits.sharedBytes}`,
    );
  const occupancy = occupancyOf(spec, launch);
  const blocks = grid.blockCounts.reduce((a, b) => a * b, 1);
  const resident = Math.min(occupancy.blocks, Math.ceil(blocks / spec.processors));
  const { rounds = 16 } = options;
  const whole = grid.longest?.rounds ?? 1;
  const run = (most: number) => runResident(grid, spec, resident, most);
  const [short, long] = whole <= 2 * rounds ? [whole, whole] : [rounds, 2 * rounds];
  const second = run(long);
  const first = short === long ? second : run(short);
  const line = (a: number, b: number): number =>
    short === long ? b : b + ((b - a) / (long - short)) * (whole - long);
  const cycles = line(first.cycles, second.cycles);
  const per = mapCounters(first.counters, second.counters, line);
  const waves = blocks / (resident * spec.processors);
  const counters = mapCounters(per, per, (x) => (x * blocks) / resident);
  // The last round of blocks may leave processors idle.
  const seconds = (cycles * Math.max(1, Math.ceil(waves - 1e-9))) / (spec.ghz * 1e9);
  const gflops = counters.flops / seconds / 1e9;
  const { issued } = per;
  return {
    kernel: kernel.name,
    gpu: spec.name,
    milliseconds: seconds * 1000,
    gflops,
    shareOfPeak: gflops / totalsOf(spec).gflops,
    blocks,
    launch,
    occupancy,
    counters,
    stallsPerIssue: Object.fromEntries(STALLS.map((s) => [s, per.stalls[s] / issued])) as Record<
      Stall,
      number
    >,
    intensity: counters.flops / Math.max(1, counters.l1Misses * SECTOR),
    dramBytes: counters.l2Misses * SECTOR,
  };
}

function runResident(grid: Grid, spec: GpuSpec, resident: number, most: number) {
  const { limits } = spec;
  const l1Bytes = limits.cacheBytes - resident * grid.sharedBytes;
  const machine = {
    spec,
    l1: new SectorCache(Math.max(64, Math.floor(l1Bytes / SECTOR))),
    l2: new SectorCache(Math.floor(spec.l2Bytes / SECTOR)),
  };
  const warps = Math.ceil(grid.threads / WARP);
  const streams = placesOf(grid, spec, resident).map((block) =>
    Array.from({ length: warps }, (_, w): Generator<Instruction> => new Warp(grid, w, block, most).run()),
  );
  return runProcessor(machine, streams);
}

/** Blocks of one processor, from the middle of the grid: neighbours go to different processors. */
function placesOf({ blockCounts }: Grid, { processors }: GpuSpec, resident: number): number[][] {
  const total = blockCounts.reduce((a, b) => a * b, 1);
  const first = Math.max(0, Math.floor((total - resident * processors) / 2));
  return Array.from({ length: resident }, (_, i) => {
    let rest = Math.min(total - 1, first + i * processors);
    const at = new Array<number>(blockCounts.length);
    for (let axis = blockCounts.length - 1; axis >= 0; axis--) {
      at[axis] = rest % blockCounts[axis];
      rest = Math.floor(rest / blockCounts[axis]);
    }
    return at;
  });
}

function mapCounters(a: Counters, b: Counters, f: (a: number, b: number) => number): Counters {
  const out = emptyCounters();
  for (const key of Object.keys(out) as (keyof Counters)[]) {
    if (key === "stalls") for (const s of STALLS) out.stalls[s] = f(a.stalls[s], b.stalls[s]);
    else out[key] = f(a[key], b[key]);
  }
  return out;
}
