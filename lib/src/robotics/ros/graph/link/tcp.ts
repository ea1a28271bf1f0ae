/**
 * Channels over TCP or a Unix socket: a process listens, others connect, and connect again when the connection broke. With a secret,
 * TLS with a pre-shared key made of it (RFC 4279): both sides prove that they know it, and what is said is encrypted.
 */
import { scryptSync } from "node:crypto";
import { once } from "node:events";
import { connect, createServer, type Server, type Socket } from "node:net";
import { connect as connectTls, createServer as createTlsServer } from "node:tls";
import { deserialize, serialize } from "node:v8";
import { MlsysError } from "../../../../core/errors.js";
import { checkAddress, checkSecret } from "../../../../data/remote/secret.js";
import type { Channel, Frame, OnLost } from "./frames.js";

export interface Listening {
  readonly address: string;
  close(): void;
}

const AGAIN_MS = 200;
const LENGTH_BYTES = 4;
const LARGEST_FRAME = 2 ** 31;
const IDENTITY = "mlsys";

/** @param onChannel is given one for each process that connects */
export async function serve(
  address: string,
  secret: string | undefined,
  onChannel: (channel: Channel) => void,
): Promise<Listening> {
  const place = parse(address, secret);
  const server: Server = secret
    ? createTlsServer({
        ...psk(),
        pskCallback: (_, identity) => (identity === IDENTITY ? key(secret) : null),
      })
    : createServer();
  server.on(secret ? "secureConnection" : "connection", (socket: Socket) => onChannel(new Accepted(socket)));
  server.listen(place);
  try {
    await once(server, "listening");
  } catch (cause) {
    throw new MlsysError(`ROS graph: can't listen at ${address}: ${(cause as Error).message}`, { cause });
  }
  const bound = server.address();
  const port = typeof bound === "object" && bound ? bound.port : 0;
  return {
    address: "port" in place ? address.replace(/:[^:]*$/, `:${port}`) : address,
    close: () => server.close(), // no further ones; those that there are end with their links
  };
}

export async function dial(address: string, secret: string | undefined): Promise<Channel> {
  return new Dialed(parse(address, secret), secret);
}

type Place = { readonly host: string; readonly port: number } | { readonly path: string };

function parse(address: string, secret: string | undefined): Place {
  checkAddress("ROS graph", address, secret);
  checkSecret(secret);
  const [, host, port] = /^tcp:\/\/\[?(.*?)\]?:(\d+|\*)$/.exec(address) ?? [];
  if (host !== undefined) return { host, port: port === "*" ? 0 : Number(port) };
  if (address.startsWith("ipc://")) return { path: address.slice("ipc://".length) };
  throw new MlsysError(
    `ROS graph: an address is tcp://HOST:PORT or ipc://FILE, got ${JSON.stringify(address)}`,
  );
}

const psk = () =>
  ({ ciphers: "PSK-AES256-GCM-SHA384", minVersion: "TLSv1.2", maxVersion: "TLSv1.2" }) as const;

const keys = new Map<string, Buffer>();

function key(secret: string): Buffer {
  let found = keys.get(secret);
  if (!found) {
    found = scryptSync(secret, "mlsys ROS graph", 32);
    keys.set(secret, found);
  }
  return found;
}

abstract class SocketChannel implements Channel {
  abstract readonly redials: boolean;
  readonly sharesBuffers = true;
  protected hear: (frame: Frame) => void = () => {};
  protected onLost: OnLost = () => {};
  protected socket: Socket | null = null;

  send(frame: Frame): void {
    const { socket } = this;
    if (!socket?.writable) return;
    const payload = serialize(frame);
    const length = Buffer.alloc(LENGTH_BYTES);
    length.writeUInt32LE(payload.length);
    socket.cork();
    socket.write(length);
    socket.write(payload);
    socket.uncork();
  }

  open(onFrame: (frame: Frame) => void, onLost: OnLost): void {
    this.hear = onFrame;
    this.onLost = onLost;
  }

  close(): void {
    this.socket?.end(); // what was said goes out first
  }

  protected attach(socket: Socket): void {
    this.socket = socket;
    socket.setNoDelay(true);
    socket.on("error", () => {}); // "close" follows
    const chunks = new Chunks();
    socket.on("data", (chunk: Buffer) => {
      try {
        for (const payload of chunks.add(chunk)) this.hear(deserialize(payload) as Frame);
      } catch {
        socket.destroy(); // whoever sent it is no partner
      }
    });
    socket.on("end", () => socket.end());
  }
}

class Accepted extends SocketChannel {
  readonly redials = false;

  constructor(socket: Socket) {
    super();
    this.attach(socket);
    socket.on("close", () => this.onLost(true));
  }
}

class Dialed extends SocketChannel {
  readonly redials = true;
  private again: NodeJS.Timeout | null = null;
  private isClosed = false;

  constructor(
    private readonly place: Place,
    private readonly secret: string | undefined,
  ) {
    super();
  }

  override open(onFrame: (frame: Frame) => void, onLost: OnLost): void {
    super.open(onFrame, onLost);
    this.connect();
  }

  override close(): void {
    this.isClosed = true;
    if (this.again) clearTimeout(this.again);
    super.close();
  }

  private connect(): void {
    const { place, secret } = this;
    const pskCallback = () => ({ psk: key(secret ?? ""), identity: IDENTITY });
    const socket =
      secret === undefined
        ? connect(place)
        : connectTls({ ...place, ...psk(), pskCallback, checkServerIdentity: () => undefined });
    this.attach(socket);
    let refusal: string | undefined;
    socket.on("error", ({ code = "" }: NodeJS.ErrnoException) => {
      if (secret !== undefined && /SSL|TLS|EPROTO/.test(code))
        refusal = `it has another secret, or none, or is no ROS graph (${code})`;
    });
    socket.on("close", () => {
      this.socket = null;
      if (this.isClosed) return;
      if (refusal !== undefined) {
        this.onLost(true, refusal);
        return;
      }
      this.again = setTimeout(() => this.connect(), AGAIN_MS);
      this.onLost(false);
    });
  }
}

/** Cuts a stream into payloads: each comes behind its length. */
class Chunks {
  private parts: Buffer[] = [];
  private size = 0;
  private needed = LENGTH_BYTES;
  private isLength = true;

  *add(chunk: Buffer): Generator<Buffer> {
    this.parts.push(chunk);
    this.size += chunk.length;
    while (this.size >= this.needed) {
      const all = this.parts.length === 1 ? this.parts[0] : Buffer.concat(this.parts, this.size);
      const piece = all.subarray(0, this.needed);
      this.parts = all.length > this.needed ? [all.subarray(this.needed)] : [];
      this.size -= this.needed;
      if (!this.isLength) yield piece;
      this.needed = this.isLength ? piece.readUInt32LE() : LENGTH_BYTES;
      if (this.needed > LARGEST_FRAME) throw new RangeError(`a frame of ${this.needed} bytes`);
      this.isLength = !this.isLength;
    }
  }
}
