/**
 * A device's graph on a real rank: stretches without communication are compiled, collectives go through the process group,
 * one after the other.
 */
import type { Tensor } from "../../core/tensor.js";
import { compile, type Executable } from "../../graph/execute.js";
import { Graph, type GraphNode, type Value } from "../../ir/graph.js";
import type { ProcessGroup } from "../group/process-group.js";
import { type CollectiveAttrs, isCollective } from "./collective-ops.js";
import type { LogicalMesh } from "./mesh.js";

/** Nodes between collectives, as a graph of its own, or a collective. */
type Part =
  | { readonly run: Executable; readonly reads: readonly Value[]; readonly writes: readonly Value[] }
  | { readonly collective: GraphNode };

export class RankProgram {
  private readonly parts: readonly Part[];
  private readonly groups = new Map<string, ProcessGroup>();
  /** Parts after which a value is not needed any more. */
  private readonly last = new Map<Value, number>();

  /** Every member makes it, for its own rank's graph: the groups along the mesh's axes are made here. */
  constructor(
    private readonly graph: Graph,
    mesh: LogicalMesh,
    group: ProcessGroup,
  ) {
    this.parts = partsOf(graph);
    this.parts.forEach((part, i) => {
      for (const value of "run" in part ? part.reads : part.collective.inputs) this.last.set(value, i);
    });
    for (const part of this.parts) {
      if ("run" in part) continue;
      const { axes } = part.collective.attrs as CollectiveAttrs;
      const key = axes.join();
      if (this.groups.has(key)) continue;
      const [color] = mesh.group(group.rank, axes);
      this.groups.set(key, group.split(color, mesh.position(group.rank, axes)).wait());
    }
  }

  /** Results on this device, from its parts of the arguments. Blocks this thread at collectives. */
  run(args: readonly Tensor[]): Tensor[] {
    const { graph } = this;
    const env = new Map<Value, Tensor>();
    const kept = new Set<Value>(graph.results);
    graph.params.forEach((param, i) => {
      env.set(param, args[i]);
      kept.add(param); // the caller's
    });
    for (const { value, data } of graph.constants) {
      env.set(value, data);
      kept.add(value);
    }
    const at = (value: Value): Tensor => env.get(value) as Tensor;
    this.parts.forEach((part, i) => {
      if ("run" in part) {
        const outputs = part.run.run(part.reads.map(at));
        for (const [k, value] of part.writes.entries()) env.set(value, outputs[k]);
      } else {
        const [y] = part.collective.outputs;
        env.set(y, this.communicate(part.collective, at(part.collective.inputs[0])));
      }
      for (const value of "run" in part ? part.reads : part.collective.inputs) {
        if (this.last.get(value) !== i || kept.has(value)) continue;
        env.get(value)?.dispose();
        env.delete(value);
      }
    });
    return graph.results.map(at);
  }

  private communicate(node: GraphNode, x: Tensor): Tensor {
    const { axes, size, op = "sum", dim = 0, from = 0, to = 0 } = node.attrs as CollectiveAttrs;
    const group = this.groups.get(axes.join()) as ProcessGroup;
    switch (node.op.name) {
      case "allReduce":
        return group.allReduce(x, { op }).wait();
      case "allGather":
        return group.allGather(x, { axis: dim }).wait();
      case "reduceScatter":
        return group.reduceScatter(x, { axis: dim, op }).wait();
      default: {
        // the axis that is cut comes to the front, where a group's allToAll cuts; then the parts go behind each other
        const order = [to, ...x.shape.map((_, i) => i).filter((i) => i !== to)];
        const front = group.allToAll(x.transpose(order)).wait();
        const rows = x.shape[to] / size;
        const parts = front.reshape([size, rows, ...order.slice(1).map((i) => x.shape[i])]);
        const back = x.shape.flatMap((_, i) => {
          const place = order.indexOf(i) + 1;
          return i === from ? [0, place] : [place];
        });
        const shape = x.shape.map((n, i) => (i === from ? n * size : i === to ? rows : n));
        return parts.transpose(back).reshape(shape);
      }
    }
  }
}

function partsOf(graph: Graph): Part[] {
  const parts: Part[] = [];
  let pending: GraphNode[] = [];
  const results = new Set(graph.results);
  const order = new Map(graph.nodes.map((node, i) => [node, i]));
  const flush = (end: number): void => {
    if (pending.length === 0) return;
    const made = new Set(pending.flatMap((node) => node.outputs));
    const reads = [...new Set(pending.flatMap((node) => node.inputs))].filter((value) => !made.has(value));
    const constants = graph.constants.filter(({ value }) => reads.includes(value));
    const fixed = new Set(constants.map(({ value }) => value));
    const params = reads.filter((value) => !fixed.has(value));
    const writes = [...made].filter(
      (value) => results.has(value) || graph.users(value).some((user) => (order.get(user) as number) >= end),
    );
    const part = new Graph(`${graph.name}.${parts.length}`, params, constants, pending, writes);
    parts.push({ run: compile(part), reads: params, writes });
    pending = [];
  };
  graph.nodes.forEach((node, i) => {
    if (isCollective(node.op)) {
      flush(i);
      parts.push({ collective: node });
    } else pending.push(node);
  });
  flush(graph.nodes.length);
  return parts;
}
