/**
 * Solves choice problems: by elimination, and if that uses more than there is, by branch and bound. The bound is Lagrange's:
 * with a price on the resource, elimination finds the least that any assignment within the limit can cost.
 */
import { ValueError } from "../../../core/errors.js";
import { eliminate, workOf } from "./eliminate.js";
import { improve } from "./improve.js";
import { type Choice, type ChoiceProblem, costOf, useOf } from "./problem.js";

/** Sums that branch and bound makes before it gives up the proof: some seconds. */
const MOST_WORK = 2e8;
/** Halvings of the interval of prices. */
const PRICES = 16;

/** @throws ValueError if no assignment keeps to the limit */
export function solve(problem: ChoiceProblem): Choice {
  const { limit = Number.POSITIVE_INFINITY } = problem;
  const free = eliminate(problem);
  if (free && useOf(problem, free) <= limit) return choice(problem, free, true);
  const least = problem.use?.map((use) => use.indexOf(use.reduce((a, b) => Math.min(a, b))));
  if (least && useOf(problem, least) > limit)
    throw new ValueError(
      `no sharding fits: with everything cut as far as it goes a device needs ${useOf(problem, least)} bytes, it has ${limit}`,
    );
  return free ? branch(problem) : improve(problem);
}

const choice = (problem: ChoiceProblem, values: readonly number[], optimal: boolean): Choice => ({
  values,
  cost: costOf(problem, values),
  used: useOf(problem, values),
  optimal,
});

interface Bound {
  readonly bound: number;
  /** The best assignment within the limit that was met on the way. */
  readonly found: readonly number[] | null;
  /** Assignments just above and just below the limit. */
  readonly over: readonly number[];
  readonly under: readonly number[];
}

/** The best bound over prices of the resource: concave in the price, so the slope (use − limit) leads there. */
function bounded(problem: ChoiceProblem): Bound | null {
  const limit = problem.limit as number;
  let found: readonly number[] | null = null;
  let bound = Number.NEGATIVE_INFINITY;
  const at = (price: number): { values: readonly number[]; slack: number } => {
    const values = eliminate(problem, price) as number[];
    const used = useOf(problem, values);
    bound = Math.max(bound, costOf(problem, values) + price * (used - limit));
    if (used <= limit && (!found || costOf(problem, values) < costOf(problem, found))) found = values;
    return { values, slack: limit - used };
  };
  let low = at(0);
  if (low.slack >= 0) return { bound, found, over: low.values, under: low.values };
  let [from, to] = [0, (Math.abs(costOf(problem, low.values)) + 1e-9) / limit];
  let high = at(to);
  for (let i = 0; i < 60 && high.slack < 0; i++) {
    [from, to, low] = [to, to * 4, high];
    high = at(to);
  }
  if (high.slack < 0) return null; // nothing in this branch keeps to the limit
  for (let i = 0; i < PRICES; i++) {
    const price = (from + to) / 2;
    const middle = at(price);
    if (middle.slack < 0) [from, low] = [price, middle];
    else [to, high] = [price, middle];
  }
  return { bound, found, over: low.values, under: high.values };
}

/** A problem with one variable's value fixed. */
function fixed(problem: ChoiceProblem, variable: number, value: number): ChoiceProblem {
  const unary = problem.unary.map((costs, i) =>
    i === variable ? costs.map((cost, k) => (k === value ? cost : Number.POSITIVE_INFINITY)) : costs,
  );
  return { ...problem, unary };
}

function branch(problem: ChoiceProblem): Choice {
  let best: readonly number[] | null = null;
  let least = Number.POSITIVE_INFINITY;
  const work = PRICES * workOf(problem);
  let done = 0;
  let proven = true;
  const open: { problem: ChoiceProblem; free: ReadonlySet<number>; bound: number }[] = [
    { problem, free: new Set(problem.unary.keys()), bound: Number.NEGATIVE_INFINITY },
  ];
  while (open.length > 0) {
    open.sort((a, b) => b.bound - a.bound);
    const { problem: part, free, bound: known } = open.pop() as (typeof open)[0];
    if (known >= least * (1 - 1e-9)) break; // the others are no better
    if (best && done > MOST_WORK) {
      proven = false;
      break;
    }
    done += work;
    const result = bounded(part);
    if (!result) continue;
    const { bound, found, over, under } = result;
    if (found && costOf(problem, found) < least) {
      best = found;
      least = costOf(problem, found);
    }
    if (bound >= least * (1 - 1e-9)) continue;
    // where the cheap and the small assignment differ, there the decision lies
    const differing = [...free].filter((i) => over[i] !== under[i]);
    const candidates = differing.length > 0 ? differing : [...free];
    if (candidates.length === 0) continue;
    const spread = (i: number) => Math.abs((part.use?.[i][over[i]] ?? 0) - (part.use?.[i][under[i]] ?? 0));
    const variable = candidates.reduce((a, b) => (spread(b) > spread(a) ? b : a));
    const rest = new Set(free);
    rest.delete(variable);
    part.unary[variable].forEach((cost, value) => {
      if (cost < Number.POSITIVE_INFINITY)
        open.push({ problem: fixed(part, variable, value), free: rest, bound });
    });
  }
  if (!best) throw new ValueError("no sharding keeps to the memory of a device");
  return choice(problem, best, proven);
}
