/**
 * Constant folding: what depends on constants only is computed once, now, by the op's reference kernel. (Book, chapter 4.)
 */
import { sizeOf } from "../../core/shape.js";
import type { Attrs, OpDef } from "../../ops/registry.js";
import { type DenseTensor, emptyDense } from "../../runtime/dense.js";
import { getDevice } from "../../runtime/devices.js";
import { commit } from "../../runtime/host-array.js";
import { outsideScopes } from "../../runtime/tidy.js";
import { editNodes } from "../edit.js";
import { type Graph, type GraphNode, regionsOf } from "../graph.js";
import type { Pass } from "./pass.js";

export function foldConstants(graph: Graph, limit: number): Graph {
  return editNodes(graph, (node, editor) => {
    const data = node.inputs.map((input) => editor.constantData(input));
    const known = data.filter((x) => x !== null);
    if (known.length < data.length || data.length === 0 || !isFoldable(node, limit)) {
      editor.push(node);
      return;
    }
    const outputs = evaluateByReference(node.op, known, node.attrs);
    node.outputs.forEach((output, i) => {
      editor.replace(output, editor.constant(outputs[i]));
    });
  });
}

/** Random ops stay, so that graphs don't grow by their results; repetition stays, for it costs no memory. */
function isFoldable({ op, inputs, attrs, outputs }: GraphNode, limit: number): boolean {
  if (op.composite || op.kind === "random" || regionsOf(attrs).length > 0) return false;
  const most = Math.max(...inputs.map(({ shape }) => sizeOf(shape)));
  return outputs.every(
    ({ shape }) => sizeOf(shape) <= limit && (op.name !== "broadcastTo" || sizeOf(shape) <= most),
  );
}

/** Runs the op's reference kernel, whatever the device. */
export function evaluateByReference(
  op: OpDef,
  inputs: readonly DenseTensor[],
  attrs: Attrs,
): readonly DenseTensor[] {
  return outsideScopes(() => {
    const made = op.type(inputs, attrs).map(({ shape, dtype }) => emptyDense(shape, dtype, getDevice()));
    const outs = made.map((y) => y.host());
    op.reference(
      inputs.map((x) => x.host()),
      outs,
      attrs as never,
    );
    commit(outs);
    return made;
  });
}

export const fold: Pass = {
  name: "fold",
  summary: "computes now what depends on constants only",
  run: (graph, { foldLimit }) => foldConstants(graph, foldLimit),
};
