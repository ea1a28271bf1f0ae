/**
 * Probabilistic roadmaps (Kavraki, Švestka, Latombe & Overmars 1996; PRM*: Karaman & Frazzoli 2011): points sampled once, joined to
 * their neighbours, searched for each question. Lazy (Bohlin & Kavraki 2000): a motion is checked only when a best path wants it.
 */
import { displaySymbol, type MimeBundle } from "../../core/display.js";
import { ValueError } from "../../core/errors.js";
import { WordStream } from "../../core/random.js";
import type { SearchGraph } from "./graph.js";
import { KdTree } from "./kd-tree.js";
import { mapDisplay } from "./plan-display.js";
import { optimalFactor } from "./rrt.js";
import { aStar } from "./search.js";
import { checkEnds, distance, type Point, type Space } from "./space.js";

export interface RoadmapOptions {
  /** Free points sampled. Default 500. */
  readonly samples?: number;
  /** Distance within which points are joined. Default: that of PRM*, which shrinks as (log n / n)^(1/d). */
  readonly radius?: number;
  /** Check motions when a path wants them, not when the map is made. Default true. */
  readonly lazy?: boolean;
  /** Default 0. */
  readonly seed?: number;
}

export interface RoadmapPath {
  readonly path: readonly Point[] | null;
  readonly cost: number;
}

/** A roadmap of a space; it learns from question to question which motions are free. */
export class Roadmap implements SearchGraph {
  /** Motions checked so far. */
  checks = 0;
  readonly points: Point[] = [];
  private readonly index: KdTree;
  private readonly edges: Map<number, number>[] = [];
  /** Motions known to be free or not, by the numbers of their ends. */
  private readonly known = new Map<number, boolean>();
  private readonly radius: number;
  private readonly lazy: boolean;

  /** @throws ValueError if no free point is found */
  constructor(
    readonly space: Space,
    { samples = 500, radius, lazy = true, seed = 0 }: RoadmapOptions = {},
  ) {
    if (!Number.isInteger(samples) || samples < 2)
      throw new ValueError(`Roadmap: at least 2 samples wanted, got ${samples}`);
    const d = space.bounds.length;
    this.radius = radius ?? 1.1 * optimalFactor(space) * (Math.log(samples) / samples) ** (1 / d);
    this.lazy = lazy;
    this.index = new KdTree(d);
    const random = new WordStream([seed | 0, 0x50524d]);
    for (let tries = 0; this.points.length < samples; tries++) {
      const point = space.bounds.map(([low, high]) => random.uniform(low, high));
      if (space.free(point)) this.add(point);
      else if (tries > 1000 * samples)
        throw new ValueError(`Roadmap: ${tries} samples gave ${this.points.length} free points`);
    }
  }

  get size(): number {
    return this.points.length;
  }

  neighbours(node: number, visit: (next: number, cost: number) => void): void {
    for (const [next, cost] of this.edges[node]) visit(next, cost);
  }

  /** The shortest path on the map; both ends become points of it. @throws ValueError if an end is not free */
  path(start: Point, goal: Point): RoadmapPath {
    checkEnds(this.space, start, goal, "Roadmap.path");
    const [from, to] = [this.add(start), this.add(goal)];
    const heuristic = (a: number, b: number): number => distance(this.points[a], this.points[b]);
    for (;;) {
      const found = aStar(this, from, to, { heuristic });
      if (!found.path) return { path: null, cost: Number.POSITIVE_INFINITY };
      const { path } = found;
      const blocked = path.findIndex((node, i) => i > 0 && !this.clear(path[i - 1], node));
      if (blocked < 0) return { path: path.map((node) => this.points[node]), cost: found.cost };
      this.disconnect(path[blocked - 1], path[blocked]);
    }
  }

  [displaySymbol](): MimeBundle {
    const title = `roadmap of ${this.size} points, ${this.checks} motions checked`;
    if (this.space.bounds.length !== 2) return { "text/plain": title };
    const edges = this.edges.flatMap((ends, i) =>
      [...ends.keys()].filter((j) => j > i).map((j) => [this.points[i], this.points[j]] as const),
    );
    return mapDisplay(this.space, { edges, points: this.points, title });
  }

  private add(point: Point): number {
    const same = this.index.nearest(point);
    if (same?.distance === 0) return same.index;
    const around = this.index.within(point, this.radius);
    const node = this.index.insert(point);
    this.points.push(point);
    this.edges.push(new Map());
    for (const { index, distance: length } of around) {
      if (!this.lazy && !this.clear(index, node)) continue;
      this.edges[node].set(index, length);
      this.edges[index].set(node, length);
    }
    return node;
  }

  private clear(a: number, b: number): boolean {
    const edge = Math.min(a, b) * 2 ** 26 + Math.max(a, b);
    let found = this.known.get(edge);
    if (found === undefined) {
      this.checks++;
      found = this.space.clear(this.points[a], this.points[b]);
      this.known.set(edge, found);
    }
    return found;
  }

  private disconnect(a: number, b: number): void {
    this.edges[a].delete(b);
    this.edges[b].delete(a);
  }
}
