import type { Algorithm } from "../collective.js";
import { partsOf, Sends, wrap } from "../parts.js";

/** Every member sends its part straight to all: no step waits for another, where links allow it. */
export const directAllGather: Algorithm<"allGather"> = {
  kind: "allGather",
  name: "direct",
  about: "p−1 messages from each member, to rank + 1, rank + 2 …, all under way at once",
  cost: ({ size, bytes }) => ({
    ...{ messages: size - 1, rounds: Math.min(1, size - 1) },
    ...{ bytes: ((size - 1) / size) * bytes, combined: 0 },
  }),
  async run(member, { data, counts }) {
    const { rank, size } = member;
    const parts = partsOf(data, counts);
    const sends = new Sends();
    for (let step = 1; step < size; step++) sends.add(member.send(wrap(rank + step, size), parts[rank]));
    for (let step = 1; step < size; step++) {
      const from = wrap(rank - step, size);
      await member.receive(from, parts[from]);
    }
    await sends.done();
  },
};
