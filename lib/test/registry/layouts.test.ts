/**
 * Kernels take inputs in any layout: the same values transposed in memory, reversed, with gaps and an offset, or
 * repeated by a stride of 0, give the results of packed ones. And results have the types that the type rules say.
 */
import { describe, expect, it } from "vitest";
import { formatType } from "../../src/core/shape.js";
import type { Tensor } from "../../src/index.js";
import { type DenseTensor, emptyDense, viewOf } from "../../src/runtime/dense.js";
import { DISGUISES, filled, repeated } from "../support/disguises.js";
import { drawInputs, opCases, run } from "../support/op-samples.js";

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
