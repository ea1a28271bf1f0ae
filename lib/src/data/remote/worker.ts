/**
 * A data worker: a process that works on chunks for whoever sends them. It keeps nothing that could be lost: what it is
 * asked is in the chunk, so that another one can do it again. Clients take turns; each has so many chunks here as it was
 * told it may have. (tf.data service, Audibert et al. 2023: disaggregated preprocessing.)
 */

import { availableParallelism } from "node:os";
import { serialize } from "node:v8";
import { Worker } from "node:worker_threads";
import type { Router } from "zeromq";
import { MlsysError } from "../../core/errors.js";
import { wholeNumber } from "../dataset/walk.js";
import { Membership } from "./membership.js";
import { Outbox } from "./outbox.js";
import type { RunnerNote, RunnerResult, RunnerTask } from "./runner.js";
import { checkAddress, checkSecret, guard, serverKeys, zeromq } from "./secret.js";
import { MAX_MESSAGE, PROTOCOL } from "./wire.js";

export interface DataWorkerOptions {
  /** `tcp://HOST:PORT`, port `*` for a free one. Default tcp://127.0.0.1:*. Other hosts than this one want a secret. */
  readonly address?: string;
  /** Chunks that are worked on at once. Default: the machine's cores. */
  readonly threads?: number;
  /** Clients, workers and the dispatcher have the same; what they say is encrypted (CURVE). */
  readonly secret?: string;
  /** Address of a dispatcher that tells clients of this worker. */
  readonly dispatcher?: string;
  /** Address under which clients reach this worker, if it is not the one that it is bound to. */
  readonly advertise?: string;
}

/** Chunks per thread that a client may have here: one in work, one that waits. */
const CREDITS = 2;
/** A client that says nothing for so long is gone; it speaks every few seconds. */
const SILENT_MS = 60_000;

interface Pending {
  readonly client: Client;
  readonly job: string;
  readonly chunk: Uint8Array;
  readonly frames: readonly Uint8Array[];
}

interface Client {
  readonly route: Buffer;
  readonly jobs: Map<string, Uint8Array>;
  readonly waiting: Pending[];
  heard: number;
}

interface Thread {
  readonly worker: Worker;
  /** Jobs that it has. */
  readonly knows: Set<string>;
  task: Pending | null;
}

const ENDED = "its thread ended";

/** Made by `serveData`. */
export class DataWorker {
  private readonly clients = new Map<string, Client>();
  private readonly threads: Thread[] = [];
  private readonly outbox: Outbox;
  private readonly sweep: NodeJS.Timeout;
  private turn = 0;
  private tasks = 0;
  private closed = false;
  /** Chunks that were worked on. */
  done = 0;

  /** @internal */
  constructor(
    private readonly socket: Router,
    /** Where it is bound. */
    readonly address: string,
    readonly threadCount: number,
    private readonly openGate: () => void,
    private readonly membership: Membership | null,
  ) {
    this.outbox = new Outbox(socket, ([route]) => this.drop(route as Buffer));
    for (let i = 0; i < threadCount; i++) this.threads.push(this.thread());
    this.sweep = setInterval(() => {
      for (const client of this.clients.values())
        if (Date.now() - client.heard > SILENT_MS) this.drop(client.route);
    }, SILENT_MS / 4).unref();
    void this.listen();
  }

  /** Clients at the moment. */
  get clientCount(): number {
    return this.clients.size;
  }

  /** Stops; chunks in work are lost, and their clients give them to others. */
  async close(): Promise<void> {
    if (this.closed) return;
    this.closed = true;
    clearInterval(this.sweep);
    this.membership?.close();
    this.socket.close();
    this.openGate();
    await Promise.all(this.threads.map(({ worker }) => worker.terminate()));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  private async listen(): Promise<void> {
    try {
      for await (const [route, kind, ...frames] of this.socket) this.hear(route, String(kind), frames);
    } catch (error) {
      if (!this.closed) throw error;
    }
  }

  private hear(route: Buffer, kind: string, frames: Buffer[]): void {
    const client = this.client(route);
    client.heard = Date.now();
    if (kind === "hello") {
      const mine = { protocol: PROTOCOL, credits: CREDITS * this.threadCount, threads: this.threadCount };
      this.outbox.send(route, "welcome", serialize(mine));
    } else if (kind === "job") {
      const [job, text] = frames;
      if (text) client.jobs.set(String(job), text);
    } else if (kind === "work") {
      const [job, chunk, ...rest] = frames;
      if (rest.length === 0) return; // of no client of ours
      if (!client.jobs.has(String(job))) this.outbox.send(route, "unknown", job, chunk);
      else if (client.waiting.length > 2 * CREDITS * this.threadCount)
        this.outbox.send(route, "lost", job, chunk, "more chunks than credits"); // holds memory bounded
      else client.waiting.push({ client, job: String(job), chunk, frames: rest });
      this.feed();
    } else if (kind === "drop") this.forget(client, String(frames[0]));
    else if (kind === "bye") this.drop(route);
  }

  private client(route: Buffer): Client {
    const id = route.toString("latin1");
    const known = this.clients.get(id);
    if (known) return known;
    const client: Client = { route, jobs: new Map(), waiting: [], heard: Date.now() };
    this.clients.set(id, client);
    return client;
  }

  private drop(route: Buffer): void {
    const id = route.toString("latin1");
    const client = this.clients.get(id);
    if (!client) return;
    for (const job of client.jobs.keys()) this.forget(client, job);
    this.clients.delete(id);
  }

  private forget(client: Client, job: string): void {
    client.jobs.delete(job);
    const kept = client.waiting.filter((pending) => pending.job !== job);
    client.waiting.splice(0, client.waiting.length, ...kept);
    const key = jobKey(client, job);
    for (const { worker, knows } of this.threads)
      if (knows.delete(key)) worker.postMessage({ forget: key } satisfies RunnerNote);
  }

  /** Gives idle threads what waits, a chunk of each client in turn. */
  private feed(): void {
    for (const thread of this.threads) {
      if (thread.task) continue;
      const clients = [...this.clients.values()].filter(({ waiting }) => waiting.length > 0);
      if (clients.length === 0) return;
      const pending = clients[this.turn++ % clients.length].waiting.shift() as Pending;
      const key = jobKey(pending.client, pending.job);
      const text = thread.knows.has(key) ? null : (pending.client.jobs.get(pending.job) as Uint8Array);
      thread.knows.add(key);
      thread.task = pending;
      thread.worker.postMessage({
        id: this.tasks++,
        job: key,
        text,
        frames: pending.frames,
      } satisfies RunnerTask);
    }
  }

  private thread(): Thread {
    const worker = new Worker(new URL("./runner.js", import.meta.url), {
      execArgv: [],
      env: { ...process.env, MLSYS_NUM_THREADS: "1" },
      name: "data worker",
    });
    const thread: Thread = { worker, knows: new Set(), task: null };
    let reason = ENDED;
    worker.on("error", (error) => {
      reason = `its thread died: ${error.message}`;
    });
    worker.on("exit", () => this.replace(thread, reason));
    worker.on("message", ({ frames }: RunnerResult) => {
      const { task } = thread;
      thread.task = null;
      this.done++;
      if (task && this.clients.has(task.client.route.toString("latin1")))
        this.outbox.send(task.client.route, "done", task.job, task.chunk, ...frames);
      this.feed();
    });
    return thread;
  }

  /** A thread is gone: a function of its called process.exit, or its memory was used up. */
  private replace(thread: Thread, reason: string): void {
    if (this.closed) return;
    const { task } = thread;
    if (task) this.outbox.send(task.client.route, "lost", task.job, task.chunk, reason);
    this.threads[this.threads.indexOf(thread)] = this.thread();
    this.feed();
  }
}

const jobKey = ({ route }: Client, job: string): string => `${route.toString("hex")} ${job}`;

/**
 * Starts a data worker in this process; `npx mlsys data-worker` does it in one of its own.
 * @example
 * const worker = await data.serveData({ threads: 1 });
 * await worker.close();
 * worker.address.startsWith("tcp://127.0.0.1:") // true
 * @throws ValueError for an address that others can reach, without a secret; MlsysError if it can't be bound
 */
export async function serveData({
  address = "tcp://127.0.0.1:*",
  threads = availableParallelism(),
  secret,
  dispatcher,
  advertise,
}: DataWorkerOptions = {}): Promise<DataWorker> {
  wholeNumber("data worker's threads", threads, 1);
  checkSecret(secret);
  checkAddress("data worker", address, secret);
  if (dispatcher !== undefined) checkAddress("data worker", dispatcher, secret);
  const { socket, bound, openGate } = await bind(address, secret);
  const membership =
    dispatcher === undefined ? null : await Membership.worker(dispatcher, secret, advertise ?? bound);
  return new DataWorker(socket, bound, threads, openGate, membership);
}

/** A router that only those with the secret can speak to. */
export async function bind(
  address: string,
  secret: string | undefined,
): Promise<{ socket: Router; bound: string; openGate: () => void }> {
  const zmq = await zeromq();
  const context = new zmq.Context({ blocky: false });
  const openGate = secret === undefined ? () => {} : await guard(zmq, context, secret);
  const socket = new zmq.Router({
    context,
    mandatory: true, // a client that is gone is told by an error
    linger: 0,
    sendHighWaterMark: 0,
    receiveHighWaterMark: 0,
    maxMessageSize: MAX_MESSAGE,
    heartbeatInterval: 2000,
    heartbeatTimeout: 10_000,
    ...serverKeys(secret),
  });
  try {
    await socket.bind(address);
  } catch (cause) {
    socket.close();
    openGate();
    throw new MlsysError(`data service: can't bind ${address}: ${(cause as Error).message}`, { cause });
  }
  return { socket, bound: socket.lastEndpoint as string, openGate };
}
