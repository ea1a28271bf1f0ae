/** Requests of a client on their way to whoever holds a partition, sent again when that changes. */
import { MlsysError } from "../../core/errors.js";
import type { ZeroMQ } from "../../data/remote/secret.js";
import { type PushAnswer, PushChannel } from "./channel.js";
import { Link } from "./endpoint.js";
import { checkJob, type Job, type JobOptions, PartitionLostError } from "./job.js";
import { Layout } from "./layout.js";
import type { PartitionStats } from "./server.js";
import type { PushOp } from "./shard.js";
import type { View } from "./view.js";
import type { Message } from "./wire.js";

export interface RouterOptions {
  readonly coordinator: string;
  readonly secret?: string;
  readonly worker?: number;
  readonly timeout: number;
}

interface Answer {
  readonly message: Message;
  readonly frames: readonly Uint8Array[];
}

interface Pull {
  readonly p: number;
  readonly message: Message;
  readonly frames: readonly Uint8Array[];
  resolve(answer: Answer): void;
  reject(error: Error): void;
  /** Server that it was sent to. */
  at: string | null;
}

/** Before an answer "ask the coordinator" is acted on, if nothing new comes from there. */
const AGAIN_MS = 30;
const BEAT_MS = 2000;

export class Router {
  bytesPushed = 0;
  bytesPulled = 0;
  private known: Layout | null = null;
  private view: View | null = null;
  private readonly requests = { next: 1 };
  private readonly channels = new Map<number, PushChannel>();
  private readonly pulls = new Map<number, Pull>();
  private readonly links = new Map<string, Link>();
  private readonly coordinator: Link;
  private readonly waiting = new Set<{ check(): void; fail(error: Error): void }>();
  private readonly refused = new Set<PushChannel>();
  private readonly asked = new Map<number, (message: Message) => void>();
  private readonly beat: NodeJS.Timeout;
  private again: NodeJS.Timeout | null = null;
  private closed = false;

  constructor(
    private readonly zmq: ZeroMQ,
    readonly id: string,
    private readonly options: RouterOptions,
  ) {
    this.coordinator = new Link(zmq, options.coordinator, options.secret, {
      opened: () => this.hello(),
      message: (message) => this.fromCoordinator(message),
    });
    this.beat = setInterval(() => this.coordinator.send({ t: "beat", id, i: 0 }), BEAT_MS);
    this.beat.unref();
  }

  /** @throws MlsysError before the first answer of the coordinator */
  get layout(): Layout {
    if (!this.known)
      throw new MlsysError("parameter client: the servers hold nothing yet: no job was defined");
    return this.known;
  }

  get lostAcknowledged(): number {
    return [...this.channels.values()].reduce((sum, { lost }) => sum + lost, 0);
  }

  /** Until there is a job whose partitions are given out. @throws MlsysError after the timeout */
  ready(): Promise<void> {
    return this.until(
      () => this.known !== null && (this.view?.parts.length ?? 0) > 0,
      () =>
        this.view === null
          ? `nobody answers at ${this.options.coordinator}`
          : this.known === null
            ? "no job was defined"
            : `only ${Object.keys(this.view.servers).length} servers are there`,
    );
  }

  async define(job: Job, servers: number): Promise<void> {
    await this.until(
      () => this.view !== null,
      () => `nobody answers at ${this.options.coordinator}`,
    );
    const i = this.requests.next++;
    const answer = await this.timed(
      new Promise<Message>((resolve) => {
        this.asked.set(i, resolve);
        this.coordinator.send({ t: "define", i, job, servers });
      }),
      () => "the coordinator doesn't answer",
    );
    if (answer.t !== "defined") throw new MlsysError(String(answer.text));
  }

  push(p: number, op: Omit<PushOp, "n" | "c">, frames: readonly Uint8Array[]): Promise<PushAnswer> {
    const lost = this.lossOf(p);
    if (lost) return Promise.reject(lost);
    for (const frame of frames) this.bytesPushed += frame.byteLength;
    return this.timed(
      this.channel(p).push(op, frames),
      () => `a push to ${this.whereabouts(p, 0)}; it may yet be applied`,
    );
  }

  pull(p: number, order: object, frames: readonly Uint8Array[]): Promise<Answer> {
    const lost = this.lossOf(p);
    if (lost) return Promise.reject(lost);
    const i = this.requests.next++;
    const answer = new Promise<Answer>((resolve, reject) => {
      const pull: Pull = { p, message: { t: "pull", i, p, ...order }, frames, resolve, reject, at: null };
      this.pulls.set(i, pull);
      this.sendPull(pull);
    });
    return this.timed(answer, () => `a pull from ${this.whereabouts(p, -1)}`).finally(() =>
      this.pulls.delete(i),
    );
  }

  /** Of all partitions, from who leads them now. */
  async stats(): Promise<PartitionStats[]> {
    const heads = [...new Set(this.view?.parts.flatMap(({ m }) => m.slice(0, 1)) ?? [])];
    const lists = await Promise.all(
      heads.map(async (id) => {
        const link = this.link(id);
        await this.until(
          () => link?.open === true || !(id in (this.view?.servers ?? {})),
          () => `no connection to the server at ${link?.address}`,
        );
        if (!link?.open) return [];
        const i = this.requests.next++;
        return this.timed(
          new Promise<PartitionStats[]>((resolve) => {
            this.asked.set(i, (message) => resolve((message.stats as PartitionStats[] | undefined) ?? []));
            link.send({ t: "stats", i });
          }),
          () => `figures of the server at ${link.address}`,
        );
      }),
    );
    return lists.flat();
  }

  close(): void {
    if (this.closed) return;
    this.closed = true;
    clearInterval(this.beat);
    if (this.again) clearTimeout(this.again);
    this.coordinator.send({ t: "bye", id: this.id });
    this.coordinator.close();
    for (const link of this.links.values()) link.close();
    const error = new MlsysError("parameter client: it was closed");
    for (const channel of this.channels.values()) channel.fail(error);
    for (const pull of this.pulls.values()) pull.reject(error);
    for (const one of this.waiting) one.fail(error);
  }

  private hello(): void {
    const { worker } = this.options;
    this.coordinator.send({
      t: "hello",
      role: "client",
      id: this.id,
      ...(worker !== undefined && { worker }),
    });
  }

  private fromCoordinator(message: Message): void {
    if (message.t === "view") this.adopt(message.view as View, message.job as JobOptions | null);
    else if (message.t === "unknown") this.hello();
    else this.tell(message);
  }

  private tell(message: Message): void {
    const i = message.i as number;
    this.asked.get(i)?.(message);
    this.asked.delete(i);
  }

  private adopt(view: View, job: JobOptions | null): void {
    if (view.n < (this.view?.n ?? -1)) return;
    const before = this.view?.parts ?? [];
    this.view = view;
    if (job && !this.known) this.known = new Layout(checkJob(job));
    for (const [id, link] of this.links)
      if (!(id in view.servers)) {
        link.close();
        this.links.delete(id);
      }
    view.parts.forEach(({ e, m }, p) => {
      if (e === before[p]?.e) return;
      if (m.length === 0) this.lose(p);
      this.channels.get(p)?.again();
      for (const pull of this.pulls.values()) if (pull.p === p) this.sendPull(pull);
    });
    for (const one of this.waiting) one.check();
  }

  private lossOf(p: number): PartitionLostError | null {
    const part = this.view?.parts[p];
    if (!part || part.m.length > 0) return null;
    return new PartitionLostError(
      `parameter server: all copies of partition ${p} are gone, and its values with them: start servers anew and set them from a checkpoint`,
    );
  }

  private lose(p: number): void {
    const error = this.lossOf(p) as PartitionLostError;
    this.channels.get(p)?.fail(error);
    for (const pull of this.pulls.values()) if (pull.p === p) pull.reject(error);
  }

  private channel(p: number): PushChannel {
    const known = this.channels.get(p);
    if (known) return known;
    const made = new PushChannel(this.id, this.requests, (i, op, frames) => {
      const part = this.view?.parts[p];
      const head = part?.m[0];
      if (!part || head === undefined) return false;
      return this.link(head)?.send({ t: "push", i, p, e: part.e, op }, frames) ?? false;
    });
    this.channels.set(p, made);
    return made;
  }

  private sendPull(pull: Pull): void {
    const part = this.view?.parts[pull.p];
    if (!part || part.m.length === 0) return;
    const { m, e } = part;
    const reader = this.layout.job.replication.mode === "chain" ? m[m.length - 1] : m[0];
    const to = pull.message.any === true ? m[Math.floor(Math.random() * m.length)] : reader;
    const sent = this.link(to)?.send({ ...pull.message, e }, pull.frames) ?? false;
    pull.at = sent ? to : null;
  }

  private link(id: string): Link | undefined {
    const known = this.links.get(id);
    const address = this.view?.servers[id];
    if (known || address === undefined || this.closed) return known;
    const link = new Link(this.zmq, address, this.options.secret, {
      opened: () => this.resend(id),
      message: (message, frames) => this.fromServer(message, frames),
    });
    this.links.set(id, link);
    return link;
  }

  /** The connection to a server is new: what it was asked is asked again, and what could not be sent. */
  private resend(id: string): void {
    this.view?.parts.forEach(({ m }, p) => {
      if (m[0] === id) this.channels.get(p)?.again();
    });
    for (const pull of this.pulls.values()) if (pull.at === id || pull.at === null) this.sendPull(pull);
    for (const one of this.waiting) one.check();
  }

  private fromServer(message: Message, frames: readonly Uint8Array[]): void {
    const i = message.i as number;
    const pull = this.pulls.get(i);
    if (message.t === "ok") {
      for (const frame of frames) this.bytesPulled += frame.byteLength;
      if (pull) pull.resolve({ message, frames });
      else if (this.asked.has(i)) this.tell(message);
      else
        this.each((channel) =>
          channel.ok(i, { version: message.version as number, late: message.late === true }),
        );
    } else if (message.why === "bad") {
      const text = String(message.text);
      if (pull) pull.reject(new MlsysError(text));
      else this.each((channel) => channel.bad(i, text));
    } else if (message.why === "gap") this.each((channel) => channel.gap(i, message.n as number));
    else {
      if (pull) pull.at = null;
      else for (const channel of this.channels.values()) if (channel.has(i)) this.refused.add(channel);
      this.later();
    }
  }

  private each(act: (channel: PushChannel) => boolean): void {
    for (const channel of this.channels.values()) if (act(channel)) return;
  }

  /** A server is not, or not yet, what the view says: soon what it refused is sent again. */
  private later(): void {
    this.again ??= setTimeout(() => {
      this.again = null;
      for (const channel of this.refused) channel.again();
      this.refused.clear();
      for (const pull of this.pulls.values()) if (pull.at === null) this.sendPull(pull);
    }, AGAIN_MS);
  }

  private whereabouts(p: number, place: number): string {
    const part = this.view?.parts[p];
    const id = part?.m.at(place);
    if (id === undefined) return `partition ${p}`;
    return `partition ${p} at ${this.view?.servers[id]} (epoch ${part?.e}, ${this.links.get(id)?.open ? "connected" : "not connected"})`;
  }

  private until(holds: () => boolean, why: () => string): Promise<void> {
    if (holds()) return Promise.resolve();
    const settled = new Promise<void>((resolve, reject) => {
      const one = {
        check: () => {
          if (!holds()) return;
          this.waiting.delete(one);
          resolve();
        },
        fail: reject,
      };
      this.waiting.add(one);
    });
    return this.timed(settled, why);
  }

  private timed<T>(promise: Promise<T>, what: () => string): Promise<T> {
    return new Promise((resolve, reject) => {
      const { timeout } = this.options;
      const timer = setTimeout(
        () => reject(new MlsysError(`parameter client: no answer in ${timeout} ms: ${what()}`)),
        timeout,
      );
      promise.then(resolve, reject).finally(() => clearTimeout(timer));
    });
  }
}
