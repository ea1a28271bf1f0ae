/** Step 9 of obfuscation, the other way: the model's own graph again, from the obfuscated one and its op library. */
import { ValueError } from "../../../core/errors.js";
import { GraphBuilder } from "../../../ir/builder.js";
import { type Graph, typeOf, type Value } from "../../../ir/graph.js";
import { eliminateDeadCode } from "../../../ir/passes/dce.js";
import { verify } from "../../../ir/verify.js";
import type { DenseTensor } from "../../../runtime/dense.js";
import { outsideScopes } from "../../../runtime/tidy.js";
import { copyNodes } from "./clusters.js";
import { Operands, revealWeights } from "./interface.js";
import { insideOf } from "./library.js";

/**
 * The graph that was obfuscated, without names: as fast as the original, its weights and ops in memory as they are.
 * @throws ValueError for a graph that was not obfuscated.
 * @example const hidden = deploy.obfuscate((x: Tensor) => x.mul(2), [tensor([1, 2])], { runs: 0 }); graph.compile(deploy.restore(hidden.graph)).run([tensor([3, 4])])[0] // [6, 8]
 */
export function restore(graph: Graph): Graph {
  const builder = new GraphBuilder("");
  /** What stands for the value of which this is the first piece. */
  const real = new Map<Value, Value>();
  for (const param of graph.params) real.set(param, builder.param(typeOf(param)));
  const data = new Map(graph.constants.map(({ value, data }) => [value, data]));
  for (const { op, inputs, outputs } of graph.nodes) {
    const opaque = insideOf(op);
    if (!opaque)
      throw new ValueError(`restore: ${op.name} is not an op of an op library: the graph was not obfuscated`);
    const { core, face } = opaque;
    const operands = new Operands(face, inputs);
    const here = new Map<Value, Value>();
    face.values.forEach((_, port) => {
      here.set(core.params[port], real.get(operands.get("value", port, 0) as Value) as Value);
    });
    const pieces = face.weights ? operands.pieces(face.weights, (part) => ["weights", part]) : [];
    const weights = outsideScopes(() =>
      revealWeights(
        opaque,
        pieces.map((piece) => data.get(piece) as DenseTensor),
      ),
    );
    weights.forEach((weight, i) => {
      here.set(core.params[face.values.length + i], builder.constant(weight));
    });
    for (const { value, data } of core.constants) here.set(value, builder.constant(data));
    copyNodes(builder, core.nodes, here);
    face.outputs.forEach((slot, i) => {
      if (slot[0] === "result" && slot[2] === 0)
        real.set(outputs[i], here.get(core.results[slot[1]]) as Value);
    });
  }
  const results = graph.results.map((result) => real.get(result) as Value);
  return verify(eliminateDeadCode(builder.finish(results)));
}
