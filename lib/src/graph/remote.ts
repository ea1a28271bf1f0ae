/**
 * Graphs on devices that have a memory of their own: nodes that stand for several ops (`fused`, `fusedMany`,
 * `fusedContraction`, `fusedReduction`, `fusedAttention`) may get a kernel of the device; the others' kernels are those of
 * their ops.
 */
import type { GraphNode, Value } from "../ir/graph.js";
import type { DeviceArray, RemoteType } from "../runtime/remote.js";

/** A kernel for a node. Outputs are contiguous, new, and of offset 0. */
export interface RemoteStep<H = unknown> {
  /** False if it cannot take arrays of these layouts: then the node's parts run one by one. `outputs`: their types. */
  supports?(inputs: readonly RemoteType[], outputs: readonly Value[]): boolean;
  run(inputs: readonly DeviceArray<H>[], outputs: readonly DeviceArray<H>[]): void;
}

type Fuse<H = unknown> = (node: GraphNode) => RemoteStep<H> | null;

const fusions = new Map<string, Fuse>();

/**
 * Says how a device runs nodes that stand for several ops. It is asked once per node of a compiled graph.
 * @example extend.registerRemoteFusion("webgpu", (node) => null) // one by one
 */
export function registerRemoteFusion<H>(device: string, fuse: Fuse<H>): void {
  fusions.set(device, fuse as Fuse);
}

/** The device's kernel for a node that stands for several ops, if it has one. */
export function remoteStepOf(node: GraphNode, device: string): RemoteStep | null {
  return node.op.composite ? (fusions.get(device)?.(node) ?? null) : null;
}
