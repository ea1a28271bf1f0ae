/** Timelines: who worked when, as a Gantt chart. */
import { Figure, type FigureOptions, layoutOf, PALETTE } from "./plot.js";

/** A piece of work. Times in milliseconds from any common zero. */
export interface Span {
  /** What did it: a stream, a thread, a stage. One row of the chart each. */
  readonly lane: string;
  /** What was done; spans of one name share a colour. */
  readonly name: string;
  readonly start: number;
  readonly end: number;
}

/** Bars over time, a row per lane in order of appearance. */
export function gantt(spans: readonly Span[], options: FigureOptions = {}): Figure {
  const lanes = [...new Set(spans.map((span) => span.lane))];
  const names = [...new Set(spans.map((span) => span.name))];
  const zero = Math.min(...spans.map((span) => span.start), Number.POSITIVE_INFINITY);
  const traces = names.map((name, i) => {
    const mine = spans.filter((span) => span.name === name);
    return {
      type: "bar",
      orientation: "h",
      name,
      y: mine.map((span) => span.lane),
      x: mine.map((span) => span.end - span.start),
      base: mine.map((span) => span.start - zero),
      marker: { color: PALETTE[i % PALETTE.length], line: { width: 1, color: "rgba(255,255,255,0.6)" } },
      hovertemplate: `${name}: %{x:.2f} ms from %{base:.2f} ms<extra></extra>`,
    };
  });
  const layout = layoutOf({ xLabel: "ms", height: 140 + 40 * lanes.length, ...options });
  const yaxis = {
    ...(layout.yaxis as object),
    categoryorder: "array",
    categoryarray: [...lanes].reverse(),
    automargin: true,
  };
  return new Figure(traces, { ...layout, barmode: "overlay", yaxis });
}

/** The part of the time in which each lane works, from the first start to the last end. */
export function utilization(spans: readonly Span[]): Record<string, number> {
  const zero = Math.min(...spans.map((span) => span.start));
  const total = Math.max(...spans.map((span) => span.end)) - zero;
  const busy: Record<string, number> = {};
  for (const { lane, start, end } of spans) busy[lane] = (busy[lane] ?? 0) + (end - start) / total;
  return busy;
}
