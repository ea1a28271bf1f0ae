/** Common subexpression elimination: what is computed twice from the same values is computed once. (Book, chapter 4.) */
import { type Graph, type GraphNode, regionsOf, type Value } from "../graph.js";
import type { Pass } from "./pass.js";

/** Every op is pure (random ones take their key), so equal op, inputs and attributes give equal outputs. */
export function eliminateCommon(graph: Graph): Graph {
  const replaced = new Map<Value, Value>();
  const now = (value: Value): Value => replaced.get(value) ?? value;
  const first = new Map<string, GraphNode>();
  const nodes = graph.nodes.flatMap((node) => {
    const inputs = node.inputs.map(now);
    const key = regionsOf(node.attrs).length > 0 ? null : keyOf(node, inputs);
    const same = key === null ? undefined : first.get(key);
    if (same) {
      node.outputs.forEach((output, i) => {
        replaced.set(output, same.outputs[i]);
      });
      return [];
    }
    const changed = inputs.some((input, i) => input !== node.inputs[i]) ? { ...node, inputs } : node;
    if (key !== null) first.set(key, changed);
    return [changed];
  });
  return nodes.length === graph.nodes.length ? graph : graph.with({ nodes, results: graph.results.map(now) });
}

function keyOf({ op, attrs }: GraphNode, inputs: readonly Value[]): string {
  const entries = Object.entries(attrs).sort(([a], [b]) => (a < b ? -1 : 1));
  // JSON has no NaN, no infinities and no -0, which attributes may hold
  const text = JSON.stringify(entries, (_, v) =>
    typeof v === "number" && !Number.isInteger(v) ? `#${v}` : Object.is(v, -0) ? "#-0" : v,
  );
  return `${op.name}(${inputs.map(({ id }) => id).join()})${text}`;
}

export const cse: Pass = {
  name: "cse",
  summary: "computes once what is computed several times from the same values",
  run: eliminateCommon,
};
