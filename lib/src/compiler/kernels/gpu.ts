/**
 * Blocks and threads for any kernel, without a schedule by hand: rows that are reduced get a block each, whose threads
 * share the row and bring their parts together in a tree; other outputs are shared out among all threads.
 */
import { Polynomial } from "../codegen/address.js";
import { divisorOf, type Multiples } from "../codegen/gpu/storage.js";
import { GRID_AXES } from "../loop/grid.js";
import { type For, LoopError, type LoopKernel, type Stmt, walk } from "../loop/ir.js";
import { carried } from "../schedule/dependence.js";
import { Schedule } from "../schedule/schedule.js";
import { capOf } from "../schedule/tree.js";

export interface GpuScheduleOptions {
  /** Threads of a block. */
  readonly threads?: number;
  /** Elements that a thread computes side by side where rows are long: vectors. */
  readonly lanes?: number;
  /** Sizes that are multiples of a number whenever the kernel runs, as for `gpuProgram`: their rows are read in vectors. */
  readonly multiples?: Readonly<Record<string, number>>;
}

/** Rows shorter than this are left to one thread each. */
const SHORT_ROW = 32;
/** Fewer elements than this are worth more threads, not longer ones. */
const FEW = 1 << 15;

/** A nest at the top of a kernel: its loops from the outside in, and what they do. */
interface Stage {
  readonly loops: readonly For[];
  readonly leaf: Extract<Stmt, { kind: "store" | "reduce" }> | null;
}

/**
 * A schedule for a GPU. What no rule knows runs on one thread.
 * @example gpuSchedule(loop.softmaxRows("M", 1000)).loops[0] // "im_0"
 */
export function gpuSchedule(kernel: LoopKernel, options: GpuScheduleOptions = {}): Schedule {
  const { threads = 256, lanes = 4, multiples = {} } = options;
  const plain = new Schedule(kernel);
  const rows = attempt(plain, (s) => byRows(s, threads));
  return rows ?? byOutputs(plain, threads, lanes, new Map(Object.entries(multiples)));
}

/** The schedule after `change`; `null` if a step of it is not legal. */
function attempt(s: Schedule, change: (s: Schedule) => void): Schedule | null {
  const fork = s.fork();
  try {
    change(fork);
    return fork;
  } catch (error) {
    if (error instanceof LoopError) return null;
    throw error;
  }
}

function stagesOf(kernel: LoopKernel): Stage[] {
  return kernel.body.flatMap((s) => (s.kind === "for" ? [stageOf(s)] : []));
}

function stageOf(top: For): Stage {
  const loops = [top];
  let [inside] = top.body;
  let single = top.body.length === 1;
  while (single && inside.kind === "for") {
    loops.push(inside);
    single = inside.body.length === 1;
    [inside] = inside.body;
  }
  const leaf = single && (inside.kind === "store" || inside.kind === "reduce") ? inside : null;
  return { loops, leaf };
}

/** Loops of a stage whose variables index what it writes, and those that it reduces over. */
function partsOf({ loops, leaf }: Stage): { outputs: For[]; reduced: For[] } {
  const indexed = new Set(leaf?.indices.flatMap((i) => [...i.variables()]));
  return {
    outputs: loops.filter((l) => indexed.has(l.variable)),
    reduced: loops.filter((l) => !indexed.has(l.variable)),
  };
}

// Rows

/** One block a row, or for short rows one thread, with all stages of the row. */
function byRows(s: Schedule, threads: number): void {
  const stages = stagesOf(s.kernel);
  const sums = stages.filter((stage) => stage.leaf?.kind === "reduce");
  if (sums.length === 0) throw new LoopError("nothing is reduced");
  const row = stages[0].loops[0].variable;
  for (const stage of sums)
    if (partsOf(stage).outputs.length !== 1 || partsOf(stage).reduced.length === 0)
      throw new LoopError("not the reduction of a row");
  const width = capOf(sums[0].loops[sums[0].loops.length - 1]);
  s.merge(row, ...stages.slice(1).map((stage) => stage.loops[0].variable));
  const temporaries = s.kernel.body.flatMap((x) => (x.kind === "alloc" ? [x.buffer.name] : []));
  if (width !== null && width < SHORT_ROW) {
    for (const name of temporaries) s.localize(name, row, "local");
    const [block, thread] = s.split(row, 64, [`${row}_block`, `${row}_thread`]);
    s.bind("block", block).bind("thread", thread);
    return;
  }
  s.bind("block", row);
  for (const name of temporaries) s.localize(name, row, "workgroup");
  const count = width === null ? threads : Math.min(threads, 2 ** Math.ceil(Math.log2(width / 4)));
  const inner = s.kernel.body.find((x): x is For => x.kind === "for" && x.variable === row) as For;
  for (const x of inner.body) {
    if (x.kind !== "for") continue;
    const { loops, leaf } = stageOf(x);
    const last = loops[loops.length - 1].variable;
    const [round, thread] = s.split(last, count, [`${last}_round`, `${last}_thread`]);
    s.guard(thread);
    s.reorder(...[thread, ...loops.slice(0, -1).map((l) => l.variable), round]);
    if (leaf?.kind === "reduce") s.treeReduce(thread, `${leaf.buffer.name}_${last}`);
    else s.bind("thread", thread);
  }
}

// Outputs

/** Every stage apart: its outputs in blocks of threads. */
function byOutputs(plain: Schedule, threads: number, lanes: number, multiples: Multiples): Schedule {
  let s = plain;
  for (const { loops } of stagesOf(plain.kernel)) {
    const top = loops[0].variable;
    if (!s.loops.includes(top)) continue; // it went into another stage
    for (const width of [lanes, 1]) {
      const next = attempt(s, (x) => shareOut(x, top, threads, width, multiples));
      if (!next) continue;
      s = next;
      break;
    }
  }
  return s;
}

/** Loops over a stage's outputs become one where they may, then blocks, threads and vectors. */
function shareOut(s: Schedule, top: string, threads: number, lanes: number, multiples: Multiples): void {
  const found = s.kernel.body.find((x): x is For => x.kind === "for" && x.variable === top);
  if (!found) throw new LoopError(`no stage "${top}"`);
  const stage = stageOf(found);
  const { outputs, reduced } = partsOf(stage);
  const free = stage.leaf ? outputs : leading(s.kernel, stage.loops);
  if (free.length === 0) throw new LoopError(`"${top}" has no outputs side by side`);
  const around = stage.leaf ? [...outputs, ...reduced] : [];
  if (around.length > 1) s.reorder(...around.map((l) => l.variable));
  const joined = fused(
    s,
    free.map((l) => l.variable),
  );
  const surplus = joined.slice(0, -GRID_AXES); // axes that a grid has no room for: rounds of each thread
  const grid = joined.slice(-GRID_AXES);
  const inner = grid[grid.length - 1];
  const elements = free.reduce((n, l) => n * (capOf(l) ?? FEW), 1);
  const wide = lanes > 1 && elements >= FEW && stage.leaf !== null && !hasOddRows(free, lanes, multiples);
  if (lanes > 1 && !wide) throw new LoopError("too few elements for vectors");
  let thread = inner;
  let lane: string | null = null;
  if (wide) [thread, lane] = s.split(inner, lanes, [`${inner}_vector`, `${inner}_lane`]);
  const cap = extentCap(s.kernel, thread);
  const count = cap === null ? threads : Math.min(threads, 2 ** Math.ceil(Math.log2(Math.max(1, cap))));
  const [block, within] = s.split(thread, count, [`${inner}_block`, `${inner}_thread`]);
  const blocks = [...grid.slice(0, -1), block];
  const inside = [...surplus, ...reduced.map((l) => l.variable), ...(lane === null ? [] : [lane])];
  if (surplus.length > 0) s.reorder(...blocks, within, ...inside);
  else if (lane !== null && reduced.length > 0) s.reorder(within, ...inside);
  s.bind("block", ...blocks).bind("thread", within);
  if (stage.leaf?.kind === "reduce") {
    const name = `${stage.leaf.buffer.name}_${inner}_sum`;
    const cached = attempt(s, (x) => x.cacheWrite(stage.leaf?.buffer.name as string, within, { name }));
    if (cached) {
      for (const step of cached.steps.slice(s.steps.length)) s.apply(step);
      const loops = s.loops.filter((l) => l.startsWith(`${name}_zero`) || l.startsWith(`${name}_out`));
      const last = stage.leaf.indices.length - 1;
      for (const l of loops) {
        if (lane !== null && l.endsWith(String(last))) s.vectorize(l);
        else s.unroll(l);
      }
      if (lane !== null) s.pad(lane);
    }
  }
  if (lane !== null) s.vectorize(lane);
}

/** True where the rows of the innermost axis are not known to be multiples of a vector. */
function hasOddRows(loops: readonly For[], lanes: number, multiples: Multiples): boolean {
  const last = loops[loops.length - 1];
  return divisorOf(Polynomial.of(last.to.minus(last.from)), multiples) % lanes !== 0;
}

/** The outermost loops whose iterations are independent of each other. */
function leading(kernel: LoopKernel, loops: readonly For[]): For[] {
  const free: For[] = [];
  for (const loop of loops) {
    if (carried(kernel, loop, free) !== null) break;
    free.push(loop);
  }
  return free;
}

/** Neighbouring loops made one where the inner one's length is constant. */
function fused(s: Schedule, loops: readonly string[]): string[] {
  const [first, ...rest] = loops;
  const out = [first];
  for (const loop of rest) {
    const outer = out[out.length - 1];
    const joined = attempt(s, (x) => x.fuse(outer, loop));
    if (joined) {
      s.apply(joined.steps[joined.steps.length - 1]);
      out[out.length - 1] = s.loops.find((l) => l === `${outer}_${loop}`) as string;
    } else out.push(loop);
  }
  return out;
}

function extentCap(kernel: LoopKernel, variable: string): number | null {
  let cap: number | null = null;
  walk(kernel.body, (x) => {
    if (x.kind === "for" && x.variable === variable) cap = capOf(x);
  });
  return cap;
}
