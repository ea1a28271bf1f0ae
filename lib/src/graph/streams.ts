/**
 * Independent nodes at the same time: a list schedule decides where each node runs, marks see to it that it runs after
 * what it needs. Intermediate values are kept until the end, since a stream may still read what the next node in order
 * would overwrite: speed is paid for with memory.
 */
import { clock } from "../core/clock.js";
import type { Graph } from "../ir/graph.js";
import type { DenseTensor } from "../runtime/dense.js";
import { waitCompleted } from "../runtime/pool/pool.js";
import { type Mark, Stream, timesOf } from "../runtime/pool/stream.js";
import { dagOf } from "./dag.js";
import { listSchedule, type Schedule, workOf } from "./schedule.js";
import { type NodeSpan, type PlanStep, prepareStep } from "./step.js";

/** Where each node is to run, in the order in which they are launched. */
export interface Placement {
  readonly schedule: Schedule;
  /** Index of the step, its name, its stream. */
  readonly order: readonly { readonly step: number; readonly name: string; readonly stream: number }[];
  readonly streams: readonly Stream[];
}

/** Spreads a graph's nodes over streams by their rough work. */
export function placeOnStreams(graph: Graph, count: number): Placement {
  const dag = dagOf(graph);
  const schedule = listSchedule(dag, count, (name) => {
    const node = dag.nodeOf.get(name);
    return node ? workOf(node) : 0;
  });
  const index = new Map(graph.nodes.map((node, i) => [node, i]));
  return {
    schedule,
    order: schedule.tasks.map(({ node, stream }) => ({
      step: index.get(dag.nodeOf.get(node)!) as number,
      name: node,
      stream,
    })),
    streams: Array.from({ length: count }, (_, k) => new Stream(k)),
  };
}

/** Records in a worker's ring are used again: times are read before that. */
const READ_TIMES_EVERY = 32;

/** Runs all steps. Those whose kernels are compiled go to their streams; the others run here, when their inputs are ready. */
export function runOnStreams(
  { order, streams }: Placement,
  steps: readonly PlanStep[],
  values: (DenseTensor | undefined)[],
  device: string,
  spans: NodeSpan[] | null,
): void {
  const ready = new Map<number, readonly Mark[]>();
  const launched: { node: string; stream: number; marks: readonly Mark[] }[] = [];
  const synchronize = (): void => {
    for (const stream of streams) stream.synchronize();
    for (const { node, stream, marks } of launched.splice(0)) {
      const { start } = timesOf(marks[0]);
      spans?.push({ node, stream, start, end: timesOf(marks[marks.length - 1]).end });
    }
  };
  try {
    for (const { step: at, name, stream } of order) {
      const step = steps[at];
      const needs = step.inputs.flatMap((slot) => ready.get(slot) ?? []);
      let marks: readonly Mark[] = needs;
      const work = prepareStep(step, values, device);
      if (work?.launches) {
        const all = streams[stream].launch(needs, work.run);
        if (all.length > 0) {
          marks = all.slice(-1); // a stream keeps its order
          if (spans) launched.push({ node: name, stream, marks: all });
          if (launched.length >= READ_TIMES_EVERY) synchronize();
        }
      } else if (work) {
        for (const mark of needs) waitCompleted(mark.worker, mark.number);
        const start = clock();
        work.run();
        spans?.push({ node: name, stream: -1, start, end: clock() });
        marks = [];
      }
      for (const slot of step.outputs) ready.set(slot, marks);
    }
  } finally {
    synchronize();
  }
}
