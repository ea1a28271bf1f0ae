import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, describe, expect, it } from "vitest";
import { build as buildWith, n, type Program, programs } from "../../../test/support/random-pipelines.js";
import { data, Tensor, tensor } from "../../index.js";

const { Dataset } = data;
type Numbers = data.Dataset<number>;

const folder = mkdtempSync(join(tmpdir(), "mlsys-dataset-"));
afterAll(() => rmSync(folder, { recursive: true }));

async function collect<T>(source: AsyncIterable<T>): Promise<T[]> {
  const list: T[] = [];
  for await (const item of source) list.push(item);
  return list;
}

const build = (program: Program) => buildWith(program, Dataset);

describe("datasets", () => {
  it("give what lists give, in both kinds of walk, and know their size", async () => {
    await fc.assert(
      fc.asyncProperty(programs, async (program) => {
        const { set, list, waits } = build(program);
        const found = await collect(set);
        if (list) expect(found).toEqual(list);
        if (set.size !== undefined) expect(set.size).toBe(found.length);
        if (!waits) expect([...build(program).set]).toEqual(found);
      }),
      { numRuns: 400 },
    );
  });

  it("go on at the next element from a state saved anywhere, and from one of a resumed walk", async () => {
    await fc.assert(
      fc.asyncProperty(programs, n(0, 40), n(0, 10), async (program, first, more) => {
        const whole = await collect(build(program).set);
        const cut = async (set: Numbers, count: number): Promise<data.Checkpoint> => {
          const walk = set[Symbol.asyncIterator]();
          for (let i = 0; i < count; i++) await walk.next();
          const state = walk.state();
          await walk.return();
          return JSON.parse(JSON.stringify(state)) as data.Checkpoint;
        };
        const { set, waits } = build(program);
        const state = await cut(set, first);
        expect(await collect(build(program).set.resume(state))).toEqual(whole.slice(first));
        expect(await collect(set.resume(state)), "in the process that saved it").toEqual(whole.slice(first));
        if (!waits) expect([...build(program).set.resume(state)]).toEqual(whole.slice(first));
        const later = await cut(build(program).set.resume(state), more);
        expect(await collect(build(program).set.resume(later))).toEqual(whole.slice(first + more));
        if (waits) return;
        const walk = build(program).set[Symbol.iterator]();
        for (let i = 0; i < first; i++) walk.next();
        expect([...build(program).set.resume(walk.state())]).toEqual(whole.slice(first));
      }),
      { numRuns: 400 },
    );
  });

  it("resume in the epoch that was saved; the epochs behind it follow", () => {
    const make = () => Dataset.range(20).shuffle({ seed: 4 }).batch(3);
    const all = make();
    const epochs = [[...all], [...all], [...all]];
    expect(new Set(epochs.map(String)).size).toBe(3);
    const other = make();
    for (const _ of other);
    const walk = other[Symbol.iterator]();
    walk.next();
    walk.next();
    const resumed = make().resume(JSON.parse(JSON.stringify(walk.state())) as data.Checkpoint);
    expect([[...resumed], [...resumed]]).toEqual([epochs[1].slice(2), epochs[2]]);
    expect(() => make().map(String).resume(walk.state())).toThrow(
      "dataset: the state is one of range.shuffle.batch; this dataset is range.shuffle.batch.map",
    );
    expect(() => make().resume({} as data.Checkpoint)).toThrow(/resume wants what state\(\) gave, got {}/);
  });

  it("resume sources that can say where they are without reading them again", () => {
    let read = 0;
    const walkFrom = (start: number) => {
      let at = start;
      return {
        next: () => {
          read++;
          return at < 10 ? { done: false as const, value: at++ } : { done: true as const, value: undefined };
        },
        state: () => ({ at }),
      };
    };
    const source = {
      [Symbol.iterator]: () => walkFrom(0),
      resume: (s: data.State) => walkFrom(s.at as number),
    };
    const walk = Dataset.from<number>(source).batch(2)[Symbol.iterator]();
    walk.next();
    walk.next();
    const state = walk.state();
    read = 0;
    expect([...Dataset.from<number>(source).batch(2).resume(state)]).toEqual([
      [4, 5],
      [6, 7],
      [8, 9],
    ]);
    expect(read).toBe(7);
  });

  it("shuffle ten million positions without a list of them; ranks with one seed share each epoch", () => {
    const before = process.memoryUsage().heapUsed;
    const count = 10_000_000;
    const set = Dataset.range(count).shuffle({ seed: 9 });
    const seen = new Uint8Array(count / 8);
    const at = data.permutation(count, [9, 0]);
    let twice = 0;
    for (let i = 0; i < count; i += 5) {
      const x = at(i);
      if (seen[x >> 3] & (1 << (x & 7))) twice++;
      seen[x >> 3] |= 1 << (x & 7);
    }
    expect(twice).toBe(0);
    expect([...set.take(3)]).toEqual([at(0), at(1), at(2)]);
    expect(process.memoryUsage().heapUsed - before).toBeLessThan(64e6);

    const ranks = [0, 1, 2].map((rank) =>
      Dataset.range(100).shuffle({ seed: 1 }).shard(rank, 3, { even: true }),
    );
    for (let epoch = 0; epoch < 2; epoch++) {
      const parts = ranks.map((rank) => [...rank]);
      expect(parts.map((p) => p.length)).toEqual([33, 33, 33]);
      expect(new Set(parts.flat()).size).toBe(99);
    }
  });

  it("permutations of any size have each position once, and look random", () => {
    fc.assert(
      fc.property(
        fc.oneof(n(1, 300), n(65_500, 66_500), n(131_000, 132_000)),
        fc.integer(),
        (count, seed) => {
          const at = data.permutation(count, [seed, 0]);
          const list = Array.from({ length: count }, (_, i) => at(i));
          expect(new Set(list).size).toBe(count);
          expect(Math.min(...list.slice(0, 1000))).toBeGreaterThanOrEqual(0);
          expect(list.every((x) => x < count)).toBe(true);
        },
      ),
      { numRuns: 25 },
    );
    // of neighbours, half go up: 100,000 ± 5 deviations (deviation of ascents: sqrt((n + 1) / 12))
    const at = data.permutation(200_000, [1, 0]);
    let ascents = 0;
    for (let i = 1; i < 200_000; i++) if (at(i) > at(i - 1)) ascents++;
    expect(Math.abs(ascents - 100_000)).toBeLessThan(5 * Math.sqrt(200_001 / 12));
  });

  it("sample by weights, never what has none", () => {
    const counts = [0, 0, 0, 0];
    for (const x of Dataset.range(4).sample(8000, { seed: 5, weights: [1, 0, 2, 1] })) counts[x]++;
    expect(counts[1]).toBe(0);
    for (const [i, wanted] of [2000, 0, 4000, 2000].entries())
      expect(Math.abs(counts[i] - wanted)).toBeLessThan(225);
    expect([...Dataset.from(["a", "b"]).sampler((length, epoch) => [length - 1, 0, epoch])]).toEqual([
      "b",
      "a",
      "a",
    ]);
    expect(() => Dataset.range(2).sample(1, { weights: [1] })).toThrow(
      "wants a weight for each of 2 elements, got 1",
    );
    expect(() => Dataset.range(2).sample(1, { weights: [0, 0] })).toThrow(/one of them above 0/);
    expect(() => Dataset.range(2).filter(Boolean).shuffle()).toThrow(
      "dataset: shuffle without a buffer wants elements by position, and filter(Boolean) gives them one after the other",
    );
  });

  it("give each element random numbers of its own", async () => {
    const draws = (set: Numbers) => set.map((_, __, random) => random.uniform(-1, 1), { seed: 3 });
    const whole = [...draws(Dataset.range(50))];
    expect([...draws(Dataset.range(50))]).toEqual(whole);
    expect(new Set(whole).size).toBe(50);
    expect([...Dataset.range(50).map((_, __, random) => random.uniform(-1, 1), { seed: 4 })]).not.toEqual(
      whole,
    );
    expect(whole.every((x) => x >= -1 && x < 1)).toBe(true);
    const twice = draws(Dataset.range(3));
    expect([...twice]).not.toEqual([...twice]);
  });

  it("name the op and the element that failed; skip or try again where they may, and count it", async () => {
    const odd = (x: number) => {
      if (x % 2) throw new TypeError(`odd ${x}`);
      return x;
    };
    expect(() => [...Dataset.range(3).map(odd)]).toThrow("dataset: map(odd) failed at element 1: odd 1");
    await expect(
      collect(Dataset.range(3).map(async (x) => odd(x), { name: "later", parallel: 2 })),
    ).rejects.toThrow("dataset: map(later) failed at element 1: odd 1");
    const skipping = Dataset.range(6).map(odd, { onError: "skip" });
    const walk = skipping[Symbol.iterator]();
    expect([...walk]).toEqual([0, 2, 4]);
    expect(walk.failures).toEqual({ "map(odd)": { skipped: 3, retried: 0 } });
    expect(skipping.size).toBeUndefined();
    let calls = 0;
    const flaky = (x: number) => {
      if (calls++ % 3 !== 2) throw new Error("busy");
      return x;
    };
    const retrying = Dataset.range(4)
      .map(flaky, { onError: { retry: 2 } })
      [Symbol.iterator]();
    expect([...retrying]).toEqual([0, 1, 2, 3]);
    expect(retrying.failures).toEqual({ "map(flaky)": { skipped: 0, retried: 8 } });
    const both = Dataset.range(4)
      .filter((x) => odd(x) > 0, { name: "f", onError: { retry: 1, otherwise: "skip" } })
      [Symbol.iterator]();
    expect([...both]).toEqual([2]);
    expect(both.failures).toEqual({ "filter(f)": { skipped: 2, retried: 2 } });
    expect(() => Dataset.range(1).map(odd, { onError: { retry: 0 } })).toThrow(
      /wants onError "fail", "skip"/,
    );
  });

  it("say when a walk must wait, and close what they read", async () => {
    let closed = 0;
    const set = Dataset.from(async function* () {
      try {
        yield 1;
        yield 2;
      } finally {
        closed++;
      }
    });
    expect(() => [...set.map((x) => x)]).toThrow(
      /an op of this dataset is asynchronous: walk it with `for await/,
    );
    for await (const _ of set.prefetch(2).map(async (x) => x, { parallel: 3 })) break;
    expect(closed).toBe(2);
    expect(() => Dataset.from(7 as never)).toThrow(/from wants something iterable.*got number/);
    await expect(collect(Dataset.from(() => 7 as never))).rejects.toThrow(/got number/);
  });

  it("keep what is ahead within bounds, and in order", async () => {
    let [running, most, begun] = [0, 0, 0];
    const set = Dataset.range(30).map(
      async (x) => {
        begun++;
        most = Math.max(most, ++running);
        await new Promise((resolve) => setImmediate(resolve));
        running--;
        return x;
      },
      { parallel: 4 },
    );
    let given = 0;
    for await (const x of set) {
      expect(x).toBe(given++);
      expect(begun).toBeLessThanOrEqual(given + 4);
    }
    expect([given, most]).toEqual([30, 4]);
  });

  it("collate numbers, arrays, tensors, records; pad what is shorter", () => {
    const rows = [
      { x: Float32Array.of(1, 2), y: 0, ok: true, name: "a", t: tensor([[1, 2]]), p: [1, 2, 3] },
      { x: Float32Array.of(3, 4), y: 1, ok: false, name: "b", t: tensor([[3, 4]]), p: [4, 5, 6] },
    ];
    const [batch] = Dataset.from(rows)
      .batch(2)
      .collate({ dtypes: { y: "int32" }, shapes: { x: [2, 1] } });
    expect([batch.x.type, batch.y.type, batch.ok.type, batch.t.type, batch.p.type]).toEqual([
      "float32(2, 2, 1)",
      "int32(2,)",
      "bool(2,)",
      "float32(2, 1, 2)",
      "float32(2, 3)",
    ]);
    expect(batch.name).toEqual(["a", "b"]);
    expect(batch.t.toArray()).toEqual([[[1, 2]], [[3, 4]]]);
    const half = [tensor([1, 2], { dtype: "float16" }), tensor([3, 4], { dtype: "float16" })];
    expect(data.collate(half).toArray()).toEqual([
      [1, 2],
      [3, 4],
    ]);
    const ragged = Dataset.from([
      { s: [1, 2, 3], v: Int32Array.of(1) },
      { s: [4], v: Int32Array.of(2, 3) },
    ]);
    const [padded] = ragged.paddedBatch(2, { value: -1 });
    expect([padded.s.toArray(), padded.v.toArray()]).toEqual([
      [
        [1, 2, 3],
        [4, -1, -1],
      ],
      [
        [1, -1],
        [2, 3],
      ],
    ]);
    const [grid] = Dataset.from([[[1], [2, 3]], [[4, 5, 6]]]).paddedBatch(2);
    expect(grid.toArray()).toEqual([
      [
        [1, 0, 0],
        [2, 3, 0],
      ],
      [
        [4, 5, 6],
        [0, 0, 0],
      ],
    ]);
    expect(() => [...ragged.batch(2).collate()]).toThrow(
      /collate failed at element 0: collate: .*of s.*paddedBatch/,
    );
    expect(() => data.collate([{ a: 1 }, { b: 1 }])).toThrow("element 1 has no column a, as element 0 has");
    expect(() => data.collate([1, "x"])).toThrow("element 1 is a string, element 0 a number");
    expect(() => data.collate([tensor([1]), tensor([1, 2])])).toThrow(
      "element 1 is float32(2,), element 0 float32(1,)",
    );
  });

  it("choose and rename columns", () => {
    const rows = Dataset.from([{ a: 1, b: "x", c: true }]);
    const found: { a: number; label: string }[] = [...rows.project("a", "b").rename({ b: "label" })];
    expect(found).toEqual([{ a: 1, label: "x" }]);
    expect(() => [...rows.project("d" as "a")]).toThrow(
      "dataset: project(d) failed at element 0: there is no column d; there is a, b, c",
    );
    expect(() => [...rows.rename({ d: "e" } as object)]).toThrow(
      /rename failed at element 0: there is no column d/,
    );
  });

  it("count the lines with ERROR as the book does: textFile, filter, map, reduce", () => {
    const file = join(folder, "log.txt");
    writeFileSync(file, "INFO a\nERROR mysql down\nWARN b\nERROR php\nERROR mysql slow\n");
    const lines = Dataset.from(() => readFileSync(file, "utf8").trimEnd().split("\n"));
    const errors = lines.filter((line) => line.startsWith("ERROR")).cache();
    const count = [...errors.map(() => 1)].reduce((a, b) => a + b, 0);
    expect([count, [...errors.filter((line) => line.includes("mysql"))].length]).toEqual([3, 2]);
  });

  it("keep tensors in memory, whatever becomes of those that they gave", () => {
    let made = 0;
    const set = Dataset.range(3)
      .map((i) => {
        made++;
        return { t: tensor([i, i]) };
      })
      .cache();
    for (let epoch = 0; epoch < 3; epoch++)
      for (const [i, { t }] of [...set].entries()) {
        expect(t.toArray()).toEqual([i, i]);
        t.dispose();
      }
    expect(made).toBe(3);
  });

  it("keep a walk in a file, and read it in the next process", async () => {
    const file = join(folder, "kept");
    let made = 0;
    const make = () =>
      Dataset.range(5)
        .shuffle({ seed: 1 })
        .map((x) => {
          made++;
          return { x, t: tensor([x, x + 1]), bytes: Uint8Array.of(x) };
        })
        .cache(file)
        .map(({ x, t, bytes }) => [x, ...(t.toArray() as number[]), bytes[0]]);
    const half = make()[Symbol.iterator]();
    half.next();
    half.return();
    expect(readdirSync(folder).filter((name) => name.startsWith("kept"))).toEqual([]);
    const first = [...make()];
    expect([made, existsSync(file)]).toEqual([6, true]);
    const set = make();
    expect([[...set], [...set], made]).toEqual([first, first, 6]);
    const walk = set[Symbol.iterator]();
    walk.next();
    walk.next();
    const state = walk.state();
    walk.return();
    expect([...make().resume(state)]).toEqual(first.slice(2));
    rmSync(file);
    expect([...make().resume(state)], "without the cache").toEqual(first.slice(2));
    expect(existsSync(file)).toBe(false);
    for (const _ of make());
    const bytes = readFileSync(file);
    writeFileSync(file, bytes.subarray(0, bytes.length - 3));
    expect(() => [...make()]).toThrow(/the cache .*kept is damaged at byte \d+; delete it/);
    writeFileSync(file, "something else");
    expect(() => [...make()]).toThrow(/kept is no cache of a dataset/);
    expect(() => [...Dataset.from([() => 1]).cache(join(folder, "functions"))]).toThrow(
      /cache cannot keep an element/,
    );
  });

  it("hold the device rule: behind mixed or gpu all is gpu", () => {
    const f = (x: number) => x;
    const set = Dataset.range(4).map(f, { name: "decode", device: "mixed" });
    expect([...set.map(f, { device: "gpu" }).batch(2).collate()][0]).toBeInstanceOf(Tensor);
    expect(() => set.batch(2).map((x) => x, { name: "resize" })).toThrow(
      'dataset: map(resize) works on the cpu, but map(decode) (mixed) before it leaves its elements on the gpu; behind it all ops are "gpu"',
    );
    expect(() => set.map(f, { name: "again", device: "mixed" })).toThrow(
      /map\(again\) works on the host's elements \(mixed\)/,
    );
    expect(() => Dataset.range(1).map(f, { name: "g", device: "gpu" })).toThrow(
      /no op before it brings its elements there/,
    );
    expect(() => Dataset.range(1).map(f, { device: "tpu" as "gpu" })).toThrow(
      /wants the device cpu, mixed or gpu, got "tpu"/,
    );
  });

  it("infer the types of their elements", () => {
    const words: string[] = ["a"];
    const long: data.Dataset<boolean> = Dataset.from(words)
      .filter((s) => s.length > 0)
      .map((s) => s.endsWith("a"));
    const typed: data.Dataset<number> = Dataset.from(Float32Array.of(1.5)).map((x) => x.valueOf());
    const made: data.Dataset<string> = Dataset.from({
      length: 2,
      at: async (i: number) => `${i}`.padStart(2),
    });
    const later_: data.Dataset<string> = Dataset.from(async function* () {
      yield "x";
    }).map((s) => s.trim());
    expect([[...long], [...typed], made.size, later_.size]).toEqual([[true], [1.5], 2, undefined]);
    const pairs: data.Dataset<[number, string]> = Dataset.range(3).zip(Dataset.from(["a"]));
    const three: data.Dataset<[number, string, boolean]> = Dataset.zip(
      Dataset.range(1),
      Dataset.from(["a"]),
      Dataset.from([true]),
    );
    const lists: data.Dataset<string[]> = pairs.map(([, s]) => s).batch(2);
    const later: data.Dataset<number> = lists.map(async (list) => list.length);
    const tensors: data.Dataset<{ x: Tensor; name: string[] }> = Dataset.from([{ x: 1, name: "a" }])
      .batch(2)
      .collate();
    expect([three.size, later.size, tensors.size]).toEqual([1, 1, 1]);
    expect(String(lists)).toBe("zip[range; from] → map → batch(2)");
  });
});
