import type { Algorithm } from "../collective.js";

/** The root does all the work, while the others' links lie idle. */
export const naiveBroadcast: Algorithm<"broadcast"> = {
  kind: "broadcast",
  name: "naive",
  about: "the root sends everything to each member in turn, p−1 messages",
  cost: ({ size, bytes }) => ({ messages: size - 1, bytes: (size - 1) * bytes, combined: 0 }),
  async run(member, { data, root }) {
    if (member.rank !== root) return member.receive(root, data);
    for (let to = 0; to < member.size; to++) if (to !== root) await member.send(to, data);
  },
};
