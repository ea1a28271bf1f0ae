/** What people look at rather than read. */
import "./explanation.js";

export { blockOccupancy } from "./block-occupancy.js";
export { type MimeBundle, publisher } from "./bundle.js";
export { type ExplorerStep, exploreIr, IrExplorer } from "./explorer.js";
export { gpuRoofline, gpuStalls } from "./gpu.js";
export { Drawing, type DrawOptions, drawGraph, drawTape } from "./graph.js";
export { memoryMap } from "./memory-map.js";
export {
  npuEnergy,
  npuRoofline,
  npuSweep,
  npuTimeline,
  npuTraffic,
  npuWavefront,
  type SweepOptions,
} from "./npu.js";
export {
  type PlaygroundOptions,
  type PlaygroundTarget,
  type ScheduleAttempt,
  SchedulePlayground,
  schedulePlayground,
} from "./playground.js";
export {
  bar,
  Figure,
  type FigureOptions,
  heatmap,
  histogram,
  imageGrid,
  line,
  PALETTE,
  type PlotTrace,
  type Series,
  scatter,
} from "./plot.js";
export { roofline } from "./profile.js";
export { ProgressBar, type ProgressOptions } from "./progress.js";
export { SourceText, sourceOf } from "./source.js";
export { gantt, type Span, utilization } from "./timeline.js";
