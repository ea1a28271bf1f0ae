/** States of models of which each member has other parts. */
import type { Tensor } from "../../core/tensor.js";
import type { ProcessGroup } from "../group/process-group.js";

/**
 * All members' tensors by name, on all members; of a name that several have, the first member's. All members call it.
 * @param own what this member has
 */
export function unionOfStates(group: ProcessGroup, own: ReadonlyMap<string, Tensor>): Map<string, Tensor> {
  const types = [...own].map(([name, { shape, dtype }]) => ({ name, shape, dtype }));
  const all = new Map<string, Tensor>();
  for (const [rank, held] of group.allGatherObject(types).wait().entries())
    for (const { name, ...type } of held) {
      if (all.has(name)) continue;
      const mine = rank === group.rank ? own.get(name) : undefined;
      all.set(name, group.broadcast(mine ?? type, rank).wait());
    }
  return all;
}
