import type { Algorithm } from "../collective.js";
import { partsOf } from "../parts.js";

/** The root hands out one part after the other. */
export const linearScatter: Algorithm<"scatter"> = {
  kind: "scatter",
  name: "linear",
  about: "the root sends each member its part, p−1 messages",
  cost: ({ size, bytes }) => ({ messages: size - 1, bytes: ((size - 1) / size) * bytes, combined: 0 }),
  async run(member, { data, counts, root }) {
    if (member.rank !== root) return member.receive(root, data);
    const parts = partsOf(data, counts);
    for (let to = 0; to < member.size; to++) if (to !== root) await member.send(to, parts[to]);
  },
};
