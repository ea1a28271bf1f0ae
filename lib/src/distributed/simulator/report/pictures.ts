/** What a simulation looks like: figures for notebooks, and traces for Perfetto or chrome://tracing. */
import { ValueError } from "../../../core/errors.js";
import { Figure, type FigureOptions, gantt, heatmap, line, type Span } from "../../../viz/index.js";
import type { Network } from "../cluster/network.js";
import type { Use } from "../engine/fluid.js";
import type { ScalingPoint } from "../model/search.js";
import type { Step } from "../model/step.js";

/**
 * The stages of a simulated step over time: white is bubble.
 * @example
 * const model = { layers: 8, hidden: 1024, heads: 16, sequence: 512, vocabulary: 32000 };
 * stepTimeline(simulateStep(model, dgxA100(1), { data: 1, pipeline: 4 }, 8)).data.length // 2
 */
export function stepTimeline(step: Step, options: FigureOptions = {}): Figure {
  const title = `${step.plan.schedule}: ${step.plan.pipeline} stages, ${step.plan.microBatches} micro-batches, ${(100 * step.bubble).toFixed(1)} % bubble`;
  return gantt(step.spans(), { title, ...options });
}

/**
 * Where the time of steps goes: a bar each.
 * @example
 * const model = { layers: 8, hidden: 1024, heads: 16, sequence: 512, vocabulary: 32000 };
 * const step = (pipeline: number) => simulateStep(model, dgxA100(1), { data: 1, pipeline }, 8);
 * stepParts({ one: step(1), four: step(4) }).data.length // 6
 */
export function stepParts(steps: Readonly<Record<string, Step>>, options: FigureOptions = {}): Figure {
  const names = Object.keys(steps);
  const parts = Object.keys(Object.values(steps)[0]?.parts ?? {}) as (keyof Step["parts"])[];
  const base = line({}, { yLabel: "seconds", ...options });
  return new Figure(
    parts.map((part) => ({
      ...{ type: "bar", name: part, x: names },
      y: names.map((name) => steps[name].parts[part]),
    })),
    { ...base.layout, barmode: "stack", xaxis: { ...(base.layout.xaxis as object), type: "category" } },
  );
}

/**
 * Throughput over devices, beside what perfect scaling would give.
 * @throws ValueError without a point
 * @example
 * const model = { layers: 8, hidden: 1024, heads: 16, sequence: 512, vocabulary: 32000 };
 * scalingPlot(scalingCurve(model, [1, 8], (n) => ({ cluster: dgxA100(1), plan: { data: n }, batch: n }))).data.length // 2
 */
export function scalingPlot(points: readonly ScalingPoint[], options: FigureOptions = {}): Figure {
  if (points.length === 0) throw new ValueError("scalingPlot: needs at least one point");
  const one = points[0].throughput / points[0].devices;
  return line(
    {
      simulated: points.map(({ throughput }) => throughput),
      linear: points.map(({ devices }) => one * devices),
    },
    {
      ...{ x: points.map(({ devices }) => devices), xLabel: "devices", yLabel: "sequences / s" },
      ...{ logX: true, logY: true, markers: true, ...options },
    },
  );
}

/**
 * How busy links are over time, 0 … 1: a row per link that carried something.
 * @param run of `simulatePrograms` or `simulateTasks` with `record`
 * @param options `columns`: pieces of time, default 100; `most`: rows, the busiest links, default 40
 * @throws ValueError if nothing was recorded
 * @example
 * const network = crossbar(2, LINKS.pcie4);
 * const run = await simulatePrograms(
 *   network,
 *   ({ rank, transport }) => (rank === 0 ? transport.send(1, 0, new Uint8Array(9)) : transport.receive(0, 0, new Uint8Array(9))),
 *   { record: true },
 * );
 * linkUtilization(network, run).data[0].y // ["device 0 → switch", "switch → device 1"]
 */
export function linkUtilization(
  network: Network,
  run: { readonly uses: readonly (readonly Use[])[]; readonly seconds: number },
  {
    columns = 100,
    most = 40,
    ...options
  }: FigureOptions & { readonly columns?: number; readonly most?: number } = {},
): Figure {
  if (run.uses.length === 0)
    throw new ValueError("linkUtilization: nothing was recorded; run with { record: true }");
  const rows = network.links
    .map(({ name, bandwidth }, link) => ({
      name,
      share: shares(run.uses[link], bandwidth, run.seconds, columns),
    }))
    .map((row) => ({ ...row, sum: row.share.reduce((a, b) => a + b, 0) }))
    .filter(({ sum }) => sum > 0)
    .sort((a, b) => b.sum - a.sum)
    .slice(0, most);
  const names = rows.map(({ name }) => name);
  const figure = heatmap(
    rows.map(({ share }) => share),
    { xLabel: "time, ms", height: 120 + 18 * rows.length, ...options },
  );
  const x = Array.from({ length: columns }, (_, i) => ((i + 0.5) * run.seconds * 1e3) / columns);
  return new Figure([{ ...figure.data[0], x, y: names, zmin: 0, zmax: 1 }], {
    ...figure.layout,
    yaxis: { ...(figure.layout.yaxis as object), type: "category", automargin: true },
  });
}

/** The mean share of a link's bandwidth in each piece of the time. */
function shares(uses: readonly Use[], bandwidth: number, seconds: number, columns: number): number[] {
  const out = new Array<number>(columns).fill(0);
  const width = seconds / columns;
  for (const [i, { time, rate }] of uses.entries()) {
    const end = uses[i + 1]?.time ?? seconds;
    for (let c = Math.floor(time / width); c < columns && c * width < end; c++) {
      const overlap = Math.min(end, (c + 1) * width) - Math.max(time, c * width);
      if (overlap > 0) out[c] += (rate / bandwidth) * (overlap / width);
    }
  }
  return out.map((share) => Math.min(1, share));
}

/**
 * Spans in the Trace Event Format, for Perfetto and chrome://tracing: a thread per lane, microseconds.
 * @example chromeTrace([{ lane: "device 0", name: "forward", start: 0, end: 2 }]).traceEvents.length // 2
 */
export function chromeTrace(spans: readonly Span[]): {
  readonly displayTimeUnit: "ms";
  readonly traceEvents: readonly Readonly<Record<string, unknown>>[];
} {
  const lanes = [...new Set(spans.map(({ lane }) => lane))];
  return {
    displayTimeUnit: "ms",
    traceEvents: [
      ...lanes.map((name, tid) => ({ ...{ ph: "M", name: "thread_name", pid: 0, tid }, args: { name } })),
      ...spans.map(({ lane, name, start, end }) => ({
        ...{ ph: "X", cat: "simulated", name, pid: 0, tid: lanes.indexOf(lane) },
        ...{ ts: start * 1e3, dur: (end - start) * 1e3 },
      })),
    ],
  };
}
