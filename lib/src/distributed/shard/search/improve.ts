/**
 * Graphs that are too wide for elimination: a plan is improved again and again by solving a large part of it exactly while a
 * few variables, other ones each time, keep their values (large neighbourhood search, Shaw 1998). It proves nothing.
 */
import { ValueError } from "../../../core/errors.js";
import { WordStream } from "../../../core/random.js";
import { eliminate, tooWide } from "./eliminate.js";
import { type Choice, type ChoiceProblem, costOf, useOf } from "./problem.js";

const MOST_ENTRIES = 1 << 14;
/** Rounds without a gain after which it stops. */
const PATIENCE = 12;
/** Doublings of the price of the resource before it gives up. */
const PRICES = 60;

/** @throws ValueError if no assignment within the limit was found */
export function improve(problem: ChoiceProblem): Choice {
  const { limit = Number.POSITIVE_INFINITY } = problem;
  const random = new WordStream([1, 2]);
  const first = problem.unary.map((costs) => costs.indexOf(costs.reduce((a, b) => Math.min(a, b))));
  const none = problem.unary.map(() => 0); // the first strategy cuts nothing
  let price = 0;
  for (let i = 0; i < PRICES; i++) {
    const found = [none, first].map((start) => improved(problem, start, price, random));
    const fitting = found.filter((values) => useOf(problem, values) <= limit);
    if (fitting.length > 0) {
      const values = fitting.reduce((a, b) => (costOf(problem, b) < costOf(problem, a) ? b : a));
      return { values, cost: costOf(problem, values), used: useOf(problem, values), optimal: false };
    }
    price = price === 0 ? (costOf(problem, found[0]) + 1e-9) / limit / 64 : price * 2;
  }
  throw new ValueError("no sharding was found that keeps to the memory of a device");
}

function improved(
  problem: ChoiceProblem,
  start: readonly number[],
  price: number,
  random: WordStream,
): number[] {
  const total = (values: readonly number[]): number =>
    costOf(problem, values) + price * useOf(problem, values);
  let values = [...start];
  let cost = total(values);
  for (let idle = 0; idle < PATIENCE; idle++) {
    const next = around(problem, values, price, random);
    const better = total(next);
    if (better < cost * (1 - 1e-9)) idle = -1;
    if (better <= cost) [values, cost] = [next, better];
  }
  return values;
}

/** The best values for all variables but a few, which stay: random ones out of what is too wide, until it is not. */
function around(
  problem: ChoiceProblem,
  values: readonly number[],
  price: number,
  random: WordStream,
): number[] {
  const sizes = problem.unary.map(({ length }) => length);
  for (let wide = tooWide(problem, sizes, MOST_ENTRIES); wide; wide = tooWide(problem, sizes, MOST_ENTRIES)) {
    const free = wide.filter((i) => sizes[i] > 1);
    sizes[free[Math.floor((random.next() / 2 ** 32) * free.length)]] = 1;
  }
  const fixed = sizes.map((size, i) => size === 1 && problem.unary[i].length > 1);
  const part = restricted(problem, values, fixed);
  const found = eliminate(part, price, MOST_ENTRIES) as number[];
  return found.map((value, i) => (fixed[i] ? values[i] : value));
}

/** The problem in which some variables have their present value only. */
function restricted(
  { unary, pairs, use }: ChoiceProblem,
  values: readonly number[],
  fixed: readonly boolean[],
): ChoiceProblem {
  const narrow = (costs: Float64Array, i: number): Float64Array =>
    fixed[i] ? costs.slice(values[i], values[i] + 1) : costs;
  return {
    unary: unary.map(narrow),
    use: use?.map(narrow),
    pairs: pairs.map(({ u, v, costs }) => {
      const columns = unary[v].length;
      const rows = fixed[u] ? [values[u]] : Array.from(unary[u].keys());
      const wanted = fixed[v] ? [values[v]] : Array.from(unary[v].keys());
      if (!fixed[u] && !fixed[v]) return { u, v, costs };
      return {
        u,
        v,
        costs: Float64Array.from(
          rows.flatMap((row) => wanted.map((column) => costs[row * columns + column])),
        ),
      };
    }),
  };
}
