import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { capture, grad, ragged, sparse, type Tensor, tensor, toSparse, tree } from "../../index.js";

const f64 = (x: number[] | number[][]): Tensor => tensor(x as number[], { dtype: "float64" });

/** Random entries in a matrix of random shape, some at the same place. */
const entries = fc.tuple(fc.integer({ min: 1, max: 5 }), fc.integer({ min: 1, max: 5 })).chain(([n, k]) =>
  fc.record({
    n: fc.constant(n),
    k: fc.constant(k),
    list: fc.array(
      fc.tuple(
        fc.integer({ min: 0, max: n - 1 }),
        fc.integer({ min: 0, max: k - 1 }),
        fc.integer({ min: -4, max: 4 }),
      ),
      { minLength: 1, maxLength: 12 },
    ),
  }),
);

describe("sparse tensors", () => {
  it("are the dense tensors of their entries: conversions, products, transposes, sums", () => {
    fc.assert(
      fc.property(entries, ({ n, k, list }) => {
        const dense = Array.from({ length: n }, () => new Array<number>(k).fill(0));
        for (const [i, j, v] of list) dense[i][j] += v;
        const s = sparse(
          list.map(([i, j]) => [i, j]),
          f64(list.map(([, , v]) => v)),
          [n, k],
        );
        const m = f64(dense);
        expect(s.toDense().toArray()).toEqual(dense);
        expect(s.coalesce().toDense().toArray()).toEqual(dense);
        expect(s.coalesce().entries).toBe(new Set(list.map(([i, j]) => `${i},${j}`)).size);
        expect(toSparse(m).toDense().toArray()).toEqual(dense);
        expect(s.transpose().toDense().toArray()).toEqual(m.transpose().toArray());
        expect(s.add(s.mul(2)).toDense().toArray()).toEqual(m.mul(3).toArray());
        const other = f64(Array.from({ length: k }, (_, j) => [j - 1, 2 * j, 1]));
        expect(s.matmul(other).toArray()).toEqual(m.matmul(other).toArray());
      }),
      { numRuns: 60 },
    );
  });

  it("are differentiated by their values and by the dense factor", () => {
    const dense = f64([
      [0, 2, 0],
      [3, 0, 4],
    ]);
    const s = toSparse(dense);
    const w = f64([
      [1, -1],
      [2, 0.5],
      [0, 3],
    ]);
    const [bySparse, byDense] = grad((a: typeof s, b: Tensor) => a.matmul(b).square().sum(), {
      argnums: [0, 1],
    })(s, w);
    const [wantedDense, wanted] = grad((a: Tensor, b: Tensor) => a.matmul(b).square().sum(), {
      argnums: [0, 1],
    })(dense, w);
    expect(byDense.toArray()).toEqual(wanted.toArray());
    const mask = dense.notEqual(0).cast("float64");
    expect(bySparse.toDense().toArray()).toEqual(wantedDense.mul(mask).toArray());
  });

  it("print their first entries", () => {
    expect(
      String(
        sparse(
          [
            [0, 1],
            [2, 0],
          ],
          [5, 3.25],
          [3, 4],
        ),
      ),
    ).toBe("sparse float32(3, 4), 2 entries (16.7 %)\n  (0, 1) → 5\n  (2, 0) → 3.25");
  });

  it("name what does not fit", () => {
    expect(() => sparse([[0, 1]], [1, 2], [2, 2])).toThrow(/1 places have values of float32\(2,\)/);
    expect(() => sparse([[0, 2]], [1], [2, 2])).toThrow(/entry 0, \(0, 2\), is not inside of \(2, 2\)/);
    expect(() => sparse([[0]], [1], [2, 2])).toThrow(/entry 0, \(0\)/);
    expect(() => sparse([[0, 0]], [1], [2, 2]).matmul([[1, 2, 3]])).toThrow(/\(2, 2\) times \(1, 3\)/);
    expect(() => sparse([[0, 0]], [1], [2, 2]).add(sparse([[0, 0]], [1], [2, 3]))).toThrow(
      /\(2, 2\) and \(2, 3\) differ/,
    );
    expect(() => capture((x: Tensor) => toSparse(x).toDense(), tensor([1]))).toThrow(/not known while/);
  });
});

describe("ragged tensors", () => {
  it("keep rows of any length", () => {
    const r = ragged([[3, 1, 4], [], [5]]);
    expect([r.rows, [...r.lengths], r.shape]).toEqual([3, [3, 0, 1], [3, null]]);
    expect([0, 1, 2].map((i) => r.row(i).toArray())).toEqual([[3, 1, 4], [], [5]]);
    expect(r.toPadded(-1).toArray()).toEqual([
      [3, 1, 4],
      [-1, -1, -1],
      [5, -1, -1],
    ]);
    expect(r.sum().toArray()).toEqual([8, 0, 5]);
    expect(r.mean().toArray()).toEqual([Math.fround(8 / 3), Number.NaN, 5]);
    expect(
      r
        .map((x) => x.mul(2))
        .toPadded()
        .toArray(),
    ).toEqual([
      [6, 2, 8],
      [0, 0, 0],
      [10, 0, 0],
    ]);
    expect(String(r)).toBe("ragged float32(3, ?)\n  [3,1,4]\n  []\n  [5]");
  });

  it("hold rows of vectors, and no rows at all", () => {
    const r = ragged([
      [[1, 2]],
      [
        [3, 4],
        [5, 6],
      ],
    ]);
    expect(r.shape).toEqual([2, null, 2]);
    expect(r.toPadded().toArray()).toEqual([
      [
        [1, 2],
        [0, 0],
      ],
      [
        [3, 4],
        [5, 6],
      ],
    ]);
    expect(r.sum().toArray()).toEqual([
      [1, 2],
      [8, 10],
    ]);
    expect(ragged([]).toPadded().shape).toEqual([0, 0]);
    expect(ragged([[], []]).sum().toArray()).toEqual([0, 0]);
  });

  it("are trees: gradients have their shape", () => {
    const r = ragged([f64([1, 2]), f64([3])]);
    const g = grad((x: typeof r) => x.mean().square().sum())(r);
    expect(g.toPadded(0).toArray()).toEqual([
      [1.5, 1.5],
      [6, 0],
    ]);
    expect(tree.leaves(r)).toEqual([r.values]);
  });

  it("name what does not fit", () => {
    expect(() => ragged([[[1, 2]], [[3]]])).toThrow(/only axis 0 may differ/);
    expect(() => ragged([[1]]).row(1)).toThrow(/no row 1; rows are 0 to 0/);
    expect(() => ragged([[1, 2]]).map((x) => x.sum(0, true))).toThrow(/axis 0 must stay/);
  });
});
