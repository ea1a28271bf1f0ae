/** Plots: figures for Plotly, drawn by the notebook's front end. */
import { ValueError } from "../core/errors.js";
import { Tensor } from "../core/tensor.js";
import { displaySymbol, type MimeBundle } from "./bundle.js";

/** A Plotly trace: `type` and whatever that type takes. */
export type PlotTrace = Record<string, unknown>;

/** Numbers to plot: an array or a tensor with one axis. What is NaN, infinite or null leaves a gap. */
export type Series = ArrayLike<number | bigint | null> | Tensor;

/** Colours that read on white and on dark paper, and by people who confuse red and green (Okabe & Ito 2008). */
export const PALETTE = ["#0072b2", "#e69f00", "#009e73", "#cc79a7", "#d55e00", "#56b4e9", "#7f7f7f"];

export interface FigureOptions {
  /** Plotly's tags (`<b>`, `<sub>`, `<br>` …) work in titles and labels; names and captions are taken literally. */
  readonly title?: string;
  readonly xLabel?: string;
  readonly yLabel?: string;
  readonly logX?: boolean;
  readonly logY?: boolean;
  /** Pixels. */
  readonly width?: number;
  readonly height?: number;
}

/** A figure that a notebook draws. */
export class Figure {
  constructor(
    readonly data: readonly PlotTrace[],
    readonly layout: Record<string, unknown>,
  ) {}

  /** The MIME bundle of this figure. */
  bundle(): MimeBundle {
    return {
      "application/vnd.plotly.v1+json": {
        data: this.data,
        layout: this.layout,
        config: { responsive: true },
      },
      "text/plain": String(this),
    };
  }

  toString(): string {
    const title = (this.layout.title as { text?: string } | undefined)?.text;
    const parts = this.data.map((trace) => (trace.name ? unescaped(String(trace.name)) : trace.type));
    return `Figure(${title ? `${title}: ` : ""}${parts.join(", ")})`;
  }

  [displaySymbol](): MimeBundle {
    return this.bundle();
  }
}

export function layoutOf({
  title,
  xLabel,
  yLabel,
  logX,
  logY,
  width,
  height = 360,
}: FigureOptions): Record<string, unknown> {
  return {
    ...(title === undefined ? {} : { title: { text: title } }),
    ...(width === undefined ? { autosize: true } : { width }),
    height,
    margin: { l: 64, r: 24, t: title === undefined ? 24 : 56, b: 56 },
    colorway: PALETTE,
    paper_bgcolor: "rgba(0,0,0,0)",
    plot_bgcolor: "rgba(0,0,0,0)",
    font: { color: "#7f7f7f" },
    xaxis: {
      title: { text: xLabel ?? "" },
      gridcolor: "rgba(127,127,127,0.25)",
      ...(logX ? { type: "log" } : {}),
    },
    yaxis: {
      title: { text: yLabel ?? "" },
      gridcolor: "rgba(127,127,127,0.25)",
      ...(logY ? { type: "log" } : {}),
    },
  };
}

/** Text that Plotly shows as it is, tags and entities included. */
export const literal = (text: string): string => text.replace(/[&<]/g, (c) => `&#${c.charCodeAt(0)};`);
const unescaped = (text: string): string =>
  text.replace(/&#(\d+);/g, (_, code) => String.fromCharCode(Number(code)));

/** JSON has neither NaN nor infinities: they become null, which Plotly leaves out. */
function plotted(value: unknown, where: string): number | null {
  if (value === null || value === undefined) return null;
  if (typeof value !== "number" && typeof value !== "bigint")
    throw new ValueError(`${where}: numbers are plotted, got ${JSON.stringify(value)}`);
  const number = Number(value);
  return Number.isFinite(number) ? number : null;
}

function numbers(series: Series, where: string): (number | null)[] {
  if (series instanceof Tensor && series.ndim !== 1)
    throw new ValueError(`${where}: a tensor with one axis is plotted, got ${series.type}`);
  const values = series instanceof Tensor ? series.toTypedArray() : series;
  return Array.from(values as ArrayLike<unknown>, (value, i) => plotted(value, `${where}[${i}]`));
}

function checkLengths(where: string, x: readonly unknown[], y: readonly unknown[]): void {
  if (x.length !== y.length)
    throw new ValueError(`${where}: x has ${x.length} values and y has ${y.length}; one each per point`);
}

/**
 * Named lines; `x` defaults to 0, 1, 2 …
 * @throws ValueError if a line has another length than `x`.
 * @example viz.line({ loss: [1, 0.5, 0.25] }).data.length // 1
 */
export function line(
  lines: Readonly<Record<string, Series>>,
  { x, ...options }: FigureOptions & { readonly x?: Series; readonly markers?: boolean } = {},
): Figure {
  const at = x === undefined ? undefined : numbers(x, "line: x");
  const traces = Object.entries(lines).map(([name, y]): PlotTrace => {
    const values = numbers(y, `line: ${name}`);
    if (at) checkLengths(`line: ${name}`, at, values);
    return {
      type: "scatter",
      mode: options.markers ? "lines+markers" : "lines",
      name: literal(name),
      x: at ?? values.map((_, i) => i),
      y: values,
    };
  });
  return new Figure(traces, layoutOf(options));
}

/**
 * Points. @throws ValueError if the lengths differ.
 * @example viz.scatter([1, 2], [3, 4]).data[0].type // "scatter"
 */
export function scatter(
  x: Series,
  y: Series,
  options: FigureOptions & { readonly name?: string } = {},
): Figure {
  const [left, right] = [numbers(x, "scatter: x"), numbers(y, "scatter: y")];
  checkLengths("scatter", left, right);
  return new Figure(
    [{ type: "scatter", mode: "markers", name: literal(options.name ?? ""), x: left, y: right }],
    layoutOf(options),
  );
}

/**
 * A bar per name; several groups stand side by side. @throws ValueError if numbers and groups are mixed.
 * @example viz.bar({ relu: 1.2, gelu: 3.4 }).data[0].type // "bar"
 */
export function bar(
  groups: Readonly<Record<string, Readonly<Record<string, number>>>> | Readonly<Record<string, number>>,
  options: FigureOptions = {},
): Figure {
  const kinds = Object.values(groups).map((v) => typeof v === "object" && v !== null);
  if (kinds.some((kind) => kind !== kinds[0]))
    throw new ValueError("bar: either a number per name, or such records per group; both were given");
  const nested = (kinds[0] ? groups : { "": groups }) as Record<string, Record<string, number>>;
  const traces = Object.entries(nested).map(([name, bars]): PlotTrace => {
    const heights = Object.entries(bars).map(([key, value]) => plotted(value, `bar: ${key}`));
    return { type: "bar", name: literal(name), x: Object.keys(bars).map(literal), y: heights };
  });
  const layout = layoutOf(options);
  return new Figure(traces, {
    ...layout,
    // names stay names, also those that look like numbers; long ones get the room that they need
    xaxis: { ...(layout.xaxis as object), type: "category", automargin: true },
    barmode: "group",
    showlegend: Object.keys(nested).length > 1,
  });
}

/**
 * A matrix as colours; row 0 on top. @throws ValueError unless it is a matrix.
 * @example viz.heatmap([[1, 2], [3, 4]]).data[0].type // "heatmap"
 */
export function heatmap(matrix: Tensor | readonly Series[], options: FigureOptions = {}): Figure {
  if (matrix instanceof Tensor && matrix.ndim !== 2)
    throw new ValueError(`heatmap: a tensor with two axes is drawn, got ${matrix.type}`);
  const rows = matrix instanceof Tensor ? (matrix.cast("float64").toArray() as number[][]) : matrix;
  const z = rows.map((row, i) => numbers(row, `heatmap: row ${i}`));
  for (const [i, row] of z.entries())
    if (row.length !== z[0].length)
      throw new ValueError(`heatmap: row ${i} has ${row.length} values, row 0 has ${z[0].length}`);
  const layout = layoutOf(options);
  return new Figure([{ type: "heatmap", z, colorscale: "Viridis" }], {
    ...layout,
    yaxis: { ...(layout.yaxis as object), autorange: "reversed" },
  });
}

/**
 * How often values fall into each bin. `bins`: at most so many.
 * @example viz.histogram([1, 2, 2, 3]).data[0].type // "histogram"
 */
export function histogram(values: Series, options: FigureOptions & { readonly bins?: number } = {}): Figure {
  const { bins } = options;
  if (bins !== undefined && !(Number.isInteger(bins) && bins >= 1))
    throw new ValueError(`histogram: the number of bins is a whole number from 1, got ${bins}`);
  const x = numbers(values, "histogram");
  return new Figure(
    [{ type: "histogram", x, ...(bins === undefined ? {} : { nbinsx: bins }) }],
    layoutOf(options),
  );
}

/**
 * Grey images (n, height, width) in a grid, each under its caption: 0 is black, the largest value white, NaN nothing.
 * @example viz.imageGrid(zeros([2, 28, 28])).data.length // 1
 */
export function imageGrid(
  images: Tensor,
  {
    captions = [],
    columns = 8,
    title,
  }: { readonly captions?: readonly string[]; readonly columns?: number; readonly title?: string } = {},
): Figure {
  if (images.ndim !== 3)
    throw new ValueError(`imageGrid: images (n, height, width) are drawn, got ${images.type}`);
  const [n, height, width] = images.shape;
  if (!Number.isInteger(columns) || columns < 1)
    throw new ValueError(`imageGrid: the number of columns is a whole number from 1, got ${columns}`);
  if (captions.length > n)
    throw new ValueError(`imageGrid: there are ${captions.length} captions for ${n} images`);
  const rows = Math.ceil(n / columns);
  const gap = 3;
  const data = images.toTypedArray();
  let top = 0;
  for (const value of data) if (value > top && Number.isFinite(value)) top = value;
  const across = Math.min(n, columns) * (width + gap);
  const canvas = new Uint8Array(rows * (height + gap) * across); // 0: nothing; 1 … 255: black to white
  const annotations: Record<string, unknown>[] = [];
  for (let k = 0; k < n; k++) {
    const [r, c] = [Math.floor(k / columns) * (height + gap), (k % columns) * (width + gap)];
    for (let i = 0; i < height; i++)
      for (let j = 0; j < width; j++)
        canvas[(r + i) * across + c + j] = shade(data[(k * height + i) * width + j] / (top || 1));
    if (captions[k] !== undefined)
      annotations.push({
        x: c + width / 2,
        y: r - 1,
        text: literal(captions[k]),
        showarrow: false,
        font: { size: 11 },
        yanchor: "bottom",
      });
  }
  const hidden = { visible: false, constrain: "domain" };
  return new Figure(
    [
      {
        type: "heatmap",
        z: packed(canvas, [canvas.length / across, across]),
        zmin: 0,
        zmax: 255,
        colorscale: [
          [0, "rgba(0,0,0,0)"],
          [1 / 255, "#000000"],
          [1, "#ffffff"],
        ],
        showscale: false,
        hoverinfo: "skip",
      },
    ],
    {
      ...layoutOf({ title, height: 60 + rows * Math.min(200, Math.max(80, 2 * height)) }),
      xaxis: hidden,
      yaxis: { ...hidden, autorange: "reversed", scaleanchor: "x" },
      annotations,
    },
  );
}

/** 1 … 255 for 0 … 1; 0, nothing, for what is no number. */
const shade = (value: number): number =>
  Number.isFinite(value) ? 1 + Math.round(254 * Math.min(1, Math.max(0, value))) : 0;

/** Bytes as Plotly takes them: a notebook with a number per line would be ten times as long. */
function packed(bytes: Uint8Array, shape: readonly number[]): Record<string, string> {
  return { dtype: "u1", bdata: Buffer.from(bytes).toString("base64"), shape: shape.join(", ") };
}
