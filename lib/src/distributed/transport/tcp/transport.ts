/** Members as processes, on one machine or on several: messages over TCP. See frames.ts for what is on the wire. */

import type { Server } from "node:net";
import { hostname } from "node:os";
import { PeerLostError, TransportError } from "../errors.js";
import type { OpenTransport, Place, Transport } from "../transport.js";
import { type Connection, DEFAULT_HEARTBEAT, dial, listen } from "./connection.js";
import { CREDIT, EAGER, type FrameHead, KIND } from "./frames.js";
import { membersOf, type TcpConfig } from "./members.js";
import { type Arrived, Peer, type Waiting } from "./peer.js";
import { type MemberAddress, RendezvousStore } from "./store.js";

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
    /** If this member holds it. */
    private readonly served: RendezvousStore | null,
  ) {
    this.size = table.length;
    this.places = table.map(({ machine }) => ({ host: machine }));
    this.peers = table.map(() => new Peer());
  }

  static async join(config: TcpConfig): Promise<TcpTransport> {
    const until = Date.now() + config.joinTimeout;
    const { host: storeHost, port, serve, heartbeat, secret, tls } = config;
    const served =
      serve === undefined
        ? null
        : await RendezvousStore.open({ host: storeHost, port, size: serve, heartbeat, secret, tls });
    const store = await dial(storeHost, served?.port ?? port, config, until);
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
        (message) => made?.told(message),
      );
      made = new TcpTransport(members.rank, members.round, members.table, config, store, server, served);
      store.onEnd = (error) => made?.storeLost(error);
      for (const connection of early) made.welcome(connection);
      return made;
    } catch (error) {
      server?.close();
      store.end(error as Error);
      await served?.close();
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
    const dialled = [...this.peers.keys()].filter((rank) => this.peers[rank].out !== null);
    this.store.json(KIND.control, { bye: dialled });
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
    await this.served?.close();
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
        connection.onEnd = (error) => this.cannotSend(to, error.message);
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
        if (tag === 0) done();
        else
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
      if (fits) {
        waiting.into.set(message.bytes);
        waiting.done();
      } else wrong();
      return;
    }
    if (fits) peer.accepted.set(message.offer, waiting);
    else wrong();
    this.answer(from, { kind: KIND.accept, length: 0, tag: fits ? 1 : 0, number: message.offer });
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
    for (const [tag, lane] of peer.lanes) {
      for (const { failed } of lane.waiting.splice(0)) failed(error);
      // what has come can still be taken, what was offered only can't
      lane.arrived.splice(0, lane.arrived.length, ...lane.arrived.filter((message) => "bytes" in message));
      peer.tidy(tag, lane);
    }
    for (const { failed } of peer.offered.values()) failed(error);
    for (const { failed } of peer.accepted.values()) failed(error);
    peer.direct?.failed(error);
    peer.offered.clear();
    peer.accepted.clear();
    if (why !== "it said goodbye") peer.open?.end(error);
  }

  /** The connection to a member has ended. What it has sent may still come on the other one, and its goodbye. */
  private cannotSend(rank: number, why: string): void {
    const peer = this.peers[rank];
    if (!peer.in) {
      this.lose(rank, why);
      return;
    }
    const error = new PeerLostError(rank, why);
    for (const { failed } of peer.offered.values()) failed(error);
    peer.offered.clear();
  }

  /** The store tells of a loss. A goodbye to members that it had dialled comes over those connections, behind its messages. */
  private told({ lost, why, goodbye }: Record<string, unknown>): void {
    const rank = lost as number;
    if (goodbye === undefined) this.lose(rank, String(why));
    else if (Array.isArray(goodbye) && goodbye.includes(this.rank)) this.peers[rank].leaving = true;
    else this.lose(rank, "it said goodbye");
  }

  /** If a member holds the store, it went with it. Else those that are connected notice each other's losses. */
  private storeLost(error: Error): void {
    const { storeRank } = this.config;
    if (storeRank !== null && !this.peers[storeRank]?.leaving) this.lose(storeRank, error.message);
  }
}

/** Connections that were dialled are written to only. */
const NOTHING = {
  place(): Uint8Array {
    throw new TransportError("tcp: an answer on a connection of one direction");
  },
  taken(): void {},
};

/** For the communication thread. */
export const open: OpenTransport<TcpConfig> = (config: TcpConfig): Promise<TcpTransport> =>
  TcpTransport.join(config);
