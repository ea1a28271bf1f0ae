/** How pipelines fail, and how they end. */
import { spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import { afterEach, describe, expect, it } from "vitest";
import { collect, Dataset, data, heapStats, noThreads } from "../../../test/support/built-library.js";

afterEach(noThreads);

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
