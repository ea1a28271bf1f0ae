/** Variables that several stages share, as an embedding and the head behind the last layer: their gradients are added up. */

import { detached } from "../../autodiff/backward.js";
import { noGrad } from "../../autodiff/tape-mode.js";
import type { Variable } from "../../autodiff/variable.js";
import { zeros } from "../../ops/create.js";
import { tidy } from "../../ops/tidy.js";
import type { ProcessGroup } from "../group/process-group.js";

interface Tie {
  readonly variable: Variable;
  readonly group: ProcessGroup;
}

export class Ties {
  private readonly ties: Tie[] = [];

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
      tidy(() => {
        variable.assign(among.broadcast(variable.value).wait());
        return null;
      });
      this.ties.push({ variable, group: among });
    }
  }

  /** Adds up the gradients of what is shared; all members of the pipeline call it after the same steps. */
  reduce(): void {
    for (const { variable, group } of this.ties) {
      if (!variable.requiresGrad) continue;
      const before = variable.grad;
      noGrad(() =>
        tidy(() => {
          const own = before ?? zeros(variable.shape, { dtype: variable.dtype });
          variable.grad = detached(group.allReduce(own).wait());
          return null;
        }),
      );
      before?.dispose();
    }
  }
}
