/** From a region of elementwise ops to one generated kernel. */

import type { Graph, Value } from "../ir/graph.js";
import type { HostArray } from "../runtime/host-array.js";
import type { PreparedKernel } from "../runtime/kernels.js";
import {
  type CompiledElementwise,
  canCompile,
  compileElementwise,
  type OperandSet,
} from "../runtime/wasm/elementwise/compile.js";
import type { ElementwiseNode } from "../runtime/wasm/elementwise/program.js";

/** A compiled group of ops. */
export interface FusedStep {
  readonly run: (inputs: readonly HostArray[], outputs: readonly HostArray[]) => void;
  readonly prepare: (inputs: readonly HostArray[], outputs: readonly HostArray[]) => PreparedKernel | null;
  /** False if `run` looks at elements itself, so that it cannot go to a stream. Default: always true. */
  readonly launches?: (inputs: readonly HostArray[], outputs: readonly HostArray[]) => boolean;
}

/** The region as one kernel; `null` if some op or dtype in it has no vector formula, or a constant is no scalar. */
export function fusedKernel(region: Graph): CompiledElementwise | null {
  const number = new Map<Value, number>();
  region.params.forEach((param, i) => {
    number.set(param, i);
  });
  const nodes: ElementwiseNode[] = [];
  const add = (value: Value, node: ElementwiseNode): void => {
    number.set(value, region.params.length + nodes.length);
    nodes.push(node);
  };
  for (const { value, data } of region.constants) {
    if (data.size !== 1) return null;
    add(value, { op: "constant", args: [], attrs: { value: data.item(), dtype: value.dtype } });
  }
  for (const { op, inputs, attrs, outputs } of region.nodes) {
    const args = inputs.map((input) => number.get(input));
    if (outputs.length !== 1 || args.some((arg) => arg === undefined)) return null;
    add(outputs[0], { op: op.name, args: args as number[], attrs: attrs as Record<string, unknown> });
  }
  const program = {
    inputs: region.params.map((param) => param.dtype),
    nodes,
    outputs: region.results.map((result) => number.get(result) as number),
  };
  return canCompile(program) ? compileElementwise(program) : null;
}

/** Regions of one program as one job; `null` if they cannot be compiled. */
export function fusedManyKernel(regions: readonly Graph[]): FusedMany | null {
  const kernel = fusedKernel(regions[0]);
  return kernel && { kernel, regions };
}

export interface FusedMany {
  /** That of the first region: the others have the same ops and constants. */
  readonly kernel: CompiledElementwise;
  readonly regions: readonly Graph[];
}

/** What each region gets of a node's operands. */
export function operandSets(
  { regions }: FusedMany,
  inputs: readonly HostArray[],
  outputs: readonly HostArray[],
): OperandSet[] {
  let [i, o] = [0, 0];
  return regions.map(({ params, results }) => {
    const set = { inputs: inputs.slice(i, i + params.length), outputs: outputs.slice(o, o + results.length) };
    i += params.length;
    o += results.length;
    return set;
  });
}
