/**
 * Work with dependencies: what a training step is made of. A lane (a stream of a device) does its tasks one after the
 * other in the order given; a transfer goes over links and shares them with all others.
 */
import { ValueError } from "../../../core/errors.js";
import type { Span } from "../../../viz/timeline.js";
import { type Flow, Fluid, type Use } from "./fluid.js";

export interface Task {
  /** For pictures. */
  readonly name: string;
  /** Who does it; tasks of one lane are done in the order of the list. Without: as soon as it can be. */
  readonly lane?: string;
  /** Tasks, by their place in the list, that must be finished before. */
  readonly after?: readonly number[];
  /** How long it takes; or what it carries. */
  readonly work: number | Flow;
}

export interface TasksRun {
  /** Seconds from the start, by task. */
  readonly start: Float64Array;
  readonly end: Float64Array;
  /** When the last one is finished. */
  readonly seconds: number;
  /** What each link has carried. */
  readonly carried: Float64Array;
  /** Every link's use over time, if recorded. */
  readonly uses: readonly (readonly Use[])[];
  readonly events: number;
}

/**
 * Runs tasks over links of the given capacities.
 * @throws ValueError for a dependency that there is not, or if tasks wait for each other in a circle
 * @example simulateTasks([{ name: "a", work: 2 }, { name: "b", work: 1, after: [0] }]).seconds // 3
 */
export function simulateTasks(
  tasks: readonly Task[],
  capacities: readonly number[] = [],
  options: { readonly record?: boolean } = {},
): TasksRun {
  const fluid = new Fluid(capacities, options);
  const start = new Float64Array(tasks.length).fill(Number.NaN);
  const end = new Float64Array(tasks.length).fill(Number.NaN);
  const missing = new Int32Array(tasks.length);
  const next: number[][] = tasks.map(() => []);
  const lastOfLane = new Map<string, number>();
  const waitFor = (task: number, before: number): void => {
    missing[task]++;
    next[before].push(task);
  };
  for (const [i, { name, after = [], lane }] of tasks.entries()) {
    for (const before of after) {
      if (!(Number.isInteger(before) && before >= 0 && before < tasks.length))
        throw new ValueError(`simulateTasks: ${name} waits for task ${before}; there are ${tasks.length}`);
      waitFor(i, before);
    }
    if (lane === undefined) continue;
    const before = lastOfLane.get(lane);
    if (before !== undefined) waitFor(i, before);
    lastOfLane.set(lane, i);
  }
  let finished = 0;
  const begin = (i: number): void => {
    start[i] = fluid.time;
    const { work } = tasks[i];
    if (typeof work === "number") fluid.at(fluid.time + work, () => finish(i));
    else fluid.start(work, () => finish(i));
  };
  const finish = (i: number): void => {
    end[i] = fluid.time;
    finished++;
    for (const task of next[i]) if (--missing[task] === 0) begin(task);
  };
  for (let i = 0; i < tasks.length; i++) if (missing[i] === 0) fluid.at(0, () => begin(i));
  fluid.run();
  if (finished < tasks.length) {
    const waiting = tasks.filter((_, i) => Number.isNaN(end[i])).map(({ name }) => name);
    throw new ValueError(`simulateTasks: ${waiting.slice(0, 5).join(", ")} wait for each other in a circle`);
  }
  return {
    ...{ start, end, seconds: end.reduce((last, time) => Math.max(last, time), 0) },
    ...{ carried: fluid.carried, uses: fluid.uses, events: fluid.events },
  };
}

/** Tasks that took time, as bars of a timeline (milliseconds). Those without a lane are left out. */
export function spansOf(tasks: readonly Task[], { start, end }: Pick<TasksRun, "start" | "end">): Span[] {
  return tasks.flatMap(({ name, lane }, i) =>
    lane === undefined || end[i] <= start[i]
      ? []
      : [{ lane, name, start: start[i] * 1e3, end: end[i] * 1e3 }],
  );
}
