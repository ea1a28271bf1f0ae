/** The free parameter blocks of a problem, numbered: kept ones first, then those that the Schur complement eliminates. */
import { ValueError } from "../../core/errors.js";
import type { ParameterGroup, Problem } from "./problem.js";

export interface FreeBlock {
  readonly group: ParameterGroup;
  readonly index: number;
  readonly dim: number;
  /** Where its step begins. */
  readonly offset: number;
}

export class FreeBlocks {
  readonly all: FreeBlock[] = [];
  /** Blocks before this one are kept. */
  readonly kept: number;
  /** Numbers in the step of the kept ones, and of all. */
  readonly keptSize: number;
  readonly size: number;
  private readonly ids: ReadonlyMap<ParameterGroup, Int32Array>;

  /** @throws ValueError for a free block that is in no residual, and if nothing is free. */
  constructor(problem: Problem, eliminated: readonly ParameterGroup[]) {
    const used = usedBlocks(problem);
    const ids = new Map(problem.groups.map((group) => [group, new Int32Array(group.count).fill(-1)]));
    let offset = 0;
    const number = (group: ParameterGroup): void => {
      const mine = ids.get(group) as Int32Array;
      const dim = group.manifold.tangent;
      for (let i = 0; i < group.count; i++) {
        if (group.constant[i]) continue;
        if (!used.get(group)?.[i])
          throw new ValueError(
            `${group.name}[${i}] is in no residual, so nothing determines it; hold it constant or leave it out`,
          );
        mine[i] = this.all.length;
        this.all.push({ group, index: i, dim, offset });
        offset += dim;
      }
    };
    for (const group of problem.groups) if (!eliminated.includes(group)) number(group);
    this.kept = this.all.length;
    this.keptSize = offset;
    for (const group of problem.groups) if (eliminated.includes(group)) number(group);
    this.size = offset;
    this.ids = ids;
    if (this.all.length === 0) throw new ValueError("the problem has no free parameters");
  }

  /** Number of a block, −1 if it is constant. */
  id(group: ParameterGroup, index: number): number {
    return this.ids.get(group)?.[index] ?? -1;
  }

  name(id: number): string {
    const { group, index } = this.all[id];
    return `${group.name}[${index}]`;
  }

  /** Moves all free blocks along their steps. */
  plus(step: Float64Array): void {
    for (const { group, index, offset } of this.all) {
      const at = index * group.manifold.ambient;
      group.manifold.plus(group.values, at, step, offset, group.values, at);
    }
  }
}

function usedBlocks(problem: Problem): Map<ParameterGroup, Uint8Array> {
  const used = new Map(problem.groups.map((group) => [group, new Uint8Array(group.count)]));
  for (const { groups, blocks } of problem.sets)
    groups.forEach((group, k) => {
      const mine = used.get(group) as Uint8Array;
      for (const i of blocks[k]) mine[i] = 1;
    });
  return used;
}
