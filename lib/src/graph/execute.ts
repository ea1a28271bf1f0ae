/**
 * Execution of graphs: everything that can be decided before the first run is decided then (types, kernels, fused code,
 * when each value is last read), so that a run is a list of kernel calls. (Book, chapter 3: static graphs.)
 */
import { Variable } from "../autodiff/variable.js";
import { TransformError } from "../core/errors.js";
import { contiguousLayout, isContiguous, type Layout } from "../core/layout.js";
import type { Tensor } from "../core/tensor.js";
import { onInterrupted } from "../core/turn.js";
import { setGraphRunner } from "../ir/call.js";
import type { Graph, GraphNode, Value } from "../ir/graph.js";
import { checkArguments } from "../ir/interpret.js";
import { type OptimizationLevel, PassManager } from "../ir/passes/manager.js";
import { DenseTensor, viewOf } from "../runtime/dense.js";
import { getDevice } from "../runtime/devices.js";
import { remoteOf } from "../runtime/remote.js";
import { closeScope, openScope } from "../runtime/tidy.js";
import { BoundProgram, type RunMemory } from "./bound.js";
import { dagOf } from "./dag.js";
import { type Placement as Devices, placed, setDeviceRunner } from "./placement.js";
import { lastingSlots, RemoteProgram } from "./remote-program.js";
import { type NodeSpan, type PlanStep, stepOf } from "./step.js";
import { type Placement, placeOnStreams, runOnStreams } from "./streams.js";

export interface CompileOptions {
  /** Passes to run first, by name, instead of a level's. */
  readonly passes?: readonly string[];
  /** What the pass manager runs first. Default "O1": common subexpressions, dead code, fusion. */
  readonly level?: OptimizationLevel;
  /**
   * On which devices the nodes run, and in which dtype and layout: the graph is cut into subgraphs of one device each, with
   * casts and changes of layout between them (see `placeOnDevices`). Default: all on the present device.
   */
  readonly placement?: Devices;
  /**
   * Pairs of an argument and a result that may take its memory (JAX's `donate_argnums`): where the result's kernel works
   * element by element and is the last to read the argument, it writes in place, unless somebody else has that memory too.
   * The argument is not to be used afterwards.
   */
  readonly donate?: readonly (readonly [argument: number, result: number])[];
  /** More than 1: independent nodes run at the same time, each stream on a thread of its own. Default 1. */
  readonly streams?: number;
}

/** A graph that is ready to run. */
export class Executable {
  /** After the passes. */
  readonly graph: Graph;
  readonly streams: number;
  private readonly steps: readonly PlanStep[];
  private readonly fixed: readonly (DenseTensor | undefined)[];
  private readonly slotOf = new Map<Value, number>();
  private readonly results: readonly number[];
  private readonly device = getDevice();
  private readonly placement: Placement | null;
  /** On a device that has a memory of its own, instead of programs that are bound to addresses. */
  private readonly remote: RemoteProgram | null;
  private readonly donated: ReadonlyMap<Value, number>;
  private readonly names: ReadonlyMap<GraphNode, string>;
  /** By the layouts of the arguments. */
  private readonly programs = new Map<string, BoundProgram[]>();
  /** Those of arguments that all lie row-major: what most calls want. */
  private readonly plain: BoundProgram[] = [];

  constructor(graph: Graph, options: CompileOptions = {}) {
    const { passes: stages, level = "O1" } = options;
    const whole = placed(graph, options.placement, level);
    this.graph = new PassManager({ stages, level }).run(whole).graph;
    this.streams = options.streams ?? 1;
    for (const value of this.graph.values()) this.slotOf.set(value, this.slotOf.size);
    const at = (value: Value): number => this.slotOf.get(value) as number;
    this.results = this.graph.results.map(at);
    const fixed = new Array<DenseTensor | undefined>(this.slotOf.size).fill(undefined);
    for (const { value, data } of this.graph.constants) fixed[at(value)] = data;
    this.fixed = fixed;
    this.names = dagOf(this.graph).nameOf;
    this.steps = this.graph.nodes.map((node) =>
      stepOf(node, { inputs: node.inputs.map(at), outputs: node.outputs.map(at) }, this.device),
    );
    this.donated = new Map(
      (options.donate ?? []).map(([argument, result]) => [this.graph.results[result], argument]),
    );
    this.remote = remoteOf(this.device)
      ? new RemoteProgram(this.steps, lastingSlots(this.graph, this.slotOf), fixed, this.device, this.names)
      : null;
    this.placement = this.streams > 1 && !this.remote ? placeOnStreams(this.graph, this.streams) : null;
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

  /** The memory that a run with row-major arguments takes, as it was planned. */
  get memory(): RunMemory {
    return this.programFor(this.plain, () => this.graph.params.map(({ shape }) => contiguousLayout(shape)))
      .memory;
  }

  private execute(args: readonly Tensor[], spans: NodeSpan[] | null): DenseTensor[] {
    checkArguments(this.graph, args);
    const given = args.map((arg) => this.argument(arg));
    const results: DenseTensor[] = [];
    openScope(); // so that an error or an interrupt gives back what was made so far
    try {
      const values = this.placement
        ? this.onStreams(this.placement, given, spans)
        : this.inOrder(given, spans);
      for (const [i, slot] of this.results.entries()) results.push(this.own(values, slot, i));
      return results;
    } finally {
      closeScope(results);
    }
  }

  private argument(x: Tensor): DenseTensor {
    const dense = x instanceof DenseTensor ? x : x instanceof Variable ? x.value : null;
    if (dense === null)
      throw new TransformError(
        `graph ${this.graph.name}: an argument belongs to ${(x.trace as { name?: string } | null)?.name ?? "a transformation"}; use call(graph, args), which transformations see through`,
      );
    dense.needAlive();
    return dense;
  }

  private onStreams(
    placement: Placement,
    args: readonly DenseTensor[],
    spans: NodeSpan[] | null,
  ): (DenseTensor | undefined)[] {
    const values = this.fixed.slice();
    args.forEach((arg, i) => {
      values[i] = arg;
    });
    runOnStreams(placement, this.steps, values, this.device, spans);
    return values;
  }

  private inOrder(
    args: readonly DenseTensor[],
    spans: NodeSpan[] | null,
  ): readonly (DenseTensor | undefined)[] {
    if (this.remote) return this.remote.run(args, spans);
    const programs = args.every(isPlain) ? this.plain : this.programsFor(args);
    const program = this.programFor(programs, () => args);
    running.add(program);
    program.busy = true;
    try {
      return program.run(args, spans);
    } finally {
      program.busy = false;
      running.delete(program);
    }
  }

  private programsFor(args: readonly DenseTensor[]): BoundProgram[] {
    const key = args.map(({ strides, offset }) => `${strides.join()}+${offset}`).join(";");
    const programs = this.programs.get(key) ?? [];
    this.programs.set(key, programs);
    return programs;
  }

  private programFor(programs: BoundProgram[], layouts: () => readonly Layout[]): BoundProgram {
    for (const program of programs) if (!program.busy) return program;
    const { graph, steps, slotOf, fixed, device, donated } = this;
    const program = new BoundProgram({ graph, steps, slotOf, fixed, device, donated }, layouts(), this.names);
    programs.push(program);
    return program;
  }

  /** The caller gets a handle of its own where the value is an argument, a constant or another result too. */
  private own(values: readonly (DenseTensor | undefined)[], slot: number, i: number): DenseTensor {
    const value = values[slot] as DenseTensor;
    const foreign = slot < this.graph.params.length + this.graph.constants.length;
    return foreign || this.results.indexOf(slot) !== i ? viewOf(value, value) : value;
  }
}

const isPlain = (x: DenseTensor): boolean => x.offset === 0 && isContiguous(x);

/** Programs that an interrupt found running are free again. */
const running = new Set<BoundProgram>();
onInterrupted(() => {
  for (const program of running) program.busy = false;
  running.clear();
});

const executables = new WeakMap<Graph, Map<string, Executable>>();

/**
 * Makes a graph ready to run. Made once per graph, device and options.
 * @example graph.compile(capture((x: Tensor) => x.mul(2).add(1), tensor([1, 2]))).run([tensor([3, 4])])[0] // [7, 9]
 */
export function compile(graph: Graph, options: CompileOptions = {}): Executable {
  const { passes, level = "O1", streams = 1, placement, donate } = options;
  const key = JSON.stringify([getDevice(), passes ?? level, streams, placementKey(placement), donate]);
  const known = executables.get(graph) ?? new Map<string, Executable>();
  executables.set(graph, known);
  let executable = known.get(key);
  if (!executable) {
    executable = new Executable(graph, options);
    known.set(key, executable);
  }
  return executable;
}

const placements = new WeakMap<object, number>();
let nextPlacement = 0;

/** What stands for a placement in the keys of executables: functions and options by identity. */
function placementKey(placement: Devices | undefined): string | number | null {
  if (placement === undefined || typeof placement === "string") return placement ?? null;
  const known = placements.get(placement) ?? nextPlacement++;
  placements.set(placement, known);
  return known;
}

setDeviceRunner(({ graph, level }, inputs) => compile(graph, { level }).run(inputs));
setGraphRunner((graph, inputs) => compile(graph).run(inputs));
