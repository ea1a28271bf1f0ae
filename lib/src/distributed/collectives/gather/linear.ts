import type { Algorithm } from "../collective.js";
import { partsOf } from "../parts.js";

/** The root takes one part after the other. */
export const linearGather: Algorithm<"gather"> = {
  kind: "gather",
  name: "linear",
  about: "each member sends its part to the root, p−1 messages",
  cost: ({ size, bytes }) => ({ messages: size - 1, bytes: ((size - 1) / size) * bytes, combined: 0 }),
  async run(member, { own, data, counts, root }) {
    if (member.rank !== root || data === null) return member.send(root, own);
    const parts = partsOf(data, counts);
    parts[root].set(own);
    for (let from = 0; from < member.size; from++) if (from !== root) await member.receive(from, parts[from]);
  },
};
