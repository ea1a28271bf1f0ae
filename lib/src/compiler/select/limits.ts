/**
 * Limits of hardware: an op that takes at most so many operands is split until it fits. (Book, chapter 5: a Concat unit
 * that takes 63 inputs joins 100 tensors by 63 + 37, and a third Concat joins the two.)
 */
import { ValueError } from "../../core/errors.js";
import { GraphEditor } from "../../ir/edit.js";
import type { Graph } from "../../ir/graph.js";

/**
 * The graph with every `concat` of more than `limit` operands as a tree of smaller ones, in the same order.
 * @throws ValueError for a limit below 2, which would never come to an end.
 * @example
 * const f = (...xs: Tensor[]) => concat(xs, 0);
 * compiler.limitConcat(capture(f, ...Array.from({ length: 100 }, () => ones([1]))), 63).nodes.map((node) => node.inputs.length) // [63, 37, 2]
 */
export function limitConcat(graph: Graph, limit: number): Graph {
  if (!Number.isInteger(limit) || limit < 2)
    throw new ValueError(`limitConcat: a concat joins at least 2 tensors, the limit given is ${limit}`);
  const editor = new GraphEditor(graph);
  for (const node of graph.nodes) {
    const current = editor.current(node);
    if (node.op.name !== "concat" || node.inputs.length <= limit) {
      editor.push(current);
      continue;
    }
    let parts = [...current.inputs];
    while (parts.length > limit) {
      const next = [];
      for (let at = 0; at < parts.length; at += limit) {
        const few = parts.slice(at, at + limit);
        next.push(few.length === 1 ? few[0] : editor.emit(node.op, few, node.attrs, node.loc)[0]);
      }
      parts = next;
    }
    editor.replace(node.outputs[0], editor.emit(node.op, parts, node.attrs, node.loc)[0]);
  }
  return editor.finish();
}
