/**
 * Orders in which a graph can run: Kahn's topological order with its in-degree table, levels, and list scheduling onto
 * several streams. (Book, chapter 3: scheduling by in-degrees; serial and parallel execution.)
 */
import { ValueError } from "../core/errors.js";
import { sizeOf } from "../core/shape.js";
import { type GraphNode, regionsOf } from "../ir/graph.js";
import { checked, type Dag, predecessors, successors } from "./dag.js";
import { checkAcyclic } from "./dependencies.js";

/** One step of Kahn's algorithm. */
export interface KahnStep {
  /** The node that was taken out of the queue; `null` before the first. */
  readonly taken: string | null;
  /** How many of each waiting node's predecessors have still to run, after this step. */
  readonly inDegrees: Readonly<Record<string, number>>;
  /** The queue after this step. */
  readonly ready: readonly string[];
}

export interface TopologicalOrder {
  readonly order: readonly string[];
  readonly steps: readonly KahnStep[];
}

/**
 * An order in which every node comes after what it needs: nodes whose in-degree is 0 wait in a queue; the one in front
 * runs, and the in-degrees of its successors fall.
 * @example graph.topologicalOrder(graph.dag("a->d, b->c, c->d, d->e")).order // ["a", "b", "c", "d", "e"]
 * @throws ValueError naming the cycle, if there is one.
 */
export function topologicalOrder(d: Dag): TopologicalOrder {
  const next = successors(checked(d));
  const waiting = new Map(d.nodes.map((name) => [name, 0]));
  for (const [, to] of d.edges) waiting.set(to, (waiting.get(to) ?? 0) + 1);
  const ready = d.nodes.filter((name) => waiting.get(name) === 0);
  const order: string[] = [];
  const steps: KahnStep[] = [];
  const note = (taken: string | null): void => {
    steps.push({ taken, inDegrees: Object.fromEntries(waiting), ready: [...ready] });
  };
  note(null);
  for (let name = ready.shift(); name !== undefined; name = ready.shift()) {
    order.push(name);
    waiting.delete(name);
    for (const successor of next.get(name) ?? []) {
      const left = (waiting.get(successor) ?? 0) - 1;
      waiting.set(successor, left);
      if (left === 0) ready.push(successor);
    }
    note(name);
  }
  if (order.length < d.nodes.length) checkAcyclic(d);
  return { order, steps };
}

/**
 * Groups of nodes that may run at the same time: each after those that it needs, as early as possible.
 * @example graph.levels(graph.dag("a->c, b->c")) // [["a", "b"], ["c"]]
 */
export function levels(d: Dag): string[][] {
  const before = predecessors(d);
  const level = new Map<string, number>();
  const groups: string[][] = [];
  for (const name of topologicalOrder(d).order) {
    const at = Math.max(-1, ...(before.get(name) ?? []).map((p) => level.get(p) as number)) + 1;
    level.set(name, at);
    groups[at] ??= [];
    groups[at].push(name);
  }
  return groups;
}

/** Duration of a node, in any unit; not negative. */
export type Cost = (node: string) => number;

const unit: Cost = () => 1;

/**
 * The chain of nodes that takes longest: no schedule is shorter.
 * @example graph.criticalPath(graph.dag("a->b->c, d->c")).path // ["a", "b", "c"]
 */
export function criticalPath(d: Dag, cost: Cost = unit): { path: string[]; length: number } {
  const tails = tailLengths(d, cost);
  const next = successors(d);
  const longest = (names: readonly string[]): string | undefined =>
    names.reduce<string | undefined>(
      (best, name) => (best === undefined || (tails.get(name) ?? 0) > (tails.get(best) ?? 0) ? name : best),
      undefined,
    );
  const path: string[] = [];
  for (let name = longest(d.nodes); name !== undefined; name = longest(next.get(name) ?? [])) path.push(name);
  return { path, length: path.reduce((sum, name) => sum + cost(name), 0) };
}

/** Time from a node's start to the end of everything after it. */
function tailLengths(d: Dag, cost: Cost): Map<string, number> {
  const next = successors(d);
  const tails = new Map<string, number>();
  for (const name of [...topologicalOrder(d).order].reverse())
    tails.set(name, cost(name) + Math.max(0, ...(next.get(name) ?? []).map((s) => tails.get(s) as number)));
  return tails;
}

/** When and where a node runs. */
export interface Task {
  readonly node: string;
  readonly stream: number;
  readonly start: number;
  readonly end: number;
}

export interface Schedule {
  /** In order of start. */
  readonly tasks: readonly Task[];
  /** End of the last task. */
  readonly makespan: number;
  readonly streams: number;
}

/**
 * Spreads nodes over streams: whenever one is free, it takes the ready node with the longest chain behind it. At most
 * twice as long as the best schedule (Graham, 1969). One stream gives serial execution.
 * @throws ValueError for less than one stream, a negative cost or a cycle.
 * @example graph.listSchedule(graph.dag("a->c, b->c"), 2).makespan // 2
 */
export function listSchedule(d: Dag, streams: number, cost: Cost = unit): Schedule {
  if (!Number.isInteger(streams) || streams < 1)
    throw new ValueError(`listSchedule: ${streams} is no number of streams`);
  for (const name of d.nodes)
    if (!(cost(name) >= 0))
      throw new ValueError(`listSchedule: the cost of ${name} is ${cost(name)}; it must not be negative`);
  const tails = tailLengths(d, cost);
  const before = predecessors(d);
  const end = new Map<string, number>();
  const waiting = new Set(d.nodes);
  const free = new Array<number>(streams).fill(0);
  const tasks: Task[] = [];
  while (waiting.size > 0) {
    const stream = free.indexOf(Math.min(...free));
    const known = [...waiting].filter((name) => (before.get(name) ?? []).every((p) => end.has(p)));
    const readyAt = (name: string): number =>
      Math.max(0, ...(before.get(name) ?? []).map((p) => end.get(p) as number));
    const now = Math.max(free[stream], Math.min(...known.map(readyAt)));
    const candidates = known.filter((name) => readyAt(name) <= now);
    const node = candidates.reduce((best, name) =>
      (tails.get(name) as number) > (tails.get(best) as number) ? name : best,
    );
    const task: Task = { node, stream, start: now, end: now + cost(node) };
    tasks.push(task);
    end.set(node, task.end);
    free[stream] = task.end;
    waiting.delete(node);
  }
  tasks.sort((a, b) => a.start - b.start);
  return { tasks, makespan: Math.max(0, ...tasks.map((task) => task.end)), streams };
}

/**
 * Rough work of a graph's node, in operations on elements: products of matrices count two per multiplication.
 * @example graph.workOf(capture((x: Tensor) => x.sin(), tensor([1, 2, 3])).nodes[0]) > 0 // true
 */
export function workOf(node: GraphNode): number {
  const outputs = node.outputs.reduce((sum, output) => sum + sizeOf(output.shape), 0);
  const inner = regionsOf(node.attrs).reduce(
    (sum, [, region]) => sum + region.nodes.reduce((s, n) => s + workOf(n), 0),
    0,
  );
  if (inner > 0) return inner * ((node.attrs as { length?: number }).length ?? 1);
  if (node.op.kind === "view") return 0;
  if (node.op.kind === "contraction") {
    const [a, b] = node.inputs.map((input) => sizeOf(input.shape));
    return outputs === 0 ? 0 : 2 * Math.max(outputs, Math.sqrt(a * b * outputs)); // 2·m·n·k of an m×k and a k×n matrix
  }
  return Math.max(outputs, ...node.inputs.map((input) => sizeOf(input.shape)));
}
