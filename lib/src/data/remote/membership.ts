/** Who is there: workers and clients tell a dispatcher every two seconds that they are, and it tells clients of workers. */
import { deserialize } from "node:v8";
import type { Dealer } from "zeromq";
import { Outbox } from "./outbox.js";
import { clientKeys, zeromq } from "./secret.js";

export const BEAT_MS = 2000;

type Hears = (kind: string, frames: readonly Buffer[]) => void;

/** A socket to the dispatcher that says the same again and again: a dispatcher that is started anew learns all by that. */
export class Membership {
  private readonly beat: NodeJS.Timeout;
  private readonly outbox: Outbox;
  private closed = false;

  private constructor(
    private readonly socket: Dealer,
    private readonly saying: readonly string[],
    private readonly leaving: readonly string[],
    hear: Hears,
  ) {
    this.outbox = new Outbox(socket);
    this.outbox.send(...saying);
    this.beat = setInterval(() => this.outbox.send(...this.saying), BEAT_MS).unref();
    void (async () => {
      for await (const [kind, ...frames] of socket) hear(String(kind), frames);
    })().catch(() => {}); // it was closed
  }

  /** @param hear gets what the dispatcher says */
  static async open(
    dispatcher: string,
    secret: string | undefined,
    saying: readonly string[],
    leaving: readonly string[],
    hear: Hears,
  ): Promise<Membership> {
    const zmq = await zeromq();
    const socket = new zmq.Dealer({
      linger: 200, // what is said in leaving gets through
      sendHighWaterMark: 1000,
      heartbeatInterval: BEAT_MS,
      heartbeatTimeout: 5 * BEAT_MS,
      ...clientKeys(secret),
    });
    socket.connect(dispatcher);
    return new Membership(socket, saying, leaving, hear);
  }

  /** Of a worker that clients reach at `address`. */
  static worker(dispatcher: string, secret: string | undefined, address: string): Promise<Membership> {
    return Membership.open(dispatcher, secret, ["worker", address], ["leave", address], () => {});
  }

  /** Of a client that wants to know the workers. */
  static client(
    dispatcher: string,
    secret: string | undefined,
    tell: (addresses: readonly string[]) => void,
  ): Promise<Membership> {
    return Membership.open(dispatcher, secret, ["watch"], ["unwatch"], (kind, [list]) => {
      if (kind === "workers") tell(deserialize(list) as string[]);
    });
  }

  say(...message: string[]): void {
    if (!this.closed) this.outbox.send(...message);
  }

  close(): void {
    if (this.closed) return;
    this.closed = true;
    clearInterval(this.beat);
    this.outbox.send(...this.leaving);
    setImmediate(() => this.socket.close());
  }
}
