/** Sockets of the parameter server: one that many speak to, and one that speaks to another and knows when it is there. */
import type { Dealer, Router } from "zeromq";
import { MlsysError, ValueError } from "../../core/errors.js";
import { Outbox } from "../../data/remote/outbox.js";
import { clientKeys, guard, serverKeys, type ZeroMQ, zeromq } from "../../data/remote/secret.js";
import { decode, encode, MAX_MESSAGE, type Message } from "./wire.js";

const NO_LIMITS = { sendHighWaterMark: 0, receiveHighWaterMark: 0, maxMessageSize: MAX_MESSAGE } as const;

/** A message from `route`. @throws ValueError for one that makes no sense: the sender is told */
export type Hear = (route: string, message: Message, frames: readonly Uint8Array[]) => void;

export class Endpoint {
  /** Messages that were none. */
  refused = 0;
  private readonly outbox: Outbox;
  private closed = false;

  private constructor(
    private readonly socket: Router,
    readonly address: string,
    private readonly openGate: () => void,
  ) {
    this.outbox = new Outbox(socket);
  }

  /** @param address `tcp://HOST:PORT`, port `*` for a free one @throws MlsysError if it can't be bound */
  static async bind(address: string, secret: string | undefined): Promise<Endpoint> {
    const zmq = await zeromq();
    const context = new zmq.Context({ blocky: false });
    const openGate = secret === undefined ? () => {} : await guard(zmq, context, secret);
    const socket = new zmq.Router({
      context,
      mandatory: true,
      linger: 0,
      ...NO_LIMITS,
      ...serverKeys(secret),
    });
    try {
      await socket.bind(address);
    } catch (cause) {
      socket.close();
      openGate();
      throw new MlsysError(`parameter server: can't bind ${address}: ${(cause as Error).message}`, { cause });
    }
    return new Endpoint(socket, socket.lastEndpoint as string, openGate);
  }

  async listen(hear: Hear): Promise<void> {
    try {
      for await (const [route, ...frames] of this.socket) this.heard(route.toString("latin1"), frames, hear);
    } catch (error) {
      if (!this.closed) throw error;
    }
  }

  reply(route: string, message: Message, frames: readonly Uint8Array[] = []): void {
    if (!this.closed) this.outbox.send(Buffer.from(route, "latin1"), ...encode(message, frames));
  }

  close(): void {
    if (this.closed) return;
    this.closed = true;
    this.socket.close();
    this.openGate();
  }

  private heard(route: string, raw: readonly Uint8Array[], hear: Hear): void {
    if (this.closed) return;
    let i: unknown;
    try {
      const { message, frames } = decode(raw);
      i = message.i;
      hear(route, message, frames);
    } catch (error) {
      // also an error of this library's own must not end a server that others need
      if (!(error instanceof MlsysError) && this.refused === 0) process.emitWarning(error as Error);
      this.refused++;
      this.reply(route, { t: "no", i, why: "bad", text: (error as Error).message });
    }
  }
}

export interface LinkEvents {
  /** It is there, perhaps again: what was sent before may be lost. */
  opened(): void;
  closed?(): void;
  message(message: Message, frames: readonly Uint8Array[]): void;
}

const AGAIN_MS = 50;

export class Link {
  private socket: Dealer | null = null;
  private outbox: Outbox | null = null;
  private again: NodeJS.Timeout | null = null;
  private ended = false;
  private isOpen = false;

  constructor(
    private readonly zmq: ZeroMQ,
    readonly address: string,
    private readonly secret: string | undefined,
    private readonly events: LinkEvents,
  ) {
    this.connect();
  }

  get open(): boolean {
    return this.isOpen;
  }

  /** @returns false if nobody is there */
  send(message: Message, frames: readonly Uint8Array[] = []): boolean {
    if (!this.isOpen) return false;
    this.outbox?.send(...encode(message, frames));
    return true;
  }

  close(): void {
    if (this.ended) return;
    this.ended = true;
    this.isOpen = false;
    if (this.again) clearTimeout(this.again);
    const { socket } = this;
    this.socket = null;
    setImmediate(() => socket?.close());
  }

  private connect(): void {
    const socket = new this.zmq.Dealer({
      linger: 100,
      reconnectInterval: AGAIN_MS,
      heartbeatInterval: 2000,
      heartbeatTimeout: 10_000,
      ...NO_LIMITS,
      ...clientKeys(this.secret),
    });
    this.socket = socket;
    this.outbox = new Outbox(socket);
    socket.events.on("handshake", () => {
      if (this.socket !== socket || this.isOpen) return;
      this.isOpen = true;
      this.events.opened();
    });
    socket.events.on("disconnect", () => this.lost(socket));
    socket.connect(this.address);
    void this.listen(socket);
  }

  private async listen(socket: Dealer): Promise<void> {
    try {
      for await (const raw of socket) {
        if (this.socket !== socket) return;
        const { message, frames } = decode(raw);
        this.events.message(message, frames);
      }
    } catch (error) {
      if (this.socket !== socket) return; // it was closed
      if (!(error instanceof ValueError)) throw error;
      this.lost(socket); // it speaks another language
    }
  }

  private lost(socket: Dealer): void {
    if (this.socket !== socket) return;
    const was = this.isOpen;
    this.isOpen = false;
    this.socket = null;
    this.outbox = null;
    socket.close();
    if (!this.ended) this.again = setTimeout(() => this.connect(), AGAIN_MS);
    if (was) this.events.closed?.();
  }
}
