/**
 * Max–min fair shares: all flows' rates rise together; where a link is full, its flows stop there and the others rise on
 * (water filling: Bertsekas & Gallager, Data Networks, 2nd ed., §6.5.2). What TCP and switches with fair queues tend to.
 */
import { EventQueue } from "./event-queue.js";

/** What one flow wants of the links. */
export interface Demand {
  /** The links that it takes, by number. None: only `cap` holds it back. */
  readonly links: ArrayLike<number>;
  /** What a unit of its rate takes of each link; default 1 each. */
  readonly weights?: ArrayLike<number>;
  /** No faster than that; default no bound. */
  readonly cap?: number;
}

/**
 * The rate of each flow, in the unit of the capacities. Exact up to rounding; O(n log n) in flows × links.
 * @param capacities of each link; all above 0
 * @returns infinity for a flow that neither a link nor a cap bounds
 * @example maxMinRates([10, 4], [{ links: [0] }, { links: [0, 1] }]) // Float64Array [6, 4]
 */
export function maxMinRates(capacities: ArrayLike<number>, demands: readonly Demand[]): Float64Array {
  const rates = new Float64Array(demands.length).fill(Number.POSITIVE_INFINITY);
  const users = new Map<number, number[]>();
  const left = new Map<number, number>();
  const load = new Map<number, number>();
  for (let f = 0; f < demands.length; f++) {
    const { links, weights } = demands[f];
    for (let i = 0; i < links.length; i++) {
      const link = links[i];
      const known = users.get(link);
      if (known) known.push(f);
      else {
        users.set(link, [f]);
        left.set(link, capacities[link]);
        load.set(link, 0);
      }
      load.set(link, load.get(link)! + (weights ? weights[i] : 1));
    }
  }
  // a link is full at level left / load; as its flows are stopped at lower levels, that level only rises
  const full = new EventQueue();
  for (const [link, weight] of load) full.push(left.get(link)! / weight, link);
  const capped = demands
    .map((demand, f) => ({ f, cap: demand.cap ?? Number.POSITIVE_INFINITY }))
    .filter(({ cap }) => cap < Number.POSITIVE_INFINITY)
    .sort((a, b) => a.cap - b.cap);
  let nextCap = 0;
  const stopped = new Uint8Array(demands.length);
  const stop = (f: number, level: number): void => {
    stopped[f] = 1;
    rates[f] = level;
    const { links, weights } = demands[f];
    for (let i = 0; i < links.length; i++) {
      const weight = weights ? weights[i] : 1;
      left.set(links[i], left.get(links[i])! - weight * level);
      load.set(links[i], load.get(links[i])! - weight);
    }
  };
  while (full.size > 0 || nextCap < capped.length) {
    const level = full.nextTime;
    if (nextCap < capped.length && capped[nextCap].cap <= level) {
      const { f, cap } = capped[nextCap++];
      if (!stopped[f]) stop(f, cap);
      continue;
    }
    const link = full.pop()!;
    const waiting = users.get(link)!.filter((f) => !stopped[f]);
    if (waiting.length === 0) continue;
    const now = Math.max(0, left.get(link)!) / load.get(link)!;
    if (now > level) full.push(now, link);
    else for (const f of waiting) stop(f, level);
  }
  return rates;
}
