/** A world from above, with what robots are, see, think and plan: one SVG, redrawn while they drive. */
import type { MimeBundle } from "../../core/display.js";
import { ValueError } from "../../core/errors.js";
import { PALETTE } from "../../viz/plot.js";
import type { Body } from "../simulate/body.js";
import { compose, type Point } from "../simulate/geometry.js";
import type { Robot } from "../simulate/robot.js";
import { Simulation } from "../simulate/simulation.js";
import type { World } from "../simulate/world.js";
import { drawEstimates, drawLayers, drawMap, drawScan, type Layers } from "./layers.js";
import { type LiveOptions, LiveView } from "./live-view.js";
import { Canvas, rgb, text } from "./svg.js";

export interface WorldViewOptions extends LiveOptions, Layers {
  /** Pixels. Default 640. */
  readonly width?: number;
  /** Draw the laser's rays of each robot. Default true. */
  readonly lidar?: boolean;
  /** Draw where robots were. Default true. */
  readonly trail?: boolean;
  /** Draw bodies; false to show what a robot knows alone. Default true. */
  readonly bodies?: boolean;
  /** Draw the world's landmarks. Default true. */
  readonly landmarks?: boolean;
  readonly title?: string;
}

/** Points of a trail that are kept: beyond, every other one goes. */
const MOST_TRAIL = 800;

/**
 * A world, or a simulation with its robots, from above.
 * @example
 * const simulation = new robotics.simulate.Simulation(robotics.simulate.room({ things: 5 }), { robots: [{ pose: { x: 4, y: 3, theta: 0 } }] });
 * const view = new robotics.display.WorldView(simulation, { goal: { x: 1, y: 1 } });
 * simulation.robot.command({ linear: 0.3, angular: 0.4 });
 * for (let i = 0; i < 20; i++) {
 *   simulation.step();
 *   view.update();
 * }
 * view.stop();
 */
export class WorldView extends LiveView {
  readonly world: World;
  private readonly simulation: Simulation | null;
  private readonly canvas: Canvas;
  private readonly still: string;
  private readonly trails: Point[][];
  private layers: Layers;

  constructor(
    shown: Simulation | World,
    private readonly options: WorldViewOptions = {},
  ) {
    super(options);
    const { width = 640 } = options;
    if (!(width >= 16 && width <= 8192))
      throw new ValueError(`WorldView: the width is a number of pixels from 16 to 8192, got ${width}`);
    this.simulation = shown instanceof Simulation ? shown : null;
    this.world = shown instanceof Simulation ? shown.world : shown;
    const { bounds } = this.world;
    const margin = 0.03 * Math.max(bounds.maxX - bounds.minX, bounds.maxY - bounds.minY, 1);
    this.canvas = new Canvas(bounds, width, margin);
    const fixed = this.world.bodies.filter(({ motion }) => !motion);
    this.still =
      options.bodies === false ? "" : fixed.map((body) => drawBody(this.canvas, body, body.at)).join("");
    this.trails = this.simulation ? this.simulation.robots.map(() => []) : [];
    this.layers = options;
  }

  /** Draws, with new layers in place of those of the same name. */
  override update(layers: Layers = {}): void {
    this.layers = { ...this.layers, ...layers };
    this.simulation?.robots.forEach((robot, i) => {
      follow(this.trails[i], robot.pose);
    });
    super.update();
  }

  /** The picture. */
  svg(): string {
    const { canvas, world, simulation, options } = this;
    const parts: string[] = [];
    if (this.layers.map) parts.push(drawMap(canvas, this.layers.map));
    parts.push(this.still);
    if (options.bodies !== false)
      for (const { body, x, y } of world.movingAt(simulation?.time ?? 0))
        parts.push(drawBody(canvas, body, { x, y }));
    if (options.landmarks !== false && world.landmarks.length > 0)
      parts.push(
        `<path d="${canvas.dots(world.landmarks)}" stroke="${PALETTE[3]}" stroke-width="5" stroke-linecap="round"/>`,
      );
    parts.push(...drawLayers(canvas, this.layers));
    simulation?.robots.forEach((robot, i) => {
      const colour = PALETTE[i % PALETTE.length];
      if (options.lidar !== false)
        parts.push(drawScan(canvas, compose(robot.pose, robot.lidar.mount), robot.scan()));
      if (options.trail !== false && this.trails[i].length > 1)
        parts.push(
          `<path d="${canvas.path(this.trails[i])}" fill="none" stroke="${colour}" stroke-width="1.5" opacity=".6"/>`,
        );
      parts.push(drawRobot(canvas, robot, colour));
    });
    parts.push(...drawEstimates(canvas, this.layers.estimates));
    const caption = [options.title, simulation && `${simulation.time.toFixed(1)} s`]
      .filter(Boolean)
      .join(" · ");
    if (caption) parts.push(text(6, canvas.height - 5, caption));
    return canvas.svg(parts);
  }

  bundle(): MimeBundle {
    return { "image/svg+xml": this.svg(), "text/plain": String(this) };
  }

  override toString(): string {
    const { world, simulation } = this;
    const robots = simulation?.robots.map(({ name, pose, collided }) => {
      const at = `${name} at (${pose.x.toFixed(2)}, ${pose.y.toFixed(2)}, ${pose.theta.toFixed(2)})`;
      return collided ? `${at}, in contact` : at;
    });
    const { minX, minY, maxX, maxY } = world.bounds;
    const size = `${(maxX - minX).toFixed(1)} m × ${(maxY - minY).toFixed(1)} m, ${world.bodies.length} bodies`;
    return `World(${[size, ...(robots ?? [])].join("; ")})`;
  }
}

/** Adds a point to a trail, if it is away from the last. */
function follow(trail: Point[], { x, y }: Point): void {
  const last = trail[trail.length - 1];
  if (last && Math.abs(last.x - x) + Math.abs(last.y - y) < 1e-3) return;
  trail.push({ x, y });
  if (trail.length <= MOST_TRAIL) return;
  const kept = trail.filter((_, i) => i % 2 === 0);
  trail.splice(0, trail.length, ...kept);
}

function drawBody(canvas: Canvas, body: Body, at: Point): string {
  const fill = rgb(body.material.color);
  if (body.radius > 0)
    return `<circle cx="${canvas.x(at.x)}" cy="${canvas.y(at.y)}" r="${canvas.size(body.radius)}" fill="${fill}" stroke="#444" stroke-width=".8"/>`;
  const point = (x: number, y: number): Point => ({ x: at.x + x, y: at.y + y });
  if (body.shape.kind === "polygon") {
    const d = canvas.path(
      body.edges.map(({ ax, ay }) => point(ax, ay)),
      true,
    );
    return `<path d="${d}" fill="${fill}" stroke="#444" stroke-width=".8"/>`;
  }
  if (body.shape.kind === "outline") {
    const d = outline(body).map((loop) =>
      canvas.path(
        loop.map(({ x, y }) => point(x, y)),
        true,
      ),
    );
    return `<path d="${d.join("")}" fill="${fill}" fill-rule="evenodd" stroke="#444" stroke-width="1"/>`;
  }
  const d = body.edges.map(({ ax, ay, ex, ey }) => canvas.path([point(ax, ay), point(ax + ex, ay + ey)]));
  return `<path d="${d.join("")}" fill="none" stroke="#444" stroke-width="2.5" stroke-linecap="round"/>`;
}

/** The loops that an outline's segments make, end to end. */
function outline(body: Body): Point[][] {
  const key = (x: number, y: number): string => `${x.toFixed(6)} ${y.toFixed(6)}`;
  const at = new Map<string, number[]>();
  body.edges.forEach(({ ax, ay, ex, ey }, i) => {
    for (const end of [key(ax, ay), key(ax + ex, ay + ey)]) at.set(end, [...(at.get(end) ?? []), i]);
  });
  const used = new Set<number>();
  const loops: Point[][] = [];
  body.edges.forEach((first, start) => {
    if (used.has(start)) return;
    const loop: Point[] = [{ x: first.ax, y: first.ay }];
    let next: number | undefined = start;
    let [x, y] = [first.ax, first.ay];
    while (next !== undefined) {
      used.add(next);
      const { ax, ay, ex, ey } = body.edges[next];
      // an edge is walked from the end where the walk stands
      [x, y] = key(x, y) === key(ax, ay) ? [ax + ex, ay + ey] : [ax, ay];
      loop.push({ x, y });
      next = at.get(key(x, y))?.find((i) => !used.has(i));
    }
    loops.push(loop);
  });
  return loops;
}

function drawRobot(canvas: Canvas, robot: Robot, colour: string): string {
  const { x, y, theta } = robot.pose;
  const nose = { x: x + robot.radius * Math.cos(theta), y: y + robot.radius * Math.sin(theta) };
  const rim = robot.collided ? PALETTE[4] : "#222";
  return `<circle cx="${canvas.x(x)}" cy="${canvas.y(y)}" r="${canvas.size(robot.radius)}" fill="${colour}" fill-opacity=".85" stroke="${rim}" stroke-width="${robot.collided ? 3 : 1}"/><path d="${canvas.path([{ x, y }, nose])}" stroke="#fff" stroke-width="2" stroke-linecap="round"/>`;
}
