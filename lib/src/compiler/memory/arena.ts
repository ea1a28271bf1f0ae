/** The executor's arenas are planned here: by the solver where that takes little time, by best fit for huge graphs. */
import { type ArenaPlan, type ArenaRequest, setArenaPlanner } from "../../graph/arena.js";
import type { Graph, GraphNode, Value } from "../../ir/graph.js";
import { type Buffer, buffersOf } from "./buffers.js";
import { planBuffers } from "./plan.js";

/** Solving takes time that grows with the square of the number of buffers. */
const SOLVE_UP_TO = 1000;

function planArena(graph: Graph, { layouts, includes, workspace }: ArenaRequest): ArenaPlan {
  const buffers = buffersOf(graph, { layouts, includes, workspace });
  const allocator = buffers.length <= SOLVE_UP_TO ? "somas" : "bestFit";
  const { peakBytes, offsets } = planBuffers(graph, buffers, { allocator });
  const values = new Map<Value, number>();
  const workspaces = new Map<GraphNode, number>();
  buffers.forEach((buffer: Buffer, i) => {
    if (buffer.kind === "workspace") workspaces.set(graph.nodes[buffer.first], offsets[i]);
    for (const value of buffer.values) if (includes(value)) values.set(value, offsets[i]);
  });
  return { bytes: peakBytes, offsets: values, workspaces };
}

setArenaPlanner(planArena);
