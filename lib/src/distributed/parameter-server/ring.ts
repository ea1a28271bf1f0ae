/**
 * Consistent hashing (Karger et al. 1997): servers have many points on a ring, a partition goes to the servers that follow
 * its own point. A server that comes or goes moves only what is its own.
 */
import { hash } from "./layout.js";

/** Points of a server: with more, the shares differ less. */
const POINTS = 64;

/** The first `count` servers for a partition, in the order of preference. */
export function placesOf(partition: number, servers: readonly string[], count: number): string[] {
  const points = servers
    .flatMap((id) => Array.from({ length: POINTS }, (_, i) => ({ at: hash(`${id}#${i}`), id })))
    .sort((a, b) => a.at - b.at || (a.id < b.id ? -1 : 1));
  const from = points.findIndex(({ at }) => at >= hash(`partition ${partition}`));
  const found = new Set<string>();
  for (let i = 0; i < points.length && found.size < count; i++)
    found.add(points[(Math.max(0, from) + i) % points.length].id);
  return [...found];
}
