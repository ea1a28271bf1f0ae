/** Best-first search on graphs: Dijkstra's, A*, weighted A*, and the any-angle Theta* on grids. */
import { ValueError } from "../../core/errors.js";
import type { Heuristic, SearchGraph } from "./graph.js";
import { GridGraph } from "./graph.js";
import type { GridMap } from "./grid.js";
import { KeyedHeap } from "./heap.js";

export interface SearchOptions {
  /** A lower bound of the cost that is left. Default: 0, which makes the search Dijkstra's. */
  readonly heuristic?: Heuristic;
  /** The heuristic counts this much; w > 1 finds paths of at most w times the best cost, sooner. Default 1. */
  readonly weight?: number;
}

export interface SearchResult {
  /** Nodes from start to goal; `null` if there is no path. */
  readonly path: number[] | null;
  /** ∞ without a path. */
  readonly cost: number;
  /** Nodes taken from the queue, those taken twice counted twice. */
  readonly expanded: number;
}

/** @throws ValueError for nodes that the graph has not */
export function checkNode(node: number, size: number, where: string): void {
  if (!Number.isInteger(node) || node < 0 || node >= size)
    throw new ValueError(`${where}: there is no node ${node} among ${size}`);
}

/**
 * The cheapest path (A*; Hart, Nilsson & Raphael 1968). With an admissible heuristic it is the best; nodes that a better
 * way is found to are taken up again, so the heuristic need not be consistent.
 * @throws ValueError for a node that the graph has not, an edge below 0, or a weight below 1
 * @example
 * const map = plan.GridMap.parse("...\n.#.\n...");
 * const cells = new plan.GridGraph(map, 4);
 * plan.aStar(cells, 0, 8, { heuristic: cells.heuristic }).cost // 4
 */
export function aStar(
  graph: SearchGraph,
  start: number,
  goal: number,
  { heuristic = () => 0, weight = 1 }: SearchOptions = {},
): SearchResult {
  checkNode(start, graph.size, "aStar: start");
  checkNode(goal, graph.size, "aStar: goal");
  if (!(weight >= 1)) throw new ValueError(`aStar: a weight of at least 1 wanted, got ${weight}`);
  const costs = new Float64Array(graph.size).fill(Number.POSITIVE_INFINITY);
  const parents = new Int32Array(graph.size).fill(-1);
  const open = new KeyedHeap(graph.size);
  costs[start] = 0;
  open.set(start, weight * heuristic(start, goal), 0);
  let expanded = 0;
  while (open.size > 0) {
    const node = open.pop();
    if (node === goal) return { path: pathTo(goal, parents), cost: costs[goal], expanded };
    expanded++;
    graph.neighbours(node, (next, cost) => {
      if (cost < 0) throw new ValueError(`aStar: edge ${node} → ${next} costs ${cost}; costs are from 0 on`);
      const found = costs[node] + cost;
      if (!(found < costs[next])) return;
      costs[next] = found;
      parents[next] = node;
      open.set(next, found + weight * heuristic(next, goal), -found); // of equals, the one nearer to the goal
    });
  }
  return { path: null, cost: Number.POSITIVE_INFINITY, expanded };
}

/**
 * The costs of the best paths from a node to all others (Dijkstra 1959); ∞ for those that none reaches.
 * @example plan.dijkstra(new plan.GridGraph(new plan.GridMap(3, 1)), 0) // [0, 1, 2]
 */
export function dijkstra(graph: SearchGraph, start: number): Float64Array {
  checkNode(start, graph.size, "dijkstra: start");
  const costs = new Float64Array(graph.size).fill(Number.POSITIVE_INFINITY);
  const open = new KeyedHeap(graph.size);
  costs[start] = 0;
  open.set(start, 0, 0);
  while (open.size > 0) {
    const node = open.pop();
    graph.neighbours(node, (next, cost) => {
      if (!(costs[node] + cost < costs[next])) return;
      costs[next] = costs[node] + cost;
      open.set(next, costs[next], 0);
    });
  }
  return costs;
}

/** From the start to a node, along parents. */
export function pathTo(node: number, parents: ArrayLike<number>): number[] {
  const path = [node];
  for (let at = node; parents[at] >= 0 && parents[at] !== at; at = parents[at]) path.push(parents[at]);
  return path.reverse();
}

/**
 * Theta* (Daniel, Nash, Koenig & Felner 2010): paths on a grid whose turns are cells, but whose lines run at any angle.
 * Nearly always shorter than those of A*, not always the shortest. Extra costs of cells are not counted.
 * @example
 * const { cost } = plan.thetaStar(new plan.GridMap(5, 3), 0, 9);
 * cost // 4.1231
 */
export function thetaStar(map: GridMap, start: number, goal: number): SearchResult {
  checkNode(start, map.size, "thetaStar: start");
  checkNode(goal, map.size, "thetaStar: goal");
  const graph = new GridGraph(map);
  const distance = (a: number, b: number): number => {
    const [p, q] = [map.centre(a), map.centre(b)];
    return Math.hypot(p[0] - q[0], p[1] - q[1]);
  };
  const costs = new Float64Array(map.size).fill(Number.POSITIVE_INFINITY);
  const parents = new Int32Array(map.size).fill(-1);
  const open = new KeyedHeap(map.size);
  costs[start] = 0;
  parents[start] = start;
  open.set(start, distance(start, goal), 0);
  let expanded = 0;
  while (open.size > 0) {
    const node = open.pop();
    if (node === goal) return { path: pathTo(goal, parents), cost: costs[goal], expanded };
    expanded++;
    graph.neighbours(node, (next) => {
      // straight from the parent, if nothing stands between
      const from = map.clear(map.centre(parents[node]), map.centre(next)) ? parents[node] : node;
      const found = costs[from] + distance(from, next);
      if (!(found < costs[next] - 1e-12)) return;
      costs[next] = found;
      parents[next] = from;
      open.set(next, found + distance(next, goal), -found);
    });
  }
  return { path: null, cost: Number.POSITIVE_INFINITY, expanded };
}
