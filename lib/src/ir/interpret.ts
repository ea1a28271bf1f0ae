/** Runs a graph node by node through `bind`: on tensors, and on the tracers of any transformation. */

import { formatType, sameShape } from "../core/shape.js";
import type { Tensor } from "../core/tensor.js";
import { bind } from "../ops/bind.js";
import { type Graph, IRError, type Value } from "./graph.js";

/** What each value of a graph is in one run. */
export type Environment = Map<Value, Tensor>;

/**
 * The results of a graph on these arguments. Values are released by the garbage collector or the scope around; for
 * speed see `compile`.
 * @throws IRError if number or types of the arguments differ from the parameters.
 * @example graph.interpret(capture((x: Tensor) => x.mul(3), tensor([1, 2])), [tensor([5, 6])])[0] // [15, 18]
 */
export function interpret(graph: Graph, args: readonly Tensor[]): Tensor[] {
  const env = startEnvironment(graph, args);
  for (const node of graph.nodes) {
    const outputs = bind(
      node.op,
      node.inputs.map((input) => env.get(input) as Tensor),
      node.attrs,
    );
    node.outputs.forEach((output, i) => {
      env.set(output, outputs[i]);
    });
  }
  return graph.results.map((result) => env.get(result) as Tensor);
}

/** Parameters and constants, before any node has run. */
export function startEnvironment(graph: Graph, args: readonly Tensor[]): Environment {
  checkArguments(graph, args);
  const env: Environment = new Map();
  graph.params.forEach((param, i) => {
    env.set(param, args[i]);
  });
  for (const { value, data } of graph.constants) env.set(value, data);
  return env;
}

/** @throws IRError if `args` do not fit the parameters. */
export function checkArguments(graph: Graph, args: readonly Tensor[]): void {
  const { params } = graph;
  if (args.length !== params.length) {
    throw new IRError(`graph ${graph.name}: ${params.length} argument(s) expected, ${args.length} given`);
  }
  for (let i = 0; i < args.length; i++) {
    if (args[i].dtype !== params[i].dtype || !sameShape(args[i].shape, params[i].shape)) {
      throw new IRError(
        `graph ${graph.name}: argument ${i}${params[i].name ? ` (${params[i].name})` : ""} is ${formatType(args[i])}, ${formatType(params[i])} was expected`,
      );
    }
  }
}
