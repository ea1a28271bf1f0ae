/** Networks: links with a direction, a bandwidth and a latency, and the way from one device to another. */
import { ValueError } from "../../../core/errors.js";
import type { Demand } from "../engine/max-min.js";

/** One direction of a cable, a bus or a port. Full duplex is two of them. */
export interface Link {
  readonly name: string;
  /** Bytes per second, in this direction. */
  readonly bandwidth: number;
  /** Seconds. */
  readonly latency: number;
}

export interface Network {
  /** Devices, numbered from 0. */
  readonly devices: number;
  readonly links: readonly Link[];
  /** Name of the machine of each device, for algorithms that look at the topology. */
  readonly hosts: readonly string[];
  /** The links from one device to another, by number, in the order in which they are passed. */
  route(from: number, to: number): readonly number[];
  /** What a message takes of which links, if it is not its own rate of each link on its way. */
  demand?(from: number, to: number): Demand;
}

/** What a kind of link is, wherever it lies. */
export interface LinkKind {
  /** Bytes per second and direction. */
  readonly bandwidth: number;
  /** Seconds. */
  readonly latency: number;
}

/** Seconds that a message takes on its way besides its transfer. */
export function latencyOf(network: Network, route: readonly number[]): number {
  return route.reduce((sum, link) => sum + network.links[link].latency, 0);
}

/** The narrowest link's bandwidth on the way, bytes per second. */
export function bandwidthOf(network: Network, route: readonly number[]): number {
  return route.reduce(
    (least, link) => Math.min(least, network.links[link].bandwidth),
    Number.POSITIVE_INFINITY,
  );
}

/** What a message from one device to another takes of the links. */
export function demandOf(network: Network, from: number, to: number): Demand {
  return network.demand?.(from, to) ?? { links: network.route(from, to) };
}

/** Collects links while a topology is laid out. */
export class Links {
  readonly all: Link[] = [];

  /** A direction; its number. */
  add(name: string, { bandwidth, latency }: LinkKind, times = 1): number {
    this.all.push({ name, bandwidth: bandwidth * times, latency });
    return this.all.length - 1;
  }

  /** Both directions between two ends: there, back. */
  pair(a: string, b: string, kind: LinkKind, times = 1): readonly [number, number] {
    return [this.add(`${a} → ${b}`, kind, times), this.add(`${b} → ${a}`, kind, times)];
  }
}

/** @throws ValueError unless it is a whole number from 1 */
export function count(value: number, what: string): number {
  if (!Number.isInteger(value) || value < 1)
    throw new ValueError(`${what} is a whole number from 1, got ${value}`);
  return value;
}

/** @throws ValueError for a device that the network has not */
export function checkDevice(devices: number, device: number): void {
  if (!(Number.isInteger(device) && device >= 0 && device < devices))
    throw new ValueError(`route: devices are numbered 0 … ${devices - 1}, got ${device}`);
}
