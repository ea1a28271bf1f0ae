/**
 * Rapidly exploring random trees: RRT (LaValle 1998) finds a path; RRT* (Karaman & Frazzoli 2011) rewires the tree, so that the path
 * tends to the shortest; informed RRT* (Gammell, Srinivasa & Barfoot 2014) samples only where a shorter one can lie.
 */
import { ValueError } from "../../core/errors.js";
import { WordStream } from "../../core/random.js";
import { KdTree } from "./kd-tree.js";
import { TreePlan } from "./plan-display.js";
import { checkEnds, distance, type Point, pathLength, type Space } from "./space.js";

export interface RrtOptions {
  /** Samples drawn. Default 2000. */
  readonly iterations?: number;
  /** Longest edge. Default: a tenth of the space's diagonal. */
  readonly step?: number;
  /** Share of samples that are the goal itself. Default 0.05. */
  readonly goalBias?: number;
  /** "rrt" ends at the first path; "rrt*" and "informed" use all iterations. Default "rrt". */
  readonly algorithm?: "rrt" | "rrt*" | "informed";
  /** Factor of the rewiring radius; at least 1 for the theorem to hold. Default 1.1. */
  readonly radiusFactor?: number;
  /** Default 0. */
  readonly seed?: number;
}

/**
 * A path of straight lines from start to goal through free space.
 * @throws ValueError if an end is not free, or an option outside its range
 * @example
 * const space = new plan.ObstacleSpace([[0, 4], [0, 4]], { balls: [{ centre: [2, 2], radius: 1 }] });
 * const found = plan.rrt(space, [0.5, 0.5], [3.5, 3.5], { algorithm: "rrt*", seed: 1 });
 * found.cost > 4.2 && found.cost < 5 // true
 */
export function rrt(
  space: Space,
  start: Point,
  goal: Point,
  {
    iterations = 2000,
    step = diagonal(space) / 10,
    goalBias = 0.05,
    algorithm = "rrt",
    radiusFactor = 1.1,
    seed = 0,
  }: RrtOptions = {},
): TreePlan {
  checkEnds(space, start, goal, "rrt");
  if (!(step > 0)) throw new ValueError(`rrt: a step above 0 wanted, got ${step}`);
  if (!(goalBias >= 0 && goalBias < 1))
    throw new ValueError(`rrt: goalBias is from 0 to below 1, got ${goalBias}`);
  if (!["rrt", "rrt*", "informed"].includes(algorithm))
    throw new ValueError(`rrt: algorithm is "rrt", "rrt*" or "informed", got ${JSON.stringify(algorithm)}`);
  const random = new WordStream([seed | 0, 0x525254]);
  const tree = new Tree(space, start, goal);
  const factor = radiusFactor * optimalFactor(space);
  const history: number[] = [];
  const ellipse = algorithm === "informed" ? new Ellipsoid(start, goal) : null;
  for (let i = 0; i < iterations; i++) {
    const best = tree.bestCost();
    const informed = ellipse && best < Number.POSITIVE_INFINITY;
    const sample =
      random.uniform() < goalBias
        ? goal
        : informed
          ? ellipse.sample(best, space, random)
          : space.bounds.map(([low, high]) => random.uniform(low, high));
    const near = tree.nearest(sample);
    const point = towards(tree.points[near], sample, step);
    if (distance(point, tree.points[near]) > 1e-12 && space.clear(tree.points[near], point)) {
      if (algorithm === "rrt") tree.add(point, near);
      else {
        const n = tree.points.length + 1;
        const radius = Math.min(step, factor * (Math.log(n) / n) ** (1 / start.length));
        tree.addRewired(point, near, radius);
      }
      tree.tryGoal(tree.points.length - 1, step);
    }
    history.push(tree.bestCost());
    if (algorithm === "rrt" && tree.bestCost() < Number.POSITIVE_INFINITY) break;
  }
  const path = tree.path();
  return new TreePlan(
    space,
    path,
    path ? pathLength(path) : Number.POSITIVE_INFINITY,
    tree.points,
    tree.parents,
    history,
  );
}

/** A tree of points with the cost of the way to each. */
class Tree {
  readonly points: Point[] = [];
  readonly parents: number[] = [];
  private readonly costs: number[] = [];
  private readonly children: number[][] = [];
  private readonly index: KdTree;
  /** Nodes that see the goal. */
  private readonly gates: number[] = [];

  constructor(
    private readonly space: Space,
    start: Point,
    private readonly goal: Point,
  ) {
    this.index = new KdTree(start.length);
    this.push(start, -1, 0);
  }

  nearest(point: Point): number {
    return this.index.nearest(point)?.index as number;
  }

  add(point: Point, parent: number): void {
    this.push(point, parent, this.costs[parent] + distance(point, this.points[parent]));
  }

  /** Adds a point under the best parent around, then makes it the parent of those that it serves better. */
  addRewired(point: Point, nearest: number, radius: number): void {
    const around = this.index.within(point, radius);
    let parent = nearest;
    let cost = this.costs[nearest] + distance(point, this.points[nearest]);
    const clear = new Map<number, boolean>([[nearest, true]]);
    const sees = (node: number): boolean => {
      let found = clear.get(node);
      if (found === undefined) {
        found = this.space.clear(this.points[node], point);
        clear.set(node, found);
      }
      return found;
    };
    // the cheapest first: the first that sees the point is the best
    const byCost = around
      .map(({ index, distance: length }) => ({ index, cost: this.costs[index] + length }))
      .sort((a, b) => a.cost - b.cost);
    for (const candidate of byCost) {
      if (candidate.cost >= cost) break;
      if (!sees(candidate.index)) continue;
      [parent, cost] = [candidate.index, candidate.cost];
      break;
    }
    this.push(point, parent, cost);
    const own = this.points.length - 1;
    for (const { index, distance: length } of around) {
      const better = cost + length;
      if (better >= this.costs[index] - 1e-12 || !sees(index)) continue;
      const siblings = this.children[this.parents[index]];
      siblings.splice(siblings.indexOf(index), 1);
      this.parents[index] = own;
      this.children[own].push(index);
      this.lower(index, better - this.costs[index]);
    }
  }

  /** Notes that a node sees the goal, if it does. */
  tryGoal(node: number, reach: number): void {
    if (distance(this.points[node], this.goal) <= reach && this.space.clear(this.points[node], this.goal))
      this.gates.push(node);
  }

  bestCost(): number {
    let best = Number.POSITIVE_INFINITY;
    for (const gate of this.gates)
      best = Math.min(best, this.costs[gate] + distance(this.points[gate], this.goal));
    return best;
  }

  path(): Point[] | null {
    const best = this.bestCost();
    const gate = this.gates.find(
      (node) => this.costs[node] + distance(this.points[node], this.goal) === best,
    );
    if (gate === undefined) return null;
    const path: Point[] = distance(this.points[gate], this.goal) > 0 ? [this.goal] : [];
    for (let at = gate; at >= 0; at = this.parents[at]) path.push(this.points[at]);
    return path.reverse();
  }

  private push(point: Point, parent: number, cost: number): void {
    this.index.insert(point);
    this.points.push(point);
    this.parents.push(parent);
    this.costs.push(cost);
    this.children.push([]);
    if (parent >= 0) this.children[parent].push(this.points.length - 1);
  }

  private lower(node: number, change: number): void {
    const stack = [node];
    while (stack.length > 0) {
      const at = stack.pop() as number;
      this.costs[at] += change;
      stack.push(...this.children[at]);
    }
  }
}

function towards(from: Point, to: Point, step: number): Point {
  const length = distance(from, to);
  return length <= step ? to : from.map((v, i) => v + (step / length) * (to[i] - v));
}

const diagonal = (space: Space): number => Math.hypot(...space.bounds.map(([low, high]) => high - low));

/** Volume of the ball of radius 1. */
function unitBall(d: number): number {
  return d === 0 ? 1 : d === 1 ? 2 : ((2 * Math.PI) / d) * unitBall(d - 2);
}

/** γ of the radius γ·(log n / n)^(1/d): 2·((1 + 1/d)·volume/ζ)^(1/d), the volume that of the whole space. */
export function optimalFactor(space: Space): number {
  const d = space.bounds.length;
  const volume = space.bounds.reduce((product, [low, high]) => product * (high - low), 1);
  return 2 * (((1 + 1 / d) * volume) / unitBall(d)) ** (1 / d);
}

/** The points that a path shorter than a given one can pass: those with |p − start| + |p − goal| below its length. */
class Ellipsoid {
  private readonly least: number;
  private readonly centre: Point;
  /** Householder vector that turns the first axis towards the goal. */
  private readonly mirror: readonly number[];

  constructor(start: Point, goal: Point) {
    this.least = distance(start, goal);
    this.centre = start.map((v, i) => (v + goal[i]) / 2);
    const axis = start.map((v, i) => (this.least > 0 ? (goal[i] - v) / this.least : i === 0 ? 1 : 0));
    const difference = axis.map((v, i) => (i === 0 ? 1 - v : -v));
    const length = Math.hypot(...difference);
    this.mirror = length < 1e-12 ? axis.map(() => 0) : difference.map((v) => v / length);
  }

  /** Evenly distributed, within the bounds. */
  sample(cost: number, space: Space, random: WordStream): Point {
    const d = this.centre.length;
    const minor = Math.sqrt(Math.max(0, cost * cost - this.least * this.least)) / 2;
    for (let tries = 0; tries < 100; tries++) {
      const ball = unitBallSample(d, random);
      const stretched = ball.map((v, i) => v * (i === 0 ? cost / 2 : minor));
      const along = this.mirror.reduce((sum, v, i) => sum + v * stretched[i], 0);
      const point = stretched.map((v, i) => this.centre[i] + v - 2 * along * this.mirror[i]);
      if (space.bounds.every(([low, high], i) => point[i] >= low && point[i] <= high)) return point;
    }
    return space.bounds.map(([low, high]) => random.uniform(low, high));
  }
}

/** Evenly distributed in the ball of radius 1: a direction from normal numbers, a radius with the density of its shells. */
function unitBallSample(d: number, random: WordStream): number[] {
  const normal = Array.from(
    { length: d },
    () => Math.sqrt(-2 * Math.log(1 - random.uniform())) * Math.cos(2 * Math.PI * random.uniform()),
  );
  const length = Math.hypot(...normal) || 1;
  const radius = random.uniform() ** (1 / d);
  return normal.map((v) => (radius * v) / length);
}
