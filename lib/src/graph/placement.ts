/**
 * Placement: which device runs which node. A placed graph consists of calls of subgraphs, each on a device of its own; the
 * devices of one host share its memory, so that nothing is copied between them. Who decides is registered from
 * `compiler/select`. (Book, chapter 5: heterogeneous graphs, kernel selection.)
 */

import type { Tensor } from "../core/tensor.js";
import { callOp, filled, noKernel, regionTypes } from "../ir/call.js";
import { vjpGraph } from "../ir/derive.js";
import type { Graph, GraphNode } from "../ir/graph.js";
import type { OptimizationLevel } from "../ir/passes/manager.js";
import { bind } from "../ops/bind.js";
import { defineOp, type OpDef } from "../ops/registry.js";
import { withDevice } from "../runtime/devices.js";

/**
 * Who runs what: "cost" chooses device, dtype and layout of each node's kernel by what they cost together; a function tags
 * each node (by its name, `matmul1`) with a device; options narrow the choice down.
 */
export type Placement = "cost" | ((node: GraphNode, name: string) => string) | PlacementOptions;

export interface PlacementOptions {
  /** Among which devices to choose. Default: those that this machine has. */
  readonly devices?: readonly string[];
  /** The kernels that there are. Default: those that are registered for the devices, with rough costs. */
  readonly kernels?: readonly PlacedKernel[];
}

/** A row of the table of kernels. */
export interface PlacedKernel {
  readonly op: string;
  readonly device: string;
  /** What it computes in; operands of another floating-point dtype are cast. */
  readonly dtype: string;
  /** How it takes images (rank 4): "NCHW", "NHWC", "nChw8c", … Everything else is row-major. */
  readonly layout: string;
  /** Milliseconds. */
  readonly cost: number;
  /** The op that does the same in that layout, where it is not the op itself: same attributes, images in its layout. */
  readonly as?: string;
}

type Placer = (graph: Graph, placement: Placement, level: OptimizationLevel) => Graph;
let placer: Placer | null = null;

/** Says who places graphs from now on. */
export function setPlacer(place: Placer): void {
  placer = place;
}

export function placed(graph: Graph, placement: Placement | undefined, level: OptimizationLevel): Graph {
  return placement === undefined || placer === null ? graph : placer(graph, placement, level);
}

export interface DeviceCallAttrs {
  readonly graph: Graph;
  readonly device: string;
  readonly level: OptimizationLevel;
}

type DeviceRunner = (attrs: DeviceCallAttrs, inputs: readonly Tensor[]) => readonly Tensor[];
let runner: DeviceRunner | null = null;

/** Says how subgraphs are compiled and run: the executor registers itself here. */
export function setDeviceRunner(run: DeviceRunner): void {
  runner = run;
}

const asCall = ({ graph }: DeviceCallAttrs) => ({ graph });

/** A subgraph that one device runs. */
export const deviceCallOp: OpDef<DeviceCallAttrs> = defineOp<DeviceCallAttrs>({
  name: "deviceCall",
  kind: "control",
  type: (inputs, { graph }) => regionTypes(graph, inputs, "deviceCall"),
  reference: noKernel("deviceCall"),
  composite: (inputs, attrs) => withDevice(attrs.device, () => (runner as DeviceRunner)(attrs, inputs)),
  saves: { inputs: "all" },
  vjp: (gradients, { inputs, outputTypes, attrs }) =>
    bind(callOp, [...inputs, ...filled(gradients, outputTypes)], { graph: vjpGraph(attrs.graph) }),
  jvp: (primals, tangents, outputs, attrs) =>
    callOp.jvp === "not differentiable" ? [] : callOp.jvp(primals, tangents, outputs, asCall(attrs)),
  batch: (inputs, axes, attrs, size) => callOp.batch(inputs, axes, asCall(attrs), size),
  samples: [],
});
