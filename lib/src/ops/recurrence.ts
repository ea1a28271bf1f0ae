/** First-order linear recurrences: what running products, discounted sums and state-space layers have at their core. */
import { ShapeError } from "../core/errors.js";
import { permuteLayout } from "../core/layout.js";
import { formatShape, normalizeAxis, sameShape, typeAlong } from "../core/shape.js";
import type { Tensor } from "../core/tensor.js";
import { elementPositions } from "../runtime/host-array.js";
import { broadcastTensors } from "./arrange.js";
import { apply } from "./bind.js";
import { promote, type TensorLike } from "./convert.js";
import { defineOp, type OpDef } from "./registry.js";
import { withBatch } from "./rules.js";
import { pad } from "./shape.js";

interface RecurrenceAttrs {
  readonly axis: number;
  /** From the end to the beginning. */
  readonly reverse: boolean;
}

const recurrenceOp: OpDef<RecurrenceAttrs> = defineOp<RecurrenceAttrs>({
  name: "linearRecurrence",
  type: ([a, b], { axis }) => {
    if (!sameShape(a.shape, b.shape))
      throw new ShapeError(
        `linearRecurrence: factors ${formatShape(a.shape)} and terms ${formatShape(b.shape)} differ`,
      );
    return [typeAlong(b, axis, "linearRecurrence")];
  },
  reference: ([a, b], [out], { axis, reverse }) => {
    const order = [...b.shape.map((_, i) => i).filter((i) => i !== axis), axis];
    const [p, q, to] = [a, b, out].map((x) => elementPositions(permuteLayout(x, order)));
    const n = b.shape[axis];
    let state = 0;
    for (let i = 0; i < to.length; i++) {
      const at = reverse ? to.length - 1 - i : i;
      state = i % n === 0 ? b.data[q[at]] : a.data[p[at]] * state + b.data[q[at]];
      out.data[to[at]] = state;
    }
  },
  saves: { inputs: [0], outputs: true },
  // the adjoint of a recurrence runs the other way
  vjp: ([g], { inputs: [a], outputs: [h], attrs: { axis, reverse }, needs }) => {
    if (!g) return [null, null];
    const ahead = shifted(a, axis, reverse ? 1 : -1);
    const back = apply(recurrenceOp, [ahead, g], { axis, reverse: !reverse });
    return [needs[0] ? back.mul(shifted(h, axis, reverse ? -1 : 1)) : null, back];
  },
  jvp: ([a], [ta, tb], [h], attrs) => {
    const moved = ta && ta.mul(shifted(h, attrs.axis, attrs.reverse ? -1 : 1));
    const terms = moved && tb ? moved.add(tb) : (moved ?? tb);
    return [terms && apply(recurrenceOp, [a, terms], attrs)];
  },
  batch: ([a, b], [pa, pb], attrs, size) => ({
    outputs: [
      apply(recurrenceOp, [withBatch(a, pa, size), withBatch(b, pb, size)], {
        ...attrs,
        axis: attrs.axis + 1,
      }),
    ],
    axes: [0],
  }),
  samples: [
    {
      shapes: [
        [2, 4],
        [2, 4],
      ],
      attrs: { axis: 1, reverse: false },
    },
    {
      shapes: [
        [3, 2],
        [3, 2],
      ],
      attrs: { axis: 0, reverse: true },
    },
    {
      shapes: [
        [2, 1, 2],
        [2, 1, 2],
      ],
      attrs: { axis: 1, reverse: false },
    },
    {
      shapes: [
        [2, 0],
        [2, 0],
      ],
      attrs: { axis: 1, reverse: true },
    },
  ],
});

/** Every element one place further along `axis` (`by` 1) or back (`by` −1); `fill` where none comes from. */
export function shifted(x: Tensor, axis: number, by: 1 | -1, fill = 0): Tensor {
  const n = x.shape[axis];
  if (n === 0) return x;
  const widths = x.shape.map((_, i): [number, number] => (i !== axis ? [0, 0] : by === 1 ? [1, 0] : [0, 1]));
  const from = by === 1 ? 0 : 1;
  return pad(x, widths, fill).slice(
    ...x.shape.map((_, i) => (i === axis ? ([from, from + n] as const) : ":")),
  );
}

export interface RecurrenceOptions {
  /** Default: the last. */
  readonly axis?: number;
  /** From the end to the beginning: hⱼ = aⱼ·hⱼ₊₁ + bⱼ. Default: false. */
  readonly reverse?: boolean;
}

/**
 * hⱼ = aⱼ·hⱼ₋₁ + bⱼ along an axis, with 0 before the first: running products of the factors, weighted sums of the terms. The
 * operands broadcast.
 * @example linearRecurrence(0.5, [1, 1, 1]) // [1, 1.5, 1.75]
 */
export function linearRecurrence(
  factors: TensorLike,
  terms: TensorLike,
  { axis = -1, reverse = false }: RecurrenceOptions = {},
): Tensor {
  const [a, b] = broadcastTensors(promote(factors, terms));
  return apply(recurrenceOp, [a, b], { axis: normalizeAxis(axis, b.ndim, "linearRecurrence"), reverse });
}
