import type { Algorithm } from "../collective.js";
import { exchange, partsOf, rounds, total, wrap } from "../parts.js";

/** Bytes that tell the length of a block. */
const LENGTH = 4;

/** Numbers of 1 … p − 1 with bit `bit` set: the blocks that move in that round. */
const moving = (size: number, bit: number): number[] =>
  Array.from({ length: size }, (_, i) => i).filter((i) => i & (1 << bit));

/**
 * A block for the member d further on takes the steps that d's bits name: few messages, but each block travels up to
 * log₂ p times. Lengths travel ahead, as members on the way can't know them.
 */
export const bruckAllToAll: Algorithm<"allToAll"> = {
  kind: "allToAll",
  name: "bruck",
  about: "⌈log₂ p⌉ rounds of about n/2 bytes each; for short messages (Bruck et al. 1997)",
  cost({ size, bytes }) {
    let [messages, all] = [0, 0];
    for (let bit = 0; bit < rounds(size); bit++) {
      const blocks = moving(size, bit).length;
      messages += 2;
      all += blocks * (bytes / size + LENGTH);
    }
    return { messages, bytes: all, combined: 0 };
  },
  async run(member, { from, into, sendCounts, receiveCounts }) {
    const { rank, size } = member;
    const parts = partsOf(from, sendCounts);
    // blocks[d]: what has still to go as far as the bits of d that no round has looked at say
    const blocks = parts.map((_, d) => parts[wrap(rank + d, size)]);
    for (let bit = 0; 1 << bit < size; bit++) {
      const distance = 1 << bit;
      const [to, source] = [wrap(rank + distance, size), wrap(rank - distance, size)];
      const which = moving(size, bit);
      const lengths = Int32Array.from(which, (d) => blocks[d].length);
      const theirs = new Int32Array(which.length);
      await exchange(member, to, new Uint8Array(lengths.buffer), source, new Uint8Array(theirs.buffer));
      const sent = new Uint8Array(total([...lengths]));
      partsOf(sent, [...lengths]).forEach((part, i) => {
        part.set(blocks[which[i]]);
      });
      const received = new Uint8Array(total([...theirs]));
      await exchange(member, to, sent, source, received);
      partsOf(received, [...theirs]).forEach((part, i) => {
        blocks[which[i]] = part;
      });
    }
    // block d has come from the member d before this one
    const received = partsOf(into, receiveCounts);
    for (let d = 0; d < size; d++) received[wrap(rank - d, size)].set(blocks[d]);
  },
};
