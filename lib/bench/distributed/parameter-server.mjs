/**
 * The parameter server's rows of `npm run bench -- distributed`: what a push (with the optimizer's step on the server) and
 * a pull cost, one client, servers as processes. Redis as a peer: a key–value store in C that only stores what it is sent.
 */
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";

const SMALL = 1024;
const LARGE = 2 ** 20;
const median = (list) => [...list].sort((a, b) => a - b)[Math.floor(list.length / 2)];

/** Operations a second of one client that waits for each answer, and the median latency in microseconds. */
async function measured(act, count) {
  for (let i = 0; i < Math.max(3, count / 5); i++) await act(i);
  const took = [];
  const start = performance.now();
  for (let i = 0; i < count; i++) {
    const from = performance.now();
    await act(i);
    took.push(performance.now() - from);
  }
  return { rate: count / ((performance.now() - start) / 1000), us: 1000 * median(took) };
}

/** A client of Redis that asks for one thing at a time (RESP 2). */
class Redis {
  #socket;
  #process;
  #folder;
  #chunks = [];
  #length = 0;
  #wake = () => {};

  static async start() {
    const redis = new Redis();
    redis.#folder = mkdtempSync(join(tmpdir(), "mlsys-redis-"));
    const path = join(redis.#folder, "socket");
    const args = [
      "--port",
      "0",
      "--unixsocket",
      path,
      "--save",
      "",
      "--appendonly",
      "no",
      "--dir",
      redis.#folder,
    ];
    redis.#process = spawn("redis-server", [...args, "--bind", "127.0.0.1"], {
      stdio: ["ignore", "pipe", "ignore"],
    });
    for await (const text of redis.#process.stdout) if (/accept connections/i.test(String(text))) break;
    redis.#process.stdout?.resume();
    redis.#socket = connect(path);
    await once(redis.#socket, "connect");
    redis.#socket.on("data", (chunk) => {
      redis.#chunks.push(chunk);
      redis.#length += chunk.length;
      redis.#wake();
    });
    return redis;
  }

  /** @returns bytes of the answer */
  async ask(...parts) {
    this.#chunks = [];
    this.#length = 0;
    this.#socket.write(`*${parts.length}\r\n`);
    for (const part of parts) {
      this.#socket.write(`$${Buffer.byteLength(part)}\r\n`);
      this.#socket.write(part);
      this.#socket.write("\r\n");
    }
    for (;;) {
      const head = this.#chunks.length > 0 ? this.#chunks[0].toString("latin1", 0, 20) : "";
      const bulk = /^\$(\d+)\r\n/.exec(head);
      if (bulk ? this.#length >= bulk[0].length + Number(bulk[1]) + 2 : /\r\n/.test(head)) break;
      await new Promise((resolve) => {
        this.#wake = resolve;
      });
    }
    return Buffer.concat(this.#chunks); // whoever uses the values has them in one piece
  }

  stop() {
    this.#socket.destroy();
    this.#process.kill("SIGKILL");
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

const installed = (program) => spawnSync(program, ["--version"]).status === 0;

/** Ids from 0, id k with a share of about 1 / (k + 1). */
function zipfBatches(count, size, rows) {
  let seed = 12345;
  const random = () => {
    seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0;
    return seed / 2 ** 32;
  };
  return Array.from({ length: count }, () =>
    Uint32Array.from({ length: size }, () =>
      Math.min(rows - 1, Math.floor(Math.exp(random() * Math.log(rows))) - 1),
    ),
  );
}

async function ours(library, quick) {
  const { parameterServer, ParameterClient } = library.distributed;
  const found = {};
  const optimizer = { rule: "SGD", lr: 1e-3 };
  for (const [name, replication] of [
    ["mlsys", { mode: "none" }],
    ["mlsys-chain-2", { mode: "chain", copies: 2 }],
  ]) {
    const cluster = await parameterServer({
      tensors: [
        { kind: "dense", name: "small", shape: [SMALL] },
        { kind: "dense", name: "large", shape: [LARGE] },
      ],
      optimizer,
      consistency: { mode: "async" },
      replication,
      servers: 2,
      partitions: 4,
    });
    try {
      const client = await cluster.client({ worker: 0 });
      const small = new Float32Array(SMALL).fill(1);
      const large = new Float32Array(LARGE).fill(1);
      const [many, few] = quick ? [300, 8] : [3000, 60];
      found[name] = {
        "push 4 KB": await measured(() => client.push({ small }), many),
        "pull 4 KB": await measured(async () => (await client.pull(["small"])).small.dispose(), many),
        "push 4 MB": await measured(() => client.push({ large }), few),
        "pull 4 MB": await measured(async () => (await client.pull(["large"])).large.dispose(), few),
      };
    } finally {
      await cluster.close();
    }
  }
  const [rows, width, size] = [100_000, 16, 512];
  const cluster = await parameterServer({
    tensors: [{ kind: "rows", name: "e", rows, width, deviation: 0.1 }],
    optimizer,
    consistency: { mode: "async" },
    partitioner: "hash",
    servers: 2,
  });
  try {
    const batches = zipfBatches(64, size, rows);
    const pulls = quick ? 100 : 600;
    for (const [name, options] of [
      ["mlsys", {}],
      ["mlsys-hot-cache", { hotStaleness: 16 }],
    ]) {
      const client = await ParameterClient.connect({ ...cluster.access, worker: 0, ...options });
      const step = async (i) => {
        const ids = batches[i % batches.length];
        (await client.pull({ e: ids })).e.dispose();
        await client.push({ e: { ids, values: new Float32Array(size * width).fill(1e-3) } });
      };
      const { rate } = await measured(step, pulls);
      const { client: counts } = await client.stats();
      const steps = pulls + Math.max(3, pulls / 5);
      found[name] = {
        ...found[name],
        zipf: { rate: rate * size, kb: (counts.bytesPulled + counts.bytesPushed) / 1000 / steps },
      };
      client.close();
    }
  } finally {
    await cluster.close();
  }
  return found;
}

async function redis(quick) {
  const store = await Redis.start();
  try {
    const [many, few] = quick ? [300, 8] : [3000, 60];
    const [small, large] = [Buffer.alloc(4 * SMALL, 1), Buffer.alloc(4 * LARGE, 1)];
    return {
      "push 4 KB": await measured(() => store.ask("SET", "small", small), many),
      "pull 4 KB": await measured(() => store.ask("GET", "small"), many),
      "push 4 MB": await measured(() => store.ask("SET", "large", large), few),
      "pull 4 MB": await measured(() => store.ask("GET", "large"), few),
    };
  } finally {
    store.stop();
  }
}

/** @returns rows as the suite prints them */
export async function rows({ quick }) {
  const library = await import(new URL("../../dist/index.js", import.meta.url).href);
  const missing = {};
  const peer = installed("redis-server") ? await redis(quick) : null;
  if (!peer) missing.redis = "redis-server is not installed (apt-get install redis-server)";
  const found = await ours(library, quick);
  const of = (operation, f) =>
    Object.fromEntries(
      Object.entries(found).flatMap(([name, result]) =>
        result[operation] ? [[name, f(result[operation])]] : [],
      ),
    );
  const row = (name, unit, better, operation, f) => ({
    name: `parameter server ${name}`,
    unit,
    better,
    ours: of(operation, f),
    peers: peer?.[operation] ? { redis: f(peer[operation]) } : {},
  });
  const rate = ({ rate }) => Math.round(rate);
  const megabytes = ({ rate }) => Math.round((rate * 4 * LARGE) / 1e6);
  return {
    rows: [
      row("push 4 KB", "1/s", "higher", "push 4 KB", rate),
      row("pull 4 KB", "1/s", "higher", "pull 4 KB", rate),
      row("push 4 KB p50", "µs", "lower", "push 4 KB", ({ us }) => Math.round(us)),
      row("pull 4 KB p50", "µs", "lower", "pull 4 KB", ({ us }) => Math.round(us)),
      row("push 4 MB", "MB/s", "higher", "push 4 MB", megabytes),
      row("pull 4 MB", "MB/s", "higher", "pull 4 MB", megabytes),
      row("Zipf rows pulled and pushed", "rows/s", "higher", "zipf", rate),
      row("Zipf traffic per step of 512 rows", "KB", "lower", "zipf", ({ kb }) => Math.round(kb * 10) / 10),
    ],
    missing,
    notes: [
      "parameter server: a push of ours takes a step of SGD on the server; Redis stores the bytes it is sent (one process, unix socket).",
      "parameter server: Zipf batches of 512 ids, 16 numbers a row; with each id sent as often as it stands, a step's traffic would be 67.6 KB.",
    ],
  };
}

if (process.argv[1] === new URL(import.meta.url).pathname)
  for (const row of (await rows({ quick: process.argv.includes("--quick") })).rows)
    console.log(JSON.stringify(row));
