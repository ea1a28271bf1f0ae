/** Plots: figures for Plotly, drawn by the notebook's front end. */
import { ValueError } from "../core/errors.js";
import { Tensor } from "../core/tensor.js";
import { displaySymbol, type MimeBundle } from "./bundle.js";

/** A Plotly trace: `type` and whatever that type takes. */
export type PlotTrace = Record<string, unknown>;

/** Numbers to plot: an array or a tensor with one axis. */
export type Series = readonly number[] | ArrayLike<number> | Tensor;

/** Colours that read on white and on dark paper, and by people who confuse red and green (Okabe & Ito 2008). */
export const PALETTE = ["#0072b2", "#e69f00", "#009e73", "#cc79a7", "#d55e00", "#56b4e9", "#7f7f7f"];

export interface FigureOptions {
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
    const title = (this.layout.title as { text?: string } | undefined)?.text;
    return {
      "application/vnd.plotly.v1+json": {
        data: this.data,
        layout: this.layout,
        config: { responsive: true },
      },
      "text/plain": `Figure(${title ? `${title}: ` : ""}${this.data.map((t) => t.name ?? t.type).join(", ")})`,
    };
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

function numbers(series: Series, where: string): number[] {
  if (!(series instanceof Tensor)) return Array.from(series);
  if (series.ndim !== 1)
    throw new ValueError(`${where}: a tensor with one axis is plotted, got ${series.type}`);
  return Array.from(series.toTypedArray());
}

/** Named lines; `x` defaults to 0, 1, 2 … */
export function line(
  lines: Record<string, Series>,
  { x, ...options }: FigureOptions & { readonly x?: Series; readonly markers?: boolean } = {},
): Figure {
  const at = x === undefined ? undefined : numbers(x, "line");
  const traces = Object.entries(lines).map(([name, y]): PlotTrace => {
    const values = numbers(y, "line");
    return {
      type: "scatter",
      mode: options.markers ? "lines+markers" : "lines",
      name,
      x: at ?? values.map((_, i) => i),
      y: values,
    };
  });
  return new Figure(traces, layoutOf(options));
}

/** Points. */
export function scatter(
  x: Series,
  y: Series,
  options: FigureOptions & { readonly name?: string } = {},
): Figure {
  return new Figure(
    [
      {
        type: "scatter",
        mode: "markers",
        name: options.name ?? "",
        x: numbers(x, "scatter"),
        y: numbers(y, "scatter"),
      },
    ],
    layoutOf(options),
  );
}

/** A bar per name; several groups stand side by side. */
export function bar(
  groups: Record<string, Record<string, number>> | Record<string, number>,
  options: FigureOptions = {},
): Figure {
  const nested = Object.values(groups).every((v) => typeof v === "object")
    ? (groups as Record<string, Record<string, number>>)
    : { "": groups as Record<string, number> };
  const traces = Object.entries(nested).map(
    ([name, bars]): PlotTrace => ({ type: "bar", name, x: Object.keys(bars), y: Object.values(bars) }),
  );
  return new Figure(traces, {
    ...layoutOf(options),
    barmode: "group",
    showlegend: Object.keys(nested).length > 1,
  });
}

/** A matrix as colours; row 0 on top. */
export function heatmap(
  matrix: Tensor | readonly (readonly number[])[],
  options: FigureOptions = {},
): Figure {
  const z = matrix instanceof Tensor ? (matrix.toArray() as number[][]) : matrix;
  const layout = layoutOf(options);
  return new Figure([{ type: "heatmap", z, colorscale: "Viridis" }], {
    ...layout,
    yaxis: { ...(layout.yaxis as object), autorange: "reversed" },
  });
}

/** How often values fall into each bin. */
export function histogram(values: Series, options: FigureOptions & { readonly bins?: number } = {}): Figure {
  return new Figure(
    [
      {
        type: "histogram",
        x: numbers(values, "histogram"),
        ...(options.bins ? { nbinsx: options.bins } : {}),
      },
    ],
    layoutOf(options),
  );
}

/** Grey images (n, height, width) in a grid, each under its caption. */
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
  const rows = Math.ceil(n / columns);
  const gap = 3;
  const data = images.toTypedArray();
  let top = 0;
  for (const value of data) top = Math.max(top, value);
  const across = Math.min(n, columns) * (width + gap);
  const canvas = new Uint8Array(rows * (height + gap) * across); // 0: nothing; 1 … 255: black to white
  const annotations: Record<string, unknown>[] = [];
  for (let k = 0; k < n; k++) {
    const [r, c] = [Math.floor(k / columns) * (height + gap), (k % columns) * (width + gap)];
    for (let i = 0; i < height; i++)
      for (let j = 0; j < width; j++)
        canvas[(r + i) * across + c + j] =
          1 + Math.round((254 * data[(k * height + i) * width + j]) / (top || 1));
    if (captions[k] !== undefined)
      annotations.push({
        x: c + width / 2,
        y: r - 1,
        text: captions[k],
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

/** Bytes as Plotly takes them: a notebook with a number per line would be ten times as long. */
function packed(bytes: Uint8Array, shape: readonly number[]): Record<string, string> {
  return { dtype: "u1", bdata: Buffer.from(bytes).toString("base64"), shape: shape.join(", ") };
}
