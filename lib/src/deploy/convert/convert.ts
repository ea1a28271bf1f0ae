/**
 * The converter: what can be decided once, before a model is deployed, is decided here, by passes of the graph
 * representation; a report says what changed and what it is worth. (Book, chapter 8: offline optimization.)
 */
import { compareAllocators } from "../../compiler/memory/index.js";
import { clock } from "../../core/clock.js";
import { bytesPerElement } from "../../core/dtype.js";
import { ValueError } from "../../core/errors.js";
import { sizeOf } from "../../core/shape.js";
import type { Tensor } from "../../core/tensor.js";
import { compile, type Executable } from "../../graph/execute.js";
import type { Placement } from "../../graph/placement.js";
import { countNodes, type Graph, type GraphNode, regionsOf } from "../../ir/graph.js";
import {
  type OptimizationLevel,
  PassManager,
  type PassRun,
  type PipelineStage,
} from "../../ir/passes/manager.js";
import type { FastMathFlag } from "../../ir/passes/pass.js";
import { zeros } from "../../ops/create.js";
import { tidy } from "../../ops/tidy.js";
import type { DenseTensor } from "../../runtime/dense.js";
import { type Exportable, graphOf } from "./exportable.js";

/** What the converter runs, until nothing changes. Fusion into kernels comes behind it, when the graph is compiled. */
export const CONVERSION: readonly PipelineStage[] = [
  {
    fixpoint: [
      ...["inline", "propagate", "fold", "branches", "simplify", "strength", "layout", "slice-up"],
      ...["fold-scale", "merge-scale", "licm", "effects", "prune", "cse", "dce"],
    ],
  },
];

export interface ConvertOptions {
  /** Instead of `CONVERSION`. */
  readonly stages?: readonly PipelineStage[];
  /** Results that are kept, by number; what only the others need goes. Default: all. */
  readonly outputs?: readonly number[];
  /**
   * Licences of floating-point arithmetic. Default `["reassoc"]`: sums and products of weights may be grouped anew, without
   * which no scale goes into a weight.
   */
  readonly fastMath?: boolean | readonly FastMathFlag[];
  /** Layout search: kernels by device, dtype and layout, with what they cost together (`placeOnDevices`). Default: none. */
  readonly placement?: Placement;
  /**
   * How both sides are compiled behind the passes. Default "O3", which fuses what is elementwise into the kernel in front of
   * it, so that a normalization costs little even where it is not folded. "O0": a kernel for each op, as in the book.
   */
  readonly level?: OptimizationLevel;
  /** Runs of each side that the report measures, in turn. 0: nothing is measured. Default 20. */
  readonly runs?: number;
}

/** What a model takes and costs. */
export interface Footprint {
  /** Nodes of the graph, those in its regions too. */
  readonly nodes: number;
  /** What runs when it is compiled: kernels, each of which may be several nodes. */
  readonly kernels: number;
  readonly weightBytes: number;
  /** Intermediate results and results, as memory is planned. */
  readonly peakBytes: number;
  /** Median time of a run; `null` where nothing was measured. */
  readonly milliseconds: number | null;
}

/** What one pass did, all its runs together. */
export interface PassEffect {
  readonly pass: string;
  readonly runs: number;
  /** Runs that changed something. */
  readonly changes: number;
  /** Ops that there are more or fewer of behind it: `{ mul: -2, add: -1 }`. */
  readonly ops: Readonly<Record<string, number>>;
}

export interface ConversionReport {
  /** Those that changed something, in order of their first run. */
  readonly passes: readonly PassEffect[];
  readonly before: Footprint;
  readonly after: Footprint;
  /** Time saved, of the time before; `null` where nothing was measured. */
  readonly timeSaved: number | null;
}

/** A converted model: compiled, and with the graph that `writeOnnx` and `saveModel` take. */
export class Converted {
  private readonly executable: Executable;

  constructor(
    readonly graph: Graph,
    readonly report: ConversionReport,
    executable: Executable,
  ) {
    this.executable = executable;
  }

  /** The results. @throws IRError if the arguments do not fit. */
  call(...args: Tensor[]): Tensor[] {
    return this.executable.run(args);
  }

  toString(): string {
    const { before, after, passes, timeSaved } = this.report;
    const row = (label: string, a: number | null, b: number | null, unit = ""): string =>
      a === null || b === null ? "" : `${label.padEnd(12)} ${format(a)}${unit} → ${format(b)}${unit}\n`;
    const saved = timeSaved === null ? "" : `time saved   ${(100 * timeSaved).toFixed(1)} %\n`;
    const lines = passes.map(({ pass, changes, ops }) => {
      const what = Object.entries(ops).map(([op, n]) => `${n > 0 ? "+" : "−"}${Math.abs(n)} ${op}`);
      return `${pass.padEnd(12)} changed it ${changes} time(s)${what.length > 0 ? `: ${what.join(", ")}` : ""}\n`;
    });
    return `${lines.join("")}${row("nodes", before.nodes, after.nodes)}${row("kernels", before.kernels, after.kernels)}${row("weights", before.weightBytes, after.weightBytes, " bytes")}${row("memory", before.peakBytes, after.peakBytes, " bytes")}${row("time", before.milliseconds, after.milliseconds, " ms")}${saved}`;
  }
}

const format = (x: number): string => (Number.isInteger(x) ? String(x) : x.toPrecision(4));

/**
 * Converts a model for deployment: weights become constants, normalizations go into convolutions and products, what depends
 * on constants alone is computed, slices move ahead of what they cut, outputs that nobody wants go with all that they need.
 * @param args examples of the arguments, whose shapes and dtypes count
 * @throws ValueError for an unknown pass, a result that there is not, or sizes that are left open; as `capture`.
 * @example deploy.convert((x: Tensor) => x.mul(2).add(1).mul(3).sub(1), [tensor([1, 2])], { runs: 0 }).report.after.nodes // 2
 */
export function convert(
  model: Exportable,
  args: readonly unknown[] = [],
  options: ConvertOptions = {},
): Converted {
  const { runs = 20, fastMath = ["reassoc"], stages = CONVERSION, level = "O3" } = options;
  if (!Number.isInteger(runs) || runs < 0) throw new ValueError(`convert: ${runs} is no number of runs`);
  const { graph: whole, symbolic } = graphOf(model, args);
  if (symbolic)
    throw new ValueError(
      "convert: a graph of open sizes can't be measured or folded; give examples of the arguments",
    );
  const before = keeping(whole, options.outputs);
  const found: PassRun[] = [];
  const manager = new PassManager({ stages, fastMath, foldLimit: Infinity, dump: (run) => found.push(run) });
  const after = manager.run(before).graph;
  const compiled = [before, after].map((graph) => compile(graph, { level, placement: options.placement }));
  const times = runs > 0 ? measured(compiled, before, runs) : [null, null];
  const [first, second] = [before, after].map((graph, i) => footprint(graph, compiled[i], times[i]));
  const [was, is] = times;
  const report = {
    passes: effects(found),
    before: first,
    after: second,
    timeSaved: was === null || is === null ? null : 1 - is / was,
  };
  return new Converted(after, report, compiled[1]);
}

/** Only these results. */
function keeping(graph: Graph, outputs: readonly number[] | undefined): Graph {
  if (!outputs) return graph;
  const results = outputs.map((i) => {
    const result = graph.results[i];
    if (!result) throw new ValueError(`convert: there is no result ${i}, of ${graph.results.length}`);
    return result;
  });
  return graph.with({ results, origin: { ...graph.origin, output: undefined } });
}

function footprint(graph: Graph, executable: Executable, milliseconds: number | null): Footprint {
  const planned = compareAllocators(executable.graph).map(({ peakBytes }) => peakBytes);
  return {
    nodes: countNodes(graph),
    kernels: executable.graph.nodes.filter(({ op }) => op.kind !== "view").length,
    weightBytes: weightBytes(graph),
    peakBytes: Math.min(...planned),
    milliseconds,
  };
}

/** Bytes of the constants, those of regions too. */
export function weightBytes(graph: Graph): number {
  const own = graph.constants.reduce(
    (sum, { data }) => sum + sizeOf(data.shape) * bytesPerElement(data.dtype),
    0,
  );
  const inner = graph.nodes.flatMap(({ attrs }) => regionsOf(attrs).map(([, region]) => weightBytes(region)));
  return inner.reduce((a, b) => a + b, own);
}

/** Median times, both sides in turn, so that what interrupts the machine meets both alike. */
function measured(sides: readonly Executable[], { params }: Graph, runs: number): number[] {
  const args = params.map(({ shape, dtype }) => zeros(shape, { dtype }) as DenseTensor);
  const times = sides.map((): number[] => []);
  for (let i = -2; i < runs; i++)
    sides.forEach((side, k) => {
      const start = clock();
      tidy(() => {
        side.run(args);
      });
      if (i >= 0) times[k].push(clock() - start);
    });
  for (const arg of args) arg.dispose();
  return times.map((list) => list.sort((a, b) => a - b)[list.length >> 1]);
}

function effects(runs: readonly PassRun[]): PassEffect[] {
  const byPass = new Map<string, { runs: number; changes: number; ops: Record<string, number> }>();
  for (const { pass, before, after, changed } of runs) {
    const row = byPass.get(pass.name) ?? { runs: 0, changes: 0, ops: {} };
    byPass.set(pass.name, row);
    row.runs++;
    if (!changed) continue;
    row.changes++;
    const count = (node: GraphNode, by: number): void => {
      row.ops[node.op.name] = (row.ops[node.op.name] ?? 0) + by;
    };
    for (const node of before.nodes) count(node, -1);
    for (const node of after.nodes) count(node, 1);
  }
  return [...byPass]
    .filter(([, { changes }]) => changes > 0)
    .map(([pass, { ops, ...rest }]) => ({
      pass,
      ...rest,
      ops: Object.fromEntries(Object.entries(ops).filter(([, n]) => n !== 0)),
    }));
}
