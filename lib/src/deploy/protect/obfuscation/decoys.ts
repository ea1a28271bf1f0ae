/** Step 2, second half: clusters that have no part in the result, beside those that have; their weights are drawn. */
import { isFloat } from "../../../core/dtype.js";
import { type DenseTensor, denseFrom } from "../../../runtime/dense.js";
import { getDevice } from "../../../runtime/devices.js";
import { outsideScopes } from "../../../runtime/tidy.js";
import type { Dice } from "../dice.js";
import type { Clustered, Edge } from "./clusters.js";
import type { Untyped } from "./types.js";

/**
 * The clusters with decoys behind some of them: the same computation with other weights, on the same values or on those of
 * other decoys, so that branches grow beside the model's own. The last cluster has none: somebody must be left to read it.
 */
export function withDecoys({ clusters }: Clustered, share: number, dice: Dice): Untyped[] {
  const twins = new Map<Edge, Edge>();
  return clusters.flatMap((cluster, i): Untyped[] => {
    const real: Untyped = { ...cluster, decoy: false };
    const readsNothing = cluster.inputs.length === 0;
    if (i === clusters.length - 1 || readsNothing || !dice.chance(share)) return [real];
    const inputs = cluster.inputs.map((edge) => {
      const twin = twins.get(edge);
      return twin && dice.chance(0.7) ? twin : edge;
    });
    const outputs = cluster.outputs.map((edge): Edge => ({ type: edge.type }));
    cluster.outputs.forEach((edge, k) => {
      twins.set(edge, outputs[k]);
    });
    const weights = cluster.weights.map((weight) => likeIt(weight, dice));
    const decoy: Untyped = { ...cluster, inputs, outputs, weights, decoy: true };
    return dice.chance(0.5) ? [real, decoy] : [decoy, real];
  });
}

/** Another weight of the same mean and deviation; of whole numbers, the same ones in another order. */
function likeIt(weight: DenseTensor, dice: Dice): DenseTensor {
  const { shape, dtype, size } = weight;
  const elements = Array.from(weight.toTypedArray(), Number);
  const mean = elements.reduce((a, b) => a + b, 0) / size;
  const deviation =
    size > 1 ? Math.sqrt(elements.reduce((a, b) => a + (b - mean) ** 2, 0) / size) : 0.1 * mean;
  const drawn = isFloat(dtype)
    ? elements.map(() => mean + deviation * dice.normal())
    : dice.shuffled(elements);
  return outsideScopes(() => denseFrom(drawn, shape, dtype, getDevice()));
}
