/** Channels over TCP, by ZeroMQ: a process listens, others connect, and connect again when the connection broke. */
import { deserialize, serialize } from "node:v8";
import type { Dealer } from "zeromq";
import { MlsysError } from "../../../../core/errors.js";
import { Outbox } from "../../../../data/remote/outbox.js";
import {
  checkAddress,
  checkSecret,
  clientKeys,
  guard,
  serverKeys,
  type ZeroMQ,
  zeromq,
} from "../../../../data/remote/secret.js";
import type { Channel, Frame } from "./frames.js";

export interface Listening {
  readonly address: string;
  close(): void;
}

const OPTIONS = {
  sendHighWaterMark: 0, // the links' own flow control bounds what is on its way
  receiveHighWaterMark: 0,
  heartbeatInterval: 2000,
  heartbeatTimeout: 10_000,
} as const;

const AGAIN_MS = 200;
const LINGER_MS = 500;

/** @param onChannel is given one for each process that connects */
export async function serve(
  address: string,
  secret: string | undefined,
  onChannel: (channel: Channel) => void,
): Promise<Listening> {
  checkAddress("ROS graph", address, secret);
  checkSecret(secret);
  const zmq = await zeromq();
  const context = new zmq.Context({ blocky: false });
  const closeGate = secret === undefined ? () => {} : await guard(zmq, context, secret);
  const socket = new zmq.Router({
    context,
    mandatory: true,
    linger: LINGER_MS,
    ...OPTIONS,
    ...serverKeys(secret),
  });
  try {
    await socket.bind(address);
  } catch (cause) {
    socket.close();
    closeGate();
    throw new MlsysError(`ROS graph: can't listen at ${address}: ${(cause as Error).message}`, { cause });
  }

  const routes = new Map<string, { hear: (frame: Frame) => void; lost: () => void }>();
  const outbox = new Outbox(socket, ([route]) => routes.get(String(route))?.lost());
  let isEnding = false;
  let isClosed = false;

  const channelTo = (route: string): Channel => ({
    send(frame) {
      if (!isClosed) outbox.send(Buffer.from(route, "latin1"), serialize(frame));
    },
    open(onFrame, onLost) {
      routes.set(route, { hear: onFrame, lost: () => onLost(true) });
    },
    close: () => routes.delete(route),
  });

  void (async () => {
    for await (const [id, bytes] of socket) {
      const frame = decode(bytes);
      if (!frame) continue;
      const route = id.toString("latin1");
      if (!routes.has(route)) {
        if (isEnding || frame.t !== "hello") continue; // a late word of a link that is over
        onChannel(channelTo(route));
      }
      routes.get(route)?.hear(frame);
    }
  })().catch((error: Error) => {
    if (!isClosed) process.emitWarning(error);
  });

  return {
    address: socket.lastEndpoint as string,
    close() {
      if (isEnding) return;
      isEnding = true;
      // goodbyes that were said in this turn go out first
      setImmediate(() => {
        isClosed = true;
        socket.close();
        closeGate();
      });
    },
  };
}

export async function dial(address: string, secret: string | undefined): Promise<Channel> {
  checkAddress("ROS graph", address, secret);
  checkSecret(secret);
  return new Dialed(await zeromq(), address, secret);
}

class Dialed implements Channel {
  private socket: Dealer | null = null;
  private outbox: Outbox | null = null;
  private again: NodeJS.Timeout | null = null;
  private isClosed = false;
  private hear: (frame: Frame) => void = () => {};
  private onLost: (isOver: boolean) => void = () => {};

  constructor(
    private readonly zmq: ZeroMQ,
    private readonly address: string,
    private readonly secret: string | undefined,
  ) {}

  send(frame: Frame): void {
    this.outbox?.send(serialize(frame));
  }

  open(onFrame: (frame: Frame) => void, onLost: (isOver: boolean) => void): void {
    this.hear = onFrame;
    this.onLost = onLost;
    this.connect();
  }

  close(): void {
    if (this.isClosed) return;
    this.isClosed = true;
    if (this.again) clearTimeout(this.again);
    const { socket } = this;
    setImmediate(() => socket?.close());
  }

  private connect(): void {
    const socket = new this.zmq.Dealer({
      linger: LINGER_MS,
      reconnectInterval: AGAIN_MS,
      ...OPTIONS,
      ...clientKeys(this.secret),
    });
    this.socket = socket;
    this.outbox = new Outbox(socket);
    socket.events.on("disconnect", () => this.lost(socket));
    socket.connect(this.address);
    void (async () => {
      for await (const [bytes] of socket) {
        if (this.socket !== socket) return;
        const frame = decode(bytes);
        if (frame) this.hear(frame);
      }
    })().catch((error: Error) => {
      if (!this.isClosed && this.socket === socket) process.emitWarning(error);
    });
  }

  /** A new socket: what was sent on the old one must not come later. */
  private lost(socket: Dealer): void {
    if (this.socket !== socket || this.isClosed) return;
    this.socket = null;
    this.outbox = null;
    socket.close();
    this.again = setTimeout(() => this.connect(), AGAIN_MS);
    this.onLost(false);
  }
}

function decode(bytes: Uint8Array): Frame | null {
  try {
    const frame: unknown = deserialize(bytes);
    return typeof frame === "object" && frame !== null && "t" in frame ? (frame as Frame) : null;
  } catch {
    return null; // whoever sent it is no partner
  }
}
