/**
 * The dispatcher of a data service: tells clients of workers, and gives each block of an epoch's positions to one consumer.
 * No data goes through it. What it knows of workers, they tell it again every two seconds.
 */
import { serialize } from "node:v8";
import type { Router } from "zeromq";
import { Claims } from "./claims.js";
import { BEAT_MS } from "./membership.js";
import { Outbox } from "./outbox.js";
import { checkAddress, checkSecret } from "./secret.js";
import { bind } from "./worker.js";

export interface DispatcherOptions {
  /** `tcp://HOST:PORT`, port `*` for a free one. Default tcp://127.0.0.1:*. */
  readonly address?: string;
  readonly secret?: string;
  /** Milliseconds after which who says nothing is taken for gone. Default 10 000. */
  readonly silence?: number;
}

interface Peer {
  readonly route: Buffer;
  heard: number;
}

const MOST_PEERS = 100_000;

/** Made by `dispatchData`. */
export class DataDispatcher {
  private readonly members = new Map<string, number>();
  private readonly watchers = new Map<string, Peer>();
  /** Consumers by route: the names under which they claim. */
  private readonly consumers = new Map<string, { readonly id: string; heard: number }>();
  private readonly claims = new Claims();
  private readonly outbox: Outbox;
  private readonly sweep: NodeJS.Timeout;
  private closed = false;
  /** When it was last looked who is silent. */
  private swept = Date.now();

  /** @internal */
  constructor(
    private readonly socket: Router,
    readonly address: string,
    private readonly openGate: () => void,
    private readonly silence: number,
  ) {
    this.outbox = new Outbox(socket, ([route]) => this.watchers.delete((route as Buffer).toString("latin1")));
    this.sweep = setInterval(() => this.forgetSilent(), Math.min(BEAT_MS, silence / 4)).unref();
    void this.listen();
  }

  /** Addresses of the workers that are there. */
  get workers(): string[] {
    return [...this.members.keys()];
  }

  close(): void {
    if (this.closed) return;
    this.closed = true;
    clearInterval(this.sweep);
    this.socket.close();
    this.openGate();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  private async listen(): Promise<void> {
    try {
      for await (const [route, kind, ...frames] of this.socket)
        this.hear(route, String(kind), frames.map(String));
    } catch (error) {
      if (!this.closed) throw error;
    }
  }

  private hear(route: Buffer, kind: string, frames: string[]): void {
    const id = route.toString("latin1");
    const now = Date.now();
    if (this.members.size + this.watchers.size + this.consumers.size > MOST_PEERS) return;
    if (kind === "worker" && /^(tcp|ipc):\/\/./.test(frames[0] ?? "")) {
      const fresh = !this.members.has(frames[0]);
      this.members.set(frames[0], now);
      if (fresh) this.tell();
    } else if (kind === "leave") {
      if (this.members.delete(frames[0])) this.tell();
    } else if (kind === "watch") {
      const fresh = !this.watchers.has(id);
      this.watchers.set(id, { route, heard: now });
      if (fresh) this.outbox.send(route, "workers", serialize(this.workers));
    } else if (kind === "unwatch") this.watchers.delete(id);
    else if (kind === "consume") this.consumers.set(id, { id: frames[0], heard: now });
    else if (kind === "claim") {
      const [consumer, name, epoch, length, question, size] = frames;
      if (question === undefined) return;
      const claim = {
        consumer,
        name,
        epoch: count(epoch),
        length: count(length),
        size: Math.max(1, count(size)),
        question,
      };
      this.claims.claim(claim, (block) => {
        const { start, end } = block ?? { start: -1, end: -1 };
        this.outbox.send(route, "block", question, String(start), String(end));
      });
    } else if (kind === "hold") {
      const [consumer, name, epoch, length, question, start, end] = frames;
      if (question === undefined) return;
      const block = { start: count(start), end: count(end) };
      const held = this.claims.hold(name, count(epoch), count(length), consumer, block);
      this.outbox.send(route, held ? "held" : "taken", question);
    } else if (kind === "release") {
      const [consumer, name, epoch, at] = frames;
      this.claims.release(
        consumer,
        name === undefined ? undefined : { name, epoch: count(epoch), at: count(at) },
      );
      this.consumers.delete(id);
    }
  }

  private tell(): void {
    const list = serialize(this.workers);
    for (const { route } of this.watchers.values()) this.outbox.send(route, "workers", list);
  }

  private forgetSilent(): void {
    const now = Date.now();
    const late = now - this.swept > this.silence / 2; // this process stood still: what others said is not read yet
    this.swept = now;
    if (late) return;
    const since = now - this.silence;
    let fewer = false;
    for (const [address, heard] of this.members) if (heard < since) fewer = this.members.delete(address);
    for (const [id, { heard }] of this.watchers) if (heard < since) this.watchers.delete(id);
    for (const [route, { id, heard }] of this.consumers)
      if (heard < since) {
        this.consumers.delete(route);
        this.claims.release(id);
      }
    if (fewer) this.tell();
  }
}

/** A whole number from 0; what is none counts as 0. */
const count = (text: string | undefined): number => {
  const value = Number(text);
  return Number.isSafeInteger(value) && value >= 0 ? value : 0;
};

/**
 * Starts a dispatcher in this process; `npx mlsys data-dispatcher` does it in one of its own.
 * @example
 * const dispatcher = await data.dispatchData();
 * dispatcher.close();
 * dispatcher.workers // []
 * @throws ValueError for an address that others can reach, without a secret; MlsysError if it can't be bound
 */
export async function dispatchData({
  address = "tcp://127.0.0.1:*",
  secret,
  silence = 10_000,
}: DispatcherOptions = {}): Promise<DataDispatcher> {
  checkSecret(secret);
  checkAddress("data dispatcher", address, secret);
  const { socket, bound, openGate } = await bind(address, secret);
  return new DataDispatcher(socket, bound, openGate, silence);
}
