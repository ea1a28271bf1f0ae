/** The renderings there are. */
import { ValueError } from "../../core/errors.js";
import type { Graph } from "../graph.js";
import { cfg } from "./cfg.js";
import { ast, dag } from "./expression-graph.js";
import { jaxpr } from "./jaxpr.js";
import { mindir } from "./mindir.js";
import { mlir } from "./mlir.js";
import type { Rendering } from "./rendering.js";
import { ssa } from "./ssa.js";
import { stackMachine } from "./stack-machine.js";
import { quadruples, threeAddress } from "./three-address.js";
import { torchscript } from "./torchscript.js";

const TABLE: readonly Rendering[] = [
  ...[threeAddress, quadruples, stackMachine, ast, dag, cfg, ssa],
  ...[torchscript, jaxpr, mlir, mindir],
];

/**
 * Every rendering, by name with its summary.
 * @example ir.renderings().map(({ name }) => name).includes("jaxpr") // true
 */
export function renderings(): readonly Rendering[] {
  return TABLE;
}

/**
 * A graph in the text form of another system.
 * @throws ValueError for a form that there is not.
 * @example ir.render(capture((a: Tensor, b: Tensor) => a.sub(b.mul(5)), tensor(1), tensor(2)), "stack-machine").split("\n")[1] // "  push a"
 */
export function render(graph: Graph, form: string): string {
  const found = TABLE.find(({ name }) => name === form);
  if (!found)
    throw new ValueError(`render: no form "${form}"; there are ${TABLE.map(({ name }) => name).join(", ")}`);
  return found.render(graph);
}

export type { Rendering };
