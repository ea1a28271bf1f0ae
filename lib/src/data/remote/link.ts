/**
 * A client's way to one data worker: connects as often as it takes, knows when the worker is there and when it is gone. A
 * connection that broke is given up with all that was sent on it: a worker that comes back gets a new one.
 */
import { deserialize } from "node:v8";
import type { Dealer } from "zeromq";
import { Outbox } from "./outbox.js";
import { clientKeys, type ZeroMQ } from "./secret.js";
import { MAX_MESSAGE, PROTOCOL } from "./wire.js";

export interface LinkEvents {
  /** The worker can take chunks. */
  ready(link: Link): void;
  /** What was sent and not answered is lost. */
  gone(link: Link): void;
  message(link: Link, kind: string, frames: readonly Buffer[]): void;
  /** The worker doesn't let us in. */
  refused(): void;
}

const BEAT_MS = 5000;
const AGAIN_MS = 200;
const REFUSED = 3;

export class Link {
  /** Chunks that the worker takes at once; 0 as long as it is not there. */
  credits = 0;
  threads = 0;
  /** Chunks that it has. */
  readonly has = new Set<number>();
  /** Jobs that it knows. */
  readonly knows = new Set<string>();
  /** Why it is not there, as far as one knows. */
  problem = "nobody answers";
  /** Handshakes that failed one after the other. */
  private failures = 0;
  private socket: Dealer | null = null;
  private outbox: Outbox | null = null;
  private again: NodeJS.Timeout | null = null;
  private readonly beat: NodeJS.Timeout;
  private closed = false;

  constructor(
    private readonly zmq: ZeroMQ,
    readonly address: string,
    private readonly secret: string | undefined,
    private readonly events: LinkEvents,
  ) {
    this.beat = setInterval(() => {
      if (this.credits > 0) this.send("beat");
    }, BEAT_MS).unref();
    this.connect();
  }

  get isRefused(): boolean {
    return this.failures >= REFUSED;
  }

  send(kind: string, ...frames: (string | Uint8Array)[]): void {
    this.outbox?.send(kind, ...frames);
  }

  close(): void {
    if (this.closed) return;
    this.closed = true;
    clearInterval(this.beat);
    if (this.again) clearTimeout(this.again);
    if (this.credits > 0) this.send("bye");
    const { socket } = this;
    this.socket = null;
    setImmediate(() => socket?.close());
  }

  private connect(): void {
    const socket = new this.zmq.Dealer({
      linger: 200,
      sendHighWaterMark: 0,
      receiveHighWaterMark: 0,
      maxMessageSize: MAX_MESSAGE,
      reconnectInterval: AGAIN_MS,
      heartbeatInterval: 2000, // answered by the worker's socket, also while its functions run
      heartbeatTimeout: 10_000,
      handshakeInterval: 5000,
      ...clientKeys(this.secret),
    });
    this.socket = socket;
    const outbox = new Outbox(socket);
    this.outbox = outbox;
    const current = (): boolean => this.socket === socket;
    socket.events.on("handshake", () => {
      if (current()) outbox.send("hello", String(PROTOCOL));
    });
    socket.events.on("disconnect", () => {
      if (current()) this.lost(socket);
    });
    socket.events.on("handshake:error:auth", () => this.refused(socket, "it has another secret"));
    const notOurs = "its secret is another one, only one side has one, or it is no data worker";
    socket.events.on("handshake:error:protocol", () => this.refused(socket, notOurs));
    socket.events.on("handshake:error:other", () => {
      if (!current() || this.credits > 0) return;
      this.problem = notOurs; // also of a worker that ends in this moment: only several times is it sure
      if (++this.failures === REFUSED) this.events.refused();
    });
    socket.connect(this.address);
    void this.listen(socket);
  }

  private async listen(socket: Dealer): Promise<void> {
    try {
      for await (const [kind, ...frames] of socket) {
        if (this.socket !== socket) return;
        if (String(kind) === "welcome") this.welcome(frames[0]);
        else this.events.message(this, String(kind), frames);
      }
    } catch {
      // it was closed
    }
  }

  private welcome(frame: Buffer): void {
    const { protocol, credits, threads } = deserialize(frame) as Record<string, number>;
    if (protocol !== PROTOCOL) {
      this.problem = `it speaks protocol ${protocol}, and this library ${PROTOCOL}: the versions differ`;
      return;
    }
    this.credits = Math.max(1, credits);
    this.threads = Math.max(1, threads);
    this.problem = "";
    this.failures = 0;
    this.events.ready(this);
  }

  private refused(socket: Dealer, problem: string): void {
    if (this.socket !== socket) return;
    this.problem = problem;
    this.failures = REFUSED;
    this.lost(socket);
    this.events.refused();
  }

  private lost(socket: Dealer): void {
    const was = this.credits > 0;
    if (was) this.problem = "its connection broke";
    this.credits = 0;
    this.knows.clear();
    this.socket = null;
    this.outbox = null;
    socket.close();
    if (was) this.events.gone(this);
    if (!this.closed) this.again = setTimeout(() => this.connect(), AGAIN_MS);
  }
}
