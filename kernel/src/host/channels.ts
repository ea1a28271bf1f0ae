/**
 * The five sockets. Each sends through a queue of its own that awaits every send: zeromq rejects a send that
 * starts while another one is blocked (EBUSY), and a message lost that way is gone.
 */
import { Reply, Router, XPublisher } from "zeromq";
import { address, type ConnectionInfo } from "../protocol/connection.js";
import { type Message, type Wire, WireError } from "../protocol/message.js";

export type RequestChannel = "shell" | "control" | "stdin";
type Sender = { send(frames: Buffer[]): Promise<void> };

/** Messages longer than this many bytes are dropped unread. */
const MAX_MESSAGE = Number(process.env.MLSYS_MAX_MESSAGE) || 256 * 1024 * 1024;
/** A single frame longer than this is not even taken in: zeromq cuts its sender off. */
const MAX_FRAME = 4 * MAX_MESSAGE;
/** Topics are short; whoever sends a longer one is up to something. */
const MAX_TOPIC = 1_024;

export interface Inbox {
  request(channel: RequestChannel, message: Message): void;
  /** A line for the kernel's own log. */
  log(line: string): void;
}

export class Channels {
  /** XPUB: it tells who subscribes, so that a client learns from `iopub_welcome` that it is heard (JEP 65). */
  private readonly iopub = new XPublisher({
    sendHighWaterMark: 0,
    linger: 500,
    maxMessageSize: MAX_TOPIC,
  });
  private readonly routers: Record<RequestChannel, Router> = {
    shell: new Router(ROUTER),
    control: new Router(ROUTER),
    stdin: new Router(ROUTER),
  };
  private readonly heartbeat = new Reply({ linger: 0 });
  private readonly queues: Record<RequestChannel | "iopub", SendQueue>;
  private readonly seen = new RecentSignatures();

  constructor(
    private readonly wire: Wire,
    private readonly inbox: Inbox,
  ) {
    // Without it only the first subscription to a topic is passed on, and only one client would be welcomed.
    this.iopub.verbosity = "allSubs";
    const queue = (socket: Sender) => new SendQueue(socket, wire, (line) => inbox.log(line));
    this.queues = {
      shell: queue(this.routers.shell),
      control: queue(this.routers.control),
      stdin: queue(this.routers.stdin),
      iopub: queue(this.iopub),
    };
  }

  async bind(info: ConnectionInfo): Promise<void> {
    await Promise.all([
      this.iopub.bind(address(info, "iopub")),
      this.heartbeat.bind(address(info, "hb")),
      ...(["shell", "control", "stdin"] as const).map((name) => this.routers[name].bind(address(info, name))),
    ]);
    void this.echo();
    void this.welcome();
    for (const name of ["shell", "control", "stdin"] as const) void this.receive(name);
  }

  send(channel: RequestChannel, message: Message): void {
    this.queues[channel].push(message);
  }

  publish(message: Message, topic: string): void {
    this.queues.iopub.push({ ...message, identities: [Buffer.from(topic)] });
  }

  /** Messages on iopub that are not sent yet. */
  get backlog(): number {
    return this.queues.iopub.length;
  }

  async close(): Promise<void> {
    await Promise.all(Object.values(this.queues).map((queue) => queue.drained()));
    for (const socket of [...Object.values(this.routers), this.iopub, this.heartbeat]) socket.close();
  }

  private async echo(): Promise<void> {
    try {
      for await (const frames of this.heartbeat) await this.heartbeat.send(frames);
    } catch (error) {
      this.inbox.log(`heartbeat ended: ${String(error)}`);
    }
  }

  /** Subscriptions are `\x01topic`. Cancelled ones (`\x00topic`) and topics that are no text are ignored. */
  private async welcome(): Promise<void> {
    try {
      for await (const [event] of this.iopub) {
        if (event?.[0] !== 1) continue;
        const topic = event.subarray(1);
        const subscription = topic.toString("utf8");
        if (!Buffer.from(subscription).equals(topic)) continue;
        this.publish(this.wire.message("iopub_welcome", { subscription }), subscription);
      }
    } catch (error) {
      this.inbox.log(`iopub hears no more subscriptions: ${String(error)}`);
    }
  }

  private async receive(channel: RequestChannel): Promise<void> {
    for await (const frames of this.routers[channel]) {
      try {
        const size = frames.reduce((sum, frame) => sum + frame.length, 0);
        if (size > MAX_MESSAGE) throw new WireError(`${size} bytes, expected at most ${MAX_MESSAGE}`);
        const message = this.wire.decode(frames);
        if (this.seen.add(this.wire.signatureOf(frames))) this.inbox.request(channel, message);
        else this.inbox.log(`dropped a repeated message ${message.header.msg_id} on ${channel}`);
      } catch (error) {
        // One message must never end the loop that reads all others.
        const why = error instanceof WireError ? error.message : (error as Error).stack;
        this.inbox.log(`dropped a message on ${channel}: ${why}`);
      }
    }
  }
}

const ROUTER = {
  sendHighWaterMark: 0,
  receiveHighWaterMark: 0,
  maxMessageSize: MAX_FRAME,
  linger: 500,
  mandatory: false,
};

/**
 * One awaited send at a time, in order. It begins when the work at hand is done: a cell is with its worker before the front
 * end is told that it is busy, and both happen at the same time.
 */
class SendQueue {
  private readonly waiting: Message[] = [];
  private sending: Promise<void> | undefined;

  constructor(
    private readonly socket: Sender,
    private readonly wire: Wire,
    private readonly log: (line: string) => void,
  ) {}

  get length(): number {
    return this.waiting.length;
  }

  push(message: Message): void {
    this.waiting.push(message);
    this.sending ??= new Promise<void>((resolve) => setImmediate(resolve)).then(() => this.run());
  }

  async drained(): Promise<void> {
    await this.sending;
  }

  private async run(): Promise<void> {
    for (let message = this.waiting.shift(); message; message = this.waiting.shift()) {
      try {
        await this.socket.send(this.wire.encode(message));
      } catch (error) {
        this.log(`a message could not be sent: ${String(error)}`);
      }
    }
    this.sending = undefined;
  }
}

/**
 * The last signatures, so that a recorded message played back does nothing.
 * (Not the ids: a jupyter_client manager and its client share a session and count their ids each from 0.)
 */
class RecentSignatures {
  /** 52 bits of each: a number takes a third of the string's room, and two alike by chance are not to be expected. */
  private readonly known = new Set<number>();

  /** @returns false when it was there already; unsigned messages are always new. */
  add(signature: string): boolean {
    if (signature === "") return true;
    const short = Number.parseInt(signature.slice(0, 13), 16);
    if (this.known.has(short)) return false;
    this.known.add(short);
    if (this.known.size > 65_536) this.known.delete(this.known.values().next().value!);
    return true;
  }
}
