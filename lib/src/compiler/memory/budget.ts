/**
 * Fitting a graph into a memory budget: values that nobody needs for a while are computed again (rematerialization) or
 * leave for the host's memory and come back (offloading). Which one goes first follows Kirisame et al., "Dynamic Tensor
 * Rematerialization" (2021): little work, many bytes, long unused.
 */
import { ValueError } from "../../core/errors.js";
import { dagOf } from "../../graph/dag.js";
import { layoutsOf } from "../../graph/layouts.js";
import { workOf } from "../../graph/schedule.js";
import { type Graph, type GraphNode, isFused, regionsOf, type Value } from "../../ir/graph.js";
import type { OpDef } from "../../ops/registry.js";
import { type Buffer, buffersOf } from "./buffers.js";
import { newSlot, offloadOp, ownSlots, reloadOp } from "./offload.js";
import { type MemoryPlan, type PlanOptions, planMemory } from "./plan.js";

export interface BudgetOptions extends Omit<PlanOptions, "order" | "groups" | "includes" | "layouts"> {
  /** What may be done. Default "both": of a value, whichever takes less time. */
  readonly by?: "recompute" | "offload" | "both";
  /** Operations on elements that take as long as moving one byte to the host or back. Default 4. */
  readonly workPerByte?: number;
}

export interface Fitted {
  /** Compile it with `passes: []`: elimination of common subexpressions would take back what was done. */
  readonly graph: Graph;
  readonly plan: MemoryPlan;
  /** False: nothing more could be done. */
  readonly fits: boolean;
  /** Names of the nodes that run again, once per time. */
  readonly recomputed: readonly string[];
  /** Work of these, as `workOf` counts it. */
  readonly extraWork: number;
  /** Names of the values that leave for a while. */
  readonly offloaded: readonly string[];
  /** Bytes moved, both ways together. */
  readonly movedBytes: number;
}

const MAX_CHAIN = 24; // nodes that run again for one value
const MAX_STEPS = 200;

/**
 * A graph of the same meaning whose planned peak is at most `budget` bytes, or as near as it gets.
 * @throws ValueError for a budget that is no number of bytes.
 * @example
 * const f = (x: Tensor) => { const a = x.sin(); const b = a.matmul(a); return b.matmul(b).matmul(b).add(a); };
 * compiler.fitMemory(capture(f, ones([8, 8])), 768, { by: "recompute" }).recomputed // ["sin1"]
 */
export function fitMemory(graph: Graph, budget: number, options: BudgetOptions = {}): Fitted {
  if (!(budget >= 0 && budget < Number.POSITIVE_INFINITY))
    throw new ValueError(`fitMemory: the budget is a number of bytes, got ${budget}`);
  const slots: number[] = [];
  const recomputed: string[] = [];
  const offloaded: string[] = [];
  let [extraWork, movedBytes] = [0, 0];
  let current = graph;
  for (let k = 0; k < MAX_STEPS; k++) {
    if (planMemory(current, options).peakBytes <= budget) break;
    const step = bestStep(current, options);
    if (!step) break;
    current = step.graph;
    recomputed.push(...step.again);
    extraWork += step.work;
    movedBytes += step.moved;
    if (step.slot !== null) {
      slots.push(step.slot);
      offloaded.push(step.name);
    }
  }
  ownSlots(current, slots);
  const plan = planMemory(current, options);
  return {
    graph: current,
    plan,
    fits: plan.peakBytes <= budget,
    recomputed,
    extraWork,
    offloaded,
    movedBytes,
  };
}

interface Step {
  readonly graph: Graph;
  readonly name: string;
  readonly again: readonly string[];
  readonly work: number;
  readonly moved: number;
  readonly slot: number | null;
}

/** A buffer that rests while the most memory is in use. */
interface Resting {
  readonly buffer: Buffer;
  /** Positions of the last node that touches it before, and of the first one behind. */
  readonly before: number;
  readonly behind: number;
}

/** The cheapest step that lowers what is alive at the peak and raises nothing above it. */
function bestStep(graph: Graph, options: BudgetOptions): Step | null {
  const { by = "both", workPerByte = 4 } = options;
  const buffers = buffersOf(graph, options);
  const alive = aliveAt(graph, buffers, options.alignment);
  const peak = Math.max(...alive);
  const at = alive.indexOf(peak);
  const candidates: { step: Step; score: number }[] = [];
  for (const resting of restingAt(buffers, at, graph)) {
    const stale = resting.buffer.bytes * (resting.behind - resting.before);
    if (by !== "offload") {
      const step = recompute(graph, resting);
      if (step) candidates.push({ step, score: step.work / stale });
    }
    if (by !== "recompute" && resting.buffer.bytes > 1) {
      const step = offload(graph, resting);
      candidates.push({ step, score: (step.moved * workPerByte) / stale });
    }
  }
  candidates.sort((a, b) => a.score - b.score);
  const area = (found: readonly number[]): number =>
    found.filter((bytes) => bytes === Math.max(...found)).length;
  for (const { step } of candidates) {
    const after = aliveAt(step.graph, buffersOf(step.graph, options), options.alignment);
    const high = Math.max(...after);
    if (high < peak || (high === peak && area(after) < area(alive))) return step;
  }
  return null;
}

/** Bytes alive while each node runs, as an arena counts them. */
function aliveAt(graph: Graph, buffers: readonly Buffer[], alignment = 64): number[] {
  const alive = new Array<number>(graph.nodes.length).fill(0);
  for (const { first, last, bytes } of buffers)
    for (let i = Math.max(0, first); i <= Math.min(last, alive.length - 1); i++)
      alive[i] += Math.ceil(bytes / alignment) * alignment;
  return alive;
}

function restingAt(buffers: readonly Buffer[], at: number, graph: Graph): Resting[] {
  const results = new Set(graph.results);
  return buffers.flatMap((buffer) => {
    if (buffer.kind !== "activation" || buffer.values.some((value) => results.has(value))) return [];
    if (buffer.touchedBy.includes(at) || !(buffer.first < at && at < buffer.last)) return [];
    const before = Math.max(...buffer.touchedBy.filter((i) => i < at));
    const behind = Math.min(...buffer.touchedBy.filter((i) => i > at));
    return [{ buffer, before, behind }];
  });
}

/** Values that lie in a buffer during its rest; what is written over them later is another matter. */
function heldBy(graph: Graph, { buffer, before }: Resting): Value[] {
  const made = new Set(graph.nodes.slice(0, before + 1).flatMap((node) => node.outputs));
  return buffer.values.filter((value) => made.has(value));
}

/** Those that nodes from `behind` on read. */
function readLater(graph: Graph, resting: Resting): Value[] {
  const later = new Set(graph.nodes.slice(resting.behind).flatMap((node) => node.inputs));
  return heldBy(graph, resting).filter((value) => later.has(value));
}

/** The graph with copies of the nodes that made the buffer's values, put before their next reader. */
function recompute(graph: Graph, resting: Resting): Step | null {
  const names = dagOf(graph).nameOf;
  const ids = counter(graph);
  const position = new Map(graph.nodes.map((node, i) => [node, i]));
  const lastRead = new Map<Value, number>();
  graph.nodes.forEach((node, i) => {
    for (const input of node.inputs) lastRead.set(input, i);
  });
  for (const result of graph.results) lastRead.set(result, graph.nodes.length);
  const mine = new Set(resting.buffer.values);
  const there = (value: Value): boolean =>
    graph.producer(value) === null || (!mine.has(value) && (lastRead.get(value) ?? -1) >= resting.behind);
  const copies = new Map<Value, Value>();
  const added: { node: GraphNode; from: GraphNode }[] = [];
  const again = (value: Value): Value | null => {
    const known = copies.get(value);
    if (known) return known;
    const node = graph.producer(value);
    if (!node || node.outputs.length !== 1 || !repeatable(node) || added.length >= MAX_CHAIN) return null;
    if ((position.get(node) as number) >= resting.behind) return null;
    const inputs: Value[] = [];
    for (const input of node.inputs) {
      const here = there(input) ? input : again(input);
      if (!here) return null;
      inputs.push(here);
    }
    const copy: Value = { ...value, id: ids.next() };
    copies.set(value, copy);
    added.push({ node: { ...node, inputs, outputs: [copy] }, from: node });
    return copy;
  };
  for (const value of readLater(graph, resting)) if (!again(value)) return null;
  const nodes = [
    ...graph.nodes.slice(0, resting.behind),
    ...added.map(({ node }) => node),
    ...graph.nodes
      .slice(resting.behind)
      .map((node) => withInputs(node, (v) => (mine.has(v) ? copies.get(v) : undefined))),
  ];
  return {
    graph: graph.with({ nodes }),
    name: resting.buffer.name,
    again: added.map(({ from }) => names.get(from) as string),
    work: added.reduce((sum, { from }) => sum + workOf(from), 0),
    moved: 0,
    slot: null,
  };
}

/** Random numbers come from keys, so that they repeat; what runs other graphs, or moves data, is left alone. */
const repeatable = (node: GraphNode): boolean =>
  isFused(node) || (regionsOf(node.attrs).length === 0 && node.op !== OFFLOAD && node.op !== RELOAD);

const OFFLOAD = offloadOp as unknown as OpDef;
const RELOAD = reloadOp as unknown as OpDef;

/** The graph with the buffer copied out behind its last reader before the gap, and back before the first one behind it. */
function offload(graph: Graph, resting: Resting): Step {
  const ids = counter(graph);
  const slot = newSlot();
  const wanted = readLater(graph, resting);
  // one copy for all views of the buffer: of its newest value; views of it are made again behind the gap
  const { viewed } = layoutsOf(graph);
  const base = heldBy(graph, resting)
    .filter((value) => !viewed.has(value))
    .at(-1) as Value;
  const done: Value = { id: ids.next(), name: null, shape: [], dtype: "bool" };
  const back: Value = { ...base, id: ids.next() };
  const { shape, dtype } = base;
  const copies = new Map<Value, Value>([[base, back]]);
  const views: GraphNode[] = [];
  const view = (value: Value): Value => {
    const known = copies.get(value);
    if (known) return known;
    const node = graph.producer(value) as GraphNode;
    const copy: Value = { ...value, id: ids.next() };
    views.push({ ...node, inputs: node.inputs.map(view), outputs: [copy] });
    copies.set(value, copy);
    return copy;
  };
  for (const value of wanted) view(value);
  const mine = new Set(resting.buffer.values);
  const nodes: GraphNode[] = [
    ...graph.nodes.slice(0, resting.before + 1),
    { op: OFFLOAD, inputs: [base], attrs: { slot }, outputs: [done], loc: null },
    ...graph.nodes.slice(resting.before + 1, resting.behind),
    { op: RELOAD, inputs: [done], attrs: { slot, shape, dtype }, outputs: [back], loc: null },
    ...views,
    ...graph.nodes
      .slice(resting.behind)
      .map((node) => withInputs(node, (v) => (mine.has(v) ? copies.get(v) : undefined))),
  ];
  const moved = 2 * resting.buffer.bytes;
  return { graph: graph.with({ nodes }), name: resting.buffer.name, again: [], work: 0, moved, slot };
}

function withInputs(node: GraphNode, by: (value: Value) => Value | undefined): GraphNode {
  return { ...node, inputs: node.inputs.map((input) => by(input) ?? input) };
}

function counter(graph: Graph): { next(): number } {
  let id = Math.max(-1, ...graph.values().map((value) => value.id));
  return {
    next: () => {
      id++;
      return id;
    },
  };
}
