/** Indexing by its definition, element by element: random shapes and indices, in any layout, on every device. */
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type IndexCase, indexCase, named, ourIndex, sizeOf } from "../../test/support/random-index.js";
import {
  addAt,
  arange,
  devices,
  get,
  getDevice,
  grad,
  setAt,
  setDevice,
  type Tensor,
  tensor,
} from "../index.js";

/** The numbers 0, 1, 2 … in row-major order, however they lie in memory. */
const LAYOUTS: Record<string, (shape: readonly number[]) => Tensor> = {
  packed: (shape) => arange(sizeOf(shape)).reshape(shape),
  transposed: (shape) => {
    const order = shape.map((_, i) => shape.length - 1 - i);
    return copied(arange(sizeOf(shape)).reshape(shape).transpose(order)).transpose(order);
  },
  reversed: (shape) => copied(arange(sizeOf(shape)).reshape(shape).flip()).flip(),
  gapped: (shape) => {
    const wide = arange(sizeOf(shape))
      .reshape(shape)
      .expandDims(-1)
      .broadcastTo([...shape, 2]);
    return copied(wide).slice("...", 1);
  },
};

/** The same values packed in memory in their own order. */
const copied = (x: Tensor): Tensor => tensor(Int32Array.from(x.toTypedArray()), { shape: x.shape });

const numbers = (x: Tensor): number[] => Array.from(x.toTypedArray());
const before = getDevice();
const names = devices().filter((d) => d.available).map((d) => d.name); // biome-ignore format: one line

describe.each(names)("on %s", (device) => {
  beforeAll(() => setDevice(device));
  afterAll(() => setDevice(before));

  const check = (c: IndexCase, layout: string): void => {
    const x = LAYOUTS[layout](c.shape);
    const index = ourIndex(c.index);
    const wanted = named(c.shape, c.index);
    if (wanted === null) {
      expect(() => get(x, ...index)).toThrow();
      expect(() => setAt(x, index, 0)).toThrow();
      return;
    }
    const part = get(x, ...index);
    expect(part.shape).toEqual(wanted.shape);
    expect(numbers(part)).toEqual(wanted.places);

    // what is set is exactly what is named; of repeated places the last counts, or all add up
    const values = wanted.places.map((_, i) => 1000 + i);
    const [set, sum] = [numbers(x), numbers(x)];
    wanted.places.forEach((place, i) => {
      set[place] = values[i];
      sum[place] += values[i];
    });
    const given = tensor(Int32Array.from(values), { shape: wanted.shape });
    expect(numbers(setAt(x, index, given))).toEqual(set);
    expect(numbers(addAt(x, index, given))).toEqual(sum);
    expect(numbers(x)).toEqual(numbers(x).map((_, i) => i));
  };

  it.each(Object.keys(LAYOUTS))("get, setAt and addAt name what the definition says, %s", (layout) => {
    fc.assert(
      fc.property(indexCase, (c) => check(c, layout)),
      { numRuns: 400 },
    );
  });

  it("the gradient counts how often each element is named", () => {
    fc.assert(
      fc.property(indexCase, (c) => {
        const wanted = named(c.shape, c.index);
        if (wanted === null) return;
        const x = LAYOUTS.transposed(c.shape).cast("float64");
        const index = ourIndex(c.index);
        const counts = new Array<number>(sizeOf(c.shape)).fill(0);
        for (const place of wanted.places) counts[place]++;
        const g = grad((z: Tensor) => get(z, ...index).sum())(x) as Tensor;
        expect(numbers(g)).toEqual(counts);
        const kept = grad((z: Tensor) => setAt(z, index, 0).sum())(x) as Tensor;
        expect(numbers(kept)).toEqual(counts.map((n) => (n === 0 ? 1 : 0)));
      }),
      { numRuns: 200 },
    );
  });
});
