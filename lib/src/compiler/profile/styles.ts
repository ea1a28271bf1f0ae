/**
 * Styles of execution side by side: op by op, as a graph, and sunk, where many steps are one dispatch. (Book, chapter 5:
 * single-op scheduling, graph scheduling, sunk execution.)
 */
import { Variable } from "../../autodiff/variable.js";
import { clock } from "../../core/clock.js";
import { ValueError } from "../../core/errors.js";
import type { Tensor } from "../../core/tensor.js";
import { flatten, unflatten } from "../../core/tree.js";
import { captureState } from "../../graph/capture.js";
import { compile } from "../../graph/execute.js";
import { sink } from "../../graph/sink.js";
import { interpret } from "../../ir/interpret.js";
import { onDispatch } from "../../ops/bind.js";
import { stack } from "../../ops/shape.js";
import { tidy } from "../../ops/tidy.js";
import type { ProfileOptions } from "./profile.js";

export type ExecutionStyle = "single-op" | "graph" | "sunk";

export interface StyleProfile {
  readonly style: ExecutionStyle;
  /** Median time of a step, in milliseconds. */
  readonly milliseconds: number;
  /** What the host program hands over per step: ops, a graph, or its share of a loop. */
  readonly dispatches: number;
  /** Kernels that run per step. */
  readonly kernels: number;
  /** Time of the single-op style over this one's. */
  readonly speedup: number;
}

export interface StyleOptions extends ProfileOptions {
  /** Steps of each sample, which are sunk together. Default 16. */
  readonly steps?: number;
}

/**
 * A step in each style, a row per style: a table in notebooks. Variables keep their values.
 * @example profileStyles((x: Tensor) => x.mul(2).add(1).relu(), ones([4])).map(({ style, kernels }) => `${style} ${kernels}`) // ["single-op 3", "graph 1", "sunk 1"]
 */
export function profileStyles<A extends unknown[]>(f: (...args: A) => unknown, ...args: A): StyleProfile[] {
  return profileStylesWith({}, f, ...args);
}

/**
 * `profileStyles` with another level, or more runs.
 * @throws ValueError for a number of runs or steps that is none; as `capture`.
 * @example compiler.profileStylesWith({ runs: 2, steps: 4 }, (x: Tensor) => x.sin(), ones([4]))[2].dispatches // 0.25
 */
export function profileStylesWith<A extends unknown[]>(
  options: StyleOptions,
  f: (...args: A) => unknown,
  ...args: A
): StyleProfile[] {
  const { runs = 20, steps = 16, ...rest } = options;
  for (const [name, count] of Object.entries({ runs, steps }))
    if (!Number.isInteger(count) || count < 1)
      throw new ValueError(`profileStyles: ${count} is no number of ${name}`);
  const compiling = { level: "O3", ...rest } as const;
  const { graph, updated } = captureState({}, f as (...args: never[]) => unknown, args, true);
  const { leaves, def } = flatten(args);
  const given = [
    ...leaves.filter((leaf) => !(leaf instanceof Variable)),
    ...(graph.origin.captured ?? []),
  ] as Tensor[];
  const executable = compile(graph, compiling);
  const sunk = sink(f, compiling);
  const stacked = leaves.map((leaf) =>
    leaf instanceof Variable ? leaf : stack(new Array<Tensor>(steps).fill(leaf)),
  );
  const many = unflatten(def, stacked) as A;
  const before = updated.map((variable) => variable.value.toTypedArray());
  const styles = {
    "single-op": () => void interpret(graph, given),
    graph: () => void executable.run(given),
    sunk: () => void sunk(...many),
  };
  const times: Record<ExecutionStyle, number[]> = { "single-op": [], graph: [], sunk: [] };
  let ops = 0;
  let kernels = 0;
  try {
    const stop = onDispatch(() => ops++);
    tidy(styles["single-op"]);
    stop();
    tidy(() => {
      kernels = executable.timeline(given).spans.length;
    });
    // every sample is as many steps, so that what interrupts the machine meets all styles alike
    for (let i = -2; i < runs; i++)
      for (const [style, run] of Object.entries(styles) as [ExecutionStyle, () => void][]) {
        const start = clock();
        for (let k = 0; k < (style === "sunk" ? 1 : steps); k++) tidy(run);
        if (i >= 0) times[style].push((clock() - start) / steps);
      }
  } finally {
    updated.forEach((variable, i) => {
      variable.mutate((data) => data.set(before[i]));
    });
    for (const leaf of stacked) if (!(leaf instanceof Variable)) leaf.dispose();
  }
  const single = median(times["single-op"]);
  const row = (style: ExecutionStyle, dispatches: number, count: number): StyleProfile => {
    const milliseconds = median(times[style]);
    return { style, milliseconds, dispatches, kernels: count, speedup: single / milliseconds };
  };
  return [row("single-op", ops, ops), row("graph", 1, kernels), row("sunk", 1 / steps, kernels)];
}

function median(list: readonly number[]): number {
  const sorted = [...list].sort((a, b) => a - b);
  return sorted[sorted.length >> 1];
}
