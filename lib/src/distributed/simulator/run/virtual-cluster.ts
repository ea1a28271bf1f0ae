/**
 * A transport whose time is simulated: the library's own collectives and programs of asynchronous functions run on it
 * unchanged, one member per simulated device, and take as long as the network and the devices say.
 */
import type { DType } from "../../../core/dtype.js";
import { ValueError } from "../../../core/errors.js";
import type { Span } from "../../../viz/timeline.js";
import type { Member } from "../../collectives/collective.js";
import { combine } from "../../collectives/combine/combine.js";
import type { CostModel } from "../../collectives/cost.js";
import { memberOf } from "../../collectives/member.js";
import { TransportError } from "../../transport/errors.js";
import type { CombineOp } from "../../transport/reduce-op.js";
import type { Transport } from "../../transport/transport.js";
import { demandOf, latencyOf, type Network } from "../cluster/network.js";
import { Fluid, type Use } from "../engine/fluid.js";
import type { Demand } from "../engine/max-min.js";

export interface VirtualOptions {
  /**
   * "real": messages carry their bytes, results are right. "phantom": only their lengths count, and all members may share
   * one buffer, so that thousands of them can reduce gigabytes. Default "real".
   */
  readonly payload?: "real" | "phantom";
  /** Seconds that a member needs to combine a byte, after it has come. Default 0. */
  readonly combineSecondsPerByte?: number;
  /** Messages of at least so many bytes start when both sides are there (rendezvous); default: none do. */
  readonly rendezvousFrom?: number;
  /** What a second of a member's work takes; default: a device of its own. */
  readonly work?: (rank: number) => Demand;
  /** By what algorithms are chosen where none is named; default that of sockets. */
  readonly model?: CostModel;
  /** Keep spans and every link's use. Default false. */
  readonly record?: boolean;
}

/** A member of a simulated job: what a program is given. */
export interface VirtualRank {
  readonly rank: number;
  readonly size: number;
  readonly transport: Transport;
  /** Seconds since the start. */
  now(): number;
  /** Works for so many seconds, if nothing else shares its device. */
  compute(seconds: number, name?: string): Promise<void>;
  /** This member in a group, under a tag of the operation's own, for `runCollective`. */
  member(tag: number, ranks?: readonly number[]): Member;
}

export interface VirtualRun<T> {
  readonly results: T[];
  /** When the last member was finished. */
  readonly seconds: number;
  /** When each was finished. */
  readonly finished: readonly number[];
  readonly spans: readonly Span[];
  /** Bytes by link. */
  readonly carried: Float64Array;
  readonly uses: readonly (readonly Use[])[];
  readonly messages: number;
  readonly events: number;
}

interface Message {
  readonly bytes: Uint8Array;
  readonly sent: number;
  readonly gone: () => void;
  started: boolean;
  arrived: boolean;
}

/** Messages of a pair under a tag, in order: those on their way or there, and those waited for. */
interface Lane {
  readonly from: number;
  readonly to: number;
  readonly tag: number;
  readonly messages: Message[];
  readonly receivers: { take(bytes: Uint8Array): void; readonly since: number }[];
  /** A message of it is on the wire. */
  busy: boolean;
}

/**
 * Runs a program on every device of a network at once, in virtual time. Programs may wait for what they are given only
 * (transport, compute): a wait for anything else, as a file or a timer, is taken for the end.
 * @throws ValueError if members wait for messages that nobody sends; whatever a program throws
 * @example
 * // a microsecond on the way, one to transfer
 * const { seconds } = await simulatePrograms(crossbar(2, { bandwidth: 1e9, latency: 1e-6 }), ({ rank, transport }) =>
 *   rank === 0 ? transport.send(1, 0, new Uint8Array(1000)) : transport.receive(0, 0, new Uint8Array(1000)));
 * seconds * 1e6 // 2
 */
export async function simulatePrograms<T>(
  network: Network,
  program: (rank: VirtualRank) => Promise<T>,
  options: VirtualOptions = {},
): Promise<VirtualRun<T>> {
  const cluster = new VirtualCluster(network, options);
  const finished: number[] = [];
  const left = new Set<number>();
  let failure: { readonly error: unknown } | undefined;
  const running = Array.from({ length: network.devices }, async (_, rank) => {
    left.add(rank);
    const result = await program(cluster.rank(rank));
    finished[rank] = cluster.fluid.time;
    left.delete(rank);
    return result;
  });
  for (const one of running)
    one.catch((error: unknown) => {
      failure ??= { error };
    });
  for (;;) {
    await idle();
    if (failure) throw failure.error;
    if (left.size === 0) break;
    if (!cluster.fluid.step())
      throw new ValueError(
        `simulatePrograms: members wait for ever: ${cluster.waiting() || "not for messages"}`,
      );
  }
  const results = await Promise.all(running);
  return {
    ...{
      results,
      finished,
      seconds: Math.max(...finished),
      spans: cluster.spans,
      messages: cluster.messages,
    },
    ...{ carried: cluster.fluid.carried, uses: cluster.fluid.uses, events: cluster.fluid.events },
  };
}

/** Until all that can go on without the clock has gone on: promises are served before the next immediate. */
const idle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

class VirtualCluster {
  readonly fluid: Fluid;
  readonly spans: Span[] = [];
  messages = 0;
  readonly #lanes = new Map<string, Lane>();

  constructor(
    readonly network: Network,
    readonly options: VirtualOptions,
  ) {
    this.fluid = new Fluid(
      network.links.map(({ bandwidth }) => bandwidth),
      { record: options.record },
    );
  }

  rank(rank: number): VirtualRank {
    const transport = this.#transport(rank);
    const phantom = this.options.payload === "phantom";
    return {
      ...{ rank, size: this.network.devices, transport },
      now: () => this.fluid.time,
      compute: (seconds, name = "compute") => this.#work(rank, seconds, name),
      member: (tag, ranks) => {
        const member = memberOf(transport, tag, ranks, { model: this.options.model });
        return phantom ? { ...member, combine: () => {} } : member;
      },
    };
  }

  /** Who waits for whom, for an error. */
  waiting(): string {
    const all = [...this.#lanes.values()].flatMap(({ from, to, tag, receivers, messages }) => [
      ...receivers.map(() => `${to} for a message of ${from} (tag ${tag})`),
      ...messages.filter(({ arrived }) => !arrived).map(() => `${from} for ${to} to receive (tag ${tag})`),
    ]);
    return all.slice(0, 5).join(", ") + (all.length > 5 ? ` and ${all.length - 5} more` : "");
  }

  #work(rank: number, seconds: number, name: string): Promise<void> {
    if (!(seconds >= 0)) throw new ValueError(`compute: seconds are 0 or more, got ${seconds}`);
    const start = this.fluid.time;
    return new Promise((resolve) => {
      const done = (): void => {
        this.#span(`device ${rank}`, name, start);
        resolve();
      };
      const demand = this.options.work?.(rank);
      if (demand) this.fluid.start({ ...demand, amount: seconds }, done);
      else this.fluid.at(start + seconds, done);
    });
  }

  #span(lane: string, name: string, start: number): void {
    if (this.options.record && this.fluid.time > start)
      this.spans.push({ lane, name, start: start * 1e3, end: this.fluid.time * 1e3 });
  }

  #lane(from: number, to: number, tag: number): Lane {
    const key = `${from} ${to} ${tag}`;
    const known = this.#lanes.get(key);
    if (known) return known;
    const lane: Lane = { ...{ from, to, tag }, messages: [], receivers: [], busy: false };
    this.#lanes.set(key, lane);
    return lane;
  }

  /** Puts the next message on the wire, if it may. Those of a lane go one after the other, as over a connection. */
  #advance(lane: Lane): void {
    const next = lane.messages.find(({ started }) => !started);
    if (!next || lane.busy) return;
    const ahead = lane.messages.indexOf(next);
    if (next.bytes.length >= (this.options.rendezvousFrom ?? Number.POSITIVE_INFINITY))
      if (lane.receivers.length <= ahead) return;
    const begin = Math.max(next.sent, lane.receivers[ahead]?.since ?? 0);
    next.started = true;
    lane.busy = true;
    const delay = Math.max(
      0,
      begin + latencyOf(this.network, this.network.route(lane.from, lane.to)) - this.fluid.time,
    );
    const start = this.fluid.time;
    this.fluid.start(
      { ...demandOf(this.network, lane.from, lane.to), amount: next.bytes.length, delay },
      () => {
        lane.busy = false;
        next.arrived = true;
        this.#span(`device ${lane.from} sends`, `to ${lane.to}`, start);
        this.#deliver(lane);
        this.#advance(lane);
      },
    );
  }

  #deliver(lane: Lane): void {
    while (lane.messages[0]?.arrived && lane.receivers.length > 0) {
      const { bytes, gone } = lane.messages.shift()!;
      lane.receivers.shift()!.take(bytes);
      gone();
    }
    // what has come and is not asked for yet lies in the receiver's buffer: the sender may go on
    if (this.options.rendezvousFrom !== undefined) return;
    for (const [i, message] of lane.messages.entries())
      if (message.arrived) {
        message.gone();
        if (this.options.payload !== "phantom" && message.bytes.length > 0)
          lane.messages[i] = { ...message, bytes: message.bytes.slice(), gone: () => {} };
      }
  }

  /** @param use what to do with the bytes, at once: the sender may change them as soon as they have been taken */
  #receive(
    to: number,
    from: number,
    tag: number,
    length: number,
    use: (bytes: Uint8Array) => void,
  ): Promise<void> {
    return new Promise((resolve, reject) => {
      const lane = this.#lane(from, to, tag);
      const take = (bytes: Uint8Array): void => {
        if (bytes.length !== length) {
          reject(
            new TransportError(
              `receive: expected ${length} bytes from rank ${from}, it sent ${bytes.length}`,
            ),
          );
          return;
        }
        if (this.options.payload !== "phantom") use(bytes);
        resolve();
      };
      lane.receivers.push({ since: this.fluid.time, take });
      this.#deliver(lane);
      this.#advance(lane);
    });
  }

  #transport(rank: number): Transport {
    const { network, options } = this;
    return {
      ...{ name: "simulated", rank, size: network.devices },
      places: network.hosts.map((host) => ({ host })),
      send: (to, tag, bytes) =>
        new Promise((resolve) => {
          this.messages++;
          const lane = this.#lane(rank, to, tag);
          lane.messages.push({ bytes, sent: this.fluid.time, gone: resolve, started: false, arrived: false });
          this.#advance(lane);
        }),
      receive: (from, tag, into) => this.#receive(rank, from, tag, into.length, (bytes) => into.set(bytes)),
      receiveCombined: async (
        from: number,
        tag: number,
        into: Uint8Array,
        dtype: DType,
        op: CombineOp,
        own: Uint8Array = into,
      ) => {
        await this.#receive(rank, from, tag, into.length, (bytes) => combine(into, bytes, dtype, op, own));
        const perByte = options.combineSecondsPerByte ?? 0;
        if (perByte > 0) await this.#work(rank, perByte * into.length, "combine");
      },
      close: async () => {},
    };
  }
}
