/** How profiles show themselves in a notebook: a table with bars, and kernels under the machine's roofs. */
import { type KernelProfile, Profile } from "../compiler/profile/index.js";
import { displaySymbol, escapeHtml, type MimeBundle } from "./bundle.js";
import { Figure, type FigureOptions, layoutOf, literal, PALETTE } from "./plot.js";

/**
 * The roofline plot: each kernel's speed over its operations per byte, below what memory (the slope) and arithmetic (the
 * flat part) allow. Larger circles take more of the time.
 * @example viz.roofline(profile((x: Tensor) => x.matmul(x), ones([8, 8]))).data.length // 2
 */
export function roofline(profile: Profile, options: FigureOptions = {}): Figure {
  const { gflops, gbytes, threads } = profile.machine;
  const shown = profile.kernels.filter(
    ({ flops, intensity }) => flops !== null && flops > 0 && intensity !== null,
  );
  const points = shown as readonly (KernelProfile & { intensity: number; gflops: number })[];
  const ridge = gflops / gbytes;
  const from = Math.min(ridge / 16, ...points.map(({ intensity }) => intensity / 2));
  const to = Math.max(ridge * 8, ...points.map(({ intensity }) => intensity * 2));
  const roof = {
    type: "scatter",
    mode: "lines",
    name: `${threads} thread${threads === 1 ? "" : "s"}: ${gflops.toFixed(0)} GFLOP/s, ${gbytes.toFixed(1)} GB/s`,
    x: [from, ridge, to],
    y: [from * gbytes, gflops, gflops],
    line: { color: PALETTE[4], width: 2 },
    hoverinfo: "name",
  };
  const kernels = {
    type: "scatter",
    mode: "markers+text",
    name: "kernels",
    x: points.map(({ intensity }) => intensity),
    y: points.map((kernel) => kernel.gflops),
    text: points.map(({ name, share }) => (share > 0.04 ? literal(name) : "")),
    textposition: "top center",
    hovertext: points.map(
      (k) =>
        `${literal(k.name)}<br>${(k.milliseconds * 1000).toFixed(1)} µs, ${(k.share * 100).toFixed(1)} %<br>${k.gflops.toFixed(2)} GFLOP/s, ${k.gbytes.toFixed(2)} GB/s<br>${((k.efficiency ?? 0) * 100).toFixed(0)} % of the ${k.bound} roof`,
    ),
    hoverinfo: "text",
    marker: {
      color: points.map(({ bound }) => (bound === "compute" ? PALETTE[0] : PALETTE[1])),
      size: points.map(({ share }) => 8 + 40 * Math.sqrt(share)),
      opacity: 0.8,
      line: { width: 1, color: "rgba(255,255,255,0.9)" },
    },
  };
  const layout = layoutOf({
    title: `${profile.graph.name}: kernels under the roof`,
    xLabel: "operations per byte",
    yLabel: "GFLOP/s",
    logX: true,
    logY: true,
    height: 420,
    ...options,
  });
  return new Figure([roof, kernels], { ...layout, legend: { x: 0.02, y: 0.98 } });
}

const COLUMNS = ["kernel", "µs", "share", "ops", "flops", "bytes", "GFLOP/s", "GB/s", "of the roof"];

function row(k: KernelProfile): string {
  const bar = `<div style="background:${k.bound === "compute" ? PALETTE[0] : PALETTE[1]};height:0.8em;width:${(k.share * 120).toFixed(0)}px"></div>`;
  const number = (x: number | null, digits: number): string =>
    x === null ? "" : x.toLocaleString("en", { maximumFractionDigits: digits });
  const cells = [
    escapeHtml(k.name),
    (k.milliseconds * 1000).toFixed(1),
    bar,
    escapeHtml(k.ops.slice(0, 6).join(" · ") + (k.ops.length > 6 ? " …" : "")),
    number(k.flops, 0),
    number(k.bytes, 0),
    number(k.gflops, 2),
    number(k.gbytes, 2),
    k.efficiency === null ? "" : `${(k.efficiency * 100).toFixed(0)} % (${k.bound})`,
  ];
  return `<tr>${cells.map((cell) => `<td style="text-align:left">${cell}</td>`).join("")}</tr>`;
}

declare module "../compiler/profile/profile.js" {
  interface Profile {
    /** Profiles show themselves in notebooks. */
    [displaySymbol](): MimeBundle;
  }
}

Profile.prototype[displaySymbol] = function () {
  const [first] = String(this).split("\n");
  const head = COLUMNS.map((title) => `<th style="text-align:left">${title}</th>`).join("");
  const html = `<p>${escapeHtml(first)}</p><table><tr>${head}</tr>${this.slowest().map(row).join("")}</table>`;
  return { "text/html": html, "text/plain": String(this) };
};
