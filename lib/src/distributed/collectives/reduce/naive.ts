import type { Algorithm } from "../collective.js";

/** The root takes and combines everybody's data, while the others' links lie idle. */
export const naiveReduce: Algorithm<"reduce"> = {
  kind: "reduce",
  name: "naive",
  about: "each member sends everything to the root, which combines it, p−1 messages",
  cost({ size, bytes }) {
    const all = (size - 1) * bytes;
    return { messages: size - 1, bytes: all, combined: all };
  },
  async run(member, { data, dtype, op, root }) {
    if (member.rank !== root) return member.send(root, data);
    for (let from = 0; from < member.size; from++)
      if (from !== root) await member.receiveCombined(from, data, dtype, op);
  },
};
