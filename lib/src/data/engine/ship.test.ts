/** Functions on their way to threads. */
import { basename } from "node:path";
import { afterEach, describe, expect, it } from "vitest";
import {
  collect,
  Dataset,
  data,
  library,
  noThreads,
  type Tensor,
  tensor,
  tidy,
} from "../../../test/support/built-library.js";

afterEach(noThreads);

describe("functions of pipelines", () => {
  it("take the values around them along: numbers, tables, functions, classes, modules", async () => {
    const table = { weights: Float64Array.of(1, 10, 100), names: new Map([["a", 1]]) };
    const scale = (x: number): number => x * (table.weights[1] as number);
    class Base {
      constructor(readonly by: number) {}
      apply(x: number): number {
        return x + this.by;
      }
    }
    class Shift extends Base {
      override apply(x: number): number {
        return super.apply(scale(x));
      }
    }
    const even = (k: number): boolean => (k === 0 ? true : odd(k - 1));
    const odd = (k: number): boolean => (k === 0 ? false : even(k - 1));
    // as text: the test runner would put a function of its own in the place of import
    const nameOf = new Function(
      "path",
      "return import('node:path').then((module) => module.basename(path))",
    ) as (path: string) => Promise<string>;
    const set = Dataset.range(4).map(
      async (x) =>
        [new Shift(table.names.get("a") as number).apply(x), even(x), await nameOf("/a/b.txt")] as const,
    );
    const wanted = [0, 1, 2, 3].map((x) => [10 * x + 1, x % 2 === 0, "b.txt"]);
    expect(await collect(set.pipeline({ workers: 1 }))).toEqual(wanted);
  });

  it("import what they need, also as cells of notebooks do it, which are no modules", async () => {
    const load = Object.assign(() => {}, { [Symbol.for("mlsys.import")]: true });
    Object.assign(globalThis, { cellRuntime: { load, meta: {} } });
    const names = new Function("return async (x) => (await cellRuntime.load('node:path')).basename(x)")();
    expect(await collect(Dataset.from(["/a/b"]).map(names).pipeline({ workers: 1 }))).toEqual(["b"]);
    const own = new Function("return () => cellRuntime.meta.url")();
    await expect(collect(Dataset.range(1).map(own).pipeline({ workers: 1 }))).rejects.toThrow(/import\.meta/);
  });

  it("are those of the library and of Node, found on the thread", async () => {
    const ours = data;
    const name = basename;
    const set = Dataset.from(["/x/1", "/x/2"]).map(
      (path) => ours.rescale(Float32Array.of(Number(name(path))), 2, 1)[0],
    );
    expect(await collect(set.pipeline({ workers: 1 }))).toEqual([3, 5]);
  });

  it("compute alone: the pool of threads is the main thread's", async () => {
    const { setNumThreads, getNumThreads } = library;
    const counts = Dataset.range(1).map(() => getNumThreads());
    expect(await collect(counts.pipeline({ workers: 1 }))).toEqual([1]);
    const more = Dataset.range(1).map(() => setNumThreads(2));
    await expect(collect(more.pipeline({ workers: 1 }))).rejects.toThrow(
      /a pipeline's worker computes alone/,
    );
  });

  it("can be functions of modules", async () => {
    const square = data.moduleFunction<number, number>(
      new URL("../../../test/support/parallel-work.mjs", import.meta.url),
      "square",
    );
    const set = Dataset.range(4).map(square);
    expect(await collect(set.pipeline({ workers: 1 }))).toEqual([0, 1, 4, 9]);
    expect(await collect(set)).toEqual([0, 1, 4, 9]);
    const missing = Dataset.range(2).map(data.moduleFunction<number, number>("node:path", "nothing"), {
      name: "m",
    });
    await expect(collect(missing.pipeline({ workers: 1 }))).rejects.toThrow(
      /map\(m\).*node:path exports no function named nothing/,
    );
  });

  it.each<[string, () => Dataset<unknown>, RegExp]>([
    [
      "a counter outside",
      () => {
        let seen = 0;
        return Dataset.range(2).map((x) => x + seen++, { name: "f" });
      },
      /map\(f\) can't run on worker threads: the function itself can't travel: it changes `seen`, a variable outside of it/,
    ],
    [
      "an instance of a class",
      () => {
        const watcher = new AbortController();
        return Dataset.range(2).map((x) => [x, watcher.signal], { name: "f" });
      },
      /`watcher` can't travel: an instance of AbortController: its methods.*make it inside of the function/,
    ],
    [
      "something deep inside",
      () => {
        const options = { nested: [{ deep: Promise.resolve(1) }] };
        return Dataset.range(2).map(() => options.nested, { name: "f" });
      },
      /`options` \(in it, `nested`, `0`, `deep`\) can't travel: an instance of Promise/,
    ],
    [
      "a bound function",
      () => Dataset.range(2).map(Math.max.bind(null, 1) as (x: number) => number, { name: "f" }),
      /native code or a bound function/,
    ],
    [
      "this",
      () =>
        Dataset.range(2).map(
          function (this: unknown, x: number) {
            return [this, x];
          },
          { name: "f" },
        ),
      /it uses `this`/,
    ],
    [
      "a tensor",
      () => {
        const table = tensor([1, 2]);
        return Dataset.range(2).map((i) => table.at(i), { name: "f" });
      },
      /`table` can't travel: a tensor: its memory is counted on this thread/,
    ],
    [
      "a symbol",
      () => {
        const tag = Symbol("tag");
        return Dataset.range(2).map(() => String(tag), { name: "f" });
      },
      /`tag` can't travel: a symbol/,
    ],
  ])("say what can't travel: %s", async (_, make, message) => {
    await expect(make().pipeline().check()).rejects.toThrow(message);
    await expect(collect(make().pipeline())).rejects.toThrow(message);
  });

  it("may give what is in itself, and tensors twice", async () => {
    interface Ring {
      t: Tensor;
      twice: Tensor[];
      self?: Ring;
    }
    const set = Dataset.from([Float32Array.of(1, 2)])
      .batch(1)
      .collate()
      .map((t) => {
        const ring: Ring = { t, twice: [t, t] };
        ring.self = ring;
        return ring;
      });
    const [ring] = await collect(set.pipeline({ workers: 1 }));
    expect(ring.self).toBe(ring);
    expect(ring.twice).toEqual([ring.t, ring.t]);
    expect(ring.t.toArray()).toEqual([[1, 2]]);
  });

  it("say which element can't be sent, or come back", async () => {
    const { toSparse } = library;
    const sparse = Dataset.range(2)
      .batch(1)
      .collate()
      .map((x) => toSparse(x), { name: "sparse" });
    await expect(collect(sparse.pipeline({ workers: 1 }))).rejects.toThrow(
      /map\(sparse\) failed at element 0: its result can't be sent to another thread: an instance of SparseTensor can't travel between threads/,
    );
    await expect(
      collect(
        Dataset.from([1, () => 2])
          .map((x) => x, { name: "f" })
          .pipeline({ workers: 1 }),
      ),
    ).rejects.toThrow(
      /an element of from, from number \d on, can't be sent to a thread: .*could not be cloned/,
    );
    await expect(
      collect(
        Dataset.from([new URL("file:///a")])
          .map((x) => x)
          .pipeline({ workers: 1 }),
      ),
    ).rejects.toThrow(
      /can't be sent to a thread: an instance of URL can't travel between threads: it would lose its methods/,
    );
    const bad = Dataset.range(4).map((x) => (x === 2 ? () => x : x), { name: "f" });
    await expect(collect(bad.pipeline({ workers: 1 }))).rejects.toThrow(
      /map\(f\) failed at element 2: its result can't be sent to another thread/,
    );
  });
});

describe("native ops", () => {
  const source = `
    void blend(const float *in, float *out, const long long *shape, int rank, const double *params) {
      long long n = 1;
      for (int axis = 0; axis < rank; axis++) n *= shape[axis];
      for (long long i = 0; i < n; i++) out[i] = in[i] * (float)params[0] + (float)params[1];
    }
  `;
  it.skipIf(!data.nativeOpSupport())("are C, compiled and called on every thread", async () => {
    const blend = data.nativeOp({ source, name: "blend", params: [3, 1] });
    const set = Dataset.range(6)
      .map((x) => Float32Array.of(x, -x))
      .batch(2)
      .collate()
      .map(blend);
    const rows: unknown[] = [];
    for await (const x of set.pipeline({ workers: 2 })) rows.push(x.toArray());
    expect(rows).toEqual([0, 1, 2].map((k) => [2 * k, 2 * k + 1].map((x) => [3 * x + 1, -3 * x + 1])));
    expect(tidy(() => blend(tensor([2])).toArray())).toEqual([7]);
    expect(() => blend(tensor([1], { dtype: "int32" }))).toThrow("blend: takes float32, got int32(1,)");
    expect(() => data.nativeOp({ source: "void blend( {", name: "blend" })).toThrow(/could not compile/);
    expect(() => data.nativeOp({ source, name: "blur" })).toThrow(/has no function blur/);
  });
});
