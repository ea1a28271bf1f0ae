/**
 * Algorithms over links whose time is reckoned, not measured: the code itself runs, with its data, between members of this
 * thread, and a clock says when each message would have arrived. For pictures, for what a cluster would take, and to hold
 * the closed-form costs against what the code does.
 */
import type { DType } from "../../core/dtype.js";
import { MlsysError } from "../../core/errors.js";
import { samePlace } from "../transport/in-process.js";
import type { CombineOp } from "../transport/reduce-op.js";
import type { Place } from "../transport/transport.js";
import type { CollectiveKind, Member, Requests } from "./collective.js";
import { combine } from "./combine/combine.js";
import { type CostModel, modelOf } from "./cost.js";
import { runCollective } from "./registry.js";
import { Schedule, type Step } from "./schedule.js";

export interface SimulationOptions {
  /** Number of members. */
  readonly size: number;
  /** Where they run. Default: all on one host. */
  readonly places?: readonly Place[];
  /** Default: that of sockets. */
  readonly model?: CostModel;
  /** Name of the algorithm. Default: the one that is expected to be fastest. */
  readonly algorithm?: string;
}

/** One side of a message. */
interface Posted {
  readonly bytes: Uint8Array;
  /** When the member can begin with it. */
  readonly ready: number;
  readonly done: () => void;
  readonly failed: (error: Error) => void;
  readonly combining?: { readonly dtype: DType; readonly op: CombineOp; readonly own: Uint8Array };
}

/**
 * Runs a collective on members of this thread.
 * @param requests by rank; they are carried out: results lie where the collective leaves them
 * @throws MlsysError if members wait for each other for ever
 * @example
 * const values = [[2, 4, 6], [1, 2, 3], [4, 8, 12]].map((row) => Float32Array.from(row));
 * const requests = values.map(({ buffer }) => ({ data: new Uint8Array(buffer), dtype: "float32", op: "sum" }) as const);
 * const schedule = await distributed.simulate("allReduce", requests, { size: 3, algorithm: "ring" });
 * [[...values[2]], schedule.steps.length] // [[7, 14, 21], 30]
 */
export async function simulate<K extends CollectiveKind>(
  kind: K,
  requests: readonly Requests[K][],
  { size, places = samePlace(size), model = modelOf("tcp"), algorithm }: SimulationOptions,
): Promise<Schedule> {
  const clock = new Clock(size, places, model);
  let running = size;
  const members = Array.from({ length: size }, (_, rank) => clock.member(rank));
  const all = Promise.all(
    members.map(async (member, rank) => {
      await runCollective(kind, member, requests[rank], algorithm);
      running--;
    }),
  );
  let failed: { readonly error: unknown } | undefined;
  all.catch((error) => {
    failed = { error };
  });
  do await settled();
  while (!failed && clock.advance());
  if (failed) throw failed.error;
  if (running > 0)
    throw new MlsysError(`${kind}: ${running} of ${size} members wait for messages that nobody will send`);
  return new Schedule(clock.steps, size);
}

/** After all that can happen without a message has happened. */
const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

class Clock {
  readonly steps: Step[] = [];
  private now = 0;
  private readonly events: { readonly time: number; readonly happen: () => void }[] = [];
  /** When each member can send, receive and compute again. */
  private readonly sending: number[];
  private readonly receiving: number[];
  private readonly computing: number[];
  private readonly lanes = new Map<string, { sends: Posted[]; receives: Posted[] }>();

  constructor(
    private readonly size: number,
    private readonly places: readonly Place[],
    private readonly model: CostModel,
  ) {
    this.sending = Array<number>(size).fill(0);
    this.receiving = Array<number>(size).fill(0);
    this.computing = Array<number>(size).fill(0);
  }

  /** Goes on to what happens next. @returns false if nothing does */
  advance(): boolean {
    if (this.events.length === 0) return false;
    this.now = Math.min(...this.events.map(({ time }) => time));
    const due = this.events.filter(({ time }) => time === this.now);
    for (const event of due) this.events.splice(this.events.indexOf(event), 1);
    for (const { happen } of due) happen();
    return true;
  }

  member(rank: number): Member {
    const { size, places, model } = this;
    const post = (
      from: number,
      to: number,
      side: "sends" | "receives",
      bytes: Uint8Array,
      combining?: Posted["combining"],
    ) =>
      new Promise<void>((done, failed) => {
        const key = `${from} ${to}`;
        const lane = this.lanes.get(key) ?? { sends: [], receives: [] };
        this.lanes.set(key, lane);
        lane[side].push({ bytes, done, failed, combining, ready: Math.max(this.now, this.computing[rank]) });
        const [send, receive] = [lane.sends[0], lane.receives[0]];
        if (!send || !receive) return;
        lane.sends.shift();
        lane.receives.shift();
        this.move(from, to, send, receive);
      });
    return {
      rank,
      size,
      places,
      model,
      send: (to, bytes) => post(rank, to, "sends", bytes),
      receive: (from, into) => post(from, rank, "receives", into),
      receiveCombined: (from, into, dtype, op, own = into) =>
        post(from, rank, "receives", into, { dtype, op, own }),
      combine: (into, message, dtype, op) => {
        combine(into, message, dtype, op);
        this.compute(rank, this.now, into.length);
      },
    };
  }

  /** A message of which both sides are there. */
  private move(from: number, to: number, send: Posted, receive: Posted): void {
    const { alpha, beta } =
      this.places[from].host === this.places[to].host ? this.model.near : this.model.far;
    const bytes = send.bytes.length;
    const start = Math.max(send.ready, receive.ready, this.sending[from], this.receiving[to]);
    const end = start + alpha + beta * bytes;
    this.sending[from] = end;
    this.receiving[to] = end;
    this.steps.push({ what: "send", rank: from, peer: to, bytes, start, end });
    this.steps.push({ what: "receive", rank: to, peer: from, bytes, start, end });
    this.at(end, () => {
      if (bytes !== receive.bytes.length) {
        const error = `member ${from} sends ${bytes} bytes, member ${to} expects ${receive.bytes.length}`;
        receive.failed(new MlsysError(error));
      } else if (receive.combining) {
        const { dtype, op, own } = receive.combining;
        combine(receive.bytes, send.bytes, dtype, op, own);
        this.at(this.compute(to, end, bytes), receive.done);
      } else {
        receive.bytes.set(send.bytes);
        receive.done();
      }
      send.done();
    });
  }

  private compute(rank: number, from: number, bytes: number): number {
    const start = Math.max(from, this.computing[rank]);
    const end = start + this.model.gamma * bytes;
    this.computing[rank] = end;
    this.steps.push({ what: "combine", rank, peer: rank, bytes, start, end });
    return end;
  }

  private at(time: number, happen: () => void): void {
    this.events.push({ time, happen });
  }
}
