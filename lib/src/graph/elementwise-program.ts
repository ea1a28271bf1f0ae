/** Regions of elementwise ops as programs for code generators. */
import type { DType } from "../core/dtype.js";
import type { Graph, Value } from "../ir/graph.js";
import type { ElementwiseNode, ElementwiseProgram } from "../runtime/wasm/elementwise/program.js";

/** `null` if a constant is no scalar, or an op has several results. */
export function elementwiseProgram(region: Graph): ElementwiseProgram | null {
  const number = new Map<Value, number>();
  for (const [i, param] of region.params.entries()) number.set(param, i);
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
  return {
    inputs: region.params.map((param) => param.dtype),
    nodes,
    outputs: region.results.map((result) => number.get(result) as number),
  };
}

/** A program with the dtype of each of its values. */
export interface TypedProgram {
  readonly program: ElementwiseProgram;
  readonly types: readonly DType[];
}

/** @param typesOf dtypes of a program's values on a device; `null` if some op or dtype has no formula there */
export function typedProgram(
  region: Graph,
  typesOf: (program: ElementwiseProgram) => readonly DType[] | null,
): TypedProgram | null {
  const program = elementwiseProgram(region);
  const types = program && typesOf(program);
  return program && types && { program, types };
}

/** What each region of one node gets of its operands. */
export function operandSets<I, O>(
  regions: readonly Graph[],
  inputs: readonly I[],
  outputs: readonly O[],
): { readonly inputs: readonly I[]; readonly outputs: readonly O[] }[] {
  let [i, o] = [0, 0];
  return regions.map(({ params, results }) => {
    const set = { inputs: inputs.slice(i, i + params.length), outputs: outputs.slice(o, o + results.length) };
    i += params.length;
    o += results.length;
    return set;
  });
}
