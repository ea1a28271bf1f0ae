/** Members by where they run: rows of a grid. */
import type { Place } from "../transport/transport.js";

/** The members' ranks by host, in order of the hosts' first members. */
export function byHost(places: readonly Place[]): number[][] {
  const hosts = new Map<string, number[]>();
  places.forEach(({ host }, rank) => {
    const members = hosts.get(host);
    if (members) members.push(rank);
    else hosts.set(host, [rank]);
  });
  return [...hosts.values()];
}

/**
 * Members as a grid, so that rows are hosts if each has as many members; else in order of ranks, as square as can be.
 * @returns null for a number of members that has no divisors
 */
export function gridOf(size: number, places: readonly Place[]): number[][] | null {
  const hosts = byHost(places);
  const columns = hosts[0]?.length ?? 0;
  if (hosts.length > 1 && columns > 1 && hosts.every((host) => host.length === columns)) return hosts;
  for (let rows = Math.floor(Math.sqrt(size)); rows > 1; rows--)
    if (size % rows === 0) {
      const wide = size / rows;
      return Array.from({ length: rows }, (_, r) => Array.from({ length: wide }, (_, c) => r * wide + c));
    }
  return null;
}
