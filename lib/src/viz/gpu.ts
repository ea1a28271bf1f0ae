/** Simulated GPU kernels, as NVIDIA's profiler would show them. */

import { STALLS } from "../compiler/gpu-model/processor.js";
import type { Simulation } from "../compiler/gpu-model/simulate.js";
import { GPUS, totalsOf } from "../compiler/gpu-model/spec.js";
import { ValueError } from "../core/errors.js";
import { Figure, type FigureOptions, layoutOf, literal, PALETTE } from "./plot.js";

type Simulations = Readonly<Record<string, Simulation>>;

/**
 * Why warps wait: cycles for each instruction that they issue, by reason.
 * @example
 * const twice = compiler.loop.parseKernel(`kernel twice(X: float32[1024], out Y: float32[1024]) {
 *   block for b in 0..4 {
 *     thread for t in 0..256 {
 *       Y[256*b + t] = X[256*b + t] + X[256*b + t]
 *     }
 *   }
 * }`);
 * viz.gpuStalls({ twice: compiler.gpu.simulate(twice, compiler.gpu.GPUS.V100) }).data.length // 8
 */
export function gpuStalls(simulations: Simulations, options: FigureOptions = {}): Figure {
  const names = Object.keys(simulations).map(literal);
  const all = Object.values(simulations);
  const traces = STALLS.map((reason, i) => ({
    type: "bar",
    name: reason,
    x: names,
    y: all.map(({ stallsPerIssue }) => stallsPerIssue[reason]),
    marker: { color: PALETTE[i % PALETTE.length], pattern: { shape: i < PALETTE.length ? "" : "/" } },
    hovertemplate: `${reason}: %{y:.2f} cycles<extra>%{x}</extra>`,
  }));
  const layout = layoutOf({
    title: "why warps wait",
    yLabel: "cycles for each instruction issued",
    height: 420,
    ...options,
  });
  const xaxis = { ...(layout.xaxis as object), automargin: true }; // names of steps may be long
  return new Figure(traces, { ...layout, xaxis, barmode: "stack" });
}

/**
 * Speed over operations per byte that leaves L1, below what the GPU's memory and arithmetic allow.
 * @throws ValueError if there is nothing to show, or if the simulations are of different GPUs
 * @example
 * const twice = compiler.loop.parseKernel(`kernel twice(X: float32[1024], out Y: float32[1024]) {
 *   block for b in 0..4 {
 *     thread for t in 0..256 {
 *       Y[256*b + t] = X[256*b + t] + X[256*b + t]
 *     }
 *   }
 * }`);
 * viz.gpuRoofline({ twice: compiler.gpu.simulate(twice, compiler.gpu.GPUS.V100) }).data.length // 3
 */
export function gpuRoofline(simulations: Simulations, options: FigureOptions = {}): Figure {
  const all = Object.entries(simulations);
  const names = [...new Set(all.map(([, { gpu }]) => gpu))];
  if (names.length !== 1)
    throw new ValueError(`gpuRoofline: one GPU is shown, these are of ${names.join(" and ") || "none"}`);
  const spec = Object.values(GPUS).find(({ name }) => name === names[0]);
  if (!spec) throw new ValueError(`gpuRoofline: the GPU "${names[0]}" is not known`);
  const peak = totalsOf(spec).gflops;
  const intensities = all.map(([, { intensity }]) => intensity);
  const [from, to] = [Math.min(0.25, ...intensities) / 2, Math.max(64, ...intensities) * 2];
  const roof = (name: string, gbytes: number, color: string) => ({
    type: "scatter",
    mode: "lines",
    name: `${name}: ${gbytes.toFixed(0)} GB/s`,
    x: [from, peak / gbytes, to],
    y: [from * gbytes, peak, peak],
    line: { color, width: 2 },
    hoverinfo: "name",
  });
  const points = {
    type: "scatter",
    mode: "markers+text",
    name: spec.name,
    x: intensities,
    y: all.map(([, { gflops }]) => gflops),
    text: all.map(([name]) => literal(name)),
    textposition: "bottom center",
    hovertext: all.map(
      ([name, { gflops, milliseconds, shareOfPeak, occupancy }]) =>
        `${literal(name)}<br>${milliseconds.toFixed(3)} ms, ${gflops.toFixed(0)} GFLOP/s, ${(shareOfPeak * 100).toFixed(1)} % of the peak<br>occupancy ${(occupancy.share * 100).toFixed(0)} %, limited by ${occupancy.limitedBy}`,
    ),
    hoverinfo: "text",
    marker: { color: PALETTE[0], size: 11 },
  };
  const layout = layoutOf({
    title: `simulated on ${spec.name}`,
    xLabel: "operations per byte that leaves L1",
    yLabel: "GFLOP/s",
    logX: true,
    logY: true,
    height: 420,
    ...options,
  });
  const roofs = [roof("memory", spec.dramGbytes, PALETTE[4]), roof("L2", spec.l2Gbytes, PALETTE[1])];
  return new Figure([...roofs, points], { ...layout, legend: { x: 0.02, y: 0.98 } });
}
