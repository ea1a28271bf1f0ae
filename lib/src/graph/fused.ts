/** From regions of elementwise ops to one generated kernel. */

import type { Graph } from "../ir/graph.js";
import type { HostArray } from "../runtime/host-array.js";
import type { PreparedKernel } from "../runtime/kernels.js";
import {
  type CompiledElementwise,
  canCompile,
  compileElementwise,
} from "../runtime/wasm/elementwise/compile.js";
import { elementwiseProgram, operandSets } from "./elementwise-program.js";

/** A compiled group of ops. */
export interface FusedStep {
  readonly run: (inputs: readonly HostArray[], outputs: readonly HostArray[]) => void;
  readonly prepare: (inputs: readonly HostArray[], outputs: readonly HostArray[]) => PreparedKernel | null;
  /** False if `run` looks at elements itself, so that it cannot go to a stream. Default: always true. */
  readonly launches?: (inputs: readonly HostArray[], outputs: readonly HostArray[]) => boolean;
}

/** The region as one kernel; `null` if some op or dtype in it has no vector formula, or a constant is no scalar. */
export function fusedKernel(region: Graph): CompiledElementwise | null {
  const program = elementwiseProgram(region);
  return program && canCompile(program) ? compileElementwise(program) : null;
}

/** Regions of the same ops and constants as one job; `null` if they cannot be compiled. */
export function fusedManyStep(regions: readonly Graph[]): FusedStep | null {
  const kernel = fusedKernel(regions[0]);
  return (
    kernel && {
      run: (inputs, outputs) => {
        for (const set of operandSets(regions, inputs, outputs)) kernel.run(set.inputs, set.outputs);
      },
      prepare: (inputs, outputs) => kernel.prepareMany(operandSets(regions, inputs, outputs)),
    }
  );
}
