/**
 * Groups that are no power of two: of the first 2r members (r = p − 2ᵏ) every even one hands its data to its right
 * neighbour and waits; the 2ᵏ that are left do the work, and the result is handed back. (Thakur, Rabenseifner, Gropp 2005)
 */
import type { CombineOp } from "../../transport/reduce-op.js";
import type { Cost, Member, Requests } from "../collective.js";
import { among } from "../member.js";

type AllReduce = Requests<CombineOp>["allReduce"];

/** The largest power of two that is not larger. */
const powerBelow = (size: number): number => 2 ** Math.floor(Math.log2(size));

/** Runs `inner` on a power of two of members. */
export async function folded(
  member: Member,
  request: AllReduce,
  inner: (member: Member, request: AllReduce) => Promise<void>,
): Promise<void> {
  const { rank, size } = member;
  const { data, from = data, dtype, op } = request;
  const extra = size - powerBelow(size);
  const paired = rank < 2 * extra;
  if (paired && rank % 2 === 0) {
    await member.send(rank + 1, from);
    return member.receive(rank + 1, data);
  }
  if (paired) await member.receiveCombined(rank - 1, data, dtype, op, from);
  const left = Array.from({ length: size }, (_, i) => i).filter((i) => i >= 2 * extra || i % 2 === 1);
  const rest = paired ? { data, dtype, op } : request;
  await inner(extra > 0 ? among(member, left) : member, rest);
  if (paired) await member.send(rank - 1, data);
}

/** The cost of `inner` on a power of two of members, and of folding the others in. */
export function foldedCost(size: number, bytes: number, inner: (size: number) => Cost): Cost {
  const power = powerBelow(size);
  const cost = inner(power);
  if (power === size) return cost;
  return {
    messages: cost.messages + 2,
    bytes: cost.bytes + 2 * bytes,
    combined: cost.combined + bytes,
  };
}
