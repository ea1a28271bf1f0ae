import type { DType } from "../../../core/dtype.js";
import type { CombineOp } from "../../transport/reduce-op.js";
import type { Algorithm, Member } from "../collective.js";
import { partsOf, Sends, wrap } from "../parts.js";

/** Each part travels once around the ring and is combined at every stop; it ends at the member that it belongs to. */
export const ringReduceScatter: Algorithm<"reduceScatter"> = {
  kind: "reduceScatter",
  name: "ring",
  about: "p−1 steps; in each, a member sends one part to its right and combines one from its left",
  cost({ size, bytes }) {
    const all = ((size - 1) / size) * bytes;
    return { messages: size - 1, bytes: all, combined: all };
  },
  outOfPlace: true,
  run: (member, { data, from = data, counts, dtype, op }) =>
    reduceAround(member, partsOf(data, counts), dtype, op, partsOf(from, counts)),
};

/**
 * p − 1 steps after which member r has part r combined. Sends are not waited for: a part that was sent is not written
 * again before it has been around.
 * @param own the member's own elements, of which each part is read once
 */
export async function reduceAround(
  member: Member,
  parts: readonly Uint8Array[],
  dtype: DType,
  op: CombineOp,
  own = parts,
): Promise<void> {
  const sends = new Sends();
  const { rank, size } = member;
  const [left, right] = [wrap(rank - 1, size), wrap(rank + 1, size)];
  for (let step = 0; step < size - 1; step++) {
    const sent = wrap(rank - step - 1, size);
    const mine = wrap(rank - step - 2, size);
    sends.add(member.send(right, step === 0 ? own[sent] : parts[sent]));
    await member.receiveCombined(left, parts[mine], dtype, op, own[mine]);
  }
  await sends.done();
}
