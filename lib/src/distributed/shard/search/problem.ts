/**
 * A choice problem: variables with finite domains, a cost for each value, costs between pairs, and a limited resource that
 * values use. The search for a sharding plan is one: an op's strategies, resharding between ops, a device's memory.
 */
export interface ChoiceProblem {
  /** Cost of each value of each variable. */
  readonly unary: readonly Float64Array[];
  /** Costs of two variables' values together: row u, column v, with u < v. */
  readonly pairs: readonly Pair[];
  /** What each value uses, and how much there is. Absent: no limit. */
  readonly use?: readonly Float64Array[];
  readonly limit?: number;
}

export interface Pair {
  readonly u: number;
  readonly v: number;
  readonly costs: Float64Array;
}

export interface Choice {
  /** The value of each variable. */
  readonly values: readonly number[];
  readonly cost: number;
  readonly used: number;
  /** True if nothing cheaper exists: proven. */
  readonly optimal: boolean;
}

/** The cost of an assignment. */
export function costOf({ unary, pairs }: ChoiceProblem, values: readonly number[]): number {
  let cost = 0;
  unary.forEach((costs, i) => {
    cost += costs[values[i]];
  });
  for (const { u, v, costs } of pairs) cost += costs[values[u] * unary[v].length + values[v]];
  return cost;
}

/** What an assignment uses of the limited resource. */
export function useOf({ use }: ChoiceProblem, values: readonly number[]): number {
  return use?.reduce((sum, costs, i) => sum + costs[values[i]], 0) ?? 0;
}
