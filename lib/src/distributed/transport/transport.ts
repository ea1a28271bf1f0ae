/**
 * Transport: bytes from one member of a job to another. Everything above it (collectives, groups, parallel training) is
 * made of these few calls, so that a new way to move bytes is one new file. (Book, chapter 9: Send and Recv.)
 */
import type { DType } from "../../core/dtype.js";
import type { CollectiveKind, Requests } from "../collectives/collective.js";
import type { CombineOp } from "./reduce-op.js";

/** Where a member runs, for algorithms that look at the topology. */
export interface Place {
  /** Name of its machine: members with the same name share memory or a fast link. */
  readonly host: string;
}

export interface Transport {
  /** What it is called: "threads", "tcp", "mpi" … */
  readonly name: string;
  /** This member's number, from 0. */
  readonly rank: number;
  /** Number of members. */
  readonly size: number;
  /** Where each member runs, by rank. */
  readonly places: readonly Place[];
  /**
   * Sends bytes. Messages of a pair with the same tag arrive in the order in which they were sent; different tags don't
   * wait for each other. Resolves when `bytes` may be changed again, not before the transport has read them.
   * @throws PeerLostError if `to` is gone
   */
  send(to: number, tag: number, bytes: Uint8Array): Promise<void>;
  /**
   * Fills `into` with the next message of `from` under `tag`.
   * @throws PeerLostError if `from` is gone; TransportError if the message has another length
   */
  receive(from: number, tag: number, into: Uint8Array): Promise<void>;
  /**
   * `into[i] = op(own[i], message[i])`, `own` being `into` if it is not given: a transport that can read the sender's
   * memory needs no copy of the message for it. Without it, callers receive into scratch memory and combine.
   */
  receiveCombined?(
    from: number,
    tag: number,
    into: Uint8Array,
    dtype: DType,
    op: CombineOp,
    own?: Uint8Array,
  ): Promise<void>;
  /**
   * Collectives of all members by an engine that has its own (MPI's), or null where it has none for this request. Members
   * must call them in the same order: at most one group uses them.
   */
  collective?<K extends CollectiveKind>(kind: K, request: Requests<CombineOp>[K]): Promise<void> | null;
  /** Says goodbye: what is under way to others is still delivered. Members that wait for this one then get PeerLostError. */
  close(): Promise<void>;
}

/** A transport without events of its own: the communication thread asks it, and sleeps in between. */
export interface PolledTransport extends Transport {
  /** Moves what can be moved. @returns false if there was nothing */
  poll(): boolean;
  /**
   * Most milliseconds to sleep between two calls of `poll` while operations are under way. Infinity: whoever has something
   * for this member rings the bell of its communication thread.
   */
  readonly patience: number;
}

/** What a communication thread's module for a transport exports, as `open`. */
export type OpenTransport<Config> = (config: Config) => Transport | Promise<Transport>;
