import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { expectedFile } from "../../test/support/expected.js";
import {
  type AnyIndex,
  addAt,
  arange,
  argwhere,
  type DType,
  DTypeError,
  get,
  grad,
  nonzero,
  ones,
  ShapeError,
  setAt,
  type Tensor,
  TransformError,
  tensor,
  toStatic,
  vmap,
} from "../index.js";

interface Dumped {
  readonly shape: number[];
  readonly dtype: DType;
  readonly values: number[];
}
interface File {
  readonly bases: Record<string, number[]>;
  readonly cases: {
    readonly base: string;
    readonly index: (number | string | null | Dumped)[];
    readonly get: Dumped;
    readonly set: number[];
  }[];
}
const { bases, cases } = expectedFile<File>("indexing.json");

const partOf = (part: File["cases"][number]["index"][number]): AnyIndex =>
  typeof part === "object" && part !== null
    ? tensor(Float64Array.from(part.values), { shape: part.shape, dtype: part.dtype })
    : part;

const int = (values: number[]): Tensor => tensor(values, { dtype: "int32" });

describe("NumPy's indexing", () => {
  const titles = cases.map((c, i) => ({
    i,
    c,
    title: `${c.base}[${c.index.map((p) => JSON.stringify(p)).join(", ")}]`,
  }));
  it.each(titles)("#$i $title", ({ c }) => {
    const shape = bases[c.base];
    const x = arange(shape.reduce((a, b) => a * b, 1)).reshape(shape);
    const index = c.index.map(partOf);
    const part = get(x, ...index);
    expect(part.shape).toEqual(c.get.shape);
    expect(Array.from(part.toTypedArray())).toEqual(c.get.values);
    expect(Array.from(setAt(x, index, -1).toTypedArray())).toEqual(c.set);
  });
});

describe("what an index names can be changed", () => {
  it("adds up at repeated positions, and sets the last", () => {
    const x = arange(4).cast("float64");
    expect(addAt(x, [int([1, 1, 3])], [10, 20, 30]).toArray()).toEqual([0, 31, 2, 33]);
    expect(setAt(x, [int([1, 1, 3])], [10, 20, 30]).toArray()).toEqual([0, 20, 2, 30]);
    expect(x.toArray()).toEqual([0, 1, 2, 3]);
  });

  it("leaves and takes exactly what get shows, for any ranges", () => {
    const range = fc.tuple(
      fc.option(fc.integer({ min: -6, max: 6 })),
      fc.option(fc.integer({ min: -6, max: 6 })),
      fc.constantFrom(-2, -1, 1, 2),
    ); // prettier-ignore
    fc.assert(
      fc.property(range, range, (a, b) => {
        const x = arange(20).reshape([4, 5]).cast("float64");
        const part = get(x, a, b);
        const moved = setAt(x, [a, b], part.neg().sub(100));
        expect(get(moved, a, b).toArray()).toEqual(part.neg().sub(100).toArray());
        expect(moved.less(0).sum().item()).toBe(part.size);
      }),
    );
  });

  it("has gradients: of the kept, and of the winners among repeated positions", () => {
    const x = ones([4], { dtype: "float64" });
    const v = tensor([2, 3, 5], { dtype: "float64" });
    const weights = tensor([1, 10, 100, 1000], { dtype: "float64" });
    const loss = (a: Tensor, b: Tensor): Tensor =>
      setAt(a, [int([1, 1, 3])], b)
        .mul(weights)
        .sum();
    const [ga, gb] = grad(loss, { argnums: [0, 1] })(x, v) as Tensor[];
    expect(ga.toArray()).toEqual([1, 0, 100, 0]);
    expect(gb.toArray()).toEqual([0, 10, 1000]);
    const picked = (a: Tensor): Tensor =>
      a
        .get(int([0, 0, 2]))
        .square()
        .sum();
    expect((grad(picked)(x) as Tensor).toArray()).toEqual([4, 0, 2, 0]);
  });

  it("passes through vmap and captured functions", () => {
    const x = arange(12).reshape([3, 4]).cast("float64");
    const f = (row: Tensor): Tensor => setAt(row.get(int([3, 0, 1])), [0], 7);
    expect(vmap(f)(x).toArray()).toEqual([0, 1, 2].map((r) => [7, 4 * r, 4 * r + 1]));
    const traced = toStatic((row: Tensor, at: Tensor) => row.get(at));
    expect((traced(x, int([-1, 0])) as Tensor).toArray()).toEqual([
      [8, 9, 10, 11],
      [0, 1, 2, 3],
    ]);
  });
});

describe("nonzero", () => {
  it("agrees with argwhere", () => {
    const x = tensor([
      [0, 5],
      [7, 0],
    ]); // prettier-ignore
    expect(nonzero(x).map((p) => p.toArray())).toEqual([
      [0, 1],
      [1, 0],
    ]); // prettier-ignore
    expect(argwhere(x).toArray()).toEqual([
      [0, 1],
      [1, 0],
    ]); // prettier-ignore
  });
});

describe("errors name what was wrong", () => {
  const x = arange(12).reshape([3, 4]);
  it.each<[string, () => unknown, new (...a: never[]) => Error, RegExp]>([
    ["a position", () => get(x, int([3])), ShapeError, /position 3 is out of range for axis 0 of \(3, 4\)/],
    ["beside arrays too", () => get(x, -4, int([0])), ShapeError, /position -4 is out of range for axis 0/],
    ["a float", () => get(x, tensor([1.5])), DTypeError, /positions are integers, got float32\(1,\)/],
    ["a mask of another shape", () => get(x, ":", x.greater(2)), ShapeError, /takes 3 axes/],
    [
      "a mask of another size",
      () => get(x, tensor([true])),
      ShapeError,
      /mask \(1,\) stands where .* has axes \(3,\)/,
    ],
    ["too many", () => get(x, int([0]), 0, 0), ShapeError, /takes 3 axes, \(3, 4\) has 2/],
    ["two dots", () => get(x, int([0]), "...", "..."), ShapeError, /once only/],
    ["arrays that do not broadcast", () => get(x, int([0, 1]), int([0, 1, 2])), ShapeError, /broadcast/],
    ["values that do not fit", () => setAt(x, [0], [1, 2, 3]), ShapeError, /broadcast/],
    [
      "masks in captured functions",
      () => toStatic((m: Tensor) => x.get(m.greater(2)))(x),
      TransformError,
      /where/,
    ],
  ])("%s", (_, f, type, message) => {
    expect(f).toThrow(type);
    expect(f).toThrow(message);
  });
});
