/** Pieces of SVG for drawings in metres: y up, the world's rectangle scaled to a width in pixels. */
import { escapeHtml } from "../../core/display.js";
import type { Bounds, Point } from "../simulate/geometry.js";

export class Canvas {
  readonly scale: number;
  readonly width: number;
  readonly height: number;
  private readonly left: number;
  private readonly top: number;

  /** @param margin metres around the rectangle */
  constructor(bounds: Bounds, width: number, margin: number) {
    const across = bounds.maxX - bounds.minX + 2 * margin;
    const up = bounds.maxY - bounds.minY + 2 * margin;
    // tall worlds are no taller than wide ones are wide
    this.scale = width / Math.max(across, up * 0.75);
    this.width = Math.round(across * this.scale);
    this.height = Math.round(up * this.scale);
    this.left = bounds.minX - margin;
    this.top = bounds.maxY + margin;
  }

  x(x: number): string {
    return short((x - this.left) * this.scale);
  }

  y(y: number): string {
    return short((this.top - y) * this.scale);
  }

  /** A length. */
  size(metres: number): string {
    return short(metres * this.scale);
  }

  /** `M` and `L` commands through points. */
  path(points: Iterable<Point>, closed = false): string {
    let out = "";
    for (const { x, y } of points) out += `${out === "" ? "M" : "L"}${this.x(x)} ${this.y(y)}`;
    return closed ? `${out}Z` : out;
  }

  /** Dots of one look, as one path of points: a stroke with round ends draws them. */
  dots(points: Iterable<Point>): string {
    let out = "";
    for (const { x, y } of points) out += `M${this.x(x)} ${this.y(y)}h0`;
    return out;
  }

  /** The whole picture, on paper that reads on dark pages too. */
  svg(parts: readonly string[]): string {
    const { width, height } = this;
    return `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" style="max-width: 100%; height: auto"><rect width="${width}" height="${height}" fill="#fbfaf7"/>${parts.join("")}</svg>`;
  }
}

/** A tenth of a pixel is enough. */
const short = (pixels: number): string => String(Math.round(pixels * 10) / 10);

export function text(x: string | number, y: string | number, words: string, attributes = ""): string {
  return `<text x="${x}" y="${y}" font-size="11" font-family="sans-serif" fill="#555" ${attributes}>${escapeHtml(words)}</text>`;
}

export const rgb = ([r, g, b]: readonly number[]): string =>
  `rgb(${Math.round(r)},${Math.round(g)},${Math.round(b)})`;
