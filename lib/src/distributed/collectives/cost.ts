/**
 * What a collective costs: α seconds for each message and β for each of its bytes, both directions of a link at once
 * (full duplex), and γ for each byte that is combined. And bandwidths as they are told to others.
 * (Book, chapter 9: the cost model and the bandwidth of collective communication.)
 */
import type { Place } from "../transport/transport.js";
import type { Algorithm, CollectiveKind, Cost, Situation } from "./collective.js";
import { byHost } from "./topology.js";

/** A link between two members. */
export interface Link {
  /** Seconds until the first byte of a message arrives. */
  readonly alpha: number;
  /** Seconds for each byte: one over the bandwidth in bytes a second. */
  readonly beta: number;
}

/** What the machines can do. */
export interface CostModel {
  /** Between members on one host. */
  readonly near: Link;
  /** Between hosts. */
  readonly far: Link;
  /** Seconds to combine a byte with another. */
  readonly gamma: number;
  /** True if messages that do not wait for one another share one latency: members read each other's memory. */
  readonly together?: boolean;
}

/**
 * Links of the transports by name, until someone measures: threads in shared memory; sockets of one host and 10 Gb/s
 * between hosts; MPI's shared memory and 100 Gb/s between hosts.
 * @example distributed.MODELS.threads.near.beta < distributed.MODELS.tcp.near.beta // true
 */
export const MODELS: Readonly<Record<string, CostModel>> = {
  threads: {
    near: { alpha: 60e-6, beta: 1 / 25e9 },
    far: { alpha: 60e-6, beta: 1 / 25e9 },
    gamma: 1 / 10e9,
    together: true,
  },
  tcp: { near: { alpha: 60e-6, beta: 1 / 1.5e9 }, far: { alpha: 100e-6, beta: 1 / 1.25e9 }, gamma: 1 / 8e9 },
  mpi: { near: { alpha: 5e-6, beta: 1 / 5e9 }, far: { alpha: 10e-6, beta: 1 / 12.5e9 }, gamma: 1 / 8e9 },
};

/** The model of a transport. @example distributed.modelOf("tcp").near.alpha // 0.00006 */
export const modelOf = (transport: string): CostModel => MODELS[transport] ?? MODELS.tcp;

/**
 * Seconds on the longest path.
 * @example
 * const link = { alpha: 1e-5, beta: 1e-9 };
 * const [ring] = distributed.ALGORITHMS.allReduce;
 * const on = { size: 4, bytes: 4e6, places: distributed.samePlace(4) };
 * distributed.secondsOf(ring.cost(on), on.places, { near: link, far: link, gamma: 0 }).toFixed(5) // "0.00606"
 */
export function secondsOf(cost: Cost, places: readonly Place[], model: CostModel): number {
  const { near, far, gamma, together = false } = model;
  const slowest = byHost(places).length > 1 ? far : near;
  return (
    (together ? (cost.rounds ?? cost.messages) : cost.messages) * slowest.alpha +
    cost.bytes * slowest.beta +
    (cost.near ? cost.near.messages * near.alpha + cost.near.bytes * near.beta : 0) +
    cost.combined * gamma
  );
}

/**
 * The algorithm that should take the least time here; of equals the first. All members must ask with the same arguments,
 * as they must come to the same answer.
 * @example
 * const on = (bytes: number) => ({ size: 8, bytes, places: distributed.samePlace(8) });
 * [100, 100e6].map((bytes) => distributed.fastest(distributed.ALGORITHMS.allReduce, on(bytes), distributed.modelOf("tcp")).name)
 * // ["recursive-doubling", "halving-doubling"]
 */
export function fastest<K extends CollectiveKind>(
  algorithms: readonly Algorithm<K>[],
  on: Situation,
  model: CostModel,
): Algorithm<K> {
  const fit = algorithms.filter(({ unfit }) => unfit?.(on) === undefined);
  const seconds = fit.map((algorithm) => secondsOf(algorithm.cost(on), on.places, model));
  return fit[seconds.indexOf(Math.min(...seconds))];
}

/**
 * Algorithm bandwidth s/t: bytes of a member's data by the time that the operation took, in bytes a second.
 * @example distributed.algorithmBandwidth(1e9, 0.5) // 2000000000
 */
export const algorithmBandwidth = (bytes: number, seconds: number): number => bytes / seconds;

const PART = (size: number): number => (size - 1) / size;

/** By what algorithm bandwidth is multiplied, so that it can be held against that of the links, whatever the size. */
const BUS_FACTORS: Readonly<Record<CollectiveKind, (size: number) => number>> = {
  barrier: () => 0,
  broadcast: () => 1,
  reduce: () => 1,
  allReduce: (size) => 2 * PART(size),
  allGather: PART,
  reduceScatter: PART,
  scatter: PART,
  gather: PART,
  allToAll: PART,
  scan: () => 1,
};

/**
 * Bus bandwidth: what each member's link must have carried, in bytes a second. The factor is 2(p−1)/p for allReduce,
 * (p−1)/p for reduceScatter, allGather, scatter, gather and allToAll, 1 for broadcast, reduce and scan.
 * @param bytes of the whole, for kinds with parts
 * @example distributed.busBandwidth("allReduce", 4, 1e9, 1) // 1500000000
 */
export function busBandwidth(kind: CollectiveKind, size: number, bytes: number, seconds: number): number {
  return BUS_FACTORS[kind](size) * algorithmBandwidth(bytes, seconds);
}
