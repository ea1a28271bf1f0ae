import type { Algorithm, Member } from "../collective.js";
import { exchange, partsOf, wrap } from "../parts.js";

/** Each part travels once around the ring. */
export const ringAllGather: Algorithm<"allGather"> = {
  kind: "allGather",
  name: "ring",
  about: "p−1 steps; in each, a member passes on to its right what it got last from its left",
  cost: ({ size, bytes }) => ({ messages: size - 1, bytes: ((size - 1) / size) * bytes, combined: 0 }),
  run: (member, { data, counts }) => gatherAround(member, partsOf(data, counts)),
};

/** p − 1 steps after which all have part r of member r, for each r. */
export async function gatherAround(member: Member, parts: readonly Uint8Array[]): Promise<void> {
  const { rank, size } = member;
  const [left, right] = [wrap(rank - 1, size), wrap(rank + 1, size)];
  for (let step = 0; step < size - 1; step++)
    await exchange(member, right, parts[wrap(rank - step, size)], left, parts[wrap(rank - step - 1, size)]);
}
