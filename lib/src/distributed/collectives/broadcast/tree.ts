import type { Algorithm } from "../collective.js";
import { rounds, wrap } from "../parts.js";

/** The number of members that have the data doubles in each round: 1 → 2 → 4 … */
export const treeBroadcast: Algorithm<"broadcast"> = {
  kind: "broadcast",
  name: "tree",
  about: "binomial tree: whoever has the data sends it on, ⌈log₂ p⌉ rounds",
  cost: ({ size, bytes }) => ({ messages: rounds(size), bytes: rounds(size) * bytes, combined: 0 }),
  async run(member, { data, root }) {
    const { rank, size } = member;
    const me = wrap(rank - root, size); // the root is number 0
    const at = (number: number): number => wrap(number + root, size);
    let distance = 1;
    while (distance < size) distance *= 2;
    for (let reach = distance / 2; reach >= 1; reach /= 2) {
      if (me % (2 * reach) === 0) {
        if (me + reach < size) await member.send(at(me + reach), data);
      } else if (me % reach === 0) await member.receive(at(me - reach), data);
    }
  },
};
