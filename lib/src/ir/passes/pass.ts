/** Passes: functions from graph to graph. A new pass is one file and one line in the table of `passes/index.ts`. */
import type { Graph } from "../graph.js";

/**
 * Licences to change floating-point results, by LLVM's names: `nnan` no operand is NaN, `ninf` none is infinite, `nsz` the
 * sign of a zero does not matter, `arcp` a division may become a product with the reciprocal, `reassoc` sums and products
 * may be grouped anew, `afn` functions may be replaced by others that agree up to rounding.
 */
export type FastMathFlag = "nnan" | "ninf" | "nsz" | "arcp" | "reassoc" | "afn";

export const FAST_MATH: readonly FastMathFlag[] = ["nnan", "ninf", "nsz", "arcp", "reassoc", "afn"];

export interface PassOptions {
  readonly fastMath: readonly FastMathFlag[];
  /** Constant folding makes constants of at most so many elements. */
  readonly foldLimit: number;
  /** Called graphs of at most so many nodes are copied to where they are called. */
  readonly inlineLimit: number;
  /** Reductions of at least so many elements take the elementwise ops in front of them along. */
  readonly reduceLimit: number;
}

export const DEFAULT_OPTIONS: PassOptions = {
  fastMath: [],
  foldLimit: 1024,
  inlineLimit: 64,
  reduceLimit: 4096,
};

export interface Pass {
  readonly name: string;
  /** What it does, in a line, for listings. */
  readonly summary: string;
  /** Returns a graph of the same meaning: same parameters, same types of results; the same object if nothing changes. */
  readonly run: (graph: Graph, options: PassOptions) => Graph;
}
