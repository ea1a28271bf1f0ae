import type { Algorithm } from "../collective.js";
import { partsOf, rounds, total, wrap } from "../parts.js";

/**
 * The root gives away the upper half of the parts, both halves are scattered in the same way. Numbers count from the root;
 * member m of the tree holds the parts m … m + reach − 1 while it has them to give.
 */
export const binomialScatter: Algorithm<"scatter"> = {
  kind: "scatter",
  name: "binomial",
  about: "binomial tree: the parts of half of the members in the first message, ⌈log₂ p⌉ rounds",
  cost: ({ size, bytes }) => ({ messages: rounds(size), bytes: ((size - 1) / size) * bytes, combined: 0 }),
  async run(member, { data, counts, root }) {
    const { rank, size } = member;
    const me = wrap(rank - root, size); // the root is number 0
    const at = (number: number): number => wrap(number + root, size);
    const inOrder = Array.from({ length: size }, (_, number) => counts[at(number)]);
    const span = (first: number, end: number): number => total(inOrder.slice(first, Math.min(end, size)));
    let reach = 1;
    while (reach < size && (me === 0 || me % (2 * reach) === 0)) reach *= 2;
    let held: Uint8Array; // the parts of the members me … me + reach − 1
    if (me === 0) {
      held = root === 0 ? data : rotated(data, counts, root);
    } else {
      // a leaf receives into place; who passes parts on needs room for them
      held = me + 1 < Math.min(me + reach, size) ? new Uint8Array(span(me, me + reach)) : data;
      await member.receive(at(me - reach), held);
      if (held !== data) data.set(held.subarray(0, data.length));
    }
    for (let half = reach / 2; half >= 1; half /= 2)
      if (me + half < size) {
        const from = span(me, me + half);
        await member.send(at(me + half), held.subarray(from, from + span(me + half, me + 2 * half)));
      }
  },
};

/** The parts in the order of the members from the root on. */
function rotated(data: Uint8Array, counts: readonly number[], root: number): Uint8Array {
  const parts = partsOf(data, counts);
  const out = new Uint8Array(data.length);
  let at = 0;
  for (const part of [...parts.slice(root), ...parts.slice(0, root)]) {
    out.set(part, at);
    at += part.length;
  }
  return out;
}
