/**
 * Kernels take inputs in any layout: the same values transposed in memory, reversed, with gaps and an offset, or
 * repeated by a stride of 0, give the results of packed ones. And results have the types that the type rules say.
 */
import { describe, expect, it } from "vitest";
import { contiguousLayout, permuteLayout, sliceLayout } from "../../src/core/layout.js";
import { formatType, sizeOf } from "../../src/core/shape.js";
import type { Tensor } from "../../src/index.js";
import { type DenseTensor, emptyDense, viewOf } from "../../src/runtime/dense.js";
import { elementPositions } from "../../src/runtime/host-array.js";
import { drawInputs, opCases, run } from "../support/op-samples.js";

/** A view that holds the elements of `x` in memory laid out by `make` (a view of a larger or reordered tensor). */
type Disguise = (x: DenseTensor) => DenseTensor;

function filled(view: DenseTensor, x: DenseTensor): DenseTensor {
  const from = elementPositions(x);
  const to = elementPositions(view);
  for (let i = 0; i < from.length; i++) view.storage.data[to[i]] = x.storage.data[from[i]];
  return view;
}

const DISGUISES: Record<string, Disguise> = {
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
const repeated: Disguise = (x) =>
  viewOf(x, { shape: x.shape, strides: x.shape.map(() => 0), offset: x.offset });

const valuesOf = (tensors: readonly Tensor[]): number[][] => tensors.map((t) => Array.from(t.toTypedArray()));

/** The order of a sum may follow memory, so the last bits may differ. */
function expectClose(got: readonly Tensor[], wanted: readonly Tensor[]): void {
  const near = (a: number, b: number): boolean =>
    Object.is(a, b) || Math.abs(a - b) <= 1e-14 * Math.max(1, Math.abs(b));
  const [g, w] = [valuesOf(got), valuesOf(wanted)];
  if (!g.every((values, i) => values.every((v, k) => near(v, w[i][k])))) expect(g).toEqual(w);
}

const cases = opCases((op) => !op.composite);

describe.each(Object.entries(DISGUISES))("inputs that are %s in memory", (_, disguise) => {
  it.each(cases)("$title", (c) => {
    const inputs = drawInputs(c);
    const disguised = inputs.map((x) => disguise(x as DenseTensor));
    expect(valuesOf(disguised)).toEqual(valuesOf(inputs));
    expectClose(run(c, disguised), run(c, inputs));
  });
});

describe("inputs", () => {
  // Ops that need regular matrices have no answer for one element everywhere.
  const repeatable = cases.filter(({ sample }) => sample.diagonals === undefined);
  it.each(repeatable)("$title: repeated by a stride of 0", (c) => {
    const inputs = drawInputs(c).map((x) => (x.size > 0 ? repeated(x as DenseTensor) : x));
    const packed = inputs.map((x) => filled(emptyDense(x.shape, x.dtype, "cpu"), x as DenseTensor));
    expect(valuesOf(run(c, inputs))).toEqual(valuesOf(run(c, packed)));
  });

  it.each(cases)("$title: are not written to, and results have the type that the rule says", (c) => {
    const inputs = drawInputs(c, 0, "float32");
    const before = valuesOf(inputs);
    const outputs = run(c, inputs);
    expect(outputs.map(formatType)).toEqual(c.op.type(inputs, c.attrs).map(formatType));
    expect(valuesOf(inputs)).toEqual(before);
    expect(valuesOf(run(c, inputs))).toEqual(valuesOf(outputs));
  });

  it.each(cases)("$title: views of the op agree with its kernel", (c) => {
    const { view } = c.op;
    if (!view) return;
    const inputs = drawInputs(c) as DenseTensor[];
    const layout = view(inputs[0], c.attrs);
    const [type] = c.op.type(inputs, c.attrs);
    const copy = emptyDense(type.shape, type.dtype, "cpu");
    c.op.reference(
      inputs.map((x) => x.host()),
      [copy.host()],
      c.attrs as never,
    );
    if (layout) expect(valuesOf([viewOf(inputs[0], layout)])).toEqual(valuesOf([copy]));
  });
});
