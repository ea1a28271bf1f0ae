/** Timelines: who worked when, as a Gantt chart. */
import { ValueError } from "../core/errors.js";
import { Figure, type FigureOptions, layoutOf, literal, PALETTE } from "./plot.js";

/** A piece of work. Times in milliseconds from any common zero. */
export interface Span {
  /** What did it: a stream, a thread, a stage. One row of the chart each. */
  readonly lane: string;
  /** What was done; spans of one name share a colour. */
  readonly name: string;
  readonly start: number;
  readonly end: number;
}

/**
 * Bars over time, a row per lane in order of appearance.
 * @throws ValueError for a span that ends before it starts, or whose times are no numbers.
 * @example viz.gantt([{ name: "load", lane: "cpu", start: 0, end: 3 }]).data.length // 1
 */
export function gantt(spans: readonly Span[], options: FigureOptions = {}): Figure {
  checkSpans(spans, "gantt");
  const lanes = [...new Set(spans.map((span) => span.lane))];
  const names = [...new Set(spans.map((span) => span.name))];
  const zero = firstStart(spans);
  const traces = names.map((name, i) => {
    const mine = spans.filter((span) => span.name === name);
    return {
      type: "bar",
      orientation: "h",
      name: literal(name),
      y: mine.map((span) => literal(span.lane)),
      x: mine.map((span) => span.end - span.start),
      base: mine.map((span) => span.start - zero),
      marker: { color: PALETTE[i % PALETTE.length], line: { width: 1, color: "rgba(255,255,255,0.6)" } },
      hovertemplate: "%{fullData.name}: %{x:.2f} ms from %{base:.2f} ms<extra></extra>",
    };
  });
  const layout = layoutOf({ xLabel: "ms", height: 140 + 40 * lanes.length, ...options });
  const yaxis = {
    ...(layout.yaxis as object),
    type: "category", // lanes stay names, also those that look like numbers
    categoryorder: "array",
    categoryarray: lanes.map(literal).reverse(),
    automargin: true,
  };
  return new Figure(traces, { ...layout, barmode: "overlay", yaxis });
}

/**
 * The part of the time in which each lane works, from the first start to the last end. Spans of a lane that overlap
 * (a stage inside of a stage) count once.
 * @throws ValueError as `gantt`.
 * @example viz.utilization([{ name: "a", lane: "cpu", start: 0, end: 3 }, { name: "b", lane: "gpu", start: 0, end: 6 }]) // {"cpu": 0.5, "gpu": 1}
 */
export function utilization(spans: readonly Span[]): Record<string, number> {
  checkSpans(spans, "utilization");
  const zero = firstStart(spans);
  const total = spans.reduce((last, { end }) => Math.max(last, end), zero) - zero;
  const busy = new Map<string, number>();
  const reached = new Map<string, number>();
  for (const { lane, start, end } of [...spans].sort((a, b) => a.start - b.start)) {
    const from = Math.max(start, reached.get(lane) ?? start);
    busy.set(lane, (busy.get(lane) ?? 0) + Math.max(0, end - from));
    reached.set(lane, Math.max(end, from));
  }
  return Object.fromEntries([...busy].map(([lane, time]) => [lane, total > 0 ? time / total : 0]));
}

const firstStart = (spans: readonly Span[]): number =>
  spans.reduce((first, { start }) => Math.min(first, start), Number.POSITIVE_INFINITY);

function checkSpans(spans: readonly Span[], where: string): void {
  for (const { lane, name, start, end } of spans)
    if (!Number.isFinite(start) || !Number.isFinite(end) || end < start)
      throw new ValueError(
        `${where}: ${name} on ${lane} starts at ${start} and ends at ${end}; times are numbers, and an end does not come before its start`,
      );
}
