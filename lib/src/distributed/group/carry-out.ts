/** What each order means: bytes of the heap that go through an algorithm, or from one member to another. */
import { allocate, giveUp, memory, release } from "../../runtime/heap.js";
import { calibrate, LONG } from "../collectives/calibrate.js";
import type { Member, Requests } from "../collectives/collective.js";
import { partsOf, total } from "../collectives/parts.js";
import { runCollective } from "../collectives/registry.js";
import { TransportError } from "../transport/errors.js";
import type { Transport } from "../transport/transport.js";
import type { OperationOrder } from "./operations.js";
import type { Region } from "./protocol.js";

let view = new Uint8Array(memory.buffer);

/** The bytes of a region. */
function bytesOf({ at, bytes }: Region): Uint8Array {
  if (at + bytes > view.length) {
    memory.grow(0); // this thread may not have heard yet how far it has grown
    view = new Uint8Array(memory.buffer);
  }
  return view.subarray(at, at + bytes);
}

/** What `collect` has made: a block, and how many bytes of it are whose. */
export interface Collected {
  readonly at: number;
  readonly counts: readonly number[];
}

/** @returns what the caller has to be told besides that it is done */
export async function carryOut(
  member: Member,
  transport: Transport,
  ranks: readonly number[],
  tag: number,
  order: OperationOrder,
): Promise<unknown> {
  switch (order.do) {
    case "collective": {
      for (const [from, to] of order.before) bytesOf(to).set(bytesOf(from));
      const request: Record<string, unknown> = { ...order.request };
      for (const name of BUFFERS) if (request[name]) request[name] = bytesOf(request[name] as Region);
      await runCollective(
        order.kind,
        member,
        request as unknown as Requests[typeof order.kind],
        order.algorithm,
      );
      for (const [from, to] of order.after) bytesOf(to).set(bytesOf(from));
      return undefined;
    }
    case "collect": {
      const own = bytesOf(order.own);
      const counts = await countsOf(member, own.length);
      if (order.root !== null && order.root !== member.rank) {
        await runCollective("gather", member, { own, data: null, counts, root: order.root }, order.algorithm);
        return undefined;
      }
      const size = total(counts);
      const at = allocate(size);
      giveUp(size); // it will live on the other thread
      const data = bytesOf({ at, bytes: size });
      if (order.root === null) await gatherAll(member, own, data, counts, order.algorithm);
      else await runCollective("gather", member, { own, data, counts, root: order.root }, order.algorithm);
      return { at, counts } satisfies Collected;
    }
    case "objects": {
      const counts = await countsOf(member, order.bytes.length);
      const data = new Uint8Array(total(counts));
      await gatherAll(member, order.bytes, data, counts, undefined);
      return partsOf(data, counts).map((part) => part.slice());
    }
    case "calibrate": {
      const at = allocate(LONG);
      try {
        return await calibrate(member, bytesOf({ at, bytes: LONG }));
      } finally {
        release(at, LONG);
      }
    }
    case "object": {
      const length = new Float64Array([order.bytes?.length ?? 0]);
      await runCollective("broadcast", member, { data: new Uint8Array(length.buffer), root: order.root });
      const data = order.bytes ?? new Uint8Array(length[0]);
      await runCollective("broadcast", member, { data, root: order.root });
      return data;
    }
    case "send": {
      const head = new Uint8Array(HEADER);
      new TextEncoder().encodeInto(typeOf(order.what), head);
      const to = ranks[order.to];
      await Promise.all([transport.send(to, tag, head), transport.send(to, tag, bytesOf(order.data))]);
      return undefined;
    }
    case "receive":
      return receive(transport, ranks[order.from], tag, order);
  }
}

const BUFFERS = ["data", "own", "from", "into"] as const;

/** Bytes before a message between two members: of what type it is. */
const HEADER = 128;

/** Of "send float32(2, 3)": what is sent. */
const typeOf = (what: string): string => what.slice(what.indexOf(" ") + 1);

async function receive(
  transport: Transport,
  from: number,
  tag: number,
  { data, what, from: member }: Extract<OperationOrder, { do: "receive" }>,
): Promise<undefined> {
  // both are waited for from the start, as another receive may follow under the same tag
  const head = new Uint8Array(HEADER);
  const [heading, body] = await Promise.allSettled([
    transport.receive(from, tag, head),
    transport.receive(from, tag, bytesOf(data)),
  ]);
  if (heading.status === "rejected") throw heading.reason;
  const end = head.indexOf(0);
  const sent = new TextDecoder().decode(head.subarray(0, end < 0 ? HEADER : end));
  const wanted = new TextDecoder().decode(new TextEncoder().encode(typeOf(what)).subarray(0, HEADER));
  if (sent !== wanted) throw new TransportError(`${what}: rank ${member} sends ${sent}`);
  if (body.status === "rejected") throw body.reason;
  return undefined;
}

/** How many bytes each member has. */
async function countsOf(member: Member, own: number): Promise<number[]> {
  const counts = new Float64Array(member.size);
  counts[member.rank] = own;
  const data = new Uint8Array(counts.buffer);
  await runCollective("allGather", member, { data, counts: Array.from(counts, () => 8) });
  return [...counts];
}

async function gatherAll(
  member: Member,
  own: Uint8Array,
  data: Uint8Array,
  counts: readonly number[],
  algorithm: string | undefined,
): Promise<void> {
  partsOf(data, counts)[member.rank].set(own);
  await runCollective("allGather", member, { data, counts }, algorithm);
}
