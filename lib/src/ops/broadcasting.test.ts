/** Broadcasting and promotion of every elementwise op, by their definitions: random shapes, all pairs of dtypes, every device. */
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { randomValues } from "../../test/support/op-samples.js";
import { flatten, positions, sizeOf } from "../../test/support/random-index.js";
import {
  DTYPES,
  type DType,
  devices,
  getDevice,
  ops,
  promoteTypes,
  ShapeError,
  setDevice,
  type Tensor,
  tensor,
} from "../index.js";
import { bind } from "./bind.js";

const several = ops().filter((op) => op.kind === "elementwise" && op.samples[0].shapes.length > 1);
const numbers = (x: Tensor): number[] => Array.from(x.toTypedArray());

/** Shapes of `count` operands that broadcast: a common one, of which each lacks leading axes and has 1 in some places. */
const shapesOf = (count: number) =>
  fc
    .record({
      common: fc.array(fc.constantFrom(1, 2, 3, 4, 0), { maxLength: 5 }),
      drops: fc.array(fc.nat(5), { minLength: count, maxLength: count }),
      ones: fc.array(fc.array(fc.boolean(), { minLength: 5, maxLength: 5 }), {
        minLength: count,
        maxLength: count,
      }),
    })
    .map(({ common, drops, ones }) =>
      drops.map((drop, i) =>
        common.slice(Math.min(drop, common.length)).map((dim, a) => (ones[i][a] ? 1 : dim)),
      ),
    );

/** The shape to which they broadcast: of each place the size that is not 1. */
function broadcast(shapes: readonly number[][]): number[] {
  const rank = Math.max(...shapes.map((s) => s.length));
  return Array.from({ length: rank }, (_, i) => {
    const dims = shapes.map((s) => s[i - rank + s.length] ?? 1);
    return dims.find((dim) => dim !== 1) ?? 1;
  });
}

/** The elements of an operand, repeated to the shape one by one. */
function expanded(values: readonly number[], shape: readonly number[], to: readonly number[]): number[] {
  return positions(to).map((at) => {
    const own = at.slice(to.length - shape.length).map((i, a) => (shape[a] === 1 ? 0 : i));
    return values[flatten(own, shape)];
  });
}

const before = getDevice();
const names = devices().filter((d) => d.available).map((d) => d.name); // biome-ignore format: one line

describe.each(names)("on %s", (device) => {
  beforeAll(() => setDevice(device));
  afterAll(() => setDevice(before));

  it.each(several.map((op) => ({ op, name: op.name })))(
    "$name of operands that broadcast is that of repeated ones",
    ({ op }) => {
      const [sample] = op.samples;
      const dtypes = sample.shapes.map((_, i): DType => sample.dtypes?.[i] ?? "float64");
      fc.assert(
        fc.property(shapesOf(dtypes.length), (shapes) => {
          const common = broadcast(shapes);
          const values = shapes.map((shape, i) => {
            const [low, high] = sample.ranges?.[i] ?? [-2, 2];
            const drawn = Array.from(
              randomValues(`${op.name}${shapes.join("/")}${i}`, sizeOf(shape), low, high),
            );
            return dtypes[i] === "float64" ? drawn : drawn.map(Math.floor);
          });
          const inputs = shapes.map((shape, i) =>
            tensor(Float64Array.from(values[i]), { shape, dtype: dtypes[i] }),
          );
          const whole = shapes.map((shape, i) =>
            tensor(Float64Array.from(expanded(values[i], shape, common)), {
              shape: common,
              dtype: dtypes[i],
            }),
          );
          const [found] = bind(op, inputs, sample.attrs ?? {});
          const [wanted] = bind(op, whole, sample.attrs ?? {});
          expect(found.type).toBe(wanted.type);
          expect(found.shape).toEqual(common);
          expect(numbers(found)).toEqual(numbers(wanted));
        }),
        { numRuns: 40 },
      );
    },
  );

  it.each(several.map((op) => ({ op, name: op.name })))(
    "$name refuses shapes that do not broadcast, with their names",
    ({ op }) => {
      const [sample] = op.samples;
      const inputs = sample.shapes.map((_, i) => {
        const shape = i === sample.shapes.length - 1 ? [2, 3] : [2, 2];
        return tensor(new Float64Array(sizeOf(shape)), { shape, dtype: sample.dtypes?.[i] ?? "float64" });
      });
      expect(() => bind(op, inputs, sample.attrs ?? {})).toThrow(ShapeError);
      expect(() => bind(op, inputs, sample.attrs ?? {})).toThrow(
        new RegExp(`${op.name}.*\\(2, 2\\).*\\(2, 3\\)`),
      );
    },
  );
});

/** Methods of two operands whose result has the dtype to which both promote; booleans count as int32. */
const ARITHMETIC = ["add", "sub", "mul", "maximum", "minimum"] as const;
const COMPARISONS = ["equal", "notEqual", "less", "lessEqual", "greater", "greaterEqual"] as const;

describe("promotion", () => {
  const pairs = DTYPES.flatMap((a) => DTYPES.map((b) => ({ a, b })));
  it.each(pairs)("of $a and $b", ({ a, b }) => {
    const [x, y] = [tensor([1, 0], { dtype: a }), tensor([1, 1], { dtype: b })];
    const both = promoteTypes(a, b);
    expect(promoteTypes(b, a)).toBe(both);
    for (const name of ARITHMETIC) expect(x[name](y).dtype, name).toBe(both === "bool" ? "int32" : both);
    for (const name of COMPARISONS) expect(x[name](y).dtype, name).toBe("bool");
    const quotient = x.div(y);
    expect(quotient.dtype).toBe(
      ["float64", "float32", "float16", "bfloat16"].includes(both) ? both : "float32",
    );
    expect(numbers(x.add(y))).toEqual([2, 1]);
    expect(numbers(x.less(y))).toEqual([0, 1]);
    expect(x.where([true, false], y).dtype).toBe(both);
  });

  it("is the same in any grouping of three but where NumPy's is not either", () => {
    // NumPy: (int8 + uint8) + float16 is float32 because int8 and uint8 meet at int16
    const bad = DTYPES.flatMap((a) =>
      DTYPES.flatMap((b) =>
        DTYPES.filter((c) => promoteTypes(promoteTypes(a, b), c) !== promoteTypes(a, promoteTypes(b, c))).map(
          (c) => [a, b, c],
        ),
      ),
    );
    for (const three of bad)
      expect(three.filter((d) => ["float16", "bfloat16"].includes(d)).length, `${three}`).toBeGreaterThan(0);
  });
});
