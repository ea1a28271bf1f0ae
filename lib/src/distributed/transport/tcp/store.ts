/**
 * The rendezvous store: where members of a job find each other. Each tells where it listens; when all are there, each is
 * told its rank and everybody's address. Members stay connected to it, so that the loss of one is known to all. When
 * members come after that, a new round begins, for a job that goes on after a loss.
 *
 * Control frames, member → store: `{ join: { rank, host, port, machine } }`, `{ bye: ranks }` (those that it has dialled);
 * store → member: `{ members: { rank, round, table } }`, `{ lost: rank, why, goodbye? }`, `{ refused: why }`.
 */
import type { Server } from "node:net";
import { MlsysError } from "../../../core/errors.js";
import { type Connection, DEFAULT_HEARTBEAT, type Heartbeat, listen, type Security } from "./connection.js";
import { KIND, parseJson } from "./frames.js";

/** Where a member listens. */
export interface MemberAddress {
  readonly host: string;
  readonly port: number;
  /** Name of its machine. */
  readonly machine: string;
}

export interface StoreOptions extends Security {
  /** Address to listen on. Default "127.0.0.1". */
  readonly host?: string;
  /** Default: any that is free. */
  readonly port?: number;
  /** Members of a round. */
  readonly size: number;
  /** A round may begin with so many, once nobody has come for `patience` milliseconds. Default: `size`. */
  readonly min?: number;
  /** Default 5000. */
  readonly patience?: number;
  readonly heartbeat?: Heartbeat;
}

interface Joined {
  readonly connection: Connection;
  readonly wanted: number | null;
  readonly address: MemberAddress;
  rank: number;
  round: Round | null;
  /** It has said goodbye, and the others know. */
  hasLeft: boolean;
}

interface Round {
  readonly number: number;
  readonly members: readonly Joined[];
}

export class RendezvousStore {
  private waiting: Joined[] = [];
  private rounds = 0;
  private server: Server | null = null;
  private readonly connections = new Set<Connection>();
  private timer: NodeJS.Timeout | undefined;
  port = 0;
  readonly host: string;
  private target: number;

  private constructor(private readonly options: StoreOptions) {
    this.host = options.host ?? "127.0.0.1";
    this.target = options.size;
  }

  static async open(options: StoreOptions): Promise<RendezvousStore> {
    const store = new RendezvousStore(options);
    const { server, port } = await listen(store.host, options.port ?? 0, options, (connection) => {
      store.connections.add(connection);
      connection.onEnd = () => store.connections.delete(connection);
      store.admit(connection).catch((error: Error) => connection.end(error));
    });
    store.server = server;
    store.port = port;
    return store;
  }

  /** Where members find it. */
  get url(): string {
    return `tcp://${this.host.includes(":") ? `[${this.host}]` : this.host}:${this.port}`;
  }

  /** Members of the next rounds. */
  expect(size: number): void {
    this.target = size;
    this.maybeBegin();
  }

  async close(): Promise<void> {
    clearTimeout(this.timer);
    await Promise.all([...this.connections].map((connection) => connection.finish()));
    await new Promise<void>((resolve) => {
      if (this.server) this.server.close(() => resolve());
      else resolve();
    });
  }

  private async admit(connection: Connection): Promise<void> {
    const claims = await connection.admit(this.options.secret ?? "");
    if (claims.to !== "store") throw new MlsysError("this is the rendezvous store");
    let member: Joined | null = null;
    connection.begin(
      {
        place: ({ kind, length }) => {
          if (kind !== KIND.control) throw new MlsysError(`a frame of kind ${kind} at the store`);
          return new Uint8Array(length);
        },
        taken: (_head, payload) => {
          const message = parseJson(payload);
          if (message.join && !member) {
            member = joinedOf(message.join as Record<string, unknown>, connection);
            this.join(member);
          } else if (Array.isArray(message.bye) && member) this.leaves(member, message.bye);
        },
      },
      this.options.heartbeat ?? DEFAULT_HEARTBEAT,
    );
    connection.onEnd = (error) => {
      this.connections.delete(connection);
      if (member) this.gone(member, error);
    };
  }

  private join(member: Joined): void {
    const { wanted } = member;
    const { size } = this.options;
    const taken = wanted !== null && this.waiting.some((other) => other.wanted === wanted);
    if (taken || (wanted !== null && (wanted < 0 || wanted >= size))) {
      const why = taken ? `rank ${wanted} is there already` : `rank ${wanted} in a job of ${size}`;
      member.connection.json(KIND.control, { refused: why });
      return;
    }
    this.waiting.push(member);
    this.maybeBegin();
  }

  private maybeBegin(): void {
    clearTimeout(this.timer);
    const { min = this.target, patience = 5000 } = this.options;
    if (this.waiting.length >= this.target) this.begin();
    else if (this.waiting.length >= min) this.timer = setTimeout(() => this.begin(), patience);
  }

  private begin(): void {
    clearTimeout(this.timer);
    const members = this.waiting.splice(0, this.options.size);
    const free = members.map((_, rank) => rank).filter((rank) => !members.some((m) => m.wanted === rank));
    for (const member of members)
      member.rank =
        member.wanted !== null && member.wanted < members.length ? member.wanted : (free.shift() ?? 0);
    members.sort((a, b) => a.rank - b.rank);
    const round: Round = { number: this.rounds++, members };
    const table = members.map(({ address }) => address);
    for (const member of members) {
      member.round = round;
      member.connection.json(KIND.control, { members: { rank: member.rank, round: round.number, table } });
    }
  }

  /** The others are told at once: if the member holds this store, its end comes next. @param dialled whom it told itself */
  private leaves(member: Joined, dialled: readonly unknown[]): void {
    member.hasLeft = true;
    this.tellOf(member, "it said goodbye", dialled);
  }

  private gone(member: Joined, error: Error): void {
    this.waiting = this.waiting.filter((other) => other !== member);
    if (!member.hasLeft) this.tellOf(member, error.message);
  }

  private tellOf(member: Joined, why: string, goodbye?: readonly unknown[]): void {
    for (const other of member.round?.members ?? [])
      if (other !== member) other.connection.json(KIND.control, { lost: member.rank, why, goodbye });
  }
}

function joinedOf(join: Record<string, unknown>, connection: Connection): Joined {
  const { rank, host, port, machine } = join;
  const wanted = typeof rank === "number" && Number.isInteger(rank) ? rank : null;
  if (typeof host !== "string" || typeof port !== "number" || typeof machine !== "string")
    throw new MlsysError("a member must say where it listens");
  return { connection, wanted, address: { host, port, machine }, rank: -1, round: null, hasLeft: false };
}
