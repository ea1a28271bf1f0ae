/**
 * Dependency analysis: which nodes need which, cycles, and how long values live. (Book, chapter 3: direct, indirect and
 * independent nodes; circular dependencies; lifetimes of variables.)
 */
import { bytesPerElement } from "../core/dtype.js";
import { ValueError } from "../core/errors.js";
import { sizeOf } from "../core/shape.js";
import type { Graph, Value } from "../ir/graph.js";
import { checked, type Dag, successors } from "./dag.js";

export type Dependency = "direct" | "indirect" | "independent";

/**
 * How `later` depends on `earlier`: it reads its result, it reads what was made of its result, or not at all.
 * @throws ValueError for unknown names.
 * @example graph.dependency(graph.dag("a->b->c"), "a", "c") // "indirect"
 */
export function dependency(d: Dag, earlier: string, later: string): Dependency {
  const next = successors(checked(d));
  for (const name of [earlier, later])
    if (!next.has(name))
      throw new ValueError(`dependency: there is no node "${name}"; there are ${d.nodes.join(", ")}`);
  if (next.get(earlier)?.includes(later)) return "direct";
  return reachable(next, earlier).has(later) ? "indirect" : "independent";
}

/**
 * Every pair of different nodes that depend on each other in neither direction: these may run at the same time.
 * @example graph.independentPairs(graph.dag("a->c, b->c")) // [["a", "b"]]
 */
export function independentPairs(d: Dag): [string, string][] {
  const next = successors(checked(d));
  const below = new Map(d.nodes.map((name) => [name, reachable(next, name)]));
  return d.nodes.flatMap((a, i) =>
    d.nodes
      .slice(i + 1)
      .filter((b) => !below.get(a)?.has(b) && !below.get(b)?.has(a))
      .map((b): [string, string] => [a, b]),
  );
}

function reachable(next: ReadonlyMap<string, readonly string[]>, from: string): Set<string> {
  const found = new Set<string>();
  const open = [...(next.get(from) ?? [])];
  for (let name = open.pop(); name !== undefined; name = open.pop()) {
    if (found.has(name)) continue;
    found.add(name);
    open.push(...(next.get(name) ?? []));
  }
  return found;
}

/**
 * The nodes of a cycle in order (the last needs to come before the first again), or `null`.
 * @example graph.findCycle({ nodes: ["a", "b"], edges: [["a", "b"], ["b", "a"]] }) // ["a", "b"]
 */
export function findCycle(d: Dag): string[] | null {
  const next = successors(checked(d));
  const state = new Map<string, "open" | "done">();
  for (const start of d.nodes) {
    if (state.has(start)) continue;
    const path: string[] = [start];
    const rest: string[][] = [[...(next.get(start) ?? [])]];
    state.set(start, "open");
    while (path.length > 0) {
      const name = rest[rest.length - 1].shift();
      if (name === undefined) {
        state.set(path.pop() as string, "done");
        rest.pop();
      } else if (state.get(name) === "open") {
        return path.slice(path.indexOf(name));
      } else if (!state.has(name)) {
        state.set(name, "open");
        path.push(name);
        rest.push([...(next.get(name) ?? [])]);
      }
    }
  }
  return null;
}

/**
 * Returns the graph.
 * @throws ValueError naming the cycle, if there is one.
 * @example graph.checkAcyclic(graph.dag("a->b")).nodes // ["a", "b"]
 */
export function checkAcyclic<D extends Dag>(d: D): D {
  const cycle = findCycle(d);
  if (cycle === null) return d;
  throw new ValueError(
    `circular dependency: ${[...cycle, cycle[0]].join(" -> ")}; none of these can run first. A loop that ends is written as copies of its body with names of their own: unroll`,
  );
}

/**
 * A loop as a graph without cycles: `times` copies of its body with fresh names (`mul#1`, `mul#2`, …). Each carried edge
 * leads from a copy to the next one.
 * @example graph.unroll(graph.dag("mul->relu"), [["relu", "mul"]], 3).nodes.length // 6
 */
export function unroll(
  body: Dag,
  carried: readonly (readonly [from: string, to: string])[],
  times: number,
): Dag {
  checkAcyclic(body);
  checked({ nodes: body.nodes, edges: carried });
  if (!Number.isInteger(times) || times < 0)
    throw new ValueError(`unroll: ${times} is no number of iterations`);
  const copies = Array.from({ length: times }, (_, i) => i + 1);
  return {
    nodes: copies.flatMap((k) => body.nodes.map((name) => `${name}#${k}`)),
    edges: copies.flatMap((k) => [
      ...body.edges.map(([from, to]) => [`${from}#${k}`, `${to}#${k}`] as const),
      ...(k > 1 ? carried.map(([from, to]) => [`${from}#${k - 1}`, `${to}#${k}`] as const) : []),
    ]),
  };
}

/** From when to when a value must be kept: positions in the order of the nodes. */
export interface Lifetime {
  readonly value: Value;
  /** Position of the node that makes it; −1 for parameters and constants. */
  readonly first: number;
  /** Position of the last node that reads it; `nodes.length` for results. */
  readonly last: number;
  readonly bytes: number;
}

/** Bytes of a value's elements. */
export function bytesOf(value: Value): number {
  return sizeOf(value.shape) * bytesPerElement(value.dtype);
}

/**
 * How long each value lives if the nodes run in their order. Values that nothing reads end where they begin.
 * @example graph.lifetimes(capture((x: Tensor) => x.sin().cos(), tensor([1]))).length // 3
 */
export function lifetimes(graph: Graph): Lifetime[] {
  const first = new Map<Value, number>(graph.values().map((value) => [value, -1]));
  const last = new Map<Value, number>();
  graph.nodes.forEach((node, i) => {
    for (const output of node.outputs) {
      first.set(output, i);
      last.set(output, i);
    }
    for (const input of node.inputs) last.set(input, i);
  });
  for (const result of graph.results) last.set(result, graph.nodes.length);
  return graph.values().map((value) => ({
    value,
    first: first.get(value) as number,
    last: last.get(value) ?? -1,
    bytes: bytesOf(value),
  }));
}

/** Memory that intermediate results and results take: with and without giving back each value after its last use. */
export interface MemoryUse {
  /** Bytes alive while each node runs. */
  readonly perNode: readonly number[];
  readonly peakBytes: number;
  /** If nothing were given back. */
  readonly totalBytes: number;
}

/**
 * Parameters and constants are not counted: they are the caller's.
 * @example graph.memoryUse(capture((x: Tensor) => x.sin().cos(), tensor([1]))).peakBytes // 8
 */
export function memoryUse(graph: Graph): MemoryUse {
  const made = lifetimes(graph).filter(({ first }) => first >= 0);
  const perNode = graph.nodes.map((_, i) =>
    made.reduce((sum, { first, last, bytes }) => (first <= i && i <= last ? sum + bytes : sum), 0),
  );
  return {
    perNode,
    peakBytes: Math.max(0, ...perNode),
    totalBytes: made.reduce((sum, { bytes }) => sum + bytes, 0),
  };
}
