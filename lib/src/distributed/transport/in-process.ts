/**
 * Members as asynchronous functions of one thread: no parallelism, but every algorithm can be run, stepped through and
 * drawn with any number of members, and a run is the same each time.
 */
import { PeerLostError, TransportError } from "./errors.js";
import type { Place, Transport } from "./transport.js";

interface Waiting {
  readonly into: Uint8Array;
  readonly done: () => void;
  readonly failed: (error: Error) => void;
}

/** Messages of one pair under one tag: sent and not yet taken, or waited for and not yet sent. */
interface Lane {
  readonly sent: Uint8Array[];
  readonly waiting: Waiting[];
}

/**
 * The transports of `size` members that live on this thread, by rank.
 * @example
 * const [first, second] = distributed.inProcess(2);
 * const into = new Uint8Array(2);
 * await Promise.all([first.send(1, 0, Uint8Array.of(7, 8)), second.receive(0, 0, into)]);
 * [...into] // [7, 8]
 */
export function inProcess(size: number, places: readonly Place[] = samePlace(size)): Transport[] {
  const lanes = new Map<string, Lane>();
  const gone = new Set<number>();
  const laneOf = (from: number, to: number, tag: number): Lane => {
    const key = `${from} ${to} ${tag}`;
    const lane = lanes.get(key) ?? { sent: [], waiting: [] };
    lanes.set(key, lane);
    return lane;
  };
  const fill = (into: Uint8Array, bytes: Uint8Array, from: number): void => {
    if (into.length !== bytes.length)
      throw new TransportError(
        `receive: expected ${into.length} bytes from rank ${from}, it sent ${bytes.length}`,
      );
    into.set(bytes);
  };
  return Array.from(
    { length: size },
    (_, rank): Transport => ({
      name: "in-process",
      rank,
      size,
      places,
      async send(to, tag, bytes) {
        if (gone.has(to)) throw new PeerLostError(to, "it said goodbye");
        const lane = laneOf(rank, to, tag);
        const first = lane.waiting.shift();
        if (!first) {
          lane.sent.push(bytes.slice());
          return;
        }
        try {
          fill(first.into, bytes, rank);
          first.done();
        } catch (error) {
          first.failed(error as Error);
        }
      },
      receive(from, tag, into) {
        const lane = laneOf(from, rank, tag);
        const bytes = lane.sent.shift();
        return new Promise((done, failed) => {
          if (bytes) {
            fill(into, bytes, from);
            done();
          } else if (gone.has(from)) failed(new PeerLostError(from, "it said goodbye"));
          else lane.waiting.push({ into, done, failed });
        });
      },
      async close() {
        gone.add(rank);
        for (const [key, { waiting }] of lanes)
          if (key.startsWith(`${rank} `))
            for (const { failed } of waiting.splice(0)) failed(new PeerLostError(rank, "it said goodbye"));
      },
    }),
  );
}

/**
 * All members on one machine.
 * @example distributed.samePlace(2) // [{"host": "localhost"}, {"host": "localhost"}]
 */
export function samePlace(size: number, host = "localhost"): Place[] {
  return Array.from({ length: size }, () => ({ host }));
}
