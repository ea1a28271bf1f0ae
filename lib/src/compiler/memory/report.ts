/** What reuse saves: the same graph by each allocator. */
import type { Graph } from "../../ir/graph.js";
import { allocators } from "./allocators/index.js";
import { type PlanOptions, planMemory } from "./plan.js";

export interface ReuseRow {
  readonly allocator: string;
  readonly peakBytes: number;
  /** Peak with every buffer apart, over this peak: 2 means that half of the memory does. */
  readonly reuse: number;
  /** Peak over the most that is alive at once; 1: nothing is lost between buffers. */
  readonly overLowerBound: number;
  readonly buffers: number;
}

/**
 * A row per allocator, the first without any reuse. A notebook shows it as a table.
 * @example compiler.compareAllocators(capture((x: Tensor) => x.matmul(x).matmul(x).matmul(x), ones([4, 4])))[3].reuse // 1.5
 */
export function compareAllocators(graph: Graph, options: Omit<PlanOptions, "allocator"> = {}): ReuseRow[] {
  const { order = "sequence" } = options;
  return allocators()
    .filter(({ needsSequence }) => !needsSequence || order === "sequence")
    .map(({ name }) => {
      const apart = name === "none";
      const plan = planMemory(graph, {
        ...options,
        allocator: name,
        inPlace: apart ? false : options.inPlace,
      });
      const { peakBytes, withoutReuseBytes, lowerBoundBytes, buffers } = plan;
      return {
        allocator: name,
        peakBytes,
        reuse: ratio(withoutReuseBytes, peakBytes),
        overLowerBound: ratio(peakBytes, lowerBoundBytes),
        buffers: buffers.length,
      };
    });
}

const ratio = (a: number, b: number): number => (b === 0 ? 1 : a / b);
