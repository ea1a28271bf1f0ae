/** Graphs on devices that have a memory of their own: kernel by kernel, without addresses. */
import { clock } from "../core/clock.js";
import type { Graph, GraphNode, Value } from "../ir/graph.js";
import type { DenseTensor } from "../runtime/dense.js";
import { disposeEarly } from "../runtime/tidy.js";
import { type NodeSpan, type PlanStep, runStep } from "./step.js";

/** A graph's steps, one after the other; each value goes back behind the last step that reads it. */
export class RemoteProgram {
  private readonly ends: readonly (readonly number[])[];
  private readonly names: readonly string[];

  constructor(
    private readonly steps: readonly PlanStep[],
    kept: ReadonlySet<number>,
    private readonly fixed: readonly (DenseTensor | undefined)[],
    private readonly device: string,
    nameOf: ReadonlyMap<GraphNode, string>,
  ) {
    const last = new Map<number, number>();
    steps.forEach(({ inputs, outputs }, i) => {
      for (const slot of [...outputs, ...inputs]) if (!kept.has(slot)) last.set(slot, i);
    });
    const ends: number[][] = steps.map(() => []);
    for (const [slot, i] of last) ends[i].push(slot);
    this.ends = ends;
    this.names = steps.map(({ node }) => nameOf.get(node) as string);
  }

  /** The values of all slots that are left. Call within a scope: what is left belongs to it. */
  run(args: readonly DenseTensor[], spans: NodeSpan[] | null): readonly (DenseTensor | undefined)[] {
    const values = this.fixed.slice();
    args.forEach((arg, i) => {
      values[i] = arg;
    });
    this.steps.forEach((step, i) => {
      const start = spans === null ? 0 : clock();
      runStep(step, values, this.device);
      if (spans !== null && !step.node.op.view)
        spans.push({ node: this.names[i], stream: 0, start, end: clock() });
      for (const slot of this.ends[i]) {
        const value = values[slot];
        if (value) disposeEarly(value);
        values[slot] = undefined;
      }
    });
    return values;
  }
}

/** Slots that outlive the run: parameters, constants, results. */
export function lastingSlots(graph: Graph, slotOf: ReadonlyMap<Value, number>): Set<number> {
  const lasting = [...graph.params, ...graph.constants.map(({ value }) => value), ...graph.results];
  return new Set(lasting.map((value) => slotOf.get(value) as number));
}
