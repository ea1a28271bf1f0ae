/** Bias correction: what quantization adds to each channel on average, found on samples, is taken out of the result. */

import type { Tensor } from "../../core/tensor.js";
import { compile } from "../../graph/execute.js";
import { GraphEditor } from "../../ir/edit.js";
import type { Graph, Value } from "../../ir/graph.js";
import { tidy } from "../../ops/tidy.js";
import type { DenseTensor } from "../../runtime/dense.js";
import { outsideScopes } from "../../runtime/tidy.js";
import { layerOf, type Plan } from "./layer.js";

/** A correction per plan, in the shape of a bias: each layer is run both ways on the same input. */
export function correctionsOf(
  graph: Graph,
  plans: readonly Plan[],
  samples: readonly (readonly Tensor[])[],
): DenseTensor[] {
  const editor = new GraphEditor(graph);
  const pairs: Value[] = [];
  for (const node of graph.nodes) {
    editor.push(node);
    const plan = plans.find(({ target }) => target.node === node);
    if (plan) pairs.push(node.outputs[0], layerOf(editor, node, plan, node.inputs[0]));
  }
  const probe = compile(editor.finish().with({ results: pairs, origin: {} }), { level: "O1" });
  const sums = plans.map(() => null as Tensor | null);
  for (const sample of samples)
    tidy(() => {
      const found = probe.run(sample);
      return plans.map(({ target }, i) => {
        const apart = found[2 * i].sub(found[2 * i + 1]);
        const mean =
          target.node.op.name === "conv2d"
            ? apart.mean([0, 2, 3])
            : apart.reshape([-1, apart.shape.at(-1) as number]).mean(0);
        sums[i] = sums[i]?.add(mean) ?? mean;
        return sums[i] as Tensor;
      });
    });
  return plans.map(({ target }, i) => {
    const shape = target.node.op.name === "conv2d" ? [-1, 1, 1] : [-1];
    const sum = sums[i] as Tensor;
    return outsideScopes(() => [sum.div(samples.length).reshape(shape)])[0] as DenseTensor;
  });
}
