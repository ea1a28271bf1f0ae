/**
 * Schedules: how a kernel runs, apart from what it computes. Each primitive checks that the meaning stays, rewrites the
 * loop IR and is noted as a step; steps are plain data, so that a schedule can be stored, printed and applied again.
 * (Book, chapter 5: separation of compute and schedule; Halide, TVM.)
 */
import { gridProblems } from "../loop/grid.js";
import {
  type For,
  LoopError,
  type LoopKernel,
  type LoopKind,
  loopNames,
  type Scope,
  walk,
} from "../loop/ir.js";
import { printKernel } from "../loop/print.js";
import { type CacheOptions, cacheRead } from "./cache-read.js";
import { cacheWrite, rfactor } from "./cache-write.js";
import { computeAt } from "./compute-at.js";
import { carried } from "./dependence.js";
import { type LayoutOptions, layout } from "./layout.js";
import { localize } from "./localize.js";
import { fuse, merge, reorder, setKind, skew, split } from "./loops.js";
import { guard, pad } from "./pad.js";
import { prefetch } from "./prefetch.js";
import { treeReduce } from "./tree-reduce.js";

/** One primitive with its arguments. */
export type Step =
  | {
      readonly do: "split";
      readonly loop: string;
      readonly factor: number;
      readonly names: readonly [string, string];
    }
  | { readonly do: "reorder"; readonly loops: readonly string[] }
  | { readonly do: "fuse"; readonly loops: readonly [string, string]; readonly name: string }
  | { readonly do: "merge"; readonly loops: readonly [first: string, second: string] }
  | {
      readonly do: "skew";
      readonly loops: readonly [outer: string, inner: string];
      readonly factor: number;
      readonly name: string;
    }
  | { readonly do: "pad"; readonly loop: string; readonly multiple?: number }
  | { readonly do: "guard"; readonly loop: string }
  | { readonly do: "kind"; readonly loop: string; readonly kind: LoopKind }
  | {
      readonly do: "cacheRead";
      readonly buffer: string;
      readonly at: string | null;
      readonly options: CacheOptions;
    }
  | {
      readonly do: "cacheWrite";
      readonly buffer: string;
      readonly at: string;
      readonly options: CacheOptions;
    }
  | { readonly do: "computeAt"; readonly buffer: string; readonly at: string; readonly scope: Scope }
  | {
      readonly do: "rfactor";
      readonly loops: readonly [inner: string, outer: string];
      readonly name: string;
    }
  | { readonly do: "treeReduce"; readonly loop: string; readonly name: string }
  | { readonly do: "localize"; readonly buffer: string; readonly at: string; readonly scope: Scope }
  | { readonly do: "layout"; readonly buffer: string; readonly options: LayoutOptions }
  | { readonly do: "prefetch"; readonly buffer: string; readonly at: string; readonly stage?: string };

/** The kernel after one step. @throws LoopError if the step does not apply or would change the meaning. */
export function applyStep(kernel: LoopKernel, step: Step): LoopKernel {
  const after = rewritten(kernel, step);
  checkGrid(after, step);
  return after;
}

/** The rules of blocks and threads, and that a new order leaves their iterations independent. */
function checkGrid(kernel: LoopKernel, step: Step): void {
  walk(kernel.body, (s, around) => {
    const [problem] = gridProblems(s, around);
    if (problem) throw new LoopError(`${step.do}: ${problem}`);
    if (step.do !== "reorder" && step.do !== "merge") return;
    if (s.kind !== "for" || (s.loop !== "block" && s.loop !== "thread")) return;
    const conflict = step.loops.includes(s.variable) ? carried(kernel, s as For, around) : null;
    if (conflict) throw new LoopError(`${step.do} ${step.loops.join(", ")}: ${conflict}`);
  });
}

function rewritten(kernel: LoopKernel, step: Step): LoopKernel {
  switch (step.do) {
    case "split":
      return split(kernel, step.loop, step.factor, step.names);
    case "reorder":
      return reorder(kernel, step.loops);
    case "fuse":
      return fuse(kernel, step.loops[0], step.loops[1], step.name);
    case "merge":
      return merge(kernel, step.loops[0], step.loops[1]);
    case "skew":
      return skew(kernel, step.loops[0], step.loops[1], step.factor, step.name);
    case "pad":
      return pad(kernel, step.loop, step.multiple);
    case "guard":
      return guard(kernel, step.loop);
    case "kind":
      return setKind(kernel, step.loop, step.kind);
    case "cacheRead":
      return cacheRead(kernel, step.buffer, step.at, step.options);
    case "cacheWrite":
      return cacheWrite(kernel, step.buffer, step.at, step.options);
    case "computeAt":
      return computeAt(kernel, step.buffer, step.at, step.scope);
    case "rfactor":
      return rfactor(kernel, step.loops[0], step.loops[1], step.name);
    case "treeReduce":
      return treeReduce(kernel, step.loop, step.name);
    case "localize":
      return localize(kernel, step.buffer, step.at, step.scope);
    case "layout":
      return layout(kernel, step.buffer, step.options);
    case "prefetch":
      return prefetch(kernel, step.at, step.buffer, step.stage);
  }
}

/**
 * A kernel being scheduled. Methods return the schedule itself or the names of the new loops.
 * @example
 * const s = new Schedule(loop.matmul(64, 64, 64));
 * const [o, i] = s.split("i", 8);
 * s.reorder(o, "j", i).loops.slice(2, 5) // ["i_o", "j", "i_i"]
 */
export class Schedule {
  private current: LoopKernel;
  readonly steps: Step[] = [];

  constructor(readonly source: LoopKernel) {
    this.current = source;
  }

  /** The kernel as scheduled so far. */
  get kernel(): LoopKernel {
    return this.current;
  }

  /** Its loops, in the order of the text. */
  get loops(): string[] {
    return loopNames(this.current);
  }

  /** Cuts a loop in two; the names are `v_o` and `v_i` unless given. */
  split(
    loop: string,
    factor: number,
    names: readonly [string, string] = [`${loop}_o`, `${loop}_i`],
  ): [outer: string, inner: string] {
    this.apply({ do: "split", loop, factor, names });
    return [names[0], names[1]];
  }

  /** Splits two loops and puts the inner ones inside both outer ones: blocks. */
  tile(a: string, b: string, factors: readonly [number, number]): [string, string, string, string] {
    const [ao, ai] = this.split(a, factors[0]);
    const [bo, bi] = this.split(b, factors[1]);
    this.reorder(ao, bo, ai, bi);
    return [ao, bo, ai, bi];
  }

  reorder(...loops: string[]): this {
    return this.apply({ do: "reorder", loops });
  }

  fuse(outer: string, inner: string, name = `${outer}_${inner}`): string {
    this.apply({ do: "fuse", loops: [outer, inner], name });
    return name;
  }

  /** Loop fusion: neighbours become one loop, named as the first. */
  merge(first: string, ...others: string[]): this {
    for (const second of others) this.apply({ do: "merge", loops: [first, second] });
    return this;
  }

  skew(outer: string, inner: string, factor = 1, name = `${inner}_s`): string {
    this.apply({ do: "skew", loops: [outer, inner], factor, name });
    return name;
  }

  /** Lets a loop's last round run to its full length, or every round to a multiple, where that does no harm. */
  pad(loop: string, multiple?: number): this {
    return this.apply({ do: "pad", loop, ...(multiple === undefined ? {} : { multiple }) });
  }

  /** Lets a loop run to its constant bound, and asks in each iteration whether it is one. */
  guard(loop: string): this {
    return this.apply({ do: "guard", loop });
  }

  unroll(loop: string): this {
    return this.apply({ do: "kind", loop, kind: "unrolled" });
  }

  vectorize(loop: string): this {
    return this.apply({ do: "kind", loop, kind: "vectorized" });
  }

  parallel(loop: string): this {
    return this.apply({ do: "kind", loop, kind: "parallel" });
  }

  cacheRead(buffer: string, at: string | null, options: CacheOptions): this {
    return this.apply({ do: "cacheRead", buffer, at, options });
  }

  cacheWrite(buffer: string, at: string, options: CacheOptions): this {
    return this.apply({ do: "cacheWrite", buffer, at, options });
  }

  computeAt(buffer: string, at: string, scope: Scope = "local"): this {
    return this.apply({ do: "computeAt", buffer, at, scope });
  }

  rfactor(inner: string, outer: string, name: string): this {
    return this.apply({ do: "rfactor", loops: [inner, outer], name });
  }

  /** Makes loops a GPU's blocks, or the threads of one block. */
  bind(kind: "block" | "thread", ...loops: string[]): this {
    for (const loop of loops) this.apply({ do: "kind", loop, kind });
    return this;
  }

  /**
   * Shares a nest of loops (a copy, the setting of an accumulator) out among the threads of a block: one loop over all of
   * it, cut into vectors of `lanes` elements and these into rounds of `threads`. The nest's loops are padded if they end
   * early. The new loops are `name_thread`, `name_round`, `name_lane`.
   */
  cooperate(loops: readonly string[], name: string, threads: number, lanes = 1): this {
    const [first, ...others] = loops;
    let whole = first;
    if (others.length > 0 || lanes > 1) for (const loop of loops) this.pad(loop);
    for (const [i, loop] of others.entries())
      whole = this.fuse(whole, loop, i === others.length - 1 ? name : `${name}_${i}`);
    const lane = `${name}_lane`;
    const vectors = lanes > 1 ? this.split(whole, lanes, [`${name}_vector`, lane])[0] : whole;
    this.split(vectors, threads, [`${name}_round`, `${name}_thread`]);
    this.reorder(`${name}_thread`, `${name}_round`);
    this.bind("thread", `${name}_thread`).unroll(`${name}_round`);
    return lanes > 1 ? this.vectorize(lane) : this;
  }

  treeReduce(loop: string, name: string): this {
    return this.apply({ do: "treeReduce", loop, name });
  }

  /** Declares a temporary inside a loop whose rounds each use their own part of it. */
  localize(buffer: string, at: string, scope: Scope): this {
    return this.apply({ do: "localize", buffer, at, scope });
  }

  /** Another order of the elements of a buffer of the kernel's own. */
  layout(buffer: string, options: LayoutOptions): this {
    return this.apply({ do: "layout", buffer, options });
  }

  /** Fills a buffer for the loop's next round while this one computes; `stage`: through registers of that name. */
  prefetch(buffer: string, at: string, stage?: string): this {
    return this.apply({ do: "prefetch", buffer, at, ...(stage === undefined ? {} : { stage }) });
  }

  /** Applies a step that was stored as data. */
  apply(step: Step): this {
    this.current = applyStep(this.current, step);
    this.steps.push(step);
    return this;
  }

  /** Another schedule that begins where this one stands. */
  fork(): Schedule {
    const other = new Schedule(this.source);
    other.current = this.current;
    other.steps.push(...this.steps);
    return other;
  }

  /** The scheduled loop IR as text. */
  toString(): string {
    return printKernel(this.current);
  }
}

/**
 * The kernel after these steps, one after the other.
 * @example scheduled(loop.matmul(8, 8, 8), [{ do: "split", loop: "i", factor: 4, names: ["a", "b"] }]).name // "matmul"
 */
export function scheduled(kernel: LoopKernel, steps: readonly Step[]): LoopKernel {
  return steps.reduce(applyStep, kernel);
}
