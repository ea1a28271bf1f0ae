import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { expectClose, expectedFile, read, type Values } from "../../../test/support/expected.js";
import {
  capture,
  grad,
  jvp,
  RaggedTensor,
  ragged,
  type SparseTensor,
  sparse,
  type Tensor,
  tensor,
  tidy,
  toSparse,
  toStatic,
  tree,
} from "../../index.js";

const expected = expectedFile<{
  sparse: Record<"values" | "dense" | "c" | "y" | "dValues" | "dDense" | "coalescedValues", Values> & {
    places: number[][];
    coalescedPlaces: number[][];
  };
  ragged: Record<"values" | "means" | "c" | "dValues" | "padded", Values> & { lengths: number[] };
}>("nn.json");

/** Where rows of these lengths begin, and the end of the last. */
function splitsOf(lengths: readonly number[]): number[] {
  let at = 0;
  return [0, ...lengths.map((n) => (at += n))];
}

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

  it("give PyTorch's products, gradients and coalesced entries", () => {
    const { places, values, dense, c, y, dValues, dDense, coalescedPlaces, coalescedValues } =
      expected.sparse;
    const [s, d] = [sparse(places, read(values), [4, 5]), read(dense)];
    const loss = (a: SparseTensor, b: Tensor): Tensor => a.matmul(b).mul(read(c)).sum();
    expectClose(s.matmul(d), y);
    const [ds, dd] = grad(loss, { argnums: [0, 1] })(s, d);
    expectClose(ds.values, dValues);
    expectClose(dd, dDense);
    expect(Array.from(ds.indices)).toEqual(places.flat());
    const one = s.coalesce();
    expect(Array.from(one.indices)).toEqual(coalescedPlaces.flat());
    expectClose(one.values, coalescedValues);
    // forward mode, and the same product captured
    const direction = sparse(places, [1, -2, 3, 0.5, 0, 1], [4, 5]);
    const [, slope] = jvp((a: Tensor) => loss(sparse(places, a, [4, 5]), d), [s.values], [direction.values]);
    const wanted = dValues.values.reduce(
      (sum, g, i) => sum + g * (direction.values.toArray() as number[])[i],
      0,
    );
    expect((slope as Tensor).item()).toBeCloseTo(wanted, 10);
    const product = toStatic((a: SparseTensor, b: Tensor) => a.matmul(b));
    expectClose(product(s, d), y);
    const turned = sparse(
      places.map(([i, j]) => [3 - i, j]),
      read(values),
      [4, 5],
    );
    expectClose(product(turned, d), {
      shape: y.shape,
      values: [3, 2, 1, 0].flatMap((row) => y.values.slice(3 * row, 3 * row + 3)),
    });
    expect(product.captures).toBe(2); // where the entries are is part of the graph
  });

  it("are kept by tidy", () => {
    const kept = tidy(() => sparse([[0, 0]], tensor([2]).mul(3), [1, 1]));
    expect(kept.toDense().toArray()).toEqual([[6]]);
    const r = tidy(() => ragged([[1], [2, 3]]).map((x) => x.mul(2)));
    expect(r.row(1).toArray()).toEqual([4, 6]);
  });

  it("hold any rank, no entry, and shapes that no dense tensor has", () => {
    const cube = sparse(
      [
        [1, 0, 2],
        [0, 1, 1],
        [1, 0, 2],
      ],
      [1, 2, 4],
      [2, 2, 3],
    );
    expect(cube.coalesce().toDense().toArray()).toEqual([
      [
        [0, 0, 0],
        [0, 2, 0],
      ],
      [
        [0, 0, 5],
        [0, 0, 0],
      ],
    ]);
    expect(sparse([], tensor([]), [2, 2]).toDense().toArray()).toEqual([
      [0, 0],
      [0, 0],
    ]);
    const none = sparse([], tensor([]), [2, 3]).matmul(tensor([[1], [2], [3]]));
    expect(none.toArray()).toEqual([[0], [0]]);
    const wide = sparse([[1_000_000, 5]], [2], [2_000_000, 10_000]);
    expect(wide.transpose().coalesce().shape).toEqual([10_000, 2_000_000]);
    expect(() => wide.toDense()).toThrow(/\(2000000, 10000\) has more elements than can be indexed/);
    const huge = sparse([[0, 0, 0]], [1], [2 ** 30, 2 ** 30, 2 ** 30]);
    expect(() => huge.coalesce()).toThrow(/more places than can be counted/);
    expect(toSparse(tensor([0, Number.NaN, -0, 1])).entries).toBe(2);
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
    expect(() => sparse([[0]], [1], [-1])).toThrow(/axis 0 has size -1/);
    expect(() => sparse([[0]], [1], [2]).mul(tensor([1, 2]))).toThrow(/the factor is one number/);
    expect(() => sparse([[0]], [1], [2]).transpose()).toThrow(/a matrix wanted, got \(2,\)/);
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

  it("give PyTorch's means, gradients and padding", () => {
    const { lengths, values, means, c, dValues, padded } = expected.ragged;
    const splits = splitsOf(lengths);
    const r = RaggedTensor.fromRowSplits(read(values), splits);
    expectClose(r.mean(), means);
    expectClose(r.toPadded(-7), padded);
    const g = grad((x: RaggedTensor) => x.mean().mul(read(c)).sum())(r);
    expectClose(g.values, dValues);
    expect(Array.from(g.rowSplits)).toEqual(splits);
    const back = grad((x: RaggedTensor) => x.toPadded().square().sum())(r);
    expect(back.values.toArray()).toEqual(r.values.mul(2).toArray());
    const sums = toStatic((x: RaggedTensor) => x.sum());
    expect(sums(ragged([[1, 2], [3]])).toArray()).toEqual([3, 3]);
    expect(sums(ragged([[1], [2, 3]])).toArray()).toEqual([1, 5]);
  });

  it("are what their rows are, however they are made", () => {
    fc.assert(
      fc.property(
        fc.array(fc.array(fc.integer({ min: -9, max: 9 }), { maxLength: 5 }), { maxLength: 6 }),
        (rows) => {
          const r = ragged(rows);
          const same = RaggedTensor.fromRowSplits(
            tensor(Float32Array.from(rows.flat())),
            splitsOf(rows.map((row) => row.length)),
          );
          for (const x of [r, same]) {
            expect(rows.map((_, i) => x.row(i).toArray())).toEqual(rows);
            expect(x.sum().toArray()).toEqual(rows.map((row) => row.reduce((a, b) => a + b, 0)));
            const longest = Math.max(0, ...rows.map((row) => row.length));
            expect(x.toPadded(99).toArray()).toEqual(
              rows.map((row) => [...row, ...new Array<number>(longest - row.length).fill(99)]),
            );
          }
        },
      ),
      { numRuns: 60 },
    );
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
    const values = tensor([1, 2, 3]);
    expect(() => RaggedTensor.fromRowSplits(values, [0, 2])).toThrow(
      "ragged: row splits go from 0 to 3, the number of values; got 0 to 2",
    );
    expect(() => RaggedTensor.fromRowSplits(values, [])).toThrow(/got undefined to undefined/);
    expect(() => RaggedTensor.fromRowSplits(values, [0, 3, 2, 3])).toThrow(
      "ragged: row split 2 is 2, before the 3 where its row begins",
    );
    expect(() => RaggedTensor.fromRowSplits(1, [0, 1])).toThrow(/float32\(\) has none/);
    expect(() => ragged([[1]]).row(1)).toThrow(/no row 1; rows are 0 to 0/);
    expect(() => ragged([[1, 2]]).map((x) => x.sum(0, true))).toThrow(/axis 0 must stay/);
  });
});
