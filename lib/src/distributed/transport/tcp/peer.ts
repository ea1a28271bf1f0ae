/** What a member knows of another one: messages that came or are waited for, what may be sent, whether it is still there. */
import type { PeerLostError } from "../errors.js";
import type { Connection } from "./connection.js";
import { CREDIT } from "./frames.js";

export interface Waiting {
  readonly into: Uint8Array;
  readonly done: () => void;
  readonly failed: (error: Error) => void;
}

/** A message that nobody has asked for yet: its bytes, or the offer of it. */
export type Arrived = { readonly bytes: Uint8Array } | { readonly offer: number; readonly length: number };

interface Lane {
  readonly arrived: Arrived[];
  readonly waiting: Waiting[];
}

interface Offered {
  readonly bytes: Uint8Array;
  readonly done: () => void;
  readonly failed: (error: Error) => void;
}

/** What is known of another member. */
export class Peer {
  readonly lanes = new Map<number, Lane>();
  /** To it: dialled when there is something to send. */
  out: Promise<Connection> | null = null;
  open: Connection | null = null;
  in: Connection | null = null;
  /** Bytes that it may still be sent without an offer. */
  credit = CREDIT;
  /** Bytes that it has sent without an offer and nobody has taken; and those that were taken since it was told so. */
  unclaimed = 0;
  taken = 0;
  offers = 0;
  readonly offered = new Map<number, Offered>();
  /** Offers of its that were accepted. */
  readonly accepted = new Map<number, Waiting>();
  gone: PeerLostError | null = null;
  /** It has said goodbye to the store; its last messages may be on their way. */
  leaving = false;
  /** The message that is arriving goes straight to whom it is for. */
  direct: Waiting | null = null;

  lane(tag: number): Lane {
    const known = this.lanes.get(tag);
    if (known) return known;
    const lane: Lane = { arrived: [], waiting: [] };
    this.lanes.set(tag, lane);
    return lane;
  }

  tidy(tag: number, { arrived, waiting }: Lane): void {
    if (arrived.length === 0 && waiting.length === 0) this.lanes.delete(tag);
  }
}
