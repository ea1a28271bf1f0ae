/** One connection: frames over a socket, once both ends have shown that they know the job's secret. */
import { createHmac, randomBytes, timingSafeEqual } from "node:crypto";
import { connect as connectPlain, createServer as createPlain, type Server, type Socket } from "node:net";
import { connect as connectTls, createServer as createTls } from "node:tls";
import { MlsysError } from "../../../core/errors.js";
import { TransportError } from "../errors.js";
import {
  type FrameHead,
  FrameReader,
  type FrameSink,
  frameHead,
  jsonFrame,
  KIND,
  parseJson,
} from "./frames.js";

/** PEM texts. */
export interface TlsOptions {
  readonly key: string;
  readonly cert: string;
  /** Who signs the members' certificates: each must show one. Default: certificates are not asked for. */
  readonly ca?: string;
}

export interface Security {
  /** What members must know. Without it only loopback addresses are listened on. */
  readonly secret?: string;
  readonly tls?: TlsOptions;
}

/** Milliseconds. */
export interface Heartbeat {
  /** Between two signs of life. */
  readonly every: number;
  /** Without any, the other end counts as lost. */
  readonly lost: number;
}

export const DEFAULT_HEARTBEAT: Heartbeat = { every: 2000, lost: 30_000 };

/** Bytes behind a handshake after which the socket is not read for a while. */
const MOST_REST = 1 << 20;

/** Milliseconds for a handshake. */
const HANDSHAKE = 30_000;

/** Milliseconds for the other end to read what was sent last. */
const LEAVE = 2000;

/** Someone does not know the secret. */
export class AuthenticationError extends MlsysError {
  override name = "AuthenticationError";
}

type Claims = Record<string, unknown>;

/** What both ends sign: their roles, random numbers of both, what the dialler claims. */
function proofOf(secret: string, role: string, nonces: readonly string[], claims: Claims): Buffer {
  const text = JSON.stringify(["mlsys tcp 1", role, ...nonces, claims]);
  return createHmac("sha256", secret).update(text).digest();
}

function checkProof(given: unknown, wanted: Buffer): void {
  const bytes = Buffer.from(typeof given === "string" ? given : "", "base64");
  if (bytes.length !== wanted.length || !timingSafeEqual(bytes, wanted))
    throw new AuthenticationError("tcp: the other end does not know the job's secret");
}

export class Connection {
  private readonly reader: FrameReader;
  private sink: FrameSink | null = null;
  private handshake: {
    readonly resolve: (json: Claims) => void;
    readonly reject: (error: Error) => void;
    readonly kind: number;
  } | null = null;
  /** What has come behind a frame of the handshake: it is read when the next step is there. */
  private rest: Uint8Array | null = null;
  private paused = false;
  private heard = Date.now();
  private beat: NodeJS.Timeout | undefined;
  private endedBy: Error | null = null;
  /** Called once, when the connection is over. */
  onEnd: (error: Error) => void = () => {};

  constructor(readonly socket: Socket) {
    socket.setNoDelay(true);
    this.reader = new FrameReader({
      place: (head) => this.place(head),
      taken: (head, payload) => this.taken(head, payload),
    });
    socket.on("data", (chunk: Uint8Array) => {
      this.heard = Date.now();
      this.read(chunk);
    });
    socket.on("error", (error) => this.end(error));
    socket.on("close", () => this.end(new Error("the connection was closed")));
  }

  /** The handshake of who has dialled. */
  async introduce(claims: Claims, secret: string): Promise<void> {
    const mine = randomBytes(32).toString("base64");
    this.socket.write(jsonFrame(KIND.hello, { ...claims, nonce: mine }));
    const { nonce, proof } = await this.next(KIND.challenge);
    const nonces = [mine, String(nonce)];
    checkProof(proof, proofOf(secret, "listener", nonces, claims));
    this.socket.write(
      jsonFrame(KIND.proof, { proof: proofOf(secret, "dialler", nonces, claims).toString("base64") }),
    );
  }

  /** The handshake of who was dialled. @returns what the other end claims to be */
  async admit(secret: string): Promise<Claims> {
    const { nonce: theirs, ...claims } = await this.next(KIND.hello);
    const mine = randomBytes(32).toString("base64");
    const nonces = [String(theirs), mine];
    const proof = proofOf(secret, "listener", nonces, claims).toString("base64");
    const answer = this.next(KIND.proof);
    this.socket.write(jsonFrame(KIND.challenge, { nonce: mine, proof }));
    checkProof((await answer).proof, proofOf(secret, "dialler", nonces, claims));
    return claims;
  }

  /** Frames go to `sink` from now on. */
  begin(sink: FrameSink, heartbeat: Heartbeat): void {
    this.sink = sink;
    if (this.endedBy) {
      queueMicrotask(() => this.onEnd(this.endedBy as Error));
      return;
    }
    queueMicrotask(() => this.resume());
    this.heard = Date.now();
    let due = Date.now() + heartbeat.every;
    this.beat = setInterval(() => {
      const now = Date.now();
      // a thread that was held up itself has not listened: it gives the other end another chance
      if (now - due > heartbeat.lost / 2) this.heard = now;
      due = now + heartbeat.every;
      if (now - this.heard > heartbeat.lost) this.end(new Error(`no sign of life for ${heartbeat.lost} ms`));
      else this.write({ kind: KIND.ping, length: 0, tag: 0, number: 0 });
    }, heartbeat.every);
    this.beat.unref();
  }

  /** @param written called when `payload` may be changed again */
  write(head: FrameHead, payload?: Uint8Array, written?: (error: Error | null) => void): void {
    if (this.endedBy) {
      written?.(this.endedBy);
      return;
    }
    if (!payload || payload.length === 0) {
      this.socket.write(frameHead(head), written && ((error) => written(error ?? null)));
      return;
    }
    this.socket.cork();
    this.socket.write(frameHead(head));
    this.socket.write(payload, written && ((error) => written(error ?? null)));
    this.socket.uncork();
  }

  json(kind: number, value: unknown): void {
    if (!this.endedBy) this.socket.write(jsonFrame(kind, value));
  }

  /** Sends what was written, and closes. Resolves when the other end has read it all and closed too; it gets a while. */
  finish(): Promise<void> {
    clearInterval(this.beat);
    return new Promise((resolve) => {
      if (this.endedBy) resolve();
      else {
        this.socket.end();
        this.socket.on("close", () => resolve());
        setTimeout(() => this.socket.destroy(), LEAVE).unref();
      }
    });
  }

  end(error: Error): void {
    if (this.endedBy) return;
    this.endedBy = error;
    clearInterval(this.beat);
    this.socket.destroy();
    this.handshake?.reject(error);
    this.onEnd(error);
  }

  private next(kind: number): Promise<Claims> {
    return new Promise((resolve, reject) => {
      if (this.endedBy) {
        reject(this.endedBy);
        return;
      }
      const timer = setTimeout(
        () => this.end(new TransportError("tcp: the handshake took too long")),
        HANDSHAKE,
      );
      this.handshake = {
        kind,
        resolve: (json) => {
          clearTimeout(timer);
          resolve(json);
        },
        reject: (error) => {
          clearTimeout(timer);
          reject(error);
        },
      };
      this.resume();
    });
  }

  private read(chunk: Uint8Array): void {
    if (this.endedBy) return;
    if (this.paused) {
      this.rest = this.rest ? Buffer.concat([this.rest, chunk]) : chunk;
      if (this.rest.length > MOST_REST) this.socket.pause();
      return;
    }
    try {
      const read = this.reader.feed(chunk);
      if (read === chunk.length) return;
      this.rest = chunk.subarray(read);
    } catch (error) {
      this.end(error as Error);
    }
  }

  private resume(): void {
    this.paused = false;
    const { rest } = this;
    this.rest = null;
    if (rest) this.read(rest);
    if (this.socket.isPaused()) this.socket.resume();
  }

  private place(head: FrameHead): Uint8Array {
    if (head.kind === KIND.ping) return new Uint8Array(0);
    if (this.sink && head.kind > KIND.proof) return this.sink.place(head);
    if (this.handshake?.kind !== head.kind)
      throw new TransportError(`tcp: a frame of kind ${head.kind} came before the handshake was done`);
    return new Uint8Array(head.length);
  }

  private taken(head: FrameHead, payload: Uint8Array): boolean {
    if (head.kind === KIND.ping) return true;
    if (this.sink && head.kind > KIND.proof) {
      this.sink.taken(head, payload);
      return true;
    }
    const json = parseJson(payload);
    const { handshake } = this;
    this.handshake = null;
    this.paused = true;
    handshake?.resolve(json);
    return false;
  }
}

const LOOPBACK = /^(localhost|127(\.\d+){3}|::1)$/;

/** @throws AuthenticationError if an address that others can reach would be listened on without a secret */
export function checkListening(host: string, { secret }: Security): void {
  if (!secret && !LOOPBACK.test(host))
    throw new AuthenticationError(
      `tcp: ${host} can be reached from other machines: give a \`secret\` that all members know`,
    );
}

/** @param port 0: any. @returns the server, and its port */
export async function listen(
  host: string,
  port: number,
  security: Security,
  accept: (connection: Connection) => void,
): Promise<{ readonly server: Server; readonly port: number }> {
  checkListening(host, security);
  const { tls } = security;
  const onSocket = (socket: Socket): void => accept(new Connection(socket));
  const server = tls
    ? createTls(
        { ...tls, requestCert: tls.ca !== undefined, rejectUnauthorized: tls.ca !== undefined },
        onSocket,
      )
    : createPlain(onSocket);
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, host, () => {
      server.off("error", reject);
      resolve();
    });
  });
  server.on("error", () => {});
  return { server, port: (server.address() as { port: number }).port };
}

/** @param until keeps trying while nobody listens, up to this time */
export async function dial(host: string, port: number, { tls }: Security, until = 0): Promise<Connection> {
  for (;;) {
    try {
      return await new Promise<Connection>((resolve, reject) => {
        const socket = tls
          ? connectTls({
              host,
              port,
              ...tls,
              checkServerIdentity: () => undefined,
              rejectUnauthorized: tls.ca !== undefined,
            })
          : connectPlain({ host, port });
        socket.once("error", reject);
        socket.once(tls ? "secureConnect" : "connect", () => {
          socket.off("error", reject);
          resolve(new Connection(socket));
        });
      });
    } catch (error) {
      if (Date.now() >= until || (error as { code?: string }).code !== "ECONNREFUSED")
        throw new TransportError(
          `tcp: nobody can be reached at ${host}:${port}: ${(error as Error).message}`,
          {
            cause: error,
          },
        );
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }
}
