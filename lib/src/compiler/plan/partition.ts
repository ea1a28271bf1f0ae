/**
 * Heterogeneous graphs: nodes belong to devices, and each change of device costs a hand-over. The graph is cut into as few
 * subgraphs of one device each as an order of execution allows. (Book, chapter 5: nine kernels in five subgraphs.)
 */
import { ValueError } from "../../core/errors.js";
import { type Dag, predecessors } from "../../graph/dag.js";
import { checkAcyclic } from "../../graph/dependencies.js";

/** Nodes that one device runs without a hand-over in between. */
export interface Subgraph {
  readonly device: string;
  readonly nodes: readonly string[];
}

export interface Partition {
  /** In the order of execution. */
  readonly subgraphs: readonly Subgraph[];
  /** Edges between subgraphs of different devices: what has to be copied. */
  readonly copies: readonly (readonly [from: string, to: string])[];
}

/** States that the search keeps; with more, it goes on with the most advanced ones and may miss the fewest subgraphs. */
const MAX_STATES = 2000;

/**
 * The fewest subgraphs, found by breadth: whatever a device can run now it may as well run now, so only the order of the
 * devices is open.
 * @throws ValueError for a cycle, or a node without a device.
 * @example
 * const kernels = graph.dag("a->b->c->d");
 * compiler.partition(kernels, (name) => (name === "b" ? "gpu" : "cpu")).subgraphs.map(({ device }) => device) // ["cpu", "gpu", "cpu"]
 */
export function partition(d: Dag, deviceOf: (node: string) => string): Partition {
  checkAcyclic(d);
  const device = new Map(d.nodes.map((name) => [name, deviceOf(name)]));
  for (const [name, on] of device) if (!on) throw new ValueError(`partition: the node ${name} has no device`);
  const before = predecessors(d);
  const devices = [...new Set(device.values())];
  let states: State[] = [{ done: new Set(), subgraphs: [] }];
  while (states.every(({ done }) => done.size < d.nodes.length)) {
    const next = new Map<string, State>();
    for (const state of states)
      for (const on of devices) {
        const nodes = runnable(d, state.done, (name) => device.get(name) === on, before);
        if (nodes.length === 0) continue;
        const done = new Set([...state.done, ...nodes]);
        const key = d.nodes.map((name) => (done.has(name) ? "1" : "0")).join("");
        if (!next.has(key)) next.set(key, { done, subgraphs: [...state.subgraphs, { device: on, nodes }] });
      }
    states = [...next.values()].sort((a, b) => b.done.size - a.done.size).slice(0, MAX_STATES);
  }
  const { subgraphs } = states.find(({ done }) => done.size === d.nodes.length) as State;
  const copies = d.edges.filter(([from, to]) => device.get(from) !== device.get(to));
  return { subgraphs, copies };
}

interface State {
  readonly done: ReadonlySet<string>;
  readonly subgraphs: readonly Subgraph[];
}

/** All that one device can run now, in an order in which it can. */
function runnable(
  d: Dag,
  done: ReadonlySet<string>,
  mine: (name: string) => boolean,
  before: ReadonlyMap<string, readonly string[]>,
): string[] {
  const found = new Set<string>();
  for (let grown = true; grown; ) {
    grown = false;
    for (const name of d.nodes) {
      if (found.has(name) || done.has(name) || !mine(name)) continue;
      if (!(before.get(name) ?? []).every((p) => done.has(p) || found.has(p))) continue;
      found.add(name);
      grown = true;
    }
  }
  return [...found];
}
