/**
 * Variable elimination: exact minimum of a choice problem without its limit. Variables are taken out one by one, each leaving
 * the best it can do for every combination of its neighbours. On trees and series that is dynamic programming; its cost grows
 * with the width of the graph, not with its length. (Dechter 1999, "Bucket elimination".)
 */
import type { ChoiceProblem } from "./problem.js";

/** Costs for the combinations of some variables, row-major in their order. */
interface Table {
  readonly scope: readonly number[];
  readonly costs: Float64Array;
}

/** Larger tables are not made. */
const MOST_ENTRIES = 1 << 21;

/**
 * The cheapest values; `price` is added for each unit of the resource.
 * @param most entries of the largest table. Default: two million
 * @returns `null` if a table would have more
 */
export function eliminate(problem: ChoiceProblem, price = 0, most = MOST_ENTRIES): number[] | null {
  const { unary, pairs, use } = problem;
  const sizes = unary.map(({ length }) => length);
  let tables: Table[] = [
    ...unary.map((costs, i) => ({
      scope: [i],
      costs: price > 0 && use ? costs.map((cost, k) => cost + price * use[i][k]) : costs,
    })),
    ...pairs.map(({ u, v, costs }) => ({ scope: [u, v], costs })),
  ];
  const neighbours = neighboursOf(problem);
  const left = new Set(unary.keys());
  const taken: { variable: number; scope: readonly number[]; best: Uint16Array }[] = [];
  while (left.size > 0) {
    const variable = cheapestNext(left, neighbours, sizes);
    const scope = [...neighbours[variable]];
    if (product(scope, sizes) * sizes[variable] > most) return null;
    const own = tables.filter((table) => table.scope.includes(variable));
    tables = tables.filter((table) => !own.includes(table));
    const { costs, best } = minimized(own, variable, scope, sizes);
    tables.push({ scope, costs });
    taken.push({ variable, scope, best });
    left.delete(variable);
    connect(neighbours, variable, scope);
  }
  const values = new Array<number>(unary.length).fill(0);
  for (const { variable, scope, best } of taken.reverse())
    values[variable] = best[scope.reduce((at, other) => at * sizes[other] + values[other], 0)];
  return values;
}

function neighboursOf({ unary, pairs }: ChoiceProblem): Set<number>[] {
  const neighbours = unary.map(() => new Set<number>());
  for (const { u, v } of pairs) {
    neighbours[u].add(v);
    neighbours[v].add(u);
  }
  return neighbours;
}

/** What is left of a variable that is taken out: its neighbours depend on each other. */
function connect(neighbours: readonly Set<number>[], variable: number, scope: readonly number[]): void {
  for (const a of scope) {
    neighbours[a].delete(variable);
    for (const b of scope) if (a !== b) neighbours[a].add(b);
  }
}

/**
 * Variables that meet in the first table of more than `most` entries, if variables had so many values; `null` if all tables
 * are small enough.
 */
export function tooWide(problem: ChoiceProblem, sizes: readonly number[], most: number): number[] | null {
  const neighbours = neighboursOf(problem);
  const left = new Set(problem.unary.keys());
  while (left.size > 0) {
    const variable = cheapestNext(left, neighbours, sizes);
    const scope = [...neighbours[variable]];
    if (product(scope, sizes) * sizes[variable] > most) return [variable, ...scope];
    left.delete(variable);
    connect(neighbours, variable, scope);
  }
  return null;
}

/** Sums that one elimination makes: its work. */
export function workOf(problem: ChoiceProblem): number {
  const sizes = problem.unary.map(({ length }) => length);
  const neighbours = neighboursOf(problem);
  const left = new Set(problem.unary.keys());
  let work = 0;
  while (left.size > 0) {
    const variable = cheapestNext(left, neighbours, sizes);
    const scope = [...neighbours[variable]];
    work += product(scope, sizes) * sizes[variable];
    left.delete(variable);
    connect(neighbours, variable, scope);
  }
  return work;
}

const product = (scope: readonly number[], sizes: readonly number[]): number =>
  scope.reduce((p, i) => p * sizes[i], 1);

/** The variable whose neighbours have the fewest combinations. */
function cheapestNext(
  left: ReadonlySet<number>,
  neighbours: readonly ReadonlySet<number>[],
  sizes: readonly number[],
): number {
  let [best, least] = [-1, Number.POSITIVE_INFINITY];
  for (const i of left) {
    const width = product([...neighbours[i]], sizes);
    if (width < least) [best, least] = [i, width];
  }
  return best;
}

/** The sum of tables, minimized over one variable. */
function minimized(
  tables: readonly Table[],
  variable: number,
  scope: readonly number[],
  sizes: readonly number[],
): { costs: Float64Array; best: Uint16Array } {
  const count = product(scope, sizes);
  const costs = new Float64Array(count);
  const best = new Uint16Array(count);
  // how far each table's position moves when a variable of the scope, or the one that goes, is one more
  const steps = tables.map((table) => {
    const stride = new Map<number, number>();
    let step = 1;
    for (let i = table.scope.length - 1; i >= 0; i--) {
      stride.set(table.scope[i], step);
      step *= sizes[table.scope[i]];
    }
    return {
      costs: table.costs,
      own: stride.get(variable) ?? 0,
      others: scope.map((i) => stride.get(i) ?? 0),
    };
  });
  const at = scope.map(() => 0);
  const starts = steps.map(() => 0);
  for (let entry = 0; entry < count; entry++) {
    let least = Number.POSITIVE_INFINITY;
    for (let value = 0; value < sizes[variable]; value++) {
      let sum = 0;
      for (let t = 0; t < steps.length; t++) sum += steps[t].costs[starts[t] + value * steps[t].own];
      if (sum < least) {
        least = sum;
        best[entry] = value;
      }
    }
    costs[entry] = least;
    for (let i = scope.length - 1; i >= 0; i--) {
      at[i]++;
      for (const [t, { others }] of steps.entries()) starts[t] += others[i];
      if (at[i] < sizes[scope[i]]) break;
      at[i] = 0;
      for (const [t, { others }] of steps.entries()) starts[t] -= others[i] * sizes[scope[i]];
    }
  }
  return { costs, best };
}
