import type { Algorithm } from "../collective.js";
import { rounds, wrap } from "../parts.js";

/** The broadcast tree upside down: in each round half of the members hand their combined values on, and are done. */
export const treeReduce: Algorithm<"reduce"> = {
  kind: "reduce",
  name: "tree",
  about: "binomial tree: pairs combine, then pairs of pairs, ⌈log₂ p⌉ rounds",
  cost({ size, bytes }) {
    const all = rounds(size) * bytes;
    return { messages: rounds(size), bytes: all, combined: all };
  },
  async run(member, { data, dtype, op, root }) {
    const { rank, size } = member;
    const me = wrap(rank - root, size); // the root is number 0
    const at = (number: number): number => wrap(number + root, size);
    for (let distance = 1; distance < size; distance *= 2) {
      if (me % (2 * distance) !== 0) {
        await member.send(at(me - distance), data);
        return;
      }
      if (me + distance < size) await member.receiveCombined(at(me + distance), data, dtype, op);
    }
  },
};
