/** Variables that several stages share, as an embedding and the head behind the last layer: their gradients are added up. */

import { detached } from "../../autodiff/backward.js";
import { noGrad } from "../../autodiff/tape-mode.js";
import type { Variable } from "../../autodiff/variable.js";
import type { Tensor } from "../../core/tensor.js";
import { zeros } from "../../ops/create.js";
import { tidy } from "../../ops/tidy.js";
import type { ProcessGroup } from "../group/process-group.js";

interface Tie {
  readonly variable: Variable;
  readonly group: ProcessGroup;
  earlier: Tensor | null;
}

export class Ties {
  private readonly ties: Tie[] = [];

  /** Variables that an earlier member has too. */
  readonly repeated = new Set<Variable>();

  /** All members call it, with their variables by path in the whole model; the first one's values become those of all. */
  constructor(group: ProcessGroup, own: ReadonlyMap<string, Variable>) {
    const all = group.allGatherObject([...own.keys()]).wait();
    const holders = new Map<string, number[]>();
    for (const [rank, paths] of all.entries())
      for (const path of paths) holders.set(path, [...(holders.get(path) ?? []), rank]);
    const groups = new Map<string, ProcessGroup | null>();
    for (const [path, ranks] of holders) {
      if (ranks.length === 1) continue;
      const key = ranks.join();
      if (!groups.has(key)) groups.set(key, group.subgroup(ranks)); // also those outside: calls keep one order
      const among = groups.get(key);
      const variable = own.get(path);
      if (!among || !variable) continue;
      if (among.rank > 0) this.repeated.add(variable);
      tidy(() => {
        variable.assign(among.broadcast(variable.value).wait());
        return null;
      });
      this.ties.push({ variable, group: among, earlier: null });
    }
  }

  /** Puts gradients of earlier steps aside: they are sums already. */
  begin(): void {
    for (const tie of this.ties) {
      tie.earlier = tie.variable.grad;
      tie.variable.grad = null;
    }
  }

  /** Adds up the gradients of what is shared, since `begin`. All members of the pipeline call it. */
  reduce(): void {
    for (const tie of this.ties) {
      const { variable, group, earlier } = tie;
      if (!variable.requiresGrad) continue;
      const own = variable.grad;
      noGrad(() =>
        tidy(() => {
          const sum = group.allReduce(own ?? zeros(variable.shape, { dtype: variable.dtype })).wait();
          variable.grad = detached(earlier ? earlier.add(sum) : sum);
          return null;
        }),
      );
      own?.dispose();
      earlier?.dispose();
      tie.earlier = null;
    }
  }
}
