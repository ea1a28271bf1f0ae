/**
 * Flows over links as a fluid: between two events every flow has a constant, max–min fair rate. No packets, so that a
 * transfer costs two events whatever its size; queues, losses and slow start are left out.
 */
import { ValueError } from "../../../core/errors.js";
import { EventQueue } from "./event-queue.js";
import { type Demand, maxMinRates } from "./max-min.js";

/** Something to be carried: bytes over links, or seconds of work on shared cores. */
export interface Flow extends Demand {
  /** How much; in the unit of the capacities times seconds. */
  readonly amount: number;
  /** Seconds before it takes any of its links: latency, which others don't wait for. Default 0. */
  readonly delay?: number;
}

/** A link's use, constant from `time` to the next entry. */
export interface Use {
  readonly time: number;
  /** In the unit of the capacities. */
  readonly rate: number;
}

interface Active {
  readonly flow: Flow;
  readonly done: () => void;
  remaining: number;
  rate: number;
  /** When `remaining` was right. */
  since: number;
  /** The event that finishes it at the present rate; others are out of date. */
  finish: number;
}

/** Events: a number that is looked up here. */
type Happening = () => void;

/** The clock, the events and the flows of one simulated system. Times in seconds from 0. */
export class Fluid {
  /** Seconds. */
  time = 0;
  /** Events that have happened. */
  events = 0;
  readonly #queue = new EventQueue();
  readonly #happenings = new Map<number, Happening>();
  #nextEvent = 0;
  readonly #flowsOf: Set<Active>[];
  readonly #changed = new Set<number>();
  readonly #uses: Use[][] | undefined;
  readonly #carried: Float64Array;

  /** @param options `record`: keep every link's use over time */
  constructor(
    readonly capacities: readonly number[],
    { record = false }: { readonly record?: boolean } = {},
  ) {
    for (const [i, capacity] of capacities.entries())
      if (!(capacity > 0))
        throw new ValueError(`simulator: link ${i} has capacity ${capacity}; it is above 0`);
    this.#flowsOf = capacities.map(() => new Set());
    this.#uses = record ? capacities.map(() => []) : undefined;
    this.#carried = new Float64Array(capacities.length);
  }

  /** What each link has carried up to now, in the unit of its capacity times seconds. */
  get carried(): Float64Array {
    const carried = this.#carried.slice();
    for (const [link, flows] of this.#flowsOf.entries())
      for (const active of flows)
        carried[link] += weightOn(active.flow, link) * active.rate * (this.time - active.since);
    return carried;
  }

  /** Every link's use over time; empty unless recorded. */
  get uses(): readonly (readonly Use[])[] {
    return this.#uses ?? [];
  }

  /** Does something at a time that has not passed. */
  at(time: number, happening: Happening): void {
    if (!(time >= this.time))
      throw new ValueError(`simulator: it is ${this.time} s, nothing can happen at ${time} s`);
    const event = this.#nextEvent++;
    this.#happenings.set(event, happening);
    this.#queue.push(time, event);
  }

  /** Starts a flow now. @param done called when all of it has arrived */
  start(flow: Flow, done: () => void): void {
    if (!(flow.amount >= 0)) throw new ValueError(`simulator: a flow carries 0 or more, got ${flow.amount}`);
    const delay = flow.delay ?? 0;
    if (flow.amount === 0 || (flow.links.length === 0 && flow.cap === undefined)) {
      this.at(this.time + delay, done);
      return;
    }
    const active: Active = { flow, done, remaining: flow.amount, rate: 0, since: this.time, finish: -1 };
    if (delay > 0) this.at(this.time + delay, () => this.#enter(active));
    else this.#enter(active);
  }

  /** Lets everything happen that happens next at one time. False if nothing is left. */
  step(): boolean {
    this.#settle();
    this.#dropOutdated();
    const time = this.#queue.nextTime;
    if (time === Number.POSITIVE_INFINITY) return false;
    this.time = time;
    while (this.#queue.nextTime === time) {
      const event = this.#queue.pop()!;
      const happening = this.#happenings.get(event)!;
      this.#happenings.delete(event);
      this.events++;
      happening();
      this.#dropOutdated();
    }
    this.#settle();
    return true;
  }

  /** Until nothing is left to happen. */
  run(): void {
    while (this.step());
  }

  /** Finishes at rates that have changed since are no events. */
  #dropOutdated(): void {
    while (this.#queue.size > 0 && !this.#happenings.has(this.#queue.next)) this.#queue.pop();
  }

  #enter(active: Active): void {
    const { flow } = active;
    active.since = this.time;
    if (flow.links.length === 0) {
      this.at(this.time + flow.amount / flow.cap!, active.done);
      return;
    }
    for (let i = 0; i < flow.links.length; i++) {
      this.#flowsOf[flow.links[i]].add(active);
      this.#changed.add(flow.links[i]);
    }
  }

  #leave(active: Active): void {
    this.#advance(active);
    const { links } = active.flow;
    for (let i = 0; i < links.length; i++) {
      this.#flowsOf[links[i]].delete(active);
      this.#changed.add(links[i]);
    }
    active.done();
  }

  #advance(active: Active): void {
    const moved = active.rate * (this.time - active.since);
    active.remaining = Math.max(0, active.remaining - moved);
    active.since = this.time;
    const { links, weights } = active.flow;
    for (let i = 0; i < links.length; i++) this.#carried[links[i]] += (weights ? weights[i] : 1) * moved;
  }

  /** New rates for all flows that share a link, directly or through others, with those that came or went. */
  #settle(): void {
    if (this.#changed.size === 0) return;
    const links = [...this.#changed];
    const seen = new Set(this.#changed);
    this.#changed.clear();
    const flows = new Set<Active>();
    for (let i = 0; i < links.length; i++)
      for (const active of this.#flowsOf[links[i]]) {
        if (flows.has(active)) continue;
        flows.add(active);
        for (let j = 0; j < active.flow.links.length; j++) {
          const link = active.flow.links[j];
          if (!seen.has(link)) {
            seen.add(link);
            links.push(link);
          }
        }
      }
    const all = [...flows];
    const rates = maxMinRates(
      this.capacities,
      all.map(({ flow }) => flow),
    );
    for (const [i, active] of all.entries()) {
      if (active.rate === rates[i]) continue;
      this.#advance(active);
      active.rate = rates[i];
      this.#happenings.delete(active.finish);
      active.finish = this.#nextEvent++;
      this.#happenings.set(active.finish, () => this.#leave(active));
      this.#queue.push(this.time + active.remaining / active.rate, active.finish);
    }
    if (this.#uses) for (const link of links) this.#record(link);
  }

  #record(link: number): void {
    let rate = 0;
    for (const active of this.#flowsOf[link]) rate += weightOn(active.flow, link) * active.rate;
    const uses = this.#uses![link];
    if (uses.length > 0 && uses[uses.length - 1].time === this.time) uses.pop();
    if (rate !== (uses.length > 0 ? uses[uses.length - 1].rate : 0)) uses.push({ time: this.time, rate });
  }
}

function weightOn({ links, weights }: Flow, link: number): number {
  if (!weights) return 1;
  let sum = 0;
  for (let i = 0; i < links.length; i++) if (links[i] === link) sum += weights[i];
  return sum;
}
