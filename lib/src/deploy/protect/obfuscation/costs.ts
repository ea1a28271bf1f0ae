/** What obfuscation costs when a model runs: time and memory of the original, the obfuscated and the restored graph. */
import { clock } from "../../../core/clock.js";
import type { Tensor } from "../../../core/tensor.js";
import { compile } from "../../../graph/execute.js";
import type { Graph } from "../../../ir/graph.js";
import { zeros } from "../../../ops/create.js";
import { tidy } from "../../../ops/tidy.js";
import { heapStats, resetPeak } from "../../../runtime/heap.js";

export interface Cost {
  /** Median time of a run. */
  readonly milliseconds: number;
  /** Most bytes of tensors that a run has beside those that are there before it. */
  readonly peakBytes: number;
}

export interface Costs {
  readonly original: Cost;
  readonly obfuscated: Cost;
  readonly restored: Cost;
}

/** Runs all in turn, so that what interrupts the machine meets them alike. */
export function costsOf(graphs: { readonly [K in keyof Costs]: Graph }, runs: number): Costs {
  const sides = (["original", "obfuscated", "restored"] as const).map((name) => ({
    name,
    executable: compile(graphs[name], { level: "O3" }),
    times: [] as number[],
    peak: 0,
  }));
  const args: Tensor[] = graphs.original.params.map(({ shape, dtype }) => zeros(shape, { dtype }));
  for (let i = -2; i < runs; i++)
    for (const side of sides) {
      resetPeak();
      const before = heapStats().liveBytes;
      const start = clock();
      tidy(() => {
        side.executable.run(args);
      });
      if (i < 0) continue;
      side.times.push(clock() - start);
      side.peak = Math.max(side.peak, heapStats().peakBytes - before);
    }
  for (const arg of args) arg.dispose();
  return Object.fromEntries(
    sides.map(({ name, times, peak }) => [
      name,
      { milliseconds: times.sort((a, b) => a - b)[times.length >> 1], peakBytes: peak },
    ]),
  ) as unknown as Costs;
}
