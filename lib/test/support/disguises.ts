/** The same values in unusual layouts. */
import { contiguousLayout, permuteLayout, sliceLayout } from "../../src/core/layout.js";
import { sizeOf } from "../../src/core/shape.js";
import { type DenseTensor, emptyDense, viewOf } from "../../src/runtime/dense.js";
import { elementPositions } from "../../src/runtime/host-array.js";

/** A view that holds the elements of `x` in memory laid out by `make` (a view of a larger or reordered tensor). */
export type Disguise = (x: DenseTensor) => DenseTensor;

export function filled(view: DenseTensor, x: DenseTensor): DenseTensor {
  const from = elementPositions(x);
  const to = elementPositions(view);
  for (let i = 0; i < from.length; i++) view.storage.data[to[i]] = x.storage.data[from[i]];
  return view;
}

export const DISGUISES: Record<string, Disguise> = {
  transposed: (x) => {
    const base = emptyDense([...x.shape].reverse(), x.dtype, "cpu");
    return filled(
      viewOf(
        base,
        permuteLayout(
          base,
          x.shape.map((_, i) => x.ndim - 1 - i),
        ),
      ),
      x,
    );
  },
  reversed: (x) => {
    const base = emptyDense(x.shape, x.dtype, "cpu");
    const ends = x.shape.map((dim) => Math.max(0, dim - 1));
    return filled(
      viewOf(
        base,
        sliceLayout(
          base,
          ends,
          x.shape,
          x.shape.map(() => -1),
        ),
      ),
      x,
    );
  },
  gapped: (x) => {
    const wide = x.shape.map((dim) => 2 * dim + 3);
    const base = emptyDense(wide, x.dtype, "cpu");
    base.storage.data.fill(77);
    const view = viewOf(
      base,
      sliceLayout(
        base,
        x.shape.map(() => 2),
        x.shape,
        x.shape.map(() => 2),
      ),
    );
    return filled(view, x);
  },
  offset: (x) => {
    const base = emptyDense([5 + sizeOf(x.shape)], x.dtype, "cpu");
    base.storage.data.fill(77);
    return filled(viewOf(base, { ...contiguousLayout(x.shape), offset: 5 }), x);
  },
};

/** All elements the same one in memory. */
export const repeated: Disguise = (x) =>
  viewOf(x, { shape: x.shape, strides: x.shape.map(() => 0), offset: x.offset });
