/**
 * Bound programs: a graph's steps for arguments of certain layouts, with all that can be decided before a run decided:
 * which values are views, where each lies in the arena, which arguments each kernel gets. A run then binds addresses and
 * calls kernels one after the other.
 */
import { clock } from "../core/clock.js";
import { bytesPerElement, encodingOf } from "../core/dtype.js";
import { isContiguous, type Layout } from "../core/layout.js";
import { sizeOf } from "../core/shape.js";
import type { Graph, GraphNode, Value } from "../ir/graph.js";
import { sameType } from "../ir/verify.js";
import { type DenseTensor, emptyDense, viewOf } from "../runtime/dense.js";
import { sizeClass } from "../runtime/heap.js";
import { commit, type HostArray } from "../runtime/host-array.js";
import { findKernel, type PreparedKernel } from "../runtime/kernels.js";
import { disposeEarly } from "../runtime/tidy.js";
import { type ArenaPlan, BoundArray, planArena } from "./arena.js";
import { type Layouts, layoutsOf } from "./layouts.js";
import { type NodeSpan, type PlanStep, runComposite, runStep } from "./step.js";

/** What the executor knows of its graph. */
export interface Prepared {
  readonly graph: Graph;
  readonly steps: readonly PlanStep[];
  readonly slotOf: ReadonlyMap<Value, number>;
  /** Tensors that are there before a run, by slot. */
  readonly fixed: readonly (DenseTensor | undefined)[];
  readonly device: string;
  /** Results that may take the memory of an argument, and of which. */
  readonly donated: ReadonlyMap<Value, number>;
}

/** Memory of one run. */
export interface RunMemory {
  readonly arena: ArenaPlan;
  /** The most bytes of results, and of values that other ops than kernels read, which are allocated one by one. */
  readonly besideBytes: number;
  /** What the heap gives for both, in its size classes: never less than what a run takes, if `complete`. */
  readonly peakBytes: number;
  /** False if some node runs other graphs, whose memory is planned by themselves, or allocates as it runs. */
  readonly complete: boolean;
}

/** All arrays that share one storage: an argument, a constant or what a kernel makes, and views of it. */
interface Root {
  readonly arrays: BoundArray[];
  /** Position of the last step that reads any of them by address only. */
  last: number;
}

interface BoundStep {
  readonly name: string;
  /** False for views: they take no time. */
  readonly timed: boolean;
  readonly run: (() => void) | null;
  /** Slots whose tensors go behind this step. */
  readonly last: readonly number[];
}

export class BoundProgram {
  readonly memory: RunMemory;
  /** True while it runs: another run at the same time needs another program. */
  busy = false;
  private values: (DenseTensor | undefined)[] = [];
  private readonly roots = new Map<Value, Root>();
  private readonly arrayOf = new Map<Value, BoundArray>();
  private readonly tensors: ReadonlySet<Value>;
  private readonly steps: readonly BoundStep[];
  private readonly params: readonly Root[];
  /** Results that do. */
  private readonly inPlace = new Map<Value, number>();
  private readonly inArena: readonly (readonly [root: Root, offset: number])[];
  private base = -1;

  constructor(
    private readonly prepared: Prepared,
    args: readonly Layout[],
    names: ReadonlyMap<GraphNode, string>,
  ) {
    const { graph, slotOf } = prepared;
    const given = new Map(graph.params.map((param, i) => [param, args[i]]));
    const composite = (node: GraphNode): boolean => this.stepOf(node).composite !== null;
    const layouts = layoutsOf(graph, given, composite);
    this.tensors = tensorsOf(graph, layouts.viewed, composite, layouts.of);
    const rootOf = (value: Value): Value => baseOf(value, layouts.viewed);
    for (const value of graph.values()) {
      const layout = layouts.of.get(value);
      if (!layout) continue;
      const array = new BoundArray(value.dtype, layout, reach(layout));
      this.arrayOf.set(value, array);
      const root = this.roots.get(rootOf(value)) ?? { arrays: [], last: -1 };
      this.roots.set(rootOf(value), root);
      root.arrays.push(array);
    }
    for (const { value, data } of graph.constants) this.bind(value, data.storage.readable);
    const last = lastUses(graph, (value) => this.roots.get(rootOf(value)), rootOf);
    const kernels = new Map<GraphNode, PreparedKernel | null>();
    for (const node of graph.nodes)
      if (!composite(node) && !layouts.viewed.has(node.outputs[0]))
        kernels.set(node, this.prepareKernel(node));
    const made = new Set([...kernels.keys()].flatMap((node) => node.outputs));
    const arena = planArena(graph, {
      layouts,
      includes: (value) => made.has(value) && !this.tensors.has(value),
      workspace: (node) => kernels.get(node)?.workspace ?? 0,
    });
    this.inArena = [...arena.offsets].map(
      ([value, offset]) => [this.roots.get(value) as Root, offset] as const,
    );
    this.params = graph.params.map((param) => this.roots.get(param) as Root);
    const kept = new Set([...graph.results, ...graph.params, ...graph.constants.map(({ value }) => value)]);
    for (const [result, argument] of prepared.donated) {
      const node = graph.producer(result);
      if (!node || !kernels.get(node) || !this.takesOver(node, result, argument, layouts, last)) continue;
      this.inPlace.set(result, argument);
    }
    const ending = groupBy(
      [...this.tensors].filter((value) => !kept.has(value)),
      (value) => last.get(value),
    );
    this.steps = graph.nodes.map((node, i): BoundStep => {
      const ends = ending.get(i) ?? [];
      return {
        name: names.get(node) as string,
        timed: !layouts.viewed.has(node.outputs[0]),
        run: this.stepFor(
          node,
          layouts.viewed,
          layouts.of,
          kernels.get(node) ?? null,
          arena.workspaces.get(node),
        ),
        last: ends.map((value) => slotOf.get(value) as number),
      };
    });
    const plain = (value: Value): number => sizeOf(value.shape) * bytesPerElement(value.dtype);
    const own = [...made].filter((value) => this.tensors.has(value));
    const lasting = new Set(graph.results.map(rootOf));
    const beside = (bytes: (value: Value) => number) => besidePeak(graph, own, lasting, last, bytes);
    this.memory = {
      arena,
      besideBytes: beside(plain),
      peakBytes: (arena.bytes > 0 ? sizeClass(arena.bytes) : 0) + beside((value) => sizeClass(plain(value))),
      complete: graph.nodes.every(
        (node) => !composite(node) && (kernels.get(node) !== null || this.modest(node)),
      ),
    };
  }

  /** The values of all slots that have tensors, among them those of results. Call within a scope: what is left belongs to it. */
  run(args: readonly DenseTensor[], spans: NodeSpan[] | null): readonly (DenseTensor | undefined)[] {
    const { fixed, device } = this.prepared;
    const values = fixed.slice();
    for (let i = 0; i < args.length; i++) {
      values[i] = args[i];
      const { readable } = args[i].storage;
      for (const array of this.params[i].arrays) array.bind(readable);
    }
    this.values = values;
    const { bytes } = this.memory.arena;
    if (bytes > 0) this.place(emptyDense([bytes], "uint8", device).storage.ptr);
    for (const { name, timed, run, last } of this.steps) {
      if (run !== null) {
        const start = spans === null ? 0 : clock();
        run();
        if (spans !== null && timed) spans.push({ node: name, stream: 0, start, end: clock() });
      }
      for (const slot of last) {
        const value = values[slot];
        if (value) disposeEarly(value);
        values[slot] = undefined;
      }
    }
    this.values = [];
    return values;
  }

  /** The arena lies here from now on; mostly it lies where it lay in the run before. */
  private place(base: number): void {
    if (base === this.base) return;
    for (const [{ arrays }, offset] of this.inArena) for (const array of arrays) array.bind(base + offset);
    this.base = base;
  }

  private bind(root: Value, ptr: number): void {
    for (const array of this.roots.get(root)?.arrays ?? []) array.bind(ptr);
  }

  private stepOf(node: GraphNode): PlanStep {
    this.byNode ??= new Map(this.prepared.steps.map((step) => [step.node, step]));
    return this.byNode.get(node) as PlanStep;
  }
  private byNode: Map<GraphNode, PlanStep> | null = null;

  /** A kernel whose arguments are decided, if there is one for these arrays. */
  private prepareKernel(node: GraphNode): PreparedKernel | null {
    const arrays = [...node.inputs, ...node.outputs].map((value) => this.arrayOf.get(value));
    if (arrays.some((array) => !array || encodingOf(array.dtype))) return null;
    const [ins, outs] = [
      arrays.slice(0, node.inputs.length),
      arrays.slice(node.inputs.length),
    ] as BoundArray[][];
    const { fused } = this.stepOf(node);
    if (fused) return fused.prepare(ins, outs);
    const kernel =
      this.prepared.device === "cpu" ? undefined : findKernel(this.prepared.device, node.op.name);
    if (!kernel?.prepare || (kernel.supports && !kernel.supports(ins, outs, node.attrs))) return null;
    return kernel.prepare(ins, outs, node.attrs);
  }

  /** Its kernel is the reference, or another one that takes no tensor memory besides its outputs. */
  private modest({ op }: GraphNode): boolean {
    if (this.prepared.device === "cpu") return true;
    const kernel = findKernel(this.prepared.device, op.name);
    return kernel === undefined || kernel.allocates === false;
  }

  /** What a node does in a run; `null` for a view that only kernels read. */
  private stepFor(
    node: GraphNode,
    viewed: ReadonlyMap<Value, Value>,
    layouts: ReadonlyMap<Value, Layout>,
    kernel: PreparedKernel | null,
    workspace: number | undefined,
  ): (() => void) | null {
    const { slotOf, device } = this.prepared;
    const step = this.stepOf(node);
    if (step.composite) return () => runComposite(step, this.values);
    const [output] = node.outputs;
    const base = viewed.get(output);
    if (base) {
      if (!this.tensors.has(output)) return null;
      const [from, to, layout] = [
        slotOf.get(base) as number,
        slotOf.get(output) as number,
        layouts.get(output),
      ];
      return () => {
        this.values[to] = viewOf(this.values[from] as DenseTensor, layout as Layout);
      };
    }
    if (!layouts.has(output)) return () => runStep(step, this.values, device); // a view of what has no layout yet
    const call = kernel
      ? () => kernel.run(workspace === undefined ? 0 : this.base + workspace)
      : this.unprepared(node);
    const beside = node.outputs.filter((value) => this.tensors.has(value));
    if (beside.length === 0) return call;
    return () => {
      for (const value of beside) {
        const tensor = this.donation(value) ?? emptyDense(value.shape, value.dtype, device);
        this.values[slotOf.get(value) as number] = tensor;
        this.bind(value, tensor.storage.ptr);
      }
      call();
    };
  }

  /** True if a result's kernel may write over an argument: element by element, and nobody reads that argument later. */
  private takesOver(
    node: GraphNode,
    result: Value,
    argument: number,
    layouts: Layouts,
    last: ReadonlyMap<Value, number>,
  ): boolean {
    const { graph } = this.prepared;
    const param = graph.params[argument];
    const layout = layouts.of.get(param);
    const reads = node.inputs.filter((input) => baseOf(input, layouts.viewed) === param);
    return (
      (node.op.kind === "elementwise" || node.op.name === "fused" || node.op.name === "fusedMany") &&
      sameType(param, result) &&
      layout !== undefined &&
      layout.offset === 0 &&
      isContiguous(layout) &&
      reads.length === 1 &&
      reads[0] === param &&
      last.get(param) === graph.nodes.indexOf(node) &&
      !graph.results.some((value) => baseOf(value, layouts.viewed) === param) &&
      ![...this.inPlace.values()].includes(argument)
    );
  }

  /** The argument's memory for a result, if nobody else has it. */
  private donation(result: Value): DenseTensor | null {
    const argument = this.inPlace.get(result);
    if (argument === undefined) return null;
    const given = this.values[argument] as DenseTensor;
    return given.storage.shared || given.storage.length !== given.size ? null : viewOf(given, given);
  }

  /** A kernel that has to look at its arrays in each run. */
  private unprepared(node: GraphNode): () => void {
    const { op, attrs } = node;
    const { slotOf, device } = this.prepared;
    const { fused } = this.stepOf(node);
    const host = (value: Value): (() => HostArray) => {
      const array = this.arrayOf.get(value);
      const slot = slotOf.get(value) as number;
      if (!array) return () => (this.values[slot] as DenseTensor).host();
      return encodingOf(value.dtype) ? () => array.decoded() : () => array;
    };
    const [inputs, outputs] = [node.inputs.map(host), node.outputs.map(host)];
    const kernel = device === "cpu" ? undefined : findKernel(device, op.name);
    return () => {
      const [ins, outs] = [inputs.map((get) => get()), outputs.map((get) => get())];
      if (fused) fused.run(ins, outs);
      else if (kernel && (!kernel.supports || kernel.supports(ins, outs, attrs)))
        kernel.run(ins, outs, attrs);
      else {
        op.reference(ins, outs, attrs as never);
        commit(outs);
      }
    };
  }
}

/** What a value is a view of in the end; itself if it is none. */
function baseOf(value: Value, viewed: ReadonlyMap<Value, Value>): Value {
  let root = value;
  for (let base = viewed.get(root); base; base = viewed.get(root)) root = base;
  return root;
}

/** Elements from the storage's start that a layout reaches. */
function reach({ shape, strides, offset }: Layout): number {
  if (sizeOf(shape) === 0) return 0;
  return shape.reduce((end, dim, i) => end + Math.max(0, (dim - 1) * strides[i]), offset + 1);
}

/**
 * Values that need a tensor of their own: parameters, constants, results, what ops read that run other ops, and what
 * those are views of.
 */
function tensorsOf(
  graph: Graph,
  viewed: ReadonlyMap<Value, Value>,
  composite: (node: GraphNode) => boolean,
  layouts: ReadonlyMap<Value, Layout>,
): Set<Value> {
  const found = new Set<Value>([...graph.params, ...graph.constants.map(({ value }) => value)]);
  const need = (value: Value): void => {
    for (let v: Value | undefined = value; v && !found.has(v); v = viewed.get(v)) found.add(v);
  };
  for (const result of graph.results) need(result);
  for (const node of graph.nodes) {
    const asIs = composite(node) || !layouts.has(node.outputs[0]);
    if (!asIs) continue;
    for (const value of [...node.inputs, ...node.outputs]) need(value);
  }
  return found;
}

/** Position of the last step that needs each value's tensor: a view that kernels reach by address holds no reference. */
function lastUses(
  graph: Graph,
  rootAt: (value: Value) => Root | undefined,
  rootOf: (value: Value) => Value,
): Map<Value, number> {
  const last = new Map<Value, number>();
  graph.nodes.forEach((node, i) => {
    for (const value of [...node.outputs, ...node.inputs]) {
      last.set(value, i);
      const root = rootAt(value);
      if (root) root.last = i;
    }
  });
  for (const value of graph.values())
    if (rootOf(value) === value) last.set(value, Math.max(last.get(value) ?? -1, rootAt(value)?.last ?? -1));
  return last;
}

/** The most bytes of these values that are alive at one step; `lasting` ones stay to the end. */
function besidePeak(
  graph: Graph,
  values: readonly Value[],
  lasting: ReadonlySet<Value>,
  last: ReadonlyMap<Value, number>,
  bytesOf: (value: Value) => number,
): number {
  const counted = new Set(values);
  const ending = groupBy(
    values.filter((value) => !lasting.has(value)),
    (value) => last.get(value),
  );
  let alive = 0;
  let peak = 0;
  graph.nodes.forEach((node, i) => {
    for (const value of node.outputs) if (counted.has(value)) alive += bytesOf(value);
    peak = Math.max(peak, alive);
    for (const value of ending.get(i) ?? []) alive -= bytesOf(value);
  });
  return peak;
}

function groupBy<T, K>(list: readonly T[], keyOf: (entry: T) => K): Map<K, T[]> {
  const groups = new Map<K, T[]>();
  for (const entry of list) {
    const key = keyOf(entry);
    const group = groups.get(key);
    if (group) group.push(entry);
    else groups.set(key, [entry]);
  }
  return groups;
}
