/** A parameter server: the sockets, clock and lease around the copies of partitions that it holds. */
import { randomUUID } from "node:crypto";
import { ValueError } from "../../core/errors.js";
import { checkAddress, checkSecret, type ZeroMQ, zeromq } from "../../data/remote/secret.js";
import { Endpoint, Link } from "./endpoint.js";
import { checkJob, type JobOptions } from "./job.js";
import { hash, Layout } from "./layout.js";
import { type PullRequest, Replica } from "./replica.js";
import type { Part, PushOp, ShardCounts } from "./shard.js";
import { HotKeys } from "./sketch.js";
import type { View } from "./view.js";
import { ids, type Message } from "./wire.js";

export interface ServerOptions {
  /** Address of the coordinator. */
  readonly coordinator: string;
  /** `tcp://HOST:PORT`, port `*` for a free one. Default tcp://127.0.0.1:*. Other hosts than this one want a secret. */
  readonly address?: string;
  /** Address under which others reach this server, if it is not the one that it is bound to. */
  readonly advertise?: string;
  /** All have the same; what they say is encrypted (CURVE). */
  readonly secret?: string;
}

/** What a server says of a partition that it leads. */
export interface PartitionStats extends ShardCounts {
  readonly partition: number;
  readonly version: number;
}

/** Who gets the answer to a pull, and which rows of it are hot. */
interface PullRoute {
  readonly to: string;
  readonly hot: readonly (readonly number[])[];
}

const MOST_EARLY = 65_536;

export class ParameterServer {
  /** Another one in each life, also after the coordinator has given it up: what it held then doesn't count any more. */
  id = randomUUID();
  /** Called when it has a new one. */
  renamed: () => void = () => {};
  private layout: Layout | null = null;
  private view: View | null = null;
  private readonly replicas = new Map<number, Replica>();
  private readonly peers = new Map<string, Link>();
  private readonly hot = new HotKeys();
  /** From servers that have heard of the job before this one. */
  private early: [route: string, message: Message][] = [];
  private readonly coordinator: Link;
  private beatTimer: NodeJS.Timeout | null = null;
  private beats = new Map<number, number>();
  private beat = 0;
  private leaseMs = 0;
  private leaseUntil = 0;
  private closed = false;

  private constructor(
    private readonly zmq: ZeroMQ,
    private readonly endpoint: Endpoint,
    private readonly options: ServerOptions,
  ) {
    this.coordinator = new Link(zmq, options.coordinator, options.secret, {
      opened: () => this.hello(),
      message: (message) => this.fromCoordinator(message),
    });
    void endpoint.listen((route, message, frames) => this.hear(route, message, frames));
  }

  get address(): string {
    return this.options.advertise ?? this.endpoint.address;
  }

  /** Starts one in this process. @throws ValueError for addresses; MlsysError if its own can't be bound */
  static async start(options: ServerOptions): Promise<ParameterServer> {
    const { coordinator, address = "tcp://127.0.0.1:*", secret } = options;
    checkSecret(secret);
    checkAddress("parameter server", address, secret);
    checkAddress("parameter server", coordinator, secret);
    return new ParameterServer(await zeromq(), await Endpoint.bind(address, secret), options);
  }

  /** Leaves: the coordinator is told at once. */
  close(): void {
    if (this.closed) return;
    this.closed = true;
    if (this.beatTimer) clearInterval(this.beatTimer);
    this.leaseUntil = 0;
    this.coordinator.send({ t: "bye", id: this.id });
    this.coordinator.close();
    for (const link of this.peers.values()) link.close();
    this.endpoint.close();
  }

  private hello(): void {
    this.coordinator.send({ t: "hello", role: "server", id: this.id, address: this.address });
  }

  private fromCoordinator(message: Message): void {
    if (message.t === "welcome") {
      this.leaseMs = message.lease as number;
      if (this.beatTimer) clearInterval(this.beatTimer);
      this.beatTimer = setInterval(() => this.sendBeat(), this.leaseMs / 5);
      this.sendBeat();
    } else if (message.t === "beat") {
      const sent = this.beats.get(message.i as number);
      if (sent !== undefined) this.leaseUntil = Math.max(this.leaseUntil, sent + this.leaseMs);
      for (const i of this.beats.keys()) if (i <= (message.i as number)) this.beats.delete(i);
    } else if (message.t === "view") this.adopt(message.view as View, message.job as JobOptions | null);
    else if (message.t === "gone") this.anew();
    else if (message.t === "unknown") this.hello();
    else if (message.t === "seal") {
      const position = this.replica(message.p as number).seal(message.e as number);
      this.coordinator.send({ t: "sealed", id: this.id, p: message.p, e: message.e, ...position });
    }
  }

  private sendBeat(): void {
    const i = ++this.beat;
    this.beats.set(i, performance.now());
    if (this.beats.size > 64) this.beats.delete(this.beats.keys().next().value as number);
    const filled = [...this.replicas.values()].flatMap(({ partition, epoch, filled }) =>
      filled.map((learner) => [partition, epoch, learner]),
    );
    this.coordinator.send({ t: "beat", id: this.id, i, filled });
  }

  /** The coordinator took this server for dead: it begins again, with nothing. */
  private anew(): void {
    this.id = randomUUID();
    this.replicas.clear();
    this.view = null;
    this.leaseUntil = 0;
    this.beats.clear();
    for (const link of this.peers.values()) link.close();
    this.peers.clear();
    this.renamed();
    this.hello();
  }

  private adopt(view: View, job: JobOptions | null): void {
    if (view.n <= (this.view?.n ?? -1) || !(this.id in view.servers)) return;
    this.view = view;
    if (job && !this.layout) this.layout = new Layout(checkJob(job));
    for (const [id, link] of this.peers)
      if (!(id in view.servers)) {
        link.close();
        this.peers.delete(id);
      }
    if (!this.layout) return;
    for (const [p, part] of view.parts.entries()) this.replica(p).adopt(part, view.workers);
    for (const [route, message] of this.early.splice(0)) this.hear(route, message, []);
  }

  private replica(p: number): Replica {
    const known = this.replicas.get(p);
    if (known) return known;
    if (!this.layout || !Number.isInteger(p) || p < 0 || p >= this.layout.job.partitions)
      throw new ValueError(`parameter server: there is no partition ${String(p)}`);
    const made = new Replica(this.id, p, this.layout, {
      send: (to, message, frames) => void this.peer(to)?.send(message, frames),
      reply: (route, message, frames) => this.reply(route as string | PullRoute, message, frames),
      holdsLease: () => performance.now() < this.leaseUntil,
      filled: (partition, epoch, learner) => {
        this.coordinator.send({ t: "beat", id: this.id, i: 0, filled: [[partition, epoch, learner]] });
      },
    });
    this.replicas.set(p, made);
    return made;
  }

  private reply(route: string | PullRoute, message: Message, frames: readonly Uint8Array[] = []): void {
    if (typeof route === "string") this.endpoint.reply(route, message, frames);
    else
      this.endpoint.reply(route.to, route.hot.length > 0 ? { ...message, hot: route.hot } : message, frames);
  }

  private peer(id: string): Link | undefined {
    const known = this.peers.get(id);
    const address = this.view?.servers[id];
    if (known || address === undefined) return known;
    const mine = (): Replica[] => [...this.replicas.values()];
    const link = new Link(this.zmq, address, this.options.secret, {
      opened: () => {
        for (const replica of mine()) replica.connected(id);
      },
      message: (message) => {
        if (this.peers.get(id) === link) this.replica(message.p as number).fromBelow(id, message);
      },
    });
    this.peers.set(id, link);
    return link;
  }

  private hear(route: string, message: Message, frames: readonly Uint8Array[]): void {
    switch (message.t) {
      case "push": {
        if (!this.layout) {
          this.reply(route, { t: "no", i: message.i, why: "epoch" });
          return;
        }
        const op = message.op as PushOp | undefined;
        if (typeof op !== "object" || op === null)
          throw new ValueError("parameter server: a push without an operation");
        this.replica(message.p as number).push(route, message.i, message.e as number, op, frames);
        return;
      }
      case "pull": {
        if (!this.layout) {
          this.reply(route, { t: "no", i: message.i, why: "epoch" });
          return;
        }
        const request = pullOf(message);
        const hot = message.hot === true ? this.heat(request.parts, frames) : [];
        this.replica(message.p as number).pull({ to: route, hot }, request, frames);
        return;
      }
      case "attach":
      case "state":
      case "entry":
      case "sync":
        if (this.layout) this.replica(message.p as number).fromAbove(route, message, frames);
        else if (message.t === "attach" && this.early.length < MOST_EARLY) this.early.push([route, message]);
        return;
      case "stats":
        this.reply(route, { t: "ok", i: message.i, stats: this.stats(), refused: this.endpoint.refused });
        break;
      default:
        throw new ValueError(
          `parameter server: a message of an unknown kind ${JSON.stringify(message.t).slice(0, 40)}`,
        );
    }
  }

  /** Counts the rows that are asked for. @returns for each rows part the places of those that are hot */
  private heat(parts: readonly Part[], frames: readonly Uint8Array[]): number[][] {
    let at = 0;
    const hot: number[][] = [];
    for (const { k, r } of parts) {
      if (r === undefined) continue;
      const [found, seed]: [number[], number] = [[], hash(k)];
      ids(frames[at++], r).forEach((id, i) => {
        if (this.hot.add(seed, id)) found.push(i);
      });
      hot.push(found);
    }
    return hot;
  }

  private stats(): PartitionStats[] {
    return [...this.replicas.values()].flatMap(({ partition, shard, isHead }) =>
      shard && isHead ? [{ partition, version: shard.version, ...shard.counts }] : [],
    );
  }
}

/** @throws ValueError for what is no request */
function pullOf({ i, e, k, w, any, parts }: Message): PullRequest {
  const natural = (x: unknown): x is number => Number.isSafeInteger(x) && (x as number) >= 0;
  if (!natural(e) || !natural(k) || !(w === undefined || natural(w)) || !Array.isArray(parts))
    throw new ValueError("parameter server: a pull whose numbers or parts are none");
  if (!parts.every((part) => typeof part === "object" && part !== null && typeof part.k === "string"))
    throw new ValueError("parameter server: a pull with parts that are none");
  return { i, e, k, ...(w !== undefined && { w }), any: any === true, parts: parts as Part[] };
}
