/** Threads load the built library: these tests run on `dist`. */
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { fileURLToPath } from "node:url";
import fc from "fast-check";
import { afterAll, afterEach, describe, expect, it, vi } from "vitest";
import { build as buildWith, n, type Program, programs } from "../../../test/support/random-pipelines.js";

type Library = typeof import("../../index.js");
const library = (await import(new URL("../../../dist/index.js", import.meta.url).href)) as Library;
const { data, heapStats, tensor, tidy, Tensor } = library;
const { Tuner } = (await import(
  new URL("../../../dist/data/engine/tuner.js", import.meta.url).href
)) as typeof import("./tuner.js");
const { Dataset } = data;
type DataSet<T> = import("../dataset/dataset.js").Dataset<T>;
type Checkpoint = import("../dataset/walk.js").Checkpoint;

const build = (program: Program) => buildWith(program, Dataset);
const folder = mkdtempSync(join(tmpdir(), "mlsys-engine-"));
afterAll(() => rmSync(folder, { recursive: true }));

async function collect<T>(source: AsyncIterable<T>): Promise<T[]> {
  const list: T[] = [];
  for await (const item of source) list.push(item);
  return list;
}

/** Walks with threads end them, however they end. */
afterEach(() => expect(data.pipelineThreads()).toBe(0));

describe("pipelines", () => {
  it("give what walks without threads give, for any number of workers and any buffer", async () => {
    await fc.assert(
      fc.asyncProperty(programs, n(1, 3), n(1, 6), async (program, workers, buffer) => {
        const wanted = await collect(build(program).set);
        expect(await collect(build(program).set.pipeline({ workers, buffer }))).toEqual(wanted);
      }),
      { numRuns: 16 },
    );
  });

  it("go on from states of walks with and without threads, in walks with and without", async () => {
    await fc.assert(
      fc.asyncProperty(programs, n(0, 30), n(1, 2), async (program, first, workers) => {
        const wanted = await collect(build(program).set);
        const walk = build(program).set.pipeline({ workers })[Symbol.asyncIterator]();
        for (let i = 0; i < first; i++) await walk.next();
        const state = JSON.parse(JSON.stringify(walk.state())) as Checkpoint;
        await walk.return();
        expect(await collect(build(program).set.resume(state)), "with → without").toEqual(
          wanted.slice(first),
        );
        expect(await collect(build(program).set.pipeline({ workers }).resume(state)), "with → with").toEqual(
          wanted.slice(first),
        );
        const plain = build(program).set[Symbol.asyncIterator]();
        for (let i = 0; i < first; i++) await plain.next();
        const other = JSON.parse(JSON.stringify(plain.state())) as Checkpoint;
        await plain.return();
        expect(await collect(build(program).set.pipeline().resume(other)), "without → with").toEqual(
          wanted.slice(first),
        );
      }),
      { numRuns: 8 },
    );
  });

  it("walk epoch after epoch; random numbers are the elements' own", async () => {
    const make = () =>
      Dataset.range(40)
        .shuffle({ seed: 2 })
        .map((x, _, random) => x + random.uniform(), { seed: 5 })
        .batch(7);
    const plain = make();
    const epochs = [[...plain], [...plain]];
    const pipeline = make().pipeline({ workers: 2 });
    expect([await collect(pipeline), await collect(pipeline)]).toEqual(epochs);
    expect(epochs[0]).not.toEqual(epochs[1]);
  });

  it("give each op threads of its own, as the book's image pipeline has them: 3, 2, 4, 3, 1", async () => {
    const pass = (name: string, parallel: number) => [(x: number) => x + 1, { name, parallel }] as const;
    const set = Dataset.range(60)
      .map(...pass("decode", 3))
      .map(...pass("resize", 2))
      .map(...pass("rotate", 4))
      .map(...pass("normalize", 3))
      .map(...pass("hwc2chw", 1));
    const pipeline = set.pipeline({ profile: true });
    expect(pipeline.plan.after).toBe(
      "range → threads{ map(decode) ×3 → map(resize) ×2 → map(rotate) ×4 → map(normalize) ×3 → map(hwc2chw) ×1 }",
    );
    const walk = pipeline[Symbol.asyncIterator]();
    expect(await collect(walk)).toEqual(Array.from({ length: 60 }, (_, i) => i + 5));
    const lanes = new Set(walk.profile().spans.map(({ lane }) => lane));
    expect([...lanes].filter((lane) => lane.startsWith("worker")).length).toBeGreaterThanOrEqual(9);
    expect(walk.profile().ops.map(({ op, elements, threads }) => [op, elements, threads])).toEqual([
      ["map(decode)", 60, 3],
      ["map(resize)", 60, 2],
      ["map(rotate)", 60, 4],
      ["map(normalize)", 60, 3],
      ["map(hwc2chw)", 60, 1],
    ]);
  });

  it("give the batches of the book's data loader: rows of a 10 × 5 tensor, batches of 2, 3 workers", async () => {
    const table = tensor(
      Float32Array.from({ length: 50 }, (_, i) => i),
      { shape: [10, 5] },
    );
    const rows = { length: 10, at: (i: number) => table.at(i) };
    const batches: unknown[] = [];
    for await (const batch of Dataset.from(rows).batch(2).collate().pipeline({ workers: 3 }))
      batches.push(batch.toArray());
    const row = (i: number) => [0, 1, 2, 3, 4].map((k) => 5 * i + k);
    expect(batches).toEqual([0, 2, 4, 6, 8].map((i) => [row(i), row(i + 1)]));
  });

  it("hold back when the consumer doesn't ask: no more is read than fits", async () => {
    let read = 0;
    const set = Dataset.from(function* () {
      for (;;) yield read++;
    }).map((x) => x * 2, { parallel: 2 });
    const walk = set.pipeline({ buffer: 3 })[Symbol.asyncIterator]();
    for (let i = 0; i < 40; i++) {
      expect((await walk.next()).value).toBe(2 * i);
      const ahead = read - i;
      expect(ahead).toBeLessThanOrEqual(4 * 1024);
    }
    await walk.return();
  });
});

describe("tensors of pipelines", () => {
  it("cross threads without copies, and give their memory back", async () => {
    const before = heapStats().liveBytes;
    const set = Dataset.range(64)
      .map((i) => new Float32Array(1024).fill(i))
      .batch(4)
      .collate()
      .map((x) => x.mul(2), { name: "twice", parallel: 1 })
      .map((x) => ({ x, again: x, row: x.at(0) }), { name: "views", parallel: 1 });
    let seen = 0;
    const walk = set.pipeline({ workers: 1 })[Symbol.asyncIterator]();
    for await (const { x, again, row } of walk) {
      expect(x).toBeInstanceOf(Tensor);
      const storages = [x, again, row].map((t) => (t as unknown as { storage: object }).storage);
      expect(new Set(storages).size).toBe(1); // views stay views
      const values = tidy(() => [x.at(3).at(5).item(), row.at(1023).item()]);
      expect(values).toEqual([2 * (4 * seen + 3), 8 * seen]);
      for (const t of [x, again, row]) t.dispose();
      seen++;
    }
    expect(seen).toBe(16);
    expect(heapStats().liveBytes - before).toBeLessThan(16 * 1024);
  });

  it("reuse blocks: memory doesn't grow with the number of batches", async () => {
    const walk = async (count: number): Promise<number> => {
      for await (const x of Dataset.range(count)
        .map((i) => new Float32Array(50_000).fill(i))
        .batch(2)
        .collate()
        .pipeline({ workers: 2, buffer: 4 }))
        x.dispose();
      return heapStats().committedBytes;
    };
    const small = await walk(40);
    const large = await walk(600); // 120 MB of tensors
    expect(large - small).toBeLessThan(64e6);
    for (let epoch = 0; epoch < 3; epoch++) await walk(60);
    expect(heapStats().committedBytes - large).toBeLessThanOrEqual(2 ** 25); // what threads had of the heap is used again
  });

  it("that the source has go to threads and come back as they are", async () => {
    const table = tensor([
      [1, 2],
      [3, 4],
      [5, 6],
    ]);
    const set = Dataset.range(3).map((i) => ({ i, row: table.at(i) }), { parallel: 0 });
    const found = await collect(
      set.map(({ i, row }) => ({ i, row, sum: row.sum() })).pipeline({ workers: 2 }),
    );
    expect(found.map(({ row, sum }) => [row.toArray(), sum.item()])).toEqual([
      [[1, 2], 3],
      [[3, 4], 7],
      [[5, 6], 11],
    ]);
    for (const { row, sum } of found) {
      expect((row as unknown as { storage: object }).storage).toBe(
        (table as unknown as { storage: object }).storage,
      );
      row.dispose();
      sum.dispose();
    }
    expect(table.toArray()).toEqual([
      [1, 2],
      [3, 4],
      [5, 6],
    ]);
  });

  it("outlive the threads that made them", async () => {
    const kept: InstanceType<typeof Tensor>[] = [];
    for await (const x of Dataset.range(10).batch(2).collate().pipeline({ workers: 2 })) kept.push(x);
    const filler = Array.from({ length: 50 }, (_, i) => tensor(new Float32Array(10).fill(100 + i)));
    expect(kept.map((x) => x.toArray())).toEqual([
      [0, 1],
      [2, 3],
      [4, 5],
      [6, 7],
      [8, 9],
    ]);
    for (const x of [...kept, ...filler]) x.dispose();
  });
});

describe("training on pipelines", () => {
  it("takes batches from threads, epoch after epoch, and gives them back", async () => {
    const { fit, nn, optim } = library;
    const set = Dataset.range(64)
      .shuffle({ seed: 1 })
      .map((i) => ({ x: [i / 64, 1], y: [(2 * i) / 64] }))
      .batch(8)
      .collate();
    const trained = async (epochs: number, batches: import("../../train/fit.js").Batches) => {
      library.manualSeed(1);
      const model = new nn.Dense(2, 1);
      const optimizer = new optim.SGD(model, { lr: 0.1 });
      return await fit(model, batches, { loss: nn.mse, optimizer, epochs, progress: false });
    };
    await trained(1, set.pipeline({ workers: 2 }));
    const before = heapStats().liveStorages;
    const history = await trained(4, set.pipeline({ workers: 2 }));
    expect(heapStats().liveStorages - before).toBeLessThan(20); // of 64 in 32 batches
    expect(history.epochEnds).toEqual([8, 16, 24, 32]);
    expect(history.loss).toEqual((await trained(4, set)).loss);
    expect(history.epochLoss(3)).toBeLessThan(history.epochLoss(0));
    const model = new nn.Dense(2, 1);
    const options = { loss: nn.mse, optimizer: new optim.SGD(model, { lr: 0.1 }), progress: false };
    const stopped = await fit(model, set.pipeline({ workers: 2 }), {
      ...options,
      callbacks: [{ onStep: ({ step, stop }) => void (step === 3 && stop()) }],
    });
    expect(stopped.loss).toHaveLength(3);
  });
});

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

  it("are those of the library and of Node, found on the thread", async () => {
    const library = data;
    const name = basename;
    const set = Dataset.from(["/x/1", "/x/2"]).map(
      (path) => library.rescale(Float32Array.of(Number(name(path))), 2, 1)[0],
    );
    expect(await collect(set.pipeline({ workers: 1 }))).toEqual([3, 5]);
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

  it.each<[string, () => DataSet<unknown>, RegExp]>([
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
      t: InstanceType<typeof Tensor>;
      twice: InstanceType<typeof Tensor>[];
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
    const sparse = Dataset.range(2)
      .batch(1)
      .collate()
      .map((x) => library.toSparse(x), { name: "sparse" });
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

describe("errors in pipelines", () => {
  const failing = (bad: number, name = "f") =>
    Dataset.range(40).map(
      (x) => {
        if (x % 10 === bad) throw new RangeError(`no ${x}`);
        return x;
      },
      { name },
    );

  it("name op and element, after the elements before it, whatever the threads", async () => {
    for (const workers of [1, 3]) {
      const seen: number[] = [];
      const running = (async () => {
        for await (const x of failing(7)
          .filter((x) => x % 2 === 0)
          .pipeline({ workers }))
          seen.push(x);
      })();
      await expect(running).rejects.toMatchObject({
        name: "ElementError",
        message: "dataset: map(f) failed at element 7: no 7",
        op: "map(f)",
        element: 7,
      });
      expect(seen).toEqual([0, 2, 4, 6]);
    }
    const behind = Dataset.range(40)
      .filter((x) => x % 3 === 0)
      .map((x) => {
        if (x === 27) throw new Error("27");
        return x;
      });
    await expect(collect(behind.pipeline({ workers: 2 }))).rejects.toThrow("map failed at element 9: 27");
    await expect(collect(behind)).rejects.toThrow("map failed at element 9: 27");
    const later = Dataset.range(9).map(async (x) => {
      await null;
      if (x === 5) throw new Error("late");
      return x;
    });
    await expect(collect(later.pipeline({ workers: 2 }))).rejects.toThrow("map failed at element 5: late");
    const inBatch = failing(7).batch(4).pipeline({ workers: 2 });
    await expect(collect(inBatch)).rejects.toThrow("map(f) failed at element 7: no 7");
    const source = Dataset.from(function* () {
      yield 1;
      yield 2;
      throw new Error("disk on fire");
    });
    const before: number[] = [];
    await expect(
      (async () => {
        for await (const x of source.map((x) => x).pipeline({ workers: 1 })) before.push(x);
      })(),
    ).rejects.toThrow("disk on fire");
  });

  it("are skipped or tried again where the policy says so, and counted", async () => {
    const set = Dataset.range(20).map(
      (x) => {
        if (x % 5 === 0) throw new Error("no");
        return x;
      },
      { name: "f", onError: { retry: 2, otherwise: "skip" } },
    );
    const walk = set.pipeline({ workers: 2 })[Symbol.asyncIterator]();
    expect(await collect(walk)).toEqual([...set]);
    expect(walk.failures).toEqual({ "map(f)": { skipped: 4, retried: 8 } });
  });

  it("tell of threads that are gone", async () => {
    const set = Dataset.range(10).map((x) => (x === 3 ? process.exit(7) : x), { name: "f" });
    await expect(collect(set.pipeline({ workers: 2 }))).rejects.toThrow(
      /pipeline: worker \d ended with exit code 7; elements from \d on were on their way through map\(f\)/,
    );
  });
});

describe("the end of a pipeline", () => {
  const endless = () =>
    Dataset.range(5)
      .repeat()
      .map((x) => new Float32Array(1000).fill(x))
      .batch(2)
      .collate();

  it("comes with the loop's, with all threads and memory", async () => {
    const before = heapStats().liveBytes;
    let count = 0;
    for await (const x of endless().pipeline({ workers: 2 })) {
      x.dispose();
      if (++count === 20) break;
    }
    await expect(
      (async () => {
        for await (const x of endless().pipeline({ workers: 2 })) {
          x.dispose();
          throw new Error("the consumer's own");
        }
      })(),
    ).rejects.toThrow("the consumer's own");
    expect(data.pipelineThreads()).toBe(0);
    expect(heapStats().liveBytes - before).toBeLessThan(16 * 1024);
  });

  it("comes with a signal, also while a thread is busy", async () => {
    const controller = new AbortController();
    const set = Dataset.range(3).map((x) => {
      if (x === 1) for (;;);
      return x;
    });
    const seen: number[] = [];
    const running = (async () => {
      for await (const x of set.pipeline({ workers: 1, signal: controller.signal })) {
        seen.push(x);
        setImmediate(() => controller.abort(new Error("enough")));
      }
    })();
    await expect(running).rejects.toThrow("enough");
    expect(seen).toEqual([0]);
    await expect(collect(set.pipeline({ signal: controller.signal }))).rejects.toThrow("enough");
  });

  /** Runs a program that prints a line when it is in the midst of a walk. */
  const program = (body: string) => {
    const library = new URL("../../../dist/index.js", import.meta.url).href;
    return spawn(
      process.execPath,
      [
        "--expose-gc",
        "--input-type=module",
        "-e",
        `import { data } from ${JSON.stringify(library)};\n${body}`,
      ],
      { stdio: ["ignore", "pipe", "inherit"], cwd: fileURLToPath(new URL(".", import.meta.url)) },
    );
  };
  const ended = (child: ReturnType<typeof program>) =>
    new Promise<[number | null, string | null, string]>((resolve) => {
      let out = "";
      child.stdout?.on("data", (text) => {
        out += text;
      });
      child.on("close", (code, signal) => resolve([code, signal, out.trim()]));
    });

  it("comes with Ctrl-C", async () => {
    const child = program(`
      const set = data.Dataset.range(10).repeat().map((x) => x + 1);
      let n = 0;
      for await (const x of set.pipeline({ workers: 2 })) if (++n === 50) console.log("going");
    `);
    child.stdout?.once("data", () => child.kill("SIGINT"));
    expect(await ended(child)).toEqual([null, "SIGINT", "going"]);
  }, 60_000);

  it("comes when a walk is left lying, and the process may end", async () => {
    const child = program(`
      const set = data.Dataset.range(10).repeat().map((x) => x + 1);
      await (async () => {
        const walk = set.pipeline({ workers: 2 })[Symbol.asyncIterator]();
        await walk.next();
      })();
      console.log(data.pipelineThreads());
      while (data.pipelineThreads() > 0) {
        gc();
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
      const other = set.pipeline({ workers: 1 })[Symbol.asyncIterator]();
      await other.next();
      console.log("end");
    `);
    expect(await ended(child)).toEqual([0, null, "2\nend"]);
  }, 60_000);
});

describe("rewrites", () => {
  const f = (x: number) => x;
  it("fuse and vectorize, and say so", () => {
    const set = Dataset.range(100)
      .map(f, { name: "decode" })
      .map(f, { name: "resize" })
      .filter((x) => x > 0, { name: "keep" })
      .filter((x) => x > 1, { name: "more" });
    expect(set.pipeline().plan.after).toBe(
      "range → threads{ [map(decode) + map(resize) + filter(keep) + filter(more)] }",
    );
    const text = Dataset.range(100)
      .map(f, { name: "decode" })
      .batch(4)
      .collate()
      .prefetch(2)
      .pipeline()
      .explain();
    expect(text.split("\n").filter((line) => !line.startsWith("    "))).toEqual([
      "written:   range → map(decode) → batch(4) → collate → prefetch(2)",
      "map–batch vectorization: map(decode) → batch(4) → collate  ⇒  batch(4) → each map(decode) → collate",
      "map+map fusion: batch(4) → each map(decode) → collate  ⇒  batch(4) → [each map(decode) + collate]",
      "runs:      range → batch(4) → threads{ [each map(decode) + collate] } → prefetch(2)",
    ]);
  });

  it("leave what would change: batches behind filters, indices behind filters, ops with threads of their own", () => {
    const after = (set: DataSet<unknown>) => set.pipeline().plan.after;
    const kept = Dataset.range(9).filter((x) => x > 1, { name: "keep" });
    expect(after(kept.batch(2).map((l) => l.length, { name: "size" }))).toBe(
      "range → threads{ filter(keep) } → batch(2) → threads{ map(size) }",
    );
    expect(after(kept.map((x, i) => x + i, { name: "number" }))).toBe(
      "range → threads{ filter(keep) } → threads{ map(number) }",
    );
    expect(after(kept.map((x, ...rest) => x + rest.length, { name: "rest" }))).toMatch(
      /} → threads{ map\(rest\) }/,
    );
    expect(after(kept.map((x, i = 0) => x + i, { name: "default" }))).toMatch(
      /} → threads{ map\(default\) }/,
    );
    expect(after(kept.map(({ toFixed }: number) => toFixed, { name: "pattern" }))).toMatch(
      /keep\) \+ map\(pattern\)/,
    );
    expect(after(Dataset.range(9).map(f, { name: "a", parallel: 2 }).map(f, { name: "b" }))).toBe(
      "range → threads{ map(a) ×2 → map(b) }",
    );
    expect(
      after(Dataset.range(9).map(f, { name: "here", parallel: 0 }).map(f, { name: "gpu", device: "mixed" })),
    ).toBe("range → map(here) → map(gpu)");
    expect(after(Dataset.zip(kept, Dataset.range(3).map(f, { name: "b" })))).toBe(
      "zip[range → threads{ filter(keep) }; range → threads{ map(b) }]",
    );
  });
});

describe("the autotuner", () => {
  const stage = (parallel: number | "auto") =>
    ({ kind: "call", ops: [{ parallel }] }) as unknown as import("./rewrites.js").CallStep;
  const after = (
    tuner: InstanceType<typeof Tuner>,
    costs: readonly number[],
    consumer: number,
    chunks = 24,
  ) => {
    for (let i = 0; i < chunks; i++) {
      for (const [k, ms] of costs.entries()) tuner.worked(k, 1, ms, 1000);
      tuner.consumed(1, consumer, consumer < Math.max(...costs));
      tuner.takeWidths();
    }
    return tuner;
  };

  it("gives threads to the stages that need them, and no more than the pace needs", () => {
    const slow = after(new Tuner([stage("auto")], 8, false, undefined), [10], 2.5);
    expect(slow.widths).toEqual([5]); // 10 ms of work for each 2.5 ms of the consumer's, and a fifth more
    const patient = after(new Tuner([stage("auto")], 8, false, undefined), [1], 20);
    expect(patient.widths).toEqual([1]);
    const hungry = after(
      new Tuner([stage("auto"), stage(2), stage("auto")], 6, false, undefined),
      [1, 9, 5],
      0.01,
    );
    expect(hungry.widths).toEqual([1, 2, 5]);
    const fixed = after(new Tuner([stage("auto")], 3, true, undefined), [1], 20);
    expect(fixed.widths).toEqual([3]);
  });

  it("makes messages as large as some milliseconds' work, and no larger than a mebibyte", () => {
    expect(after(new Tuner([stage("auto")], 1, true, undefined), [0.01], 0.001, 60).chunk).toBe(256);
    expect(after(new Tuner([stage("auto")], 1, true, undefined), [30], 0.001).chunk).toBe(1);
    const heavy = new Tuner([stage("auto")], 1, true, undefined);
    for (let i = 0; i < 40; i++) {
      heavy.worked(0, heavy.chunk, 0.01 * heavy.chunk, 2 ** 18 * heavy.chunk);
      heavy.consumed(heavy.chunk, 0.001, false);
    }
    expect(heavy.chunk).toBe(4);
  });

  it("lets more wait where the threads are fast enough and the consumer still finds nothing", () => {
    const tuner = new Tuner([stage("auto")], 2, true, undefined);
    const before = tuner.window;
    for (let i = 0; i < 24; i++) {
      tuner.worked(0, 1, 1, 10);
      tuner.consumed(1, 2, i % 2 === 0);
    }
    expect(tuner.window).toBeGreaterThan(before);
    expect(tuner.changes.some(({ what }) => what === "window")).toBe(true);
  });

  it("changes widths while elements flow, and none is lost or late", async () => {
    const wanted = vi.spyOn(Tuner.prototype as unknown as { wantedWidths(): number[] }, "wantedWidths");
    const plans = [
      [2, 1],
      [1, 3],
      [3, 2],
      [1, 1],
    ];
    let changes = 0;
    wanted.mockImplementation(() => plans[changes++ % plans.length]);
    try {
      const set = Dataset.range(3000)
        .filter((x) => x % 3 !== 0)
        .map((x, i) => x + i) // a new segment: the index behind a filter
        .flatMap((x) => (x % 2 === 0 ? [x, x + 1] : []));
      const two = Dataset.range(2000)
        .map((x) => x + 1)
        .flatMap((x) => [x, -x]);
      const walk = two.pipeline({ workers: 2, buffer: 5 })[Symbol.asyncIterator]();
      expect(await collect(walk)).toEqual([...two]);
      expect(await collect(set.pipeline({ workers: 2 }))).toEqual([...set]);
      expect(changes).toBeGreaterThan(3);
    } finally {
      wanted.mockRestore();
    }
  });
});

describe("profiles", () => {
  it("say who did what, and count it", async () => {
    const set = Dataset.range(60)
      .map((x) => Math.sqrt(x), { name: "root" })
      .filter((x) => x > 1, { name: "keep" });
    const walk = set.pipeline({ workers: 1, profile: true })[Symbol.asyncIterator]();
    for await (const _ of walk);
    const report = walk.profile();
    expect(report.ops.map(({ op, elements, threads }) => [op, elements, threads])).toEqual([
      ["map(root)", 60, 1],
      ["filter(keep)", 60, 1],
    ]);
    for (const { ms } of report.ops) expect(ms).toBeGreaterThan(0);
    for (const rate of [report.F, report.P, report.G]) expect(rate).toBeGreaterThan(0);
    const lanes = new Set(report.spans.map(({ lane, name }) => `${lane}: ${name}`));
    for (const lane of ["main: range", "main: consumer", "worker 0: map(root)", "worker 0: filter(keep)"])
      expect(lanes).toContain(lane);
    expect(report.gantt().data.length).toBe(4);
    expect(Object.keys(report.utilization()).sort()).toEqual(["main", "worker 0"]);
  });

  it("find the bottleneck: no stall iff G < min(F, P)", () => {
    const ops = [{ op: "map(decode)", elements: 10, ms: 20, threads: 3 }];
    const of = (F: number, P: number, G: number) =>
      new data.PipelineProfile(
        [],
        ops,
        F,
        P,
        G,
        30,
        70,
        [{ unit: 9, what: "chunk", from: "1", to: "4" }],
        "map(decode)",
      );
    expect([
      of(9, 8, 7).bottleneck,
      of(7, 8, 9).bottleneck,
      of(9, 7, 8).bottleneck,
      of(9, 8, 8).bottleneck,
    ]).toEqual(["consumer", "reading", "preprocessing", "preprocessing"]);
    expect(String(of(900, 80.5, 100))).toBe(`F (read) 900/s, P (preprocess) 80.5/s, G (consume) 100/s
G ≥ min(F, P): the consumer stalls; it waited 30 % of the time
preprocessing sets the pace (CPU-bound) in map(decode): more threads, or a faster op
  map(decode): 10 elements, 2000.0 µs each, 3 threads
  tuned at 9: chunk 1 → 4`);
    expect(String(of(900, 800, 100))).toMatch(/G < min\(F, P\): no stall/);
    expect(String(of(90, 800, 100))).toMatch(/reading sets the pace \(I\/O-bound\)/);
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
