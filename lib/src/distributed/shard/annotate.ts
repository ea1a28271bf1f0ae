/**
 * Annotations: what the user says about where values lie. `shard` is the identity with a note for the partitioner, as
 * GSPMD's and JAX's sharding constraint; `shardOp` is MindSpore's `op.shard(((4, 1), (1, 1)))`. (Book, chapter 9.)
 */
import { ShapeError } from "../../core/errors.js";
import { formatShape } from "../../core/shape.js";
import type { Tensor } from "../../core/tensor.js";
import { apply } from "../../ops/bind.js";
import { asTensor, type TensorLike } from "../../ops/convert.js";
import { defineOp, type OpDef } from "../../ops/registry.js";
import { batchToFront } from "../../ops/rules.js";
import { elementPositions } from "../../runtime/host-array.js";
import { OPEN, type ShardSpec } from "./sharding.js";

export interface ShardAttrs {
  /** One entry a dimension. */
  readonly spec: ShardSpec;
  /** Axes along which the value may stay a sum of the devices' terms. */
  readonly partial?: readonly string[];
  /** Instead of `spec`: into how many parts each dimension is cut; the mesh's axes are found for them. */
  readonly parts?: readonly number[];
}

const isNote = ({ spec, parts }: ShardAttrs, rank: number): boolean => (parts ?? spec).length === rank;

/** The annotation of a gradient: it lies as the value does; what is whole of a sum is whole for each term. */
const ofGradient = ({ partial: _, ...attrs }: ShardAttrs): ShardAttrs => attrs;

export const shardAnnotation: OpDef<ShardAttrs> = defineOp<ShardAttrs>({
  name: "shard",
  kind: "view",
  type: ([x], attrs) => {
    if (!isNote(attrs, x.shape.length))
      throw new ShapeError(
        `shard: ${(attrs.parts ?? attrs.spec).length} entries for the ${x.shape.length} axes of ${formatShape(x.shape)}`,
      );
    return [x];
  },
  view: (x) => x,
  reference: ([x], [out]) => {
    const positions = elementPositions(x);
    for (let i = 0; i < positions.length; i++) out.data[i] = x.data[positions[i]];
  },
  vjp: ([g], { attrs }) => [g && apply(shardAnnotation, [g], ofGradient(attrs))],
  jvp: (_x, [t], _y, attrs) => [t && apply(shardAnnotation, [t], attrs)],
  batch: ([x], [axis], attrs) => {
    const batched: ShardAttrs = attrs.parts
      ? { ...attrs, parts: [1, ...attrs.parts] }
      : { ...attrs, spec: [OPEN, ...attrs.spec] };
    return { outputs: [apply(shardAnnotation, [batchToFront(x, axis)], batched)], axes: [0] };
  },
  samples: [{ shapes: [[2, 3]], attrs: { spec: ["data", null] } }],
});

export interface ShardOptions {
  /** Axes along which the value may stay a sum of the devices' terms, until an op that is not linear needs the total. */
  readonly partial?: readonly string[];
}

/**
 * Says how a value lies on the mesh: for each dimension a mesh axis (or several), `null` for whole, "?" for what
 * propagation finds. It computes nothing; `partitioned` reads it from the captured function.
 * @param spec dimensions left out at the end are whole
 * @throws ShapeError if there are more entries than dimensions
 * @example distributed.shard(ones([4, 2]), ["data"]).shape // [4, 2]
 */
export function shard(x: TensorLike, spec: ShardSpec, options: ShardOptions = {}): Tensor {
  const t = asTensor(x);
  const full = [...spec, ...new Array<null>(Math.max(0, t.ndim - spec.length)).fill(null)];
  return apply(shardAnnotation, [t], {
    spec: full,
    ...(options.partial?.length ? { partial: options.partial } : {}),
  });
}

/**
 * A function whose operands are cut into so many parts along each dimension, as MindSpore's `op.shard`: the mesh axes
 * are chosen when the function is partitioned, so that dimensions that belong together (the columns of the first factor, the
 * rows of the second) get the same ones.
 * @example distributed.shardOp((x, w) => x.matmul(w), [[4, 1], [1, 1]])(ones([8, 2]), ones([2, 3])).shape // [8, 3]
 * @throws ShapeError if a list does not fit its operand
 */
export function shardOp<A extends Tensor[], R>(
  op: (...operands: A) => R,
  parts: readonly (readonly number[])[],
): (...operands: A) => R {
  return (...operands) =>
    op(
      ...(operands.map((x, i) =>
        parts[i] ? apply(shardAnnotation, [x], { spec: [], parts: parts[i] }) : x,
      ) as A),
    );
}
