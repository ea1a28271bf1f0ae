/**
 * A local planning task: a robot drives at a steady speed between discs to a goal; it steers by what its lidar sees and the
 * goal's direction. The teacher knows the map: A* around the discs, then pure pursuit.
 */
import { ValueError } from "../../../core/errors.js";
import { WordStream } from "../../../core/random.js";
import { type Point2, type Pose2, purePursuit, wrapAngle } from "../../control/path-tracking.js";
import { GridGraph } from "../graph.js";
import { GridMap } from "../grid.js";
import { aStar } from "../search.js";
import { shortcut } from "../smooth.js";
import { GridSpace } from "../space.js";
import type { Pomdp, PomdpStep } from "./pomdp.js";

export interface LocalPlanningOptions {
  /** Discs between start and goal. Default 5. */
  readonly obstacles?: number;
  /** Lidar beams over the half circle ahead. Default 16. */
  readonly beams?: number;
}

/** rad/s of each action. */
const TURNS = [-2, -1, 0, 1, 2] as const;
const [SIDE, SPEED, PERIOD, RADIUS, REACH, RANGE, LIMIT] = [6, 0.5, 0.2, 0.2, 0.3, 2.5, 120];

export class LocalPlanning implements Pomdp {
  readonly actions = TURNS.length;
  readonly observationSize: number;
  /** Where the robot is: m, m, rad. */
  pose: Pose2 = [0, 0, 0];
  goal: Point2 = [0, 0];
  discs: readonly (readonly [x: number, y: number, radius: number])[] = [];
  private readonly obstacles: number;
  private readonly beams: number;
  private steps = 0;
  private route: Point2[] | null = null;

  constructor({ obstacles = 5, beams = 16 }: LocalPlanningOptions = {}) {
    if (!Number.isInteger(obstacles) || obstacles < 0 || !Number.isInteger(beams) || beams < 2)
      throw new ValueError(
        `LocalPlanning: obstacles from 0 and beams from 2 on wanted, got ${obstacles}, ${beams}`,
      );
    this.obstacles = obstacles;
    this.beams = beams;
    this.observationSize = beams + 3;
  }

  /** A world in which a way exists. */
  reset(seed: number): Float64Array {
    const random = new WordStream([seed | 0, 0x4c50]);
    do {
      this.pose = [0.7, random.uniform(1, SIDE - 1), random.uniform(-0.6, 0.6)];
      this.goal = [SIDE - 0.7, random.uniform(1, SIDE - 1)];
      this.discs = Array.from(
        { length: this.obstacles },
        () =>
          [
            random.uniform(1.8, SIDE - 1.8),
            random.uniform(0.6, SIDE - 0.6),
            random.uniform(0.2, 0.5),
          ] as const,
      );
      this.route = this.plan();
    } while (this.route === null);
    this.steps = 0;
    return this.observe();
  }

  step(action: number): PomdpStep {
    if (!Number.isInteger(action) || action < 0 || action >= TURNS.length)
      throw new ValueError(`LocalPlanning.step: actions are 0 … ${TURNS.length - 1}, got ${action}`);
    const before = this.distance();
    const turn = TURNS[action] * PERIOD;
    const [x, y, heading] = this.pose;
    const middle = heading + turn / 2;
    this.pose = [
      x + SPEED * PERIOD * Math.cos(middle),
      y + SPEED * PERIOD * Math.sin(middle),
      wrapAngle(heading + turn),
    ];
    this.steps++;
    const after = this.distance();
    const hit = this.clearance() < RADIUS;
    const reached = after < REACH;
    const outcome = hit ? "failure" : reached ? "success" : this.steps >= LIMIT ? "timeout" : undefined;
    const reward = before - after - 0.02 + (hit ? -3 : 0) + (reached ? 3 : 0);
    return { observation: this.observe(), reward, done: outcome !== undefined, outcome };
  }

  /** What the teacher, who knows the map, would do now. */
  teacher(): number {
    const curvature = purePursuit(this.route as Point2[], this.pose, 0.45);
    const wanted = curvature * SPEED;
    let best = 0;
    TURNS.forEach((turn, i) => {
      if (Math.abs(turn - wanted) < Math.abs(TURNS[best] - wanted)) best = i;
    });
    return best;
  }

  /** Nearness of what each beam meets (0: nothing in range, 1: touching), the goal's direction as cos and sin, its distance. */
  private observe(): Float64Array {
    const out = new Float64Array(this.observationSize);
    const [x, y, heading] = this.pose;
    for (let i = 0; i < this.beams; i++) {
      const angle = heading + Math.PI * (i / (this.beams - 1) - 0.5);
      out[i] = 1 - this.range(x, y, Math.cos(angle), Math.sin(angle)) / RANGE;
    }
    const bearing = Math.atan2(this.goal[1] - y, this.goal[0] - x) - heading;
    out[this.beams] = Math.cos(bearing);
    out[this.beams + 1] = Math.sin(bearing);
    out[this.beams + 2] = this.distance() / SIDE;
    return out;
  }

  private range(x: number, y: number, dx: number, dy: number): number {
    let range = RANGE;
    if (dx !== 0) range = Math.min(range, ((dx > 0 ? SIDE : 0) - x) / dx);
    if (dy !== 0) range = Math.min(range, ((dy > 0 ? SIDE : 0) - y) / dy);
    for (const [cx, cy, radius] of this.discs) {
      const along = (cx - x) * dx + (cy - y) * dy;
      const across = (cx - x) * dy - (cy - y) * dx;
      if (along > 0 && Math.abs(across) < radius)
        range = Math.min(range, along - Math.sqrt(radius * radius - across * across));
    }
    return Math.max(0, range);
  }

  private distance(): number {
    return Math.hypot(this.goal[0] - this.pose[0], this.goal[1] - this.pose[1]);
  }

  /** m from the robot's middle to the nearest wall or disc. */
  private clearance(): number {
    const [x, y] = this.pose;
    const walls = Math.min(x, y, SIDE - x, SIDE - y);
    return Math.min(walls, ...this.discs.map(([cx, cy, radius]) => Math.hypot(cx - x, cy - y) - radius));
  }

  private plan(): Point2[] | null {
    const map = new GridMap(60, 60, { resolution: SIDE / 60 });
    for (let cell = 0; cell < map.size; cell++) {
      const [x, y] = map.centre(cell);
      const walls = Math.min(x, y, SIDE - x, SIDE - y);
      const near = this.discs.some(([cx, cy, radius]) => Math.hypot(cx - x, cy - y) < radius + RADIUS + 0.15);
      if (near || walls < RADIUS + 0.15) map.set(cell, 100);
    }
    const graph = new GridGraph(map);
    const [start, goal] = [map.cellAt([this.pose[0], this.pose[1]]), map.cellAt(this.goal)];
    const { path } = aStar(graph, start, goal, { heuristic: graph.heuristic });
    if (!path) return null;
    const points = path.map((cell) => map.centre(cell));
    return shortcut(new GridSpace(map), points, { rounds: 30 }).map(([x, y]) => [x, y] as const);
  }
}
