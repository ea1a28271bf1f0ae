/** How a reduction with the elementwise ops in front of it is run: as one kernel where there are formulas for them. */
import type { FusedReductionAttrs } from "../ir/fused-reduction.js";
import { allocate, release } from "../runtime/heap.js";
import { prepareFusedReduce } from "../runtime/wasm/kernels/fused-reduce.js";
import { type FusedStep, fusedKernel } from "./fused.js";

/** `null` if some op or dtype in the region has no compiled form. */
export function reductionStep({ op, attrs, graph }: FusedReductionAttrs): FusedStep | null {
  const elements = fusedKernel(graph);
  if (!elements) return null;
  const [{ shape }] = graph.results;
  const prepare = (inputs: Parameters<FusedStep["run"]>[0], outputs: Parameters<FusedStep["run"]>[1]) =>
    prepareFusedReduce(op, elements, inputs, outputs[0], shape, attrs.axes);
  return {
    prepare,
    run: (inputs, outputs) => {
      const { workspace = 0, run } = prepare(inputs, outputs);
      if (workspace === 0) {
        run(0);
        return;
      }
      const at = allocate(workspace);
      try {
        run(at);
      } finally {
        release(at, workspace);
      }
    },
  };
}
