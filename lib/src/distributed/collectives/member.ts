/** From a transport to a member's view of a group during one operation. */
import type { Transport } from "../transport/transport.js";
import type { Member } from "./collective.js";
import { type Combine, combine as combineAnywhere } from "./combine/combine.js";
import { type CostModel, modelOf } from "./cost.js";
import type { Step } from "./schedule.js";

/** Bytes of a message that travel and are combined at a time: small enough for the cache, large enough for the wire. */
const SEGMENT = 256 * 1024;

export interface MemberOptions {
  /** What combines here: `combinerOver` the memory in which results lie. Default: one for buffers anywhere. */
  readonly combine?: Combine;
  /** Default: that of the transport's name. The same on all members. */
  readonly model?: CostModel;
  /** Collectives of the transport's own, for a group that may use them. */
  readonly native?: Member["native"];
  /** Hears of each step when it is done; times since 1970, so that members' can be put together. */
  readonly trace?: (step: Step) => void;
}

/**
 * The transport's own member as one of `ranks`, under a tag of the operation's own.
 * @param ranks the group's members by their numbers in the transport; default: all
 * @example
 * const [first, , third] = distributed.inProcess(3);
 * const pair = [first, third].map((transport) => distributed.memberOf(transport, 0, [0, 2]));
 * const values = [Float32Array.of(1, 2), Float32Array.of(10, 20)];
 * await Promise.all(pair.map((member, i) =>
 *   distributed.runCollective("allReduce", member, { data: new Uint8Array(values[i].buffer), dtype: "float32", op: "sum" })));
 * [...values[0]] // [11, 22]
 */
export function memberOf(
  transport: Transport,
  tag: number,
  ranks?: readonly number[],
  { combine = combineAnywhere, model = modelOf(transport.name), native, trace }: MemberOptions = {},
): Member {
  const of = ranks ?? Array.from({ length: transport.size }, (_, i) => i);
  const straight = transport.receiveCombined?.bind(transport);
  const member: Member = {
    rank: of.indexOf(transport.rank),
    size: of.length,
    places: of.map((rank) => transport.places[rank]),
    model,
    native,
    combine,
    async send(to, bytes) {
      if (straight) return transport.send(of[to], tag, bytes);
      // in pieces, so that the receiver combines one while the next is on its way
      await Promise.all(segmentsOf(bytes).map((segment) => transport.send(of[to], tag, segment)));
    },
    async receive(from, into) {
      if (straight) return transport.receive(of[from], tag, into);
      await Promise.all(segmentsOf(into).map((segment) => transport.receive(of[from], tag, segment)));
    },
    async receiveCombined(from, into, dtype, op, own = into) {
      if (straight) return straight(of[from], tag, into, dtype, op, own);
      const segments = segmentsOf(into);
      const owns = segmentsOf(own);
      const width = Math.min(SEGMENT, into.length);
      const scratch = [new Uint8Array(width), new Uint8Array(segments.length > 1 ? width : 0)];
      const next = (i: number): Promise<void> =>
        transport.receive(of[from], tag, scratch[i % 2].subarray(0, segments[i].length));
      let arriving = next(0);
      for (let i = 0; i < segments.length; i++) {
        await arriving;
        if (i + 1 < segments.length) arriving = next(i + 1);
        combine(segments[i], scratch[i % 2].subarray(0, segments[i].length), dtype, op, owns[i]);
      }
    },
  };
  return trace ? traced(member, trace) : member;
}

/** The same member; `trace` hears of each thing that it has done. */
function traced(member: Member, trace: (step: Step) => void): Member {
  const { rank } = member;
  const clock = (): number => (performance.timeOrigin + performance.now()) / 1000;
  const timed = async (
    what: Step["what"],
    peer: number,
    bytes: number,
    work: Promise<void>,
  ): Promise<void> => {
    const start = clock();
    await work;
    trace({ what, rank, peer, bytes, start, end: clock() });
  };
  return {
    ...member,
    send: (to, bytes) => timed("send", to, bytes.length, member.send(to, bytes)),
    receive: (from, into) => timed("receive", from, into.length, member.receive(from, into)),
    receiveCombined: (from, into, dtype, op, own) =>
      timed("receive", from, into.length, member.receiveCombined(from, into, dtype, op, own)),
    combine(into, message, dtype, op) {
      const start = clock();
      member.combine(into, message, dtype, op);
      trace({ what: "combine", rank, peer: rank, bytes: into.length, start, end: clock() });
    },
  };
}

/**
 * A member's view of some members of its group, of whom it is one.
 * @param ranks their numbers in the group
 * @example distributed.among(distributed.memberOf(distributed.inProcess(4)[2], 0), [0, 2]).rank // 1
 */
export function among(member: Member, ranks: readonly number[]): Member {
  return {
    rank: ranks.indexOf(member.rank),
    size: ranks.length,
    places: ranks.map((rank) => member.places[rank]),
    model: member.model,
    combine: member.combine,
    send: (to, bytes) => member.send(ranks[to], bytes),
    receive: (from, into) => member.receive(ranks[from], into),
    receiveCombined: (from, into, dtype, op, own) =>
      member.receiveCombined(ranks[from], into, dtype, op, own),
  };
}

/** At least one, so that an empty message is sent too. The width of a segment is one of whole elements. */
function segmentsOf(bytes: Uint8Array): Uint8Array[] {
  const count = Math.max(1, Math.ceil(bytes.length / SEGMENT));
  return Array.from({ length: count }, (_, i) =>
    bytes.subarray(i * SEGMENT, Math.min(bytes.length, (i + 1) * SEGMENT)),
  );
}
