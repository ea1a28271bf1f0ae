import type { Algorithm } from "../collective.js";
import { exchange, partsOf, wrap } from "../parts.js";

/** In step k everybody sends to the member k further on: no two senders meet at one receiver. */
export const pairwiseAllToAll: Algorithm<"allToAll"> = {
  kind: "allToAll",
  name: "pairwise",
  about: "p−1 steps; in step k each member sends to rank + k and receives from rank − k",
  cost: ({ size, bytes }) => ({ messages: size - 1, bytes: ((size - 1) / size) * bytes, combined: 0 }),
  async run(member, { from, into, sendCounts, receiveCounts }) {
    const { rank, size } = member;
    const sent = partsOf(from, sendCounts);
    const received = partsOf(into, receiveCounts);
    received[rank].set(sent[rank]);
    for (let step = 1; step < size; step++) {
      const [to, source] = [wrap(rank + step, size), wrap(rank - step, size)];
      await exchange(member, to, sent[to], source, received[source]);
    }
  },
};
