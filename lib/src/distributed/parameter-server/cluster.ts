/**
 * What the coordinator knows and decides: who lives, which copies a partition has, in which order, in which epoch. A state
 * machine without sockets and clocks.
 */
import { MlsysError, ValueError } from "../../core/errors.js";
import { checkJob, copiesOf, type Job, type JobOptions } from "./job.js";
import { placesOf } from "./ring.js";
import type { PartitionView, Position, View } from "./view.js";

/** A question to followers of a leader that died: how far are you? */
export interface Seal {
  readonly server: string;
  readonly p: number;
  readonly e: number;
}

interface Part extends PartitionView {
  /** Answers so far, while a leader is looked for. */
  readonly sealed: ReadonlyMap<string, Position> | null;
}

export class Cluster {
  job: Job | null = null;
  private n = 0;
  private readonly servers = new Map<string, string>();
  private workers: number[] = [];
  private parts: Part[] = [];
  /** Servers that must be there before partitions are given out. */
  private wanted = 1;

  /** What all are told; `n` grows with every change. */
  get view(): View {
    return {
      n: this.n,
      servers: Object.fromEntries(this.servers),
      parts: this.parts.map(({ e, m, l }) => ({ e, m, l })),
      workers: this.workers,
    };
  }

  get serverIds(): string[] {
    return [...this.servers.keys()];
  }

  /** Questions that are not answered. */
  get seals(): Seal[] {
    return this.parts.flatMap(({ e, m, sealed }, p) =>
      sealed ? m.filter((server) => !sealed.has(server)).map((server) => ({ server, p, e: e + 1 })) : [],
    );
  }

  /**
   * What is held. The same again is no change.
   * @throws MlsysError if it is another job than the one that runs; ValueError for one that can't be
   */
  define(options: JobOptions, servers: number): void {
    const job = checkJob(options);
    if (!Number.isInteger(servers) || servers < 1)
      throw new ValueError(`parameter server: servers is a whole number from 1, got ${servers}`);
    if (this.job) {
      if (JSON.stringify(this.job) !== JSON.stringify(job))
        throw new MlsysError(
          "parameter server: it runs another job already; start servers of your own for this one",
        );
      return;
    }
    this.job = job;
    this.wanted = Math.max(servers, copiesOf(job));
    this.workers = Array.from({ length: job.workers }, (_, i) => i);
    this.changed();
  }

  addServer(id: string, address: string): void {
    if (this.servers.has(id)) return;
    this.servers.set(id, address);
    this.changed();
  }

  loseServer(id: string): void {
    if (!this.servers.delete(id)) return;
    this.parts = this.parts.map((part) => {
      const { e, m, l, sealed } = part;
      if (!m.includes(id) && !l.includes(id)) return part;
      const left = { e: e + 1, m: m.filter((x) => x !== id), l: l.filter((x) => x !== id), sealed: null };
      if (left.m.length === 0) return { ...left, l: [] };
      // followers of a leader may differ: the one that is furthest leads, as all that was acknowledged is there
      const leaderless = sealed !== null || (this.job?.replication.mode === "leader" && m[0] === id);
      return leaderless && left.m.length > 1 ? { ...left, e, sealed: keptOf(sealed, id) } : left;
    });
    this.parts.forEach((_, p) => {
      this.elect(p);
    });
    this.changed();
  }

  /** A follower's answer to a seal. */
  sealed(id: string, p: number, e: number, position: Position): void {
    const part = Number.isInteger(p) ? this.parts[p] : undefined;
    if (!part?.sealed || part.e + 1 !== e || !part.m.includes(id)) return;
    this.parts[p] = { ...part, sealed: new Map(part.sealed).set(id, position) };
    if (this.elect(p)) this.changed();
  }

  /** A learner has all of a partition. */
  filled(p: number, e: number, learner: string): void {
    const part = Number.isInteger(p) ? this.parts[p] : undefined;
    if (!part || part.e !== e || part.sealed || !part.l.includes(learner)) return;
    const l = part.l.filter((id) => id !== learner);
    this.parts[p] = { ...part, e: e + 1, m: [...part.m, learner], l };
    this.changed();
  }

  get workerNumbers(): readonly number[] {
    return this.workers;
  }

  addWorker(worker: number): void {
    if (this.workers.includes(worker)) return;
    this.workers = [...this.workers, worker].sort((a, b) => a - b);
    this.n++;
  }

  loseWorker(worker: number): void {
    if (!this.workers.includes(worker)) return;
    this.workers = this.workers.filter((w) => w !== worker);
    this.n++;
  }

  /** All of it, as text. */
  toText(): string {
    const parts = this.parts.map(({ sealed, ...part }) => ({ ...part, sealed: sealed !== null }));
    const { job, n, workers, wanted } = this;
    return JSON.stringify({ job, n, workers, wanted, parts, servers: [...this.servers] });
  }

  /** What `toText` gave. @throws MlsysError for another text */
  static fromText(text: string): Cluster {
    const cluster = new Cluster();
    try {
      const { job, n, workers, wanted, parts, servers } = JSON.parse(text) as {
        job: JobOptions | null;
        n: number;
        workers: number[];
        wanted: number;
        parts: (PartitionView & { sealed: boolean })[];
        servers: [string, string][];
      };
      cluster.job = job && checkJob(job);
      cluster.n = n + 1;
      cluster.workers = workers;
      cluster.wanted = wanted;
      // followers that were asked how far they are, are asked again
      cluster.parts = parts.map((part) => ({ ...part, sealed: part.sealed ? new Map() : null }));
      for (const [id, address] of servers) cluster.servers.set(id, address);
    } catch (cause) {
      throw new MlsysError(
        `parameter server: a coordinator's state that is none: ${(cause as Error).message}`,
        { cause },
      );
    }
    return cluster;
  }

  private elect(p: number): boolean {
    const { e, m, l, sealed } = this.parts[p];
    if (!sealed || m.some((id) => !sealed.has(id))) return false;
    const of = (id: string): Position => sealed.get(id) as Position;
    const best = [...m].sort((a, b) => of(b).l - of(a).l || of(b).s - of(a).s)[0];
    this.parts[p] = { e: e + 1, m: [best, ...m.filter((id) => id !== best)], l, sealed: null };
    return true;
  }

  /** Gives partitions out, and copies where there are too few. */
  private changed(): void {
    const { job } = this;
    const ids = this.serverIds.sort();
    if (job && this.parts.length === 0 && ids.length >= this.wanted)
      this.parts = Array.from({ length: job.partitions }, (_, p) => ({
        e: 1,
        m: placesOf(p, ids, copiesOf(job)),
        l: [],
        sealed: null,
      }));
    if (job)
      this.parts = this.parts.map((part, p) => {
        const { e, m, l, sealed } = part;
        const lacking = copiesOf(job) - m.length - l.length;
        if (lacking <= 0 || m.length === 0 || sealed) return part;
        const others = placesOf(p, ids, ids.length).filter((id) => !m.includes(id) && !l.includes(id));
        if (others.length === 0) return part;
        return { ...part, e: e + 1, l: [...l, ...others.slice(0, lacking)] };
      });
    this.n++;
  }
}

function keptOf(sealed: ReadonlyMap<string, Position> | null, lost: string): Map<string, Position> {
  const kept = new Map(sealed ?? []);
  kept.delete(lost);
  return kept;
}
