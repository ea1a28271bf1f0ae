/** What is drawn over a world or a map: paths, search trees, particles, estimates with their uncertainty, scans. */
import { ValueError } from "../../core/errors.js";
import { PALETTE } from "../../viz/plot.js";
import type { Point, Pose } from "../simulate/geometry.js";
import type { Scan } from "../simulate/lidar.js";
import type { Occupancy } from "../simulate/occupancy.js";
import { png } from "./png.js";
import { type Canvas, text } from "./svg.js";

/** Where something is thought to be. */
export interface Estimate extends Point {
  readonly theta?: number;
  /** Of x and y, m²: xx, xy, yy. Drawn as the ellipse that holds it with 95 %. */
  readonly covariance?: readonly [xx: number, xy: number, yy: number];
  readonly label?: string;
}

/** What is drawn beside the world itself; each may be left out. */
export interface Layers {
  /** Under everything; in place of the world's ground. */
  readonly map?: Occupancy;
  readonly path?: readonly Point[];
  /** Edges of a search tree or roadmap. */
  readonly edges?: readonly (readonly [Point, Point])[];
  readonly goal?: Point;
  readonly particles?: readonly Point[];
  readonly estimates?: readonly Estimate[];
  /** Any points: landmarks found, obstacles measured. */
  readonly points?: readonly Point[];
}

/** √ of the 95 % quantile of χ² with two degrees of freedom. */
const ELLIPSE = Math.sqrt(5.991464547107979);

/** All but the map, which lies under everything, and the estimates, which lie over it. */
export function drawLayers(canvas: Canvas, layers: Layers): string[] {
  const { path, edges = [], goal, particles = [], points = [] } = layers;
  const parts: string[] = [];
  if (edges.length > 0) {
    const d = edges.map((edge) => canvas.path(edge)).join("");
    parts.push(`<path d="${d}" fill="none" stroke="${PALETTE[5]}" stroke-width=".8" opacity=".7"/>`);
  }
  if (particles.length > 0)
    parts.push(
      `<path d="${canvas.dots(particles)}" stroke="${PALETTE[4]}" stroke-width="2.5" stroke-linecap="round" opacity=".55"/>`,
    );
  if (points.length > 0)
    parts.push(
      `<path d="${canvas.dots(points)}" stroke="${PALETTE[2]}" stroke-width="3" stroke-linecap="round"/>`,
    );
  if (path && path.length > 0)
    parts.push(
      `<path d="${canvas.path(path)}" fill="none" stroke="${PALETTE[2]}" stroke-width="2" stroke-dasharray="6 3"/>`,
    );
  if (goal) parts.push(drawGoal(canvas, goal));
  return parts;
}

export const drawEstimates = (canvas: Canvas, estimates: readonly Estimate[] = []): string[] =>
  estimates.map((estimate) => drawEstimate(canvas, estimate));

export function drawScan(
  canvas: Canvas,
  eye: Pose,
  { ranges, angleMin, angleIncrement, rangeMax }: Scan,
): string {
  const hits: Point[] = [];
  const border: Point[] = [];
  ranges.forEach((range, i) => {
    const angle = eye.theta + angleMin + i * angleIncrement;
    const away = Number.isFinite(range) ? range : range > 0 ? rangeMax : 0;
    const at = { x: eye.x + away * Math.cos(angle), y: eye.y + away * Math.sin(angle) };
    if (!Number.isNaN(range) && range >= 0) border.push(at);
    if (Number.isFinite(range)) hits.push(at);
  });
  const whole = ranges.length * angleIncrement > 2 * Math.PI - 1e-6;
  const fan = canvas.path(whole ? border : [eye, ...border], true);
  return `<path d="${fan}" fill="${PALETTE[5]}" fill-opacity=".16" stroke="none"/><path d="${canvas.dots(hits)}" stroke="#d55e00" stroke-width="2" stroke-linecap="round" opacity=".8"/>`;
}

function drawGoal(canvas: Canvas, { x, y }: Point): string {
  const [cx, cy] = [canvas.x(x), canvas.y(y)];
  return `<circle cx="${cx}" cy="${cy}" r="7" fill="none" stroke="${PALETTE[4]}" stroke-width="2"/><circle cx="${cx}" cy="${cy}" r="2" fill="${PALETTE[4]}"/>`;
}

function drawEstimate(canvas: Canvas, { x, y, theta, covariance, label }: Estimate): string {
  const [cx, cy] = [canvas.x(x), canvas.y(y)];
  const parts = [`<circle cx="${cx}" cy="${cy}" r="3" fill="${PALETTE[3]}"/>`];
  if (covariance) {
    const { major, minor, angle } = ellipseOf(covariance);
    const degrees = ((-angle * 180) / Math.PI).toFixed(1); // the picture's y axis points down
    parts.push(
      `<ellipse cx="${cx}" cy="${cy}" rx="${canvas.size(major)}" ry="${canvas.size(minor)}" transform="rotate(${degrees} ${cx} ${cy})" fill="${PALETTE[3]}" fill-opacity=".15" stroke="${PALETTE[3]}"/>`,
    );
  }
  if (theta !== undefined) {
    const tip = {
      x: x + (14 / canvas.scale) * Math.cos(theta),
      y: y + (14 / canvas.scale) * Math.sin(theta),
    };
    parts.push(`<path d="${canvas.path([{ x, y }, tip])}" stroke="${PALETTE[3]}" stroke-width="2"/>`);
  }
  if (label) parts.push(text(Number(cx) + 6, Number(cy) - 6, label));
  return parts.join("");
}

/** Half axes (metres) and direction (radians) of the ellipse that holds a normal distribution with 95 %. */
export function ellipseOf([xx, xy, yy]: readonly [number, number, number]): {
  major: number;
  minor: number;
  angle: number;
} {
  const mean = (xx + yy) / 2;
  const apart = Math.sqrt(((xx - yy) / 2) ** 2 + xy * xy);
  return {
    major: ELLIPSE * Math.sqrt(Math.max(0, mean + apart)),
    minor: ELLIPSE * Math.sqrt(Math.max(0, mean - apart)),
    angle: 0.5 * Math.atan2(2 * xy, xx - yy),
  };
}

/** Occupied cells dark, free ones light, unknown ones between. */
export function drawMap(canvas: Canvas, { width, height, resolution, origin, data }: Occupancy): string {
  if (data.length !== width * height)
    throw new ValueError(`a map of ${width} × ${height} cells has ${data.length} values`);
  const pixels = new Uint8Array(width * height);
  for (let row = 0; row < height; row++)
    for (let column = 0; column < width; column++) {
      const value = data[row * width + column];
      pixels[(height - 1 - row) * width + column] = value < 0 ? 205 : 254 - value * 2.3;
    }
  const href = `data:image/png;base64,${png(pixels, width, height, 1).toString("base64")}`;
  const top = origin.y + height * resolution;
  return `<image x="${canvas.x(origin.x)}" y="${canvas.y(top)}" width="${canvas.size(width * resolution)}" height="${canvas.size(height * resolution)}" preserveAspectRatio="none" style="image-rendering: pixelated" href="${href}"/>`;
}
