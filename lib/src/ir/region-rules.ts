/**
 * How the parameters of regions hang on the operands of their node: for passes that look through control flow. A new op
 * with regions is one line here; without it, passes leave its regions' parameters alone.
 */
import type { Graph, GraphNode } from "./graph.js";

/** For each parameter of a region, the operand that it always equals; `null` where it changes or is made inside. */
type RegionRule = (node: GraphNode, path: string, region: Graph) => readonly (number | null)[];

interface LoopAttrs {
  readonly constants: number;
}

/** Parameter i is operand i + shift. */
const shifted =
  (shift: number, paths: RegExp): RegionRule =>
  (_node, path, region) =>
    region.params.map((_, i) => (paths.test(path) ? i + shift : null));

/** Only the first operands stay the same from iteration to iteration. */
const loop =
  (paths: RegExp): RegionRule =>
  (node, path, region) =>
    region.params.map((_, i) => (paths.test(path) && i < (node.attrs as LoopAttrs).constants ? i : null));

const RULES: Readonly<Record<string, RegionRule>> = {
  call: shifted(0, /^graph$/),
  cond: shifted(1, /^on(True|False)$/),
  switch: shifted(1, /^branches\.\d+$/),
  while: loop(/^(cond|body)$/),
  whileGrad: loop(/^(cond|body)$/),
  scan: loop(/^body$/),
};

/** For each parameter of a node's region, the operand that it always equals, or `null`. */
export function operandsOfRegion(node: GraphNode, path: string, region: Graph): readonly (number | null)[] {
  return RULES[node.op.name]?.(node, path, region) ?? region.params.map(() => null);
}

/**
 * Loops whose derivative was prepared carry a second region that is tied to the first one's signature; passes that change
 * signatures leave them alone.
 */
export function hasPreparedDerivative(node: GraphNode): boolean {
  return "backward" in node.attrs || "back" in node.attrs || node.op.name === "whileGrad";
}
