/** Servers and workers as processes, over real sockets. */
import fc from "fast-check";
import { afterEach, describe, expect, it } from "vitest";
import { library } from "../../../test/support/built-library.js";
import { encode } from "./wire.js";

const { distributed, tensor, valueAndGrad } = library;
const { parameterServer, ParameterClient, PartitionLostError, trainWorkers } = distributed;
type Cluster = Awaited<ReturnType<typeof parameterServer>>;
type Options = Parameters<typeof parameterServer>[0];

let cluster: Cluster | null = null;
afterEach(async () => {
  await cluster?.close();
  cluster = null;
});
async function started(options: Options): Promise<Cluster> {
  cluster = await parameterServer(options);
  return cluster;
}

const FEATURES = 3;
const SAMPLES = 24;

/** Rows of x and y = x · (1, −2, 3) + 0.5, the same everywhere. */
function samples(): { x: Float32Array; y: Float32Array } {
  const x = Float32Array.from({ length: SAMPLES * FEATURES }, (_, i) => Math.fround(Math.sin(i * i + 1)));
  const y = Float32Array.from(
    { length: SAMPLES },
    (_, i) => x[3 * i] - 2 * x[3 * i + 1] + 3 * x[3 * i + 2] + 0.5,
  );
  return { x, y };
}

const MODEL: Pick<Options, "tensors" | "optimizer"> = {
  tensors: [
    { kind: "dense", name: "w", shape: [FEATURES, 1] },
    { kind: "dense", name: "b", shape: [1] },
  ],
  optimizer: { rule: "SGD", lr: 0.2, momentum: 0.5 },
};
const STEPS = 12;

describe("a parameter server", () => {
  it("in step trains as one process on the whole batch does, twice the same to the bit", async () => {
    const { x, y } = samples();
    const runs: number[][] = [];
    for (let run = 0; run < 2; run++) {
      const servers = await started({ ...MODEL, workers: 2, partitions: 3 });
      const { results } = await trainWorkers(
        servers,
        2,
        async ({ client, worker, workers, straggle }) => {
          const own = y.length / workers;
          const xs = tensor(x.slice(worker * own * 3, (worker + 1) * own * 3), { shape: [own, 3] });
          const ys = tensor(y.slice(worker * own, (worker + 1) * own), { shape: [own, 1] });
          const step = valueAndGrad((p: Record<string, typeof xs>) =>
            xs.matmul(p.w).add(p.b).sub(ys).square().mean(),
          );
          for (let i = 0; i < STEPS; i++) {
            const [, gradients] = step(await client.pull());
            await straggle(i);
            await client.push(gradients);
          }
          const { w, b } = await client.pull();
          return [...w.toTypedArray(), ...b.toTypedArray()];
        },
        { stragglers: { [run]: 4 } },
      );
      expect(results[1]).toEqual(results[0]);
      runs.push(results[0] as number[]);
      if (run > 0) break;
      // workers that come later count from their first gradient on
      const again = await trainWorkers(servers, 2, async ({ client, worker }) => {
        for (let i = 0; i < 3; i++) {
          await client.pull();
          await client.push({ w: new Float32Array(3).fill(worker), b: new Float32Array(1) });
        }
        return (await client.pull(["w"])).w.toArray();
      });
      expect(again.results[1]).toEqual(again.results[0]);
      const { late, partitions } = await (await servers.client()).stats();
      expect(late).toBe(0);
      expect(partitions.map(({ version }) => version)).toEqual(Array(3).fill(STEPS + 3));
      await servers.close();
    }
    expect(runs[1]).toEqual(runs[0]);
    const w = new library.Variable(tensor([[0], [0], [0]]));
    const b = new library.Variable(tensor([0]));
    const optimizer = new library.optim.SGD([w, b], { lr: 0.2, momentum: 0.5 });
    const [xs, ys] = [tensor(x, { shape: [SAMPLES, FEATURES] }), tensor(y, { shape: [SAMPLES, 1] })];
    for (let i = 0; i < STEPS; i++)
      optimizer.step(
        library.grad(([p, q]: [typeof xs, typeof xs]) => xs.matmul(p).add(q).sub(ys).square().mean())([
          w.value,
          b.value,
        ]),
      );
    [...w.value.toTypedArray(), ...b.value.toTypedArray()].forEach((value, i) => {
      expect(runs[0][i]).toBeCloseTo(value, 5);
    });
  });

  it("with a bound lets a fast worker run ahead by that and no more; with backup workers drops late gradients", async () => {
    const run = async (consistency: Options["consistency"]) => {
      const servers = await started({ ...MODEL, workers: 2, partitions: 1, consistency });
      // worker 1 goes on only when told to: who is how far does not depend on the machine
      const fast = await servers.client({ worker: 0 });
      const slow = await servers.client({ worker: 1 });
      return { servers, fast, slow };
    };
    const gradient = { w: new Float32Array(3).fill(1), b: new Float32Array(1) };
    const stale = await run({ mode: "stale", bound: 2 });
    const looker = await stale.servers.client();
    await stale.slow.pull();
    for (let step = 0; step < 3; step++) {
      await stale.fast.pull();
      await stale.fast.push(gradient);
    }
    let through = false;
    const third = stale.fast.pull().then(() => {
      through = true;
    });
    await looker.pull(["w"]); // an answer that was asked for later: the other one waits
    expect(through).toBe(false);
    await stale.slow.push(gradient);
    await third;
    expect((await stale.fast.stats()).staleness).toEqual([3, 0, 0, 1]);
    await stale.servers.close();

    const backup = await run({ mode: "backup", fraction: 0.5 });
    await backup.slow.pull();
    for (let step = 0; step < 3; step++) {
      await backup.fast.pull();
      expect(await backup.fast.push(gradient)).toEqual({ late: 0 });
    }
    expect((await backup.slow.push(gradient)).late).toBeGreaterThan(0);
    expect(await backup.fast.stats()).toMatchObject({ applied: 3, late: 1 });
    await backup.slow.pull(); // goes on where the other is
    expect(await backup.slow.push(gradient)).toEqual({ late: 0 });
  });

  it("keeps rows by id: sums those that stand twice, computes those that nobody pushed, finds hot ones", async () => {
    const servers = await started({
      tensors: [{ kind: "rows", name: "e", rows: 100_000, width: 4, deviation: 1, seed: 5 }],
      optimizer: { rule: "SGD", lr: 1 },
      consistency: { mode: "async" },
      partitioner: "hash",
      replication: { mode: "chain", copies: 2 },
    });
    const client = await servers.client({ worker: 0 });
    const ids = [99_999, 3, 3, 0, 512];
    const before = (await client.pull({ e: ids })).e;
    expect(before.shape).toEqual([5, 4]);
    expect([...before.at(1).toTypedArray()]).toEqual([...before.at(2).toTypedArray()]);
    expect(Math.abs(before.mean().item())).toBeLessThan(2);
    await client.push({ e: { ids: [3, 7, 3], values: new Float32Array(12).fill(0.5) } });
    const after = (await client.pull({ e: [3, 7, 0] })).e;
    expect(after.at(0).toArray()).toEqual(before.at(1).sub(1).toArray());
    expect(after.at(2).toArray()).toEqual(before.at(3).toArray());
    await expect(client.pull({ e: [100_000] })).rejects.toThrow(/rows 0 … 99999, got 100000/);
    await expect(client.push({ e: { ids: [1], values: new Float32Array(3) } })).rejects.toThrow(/4 elements/);
    await expect(client.pull(["nothing"])).rejects.toThrow(/no dense tensor "nothing"/);

    // one row is asked for again and again: a client that may keep it asks once per its bound
    const keeper = await ParameterClient.connect({
      ...servers.access,
      worker: 1,
      hotStaleness: 2,
      readFrom: "any",
    });
    for (let i = 0; i < 60; i++) await keeper.pull({ e: [42] });
    const { rowsFromCache } = (await keeper.stats()).client;
    expect(rowsFromCache).toBeGreaterThan(15);
    const seen = (await keeper.pull({ e: [42] })).e.toArray();
    await client.push({ e: { ids: [42], values: new Float32Array(4).fill(1) } });
    expect((await keeper.pull({ e: [42] })).e.toArray(), "as stale as it may be").toEqual(seen);
    for (let i = 0; i < 3; i++) await keeper.push({ e: { ids: [5], values: new Float32Array(4) } });
    expect((await keeper.pull({ e: [42] })).e.toArray()).toEqual(
      (await client.pull({ e: [42] })).e.toArray(),
    );
    keeper.close();
  });

  it("says what is lost when a partition has no copy left, and what a wrong use is", async () => {
    const servers = await started({ ...MODEL, servers: 2, partitions: 4 });
    const client = await servers.client({ worker: 0 });
    await client.set({ w: new Float32Array([1, 2, 3]) });
    expect((await client.pull(["w"])).w.toArray()).toEqual([[1], [2], [3]]);
    const looker = await servers.client();
    await expect(looker.push({ w: new Float32Array(3) })).rejects.toThrow(/only workers push/);
    await expect(ParameterClient.define({ ...MODEL, workers: 7 }, 2, servers.access)).rejects.toThrow(
      /another job/,
    );
    const waiting = client.pull().then(
      () => client.pull(),
      (error) => error,
    );
    await Promise.all(servers.servers.map((server) => servers.kill(server)));
    await waiting.catch(() => {});
    await expect(client.push({ w: new Float32Array(3) })).rejects.toThrow(PartitionLostError);
    await expect(servers.kill(0)).rejects.toThrow(/no server 0 lives/);
    await expect(
      parameterServer({ ...MODEL, servers: 1, replication: { mode: "chain", copies: 2 } }),
    ).rejects.toThrow(/2 copies/);
  });

  it("lets nobody in without the secret, and everybody's messages are bounded and checked", async () => {
    const secret = "a secret of the tests";
    const locked = await started({ ...MODEL, secret, partitions: 1 });
    await (await locked.client({ worker: 0 })).push({
      w: new Float32Array(3).fill(1),
      b: new Float32Array(1),
    });
    for (const wrong of [undefined, "another secret of the tests"])
      await expect(
        ParameterClient.connect({
          coordinator: locked.address,
          timeout: 400,
          ...(wrong && { secret: wrong }),
        }),
      ).rejects.toThrow(/nobody answers/);
    await locked.close();

    const servers = await started({ ...MODEL, partitions: 1, consistency: { mode: "async" } });
    const client = await servers.client({ worker: 0 });
    await client.set({ w: new Float32Array([1, 2, 3]) });
    const { Dealer } = await import("zeromq");
    const view = (
      client as unknown as {
        router: { view: { servers: Record<string, string>; parts: { e: number; m: string[] }[] } };
      }
    ).router.view;
    const [{ e, m }] = view.parts;
    const hostile = new Dealer({ linger: 0 });
    hostile.connect(view.servers[m[0]]);
    const coordinator = new Dealer({ linger: 0 });
    coordinator.connect(servers.address);
    const any = fc.oneof(
      fc.jsonValue(),
      fc.constantFrom(0, 1, -1, e, 2 ** 53, null, "push", m[0], "__proto__", "constructor"),
    );
    const kinds = [
      "push",
      "pull",
      "attach",
      "at",
      "state",
      "entry",
      "sync",
      "ack",
      "stats",
      "hello",
      "beat",
      "define",
      "sealed",
      "x",
    ];
    const operation = fc.record(
      {
        kind: fc.constantFrom("push", "set", "workers", 3),
        c: any,
        n: any,
        w: any,
        k: any,
        b: any,
        parts: any,
        list: any,
      },
      { requiredKeys: [] },
    );
    const fields = fc.record(
      {
        i: any,
        p: fc.oneof(fc.constant(0), any),
        e: fc.oneof(fc.constant(e), any),
        k: any,
        w: any,
        op: fc.oneof(operation, any),
        parts: fc.oneof(
          fc.array(fc.record({ k: fc.constantFrom("w", "b", "e"), s: any, r: any }, { requiredKeys: [] })),
          any,
        ),
        a: any,
        l: any,
        s: any,
        me: any,
        head: any,
        role: any,
        id: fc.string(),
        address: any,
        job: any,
        servers: any,
        filled: fc.oneof(fc.array(fc.array(any)), any),
        hot: any,
      },
      { requiredKeys: [] },
    );
    const bytes = fc.uint8Array({ maxLength: 40 });
    const message = fc.oneof(
      fc
        .record({ t: fc.constantFrom(...kinds), rest: fields, frames: fc.array(bytes, { maxLength: 4 }) })
        .map(({ t, rest, frames }) => encode({ ...rest, t }, frames)),
      fc.array(bytes, { minLength: 1, maxLength: 4 }),
    );
    for (const frames of fc.sample(message, 200)) {
      await hostile.send(frames);
      // who may speak to the coordinator may end a job: what must hold is that it lives
      if (!/bye|hello/.test(String(frames[0]))) await coordinator.send(frames);
    }
    expect((await client.pull(["w"])).w.toArray()).toEqual([[1], [2], [3]]);
    await client.push({ w: new Float32Array([5, 5, 5]) });
    expect((await client.pull(["w"])).w.toArray()).toEqual([[0], [1], [2]]);
    hostile.close();
    coordinator.close();
  });
});
