import { createHash } from "node:crypto";
import { copyFileSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, describe, expect, it } from "vitest";
import { data, heapStats, resetPeak, type Tensor, tensor } from "../index.js";

const { batches, Dataset, iris, loadMnistBatch, mnist, mnistFiles, parseIdx, rescale, resizeBilinear } = data;

/** The bytes of an IDX file, written by DataView. */
function idxFile(code: number, shape: number[], values: number[]): Uint8Array {
  const sizes: Record<number, number> = { 8: 1, 9: 1, 11: 2, 12: 4, 13: 4, 14: 8 };
  const setters: Record<
    number,
    "setUint8" | "setInt8" | "setInt16" | "setInt32" | "setFloat32" | "setFloat64"
  > = {
    8: "setUint8",
    9: "setInt8",
    11: "setInt16",
    12: "setInt32",
    13: "setFloat32",
    14: "setFloat64",
  };
  const out = new Uint8Array(4 + 4 * shape.length + values.length * sizes[code]);
  const view = new DataView(out.buffer);
  view.setUint8(2, code);
  view.setUint8(3, shape.length);
  for (const [i, dim] of shape.entries()) view.setUint32(4 + 4 * i, dim);
  for (const [i, v] of values.entries()) view[setters[code]](4 + 4 * shape.length + i * sizes[code], v);
  return out;
}

describe("IDX files", () => {
  const RANGES: Record<number, [dtype: string, least: number, most: number]> = {
    8: ["uint8", 0, 255],
    9: ["int8", -128, 127],
    11: ["int16", -32768, 32767],
    12: ["int32", -(2 ** 31), 2 ** 31 - 1],
  };

  it("of all types and shapes are read as they were written, wherever they start", () => {
    const file = fc
      .record({
        code: fc.constantFrom(8, 9, 11, 12, 13, 14),
        shape: fc.array(fc.integer({ min: 0, max: 4 }), { maxLength: 4 }),
        shift: fc.integer({ min: 0, max: 7 }),
      })
      .chain(({ code, shape, shift }) => {
        const range = RANGES[code];
        const value = range
          ? fc.integer({ min: range[1], max: range[2] })
          : code === 13
            ? fc.float()
            : fc.double();
        const count = shape.reduce((a, b) => a * b, 1);
        return fc.record({
          code: fc.constant(code),
          shape: fc.constant(shape),
          shift: fc.constant(shift),
          values: fc.array(value, { minLength: count, maxLength: count }),
        });
      });
    fc.assert(
      fc.property(file, ({ code, shape, shift, values }) => {
        const bytes = idxFile(code, shape, values);
        const moved = new Uint8Array(bytes.length + shift);
        moved.set(bytes, shift);
        const found = parseIdx(moved.subarray(shift));
        expect(found.dtype).toBe(RANGES[code]?.[0] ?? (code === 13 ? "float32" : "float64"));
        expect(found.shape).toEqual(shape);
        expect(Array.from(found.data)).toEqual(values);
      }),
    );
  });

  it("name what is wrong", () => {
    const good = idxFile(8, [2, 3], [1, 2, 3, 4, 5, 6]);
    const changed = (at: number, value: number) => good.map((b, i) => (i === at ? value : b));
    expect(() => parseIdx(new Uint8Array(0), "a.idx")).toThrow(
      /^a\.idx is not an IDX file: its first bytes are $/,
    );
    expect(() => parseIdx(changed(0, 1), "a.idx")).toThrow(/first bytes are 1 0 8 2/);
    expect(() => parseIdx(changed(2, 10), "a.idx")).toThrow(/first bytes are 0 0 10 2/);
    expect(() => parseIdx(changed(3, 9), "a.idx")).toThrow(/ends inside its header \(18 bytes, rank 9\)/);
    expect(() => parseIdx(good.subarray(0, 17), "a.idx")).toThrow(
      /has 5 bytes of elements; its shape 2×3 wants 6/,
    );
    expect(() => parseIdx(changed(7, 3), "a.idx")).toThrow(/has 6 bytes of elements; its shape 3×3 wants 9/);
  });

  it("are read or refused, whatever the bytes; nothing large is made for it", () => {
    resetPeak();
    const before = heapStats().peakBytes;
    const bytes = fc.oneof(
      fc.uint8Array({ maxLength: 40 }),
      fc
        .tuple(
          fc.constantFrom(8, 9, 11, 12, 13, 14),
          fc.integer({ min: 0, max: 8 }),
          fc.uint8Array({ maxLength: 60 }),
        )
        .map(([code, rank, rest]) => Uint8Array.from([0, 0, code, rank, ...rest])),
    );
    fc.assert(
      fc.property(bytes, (b) => {
        try {
          const { shape, data: values } = parseIdx(b);
          expect(values.length).toBe(shape.reduce((x, y) => x * y, 1));
          expect(values.byteLength).toBeLessThanOrEqual(b.length);
        } catch (error) {
          expect((error as Error).name).toBe("ValueError");
        }
      }),
      { numRuns: 1000 },
    );
    expect(heapStats().peakBytes).toBe(before);
  });
});

describe("mnist", () => {
  const folder = mkdtempSync(join(tmpdir(), "mlsys-mnist-"));
  afterAll(() => rmSync(folder, { recursive: true }));

  it("is the original", async () => {
    const { images, labels } = await mnist("test");
    expect([images.type, labels.type]).toEqual(["uint8(10000, 28, 28)", "uint8(10000,)"]);
    // the first test images are a 7, a 2, a 1 and a 0 in every account of the set
    expect(labels.slice([0, 4]).toArray()).toEqual([7, 2, 1, 0]);
    const counts = new Array<number>(10).fill(0);
    for (const y of labels.toTypedArray()) counts[y]++;
    expect(counts).toEqual([980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]);
  });

  it("refuses damaged and missing files", async () => {
    const { imagesFile, labelsFile } = mnistFiles("test");
    symlinkSync(imagesFile, join(folder, "t10k-images-idx3-ubyte"));
    const damaged = join(folder, "t10k-labels-idx1-ubyte");
    const bytes = readFileSync(labelsFile);
    bytes[100] ^= 1;
    writeFileSync(damaged, bytes);
    await expect(mnist("test", { folder })).rejects.toThrow(
      `mnist: ${damaged} is damaged (SHA-256 ${createHash("sha256").update(bytes).digest("hex")}, expected ff7bcfd4`,
    );
    copyFileSync(labelsFile, damaged);
    expect((await mnist("test", { folder })).labels.size).toBe(10_000);
    await expect(mnist("train", { folder })).rejects.toThrow(/ENOENT.*train-(images|labels)/);
    await expect(mnist("valid" as "test")).rejects.toThrow(/the splits are "train" and "test", got "valid"/);
    expect(() => mnistFiles("toString" as "test")).toThrow(/splits/);
  });

  it("is prepared in batches as the book has it: 32 × 32, normalized", async () => {
    const { images, labels } = await mnist("test");
    const rows = [7, 0, 9999];
    const { x, y } = loadMnistBatch({ ...mnistFiles("test"), rows });
    expect(Array.from(y)).toEqual(rows.map((row) => labels.at(row).item()));
    expect(x).toHaveLength(3 * 1024);
    const one = resizeBilinear(images.at(0).toTypedArray(), [28, 28], [32, 32]);
    one.forEach((v, i) => {
      expect(x[1024 + i]).toBeCloseTo((v / 255 - 0.1307) / 0.3081, 5);
    });
  });
});

describe("iris", () => {
  it("has Fisher's 150 flowers", () => {
    const { x, y, features, classes } = iris();
    expect([x.type, y.type]).toEqual(["float32(150, 4)", "int32(150,)"]);
    expect(classes).toEqual(["setosa", "versicolor", "virginica"]);
    expect(features).toHaveLength(4);
    // means as R prints them for its own copy, by species
    const means = [0, 1, 2].map(
      (k) =>
        x
          .slice([50 * k, 50 * k + 50])
          .mean(0)
          .toArray() as number[],
    );
    const wanted = [
      [5.006, 3.428, 1.462, 0.246],
      [5.936, 2.77, 4.26, 1.326],
      [6.588, 2.974, 5.552, 2.026],
    ];
    for (const [k, row] of means.entries())
      for (const [i, mean] of row.entries()) expect(mean).toBeCloseTo(wanted[k][i], 5);
    expect([0, 50, 100, 149].map((row) => y.at(row).item())).toEqual([0, 1, 2, 2]);
  });
});

describe("transforms", () => {
  it("resize as PyTorch's interpolate(mode='bilinear', align_corners=False)", () => {
    const image = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]; // 3 × 4
    // F.interpolate(torch.arange(1., 13.).reshape(1, 1, 3, 4), (5, 3), mode="bilinear", align_corners=False)
    const wanted = [
      1.1666667, 2.5, 3.8333335, 2.7666669, 4.1000004, 5.4333334, 5.1666665, 6.5, 7.8333335, 7.5666676,
      8.9000006, 10.2333345, 9.166666, 10.5, 11.833334,
    ];
    const found = resizeBilinear(image, [3, 4], [5, 3]);
    for (const [i, v] of wanted.entries()) expect(found[i]).toBeCloseTo(v, 5);
    const two = resizeBilinear([...image, ...image], [3, 4], [5, 3]);
    expect(two.slice(15)).toEqual(found);
    expect(() => resizeBilinear(image, [5, 5], [2, 2])).toThrow(/12 numbers are not images of 5 × 5/);
    expect(Array.from(rescale(Float32Array.of(1, 2), 2, 1))).toEqual([3, 5]);
  });
});

describe("datasets", () => {
  const numbers = (n: number) => Dataset.from(Array.from({ length: n }, (_, i) => i));

  it("are lists that are walked lazily and again", () => {
    let mapped = 0;
    const set = numbers(10)
      .map((x) => {
        mapped++;
        return x * 2;
      })
      .filter((x) => x % 3 !== 0)
      .take(3);
    expect(mapped).toBe(0);
    expect([...set]).toEqual([2, 4, 8]);
    expect(mapped).toBe(5);
    expect([...set]).toEqual([2, 4, 8]);
  });

  it("do what lists do", () => {
    const n = fc.integer({ min: 0, max: 30 });
    fc.assert(
      fc.property(n, n, fc.integer({ min: 1, max: 8 }), fc.boolean(), (count, first, size, dropRemainder) => {
        const set = numbers(count).take(first).batch(size, { dropRemainder });
        const list = Array.from({ length: Math.min(count, first) }, (_, i) => i);
        const wanted = Array.from({ length: Math.ceil(list.length / size) }, (_, i) =>
          list.slice(i * size, (i + 1) * size),
        ).filter((part) => !dropRemainder || part.length === size);
        expect([...set]).toEqual(wanted);
        expect(set.size).toBe(wanted.length);
      }),
    );
  });

  it("shuffle: a permutation, the same for a seed, another at each walk, never early by more than the buffer", () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: 40 }),
        fc.integer({ min: 1, max: 50 }),
        fc.integer(),
        (count, buffer, seed) => {
          const [a, b] = [numbers(count).shuffle(buffer, seed), numbers(count).shuffle(buffer, seed)];
          const [first, second] = [[...a], [...a]];
          expect([[...b], [...b]]).toEqual([first, second]);
          expect([...first].sort((x, y) => x - y)).toEqual([...numbers(count)]);
          first.forEach((x, i) => {
            expect(x - i).toBeLessThanOrEqual(buffer);
          });
        },
      ),
    );
    const set = numbers(50).shuffle(50, 7);
    expect([...set]).not.toEqual([...set]);
    expect([...numbers(50).shuffle(50, 7)]).not.toEqual([...numbers(50).shuffle(50, 8)]);
  });

  it("shuffle evenly", () => {
    const counts = Array.from({ length: 4 }, () => new Array<number>(4).fill(0));
    const set = numbers(4).shuffle(4, 3);
    for (let walk = 0; walk < 4000; walk++) for (const [i, x] of [...set].entries()) counts[i][x]++;
    // 1000 ± 5 deviations of a binomial distribution
    for (const n of counts.flat()) expect(Math.abs(n - 1000)).toBeLessThan(137);
  });

  it("close what they read when a walk ends early", () => {
    let closed = 0;
    const set = Dataset.from(function* () {
      try {
        for (let i = 0; ; i++) yield i;
      } finally {
        closed++;
      }
    });
    expect([
      ...set
        .map((x) => x + 1)
        .filter((x) => x > 1)
        .batch(2)
        .take(2),
    ]).toEqual([
      [2, 3],
      [4, 5],
    ]);
    expect(closed).toBe(1);
    expect([...set.take(0)]).toEqual([]);
    expect(set.size).toBeUndefined();
  });

  it("name the element that failed", () => {
    const set = numbers(5).map((x) => {
      if (x === 3) throw new TypeError("odd");
      return x;
    });
    expect(() => [...set]).toThrow("dataset: map failed at element 3: odd");
    expect(() => numbers(3).batch(0)).toThrow("dataset: batch wants a whole number from 1, got 0");
    expect(() => numbers(3).take(-1)).toThrow("dataset: take wants a whole number from 0, got -1");
    expect(() => numbers(3).shuffle(2.5)).toThrow("dataset: shuffle wants a whole number from 1, got 2.5");
    expect(() => numbers(3).shuffle(2, 0.5)).toThrow(/a seed is a whole number, got 0.5/);
  });
});

describe("batches", () => {
  const rowsOf = (n: number) => ({
    x: tensor(
      Float32Array.from({ length: n * 2 }, (_, i) => Math.floor(i / 2)),
      { shape: [n, 2] },
    ),
    y: tensor(Int32Array.from({ length: n }, (_, i) => i)),
  });
  const order = (set: Iterable<{ x: Tensor; y: Tensor }>): number[] =>
    [...set].flatMap(({ x, y }) => {
      const rows = y.toArray() as number[];
      expect(x.toArray()).toEqual(rows.map((v) => [v, v])); // x and y stay together
      return rows;
    });

  it("hold each row once per epoch, together with its label", () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 20 }),
        fc.integer({ min: 1, max: 9 }),
        fc.boolean(),
        fc.boolean(),
        (n, size, shuffle, dropRemainder) => {
          const set = batches(rowsOf(n), { size, shuffle, dropRemainder, seed: 5 });
          const rows = order(set);
          const kept = dropRemainder ? n - (n % size) : n;
          expect(rows).toHaveLength(kept);
          expect(new Set(rows).size).toBe(kept);
          expect(set.size).toBe((dropRemainder ? Math.floor : Math.ceil)(n / size));
          const again = order(batches(rowsOf(n), { size, shuffle, dropRemainder, seed: 5 }));
          expect(again).toEqual(rows);
          if (!shuffle) expect(rows).toEqual(Array.from({ length: kept }, (_, i) => i));
        },
      ),
      { numRuns: 40 },
    );
  });

  it("come in another order in each epoch and for each seed", () => {
    const set = batches(rowsOf(30), { size: 7, shuffle: true, seed: 1 });
    const epochs = [order(set), order(set), order(batches(rowsOf(30), { size: 7, shuffle: true, seed: 2 }))];
    expect(new Set(epochs.map(String)).size).toBe(3);
  });

  it("take any tree, and name what does not fit", () => {
    const list = [...batches([tensor([1, 2, 3])], { size: 2 })];
    expect(list.map(([x]) => x.toArray())).toEqual([[1, 2], [3]]);
    expect(() => batches({ x: tensor([1, 2]), y: tensor([1]) }, { size: 1 })).toThrow(
      /share their first axis, got float32\(2,\), float32\(1,\)/,
    );
    expect(() => batches({}, { size: 1 })).toThrow(/got none/);
    expect(() => batches(tensor(1), { size: 1 })).toThrow(/first axis/);
    expect(() => batches(tensor([1]), { size: 0 })).toThrow(/at least 1 row, got 0/);
  });
});

describe("spans", () => {
  it("belong to who collects them, also behind an await, and of stages that fail", async () => {
    const { collectSpans, stage } = data;
    const wait = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));
    const work = async (name: string, ms: number) => {
      stage(`${name}1`, () => 1);
      await stage(`${name}2`, () => wait(ms));
      expect(() =>
        stage(`${name}3`, () => {
          throw new Error("no");
        }),
      ).toThrow("no");
      return name;
    };
    const [a, b] = [collectSpans(), collectSpans()];
    expect(await Promise.all([a.collect(() => work("a", 12)), b.collect(() => work("b", 3))])).toEqual([
      "a",
      "b",
    ]);
    expect(a.spans.map(({ name }) => name)).toEqual(["a1", "a2", "a3"]);
    expect(b.spans.map(({ name }) => name)).toEqual(["b1", "b2", "b3"]);
    for (const { start, end } of [...a.spans, ...b.spans]) expect(end).toBeGreaterThanOrEqual(start);
    expect(a.spans[1].end).toBeGreaterThan(a.spans[1].start);
    expect(data.stage("nobody listens", () => 5)).toBe(5);
  });
});
