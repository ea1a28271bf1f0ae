/** What every part of a client's session works with: the graph's node, the client, its limits. */
import { encode } from "cbor2";
import type { GraphClock } from "../graph/clock.js";
import type { HostNode } from "../host.js";
import { findInterface } from "../interfaces/registry.js";
import type { ActionType, MessageType, ServiceType } from "../interfaces/types.js";
import { stringify } from "./json.js";
import { fullName, fullType, isName } from "./names.js";

/** What a client may hold at once; more is refused with a status. */
export interface BridgeLimits {
  /** Clients; further ones are turned away. Default 32. */
  readonly clients: number;
  /** Bytes of one message from a client; a larger one ends its connection. Default 16 MiB. */
  readonly messageSize: number;
  /** Topics advertised, topics subscribed to, services offered, calls and goals under way: of each. Default 256. */
  readonly entities: number;
  /**
   * Bytes that may wait for a slow client before topics' messages to it are dropped; with twice as many its connection
   * ends. Default 16 MiB.
   */
  readonly backlog: number;
}

/** A request that breaks a rule; the client gets its message in a status. */
export class BridgeProblem extends Error {}

export type Request = Readonly<Record<string, unknown>> & { readonly op: string };

export interface Client {
  /** A text, or bytes as a binary message. */
  send(message: string | Uint8Array): void;
  /** Bytes that wait to be sent. */
  readonly backlog: number;
}

export type StatusLevel = "error" | "warning" | "info" | "none";
const LEVELS: readonly StatusLevel[] = ["none", "error", "warning", "info"];

export class Session {
  /** Statuses up to this one are sent. */
  level: StatusLevel = "error";
  /** Set once the client is gone. */
  closed = false;

  constructor(
    readonly node: HostNode,
    readonly client: Client,
    readonly limits: BridgeLimits,
    readonly timer: GraphClock,
    /** Seconds that a service of the graph has to answer. */
    readonly serviceTimeout: number,
  ) {}

  send(message: object): void {
    if (!this.closed) this.client.send(stringify(message));
  }

  /** As CBOR: arrays of numbers stay what they are, with the tags of RFC 8746. */
  sendCbor(message: object): void {
    if (!this.closed) this.client.send(encode(message, { collapseBigInts: true }));
  }

  status(level: Exclude<StatusLevel, "none">, msg: string, id?: unknown): void {
    if (LEVELS.indexOf(level) > LEVELS.indexOf(this.level)) return;
    this.send({ op: "status", level, msg, ...(typeof id === "string" && { id }) });
  }

  room(held: ReadonlyMap<unknown, unknown>, what: string): void {
    if (held.size >= this.limits.entities)
      throw new BridgeProblem(`more than ${this.limits.entities} ${what} of one client`);
  }

  /** The time now, as a message's stamp. */
  readonly now = (): { sec: number; nanosec: number } => {
    const ms = this.timer.time();
    const sec = Math.floor(ms / 1000);
    return { sec, nanosec: Math.floor((ms - sec * 1000) * 1e6) };
  };
}

/** A field of a request. @throws {BridgeProblem} if it is not of that type */
export function field(
  request: Request,
  name: string,
  type: "string" | "number",
): string | number | undefined {
  const value = request[name];
  if (value === undefined || value === null) return undefined;
  if (typeof value !== type || (type === "number" && !Number.isFinite(value)))
    throw new BridgeProblem(`${request.op}: ${name} must be a ${type}`);
  return value as string | number;
}

/** A name of ROS in a request's field. @throws {BridgeProblem} if it is missing or none */
export function rosName(request: Request, key: string): string {
  const given = field(request, key, "string");
  if (given === undefined) throw new BridgeProblem(`${request.op}: ${key} is missing`);
  const name = fullName(given as string);
  if (!isName(name)) throw new BridgeProblem(`${request.op}: "${name.slice(0, 80)}" is no name of ROS`);
  return name;
}

interface Kinds {
  msg: MessageType;
  srv: ServiceType;
  action: ActionType;
}

/** An interface by the name in a request, or that the graph tells. @throws {BridgeProblem} if there is none */
export function interfaceOf<Kind extends keyof Kinds>(
  request: Request,
  kind: Kind,
  name: unknown,
  otherwise: () => string | undefined,
): Kinds[Kind] {
  const type = typeof name === "string" && name !== "" ? fullType(name, kind) : otherwise();
  if (type === undefined) throw new BridgeProblem(`${request.op}: the type is neither given nor known`);
  const found = findInterface(type);
  if (found?.kind === kind) return found as unknown as Kinds[Kind];
  throw new BridgeProblem(
    `${request.op}: the type ${type.slice(0, 120)} is not known here; ros.define${DEFINE[kind]} defines it`,
  );
}

const DEFINE = { msg: "Message", srv: "Service", action: "Action" } as const;
