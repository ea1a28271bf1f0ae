import type { Algorithm } from "../collective.js";

/** The prefix walks from member to member. */
export const linearScan: Algorithm<"scan"> = {
  kind: "scan",
  name: "linear",
  about: "each member combines its left neighbour's prefix with its own and hands it on, p−1 steps",
  cost({ size, bytes }) {
    const all = (size - 1) * bytes;
    return { messages: size - 1, bytes: all, combined: all };
  },
  async run(member, { data, dtype, op, exclusive }) {
    const { rank, size } = member;
    const last = rank === size - 1;
    if (rank === 0) {
      if (!last) await member.send(1, data);
      if (exclusive) data.fill(0);
      return;
    }
    if (!exclusive) {
      await member.receiveCombined(rank - 1, data, dtype, op);
      if (!last) await member.send(rank + 1, data);
      return;
    }
    const before = new Uint8Array(data.length);
    await member.receive(rank - 1, before);
    if (!last) {
      member.combine(data, before, dtype, op);
      await member.send(rank + 1, data);
    }
    data.set(before);
  },
};
