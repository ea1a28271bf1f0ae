/**
 * Collectives in rounds: what each member sends to whom in each step, without members. Every round waits for the one
 * before, which is exact where all members move in step (the symmetric case) and an upper bound elsewhere; rounds alike
 * are simulated once. So thousands of devices take no longer than one round of each kind.
 */
import { ValueError } from "../../../core/errors.js";
import { demandOf, latencyOf, type Network } from "../cluster/network.js";
import { Fluid } from "../engine/fluid.js";

export interface Transfer {
  readonly from: number;
  readonly to: number;
  readonly bytes: number;
}

export interface Round {
  readonly transfers: readonly Transfer[];
  /** Rounds of the same kind one after the other. */
  readonly repeat: number;
  /** Bytes that each member combines afterwards. */
  readonly combined: number;
}

/** The rounds of an algorithm among `p` members that share `bytes`, members numbered 0 … p−1. */
type Rounds = (p: number, bytes: number) => Round[];

const upTo = (n: number): number[] => Array.from({ length: n }, (_, i) => i);
const ring = (p: number, bytes: number): Transfer[] =>
  upTo(p).map((i) => ({ from: i, to: (i + 1) % p, bytes: bytes / p }));
const log2 = (p: number, what: string): number => {
  if (!Number.isInteger(Math.log2(p)))
    throw new ValueError(`${what}: wants a power of two of members, got ${p}`);
  return Math.log2(p);
};

/** Parts double and distances halve: allGather; the other way round: reduceScatter. */
const doubling = (p: number, bytes: number, combined: boolean): Round[] =>
  upTo(log2(p, "halving-doubling")).map((step) => ({
    transfers: upTo(p).map((i) => ({ from: i, to: i ^ (1 << step), bytes: (bytes / p) * 2 ** step })),
    repeat: 1,
    combined: combined ? (bytes / p) * 2 ** step : 0,
  }));

/** Binomial: down, distances halve; up, they double again. */
const tree = (p: number, bytes: number, up: boolean): Round[] => {
  const reaches = upTo(Math.ceil(Math.log2(p))).map((step) => 1 << step);
  const rounds = reaches.map((reach): Round => {
    const heads = upTo(p).filter((i) => i % (2 * reach) === 0 && i + reach < p);
    const transfers = heads.map((i) =>
      up ? { from: i + reach, to: i, bytes } : { from: i, to: i + reach, bytes },
    );
    return { transfers, repeat: 1, combined: up ? bytes : 0 };
  });
  return up ? rounds : rounds.reverse();
};

/** By kind and algorithm. `bytes` is what the request's `data` holds. */
const ROUNDS: Readonly<Record<string, Rounds>> = {
  "allReduce ring": (p, bytes) =>
    p === 1
      ? []
      : [
          { transfers: ring(p, bytes), repeat: p - 1, combined: bytes / p },
          { transfers: ring(p, bytes), repeat: p - 1, combined: 0 },
        ],
  "reduceScatter ring": (p, bytes) =>
    p === 1 ? [] : [{ transfers: ring(p, bytes), repeat: p - 1, combined: bytes / p }],
  "allGather ring": (p, bytes) =>
    p === 1 ? [] : [{ transfers: ring(p, bytes), repeat: p - 1, combined: 0 }],
  "allReduce halving-doubling": (p, bytes) => [
    ...doubling(p, bytes, true).reverse(),
    ...doubling(p, bytes, false),
  ],
  "allReduce tree": (p, bytes) => [...tree(p, bytes, true), ...tree(p, bytes, false)],
  "broadcast tree": (p, bytes) => tree(p, bytes, false),
  "reduce tree": (p, bytes) => tree(p, bytes, true),
  /** Shift s: member i to i + s. `bytes` is what a member has for all. */
  "allToAll pairwise": (p, bytes) =>
    upTo(p - 1).map((s) => ({
      transfers: upTo(p).map((i) => ({ from: i, to: (i + s + 1) % p, bytes: bytes / p })),
      repeat: 1,
      combined: 0,
    })),
};

/**
 * The rounds of a collective.
 * @param algorithm "allReduce ring", "allReduce halving-doubling", "allReduce tree", "reduceScatter ring", "allGather ring",
 *   "broadcast tree", "reduce tree", "allToAll pairwise"
 * @throws ValueError for another
 * @example collectiveRounds("allReduce ring", 4, 400).map(({ repeat }) => repeat) // [3, 3]
 */
export function collectiveRounds(algorithm: string, p: number, bytes: number): Round[] {
  const rounds = ROUNDS[algorithm];
  if (!rounds)
    throw new ValueError(
      `collectiveRounds: ${JSON.stringify(algorithm)} is not known; there are ${Object.keys(ROUNDS).join(", ")}`,
    );
  return rounds(p, bytes);
}

/**
 * Seconds that groups need who all do the same collective at once, in step, over the links that they share.
 * @param groups devices of each group, by rank in it; all of one size
 * @param options `combineSecondsPerByte`: default 0
 * @example
 * // 6 × (1e-6 + 1e-3)
 * collectiveSeconds(crossbar(4, { bandwidth: 1e9, latency: 1e-6 }), [[0, 1, 2, 3]], "allReduce ring", 4e6) // 0.006006
 */
export function collectiveSeconds(
  network: Network,
  groups: readonly (readonly number[])[],
  algorithm: string,
  bytes: number,
  { combineSecondsPerByte = 0 }: { readonly combineSecondsPerByte?: number } = {},
): number {
  const size = groups[0]?.length ?? 0;
  if (groups.some((group) => group.length !== size))
    throw new ValueError("collectiveSeconds: the groups have different sizes; one size is wanted");
  const known = new Map<string, number>();
  let seconds = 0;
  for (const { transfers, repeat, combined } of collectiveRounds(algorithm, size, bytes)) {
    const key = transfers.map(({ from, to, bytes: b }) => `${from} ${to} ${b}`).join();
    let once = known.get(key);
    if (once === undefined) {
      once = roundSeconds(
        network,
        groups.flatMap((group) =>
          transfers.map(({ from, to, bytes: b }) => ({ from: group[from], to: group[to], bytes: b })),
        ),
      );
      known.set(key, once);
    }
    seconds += repeat * (once + combined * combineSecondsPerByte);
  }
  return seconds;
}

/**
 * Seconds until the last of these transfers has come, all started at once.
 * @example
 * const network = crossbar(3, { bandwidth: 1e9, latency: 0 });
 * roundSeconds(network, [{ from: 0, to: 2, bytes: 1e9 }, { from: 1, to: 2, bytes: 1e9 }]) // 2
 */
export function roundSeconds(network: Network, transfers: readonly Transfer[]): number {
  const fluid = new Fluid(network.links.map(({ bandwidth }) => bandwidth));
  let last = 0;
  for (const { from, to, bytes } of transfers) {
    const delay = latencyOf(network, network.route(from, to));
    fluid.start({ ...demandOf(network, from, to), amount: bytes, delay }, () => {
      last = fluid.time;
    });
  }
  fluid.run();
  return last;
}
