import type { Algorithm } from "../collective.js";
import { evenCounts, partsOf, wrap } from "../parts.js";

/** Bytes of a piece at most: the shorter, the sooner the end of the chain has work; the longer, the fewer latencies. */
export const PIECE = 64 * 1024;

const pieces = (bytes: number): number => Math.max(1, Math.ceil(bytes / PIECE));

/** The data flows down a chain in pieces: while a member receives one, it sends the one before. */
export const chainBroadcast: Algorithm<"broadcast"> = {
  kind: "broadcast",
  name: "chain",
  about: "root → root + 1 → …, in pieces that follow each other: k pieces take p−2+k steps",
  cost({ size, bytes }) {
    const steps = size > 1 ? size - 2 + pieces(bytes) : 0;
    return { messages: steps, bytes: (steps * bytes) / pieces(bytes), combined: 0 };
  },
  async run(member, { data, root }) {
    const { rank, size } = member;
    const me = wrap(rank - root, size);
    const [before, after] = [wrap(rank - 1, size), wrap(rank + 1, size)];
    const parts = partsOf(data, evenCounts(data.length, pieces(data.length), "uint8"));
    for (let i = 0; i <= parts.length; i++) {
      const moves: Promise<void>[] = [];
      if (me > 0 && i < parts.length) moves.push(member.receive(before, parts[i]));
      if (me < size - 1 && i > 0) moves.push(member.send(after, parts[i - 1]));
      await Promise.all(moves);
    }
  },
};
