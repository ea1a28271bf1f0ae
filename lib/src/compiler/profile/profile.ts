/**
 * profile: where a function's time goes when it runs as a graph, kernel by kernel, beside what each kernel has to compute
 * and to move, and what the machine could do. (Book, chapter 5.)
 */

import { Variable } from "../../autodiff/variable.js";
import { clock } from "../../core/clock.js";
import { ValueError } from "../../core/errors.js";
import type { Tensor } from "../../core/tensor.js";
import { flatten } from "../../core/tree.js";
import { captureState } from "../../graph/capture.js";
import { dagOf } from "../../graph/dag.js";
import { type CompileOptions, compile, type Executable } from "../../graph/execute.js";
import type { NodeSpan } from "../../graph/step.js";
import { type Graph, type GraphNode, regionsOf } from "../../ir/graph.js";
import { costsOf } from "./cost.js";
import { type MachinePeaks, machinePeaks } from "./machine.js";

export interface ProfileOptions extends CompileOptions {
  /** Runs that are measured, after two that are not. Default 20. */
  readonly runs?: number;
}

/** One kernel of the graph. */
export interface KernelProfile {
  /** `matmul1`, `fused2`. */
  readonly name: string;
  readonly op: string;
  /** The ops that it does, of fused ones. */
  readonly ops: readonly string[];
  /** Line of the user's code that it came from. */
  readonly loc: string | null;
  /** Median of the runs. */
  readonly milliseconds: number;
  /** Part of the sum over all kernels. */
  readonly share: number;
  /** Floating-point operations; `null` where they depend on values. */
  readonly flops: number | null;
  /** Tensor bytes that it has to read and write. */
  readonly bytes: number;
  /** Operations per byte. */
  readonly intensity: number | null;
  /** 10⁹ operations, and bytes, per second. */
  readonly gflops: number | null;
  readonly gbytes: number;
  /** What holds it back at best: the roof over its intensity; `null` without operations. */
  readonly bound: "compute" | "memory" | null;
  /** Speed over that roof's: 1 is as fast as memory or arithmetic allow, more is what the caches give. */
  readonly efficiency: number | null;
}

/** An event in the format of Chrome's tracing (chrome://tracing, ui.perfetto.dev). Times in microseconds. */
export interface TraceEvent {
  readonly name: string;
  readonly cat?: string;
  readonly ph: "X" | "M";
  readonly ts?: number;
  readonly dur?: number;
  readonly pid: number;
  readonly tid: number;
  readonly args: Readonly<Record<string, unknown>>;
}

/** What `profile` found: a text, a table in notebooks, a plot by `viz.roofline`, a file for Chrome. */
export class Profile {
  constructor(
    readonly graph: Graph,
    /** In the order of execution. */
    readonly kernels: readonly KernelProfile[],
    /** Median time of a whole run without measurement of its kernels, in milliseconds. */
    readonly milliseconds: number,
    readonly machine: MachinePeaks,
    /** The last measured run. */
    readonly spans: readonly NodeSpan[],
  ) {}

  /** Sum over the kernels; the rest of `milliseconds` is dispatch and allocation. */
  get kernelMilliseconds(): number {
    return this.kernels.reduce((sum, { milliseconds }) => sum + milliseconds, 0);
  }

  /** The slowest kernels first. */
  slowest(count = this.kernels.length): KernelProfile[] {
    return [...this.kernels].sort((a, b) => b.milliseconds - a.milliseconds).slice(0, count);
  }

  /** For chrome://tracing or ui.perfetto.dev: `writeFileSync("trace.json", JSON.stringify(p.chromeTrace()))`. */
  chromeTrace(): { traceEvents: TraceEvent[]; displayTimeUnit: "ms" } {
    const byName = new Map(this.kernels.map((kernel) => [kernel.name, kernel]));
    const zero = Math.min(...this.spans.map(({ start }) => start));
    const threads = [...new Set(this.spans.map(({ stream }) => stream))];
    return {
      displayTimeUnit: "ms",
      traceEvents: [
        {
          name: "process_name",
          ph: "M",
          pid: process.pid,
          tid: 0,
          args: { name: `mlsys: ${this.graph.name}` },
        },
        ...threads.map(
          (tid): TraceEvent => ({
            name: "thread_name",
            ph: "M",
            pid: process.pid,
            tid,
            args: { name: tid < 0 ? "host" : `stream ${tid}` },
          }),
        ),
        ...this.spans.map(({ node, stream, start, end }): TraceEvent => {
          const { op, ops, flops, bytes, loc } = byName.get(node) as KernelProfile;
          return {
            name: node,
            cat: op,
            ph: "X",
            ts: (start - zero) * 1000,
            dur: (end - start) * 1000,
            pid: process.pid,
            tid: stream,
            args: { ops: ops.join(" "), flops, bytes, line: loc },
          };
        }),
      ],
    };
  }

  toString(): string {
    const rows = this.slowest().map((k) => [
      k.name,
      (k.milliseconds * 1000).toFixed(1),
      `${(k.share * 100).toFixed(1)}%`,
      k.flops === null ? "?" : String(k.flops),
      String(k.bytes),
      k.gflops === null ? "" : k.gflops.toFixed(2),
      k.gbytes.toFixed(2),
      k.efficiency === null ? "" : `${(k.efficiency * 100).toFixed(0)}% of ${k.bound}`,
    ]);
    const table = [["kernel", "µs", "share", "flops", "bytes", "GFLOP/s", "GB/s", "roof"], ...rows];
    const widths = table[0].map((_, c) => Math.max(...table.map((row) => row[c].length)));
    const lines = table.map((row) =>
      row.map((cell, c) => (c === 0 ? cell.padEnd(widths[c]) : cell.padStart(widths[c]))).join("  "),
    );
    const { threads, gflops, gbytes } = this.machine;
    return [
      `${this.graph.name}: ${this.milliseconds.toFixed(3)} ms, of which kernels ${this.kernelMilliseconds.toFixed(3)} ms; ${threads} thread(s), at most ${gflops.toFixed(0)} GFLOP/s and ${gbytes.toFixed(1)} GB/s`,
      ...lines,
    ].join("\n");
  }
}

/**
 * Runs `f` as a graph and measures each kernel; what `toStatic` made is compiled as it is there. Variables keep their values: assignments are computed, and dropped.
 * @example profile((x: Tensor) => x.matmul(x).relu().sum(), ones([8, 8])).kernels[0].flops // 1024
 * @throws as `capture`; ValueError for a number of runs that is none.
 */
export function profile<A extends unknown[]>(f: (...args: A) => unknown, ...args: A): Profile {
  return profileWith({}, f, ...args);
}

/**
 * `profile` with other passes, streams or more runs.
 * @example compiler.profileWith({ runs: 3, level: "O0" }, (x: Tensor) => x.sin().cos(), ones([8])).kernels.length // 2
 */
export function profileWith<A extends unknown[]>(
  options: ProfileOptions,
  f: (...args: A) => unknown,
  ...args: A
): Profile {
  const { runs = 20, ...rest } = options;
  if (!Number.isInteger(runs) || runs < 1) throw new ValueError(`profile: ${runs} is no number of runs`);
  const graph = (f as { graphFor?: (...args: A) => Graph }).graphFor?.(...args) ?? captured(f, args);
  const given = [
    ...flatten(args).leaves.filter((leaf) => !(leaf instanceof Variable)),
    ...(graph.origin.captured ?? []),
  ];
  const own = (f as { options?: CompileOptions }).options;
  return measure(compile(graph, { ...own, ...rest }), given, runs);
}

function captured(f: (...args: never[]) => unknown, args: readonly unknown[]): Graph {
  return captureState({}, f, args, true).graph;
}

function measure(executable: Executable, args: readonly Tensor[], runs: number): Profile {
  const { graph } = executable;
  const whole: number[] = [];
  const times = new Map<string, number[]>();
  let spans: readonly NodeSpan[] = [];
  // whole runs and measured ones take turns, so that both meet the engine and the machine in the same state
  for (let i = -2; i < runs; i++) {
    const start = clock();
    const results = executable.run(args);
    if (i >= 0) whole.push(clock() - start);
    for (const y of results) y.dispose();
    const timeline = executable.timeline(args);
    for (const y of timeline.results) y.dispose();
    if (i < 0) continue;
    spans = timeline.spans;
    for (const { node, start, end } of spans) {
      const list = times.get(node);
      if (list) list.push(end - start);
      else times.set(node, [end - start]);
    }
  }
  const machine = machinePeaks();
  const medians = new Map([...times].map(([name, list]) => [name, median(list)]));
  const total = [...medians.values()].reduce((a, b) => a + b, 0);
  const names = dagOf(graph).nameOf;
  const costs = costsOf(graph);
  const kernels = graph.nodes.flatMap((node): KernelProfile[] => {
    const name = names.get(node) as string;
    const milliseconds = medians.get(name);
    const cost = costs.get(node);
    if (milliseconds === undefined || !cost) return [];
    return [kernelProfile(node, name, milliseconds, milliseconds / total, cost, machine)];
  });
  return new Profile(graph, kernels, median(whole), machine, spans);
}

function kernelProfile(
  node: GraphNode,
  name: string,
  milliseconds: number,
  share: number,
  { flops, bytes }: { flops: number | null; bytes: number },
  machine: MachinePeaks,
): KernelProfile {
  const intensity = flops && bytes > 0 ? flops / bytes : null;
  const gflops = flops ? flops / milliseconds / 1e6 : null;
  const roof = intensity === null ? null : Math.min(machine.gflops, intensity * machine.gbytes);
  const counts = roof !== null && roof > 0 && gflops !== null;
  return {
    name,
    op: node.op.name,
    ops: regionsOf(node.attrs).flatMap(([, region]) => region.nodes.map(({ op }) => op.name)),
    loc: node.loc,
    milliseconds,
    share,
    flops,
    bytes,
    intensity,
    gflops,
    gbytes: bytes / milliseconds / 1e6,
    bound: !counts ? null : roof === machine.gflops ? "compute" : "memory",
    efficiency: counts ? gflops / roof : null,
  };
}

function median(list: readonly number[]): number {
  const sorted = [...list].sort((a, b) => a - b);
  return sorted[sorted.length >> 1];
}
