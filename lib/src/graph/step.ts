/** One step of a plan: from values in slots to values in slots, by the kernel of the device or the op's own. */

import type { Tensor } from "../core/tensor.js";
import type { ContractionAttrs } from "../ir/call.js";
import type { FusedAttentionAttrs } from "../ir/fused-attention.js";
import type { FusedReductionAttrs } from "../ir/fused-reduction.js";
import type { Graph, GraphNode } from "../ir/graph.js";
import { interpret } from "../ir/interpret.js";
import { compute } from "../ops/evaluate.js";
import { type DenseTensor, emptyDense, viewOf } from "../runtime/dense.js";
import { findKernel } from "../runtime/kernels.js";
import { remoteOf } from "../runtime/remote.js";
import { launchOn } from "../runtime/remote-run.js";
import { attentionStep, contractionStep } from "./contraction.js";
import { type FusedStep, fusedKernel, fusedManyStep } from "./fused.js";
import { reductionStep } from "./reduction.js";
import { type RemoteStep, remoteStepOf } from "./remote.js";

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
  /** The kernel of a fused group, or of several. */
  readonly fused: FusedStep | null;
  /** The kernel of a fused group on a device that has a memory of its own. */
  readonly remote: RemoteStep | null;
  /** For ops that run other ops, instead of a kernel. */
  readonly composite: ((inputs: readonly DenseTensor[]) => readonly Tensor[]) | null;
}

/** How a node is to be run. */
export function stepOf(
  node: GraphNode,
  slots: Pick<PlanStep, "inputs" | "outputs">,
  device: string,
): PlanStep {
  const { op, attrs } = node;
  const onHost = device !== "cpu" && !remoteOf(device);
  const fused = onHost ? fusedStep(node, device) : null;
  const composite =
    !op.composite || fused
      ? null
      : op.name === "fused"
        ? (xs: readonly DenseTensor[]) => interpret((attrs as { graph: Graph }).graph, xs)
        : (xs: readonly DenseTensor[]) => op.composite?.(xs, attrs) ?? [];
  return { node, ...slots, fused, remote: remoteStepOf(node, device), composite };
}

function fusedStep({ op, attrs }: GraphNode, device: string): FusedStep | null {
  if (op.name === "fused") return fusedKernel((attrs as { graph: Graph }).graph);
  if (op.name === "fusedContraction") return contractionStep(attrs as ContractionAttrs, device);
  if (op.name === "fusedAttention") return attentionStep(attrs as FusedAttentionAttrs);
  if (op.name === "fusedReduction") return reductionStep(attrs as unknown as FusedReductionAttrs);
  if (op.name === "fusedMany") return fusedManyStep((attrs as { graphs: readonly Graph[] }).graphs);
  return null;
}

/** Runs the ops that an op is made of. */
export function runComposite(
  { inputs, outputs, composite }: PlanStep,
  values: (DenseTensor | undefined)[],
): void {
  const given = inputs.map((slot) => values[slot] as DenseTensor);
  const made = composite?.(given) as readonly DenseTensor[];
  outputs.forEach((slot, i) => {
    values[slot] = given.includes(made[i]) ? viewOf(made[i], made[i]) : made[i];
  });
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
  step: PlanStep,
  values: (DenseTensor | undefined)[],
  device: string,
): ReadyStep | null {
  const { node, inputs, outputs, fused, remote } = step;
  const given = inputs.map((slot) => values[slot] as DenseTensor);
  const fits = remote !== null && (!remote.supports || remote.supports(given, node.outputs));
  if (step.composite && !fits) return { run: () => runComposite(step, values), launches: false };
  const { op, attrs } = node;
  const layout = op.view?.(given[0], attrs);
  if (layout) {
    values[outputs[0]] = viewOf(given[0], layout);
    return null;
  }
  const made = node.outputs.map(({ shape, dtype }) => emptyDense(shape, dtype, device));
  outputs.forEach((slot, i) => {
    values[slot] = made[i];
  });
  const own = remoteOf(device);
  if (own) {
    const run = fits
      ? () => launchOn(own, op.name, given, made, remote.run)
      : () => compute(op, given, made, attrs, device);
    return { run, launches: false };
  }
  const [ins, outs] = [given.map((x) => x.host()), made.map((x) => x.host())];
  if (fused) return { run: () => fused.run(ins, outs), launches: fused.launches?.(ins, outs) ?? true };
  const kernel = device === "cpu" ? undefined : findKernel(device, op.name);
  if (kernel && (!kernel.supports || kernel.supports(ins, outs, attrs)))
    return { run: () => kernel.run(ins, outs, attrs), launches: kernel.launches ?? false };
  return { run: () => compute(op, given, made, attrs, device), launches: false };
}
