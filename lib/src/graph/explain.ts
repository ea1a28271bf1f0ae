/** explain: a function on its way through the compiler, pass by pass, each with what it changed. */
import { diffLines, formatDiff } from "../ir/diff.js";
import { countNodes, type Graph } from "../ir/graph.js";
import {
  type Optimized,
  PassManager,
  type PassManagerOptions,
  type PassRun,
  type PassTiming,
} from "../ir/passes/manager.js";
import { capture } from "./capture.js";

/** A pipeline's run for readers: as text here, as HTML in notebooks. */
export class Explanation {
  constructor(
    /** As captured. */
    readonly captured: Graph,
    private readonly result: Optimized,
  ) {}

  /** After all passes. */
  get graph(): Graph {
    return this.result.graph;
  }

  get runs(): readonly PassRun[] {
    return this.result.runs;
  }

  /** Runs that changed something. */
  get changes(): PassRun[] {
    return this.result.runs.filter(({ changed }) => changed);
  }

  get timings(): readonly PassTiming[] {
    return this.result.timings;
  }

  /** The captured graph, then the differences that each pass made. */
  toString(): string {
    const parts = this.changes.map(
      (run) => `// ${titleOf(run)}\n${formatDiff(diffLines(String(run.before), String(run.after)))}`,
    );
    return [`// captured\n${this.captured}`, ...parts, `// result\n${this.graph}`].join("\n\n");
  }
}

/** `cse (round 1): 7 → 5 nodes`. */
export function titleOf({ pass, round, before, after }: PassRun): string {
  return `${pass.name} (round ${round + 1}): ${countNodes(before)} → ${countNodes(after)} nodes`;
}

/**
 * Captures `f` for such arguments, runs the passes of level O2, and keeps each one's before and after.
 * @example explain((x: Tensor) => x.exp().add(x.exp()), tensor([1, 2])).changes[0].pass.name // "cse"
 * @throws as `capture`.
 */
export function explain<A extends unknown[]>(f: (...args: A) => unknown, ...args: A): Explanation {
  return explainWith({}, f, ...args);
}

/**
 * `explain` for another level, other stages or fast math.
 * @example graph.explainWith({ level: "O0" }, (x: Tensor) => x.sin(), tensor([1])).runs.length // 0
 */
export function explainWith<A extends unknown[]>(
  options: PassManagerOptions,
  f: (...args: A) => unknown,
  ...args: A
): Explanation {
  return explainGraph(capture(f, ...args), options);
}

/**
 * The same for a graph that is there already.
 * @example graph.explainGraph(capture((x: Tensor) => x.sin(), tensor([1]))).graph.nodes.length // 1
 */
export function explainGraph(graph: Graph, options: PassManagerOptions = {}): Explanation {
  return new Explanation(graph, new PassManager(options).run(graph));
}
