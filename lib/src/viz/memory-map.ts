/** Memory maps: what lies where in an arena, and while which nodes run. */
import type { BufferKind, MemoryPlan, PlannedBuffer } from "../compiler/memory/index.js";
import { Figure, type FigureOptions, layoutOf, literal, PALETTE } from "./plot.js";

const COLOURS: Readonly<Record<BufferKind, string>> = {
  weight: PALETTE[2],
  activation: PALETTE[0],
  result: PALETTE[1],
  workspace: PALETTE[3],
};

/** More names than that would lie over each other. */
const MAX_TICKS = 32;

/**
 * A rectangle per buffer: the nodes during which it is kept from left to right, its addresses from bottom to top. A line
 * shows the most that is alive at once, below which no plan can stay.
 * @example viz.memoryMap(compiler.planMemory(capture((x: Tensor) => x.matmul(x).sum(), ones([2, 2])))).data.length // 3
 */
export function memoryMap(plan: MemoryPlan, options: FigureOptions = {}): Figure {
  const { nodes, buffers, peakBytes, lowerBoundBytes, graph, allocator } = plan;
  const [unit, scale] = unitOf(peakBytes);
  const kinds = (Object.keys(COLOURS) as BufferKind[]).filter((kind) => buffers.some((b) => b.kind === kind));
  const traces = kinds.map((kind) => {
    const mine = buffers.filter((buffer) => buffer.kind === kind && buffer.bytes > 0);
    return {
      type: "bar",
      name: kind,
      x: mine.map(({ first, last }) => (first + last) / 2),
      width: mine.map(({ first, last }) => last - first + 0.96),
      base: mine.map(({ offset }) => offset / scale),
      y: mine.map(({ bytes }) => bytes / scale),
      text: mine.map((buffer) => (isLarge(buffer, plan) ? literal(buffer.name) : "")),
      textposition: "inside",
      insidetextanchor: "middle",
      textangle: 0,
      hovertext: mine.map((buffer) => hover(buffer, nodes)),
      hoverinfo: "text",
      marker: { color: COLOURS[kind], opacity: 0.85, line: { width: 1, color: "rgba(255,255,255,0.9)" } },
    };
  });
  const bound = {
    type: "scatter",
    mode: "lines",
    name: "most alive at once",
    x: [-0.5, nodes.length - 0.5],
    y: [lowerBoundBytes / scale, lowerBoundBytes / scale],
    line: { color: PALETTE[4], width: 1.5, dash: "dash" },
    hoverinfo: "name",
  };
  const layout = layoutOf({
    title: `${graph}: ${bytesText(peakBytes)} by ${allocator}`,
    yLabel: unit,
    height: 420,
    ...options,
  });
  const step = Math.ceil(nodes.length / MAX_TICKS);
  const named = [...nodes.keys()].filter((i) => i % step === 0);
  const xaxis = {
    ...(layout.xaxis as object),
    range: [-0.6, nodes.length - 0.4],
    tickvals: named,
    ticktext: named.map((i) => literal(nodes[i])),
    tickangle: nodes.length > 8 ? -60 : 0,
    automargin: true,
    showgrid: false,
  };
  const yaxis = { ...(layout.yaxis as object), range: [0, (peakBytes / scale) * 1.04] };
  return new Figure([...traces, bound], { ...layout, barmode: "overlay", xaxis, yaxis });
}

/** Large enough to be written into. */
const isLarge = ({ bytes, first, last }: PlannedBuffer, { peakBytes, nodes }: MemoryPlan): boolean =>
  bytes > 0.05 * peakBytes && last - first + 1 > 0.08 * nodes.length;

function hover({ name, kind, bytes, offset, first, last }: PlannedBuffer, nodes: readonly string[]): string {
  const at = (i: number): string => (i < 0 ? "the start" : i >= nodes.length ? "the end" : literal(nodes[i]));
  return `${literal(name)} (${kind})<br>${bytesText(bytes)} from byte ${offset}<br>from ${at(first)} to ${at(last)}`;
}

function unitOf(bytes: number): [name: string, bytes: number] {
  if (bytes >= 4 * 2 ** 20) return ["MiB", 2 ** 20];
  return bytes >= 4 * 2 ** 10 ? ["KiB", 2 ** 10] : ["bytes", 1];
}

function bytesText(bytes: number): string {
  const [unit, scale] = unitOf(bytes);
  return `${Number((bytes / scale).toPrecision(4))} ${unit}`;
}
