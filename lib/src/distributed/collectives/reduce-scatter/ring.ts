import type { DType } from "../../../core/dtype.js";
import type { CombineOp } from "../../transport/reduce-op.js";
import type { Algorithm, Member } from "../collective.js";
import { partsOf, wrap } from "../parts.js";

/** Each part travels once around the ring and is combined at every stop; it ends at the member that it belongs to. */
export const ringReduceScatter: Algorithm<"reduceScatter"> = {
  kind: "reduceScatter",
  name: "ring",
  about: "p−1 steps; in each, a member sends one part to its right and combines one from its left",
  cost({ size, bytes }) {
    const all = ((size - 1) / size) * bytes;
    return { messages: size - 1, bytes: all, combined: all };
  },
  run: (member, { data, counts, dtype, op }) => reduceAround(member, partsOf(data, counts), dtype, op),
};

/** p − 1 steps after which member r has part r combined. */
export async function reduceAround(
  member: Member,
  parts: readonly Uint8Array[],
  dtype: DType,
  op: CombineOp,
): Promise<void> {
  const { rank, size } = member;
  const [left, right] = [wrap(rank - 1, size), wrap(rank + 1, size)];
  for (let step = 0; step < size - 1; step++) {
    const sent = parts[wrap(rank - step - 1, size)];
    const mine = parts[wrap(rank - step - 2, size)];
    await Promise.all([member.send(right, sent), member.receiveCombined(left, mine, dtype, op)]);
  }
}
