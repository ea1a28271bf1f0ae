/** Passes: functions from graph to graph. A new pass is one file and one line in the table of `passes/index.ts`. */
import type { Graph } from "../graph.js";

export interface Pass {
  readonly name: string;
  /** What it does, in a line, for listings. */
  readonly summary: string;
  /** Returns a graph of the same meaning: same parameters, same types of results. */
  readonly run: (graph: Graph) => Graph;
}
