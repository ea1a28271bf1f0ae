import type { Algorithm } from "../collective.js";
import { rounds } from "../parts.js";

/** What a member has covers 1, 2, 4 … members up to itself: all members are busy in every round. */
export const doublingScan: Algorithm<"scan"> = {
  kind: "scan",
  name: "recursive-doubling",
  about: "⌈log₂ p⌉ rounds; in round k a member combines what the one 2ᵏ before it has (Hillis, Steele 1986)",
  cost({ size, bytes }) {
    const all = rounds(size) * bytes;
    return { messages: rounds(size), bytes: all, combined: all };
  },
  async run(member, { data, dtype, op, exclusive }) {
    const { rank, size } = member;
    const before = new Uint8Array(data.length); // the same without the member's own
    const other = new Uint8Array(data.length);
    for (let distance = 1; distance < size; distance *= 2) {
      const moves: Promise<void>[] = [];
      if (rank + distance < size) moves.push(member.send(rank + distance, data));
      if (rank >= distance) moves.push(member.receive(rank - distance, other));
      await Promise.all(moves);
      if (rank < distance) continue;
      member.combine(data, other, dtype, op);
      if (!exclusive) continue;
      if (distance === 1) before.set(other);
      else member.combine(before, other, dtype, op);
    }
    if (exclusive) data.set(before);
  },
};
