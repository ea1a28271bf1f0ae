/** Data workers over real sockets: the same elements in the same order, whoever comes and goes. */
import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import fc from "fast-check";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import {
  type Checkpoint,
  collect,
  Dataset,
  data,
  heapStats,
  library,
  tensor,
} from "../../../test/support/built-library.js";
import { build as buildWith, n, type Program, programs } from "../../../test/support/random-pipelines.js";

type Worker = Awaited<ReturnType<typeof data.serveData>>;

const build = (program: Program) => buildWith(program, Dataset);
const SECRET = "a secret of the tests";
const command = fileURLToPath(new URL("../../../bin/mlsys.mjs", import.meta.url));
const folder = mkdtempSync(join(tmpdir(), "mlsys-remote-"));
const children = new Set<ChildProcess>();
afterAll(() => rmSync(folder, { recursive: true, force: true }));
afterEach(() => {
  for (const child of children) child.kill("SIGKILL");
  children.clear();
});

/** `mlsys …`, and the address that it prints. */
async function started(
  args: string[],
  env: Record<string, string> = {},
): Promise<{ child: ChildProcess; address: string }> {
  const child = spawn(process.execPath, [command, ...args], {
    env: { ...process.env, ...env },
    stdio: ["ignore", "pipe", "inherit"],
  });
  children.add(child);
  for await (const line of createInterface({ input: child.stdout as NodeJS.ReadableStream })) {
    const address = /(?:tcp|ipc):\/\/[^,\s]+/.exec(line)?.[0];
    if (address) return { child, address };
  }
  throw new Error("it ended without an address");
}

const ended = (child: ChildProcess): Promise<unknown> =>
  new Promise((resolve) => {
    if (child.exitCode !== null || child.signalCode !== null) resolve(null);
    else child.once("exit", resolve);
  });

async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await new Promise((resolve) => setTimeout(resolve, 5));
}

describe("pipelines on data workers", () => {
  let workers: Worker[];
  let remote: { workers: string[] };
  beforeAll(async () => {
    workers = [await data.serveData({ threads: 1 }), await data.serveData({ threads: 2 })];
    remote = { workers: workers.map(({ address }) => address) };
  });
  afterAll(() => Promise.all(workers.map((worker) => worker.close())));

  it("give what walks on this machine give, and go on from one another's states", async () => {
    await fc.assert(
      fc.asyncProperty(programs, n(0, 30), async (program, first) => {
        const wanted = await collect(build(program).set);
        expect(await collect(build(program).set.pipeline({ remote }))).toEqual(wanted);
        const walk = build(program).set.pipeline({ remote })[Symbol.asyncIterator]();
        for (let i = 0; i < first; i++) await walk.next();
        const state = JSON.parse(JSON.stringify(walk.state())) as Checkpoint;
        await walk.return();
        expect(await collect(build(program).set.resume(state)), "remote → here").toEqual(wanted.slice(first));
        expect(await collect(build(program).set.pipeline({ remote }).resume(state))).toEqual(
          wanted.slice(first),
        );
      }),
      { numRuns: 8 },
    );
    expect(workers.every(({ done }) => done > 0)).toBe(true);
  });

  it("bring tensors of all kinds there and back; views of one memory stay that", async () => {
    const table = tensor(
      Float32Array.from({ length: 60 }, (_, i) => i),
      { shape: [20, 3] },
    );
    const before = heapStats().liveStorages;
    const rows = { length: 20, at: (i: number) => table.at(i) };
    const set = Dataset.from(rows).map((row, i) => ({
      twice: row.mul(2),
      flipped: row.mul(2).slice([0, 2]),
      exact: row.cast("int64"),
      half: row.cast("bfloat16"),
      odd: row.greater(i),
      none: row.slice([0, 0]),
      bytes: Uint8Array.of(i, 1),
      when: new Date(i),
      big: 2n ** 70n,
    }));
    let i = 0;
    for await (const x of set.pipeline({ remote })) {
      const row = [3 * i, 3 * i + 1, 3 * i + 2];
      expect(x.twice.toArray()).toEqual(row.map((v) => 2 * v));
      expect(x.flipped.toArray()).toEqual([6 * i, 6 * i + 2]);
      expect([x.exact.dtype, x.exact.toArray().map(Number)]).toEqual(["int64", row]);
      expect([x.half.dtype, x.odd.dtype, x.none.shape]).toEqual(["bfloat16", "bool", [0]]);
      expect(x.odd.toArray().map(Boolean)).toEqual(row.map((v) => v > i));
      expect([[...x.bytes], x.when.getTime(), x.big]).toEqual([[i, 1], i, 2n ** 70n]);
      for (const value of Object.values(x)) if (value instanceof library.Tensor) value.dispose();
      i++;
    }
    expect(i).toBe(20);
    expect(heapStats().liveStorages).toBe(before);
  });

  it("give the memory back of what was on its way when the loop is left", async () => {
    const rows = { length: 400, at: (i: number) => table.at(i) };
    const table = library.zeros([400, 100]);
    const before = heapStats().liveStorages;
    const set = Dataset.from(rows).map((row) => row.add(1));
    for await (const x of set.pipeline({ remote, chunk: 4 })) {
      x.dispose();
      break;
    }
    expect(heapStats().liveStorages).toBe(before);
  });

  it("name the op and the element in errors, count what policies let pass, refuse what can't travel", async () => {
    const failing = Dataset.range(300).map(
      (x) => {
        if (x % 100 === 77) throw new RangeError("no such thing");
        return x;
      },
      { name: "decode" },
    );
    await expect(collect(failing.pipeline({ remote }))).rejects.toThrow(
      "dataset: map(decode) failed at element 77: no such thing",
    );
    const skipping = Dataset.range(300).map((x) => (x % 100 === 77 ? Promise.reject(new Error("no")) : x), {
      onError: "skip",
    });
    const walk = skipping.pipeline({ remote })[Symbol.asyncIterator]();
    expect((await collect(walk)).length).toBe(297);
    expect(walk.failures).toEqual({ map: { skipped: 3, retried: 0 } });
    await expect(
      collect(
        Dataset.range(3)
          .map(() => () => 1)
          .pipeline({ remote }),
      ),
    ).rejects.toThrow(/failed at element 0: its result can't be sent to another machine/);
    let counter = 0;
    await expect(
      collect(
        Dataset.range(3)
          .map((x) => x + counter++)
          .pipeline({ remote }),
      ),
    ).rejects.toThrow(/changes `counter`/);
  });

  it("stop with one error at a function that ends every worker that it comes to", async () => {
    const poison = Dataset.range(40).map((x) => (x === 21 ? process.exit(3) : x), { name: "poison" });
    await expect(collect(poison.pipeline({ remote, chunk: 1 }))).rejects.toThrow(
      /was lost by 3 data workers \(the last: tcp:.*its thread ended\); a function ends them, it seems; elements from \d+ on were on their way through map\(poison\)/,
    );
    expect(
      await collect(
        Dataset.range(9)
          .map((x) => x)
          .pipeline({ remote }),
      ),
    ).toHaveLength(9); // threads are there again
  });

  it("hold back: no more is read than the workers have room for", async () => {
    let read = 0;
    const set = Dataset.from(function* () {
      for (;;) yield read++;
    }).map((x) => x * 2);
    const walk = set.pipeline({ remote, chunk: 5 })[Symbol.asyncIterator]();
    for (let i = 0; i < 200; i++) {
      expect((await walk.next()).value).toBe(2 * i);
      expect(read - i).toBeLessThanOrEqual(5 * (9 + 2)); // 3 threads: 6 at once and 3 more; the one that is given; the one being read
    }
    await walk.return();
  });

  it("show what each worker did", async () => {
    const walk = Dataset.range(200)
      .map((x) => x, { name: "work" })
      .batch(10)
      .pipeline({ remote, profile: true })
      [Symbol.asyncIterator]();
    await collect(walk);
    const profile = walk.profile();
    expect(profile.ops).toMatchObject([{ op: "map(work)", elements: 200 }]);
    expect(profile.spans.some(({ lane }) => /^worker \d/.test(lane))).toBe(true);
  });

  it("answer all the same after messages that are none", async () => {
    const zmq = await import("zeromq");
    const words = [
      "hello",
      "job",
      "work",
      "drop",
      "bye",
      "beat",
      "claim",
      "worker",
      "watch",
      "hold",
      "release",
      "x",
      "",
    ];
    using dispatcher = await data.dispatchData();
    const frame = fc.oneof(fc.constantFrom(...words), fc.uint8Array({ maxLength: 20 }), n(0, 9).map(String));
    for (const address of [remote.workers[0], dispatcher.address]) {
      const socket = new zmq.Dealer({ linger: 1000 });
      socket.connect(address);
      for (const message of fc.sample(fc.array(frame, { minLength: 1, maxLength: 6 }), 300))
        await socket.send(message.map((part) => (typeof part === "string" ? part : Buffer.from(part))));
      socket.close();
    }
    expect(
      await collect(
        Dataset.range(50)
          .map((x) => x + 1)
          .pipeline({ remote: { workers: [remote.workers[0]] } }),
      ),
    ).toHaveLength(50);
    const shared = Dataset.range(10).claim({ dispatcher: dispatcher.address, block: 3, name: "after" });
    expect(await collect(shared)).toHaveLength(10);
  });
});

describe("data workers that come and go", () => {
  /** Doubles; a worker of the environment `HANG` says that it has begun, and never ends. */
  const doubled = (count: number, marks: string) =>
    Dataset.range(count).map((x) => {
      if (process.env.HANG) {
        writeFileSync(`${marks}/${process.pid}`, "");
        Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
      }
      return 2 * x;
    });
  const all = (count: number) => Array.from({ length: count }, (_, i) => 2 * i);
  const marksIn = (name: string): string => mkdtempSync(join(folder, name));

  it("killed: others do what it had, also one that comes later", async () => {
    const dispatcher = await started(["data-dispatcher"]);
    const marks = marksIn("kill-");
    const join = ["data-worker", "--threads", "2", "--dispatcher", dispatcher.address];
    const hanging = await started(join, { HANG: "1" });
    const walk = collect(
      doubled(100, marks).pipeline({ remote: { dispatcher: dispatcher.address }, chunk: 3 }),
    );
    await until(() => readdirSync(marks).length > 0);
    hanging.child.kill("SIGKILL");
    await ended(hanging.child);
    await started(join);
    expect(await walk).toEqual(all(100));
  });

  it("stuck: what the consumer waits for is given to another one too, and counts once", async () => {
    const marks = marksIn("stuck-");
    const [hanging, well] = [
      await started(["data-worker", "--threads", "1"], { HANG: "1" }),
      await started(["data-worker", "--threads", "1"]),
    ];
    const remote = { workers: [hanging.address, well.address] };
    expect(await collect(doubled(60, marks).pipeline({ remote, chunk: 2 }))).toEqual(all(60));
    expect(existsSync(`${marks}/${hanging.child.pid}`)).toBe(true);
  });

  it("killed again and again at random: each element comes once and in order", async () => {
    const dispatcher = await data.dispatchData();
    const args = ["data-worker", "--threads", "1", "--dispatcher", dispatcher.address];
    let worker = await started(args);
    const walk = Dataset.range(90)
      .map((x) => sevenfold(x))
      .pipeline({ remote: { dispatcher: dispatcher.address }, chunk: 2 })
      [Symbol.asyncIterator]();
    for (let i = 0; i < 90; i++) {
      expect((await walk.next()).value).toBe(7 * i);
      if (i % 40 !== 20) continue;
      worker.child.kill("SIGKILL");
      worker = await started(args);
    }
    expect((await walk.next()).done).toBe(true);
    dispatcher.close();
  });

  it("nowhere: an error says where was looked and why nobody came", async () => {
    const set = Dataset.range(3).map((x) => x);
    const nobody = { workers: [`ipc://${folder}/nobody`], timeout: 300 };
    await expect(collect(set.pipeline({ remote: nobody }))).rejects.toThrow(
      /no data worker for 0.3 s: ipc:.*nobody \(nobody answers\); elements from 0 on were on their way through map/,
    );
    expect(() => set.pipeline({ remote: {} })).toThrow(/wants addresses of workers, or a dispatcher/);
    expect(() => set.pipeline({ remote: { workers: ["localhost:5"] } })).toThrow(
      /an address is tcp:\/\/HOST:PORT/,
    );
    expect(() => set.pipeline({ remote: { workers: ["tcp://10.0.0.1:5"] } })).toThrow(/give a secret/);
  });
});

/** What travels as text. */
const sevenfold = (x: number): number => 7 * x;

describe("the shared secret", () => {
  it("lets those in who have it, and nobody else", async () => {
    await using worker = await data.serveData({ threads: 1, secret: SECRET });
    await using open = await data.serveData({ threads: 1 });
    const run = (address: string, secret?: string) =>
      collect(
        Dataset.range(20)
          .map((x) => x + 1)
          .pipeline({ remote: { workers: [address], ...(secret && { secret }) } }),
      );
    expect(await run(worker.address, SECRET)).toHaveLength(20);
    const { done } = worker;
    for (const [address, secret] of [
      [worker.address, `${SECRET}!`],
      [worker.address, undefined],
      [open.address, SECRET],
    ] as const)
      await expect(run(address, secret)).rejects.toThrow(
        /no data worker lets this pipeline in: tcp:.*secret/,
      );
    expect(worker.done).toBe(done);
    await expect(data.serveData({ secret: "short" })).rejects.toThrow(/at least 16 characters, got 5/);
    await expect(data.serveData({ address: "tcp://0.0.0.0:*" })).rejects.toThrow(
      /whoever reaches it can have code run; give a secret/,
    );
    await expect(data.serveData({ address: worker.address })).rejects.toThrow(
      /can't bind tcp:.*Address already in use/,
    );
  });

  it("is read from a file or the environment by the commands, which end well at SIGTERM", async () => {
    const file = join(folder, "secret");
    writeFileSync(file, `${SECRET}\n`);
    const dispatcher = await started(["data-dispatcher", "--secret-file", file]);
    const worker = await started(["data-worker", "--threads", "1", "--dispatcher", dispatcher.address], {
      MLSYS_DATA_SECRET: SECRET,
    });
    const remote = { dispatcher: dispatcher.address, secret: SECRET };
    expect(
      await collect(
        Dataset.range(7)
          .map((x) => x)
          .pipeline({ remote }),
      ),
    ).toEqual([0, 1, 2, 3, 4, 5, 6]);
    for (const { child } of [worker, dispatcher]) {
      child.kill("SIGTERM");
      await ended(child);
      expect(child.exitCode).toBe(0);
    }
  });
});

describe("epochs that consumers share", () => {
  it("give each element to one of them, epoch after epoch", async () => {
    using dispatcher = await data.dispatchData();
    const make = () =>
      Dataset.range(100)
        .shuffle({ seed: 3 })
        .claim({ dispatcher: dispatcher.address, block: 7 })
        .map((x) => x + 1);
    const sets = [make(), make().pipeline({ workers: 1 }), make()];
    for (let epoch = 0; epoch < 2; epoch++) {
      const parts = await Promise.all(sets.map(collect));
      expect(parts.flat().sort((a, b) => a - b)).toEqual(Array.from({ length: 100 }, (_, i) => i + 1));
    }
  });

  it("give on what a consumer leaves, and go on from states", async () => {
    using dispatcher = await data.dispatchData();
    const make = () => Dataset.range(40).claim({ dispatcher: dispatcher.address, block: 8 });
    const walk = make()[Symbol.asyncIterator]();
    const seen: number[] = [];
    for (let i = 0; i < 11; i++) seen.push((await walk.next()).value as number);
    const state = JSON.parse(JSON.stringify(walk.state())) as Checkpoint;
    await walk.return();
    const going = make().resume(state)[Symbol.asyncIterator]();
    for (let i = 0; i < 4; i++) seen.push((await going.next()).value as number);
    expect(seen).toEqual(Array.from({ length: 15 }, (_, i) => i));
    await going.return();
    expect([...seen, ...(await collect(make()))].sort((a, b) => a - b)).toEqual(
      Array.from({ length: 40 }, (_, i) => i),
    );
    expect(await collect(make().resume(state))).toEqual([]); // others had the rest meanwhile
    expect(() => Dataset.from(function* () {}).claim({ dispatcher: dispatcher.address })).toThrow(
      /wants elements by position/,
    );
    await expect(
      collect(Dataset.range(3).claim({ dispatcher: `ipc://${folder}/none`, timeout: 300 })),
    ).rejects.toThrow(/claim: no dispatcher answers at ipc:.*none for 0.3 s/);
  });

  it("give what a killed consumer held to another one", async () => {
    const dispatcher = await data.dispatchData({ silence: 1500 });
    const code = `
      const { data } = await import(${JSON.stringify(new URL("../../../dist/index.js", import.meta.url).href)});
      const walk = data.Dataset.range(40).claim({ dispatcher: "${dispatcher.address}", block: 8 })[Symbol.asyncIterator]();
      await walk.next();
      console.log("tcp://holds");
      await new Promise(() => setInterval(() => {}, 1000));`;
    const child = spawn(process.execPath, ["--input-type=module", "-e", code], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    children.add(child);
    for await (const _ of createInterface({ input: child.stdout })) break;
    child.kill("SIGKILL");
    await ended(child);
    const rest = await collect(Dataset.range(40).claim({ dispatcher: dispatcher.address, block: 8 }));
    expect([...new Set(rest)].sort((a, b) => a - b)).toEqual(Array.from({ length: 40 }, (_, i) => i));
    dispatcher.close();
  });
});
