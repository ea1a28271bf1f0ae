/**
 * Execution of graphs: everything that can be decided before the first run is decided then (types, kernels, fused code,
 * when each value is last read), so that a run is a list of kernel calls. (Book, chapter 3: static graphs.)
 */
import { Variable } from "../autodiff/variable.js";
import { clock } from "../core/clock.js";
import { TransformError } from "../core/errors.js";
import type { Tensor } from "../core/tensor.js";
import { setGraphRunner } from "../ir/call.js";
import type { Graph, GraphNode, Value } from "../ir/graph.js";
import { checkArguments } from "../ir/interpret.js";
import { type OptimizationLevel, PassManager } from "../ir/passes/manager.js";
import { DenseTensor, viewOf } from "../runtime/dense.js";
import { getDevice } from "../runtime/devices.js";
import type { Kernel } from "../runtime/kernels.js";
import { closeScope, disposeEarly, openScope } from "../runtime/tidy.js";
import { dagOf } from "./dag.js";
import { fusedKernel } from "./fused.js";
import { type NodeSpan, type PlanStep, runStep } from "./step.js";
import { type Placement, placeOnStreams, runOnStreams } from "./streams.js";

export interface CompileOptions {
  /** Passes to run first, by name, instead of a level's. */
  readonly passes?: readonly string[];
  /** What the pass manager runs first. Default "O1": common subexpressions, dead code, fusion. */
  readonly level?: OptimizationLevel;
  /** More than 1: independent nodes run at the same time, each stream on a thread of its own. Default 1. */
  readonly streams?: number;
}

/** A graph that is ready to run. */
export class Executable {
  /** After the passes. */
  readonly graph: Graph;
  readonly streams: number;
  private readonly slots: number;
  private readonly steps: readonly PlanStep[];
  private readonly fixed: readonly (DenseTensor | undefined)[];
  private readonly results: readonly number[];
  private readonly device = getDevice();
  private readonly placement: Placement | null;

  constructor(graph: Graph, options: CompileOptions = {}) {
    const { passes: stages, level = "O1" } = options;
    this.graph = new PassManager({ stages, level }).run(graph).graph;
    this.streams = options.streams ?? 1;
    const slotOf = new Map<Value, number>();
    for (const value of this.graph.values()) slotOf.set(value, slotOf.size);
    const at = (value: Value): number => slotOf.get(value) as number;
    this.slots = slotOf.size;
    this.results = this.graph.results.map(at);
    const fixed: (DenseTensor | undefined)[] = [];
    for (const { value, data } of this.graph.constants) fixed[at(value)] = data;
    this.fixed = fixed;
    const lastReader = new Map<number, GraphNode>();
    for (const node of this.graph.nodes) {
      for (const value of [...node.outputs, ...node.inputs]) lastReader.set(at(value), node);
    }
    const kept = new Set([...this.results, ...this.graph.params.map(at), ...Object.keys(fixed).map(Number)]);
    this.steps = this.graph.nodes.map((node) => {
      const [inputs, outputs] = [node.inputs.map(at), node.outputs.map(at)];
      const last = [...new Set([...inputs, ...outputs])].filter(
        (slot) => lastReader.get(slot) === node && !kept.has(slot),
      );
      return { node, inputs, outputs, last, kernel: this.kernelOf(node) };
    });
    this.placement = this.streams > 1 ? placeOnStreams(this.graph, this.streams) : null;
  }

  /**
   * The results, which belong to the caller: none is an argument or a constant.
   * @throws IRError if the arguments do not fit the parameters; TransformError for values of a transformation (see `call`).
   */
  run(args: readonly Tensor[]): DenseTensor[] {
    return this.execute(args, null);
  }

  /** As `run`, and what each node did when. Views take no time and are left out. */
  timeline(args: readonly Tensor[]): { results: DenseTensor[]; spans: NodeSpan[] } {
    const spans: NodeSpan[] = [];
    const results = this.execute(args, spans);
    return { results, spans };
  }

  private execute(args: readonly Tensor[], spans: NodeSpan[] | null): DenseTensor[] {
    checkArguments(this.graph, args);
    const values: (DenseTensor | undefined)[] = this.fixed.slice();
    values.length = this.slots;
    for (let i = 0; i < args.length; i++) values[i] = this.argument(args[i]);
    const results: DenseTensor[] = [];
    openScope(); // so that an error or an interrupt gives back what was made so far
    try {
      if (this.placement) runOnStreams(this.placement, this.steps, values, this.device, spans);
      else this.runInOrder(values, spans);
      for (const [i, slot] of this.results.entries()) results.push(this.own(values, slot, i));
      return results;
    } finally {
      closeScope(results);
    }
  }

  private argument(x: Tensor): DenseTensor {
    if (x instanceof DenseTensor) return x;
    if (x instanceof Variable) return x.value;
    throw new TransformError(
      `graph ${this.graph.name}: an argument belongs to ${(x.trace as { name?: string } | null)?.name ?? "a transformation"}; use call(graph, args), which transformations see through`,
    );
  }

  private runInOrder(values: (DenseTensor | undefined)[], spans: NodeSpan[] | null): void {
    const names = spans ? dagOf(this.graph).nameOf : null;
    for (const step of this.steps) {
      const start = spans ? clock() : 0;
      runStep(step, values, this.device);
      if (spans && names && step.node.op.kind !== "view")
        spans.push({ node: names.get(step.node) as string, stream: 0, start, end: clock() });
      for (const slot of step.last) {
        const value = values[slot];
        if (value) disposeEarly(value);
        values[slot] = undefined;
      }
    }
  }

  /** The caller gets a handle of its own where the value is an argument, a constant or another result too. */
  private own(values: readonly (DenseTensor | undefined)[], slot: number, i: number): DenseTensor {
    const value = values[slot] as DenseTensor;
    const foreign = slot < this.graph.params.length + this.graph.constants.length;
    return foreign || this.results.indexOf(slot) !== i ? viewOf(value, value) : value;
  }

  private kernelOf({ op, attrs }: GraphNode): Kernel<unknown> | null {
    if (this.device === "cpu" || op.name !== "fused") return null;
    const kernel = fusedKernel((attrs as { graph: Graph }).graph);
    return kernel ? (inputs, outputs) => kernel.run(inputs, outputs) : null;
  }
}

const executables = new WeakMap<Graph, Map<string, Executable>>();

/**
 * Makes a graph ready to run. Made once per graph, device and options.
 * @example graph.compile(capture((x: Tensor) => x.mul(2).add(1), tensor([1, 2]))).run([tensor([3, 4])])[0] // [7, 9]
 */
export function compile(graph: Graph, options: CompileOptions = {}): Executable {
  const key = JSON.stringify([getDevice(), options.passes ?? options.level ?? "O1", options.streams ?? 1]);
  const known = executables.get(graph) ?? new Map<string, Executable>();
  executables.set(graph, known);
  let executable = known.get(key);
  if (!executable) {
    executable = new Executable(graph, options);
    known.set(key, executable);
  }
  return executable;
}

setGraphRunner((graph, inputs) => compile(graph).run(inputs));
