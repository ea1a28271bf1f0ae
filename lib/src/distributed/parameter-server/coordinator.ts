/**
 * The coordinator: who lives, who holds what. While it is away, servers answer until their leases end, and then wait; what
 * they hold is safe. With a file for its state, one that is started anew at the same address leads them on; without, or
 * with its disk gone, the job has to begin again. (Several coordinators that agree by Paxos or Raft would not have to be
 * started anew; there is one here.)
 *
 * A server's lease runs from when it sent a beat that was answered; it is given up later than its lease can last by any
 * clock that is less than a quarter off. So no two copies ever take themselves for the head, and none that was given up
 * answers reads. (Gray and Cheriton 1989.)
 */
import { closeSync, existsSync, fsyncSync, openSync, readFileSync, renameSync, writeSync } from "node:fs";
import { MlsysError, ValueError } from "../../core/errors.js";
import { checkAddress, checkSecret } from "../../data/remote/secret.js";
import { Cluster } from "./cluster.js";
import { Endpoint } from "./endpoint.js";
import type { JobOptions } from "./job.js";
import type { Position } from "./view.js";
import type { Message } from "./wire.js";

export interface CoordinatorOptions {
  /** `tcp://HOST:PORT`, port `*` for a free one. Default tcp://127.0.0.1:*. Other hosts than this one want a secret. */
  readonly address?: string;
  readonly secret?: string;
  /** Milliseconds that a server may answer without hearing from the coordinator. Default 3000. */
  readonly lease?: number;
  /** Milliseconds of silence before a worker is given up; its computation may hold its thread so long. Default 60 000. */
  readonly workerTimeout?: number;
  /** File that keeps the state, written before anybody is told. Default: it is kept in memory alone. */
  readonly state?: string;
}

interface Peer {
  route: string;
  readonly role: "server" | "client";
  readonly worker: number | null;
  heard: number;
}

/** Silence after which a server is given up, in leases. */
const PATIENCE = 1.25;

export class Coordinator {
  readonly lease: number;
  private readonly peers = new Map<string, Peer>();
  private readonly given = new Set<string>();
  private readonly timer: NodeJS.Timeout;
  private looked = performance.now();
  private told = -1;
  /** Until when workers of an earlier coordinator may say that they are there. */
  private grace: number | null = null;

  private constructor(
    private readonly endpoint: Endpoint,
    private readonly cluster: Cluster,
    private readonly state: string | undefined,
    { lease = 3000, workerTimeout = 60_000 }: CoordinatorOptions,
  ) {
    this.lease = lease;
    const now = performance.now();
    for (const id of cluster.serverIds)
      this.peers.set(id, { route: "", role: "server", worker: null, heard: now });
    if (cluster.job) this.grace = now + workerTimeout;
    this.timer = setInterval(() => this.look(workerTimeout), lease / 5);
    void endpoint.listen((route, message) => this.hear(route, message));
  }

  get address(): string {
    return this.endpoint.address;
  }

  /** Starts one in this process. @throws ValueError for options; MlsysError if the address can't be bound */
  static async start(options: CoordinatorOptions = {}): Promise<Coordinator> {
    const { address = "tcp://127.0.0.1:*", secret, lease = 3000, workerTimeout = 60_000 } = options;
    checkSecret(secret);
    checkAddress("parameter server's coordinator", address, secret);
    for (const [name, value] of Object.entries({ lease, workerTimeout }))
      if (!(value >= 50 && value < Number.POSITIVE_INFINITY))
        throw new ValueError(`parameter server: ${name} is in milliseconds from 50, got ${value}`);
    const { state } = options;
    const cluster =
      state !== undefined && existsSync(state)
        ? Cluster.fromText(readFileSync(state, "utf8"))
        : new Cluster();
    return new Coordinator(await Endpoint.bind(address, secret), cluster, state, options);
  }

  close(): void {
    clearInterval(this.timer);
    this.endpoint.close();
  }

  /** Whoever started a server knows that its process has ended: nobody has to wait for its lease. */
  lost(id: string): void {
    const peer = this.peers.get(id);
    if (!peer) return;
    this.peers.delete(id);
    if (peer.role === "server") {
      this.given.add(id);
      this.cluster.loseServer(id);
    } else if (peer.worker !== null) this.loseWorker(peer.worker);
    this.announce();
  }

  private hear(route: string, message: Message): void {
    const id = message.id === undefined ? "" : String(message.id).slice(0, 64);
    const peer = this.peers.get(id);
    if (peer) {
      peer.heard = performance.now();
      peer.route = route;
    }
    switch (message.t) {
      case "hello":
        this.welcome(route, id, message);
        return;
      case "beat":
        if (this.given.has(id)) {
          this.endpoint.reply(route, { t: "gone" });
          return;
        }
        if (!peer) {
          this.endpoint.reply(route, { t: "unknown" });
          return;
        }
        this.endpoint.reply(route, { t: "beat", i: message.i });
        for (const [p, e, learner] of listOf(message.filled)) this.cluster.filled(p, e, learner);
        this.announce();
        return;
      case "sealed":
        this.cluster.sealed(id, message.p as number, message.e as number, positionOf(message));
        this.announce();
        return;
      case "define":
        try {
          this.cluster.define(message.job as JobOptions, message.servers as number);
          this.endpoint.reply(route, { t: "defined", i: message.i });
        } catch (error) {
          if (!(error instanceof MlsysError)) throw new ValueError("parameter server: a job that is none");
          throw error;
        }
        this.announce();
        return;
      case "bye":
        this.lost(id);
        return;
      default:
        throw new ValueError(
          `parameter server: the coordinator knows no ${JSON.stringify(message.t).slice(0, 40)}`,
        );
    }
  }

  private welcome(route: string, id: string, { role, address, worker }: Message): void {
    if (id === "" || (role !== "server" && role !== "client"))
      throw new ValueError("parameter server: a hello without a name or a role");
    if (this.given.has(id)) {
      this.endpoint.reply(route, { t: "gone" });
      return;
    }
    if (role === "server") {
      checkAddress("parameter server", String(address), "known");
      this.cluster.addServer(id, String(address));
    } else if (worker !== undefined) {
      if (!Number.isInteger(worker) || (worker as number) < 0)
        throw new ValueError("parameter server: a worker's number is whole and not negative");
      this.cluster.addWorker(worker as number);
    }
    const number = role === "client" && worker !== undefined ? (worker as number) : null;
    this.peers.set(id, { route, role, worker: number, heard: performance.now() });
    this.endpoint.reply(route, { t: "welcome", lease: this.lease });
    if (this.cluster.view.n === this.told) this.tell(route);
    else this.announce();
  }

  /** Others may have taken a number over. */
  private loseWorker(worker: number): void {
    if (![...this.peers.values()].some((peer) => peer.worker === worker)) this.cluster.loseWorker(worker);
  }

  /** Who was silent for too long? */
  private look(workerTimeout: number): void {
    const now = performance.now();
    const pause = now - this.looked - this.lease / 5;
    this.looked = now;
    // this process stood still, and so did its ears: the silence was its own
    if (pause > this.lease / 5) for (const peer of this.peers.values()) peer.heard += pause;
    for (const [id, { role, heard }] of this.peers)
      if (now - heard > (role === "server" ? PATIENCE * this.lease : workerTimeout)) this.lost(id);
    if (this.grace !== null && now > this.grace) {
      this.grace = null;
      for (const worker of this.cluster.workerNumbers) this.loseWorker(worker);
      this.announce();
    }
    this.ask();
  }

  private announce(): void {
    this.ask();
    if (this.cluster.view.n === this.told) return;
    this.told = this.cluster.view.n;
    if (this.state !== undefined) keep(this.state, this.cluster.toText());
    for (const { route } of this.peers.values()) this.tell(route);
  }

  private ask(): void {
    for (const { server, p, e } of this.cluster.seals) {
      const peer = this.peers.get(server);
      if (peer) this.endpoint.reply(peer.route, { t: "seal", p, e });
    }
  }

  private tell(route: string): void {
    this.endpoint.reply(route, { t: "view", view: this.cluster.view, job: this.cluster.job });
  }
}

/** On disk, whole, before it returns. */
function keep(file: string, text: string): void {
  const partial = `${file}.partial`;
  const handle = openSync(partial, "w");
  try {
    writeSync(handle, text);
    fsyncSync(handle);
  } finally {
    closeSync(handle);
  }
  renameSync(partial, file);
}

function positionOf({ l, s }: Message): Position {
  if (!Number.isSafeInteger(l) || !Number.isSafeInteger(s))
    throw new ValueError("parameter server: a position that is none");
  return { l: l as number, s: s as number };
}

function listOf(filled: unknown): [number, number, string][] {
  return Array.isArray(filled) ? (filled.filter(Array.isArray) as [number, number, string][]) : [];
}
