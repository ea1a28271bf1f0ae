/**
 * All devices of a program on this thread, node by node side by side: nothing is faster for it, but it runs any number
 * of devices, the same each time, without processes. It is what the real ranks are checked against.
 */
import { bytesPerElement } from "../../core/dtype.js";
import type { Tensor } from "../../core/tensor.js";
import type { Graph, GraphNode } from "../../ir/graph.js";
import { type Environment, startEnvironment } from "../../ir/interpret.js";
import { bind } from "../../ops/bind.js";
import { concat, split } from "../../ops/shape.js";
import type { ReduceOp } from "../transport/reduce-op.js";
import { type CollectiveAttrs, isCollective } from "./collective-ops.js";
import type { LogicalMesh } from "./mesh.js";

/** One collective that was run, for counting. */
export interface Traffic {
  readonly kind: string;
  readonly axes: readonly string[];
  /** Bytes that each member gave. */
  readonly bytes: number;
}

/**
 * Runs every device's graph.
 * @param args by device
 * @returns results by device
 */
export function lockstep(
  mesh: LogicalMesh,
  graphs: readonly Graph[],
  args: readonly (readonly Tensor[])[],
  onTraffic?: (traffic: Traffic) => void,
): Tensor[][] {
  const envs: Environment[] = graphs.map((graph, device) => startEnvironment(graph, args[device]));
  graphs[0].nodes.forEach((first, at) => {
    const nodes = graphs.map((graph) => graph.nodes[at]);
    const inputs = nodes.map((node, device) => node.inputs.map((input) => envs[device].get(input) as Tensor));
    const outputs = isCollective(first.op)
      ? together(
          mesh,
          first,
          inputs.map(([x]) => x),
        ).map((y) => [y])
      : nodes.map((node, device) => bind(node.op, inputs[device], node.attrs));
    if (isCollective(first.op))
      onTraffic?.({
        kind: first.op.name,
        axes: (first.attrs as CollectiveAttrs).axes,
        bytes: inputs[0][0].size * bytes(inputs[0][0]),
      });
    outputs.forEach((values, device) => {
      for (const [i, output] of nodes[device].outputs.entries()) envs[device].set(output, values[i]);
    });
  });
  return graphs.map((graph, device) => graph.results.map((result) => envs[device].get(result) as Tensor));
}

const bytes = (x: Tensor): number => bytesPerElement(x.dtype);

/** A collective, from every device's operand to every device's result. */
function together(mesh: LogicalMesh, node: GraphNode, xs: readonly Tensor[]): Tensor[] {
  const { axes, size, op = "sum", dim = 0, from = 0, to = 0 } = node.attrs as CollectiveAttrs;
  const done = new Map<string, Tensor>();
  const once = (group: readonly number[], make: () => Tensor): Tensor => {
    const key = group.join();
    const known = done.get(key) ?? make();
    done.set(key, known);
    return known;
  };
  return xs.map((_, device) => {
    const group = mesh.group(device, axes);
    const place = mesh.position(device, axes);
    const members = group.map((member) => xs[member]);
    switch (node.op.name) {
      case "allReduce":
        return once(group, () => combined(members, op));
      case "allGather":
        return once(group, () => concat(members, dim));
      case "reduceScatter":
        return split(
          once(group, () => combined(members, op)),
          size,
          dim,
        )[place];
      default:
        return concat(
          members.map((x) => split(x, size, to)[place]),
          from,
        );
    }
  });
}

/** The members' values as one, added in the order of ranks. */
export function combined(xs: readonly Tensor[], op: ReduceOp): Tensor {
  const pair: Readonly<Record<ReduceOp, (a: Tensor, b: Tensor) => Tensor>> = {
    sum: (a, b) => a.add(b),
    mean: (a, b) => a.add(b),
    product: (a, b) => a.mul(b),
    min: (a, b) => a.minimum(b),
    max: (a, b) => a.maximum(b),
  };
  const whole = xs.reduce(pair[op]);
  return op === "mean" ? whole.div(xs.length) : whole;
}
