/**
 * A copy of a partition among others, as a state machine of messages: it opens no socket and reads no clock, so that tests
 * can put any order of messages and deaths to it.
 *
 * Entries flow from the head down the chain, or from the leader to each follower; acknowledgements flow back, and the head
 * answers the client once the tail (or so many followers) has the entry. In each epoch a copy first asks the one behind it
 * how far it is, sends what is missing (all, if the histories differ), and says `sync`: only then may that one answer reads.
 */
import type { Job } from "./job.js";
import type { Layout } from "./layout.js";
import { type Entry, Log } from "./log.js";
import { type Op, type Part, type PushOp, Shard } from "./shard.js";
import { NOTHING, type PartitionView, type Position, START } from "./view.js";
import type { Message } from "./wire.js";

/** Where an answer goes. */
export type Route = unknown;

export interface Effects {
  /** To another server. May be lost with the connection: then `connected` is called again. */
  send(to: string, message: Message, frames?: readonly Uint8Array[]): void;
  /** To who asked. */
  reply(to: Route, message: Message, frames?: readonly Uint8Array[]): void;
  /** False once the coordinator may have given the partition to others. */
  holdsLease(): boolean;
  /** A learner holds all. */
  filled(partition: number, epoch: number, learner: string): void;
}

interface Flow {
  /** Number of the question how far it is: answers to older ones, over connections that broke, don't count. */
  readonly a: number;
  attached: boolean;
  acked: number;
}

interface WaitingPush {
  readonly route: Route;
  readonly i: unknown;
  readonly s: number;
  readonly late: boolean;
}

export interface PullRequest {
  readonly i: unknown;
  readonly e: number;
  readonly k: number;
  readonly w?: number;
  readonly any?: boolean;
  readonly parts: readonly Part[];
}

interface WaitingPull {
  readonly route: Route;
  readonly request: PullRequest;
  readonly frames: readonly Uint8Array[];
}

/** Requests that wait here; more are refused. */
const MOST_WAITING = 10_000;

export class Replica {
  shard: Shard | null = null;
  private view: PartitionView = { e: 0, m: [], l: [] };
  private workers: readonly number[] | null = null;
  private readonly log = new Log();
  private readonly flows = new Map<string, Flow>();
  private stable = 0;
  private synced = false;
  private sealed = 0;
  private attaches = 0;
  /** Learners that hold all: entries are not safe any more before they have them too, as they may be members already. */
  private readonly full = new Set<string>();
  /** The copy before this one, and what it said before this one had heard of the epoch. */
  private above: Route = null;
  private aboveNumber = 0;
  private early: { route: Route; message: Message } | null = null;
  private pushes: WaitingPush[] = [];
  private pulls: WaitingPull[] = [];

  constructor(
    readonly self: string,
    readonly partition: number,
    private readonly layout: Layout,
    private readonly effects: Effects,
  ) {}

  get epoch(): number {
    return this.view.e;
  }

  get position(): Position {
    const { l, s } = this.shard ? this.log.end : NOTHING;
    return { l, s };
  }

  get isHead(): boolean {
    return this.view.m[0] === this.self;
  }

  get isReader(): boolean {
    const { m } = this.view;
    return this.synced && m[this.job.replication.mode === "chain" ? m.length - 1 : 0] === this.self;
  }

  private get job(): Job {
    return this.layout.job;
  }

  /** What the coordinator says. */
  adopt(view: PartitionView, workers: readonly number[]): void {
    this.workers = workers;
    if (view.e > this.view.e) {
      this.view = view;
      this.refuseAll();
      this.flows.clear();
      this.full.clear();
      this.above = null;
      this.aboveNumber = 0;
      this.stable = 0; // who has what is asked anew: what a follower had is not yet safe when it leads
      const member = view.m.includes(this.self);
      if (!member && !view.l.includes(this.self)) this.forget();
      // a full copy that has nothing yet was there from the beginning: nothing can have been acknowledged without it
      else if (member && !this.shard) this.start();
      this.synced = this.isHead;
      for (const target of this.targets()) this.attach(target);
      this.settle();
      const { early } = this;
      this.early = null;
      if (early) this.attached(early.route, early.message);
    }
    this.proposeWorkers();
  }

  /** A connection to another server is there, perhaps again: what was sent before may be lost. */
  connected(server: string): void {
    if (this.targets().includes(server)) this.attach(server);
  }

  /** The coordinator asks how far it is; from now on nothing of older epochs counts. */
  seal(epoch: number): Position {
    this.sealed = Math.max(this.sealed, epoch);
    return this.shard ? this.position : START;
  }

  /** Copies that were filled in this epoch. */
  get filled(): readonly string[] {
    return [...this.full];
  }

  push(route: Route, i: unknown, epoch: number, op: PushOp, frames: readonly Uint8Array[]): void {
    const { shard } = this;
    const refuse = (why: string, more: object = {}): void =>
      this.effects.reply(route, { t: "no", i, why, ...more });
    if (!shard || epoch !== this.view.e || !this.isHead || !this.effects.holdsLease()) {
      refuse("epoch");
      return;
    }
    if (this.pushes.length >= MOST_WAITING) {
      refuse("bad", { text: "too many pushes wait" });
      return;
    }
    const next = shard.numberOf(op.c) + 1;
    if (op.n > next) {
      refuse("gap", { n: next });
      return;
    }
    if (op.n === next)
      try {
        shard.check(op, frames);
      } catch (error) {
        refuse("bad", { text: (error as Error).message });
        return;
      }
    const late = op.n === next && this.append(op, frames);
    // one that was here before is answered once all that came up to now is safe, it among them
    this.pushes.push({ route, i, s: this.log.end.s, late });
    this.settle();
  }

  pull(route: Route, request: PullRequest, frames: readonly Uint8Array[]): void {
    const may = request.any ? this.synced && this.view.m.includes(this.self) : this.isReader;
    if (!this.shard || request.e !== this.view.e || !may || !this.effects.holdsLease())
      this.effects.reply(route, { t: "no", i: request.i, why: "epoch" });
    else if (this.pulls.length >= MOST_WAITING)
      this.effects.reply(route, { t: "no", i: request.i, why: "bad", text: "too many pulls wait" });
    else {
      this.pulls.push({ route, request, frames });
      this.answer();
    }
  }

  /** From the copy before this one. */
  fromAbove(route: Route, message: Message, frames: readonly Uint8Array[]): void {
    if (message.t === "attach") {
      this.attached(route, message);
      return;
    }
    const { e, l, s } = message as Message & Position & { e: number };
    if (e !== this.view.e || e < this.sealed || route !== this.above) return;
    if (message.t === "state") {
      this.shard = Shard.restore(this.layout, this.partition, message.head, frames);
      this.log.reset({ l, s });
      this.stable = 0;
      for (const target of this.targets()) this.attach(target); // what they have may be of another history
    } else if (message.t === "entry" && this.shard && s === this.log.end.s + 1) {
      this.shard.check(message.op as Op, frames);
      this.record({ l, s, op: message.op as Op, frames });
    } else if (message.t === "sync" && this.shard && s === this.log.end.s) {
      this.synced = true;
      this.acknowledge(this.confirmed());
    }
    this.settle();
  }

  /** From a copy behind this one. */
  fromBelow(server: string, message: Message): void {
    const flow = this.flows.get(server);
    const { e, l, s } = message as Message & Position & { e: number };
    if (!flow || e !== this.view.e || message.a !== flow.a || !this.shard) return;
    if (message.t === "at") {
      const missing = this.log.after({ l, s });
      if (missing) for (const entry of missing) this.sendEntry(server, entry);
      else {
        const { head, frames } = this.shard.snapshot();
        this.effects.send(server, { t: "state", p: this.partition, e, ...this.position, head }, frames);
      }
      flow.attached = true;
      this.effects.send(server, { t: "sync", p: this.partition, e, ...this.position });
    } else if (message.t === "ack" && flow.attached) {
      flow.acked = Math.max(flow.acked, s);
      if (this.view.l.includes(server) && flow.acked === this.log.end.s && !this.full.has(server)) {
        this.full.add(server);
        this.effects.filled(this.partition, this.view.e, server);
      }
    }
    this.settle();
  }

  private attached(route: Route, message: Message): void {
    const e = message.e as number;
    if (e > this.view.e) this.early = { route, message };
    const a = message.a as number;
    if (e !== this.view.e || message.me !== this.upstream() || a <= this.aboveNumber) return;
    this.above = route;
    this.aboveNumber = a;
    this.effects.reply(route, { t: "at", p: this.partition, e, a, ...this.position });
  }

  private upstream(): string | undefined {
    const { m, l } = this.view;
    const i = m.indexOf(this.self);
    if (this.job.replication.mode === "chain") return l.includes(this.self) ? m.at(-1) : m[i - 1];
    return i === 0 ? undefined : m[0];
  }

  /** Who gets entries from this copy. */
  private targets(): string[] {
    const { m, l } = this.view;
    const i = m.indexOf(this.self);
    if (i < 0) return [];
    if (this.job.replication.mode === "chain") return i + 1 < m.length ? [m[i + 1]] : [...l];
    return i === 0 ? [...m.slice(1), ...l] : [];
  }

  private attach(server: string): void {
    const a = ++this.attaches;
    this.flows.set(server, { a, attached: false, acked: -1 });
    this.effects.send(server, { t: "attach", p: this.partition, e: this.view.e, a, me: this.self });
  }

  private start(): void {
    this.shard = new Shard(this.layout, this.partition);
    this.log.reset(START);
    this.stable = 0;
  }

  private forget(): void {
    this.shard = null;
    this.log.reset(START);
    this.stable = 0;
    this.synced = false;
  }

  private proposeWorkers(): void {
    if (!this.isHead || !this.shard || !this.workers) return;
    const [now, wanted] = [[...this.shard.workers].sort(), [...this.workers].sort()];
    if (now.join() === wanted.join()) return;
    this.append({ kind: "workers", list: this.workers }, []);
    this.settle();
  }

  /** At the head. */
  private append(op: Op, frames: readonly Uint8Array[]): boolean {
    return this.record({ l: this.view.e, s: this.log.end.s + 1, op, frames });
  }

  private record(entry: Entry): boolean {
    this.log.push(entry);
    // first on its way, then applied: the next copy computes at the same time
    for (const target of this.targets()) if (this.flows.get(target)?.attached) this.sendEntry(target, entry);
    return (this.shard as Shard).apply(entry.op, entry.frames);
  }

  private sendEntry(to: string, { l, s, op, frames }: Entry): void {
    this.effects.send(to, { t: "entry", p: this.partition, e: this.view.e, l, s, op }, frames);
  }

  /** The last entry that is as safe as the mode promises, as far as this copy knows. */
  private confirmed(): number {
    const { replication } = this.job;
    const { m } = this.view;
    const [i, end] = [m.indexOf(this.self), this.log.end.s];
    const acked = (id: string): number => this.flows.get(id)?.acked ?? -1;
    const learners = Math.min(end, ...[...this.full].map(acked));
    if (i >= 0 && replication.mode === "chain") return i + 1 < m.length ? acked(m[i + 1]) : learners;
    if (i !== 0 || replication.mode !== "leader" || replication.acknowledgements === 0) return end;
    const followers = m
      .slice(1)
      .map(acked)
      .sort((a, b) => b - a);
    const wanted = Math.min(replication.acknowledgements, followers.length);
    return Math.min(learners, wanted === 0 ? end : followers[wanted - 1]);
  }

  private acknowledge(s: number): void {
    const { e } = this.view;
    this.effects.reply(this.above, { t: "ack", p: this.partition, e, a: this.aboveNumber, s });
  }

  private settle(): void {
    if (!this.shard) return;
    const stable = this.confirmed();
    if (stable > this.stable) {
      this.stable = stable;
      if (this.above !== null) this.acknowledge(stable);
    }
    this.log.trim(this.stable);
    while (this.pushes.length > 0 && this.pushes[0].s <= this.stable) {
      const { route, i, late } = this.pushes.shift() as WaitingPush;
      this.effects.reply(route, { t: "ok", i, version: this.shard.version, late });
    }
    this.answer();
  }

  private answer(): void {
    const { shard } = this;
    if (!shard || this.pulls.length === 0) return;
    const ready = this.pulls.filter(({ request: { k, w } }) => shard.allows(k, w));
    if (ready.length === 0) return;
    this.pulls = this.pulls.filter((pull) => !ready.includes(pull));
    for (const { route, request, frames } of ready) {
      if (!this.effects.holdsLease()) {
        this.effects.reply(route, { t: "no", i: request.i, why: "epoch" });
        continue;
      }
      try {
        const values = shard.read(request.parts, frames);
        const bytes = values.map((array) => new Uint8Array(array.buffer));
        const { i, w } = request;
        const clock = w === undefined ? {} : { clock: shard.clockOf(w) };
        this.effects.reply(route, { t: "ok", i, version: shard.version, ...clock }, bytes);
      } catch (error) {
        this.effects.reply(route, { t: "no", i: request.i, why: "bad", text: (error as Error).message });
      }
    }
  }

  /** Who waits here asks again, in the new epoch. */
  private refuseAll(): void {
    const waiting = [...this.pushes, ...this.pulls.map(({ route, request }) => ({ route, i: request.i }))];
    this.pushes = [];
    this.pulls = [];
    for (const { route, i } of waiting) this.effects.reply(route, { t: "no", i, why: "epoch" });
  }
}
