/** Accelerators, drawn: who worked when, how a wave runs through an array, what a tiling is limited by, what moves where. */
import { type ArrayShape, type Fold, foldByRegisters } from "../compiler/npu/array.js";
import { macsPerCycle, type NpuConfig, NpuError, UNITS } from "../compiler/npu/config.js";
import type { ProductSize } from "../compiler/npu/counts.js";
import type { InstructionSpan, RunReport } from "../compiler/npu/report.js";
import { type Prediction, predictTiling, type TileOrder } from "../compiler/npu/tiling.js";
import { ValueError } from "../core/errors.js";
import { bar, Figure, type FigureOptions, heatmap, layoutOf, literal, PALETTE } from "./plot.js";

const LANES: Readonly<Record<(typeof UNITS)[number], string>> = {
  load: "DMA in",
  array: "array",
  vector: "vector unit",
  store: "DMA out",
};

/** Bars that nobody could tell apart are drawn as one. */
const MOST_BARS = 3000;

/**
 * A row per unit: what it ran, and in grey for whom it waited. The report must have been made with `trace`.
 * @throws ValueError for a report without a trace.
 * @example viz.npuTimeline(compiler.npu.measureTiling(compiler.npu.npuConfig("teaching-4x4"), { m: 8, n: 8, k: 8 }, { m: 4, n: 4, k: 8, order: "mnk" }, { trace: true })).data.length // 5
 */
export function npuTimeline(report: RunReport, options: FigureOptions = {}): Figure {
  const { spans, cycles, config, utilization } = report;
  if (spans.length === 0 && report.instructions > 0)
    throw new ValueError("npuTimeline: the report has no trace; run with { trace: true }");
  const merged = mergedSpans(spans, Math.max(1, cycles / MOST_BARS));
  const ops = [...new Set(merged.map((s) => s.op))];
  // Operands are brought into the array while others move through it: thin bars in front of the products.
  ops.sort((a, b) => Number(a === "preload") - Number(b === "preload"));
  const traces = ops.map((op, i): Record<string, unknown> => {
    const mine = merged.filter((s) => s.op === op);
    const bars = barsOf(op, PALETTE[i % (PALETTE.length - 1)], mine, 0.85);
    return op === "preload" ? { ...bars, width: 0.2 } : bars;
  });
  const waits = spans
    .filter((s) => s.waited > 0 && s.waitedFor !== null)
    .map((s) => ({
      ...s,
      op: `waits for ${LANES[s.waitedFor as "load"]}`,
      start: s.start - s.waited,
      end: s.start,
    }));
  const grey = mergedSpans(waits, Math.max(1, cycles / MOST_BARS));
  if (grey.length > 0) traces.push(barsOf("waits for a token", "rgba(127,127,127,0.35)", grey, 1));
  const layout = layoutOf({
    title: `${config.name}: ${cycles.toLocaleString("en")} cycles, array ${(100 * utilization).toFixed(1)} % used`,
    xLabel: "cycles",
    height: 320,
    ...options,
  });
  const yaxis = {
    ...(layout.yaxis as object),
    type: "category",
    categoryorder: "array",
    categoryarray: UNITS.map((u) => LANES[u]).reverse(),
    automargin: true,
  };
  return new Figure(traces, { ...layout, barmode: "overlay", bargap: 0.25, yaxis });
}

interface Bar {
  readonly unit: InstructionSpan["unit"];
  readonly op: string;
  readonly start: number;
  readonly end: number;
  readonly count: number;
}

function barsOf(name: string, color: string, bars: readonly Bar[], opacity: number): Record<string, unknown> {
  return {
    type: "bar",
    orientation: "h",
    name,
    y: bars.map((s) => LANES[s.unit]),
    x: bars.map((s) => s.end - s.start),
    base: bars.map((s) => s.start),
    text: bars.map((s) => `${s.op}${s.count > 1 ? ` × ${s.count}` : ""}`),
    textposition: "none",
    marker: { color, opacity, line: { width: 0.5, color: "rgba(255,255,255,0.5)" } },
    hovertemplate: "%{text}: cycle %{base}, %{x} cycles<extra></extra>",
  };
}

/** Neighbours of one kind that are closer than a bar is wide, as one. */
function mergedSpans(
  spans: readonly Pick<InstructionSpan, "unit" | "start" | "end">[] & readonly { op: string }[],
  gap: number,
): Bar[] {
  const out: { unit: Bar["unit"]; op: string; start: number; end: number; count: number }[] = [];
  const last = new Map<string, (typeof out)[number]>();
  for (const s of [...spans].sort((a, b) => a.start - b.start)) {
    const key = `${s.unit} ${s.op}`;
    const before = last.get(key);
    if (before && gap > 1 && s.start - before.end < gap) {
      before.end = Math.max(before.end, s.end);
      before.count++;
      continue;
    }
    const made = { unit: s.unit, op: s.op, start: s.start, end: s.end, count: 1 };
    last.set(key, made);
    out.push(made);
  }
  return out;
}

/** More cycles than that make a slider useless. */
const MOST_CYCLES = 200;

/**
 * The wave front: which units multiply in each cycle of a pass, with a slider for the cycle. Colour: how many products a unit has
 * done; text: the two numbers that meet there now.
 * @throws ValueError for a pass of more than 200 cycles, NpuError for one that does not fit.
 * @example viz.npuWavefront({ rows: 2, columns: 2, dataflow: "output", type: "int8" }, { a: [1, 2], b: [3, 4], m: 1, n: 1, k: 2 }).data.length // 4
 */
export function npuWavefront(shape: ArrayShape, fold: Fold, options: FigureOptions = {}): Figure {
  const { rows, columns, dataflow } = shape;
  const frames: { text: string[][]; done: number[][]; active: number }[] = [];
  const done = Array.from({ length: rows }, () => new Array<number>(columns).fill(0));
  const { fixed } = foldByRegisters(shape, fold, (_, { a, b }) => {
    if (frames.length >= MOST_CYCLES)
      throw new ValueError(
        `npuWavefront: a pass of more than ${MOST_CYCLES} cycles can't be looked at one by one`,
      );
    let active = 0;
    const text = done.map((row, r) =>
      row.map((_, c) => {
        const [x, y] = [a[r * columns + c], b[r * columns + c]];
        if (Number.isNaN(x)) return "";
        active++;
        row[c]++;
        return `${short(x)} × ${short(y)}`;
      }),
    );
    frames.push({
      text,
      done: done.map((row, r) => row.map((n, c) => (text[r][c] === "" ? -n : n))),
      active,
    });
  });
  const most = Math.max(1, ...done.flat());
  const traces = frames.map(({ text, done: z }, t) => ({
    type: "heatmap",
    // Units at rest are pale, whatever they have done.
    z: z.map((row) => row.map((n) => (n > 0 ? 0.4 + (0.6 * n) / most : n < 0 ? 0.2 : 0))),
    zmin: 0,
    zmax: 1,
    text,
    texttemplate: "%{text}",
    colorscale: [
      [0, "rgba(127,127,127,0.08)"],
      [0.2, "rgba(127,127,127,0.25)"],
      [0.4, "#56b4e9"],
      [1, "#0072b2"],
    ],
    showscale: false,
    xgap: 3,
    ygap: 3,
    visible: t === 0,
    hovertemplate: "row %{y}, column %{x}: %{text}<extra></extra>",
  }));
  const title = (t: number): string =>
    `stationary ${dataflow}s, cycle ${t} of ${frames.length} (+ ${fixed}): ${frames[t].active} of ${rows * columns} units at work`;
  const layout = layoutOf({
    title: title(0),
    height: 130 + 60 * rows,
    xLabel: "column",
    yLabel: "row",
    ...options,
  });
  const steps = frames.map((_, t) => ({
    label: String(t),
    method: "update",
    args: [{ visible: frames.map((_, u) => u === t) }, { "title.text": title(t) }],
  }));
  return new Figure(traces, {
    ...layout,
    xaxis: { ...(layout.xaxis as object), dtick: 1, showgrid: false, zeroline: false },
    yaxis: { ...(layout.yaxis as object), dtick: 1, autorange: "reversed", showgrid: false, zeroline: false },
    margin: { l: 64, r: 24, t: 56, b: 110 },
    sliders: [{ active: 0, steps, currentvalue: { prefix: "cycle " }, pad: { t: 40 } }],
  });
}

const short = (x: number): string => String(Number(x.toPrecision(3)));

/**
 * Tilings below the roof of the array and of the two engines: speed over multiply-accumulates per byte of outer memory.
 * @throws ValueError without tilings.
 * @example viz.npuRoofline(compiler.npu.npuConfig("teaching-4x4"), compiler.npu.searchTilings(compiler.npu.npuConfig("teaching-4x4"), { m: 16, n: 16, k: 16 }, { keep: 5, tries: 0 })).data.length // 2
 */
export function npuRoofline(
  config: NpuConfig,
  tilings: readonly Prediction[],
  options: FigureOptions = {},
): Figure {
  if (tilings.length === 0) throw new ValueError("npuRoofline: there is no tiling to draw");
  const peak = macsPerCycle(config);
  const bandwidth = config.sharedChannel
    ? Math.max(config.load.bytesPerCycle, config.store.bytesPerCycle)
    : config.load.bytesPerCycle + config.store.bytesPerCycle;
  const ridge = peak / bandwidth;
  const at = tilings.map((t) => t.intensity);
  const [from, to] = [Math.min(ridge / 8, ...at) / 1.5, Math.max(ridge * 8, ...at) * 1.5];
  const roof = {
    type: "scatter",
    mode: "lines",
    name: `${peak} MAC and ${bandwidth} bytes a cycle`,
    x: [from, ridge, to],
    y: [from * bandwidth, peak, peak],
    line: { color: PALETTE[4], width: 2 },
    hoverinfo: "name",
  };
  const groups = (["array", "load", "store"] as const).flatMap((bound, i) => {
    const mine = tilings.filter((t) => t.bound === bound);
    if (mine.length === 0) return [];
    const points = {
      type: "scatter",
      mode: "markers",
      name: `bound by ${{ array: "the array", load: "DMA in", store: "DMA out" }[bound]}`,
      x: mine.map((t) => t.intensity),
      y: mine.map((t) => t.utilization * peak),
      text: mine.map(
        ({ tiling: t, cycles, utilization, bytes }) =>
          `${t.m} × ${t.n} × ${t.k}, ${t.order}<br>${Math.round(cycles).toLocaleString("en")} cycles, ${(100 * utilization).toFixed(1)} %<br>${bytes.total.toLocaleString("en")} bytes`,
      ),
      hoverinfo: "text",
      marker: {
        color: PALETTE[[0, 1, 3][i]],
        size: 9,
        opacity: 0.8,
        line: { width: 1, color: "rgba(255,255,255,0.9)" },
      },
    };
    return [points];
  });
  const layout = layoutOf({
    title: `${config.name}: tilings under the roof`,
    xLabel: "multiply-accumulates per byte of outer memory",
    yLabel: "multiply-accumulates per cycle",
    logX: true,
    logY: true,
    height: 420,
    ...options,
  });
  return new Figure([roof, ...groups], { ...layout, legend: { x: 0.02, y: 0.98 } });
}

/**
 * Bytes read and written at each level of memory.
 * @example viz.npuTraffic(compiler.npu.measureTiling(compiler.npu.npuConfig("teaching-4x4"), { m: 4, n: 4, k: 4 }, { m: 4, n: 4, k: 4, order: "mnk" })).data.length // 2
 */
export function npuTraffic(report: RunReport, options: FigureOptions = {}): Figure {
  const { bytes, config } = report;
  const levels = {
    "outer memory": bytes.dram,
    input: bytes.input,
    weight: bytes.weight,
    accumulators: bytes.acc,
  };
  const side = (of: "read" | "written") =>
    Object.fromEntries(Object.entries(levels).map(([name, b]) => [name, b[of]]));
  return bar(
    { read: side("read"), written: side("written") },
    { title: `${config.name}: bytes moved`, yLabel: "bytes", logY: true, ...options },
  );
}

/**
 * Energy by what it went to, in microjoules.
 * @example viz.npuEnergy(compiler.npu.measureTiling(compiler.npu.npuConfig("teaching-4x4"), { m: 4, n: 4, k: 4 }, { m: 4, n: 4, k: 4, order: "mnk" })).data.length // 1
 */
export function npuEnergy(report: RunReport, options: FigureOptions = {}): Figure {
  const { mac, vector, input, weight, acc, dram, total } = report.energy;
  return bar(
    {
      "multiply-accumulates": mac,
      "vector unit": vector,
      input,
      weight,
      accumulators: acc,
      "outer memory": dram,
    },
    { title: `${report.config.name}: ${total.toPrecision(3)} µJ`, yLabel: "µJ", ...options },
  );
}

export interface SweepOptions extends FigureOptions {
  /** Tile sizes along m and n; default: powers of two from 4. */
  readonly m?: readonly number[];
  readonly n?: readonly number[];
  /** Depth of every tile; default: all of k. */
  readonly k?: number;
  readonly order?: TileOrder;
}

/**
 * Predicted use of the array over the sizes of a tile, in percent; what does not fit is left out.
 * @throws ValueError if no tile fits.
 * @example viz.npuSweep(compiler.npu.npuConfig("gemmini-16x16"), { m: 128, n: 128, k: 128 }).data[0].type // "heatmap"
 */
export function npuSweep(config: NpuConfig, size: ProductSize, options: SweepOptions = {}): Figure {
  const { m = powers(size.m), n = powers(size.n), k = size.k, order = "mnk", ...rest } = options;
  let fits = 0;
  const z = m.map((rows) =>
    n.map((columns) => {
      try {
        const { utilization } = predictTiling(config, size, { m: rows, n: columns, k, order });
        fits++;
        return 100 * utilization;
      } catch (error) {
        if (error instanceof NpuError) return null;
        throw error;
      }
    }),
  );
  if (fits === 0) throw new ValueError(`npuSweep: no tile of these sizes fits ${config.name}`);
  const figure = heatmap(z, {
    title: `${config.name}: array used, % (${size.m} × ${size.n} × ${size.k}, tiles ${k} deep, ${order})`,
    xLabel: "tile's n",
    yLabel: "tile's m",
    ...rest,
  });
  const [trace] = figure.data;
  const category = (axis: unknown) => ({ ...(axis as object), type: "category" });
  return new Figure(
    [
      {
        ...trace,
        x: n.map((v) => literal(String(v))),
        y: m.map((v) => literal(String(v))),
        zmin: 0,
        zmax: 100,
        texttemplate: "%{z:.0f}",
        hovertemplate: "%{y} × %{x}: %{z:.1f} %<extra></extra>",
      },
    ],
    {
      ...figure.layout,
      xaxis: category(figure.layout.xaxis),
      yaxis: { ...category(figure.layout.yaxis), autorange: true },
    },
  );
}

function powers(most: number): number[] {
  const out: number[] = [];
  for (let x = 4; x < most; x *= 2) out.push(x);
  return [...out, most];
}
