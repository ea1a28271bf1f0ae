/** Members as processes, on one machine or on several: messages over TCP. See frames.ts for what is on the wire. */

import type { Server } from "node:net";
import { hostname } from "node:os";
import { PeerLostError, TransportError } from "../errors.js";
import type { Place, Transport } from "../transport.js";
import {
  type Connection,
  DEFAULT_HEARTBEAT,
  dial,
  type Heartbeat,
  listen,
  type Security,
} from "./connection.js";
import { CREDIT, EAGER, type FrameHead, KIND, parseJson } from "./frames.js";
import type { MemberAddress } from "./store.js";

export interface TcpConfig extends Security {
  /** Of the store. */
  readonly host: string;
  readonly port: number;
  /** This member's number; `null`: the store gives it one. */
  readonly rank: number | null;
  /** Address that this member listens on. Default: the one from which it reaches the store. */
  readonly listenOn?: string;
  /** Name of this machine, for algorithms that look at the topology. Default: its host name. */
  readonly machine?: string;
  /** Milliseconds that all members may take to come. */
  readonly joinTimeout: number;
  readonly heartbeat?: Heartbeat;
}

interface Waiting {
  readonly into: Uint8Array;
  readonly done: () => void;
  readonly failed: (error: Error) => void;
}

/** A message that nobody has asked for yet: its bytes, or the offer of it. */
type Arrived = { readonly bytes: Uint8Array } | { readonly offer: number; readonly length: number };

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
class Peer {
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

export class TcpTransport implements Transport {
  readonly name = "tcp";
  readonly size: number;
  readonly places: readonly Place[];
  private readonly peers: Peer[];
  private closing = false;

  private constructor(
    readonly rank: number,
    /** Number of the rendezvous: members of another one are no members of this. */
    private readonly round: number,
    private readonly table: readonly MemberAddress[],
    private readonly config: TcpConfig,
    private readonly store: Connection,
    private readonly server: Server,
  ) {
    this.size = table.length;
    this.places = table.map(({ machine }) => ({ host: machine }));
    this.peers = table.map(() => new Peer());
  }

  static async join(config: TcpConfig): Promise<TcpTransport> {
    const until = Date.now() + config.joinTimeout;
    const store = await dial(config.host, config.port, config, until);
    let made: TcpTransport | null = null;
    const early: Connection[] = [];
    let server: Server | null = null;
    try {
      const host = config.listenOn ?? (store.socket.localAddress as string);
      const listening = await listen(host, 0, config, (connection) => {
        if (made) made.welcome(connection);
        else early.push(connection);
      });
      server = listening.server;
      await store.introduce({ to: "store" }, config.secret ?? "");
      const members = await membersOf(
        store,
        config,
        {
          rank: config.rank,
          host,
          port: listening.port,
          machine: config.machine ?? hostname(),
        },
        until,
        (rank, why) => made?.lose(rank, why),
      );
      made = new TcpTransport(members.rank, members.round, members.table, config, store, server);
      store.onEnd = (error) => made?.storeLost(error);
      for (const connection of early) made.welcome(connection);
      return made;
    } catch (error) {
      server?.close();
      store.end(error as Error);
      throw error;
    }
  }

  async send(to: number, tag: number, bytes: Uint8Array): Promise<void> {
    if (to === this.rank) {
      this.arrive(this.peers[to], to, tag, { bytes: bytes.slice() });
      return;
    }
    const peer = this.peers[to];
    const connection = peer.open ?? (await this.connected(to));
    if (peer.gone) throw peer.gone;
    await new Promise<void>((done, reject) => {
      const failed = (error: Error): void => reject(peer.gone ?? new PeerLostError(to, error.message));
      const { length } = bytes;
      if (length <= EAGER && length <= peer.credit) {
        peer.credit -= length;
        connection.write({ kind: KIND.message, length, tag, number: 0 }, bytes, (error) =>
          error ? failed(error) : done(),
        );
        return;
      }
      const number = peer.offers++;
      peer.offered.set(number, { bytes, done, failed });
      const size = new Uint8Array(new Float64Array([length]).buffer);
      connection.write({ kind: KIND.offer, length: 8, tag, number }, size);
    });
  }

  receive(from: number, tag: number, into: Uint8Array): Promise<void> {
    const peer = this.peers[from];
    return new Promise((done, failed) => {
      const waiting: Waiting = { into, done, failed };
      const lane = peer.lane(tag);
      const first = lane.arrived.shift();
      if (first) this.match(peer, from, first, waiting);
      else if (peer.gone) failed(peer.gone);
      else lane.waiting.push(waiting);
      peer.tidy(tag, lane);
    });
  }

  async close(): Promise<void> {
    this.closing = true;
    this.store.json(KIND.control, { bye: true });
    await Promise.all(
      this.peers.map(async (peer) => {
        if (peer.open && !peer.gone) {
          peer.open.write({ kind: KIND.bye, length: 0, tag: 0, number: 0 });
          await peer.open.finish();
        }
        peer.in?.socket.end();
      }),
    );
    await this.store.finish();
    await new Promise<void>((resolve) => {
      this.server.close(() => resolve());
      for (const peer of this.peers) peer.in?.socket.destroy();
    });
  }

  private connected(to: number): Promise<Connection> {
    const peer = this.peers[to];
    if (peer.gone) return Promise.reject(peer.gone);
    peer.out ??= (async () => {
      const { host, port } = this.table[to];
      try {
        const connection = await dial(host, port, this.config);
        await connection.introduce(
          { to: "member", rank: this.rank, round: this.round },
          this.config.secret ?? "",
        );
        connection.begin(NOTHING, this.config.heartbeat ?? DEFAULT_HEARTBEAT);
        connection.onEnd = (error) => this.lose(to, error.message);
        peer.open = connection;
        return connection;
      } catch (error) {
        this.lose(to, (error as Error).message);
        throw peer.gone;
      }
    })();
    return peer.out;
  }

  /** Someone has dialled: a member, if it can show it. */
  private welcome(connection: Connection): void {
    connection
      .admit(this.config.secret ?? "")
      .then(({ to, rank, round }) => {
        const peer = this.peers[rank as number];
        if (to !== "member" || round !== this.round || !peer || peer.in)
          throw new TransportError("tcp: no member of this job");
        peer.in = connection;
        connection.begin(
          {
            place: (head) => this.place(peer, head),
            taken: (head, payload) => this.taken(peer, rank as number, head, payload),
          },
          this.config.heartbeat ?? DEFAULT_HEARTBEAT,
        );
        connection.onEnd = (error) => this.lose(rank as number, error.message);
      })
      .catch((error: Error) => connection.end(error));
  }

  private place(peer: Peer, head: FrameHead): Uint8Array {
    const { kind, length, tag, number } = head;
    if (kind === KIND.message) {
      const waiting = peer.lane(tag).waiting[0];
      if (waiting && waiting.into.length === length) {
        const lane = peer.lane(tag);
        lane.waiting.shift();
        peer.direct = waiting;
        peer.tidy(tag, lane);
        return waiting.into;
      }
      if (peer.unclaimed + length > CREDIT)
        throw new TransportError("tcp: more bytes than there is room for");
      peer.unclaimed += length;
    } else if (kind === KIND.body) {
      const waiting = peer.accepted.get(number);
      if (!waiting || waiting.into.length !== length)
        throw new TransportError(`tcp: a body of ${length} bytes that nobody has accepted`);
      return waiting.into;
    } else if (kind === KIND.control) throw new TransportError("tcp: a control frame between members");
    return new Uint8Array(length);
  }

  private taken(peer: Peer, from: number, head: FrameHead, payload: Uint8Array): void {
    const { kind, tag, number, length } = head;
    switch (kind) {
      case KIND.message: {
        const { direct } = peer;
        peer.direct = null;
        if (direct) {
          this.claimed(peer, from, length);
          direct.done();
        } else this.arrive(peer, from, tag, { bytes: payload });
        return;
      }
      case KIND.offer: {
        if (length !== 8) throw new TransportError("tcp: an offer without a size");
        const size = new DataView(payload.buffer, payload.byteOffset).getFloat64(0, true);
        this.arrive(peer, from, tag, { offer: number, length: size });
        return;
      }
      case KIND.accept: {
        const offered = peer.offered.get(number);
        if (!offered) throw new TransportError(`tcp: offer ${number}, which is accepted, was never made`);
        peer.offered.delete(number);
        const { bytes, done, failed } = offered;
        peer.open?.write({ kind: KIND.body, length: bytes.length, tag: 0, number }, bytes, (error) =>
          error ? failed(error) : done(),
        );
        return;
      }
      case KIND.body: {
        const waiting = peer.accepted.get(number);
        peer.accepted.delete(number);
        waiting?.done();
        return;
      }
      case KIND.credit:
        peer.credit = Math.min(CREDIT, peer.credit + number);
        return;
      case KIND.bye:
        this.lose(from, "it said goodbye");
    }
  }

  private arrive(peer: Peer, from: number, tag: number, message: Arrived): void {
    const lane = peer.lane(tag);
    const first = lane.waiting.shift();
    if (first) this.match(peer, from, message, first);
    else lane.arrived.push(message);
    peer.tidy(tag, lane);
  }

  private match(peer: Peer, from: number, message: Arrived, waiting: Waiting): void {
    const length = "bytes" in message ? message.bytes.length : message.length;
    const fits = length === waiting.into.length;
    const wrong = (): void =>
      waiting.failed(
        new TransportError(
          `receive: expected ${waiting.into.length} bytes from rank ${from}, it sent ${length}`,
        ),
      );
    if ("bytes" in message) {
      if (from !== this.rank) {
        peer.unclaimed -= length;
        this.claimed(peer, from, length);
      }
      if (!fits) return wrong();
      waiting.into.set(message.bytes);
      return waiting.done();
    }
    // of an offer of another length the body is never asked for: its sender waits until the group breaks
    if (!fits) return wrong();
    peer.accepted.set(message.offer, waiting);
    this.answer(from, { kind: KIND.accept, length: 0, tag: 0, number: message.offer });
  }

  /** Bytes that came without an offer have found who wants them. */
  private claimed(peer: Peer, from: number, bytes: number): void {
    peer.taken += bytes;
    if (peer.taken < CREDIT / 4) return;
    this.answer(from, { kind: KIND.credit, length: 0, tag: 0, number: peer.taken });
    peer.taken = 0;
  }

  private answer(to: number, head: FrameHead): void {
    const { open } = this.peers[to];
    if (open) open.write(head);
    else
      this.connected(to).then(
        (connection) => connection.write(head),
        () => {},
      );
  }

  private lose(rank: number, why: string): void {
    const peer = this.peers[rank];
    if (peer.gone || this.closing || rank === this.rank) return;
    const error = new PeerLostError(rank, why);
    peer.gone = error;
    for (const { waiting } of peer.lanes.values()) for (const { failed } of waiting.splice(0)) failed(error);
    for (const { failed } of peer.offered.values()) failed(error);
    for (const { failed } of peer.accepted.values()) failed(error);
    peer.direct?.failed(error);
    peer.offered.clear();
    peer.accepted.clear();
    if (why !== "it said goodbye") peer.open?.end(error);
  }

  /** Without the store nobody is told of losses: those that are connected notice each other's. */
  private storeLost(_error: Error): void {}
}

/** Connections that were dialled are written to only. */
const NOTHING = {
  place(): Uint8Array {
    throw new TransportError("tcp: an answer on a connection of one direction");
  },
  taken(): void {},
};

interface Members {
  readonly rank: number;
  readonly round: number;
  readonly table: readonly MemberAddress[];
}

function membersOf(
  store: Connection,
  { heartbeat = DEFAULT_HEARTBEAT, joinTimeout }: TcpConfig,
  join: object,
  until: number,
  lost: (rank: number, why: string) => void,
): Promise<Members> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(
      () => reject(new TransportError(`tcp: not all members came within ${joinTimeout} ms`)),
      Math.max(0, until - Date.now()),
    );
    const end = (settle: () => void): void => {
      clearTimeout(timer);
      settle();
    };
    store.onEnd = (error) =>
      end(() => reject(new TransportError(`tcp: the rendezvous store is gone: ${error.message}`)));
    store.begin(
      {
        place({ kind, length }) {
          if (kind !== KIND.control) throw new TransportError(`tcp: a frame of kind ${kind} from the store`);
          return new Uint8Array(length);
        },
        taken(_head, payload) {
          const message = parseJson(payload);
          if (message.members) end(() => resolve(message.members as Members));
          else if (typeof message.lost === "number") lost(message.lost, String(message.why));
          else if (message.refused) end(() => reject(new TransportError(`tcp: ${message.refused}`)));
        },
      },
      heartbeat,
    );
    store.json(KIND.control, { join });
  });
}

/** For the communication thread. */
export const open = (config: TcpConfig): Promise<TcpTransport> => TcpTransport.join(config);
