/** Renderings: one program in the text forms of other systems. A new one is one file and one line in `render/index.ts`. */
import type { Graph } from "../graph.js";

export interface Rendering {
  readonly name: string;
  /** Whose form it is and what it shows, in a line. */
  readonly summary: string;
  readonly render: (graph: Graph) => string;
}
