/**
 * A curve as SVG, for drawings that are replaced many times a second: JupyterLab's Plotly renderer keeps the first figure
 * of an output, whatever replaces it, and a small picture costs the browser nothing.
 */
import { escapeHtml } from "./bundle.js";
import { PALETTE } from "./plot.js";

const WIDTH = 640;
const HEIGHT = 240;
const LEFT = 56;
const BOTTOM = 40;
const TOP = 12;
const TICKS = 4;

/** A line of a drawing; points that are not finite are left out. */
export interface Curve {
  /** For the legend, where there are several. */
  readonly name?: string;
  readonly x: readonly number[];
  readonly y: readonly number[];
}

/** The points joined by a line, with axes from the least to the largest value. Points that are not finite are left out. */
export function curveSvg(x: readonly number[], y: readonly number[], xLabel: string, yLabel: string): string {
  return curvesSvg([{ x, y }], xLabel, yLabel);
}

/** Several lines over the same axes. */
export function curvesSvg(curves: readonly Curve[], xLabel: string, yLabel: string): string {
  const lines = curves.map(({ x, y }) =>
    y.flatMap((value, i) => (Number.isFinite(value) && Number.isFinite(x[i]) ? [[x[i], value]] : [])),
  );
  const points = lines.flat();
  const [x0, x1] = range(points.map(([a]) => a));
  const [y0, y1] = range(points.map(([, b]) => b));
  const px = (a: number): number => LEFT + ((a - x0) / (x1 - x0)) * (WIDTH - LEFT - 12);
  const py = (b: number): number => HEIGHT - BOTTOM - ((b - y0) / (y1 - y0)) * (HEIGHT - BOTTOM - TOP);
  const at = (a: number, b: number): string => `${px(a).toFixed(1)},${py(b).toFixed(1)}`;
  const text = (left: number, top: number, anchor: string, words: string): string =>
    `<text x="${left}" y="${top}" text-anchor="${anchor}" font-size="11" font-family="sans-serif" fill="#7f7f7f">${escapeHtml(words)}</text>`;
  const marks = Array.from({ length: TICKS + 1 }, (_, i) => {
    const [a, b] = [x0 + ((x1 - x0) * i) / TICKS, y0 + ((y1 - y0) * i) / TICKS];
    return [
      `<line x1="${LEFT}" x2="${WIDTH - 12}" y1="${py(b).toFixed(1)}" y2="${py(b).toFixed(1)}" stroke="rgba(127,127,127,.25)"/>`,
      text(LEFT - 6, py(b) + 4, "end", short(b)),
      text(px(a), HEIGHT - BOTTOM + 16, "middle", short(a)),
    ].join("");
  });
  const drawn = lines.map(
    (line, i) =>
      `<polyline fill="none" stroke="${PALETTE[i % PALETTE.length]}" stroke-width="1.5" points="${line.map(([a, b]) => at(a, b)).join(" ")}"/>`,
  );
  const legend = curves.flatMap(({ name }, i) =>
    name === undefined
      ? []
      : [
          `<text x="${LEFT + ((WIDTH - LEFT) / curves.length) * i}" y="${HEIGHT + 10}" font-size="11" font-family="sans-serif" fill="${PALETTE[i % PALETTE.length]}">${escapeHtml(name)}</text>`,
        ],
  );
  const labels = [
    text((LEFT + WIDTH) / 2, HEIGHT - 6, "middle", xLabel),
    `<g transform="rotate(-90)">${text(-(HEIGHT - BOTTOM) / 2, 12, "middle", yLabel)}</g>`,
  ];
  const height = legend.length > 0 ? HEIGHT + 16 : HEIGHT;
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${WIDTH}" height="${height}" viewBox="0 0 ${WIDTH} ${height}" style="max-width: 100%; height: auto">${[...marks, ...drawn, ...labels, ...legend].join("")}</svg>`;
}

const short = (value: number): string => String(Number(value.toPrecision(3)));

/** Least and largest value, apart from each other. */
function range(values: readonly number[]): [number, number] {
  let [low, high] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
  for (const value of values) [low, high] = [Math.min(low, value), Math.max(high, value)];
  if (low > high) return [0, 1];
  return low === high ? [low - 0.5, high + 0.5] : [low, high];
}
