/**
 * Remote workers in the place of a walk's threads: chunks go to whoever has room, and come back in order. A chunk whose
 * worker is gone goes to another one; what comes back twice counts once. Where the consumer waits for a chunk and others
 * have nothing to do, one of them gets it too (backup tasks: Dean and Ghemawat, MapReduce, 2004).
 */
import { serialize } from "node:v8";
import { clock } from "../../core/clock.js";
import { ValueError } from "../../core/errors.js";
import { allocate, giveUp, memory, takeBack } from "../../runtime/heap.js";
import type { BlockKeeper, Line, LineStage, Team } from "../engine/crew.js";
import { type Block, bytesOf } from "../engine/transport.js";
import type { Chunk, StageReport } from "../engine/worker.js";
import { portable } from "./job.js";
import { Link, type LinkEvents } from "./link.js";
import { Membership } from "./membership.js";
import { checkAddress, checkSecret, zeromq } from "./secret.js";
import { chunkOf, framesOf } from "./wire.js";

/** Where the workers are. */
export interface RemoteWorkers {
  /** Addresses of data workers; those that are not there yet join when they are. */
  readonly workers?: readonly string[];
  /** Address of a dispatcher, which knows of workers. */
  readonly dispatcher?: string;
  readonly secret?: string;
  /** Milliseconds without any worker before the walk ends with an error. Default 30 000. */
  readonly timeout?: number;
}

/** @throws ValueError for addresses that are none */
export function checkRemote({ workers = [], dispatcher, secret, timeout }: RemoteWorkers): void {
  if (workers.length === 0 && dispatcher === undefined)
    throw new ValueError("pipeline: remote wants addresses of workers, or a dispatcher");
  if (timeout !== undefined && !(timeout > 0))
    throw new ValueError(`pipeline: remote's timeout is in milliseconds above 0, got ${timeout}`);
  checkSecret(secret);
  for (const address of [...workers, ...(dispatcher === undefined ? [] : [dispatcher])])
    checkAddress("pipeline's remote", address, secret);
}

/** Workers that a chunk may cost before it is taken for the reason. */
const MOST_LOSSES = 3;
/** A chunk is late if it takes so many times as long as others do, and this longer. */
const LATE = 3;
const LATE_MS = 100;

/** A chunk that is not back. */
interface Sent {
  readonly chunk: number;
  readonly job: string;
  readonly frames: readonly Uint8Array[];
  /** Who has it, and since when. */
  readonly at: Map<Link, number>;
  losses: number;
  /** Why it was lost. */
  why: string;
}

interface Lane {
  readonly job: string;
  readonly text: Uint8Array;
  readonly receive: (chunk: Chunk) => void;
  /** Those that are back before their turn. */
  readonly early: Map<number, Chunk>;
  next: number;
}

export class RemoteCrew implements Team, LinkEvents {
  private readonly links = new Map<string, Link>();
  private readonly lanes = new Map<string, Lane>();
  /** In the order of their numbers; of all lanes. */
  private readonly sent: Sent[] = [];
  private readonly mourners = new Set<(reason: string) => void>();
  private death: string | null = null;
  private ended = false;
  private waiting = 0;
  private jobs = 0;
  private membership: Membership | null = null;
  private lonely: NodeJS.Timeout | null = null;
  private late: NodeJS.Timeout | null = null;
  /** Milliseconds that a chunk takes, there and back. */
  private usual = Number.NaN;
  private readonly numbers = new Map<Link, number>();
  /** Blocks of results that no storage has yet: bytes by address. */
  private readonly blocks = new Map<number, number>();
  private readonly keeper: BlockKeeper;

  /** @param roomChanged is told how many chunks the workers take at once */
  constructor(
    private readonly where: RemoteWorkers,
    private readonly roomChanged: (credits: number, threads: number) => void,
  ) {
    const keeper: BlockKeeper = {
      lives: ({ address }) => {
        this.blocks.delete(address);
        return keeper;
      },
      take: (address, bytes) => takeBack(address, bytes),
    };
    this.keeper = keeper;
    void this.open().catch((error: Error) => this.die(error.message));
  }

  onDeath(tell: (reason: string) => void): () => void {
    if (this.death !== null) tell(this.death);
    this.mourners.add(tell);
    return () => this.mourners.delete(tell);
  }

  hold(on: boolean): void {
    this.waiting += on ? 1 : -1;
    if (on) this.watch();
  }

  member(): BlockKeeper {
    return this.keeper;
  }

  line(stages: readonly LineStage[], from: number, _capacity: number, receive: (chunk: Chunk) => void): Line {
    const job = String(this.jobs++);
    const text = serialize(
      portable({
        stages: stages.map(({ order: { ops, epoch, timed } }) => ({ ops, epoch, timed })),
      }),
    );
    const lane: Lane = { job, text, receive, early: new Map(), next: from };
    this.lanes.set(job, lane);
    return {
      send: (chunk) => {
        const lent = chunk.blocks.map(
          (block) => new Uint8Array(memory.buffer, block.address, bytesOf(block)),
        );
        const frames = framesOf(chunk, (i) => lent[i].slice(), { first: chunk.first });
        this.sent.push({ chunk: chunk.chunk, job, frames, at: new Map(), losses: 0, why: "" });
        this.watch();
        this.feed();
      },
      close: () => {
        this.lanes.delete(job);
        for (const link of this.links.values()) if (link.knows.delete(job)) link.send("drop", job);
        this.keep(({ job: other }) => other !== job);
        for (const { blocks } of lane.early.values()) for (const block of blocks) this.free(block);
      },
    };
  }

  async end(): Promise<void> {
    if (this.ended) return;
    this.ended = true;
    for (const tell of this.mourners) tell("its workers were let go");
    for (const timer of [this.lonely, this.late]) if (timer) clearTimeout(timer);
    for (const link of this.links.values()) link.close();
    this.membership?.close();
    for (const [address, bytes] of this.blocks) takeBack(address, bytes);
    this.blocks.clear();
  }

  ready(): void {
    this.tellRoom();
    this.watch();
    this.feed();
  }

  gone(link: Link): void {
    for (const sent of this.sent)
      if (sent.at.delete(link)) this.lose(sent, `${link.address}: ${link.problem}`);
    link.has.clear();
    this.tellRoom();
    this.watch();
    this.feed();
  }

  /** Waiting wouldn't help if all of them refuse. */
  refused(): void {
    const links = [...this.links.values()];
    if (this.where.dispatcher === undefined && links.every(({ isRefused }) => isRefused))
      this.die(`no data worker lets this pipeline in: ${this.problems()}`);
  }

  message(link: Link, kind: string, frames: readonly Buffer[]): void {
    const [job, number, ...rest] = frames;
    const lane = this.lanes.get(String(job));
    const sent = this.sent.find((s) => s.job === String(job) && s.chunk === Number(String(number)));
    if (!lane || !sent) {
      this.released(link, String(job), Number(String(number))); // another one was faster
      this.feed();
      return;
    }
    const since = sent.at.get(link);
    sent.at.delete(link);
    this.released(link, String(job), sent.chunk);
    if (kind === "done") {
      if (since !== undefined) {
        const took = clock() - since;
        this.usual = Number.isNaN(this.usual) ? took : this.usual + 0.2 * (took - this.usual);
      }
      this.sent.splice(this.sent.indexOf(sent), 1);
      try {
        this.arrived(lane, sent.chunk, this.numberOf(link), rest);
      } catch (error) {
        this.die(`data worker ${link.address}: ${(error as Error).message}`);
        return;
      }
    } else if (kind === "unknown") link.knows.delete(lane.job);
    else if (kind === "lost") this.lose(sent, `${link.address}: ${String(rest[0])}`);
    this.watch();
    this.feed();
  }

  private async open(): Promise<void> {
    const { workers = [], dispatcher, secret } = this.where;
    const zmq = await zeromq();
    const add = (addresses: readonly string[]): void => {
      for (const address of addresses)
        if (!this.ended && !this.links.has(address))
          this.links.set(address, new Link(zmq, address, secret, this));
    };
    add(workers);
    if (dispatcher === undefined || this.ended) return;
    const membership = await Membership.client(dispatcher, secret, add);
    if (this.ended) membership.close();
    else this.membership = membership;
  }

  private tellRoom(): void {
    const links = [...this.links.values()];
    const sum = (f: (link: Link) => number): number => links.reduce((all, link) => all + f(link), 0);
    this.roomChanged(
      sum(({ credits }) => credits),
      sum(({ credits, threads }) => (credits > 0 ? threads : 0)),
    );
  }

  /** Gives chunks that nobody has to the workers with the most room. */
  private feed(): void {
    for (const sent of this.sent) {
      if (sent.at.size > 0) continue;
      const link = this.roomiest();
      if (!link) return;
      this.give(sent, link);
    }
  }

  private roomiest(except?: ReadonlyMap<Link, number>): Link | undefined {
    let best: Link | undefined;
    for (const link of this.links.values()) {
      if (link.has.size >= link.credits || except?.has(link)) continue;
      if (!best || link.has.size * best.credits < best.has.size * link.credits) best = link;
    }
    return best;
  }

  private give(sent: Sent, link: Link): void {
    const lane = this.lanes.get(sent.job) as Lane;
    if (!link.knows.has(sent.job)) {
      link.knows.add(sent.job);
      link.send("job", sent.job, lane.text);
    }
    sent.at.set(link, clock());
    link.has.add(key(sent.job, sent.chunk));
    link.send("work", sent.job, String(sent.chunk), ...sent.frames);
  }

  private released(link: Link, job: string, chunk: number): void {
    link.has.delete(key(job, chunk));
  }

  private lose(sent: Sent, why: string): void {
    sent.why = why;
    if (++sent.losses < MOST_LOSSES) return;
    this.die(
      `chunk ${sent.chunk} was lost by ${sent.losses} data workers (the last: ${why}); a function ends them, it seems`,
    );
  }

  private arrived(lane: Lane, number: number, worker: number, frames: readonly Buffer[]): void {
    const { items, tensors, blocks, reports = [], error = null } = chunkOf(frames);
    const now = clock();
    const done = reports.map(({ ms, tallies, spans }, stage): StageReport => {
      const start = now - ms;
      const moved = spans.map((span) => ({ ...span, start: start + span.start, end: start + span.end }));
      return { stage, thread: worker, start, end: now, tallies, bytes: 0, spans: moved };
    });
    const bytes = blocks.reduce((sum, block) => sum + block.bytes.byteLength, 0);
    const last = done.length - 1;
    if (last >= 0) done[last] = { ...done[last], bytes: bytes + frames[0].byteLength };
    const here = blocks.map(({ length, dtype, bytes: from }): Block => {
      const address = allocate(from.byteLength);
      giveUp(from.byteLength); // until a storage has it
      this.blocks.set(address, from.byteLength);
      new Uint8Array(memory.buffer, address, from.byteLength).set(from);
      return { address, length, dtype, home: worker };
    });
    lane.early.set(number, {
      items,
      tensors,
      blocks: here,
      chunk: number,
      first: [],
      reports: done,
      error,
      spent: [],
    });
    for (let first = lane.early.get(lane.next); first; first = lane.early.get(lane.next)) {
      lane.early.delete(lane.next++);
      lane.receive(first);
    }
  }

  private free({ address }: Block): void {
    const bytes = this.blocks.get(address);
    this.blocks.delete(address);
    if (bytes !== undefined) takeBack(address, bytes);
  }

  private keep(wanted: (sent: Sent) => boolean): void {
    for (const sent of this.sent)
      if (!wanted(sent)) for (const link of sent.at.keys()) this.released(link, sent.job, sent.chunk);
    const kept = this.sent.filter(wanted);
    this.sent.splice(0, this.sent.length, ...kept);
  }

  private numberOf(link: Link): number {
    const known = this.numbers.get(link);
    if (known !== undefined) return known;
    this.numbers.set(link, this.numbers.size);
    return this.numbers.size - 1;
  }

  /** Sees to it that somebody looks again if no worker is there, or if one is late. */
  private watch(): void {
    if (this.ended || this.death !== null) return;
    const links = [...this.links.values()];
    const alone = this.sent.length > 0 && !links.some(({ credits }) => credits > 0);
    if (!alone && this.lonely) {
      clearTimeout(this.lonely);
      this.lonely = null;
    }
    if (alone && !this.lonely) {
      const { timeout = 30_000 } = this.where;
      this.lonely = setTimeout(() => this.die(this.nobody(timeout)), timeout);
    }
    if (this.waiting > 0 && !this.late && this.sent.some(({ at }) => at.size > 0))
      this.late = setTimeout(() => {
        this.late = null;
        this.backUp();
        this.watch();
      }, LATE_MS);
  }

  /** The chunk that the consumer waits for goes to another worker too, if it is late and one has nothing to do. */
  private backUp(): void {
    if (this.waiting === 0) return;
    const firsts = [...this.lanes.values()].map((lane) =>
      this.sent.find(({ job, chunk }) => job === lane.job && chunk === lane.next),
    );
    for (const sent of firsts) {
      if (!sent || sent.at.size !== 1) continue;
      const [[, since]] = sent.at;
      if (clock() - since < LATE * (this.usual || 0) + LATE_MS) continue;
      const idle = this.roomiest(sent.at);
      if (idle && idle.has.size === 0) this.give(sent, idle);
    }
  }

  private nobody(timeout: number): string {
    const { dispatcher } = this.where;
    const from = dispatcher === undefined ? "" : `; the dispatcher is ${dispatcher}`;
    return `no data worker for ${timeout / 1000} s: ${this.problems()}${from}`;
  }

  private problems(): string {
    const list = [...this.links.values()].map(({ address, problem }) => `${address} (${problem})`);
    return list.length > 0 ? list.join(", ") : "none is known";
  }

  private die(reason: string): void {
    if (this.death !== null || this.ended) return;
    this.death = reason;
    for (const tell of this.mourners) tell(reason);
  }
}

/** Numbers of chunks, apart by job. */
const key = (job: string, chunk: number): number => Number(job) * 2 ** 40 + chunk;
