/**
 * Members as threads of one process. Each pair has two rings in shared memory, one for each direction; small messages
 * travel inside of them. Of large ones only the address does: the receiver reads, or combines, the sender's own memory and
 * tells it when it has done so. Who has something for another member rings its bell, on which that one sleeps.
 */
import type { DType } from "../../core/dtype.js";
import { allocate, memory as heap, release } from "../../runtime/heap.js";
import { combinerOver } from "../collectives/combine/combine.js";
import { ring } from "./bell.js";
import { PeerLostError, TransportError } from "./errors.js";
import { samePlace } from "./in-process.js";
import type { CombineOp } from "./reduce-op.js";
import type { Place, PolledTransport } from "./transport.js";

/** What the threads of a job share. */
export interface ThreadsJob {
  readonly size: number;
  readonly board: SharedArrayBuffer;
  /** Each member's heap. */
  readonly memories: readonly WebAssembly.Memory[];
}

/** Messages that a ring holds. */
const SLOTS = 16;
/** Bytes of an entry: kind, tag, length, address, number; then the bytes of a small message. */
const ENTRY = 512;
const HEAD = 64;
/** Longest message that travels inside of a ring. */
export const EAGER = ENTRY - HEAD;
const RING = HEAD + SLOTS * ENTRY;
/** Bytes of the words that a member has: its bell, and whether it is gone. */
const MEMBER = 64;

/** Most milliseconds that a goodbye waits for others to take what they were sent. */
const GOODBYE = 1000;

/** Bytes of the heap through which messages pass on their way to be combined: as many as stay in the cache. */
const SCRATCH = 64 * 1024;

const INSIDE = 1;
const AT_ADDRESS = 2;
const TAKEN = 3;

/** Memory for a job's messages. It is used only as far as pairs talk. */
export const threadsBoard = (size: number): SharedArrayBuffer =>
  new SharedArrayBuffer(size * MEMBER + size * size * RING);

/** The word on which member `rank` sleeps. */
export const bellOf = (board: SharedArrayBuffer, rank: number): Int32Array<SharedArrayBuffer> =>
  new Int32Array(board, rank * MEMBER, 1);

/** A member has ended: those who wait for it are told. */
export function declareGone(board: SharedArrayBuffer, size: number, rank: number): void {
  Atomics.store(new Int32Array(board, rank * MEMBER, 2), 1, 1);
  for (let other = 0; other < size; other++) ring(bellOf(board, other));
}

interface Entry {
  readonly kind: number;
  readonly tag: number;
  readonly length: number;
  /** Of a message: where it lies. */
  readonly address: number;
  /** Of a large message: its number, by which the receiver says that it has taken it. */
  readonly number: number;
  readonly bytes?: Uint8Array;
}

/** One direction of a pair: one thread writes, one reads. */
class Ring {
  private readonly counts: Int32Array; // written, read
  private readonly numbers: Float64Array;
  private readonly bytes: Uint8Array;
  private full = false;

  constructor(board: SharedArrayBuffer, size: number, from: number, to: number) {
    const at = size * MEMBER + (from * size + to) * RING;
    this.counts = new Int32Array(board, at, 2);
    this.numbers = new Float64Array(board, at + HEAD, (SLOTS * ENTRY) / 8);
    this.bytes = new Uint8Array(board, at + HEAD, SLOTS * ENTRY);
  }

  /** False if it is full. */
  put(entry: Entry): boolean {
    const written = Atomics.load(this.counts, 0);
    if (((written - Atomics.load(this.counts, 1)) | 0) >= SLOTS) return false;
    const at = (written & (SLOTS - 1)) * ENTRY;
    const word = at / 8;
    this.numbers[word] = entry.kind;
    this.numbers[word + 1] = entry.tag;
    this.numbers[word + 2] = entry.length;
    this.numbers[word + 3] = entry.address;
    this.numbers[word + 4] = entry.number;
    if (entry.bytes) this.bytes.set(entry.bytes, at + HEAD);
    Atomics.store(this.counts, 0, (written + 1) | 0);
    return true;
  }

  /** True if the writer may have found it full since the last call: it wants to hear that there is room. */
  wasFull(): boolean {
    const { full } = this;
    this.full = false;
    return full;
  }

  take(): Entry | null {
    const read = Atomics.load(this.counts, 1);
    const waiting = (Atomics.load(this.counts, 0) - read) | 0;
    if (waiting === 0) return null;
    if (waiting >= SLOTS) this.full = true;
    const at = (read & (SLOTS - 1)) * ENTRY;
    const word = at / 8;
    const kind = this.numbers[word];
    const length = this.numbers[word + 2];
    const entry: Entry = {
      kind,
      tag: this.numbers[word + 1],
      length,
      address: this.numbers[word + 3],
      number: this.numbers[word + 4],
      bytes: kind === INSIDE ? this.bytes.slice(at + HEAD, at + HEAD + length) : undefined,
    };
    Atomics.store(this.counts, 1, (read + 1) | 0);
    return entry;
  }
}

type Put = (into: Uint8Array, message: Uint8Array) => void;
const copy: Put = (into, message) => into.set(message);

interface Waiting {
  readonly into: Uint8Array;
  readonly put: Put;
  readonly done: () => void;
  readonly failed: (error: Error) => void;
}

interface Lane {
  readonly arrived: Entry[];
  readonly waiting: Waiting[];
}

interface Peer {
  readonly out: Ring;
  readonly in: Ring;
  readonly bell: Int32Array;
  readonly state: Int32Array;
  readonly lanes: Map<number, Lane>;
  /** Entries for which the ring had no room. */
  readonly held: Entry[];
  /** Large messages that it has not taken yet. */
  readonly untaken: Map<number, { done: () => void; failed: (error: Error) => void }>;
  readonly sending: Set<Promise<void>>;
  sent: number;
  gone: boolean;
  view: Uint8Array;
}

export class ThreadsTransport implements PolledTransport {
  readonly name = "threads";
  readonly size: number;
  readonly places: readonly Place[];
  readonly patience = Number.POSITIVE_INFINITY;
  private readonly peers: Peer[];
  private readonly combine = combinerOver(heap, { at: allocate(SCRATCH), bytes: SCRATCH });

  constructor(
    private readonly job: ThreadsJob,
    readonly rank: number,
  ) {
    const { size, board } = job;
    this.size = size;
    this.places = samePlace(size);
    this.peers = Array.from({ length: size }, (_, other) => ({
      out: new Ring(board, size, rank, other),
      in: new Ring(board, size, other, rank),
      bell: bellOf(board, other),
      state: new Int32Array(board, other * MEMBER, 2),
      lanes: new Map(),
      held: [],
      untaken: new Map(),
      sending: new Set(),
      sent: 0,
      gone: false,
      view: new Uint8Array(job.memories[other].buffer),
    }));
  }

  async send(to: number, tag: number, bytes: Uint8Array): Promise<void> {
    const peer = this.peers[to];
    if (peer.gone) throw new PeerLostError(to, "it has ended");
    const { length } = bytes;
    if (length <= EAGER) {
      this.put(peer, { kind: INSIDE, tag, length, address: 0, number: 0, bytes: bytes.slice() });
      return;
    }
    const number = peer.sent++;
    const inHeap = bytes.buffer instanceof SharedArrayBuffer; // what algorithms have for scratch is this thread's own
    const address = inHeap ? bytes.byteOffset : allocate(length);
    if (!inHeap) new Uint8Array(heap.buffer, address, length).set(bytes);
    const sending = new Promise<void>((done, failed) => {
      peer.untaken.set(number, { done, failed });
      this.put(peer, { kind: AT_ADDRESS, tag, length, address, number });
    });
    peer.sending.add(sending);
    try {
      await sending;
    } finally {
      peer.sending.delete(sending);
      if (!inHeap) release(address, length);
    }
  }

  receive(from: number, tag: number, into: Uint8Array): Promise<void> {
    return this.wait(from, tag, into, copy);
  }

  receiveCombined(
    from: number,
    tag: number,
    into: Uint8Array,
    dtype: DType,
    op: CombineOp,
    own?: Uint8Array,
  ): Promise<void> {
    return this.wait(from, tag, into, (mine, message) =>
      this.combine(current(mine), message, dtype, op, current(own ?? mine)),
    );
  }

  private wait(from: number, tag: number, into: Uint8Array, put: Put): Promise<void> {
    const peer = this.peers[from];
    return new Promise((done, failed) => {
      const waiting = { into, put, done, failed };
      const lane = laneOf(peer, tag);
      const first = lane.arrived.shift();
      if (first) this.deliver(peer, from, first, waiting);
      else if (peer.gone) failed(new PeerLostError(from, "it has ended"));
      else lane.waiting.push(waiting);
      tidyLane(peer, tag, lane);
    });
  }

  poll(): boolean {
    let moved = false;
    for (const [from, peer] of this.peers.entries()) {
      const gone = !peer.gone && Atomics.load(peer.state, 1) === 1; // before the ring: what it sent comes first
      for (let entry = peer.in.take(); entry; entry = peer.in.take()) {
        moved = true;
        this.arrive(peer, from, entry);
      }
      let put = peer.in.wasFull();
      while (peer.held.length > 0 && peer.out.put(peer.held[0])) {
        peer.held.shift();
        put = true;
      }
      if (put) ring(peer.bell);
      if (gone) {
        moved = true;
        this.lose(peer, from);
      }
    }
    return moved;
  }

  async close(): Promise<void> {
    // what broken groups have left is taken by nobody
    const late = new Promise((resolve) => setTimeout(resolve, GOODBYE));
    await Promise.race([Promise.allSettled(this.peers.flatMap(({ sending }) => [...sending])), late]);
    declareGone(this.job.board, this.size, this.rank);
  }

  private arrive(peer: Peer, from: number, entry: Entry): void {
    if (entry.kind === TAKEN) {
      peer.untaken.get(entry.number)?.done();
      peer.untaken.delete(entry.number);
      return;
    }
    const lane = laneOf(peer, entry.tag);
    const first = lane.waiting.shift();
    if (first) this.deliver(peer, from, entry, first);
    else lane.arrived.push(entry);
    tidyLane(peer, entry.tag, lane);
  }

  private deliver(peer: Peer, from: number, entry: Entry, { into, put, done, failed }: Waiting): void {
    try {
      if (into.length !== entry.length)
        throw new TransportError(
          `receive: expected ${into.length} bytes from rank ${from}, it sent ${entry.length}`,
        );
      put(into, entry.bytes ?? this.viewOf(peer, from, entry));
      done();
    } catch (error) {
      failed(error as Error);
    }
    if (entry.kind === AT_ADDRESS)
      this.put(peer, { kind: TAKEN, tag: 0, length: 0, address: 0, number: entry.number });
  }

  private viewOf(peer: Peer, from: number, { address, length }: Entry): Uint8Array {
    if (address + length > peer.view.length) {
      const memory = this.job.memories[from];
      memory.grow(0); // this thread may not have heard yet how far its owner has grown it
      peer.view = new Uint8Array(memory.buffer);
    }
    return peer.view.subarray(address, address + length);
  }

  private put(peer: Peer, entry: Entry): void {
    if (peer.held.length === 0 && peer.out.put(entry)) ring(peer.bell);
    else peer.held.push(entry);
  }

  private lose(peer: Peer, rank: number): void {
    peer.gone = true;
    const error = (): PeerLostError => new PeerLostError(rank, "it has ended");
    for (const { waiting } of peer.lanes.values())
      for (const { failed } of waiting.splice(0)) failed(error());
    for (const { failed } of peer.untaken.values()) failed(error());
    peer.untaken.clear();
    peer.held.length = 0;
  }
}

/** The same bytes as the heap is now: views from before it has grown are of a buffer that kernels are not asked for. */
const current = (bytes: Uint8Array): Uint8Array =>
  bytes.buffer !== heap.buffer && bytes.buffer instanceof SharedArrayBuffer
    ? new Uint8Array(heap.buffer, bytes.byteOffset, bytes.length)
    : bytes;

function laneOf(peer: Peer, tag: number): Lane {
  const known = peer.lanes.get(tag);
  if (known) return known;
  const lane: Lane = { arrived: [], waiting: [] };
  peer.lanes.set(tag, lane);
  return lane;
}

function tidyLane(peer: Peer, tag: number, { arrived, waiting }: Lane): void {
  if (arrived.length === 0 && waiting.length === 0) peer.lanes.delete(tag);
}

/** For the communication thread: the job's transport on this thread. */
export const open = ({ job, rank }: { job: ThreadsJob; rank: number }): ThreadsTransport =>
  new ThreadsTransport(job, rank);
