/**
 * Common subexpression elimination: what is computed twice from the same values is computed once, inside of regions too.
 * (Book, chapter 4.)
 */
import { editNodes } from "../edit.js";
import { equalAttributes } from "../equal.js";
import type { Graph, GraphNode, Value } from "../graph.js";
import type { Pass } from "./pass.js";

/** Every op is pure (random ones take their key), so equal op, inputs and attributes give equal outputs. */
export function eliminateCommon(graph: Graph): Graph {
  const seen = new WeakMap<object, Map<string, GraphNode[]>>(); // by graph: nodes of a region are no others' equals
  return editNodes(graph, (node, editor) => {
    const known = seen.get(editor) ?? new Map<string, GraphNode[]>();
    seen.set(editor, known);
    const key = keyOf(node, node.inputs);
    const alike = known.get(key) ?? [];
    const same = alike.find((other) => equalAttributes(other.attrs, node.attrs));
    if (same) {
      node.outputs.forEach((output, i) => {
        editor.replace(output, same.outputs[i]);
      });
      return;
    }
    if (alike.length === 0) known.set(key, alike);
    alike.push(node);
    editor.push(node);
  });
}

const keyOf = ({ op }: GraphNode, inputs: readonly Value[]): string =>
  `${op.name}(${inputs.map(({ id }) => id).join()})`;

export const cse: Pass = {
  name: "cse",
  summary: "computes once what is computed several times from the same values",
  run: eliminateCommon,
};
