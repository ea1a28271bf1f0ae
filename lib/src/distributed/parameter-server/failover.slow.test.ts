/** Processes that are killed, or stand still, under load: nothing acknowledged is lost, nothing is applied twice. */
import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { afterEach, describe, expect, it } from "vitest";
import { library } from "../../../test/support/built-library.js";
import { WordStream } from "../../core/random.js";

const { distributed } = library;
const { Coordinator, ParameterClient, ParameterServer, parameterServer, trainWorkers } = distributed;
type Cluster = Awaited<ReturnType<typeof parameterServer>>;
type Client = Awaited<ReturnType<Cluster["client"]>>;
type Options = Parameters<typeof parameterServer>[0];

let cluster: Cluster | null = null;
const children = new Set<ChildProcess>();
afterEach(async () => {
  await cluster?.close();
  cluster = null;
  for (const child of children) child.kill("SIGKILL");
  children.clear();
});

const WRITERS = 3;
const COUNTERS: Pick<Options, "tensors" | "optimizer" | "consistency" | "partitions"> = {
  tensors: [
    { kind: "dense", name: "x", shape: [WRITERS, 4] },
    { kind: "rows", name: "e", rows: 100, width: 1 },
  ],
  optimizer: { rule: "SGD", lr: 1 },
  consistency: { mode: "async" },
  partitions: 4,
};

/** Pushes −1 to elements of its own, one after the other, until it is told to end. */
class Writer {
  acknowledged = 0;
  private ended = false;
  readonly done: Promise<void>;

  constructor(
    private readonly client: Client,
    private readonly number: number,
  ) {
    this.done = this.write();
  }

  end(): Promise<void> {
    this.ended = true;
    return this.done;
  }

  private async write(): Promise<void> {
    const x = new Float32Array(WRITERS * 4);
    x.fill(-1, this.number * 4, this.number * 4 + 4);
    const e = {
      ids: Array.from({ length: 100 }, (_, id) => id).filter((id) => id % WRITERS === this.number),
    };
    const values = new Float32Array(e.ids.length).fill(-1);
    while (!this.ended) {
      await this.client.push({ x, e: { ...e, values } });
      this.acknowledged++;
    }
  }
}

async function written(client: Client, writers: readonly Writer[]): Promise<void> {
  const least = writers.map(({ acknowledged }) => acknowledged);
  const { x, e } = await client.pull({ x: true, e: Array.from({ length: 100 }, (_, id) => id) });
  const most = writers.map(({ acknowledged }) => acknowledged + 1);
  (x.toArray() as number[][]).forEach((row, w) => {
    for (const value of row) {
      expect(value).toBeGreaterThanOrEqual(least[w]);
      expect(value).toBeLessThanOrEqual(most[w]);
    }
  });
  e.toTypedArray().forEach((value, id) => {
    expect(value).toBeGreaterThanOrEqual(least[id % WRITERS]);
  });
}

/** Until each writer has got so many answers more. */
async function progress(writers: readonly Writer[], more: number): Promise<void> {
  const goals = writers.map(({ acknowledged }) => acknowledged + more);
  while (writers.some(({ acknowledged }, w) => acknowledged < goals[w]))
    await new Promise((resolve) => setTimeout(resolve, 2));
}

async function expectExact(client: Client, writers: readonly Writer[]): Promise<void> {
  await Promise.all(writers.map((writer) => writer.end()));
  const { x, e } = await client.pull({ x: true, e: Array.from({ length: 100 }, (_, id) => id) });
  const counts = writers.map(({ acknowledged }) => acknowledged);
  expect(x.toArray()).toEqual(counts.map((count) => Array(4).fill(count)));
  expect([...e.toTypedArray()]).toEqual(Array.from({ length: 100 }, (_, id) => counts[id % WRITERS]));
}

/** Kills servers in an order that the seed fixes, starts others, and counts. */
async function killing(options: Options, kills: number, seed: number): Promise<void> {
  const words = new WordStream([seed, 1]);
  cluster = await parameterServer(options);
  const clients = await Promise.all(
    Array.from({ length: WRITERS + 1 }, () => (cluster as Cluster).client({ worker: 0 })),
  );
  const writers = clients.slice(0, WRITERS).map((client, w) => new Writer(client, w));
  const reader = clients[WRITERS];
  for (let i = 0; i < kills; i++) {
    await progress(writers, 2);
    await cluster.kill(cluster.servers[words.below(cluster.servers.length)]);
    await progress(writers, 1);
    await written(reader, writers);
    await cluster.addServer();
    await filled(reader);
  }
  await expectExact(reader, writers);
  expect((await reader.stats()).client.lostAcknowledged).toBe(0);
}

interface Inside {
  router: { view: { parts: { m: string[]; l: string[] }[] } };
}

/** Until all partitions have their copies again. */
async function filled(client: Client): Promise<void> {
  const { parts } = (client as unknown as Inside).router.view;
  const { replication } = client.job;
  const copies = replication.mode === "none" ? 1 : replication.copies;
  if (parts.every(({ m, l }) => m.length === copies && l.length === 0)) return;
  await new Promise((resolve) => setTimeout(resolve, 2));
  await filled(client);
}

describe("servers that die", () => {
  it.each<Options["replication"]>([
    { mode: "chain", copies: 2 },
    { mode: "leader", copies: 3, acknowledgements: 2 },
  ])("lose nothing that was acknowledged, with $mode, and apply each push once", async (replication) => {
    await killing({ ...COUNTERS, replication, servers: 3 }, 3, 17);
  });

  it("are found out by their silence, and one that only stood still answers nobody and begins anew", async () => {
    cluster = await parameterServer({
      ...COUNTERS,
      replication: { mode: "chain", copies: 3 },
      servers: 3,
      watch: false,
      lease: 3000,
    });
    const client = await cluster.client({ worker: 0 });
    const writers = [new Writer(client, 0)];
    await progress(writers, 3);
    const [pid] = cluster.pids;
    process.kill(pid as number, "SIGSTOP");
    await progress(writers, 3); // the other one goes on alone
    process.kill(pid as number, "SIGCONT");
    await filled(client); // it is a copy again, under another name
    await progress(writers, 2);
    await cluster.kill(1);
    await progress(writers, 2); // and leads now
    await Promise.all(writers.map((writer) => writer.end()));
    const { x } = await client.pull({ x: true });
    expect((x.toArray() as number[][])[0]).toEqual(Array(4).fill(writers[0].acknowledged));
  });
});

describe("a coordinator that dies", () => {
  it("is started anew, and goes on with what it kept", async () => {
    const folder = mkdtempSync(join(tmpdir(), "mlsys-coordinator-"));
    const state = join(folder, "state.json");
    const first = await Coordinator.start({ state });
    const { address } = first;
    const servers = await Promise.all([1, 2].map(() => ParameterServer.start({ coordinator: address })));
    const job = { ...COUNTERS, replication: { mode: "chain", copies: 2 } as const };
    const client = await ParameterClient.define(job, 2, { coordinator: address, worker: 0 });
    const writers = [new Writer(client, 0)];
    await progress(writers, 2);
    first.close();
    await progress(writers, 2); // leases last
    let second: Awaited<ReturnType<typeof Coordinator.start>> | null = null;
    while (!second)
      second = await Coordinator.start({ address, state }).catch(
        () => new Promise((resolve) => setTimeout(() => resolve(null), 10)),
      );
    await progress(writers, 2);
    servers[0].close(); // the new one hears of that, and the other server from it
    await progress(writers, 2);
    const third = await ParameterServer.start({ coordinator: address });
    await filled(client);
    servers[1].close();
    await progress(writers, 2);
    await Promise.all(writers.map((writer) => writer.end()));
    const { x } = await client.pull({ x: true });
    expect((x.toArray() as number[][])[0]).toEqual(Array(4).fill(writers[0].acknowledged));
    client.close();
    third.close();
    second.close();
    rmSync(folder, { recursive: true });
  });
});

describe("workers that die", () => {
  it("are waited for by nobody", async () => {
    cluster = await parameterServer({
      tensors: [{ kind: "dense", name: "w", shape: [2] }],
      optimizer: { rule: "SGD", lr: 1 },
      workers: 3,
    });
    const { results } = await trainWorkers(
      cluster,
      3,
      async ({ client, worker }) => {
        for (let step = 0; step < 6; step++) {
          const { w } = await client.pull();
          if (worker === 1 && step === 2) process.kill(process.pid, "SIGKILL");
          await client.push({ w: Float32Array.of(-1, w.shape[0] === 2 ? -worker : 0) });
        }
        return [...(await client.pull()).w.toTypedArray()];
      },
      { onDeath: "continue" },
    );
    expect(results[1]).toBeUndefined();
    // two steps of three workers, four of those that are left: the mean of what was pushed
    expect(results[0]).toEqual([6, 2 * 1 + 4 * 1]);
    expect(results[2]).toEqual(results[0]);
  });

  it("end the others unless told otherwise, and say why", async () => {
    cluster = await parameterServer({
      tensors: [{ kind: "dense", name: "w", shape: [2] }],
      optimizer: { rule: "SGD", lr: 1 },
      workers: 2,
    });
    const died = trainWorkers(cluster, 2, async ({ client, worker }) => {
      if (worker === 1) process.exit(3);
      await client.push({ w: new Float32Array(2) });
      await client.pull();
    });
    await expect(died).rejects.toThrow(/worker 1 died: exit code 3/);
    const failed = trainWorkers(cluster, 2, ({ worker }) => {
      if (worker === 1) throw new Error("no more");
      return new Promise(() => {});
    });
    await expect(failed).rejects.toThrow(/worker 1 failed: no more/);
    const stop = new AbortController();
    const aborted = trainWorkers(
      cluster,
      2,
      ({ report }) => {
        report(0, 1);
        return new Promise(() => {});
      },
      { signal: stop.signal, onPoint: () => stop.abort(new Error("enough")) },
    );
    await expect(aborted).rejects.toThrow(/enough/);
  });
});

describe("the command", () => {
  it("serves clients of other processes, with a secret", async () => {
    const command = fileURLToPath(new URL("../../../bin/mlsys.mjs", import.meta.url));
    const secret = "a secret of the tests";
    const begun = async (...args: string[]): Promise<string> => {
      const child = spawn(process.execPath, [command, "parameter-server", ...args], {
        env: { ...process.env, MLSYS_PARAMETER_SECRET: secret },
        stdio: ["ignore", "pipe", "inherit"],
      });
      children.add(child);
      for await (const line of createInterface({ input: child.stdout as NodeJS.ReadableStream })) {
        const address = /tcp:\/\/\S+/.exec(line)?.[0];
        if (address) return address;
      }
      throw new Error("it ended without an address");
    };
    const coordinator = await begun("coordinator", "--lease", "10000");
    const job = { ...COUNTERS, replication: { mode: "chain", copies: 2 } as const };
    const waiting = ParameterClient.define(job, 2, { coordinator, secret, worker: 0 });
    await Promise.all([
      begun("server", "--coordinator", coordinator),
      begun("server", "--coordinator", coordinator),
    ]);
    const client = await waiting;
    const again = await ParameterClient.connect({ coordinator, secret });
    await client.push({ e: { ids: [1], values: Float32Array.of(-2) } });
    expect((await again.pull({ e: [1, 2] })).e.toArray()).toEqual([[2], [0]]);
    // one that is told to stop says so: the other takes over at once
    const [, server] = children;
    server.kill("SIGTERM");
    await client.push({ e: { ids: [1], values: Float32Array.of(-2) } });
    expect((await again.pull({ e: [1, 2] })).e.toArray()).toEqual([[4], [0]]);
    client.close();
    again.close();
  });
});
