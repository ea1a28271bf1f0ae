import type { Algorithm } from "../collective.js";
import { partsOf, rounds, total, wrap } from "../parts.js";

/** The binomial scatter upside down: neighbours join their parts, then pairs of neighbours. */
export const binomialGather: Algorithm<"gather"> = {
  kind: "gather",
  name: "binomial",
  about: "binomial tree: each message carries what a whole subtree has, ⌈log₂ p⌉ rounds",
  cost: ({ size, bytes }) => ({ messages: rounds(size), bytes: ((size - 1) / size) * bytes, combined: 0 }),
  async run(member, { own, data, counts, root }) {
    const { rank, size } = member;
    const me = wrap(rank - root, size); // the root is number 0
    const at = (number: number): number => wrap(number + root, size);
    const inOrder = Array.from({ length: size }, (_, number) => counts[at(number)]);
    const span = (first: number, end: number): number => total(inOrder.slice(first, Math.min(end, size)));
    let reach = 1; // the subtree of this member: me … me + reach − 1
    while (reach < size && (me === 0 || me % (2 * reach) === 0)) reach *= 2;
    const leaf = me + 1 >= Math.min(me + reach, size);
    // with root 0 the numbers are the ranks, so that the parts come right into place
    const straight = me === 0 && root === 0 && data !== null;
    const held = straight ? data : leaf ? own : new Uint8Array(span(me, me + reach));
    if (!leaf || me === 0) held.set(own);
    for (let half = 1; half < reach; half *= 2)
      if (me + half < size) {
        const from = span(me, me + half);
        await member.receive(at(me + half), held.subarray(from, from + span(me + half, me + 2 * half)));
      }
    if (me !== 0) return member.send(at(me - reach), held);
    if (straight || data === null) return;
    const parts = partsOf(data, counts);
    partsOf(held, inOrder).forEach((part, number) => {
      parts[at(number)].set(part);
    });
  },
};
