/** The executor's arenas are planned here: by best fit, and by the solver where that leaves much to gain and takes little time. */
import { type ArenaPlan, type ArenaRequest, setArenaPlanner } from "../../graph/arena.js";
import type { Graph, GraphNode, Value } from "../../ir/graph.js";
import { type Buffer, buffersOf } from "./buffers.js";
import { planBuffers } from "./plan.js";

/** Solving takes time that grows with the square of the number of buffers. */
const SOLVE_UP_TO = 1000;
/** Peak over what no plan can be below, from which on it is worth that time: little for few buffers, 60 ms for 1000. */
const worthSolving = (buffers: number): number => (buffers <= 300 ? 1.01 : 1.1);

function planArena(graph: Graph, { layouts, includes, workspace }: ArenaRequest): ArenaPlan {
  const buffers = buffersOf(graph, { layouts, includes, workspace });
  const quick = planBuffers(graph, buffers, { allocator: "bestFit" });
  const solve =
    buffers.length <= SOLVE_UP_TO && quick.peakBytes > quick.lowerBound * worthSolving(buffers.length);
  const solved = solve ? planBuffers(graph, buffers, { allocator: "somas" }) : quick;
  const { peakBytes, offsets } = solved.peakBytes < quick.peakBytes ? solved : quick;
  const values = new Map<Value, number>();
  const workspaces = new Map<GraphNode, number>();
  buffers.forEach((buffer: Buffer, i) => {
    if (buffer.kind === "workspace") workspaces.set(graph.nodes[buffer.first], offsets[i]);
    for (const value of buffer.values) if (includes(value)) values.set(value, offsets[i]);
  });
  return { bytes: peakBytes, offsets: values, workspaces };
}

setArenaPlanner(planArena);
