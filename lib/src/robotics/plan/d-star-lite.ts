/**
 * D* Lite (Koenig & Likhachev 2002): a robot on its way finds out that edges cost something else than it thought. The search runs
 * from the goal, so that what it found stays right as the robot moves; after a change only the nodes whose cost changes
 * are looked at again.
 */
import { ValueError } from "../../core/errors.js";
import type { Heuristic, SearchGraph } from "./graph.js";
import { KeyedHeap } from "./heap.js";
import { checkNode } from "./search.js";

/** Keys this near count as equal: the same path's cost, added up from its other end. */
const ROUNDING = 1e-9;

export class DStarLite {
  /** Nodes taken from the queue since the beginning. */
  expanded = 0;
  private readonly costs: Float64Array;
  /** What the costs should be, one step ahead: the least of edge + cost of its end. */
  private readonly ahead: Float64Array;
  private readonly open: KeyedHeap;
  /** What the heuristic lost by the robot's moves. */
  private moved = 0;
  private last: number;

  /**
   * @param graph whose edges cost the same in both directions; change it, then call `update`
   * @param heuristic consistent. Default 0
   */
  constructor(
    private readonly graph: SearchGraph,
    private start: number,
    readonly goal: number,
    private readonly heuristic: Heuristic = () => 0,
  ) {
    checkNode(start, graph.size, "DStarLite: start");
    checkNode(goal, graph.size, "DStarLite: goal");
    this.costs = new Float64Array(graph.size).fill(Number.POSITIVE_INFINITY);
    this.ahead = new Float64Array(graph.size).fill(Number.POSITIVE_INFINITY);
    this.open = new KeyedHeap(graph.size);
    this.last = start;
    this.ahead[goal] = 0;
    this.enqueue(goal);
  }

  /** Where the robot is. */
  get position(): number {
    return this.start;
  }

  /** The cost of the best path from where the robot is; ∞ if there is none. */
  get cost(): number {
    this.compute();
    return this.ahead[this.start];
  }

  /** The best path from where the robot is; `null` if there is none. */
  path(): number[] | null {
    this.compute();
    if (this.ahead[this.start] === Number.POSITIVE_INFINITY) return null;
    const path = [this.start];
    for (let at = this.start; at !== this.goal; ) {
      let [best, least] = [-1, Number.POSITIVE_INFINITY];
      this.graph.neighbours(at, (next, cost) => {
        if (cost + this.costs[next] < least) [best, least] = [next, cost + this.costs[next]];
      });
      if (best < 0 || path.length > this.graph.size)
        throw new ValueError("DStarLite: edges changed without a call of update()");
      path.push(best);
      at = best;
    }
    return path;
  }

  /** The robot moved. */
  moveTo(node: number): this {
    checkNode(node, this.graph.size, "DStarLite.moveTo");
    this.start = node;
    return this;
  }

  /** Edges that leave these nodes have other costs now. */
  update(nodes: Iterable<number>): this {
    this.moved += this.heuristic(this.last, this.start);
    this.last = this.start;
    for (const node of nodes) this.refresh(node);
    return this;
  }

  private key(node: number): [number, number] {
    const least = Math.min(this.costs[node], this.ahead[node]);
    return [least + this.heuristic(this.start, node) + this.moved, least];
  }

  private enqueue(node: number): void {
    const [first, second] = this.key(node);
    this.open.set(node, first, second);
  }

  private refresh(node: number): void {
    if (node !== this.goal) {
      let least = Number.POSITIVE_INFINITY;
      this.graph.neighbours(node, (next, cost) => {
        least = Math.min(least, cost + this.costs[next]);
      });
      this.ahead[node] = least;
    }
    if (this.costs[node] !== this.ahead[node]) this.enqueue(node);
    else this.open.delete(node);
  }

  private compute(): void {
    const { open, costs, ahead, graph } = this;
    while (open.size > 0) {
      const node = open.peek();
      const before = open.keyOf(node);
      const limit = this.key(this.start);
      if (before[0] > limit[0] + ROUNDING && ahead[this.start] === costs[this.start]) return;
      if (before[0] === Number.POSITIVE_INFINITY) return;
      const now = this.key(node);
      if (before[0] < now[0] || (before[0] === now[0] && before[1] < now[1])) {
        open.set(node, ...now);
        continue;
      }
      this.expanded++;
      open.delete(node);
      if (costs[node] > ahead[node]) {
        costs[node] = ahead[node];
      } else {
        costs[node] = Number.POSITIVE_INFINITY;
        this.refresh(node);
      }
      graph.neighbours(node, (next) => {
        this.refresh(next);
      });
    }
  }
}
