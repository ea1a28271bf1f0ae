/** One step of a plan: from values in slots to values in slots, by the kernel of the device or the op's own. */

import type { Graph, GraphNode } from "../ir/graph.js";
import { interpret } from "../ir/interpret.js";
import { type DenseTensor, emptyDense, viewOf } from "../runtime/dense.js";
import { commit } from "../runtime/host-array.js";
import { findKernel, type Kernel } from "../runtime/kernels.js";

/** What one node did in a run; times in milliseconds of the process's clock. */
export interface NodeSpan {
  readonly node: string;
  readonly stream: number;
  readonly start: number;
  readonly end: number;
}

/** One call of a plan. */
export interface PlanStep {
  readonly node: GraphNode;
  readonly inputs: readonly number[];
  readonly outputs: readonly number[];
  /** Slots that nobody reads after this step. */
  readonly last: readonly number[];
  /** For ops made of other ops, and where no kernel is known before the run. */
  readonly kernel: Kernel<unknown> | null;
}

/** A step whose outputs are allocated, and which only has to be run. */
export interface ReadyStep {
  readonly run: () => void;
  /** It only launches compiled kernels: it may run on a stream. */
  readonly launches: boolean;
}

/** Runs one step on tensors, and puts its outputs into their slots. */
export function runStep(step: PlanStep, values: (DenseTensor | undefined)[], device: string): void {
  prepareStep(step, values, device)?.run();
}

/** Allocates the outputs of a step; `null` if it is a view, which is done with that. */
export function prepareStep(
  { node, inputs, outputs, kernel: own }: PlanStep,
  values: (DenseTensor | undefined)[],
  device: string,
): ReadyStep | null {
  const given = inputs.map((slot) => values[slot] as DenseTensor);
  const { op, attrs } = node;
  if (op.composite && !own) {
    const composite =
      op.name === "fused"
        ? (xs: DenseTensor[]) => interpret((attrs as { graph: Graph }).graph, xs)
        : (xs: DenseTensor[]) => op.composite?.(xs, attrs);
    const run = (): void => {
      const made = composite(given) as readonly DenseTensor[];
      outputs.forEach((slot, i) => {
        values[slot] = given.includes(made[i]) ? viewOf(made[i], made[i]) : made[i];
      });
    };
    return { run, launches: false };
  }
  const layout = op.view?.(given[0], attrs);
  if (layout) {
    values[outputs[0]] = viewOf(given[0], layout);
    return null;
  }
  const made = node.outputs.map(({ shape, dtype }) => emptyDense(shape, dtype, device));
  outputs.forEach((slot, i) => {
    values[slot] = made[i];
  });
  const [ins, outs] = [given.map((x) => x.host()), made.map((x) => x.host())];
  if (own) return { run: () => own(ins, outs, attrs), launches: true };
  const kernel = device === "cpu" ? undefined : findKernel(device, op.name);
  if (kernel && (!kernel.supports || kernel.supports(ins, outs, attrs)))
    return { run: () => kernel.run(ins, outs, attrs), launches: kernel.launches ?? false };
  const reference = (): void => {
    op.reference(ins, outs, attrs as never);
    commit(outs);
  };
  return { run: reference, launches: false };
}
