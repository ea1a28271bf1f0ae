/**
 * The wire format of the tcp transport. A connection carries frames; numbers are little-endian:
 *
 *     offset  bytes
 *     0       1      0x4d ("M")
 *     1       1      kind
 *     2       2      0
 *     4       4      length of the payload
 *     8       8      tag (float64, a whole number)
 *     16      8      number (float64, a whole number)
 *     24      …      payload
 *
 * Kinds, and what they carry:
 *
 *     0 hello      payload: JSON, first from whoever has dialled
 *     1 challenge  payload: JSON, the answer
 *     2 proof      payload: JSON, the answer to that
 *     3 control    payload: JSON, between members and the rendezvous store
 *     4 message    tag; payload: a message, of at most EAGER bytes
 *     5 offer      tag; number: the offer's; payload: float64, bytes of a larger message
 *     6 accept     number: of an offer; tag: 1 if its message is to be sent now, 0 if one of another length is waited for
 *     7 body       number: of the offer; payload: the message
 *     8 credit     number: bytes of messages of kind 4 that were taken
 *     9 ping       nothing: a sign of life
 *     10 bye       nothing: the last frame of a member that leaves
 *
 * Each direction of a pair of members has a connection of its own, dialled by the one who sends on it; accepts and credits
 * go with the frames of the other direction. Before the proof only frames 0 to 2 are allowed, of at most 4 KiB.
 */
import { TransportError } from "../errors.js";

export const KIND = {
  hello: 0,
  challenge: 1,
  proof: 2,
  control: 3,
  message: 4,
  offer: 5,
  accept: 6,
  body: 7,
  credit: 8,
  ping: 9,
  bye: 10,
} as const;
const LAST_KIND = KIND.bye;

export const HEADER = 24;
const MAGIC = 0x4d;

/** Longest message that goes without an offer, in bytes; more than the pieces in which algorithms send. */
export const EAGER = 256 * 1024;
/** Bytes of such messages that may wait at a receiver; more are offered. */
export const CREDIT = 4 * 1024 * 1024;
/** Longest JSON of a handshake; and of control frames. */
const MAX_HANDSHAKE = 4096;
const MAX_CONTROL = 4 * 1024 * 1024;

export interface FrameHead {
  readonly kind: number;
  readonly length: number;
  readonly tag: number;
  readonly number: number;
}

export function frameHead({ kind, length, tag, number }: FrameHead): Uint8Array {
  const bytes = new Uint8Array(HEADER);
  const view = new DataView(bytes.buffer);
  bytes[0] = MAGIC;
  bytes[1] = kind;
  view.setUint32(4, length, true);
  view.setFloat64(8, tag, true);
  view.setFloat64(16, number, true);
  return bytes;
}

/** A frame with a JSON payload. */
export function jsonFrame(kind: number, value: unknown): Uint8Array {
  const payload = new TextEncoder().encode(JSON.stringify(value));
  const frame = new Uint8Array(HEADER + payload.length);
  frame.set(frameHead({ kind, length: payload.length, tag: 0, number: 0 }));
  frame.set(payload, HEADER);
  return frame;
}

/** @throws TransportError if it is no JSON object */
export function parseJson(payload: Uint8Array): Record<string, unknown> {
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(payload));
  } catch {
    throw new TransportError("tcp: a frame's JSON can't be read");
  }
  if (typeof value !== "object" || value === null || Array.isArray(value))
    throw new TransportError("tcp: a frame's JSON is no object");
  return value as Record<string, unknown>;
}

/** Longest payload of a kind. Bodies have the length that was offered, which is their receiver's business. */
function most(kind: number): number {
  switch (kind) {
    case KIND.hello:
    case KIND.challenge:
    case KIND.proof:
      return MAX_HANDSHAKE;
    case KIND.control:
      return MAX_CONTROL;
    case KIND.message:
      return EAGER;
    case KIND.offer:
      return 8;
    case KIND.body:
      return 2 ** 32 - 1;
    default:
      return 0;
  }
}

const whole = (x: number): boolean => Number.isSafeInteger(x) && x >= 0;

export interface FrameSink {
  /** Where the payload is to go. Called once its head is there; throws for a frame that is out of place. */
  place(head: FrameHead): Uint8Array;
  /** The payload is in its place. @returns false if what follows is not to be read yet */
  taken(head: FrameHead, payload: Uint8Array): unknown;
}

/**
 * Takes a stream of bytes apart, in whatever pieces it comes. Payloads are written where the sink says; nothing is reserved
 * for a frame before its head was found to be one that may come.
 */
export class FrameReader {
  private readonly head = new Uint8Array(HEADER);
  private filled = 0;
  private frame: FrameHead | null = null;
  private payload: Uint8Array = new Uint8Array(0);
  private got = 0;

  constructor(private readonly sink: FrameSink) {}

  /**
   * @returns how many of the bytes were read: all, unless the sink has said no
   * @throws TransportError for what is no frame: nothing more can be read from such a connection
   */
  feed(chunk: Uint8Array): number {
    let at = 0;
    for (;;) {
      if (!this.frame) {
        if (at === chunk.length) return at;
        const n = Math.min(HEADER - this.filled, chunk.length - at);
        this.head.set(chunk.subarray(at, at + n), this.filled);
        this.filled += n;
        at += n;
        if (this.filled < HEADER) return at;
        this.filled = 0;
        this.frame = this.headOf();
        this.payload = this.sink.place(this.frame);
        this.got = 0;
      }
      const { length } = this.frame;
      const n = Math.min(length - this.got, chunk.length - at);
      this.payload.set(chunk.subarray(at, at + n), this.got);
      this.got += n;
      at += n;
      if (this.got < length) return at;
      const { frame, payload } = this;
      this.frame = null;
      this.payload = new Uint8Array(0);
      if (this.sink.taken(frame, payload) === false) return at;
    }
  }

  private headOf(): FrameHead {
    const view = new DataView(this.head.buffer);
    const kind = this.head[1];
    const head = {
      kind,
      length: view.getUint32(4, true),
      tag: view.getFloat64(8, true),
      number: view.getFloat64(16, true),
    };
    if (this.head[0] !== MAGIC || this.head[2] !== 0 || this.head[3] !== 0 || kind > LAST_KIND)
      throw new TransportError("tcp: what came is no frame of this protocol");
    if (head.length > most(kind))
      throw new TransportError(
        `tcp: a frame of kind ${kind} has ${head.length} bytes; at most ${most(kind)} may come`,
      );
    if (!whole(head.tag) || !whole(head.number))
      throw new TransportError(`tcp: a frame's tag ${head.tag} or number ${head.number} is no whole number`);
    return head;
  }
}
