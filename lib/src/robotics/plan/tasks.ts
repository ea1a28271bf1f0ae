/**
 * Task planning (任务规划): which actions, in which order, lead to a goal. States are sets of facts, actions have conditions, and make facts
 * true and false (STRIPS; Fikes & Nilsson 1971). Searched forward by A* with the costs of a plan that forgets what actions make false.
 */
import { ValueError } from "../../core/errors.js";

/** A fact: a predicate and its objects, `at robot kitchen`. */
export type Fact = string;

/** A schema; words that start with `?` are parameters: `move ?from ?to`. */
export interface TaskAction {
  /** Name and parameters: `move ?from ?to`. */
  readonly name: string;
  /** Type of each parameter, by its name; those left out take any object. */
  readonly types?: Readonly<Record<string, string>>;
  /** Facts that must hold; those that start with `not ` must not. */
  readonly needs: readonly Fact[];
  readonly makes: readonly Fact[];
  /** Facts that no longer hold. */
  readonly ends?: readonly Fact[];
  /** Above 0. Default 1. */
  readonly cost?: number;
}

export interface TaskProblem {
  /** Objects by their type. */
  readonly objects: Readonly<Record<string, readonly string[]>>;
  readonly actions: readonly TaskAction[];
  readonly start: readonly Fact[];
  /** Facts that shall hold; those that start with `not ` shall not. */
  readonly goal: readonly Fact[];
}

export interface TaskOptions {
  /**
   * "max": admissible, the plan is the cheapest; "add": sees further, the plan may cost more; "none": Dijkstra. Default "max".
   */
  readonly heuristic?: "max" | "add" | "none";
  /** States looked at before the search gives up. Default 200,000. */
  readonly maxStates?: number;
}

export interface TaskPlan {
  /** Actions with their objects, `move hall kitchen`; `null` if no plan exists. */
  readonly steps: readonly string[] | null;
  readonly cost: number;
  readonly expanded: number;
}

/** An action with its objects; facts as numbers. */
interface Grounded {
  readonly name: string;
  readonly needs: readonly number[];
  readonly forbids: readonly number[];
  readonly makes: readonly number[];
  readonly ends: readonly number[];
  readonly cost: number;
}

/**
 * A plan for a task.
 * @throws ValueError for an undeclared object or type, a parameter without meaning, or a search that takes too long
 * @example
 * plan.planTask({
 *   objects: { room: ["hall", "kitchen"] },
 *   actions: [{ name: "move ?a ?b", types: { "?a": "room", "?b": "room" }, needs: ["at ?a"], makes: ["at ?b"], ends: ["at ?a"] }],
 *   start: ["at hall"],
 *   goal: ["at kitchen"],
 * }).steps?.[0] // move hall kitchen
 */
export function planTask(
  problem: TaskProblem,
  { heuristic = "max", maxStates = 200_000 }: TaskOptions = {},
): TaskPlan {
  const numbers = new Map<Fact, number>();
  const numberOf = (fact: Fact): number => {
    const found = numbers.get(fact) ?? numbers.size;
    numbers.set(fact, found);
    return found;
  };
  const objects = new Set(Object.values(problem.objects).flat());
  for (const fact of [...problem.start, ...problem.goal]) checkFact(fact, objects);
  const actions = problem.actions.flatMap((action) => [...ground(action, problem, objects, numberOf)]);
  const [goal, avoid] = parted(problem.goal, numberOf);
  const start = new Set(problem.start.map((fact) => numberOf(clean(fact))));
  const keyOf = (state: ReadonlySet<number>): string => [...state].sort((a, b) => a - b).join();
  const estimate =
    heuristic === "none"
      ? () => 0
      : (state: ReadonlySet<number>) => relaxedCost(state, goal, actions, heuristic === "add");

  const costs = new Map<string, number>([[keyOf(start), 0]]);
  const from = new Map<string, { readonly key: string; readonly name: string }>();
  const open = new Queue<{
    readonly state: ReadonlySet<number>;
    readonly key: string;
    readonly cost: number;
  }>();
  open.push(estimate(start), { state: start, key: keyOf(start), cost: 0 });
  let expanded = 0;
  for (let node = open.pop(); node; node = open.pop()) {
    const { state, key, cost } = node;
    if (cost > (costs.get(key) as number)) continue;
    if (goal.every((fact) => state.has(fact)) && !avoid.some((fact) => state.has(fact))) {
      const steps: string[] = [];
      for (let at = from.get(key); at; at = from.get(at.key)) steps.push(at.name);
      return { steps: steps.reverse(), cost, expanded };
    }
    if (++expanded > maxStates)
      throw new ValueError(
        `planTask: ${maxStates} states looked at without an answer; raise maxStates or try the heuristic "add"`,
      );
    for (const action of actions) {
      if (!action.needs.every((fact) => state.has(fact)) || action.forbids.some((fact) => state.has(fact)))
        continue;
      const next = new Set(state);
      for (const fact of action.ends) next.delete(fact);
      for (const fact of action.makes) next.add(fact);
      const nextKey = keyOf(next);
      const nextCost = cost + action.cost;
      if (!(nextCost < (costs.get(nextKey) ?? Number.POSITIVE_INFINITY))) continue;
      const rest = estimate(next);
      if (rest === Number.POSITIVE_INFINITY) continue; // no way on, not even without ends
      costs.set(nextKey, nextCost);
      from.set(nextKey, { key, name: action.name });
      open.push(nextCost + rest, { state: next, key: nextKey, cost: nextCost });
    }
  }
  return { steps: null, cost: Number.POSITIVE_INFINITY, expanded };
}

const clean = (fact: Fact): Fact => fact.trim().split(/\s+/).join(" ");

/** Facts that must hold, and those behind `not`. */
function parted(facts: readonly Fact[], numberOf: (fact: Fact) => number): [number[], number[]] {
  const plain = facts.map(clean);
  return [
    plain.filter((fact) => !fact.startsWith("not ")).map(numberOf),
    plain.filter((fact) => fact.startsWith("not ")).map((fact) => numberOf(fact.slice(4))),
  ];
}

/** @throws ValueError if a fact speaks of an object that was not declared */
function checkFact(fact: Fact, objects: ReadonlySet<string>): void {
  const words = clean(fact).replace(/^not /, "").split(" ").slice(1);
  const unknown = words.find((word) => !objects.has(word));
  if (unknown) throw new ValueError(`planTask: "${fact}" speaks of ${unknown}, which is no declared object`);
}

/** An action with every choice of objects. */
function* ground(
  { name, types = {}, needs, makes, ends = [], cost = 1 }: TaskAction,
  { objects }: TaskProblem,
  known: ReadonlySet<string>,
  numberOf: (fact: Fact) => number,
): Generator<Grounded> {
  if (!(cost > 0)) throw new ValueError(`planTask: action "${name}" costs ${cost}; costs are above 0`);
  const parameters = clean(name).split(" ").slice(1);
  for (const [parameter, type] of Object.entries(types))
    if (!parameters.includes(parameter) || !(type in objects))
      throw new ValueError(
        `planTask: action "${name}" has no parameter ${parameter}, or there is no type ${type}`,
      );
  for (const fact of [...needs, ...makes, ...ends])
    for (const word of clean(fact).split(" "))
      if (word.startsWith("?") && !parameters.includes(word))
        throw new ValueError(`planTask: action "${name}" speaks of ${word}, which is no parameter of it`);
  const choices = parameters.map((p) => (types[p] === undefined ? [...known] : objects[types[p]]));
  for (const choice of combinations(choices)) {
    const replaced = (text: string): string =>
      clean(text)
        .split(" ")
        .map((word) => (word.startsWith("?") ? choice[parameters.indexOf(word)] : word))
        .join(" ");
    const facts = needs.map(replaced);
    for (const fact of [...facts, ...makes.map(replaced), ...ends.map(replaced)]) checkFact(fact, known);
    const [must, mustNot] = parted(facts, numberOf);
    yield {
      name: replaced(name),
      needs: must,
      forbids: mustNot,
      makes: makes.map((fact) => numberOf(replaced(fact))),
      ends: ends.map((fact) => numberOf(replaced(fact))),
      cost,
    };
  }
}

function* combinations(choices: readonly (readonly string[])[]): Generator<string[]> {
  if (choices.length === 0) {
    yield [];
    return;
  }
  for (const first of choices[0]) for (const rest of combinations(choices.slice(1))) yield [first, ...rest];
}

/**
 * What the goal costs if no fact ever ends: of several conditions the dearest counts ("max": never too much) or their sum
 * ("add") (Bonet & Geffner 2001).
 */
function relaxedCost(
  state: ReadonlySet<number>,
  goal: readonly number[],
  actions: readonly Grounded[],
  add: boolean,
): number {
  const costs = new Map<number, number>([...state].map((fact) => [fact, 0]));
  const together = (facts: readonly number[]): number => {
    let whole = 0;
    for (const fact of facts) {
      const cost = costs.get(fact) ?? Number.POSITIVE_INFINITY;
      whole = add ? whole + cost : Math.max(whole, cost);
    }
    return whole;
  };
  for (let changed = true; changed; ) {
    changed = false;
    for (const action of actions) {
      const cost = together(action.needs) + action.cost;
      if (cost === Number.POSITIVE_INFINITY) continue;
      for (const fact of action.makes) {
        if (cost >= (costs.get(fact) ?? Number.POSITIVE_INFINITY)) continue;
        costs.set(fact, cost);
        changed = true;
      }
    }
  }
  return together(goal);
}

/** A binary heap; of equal keys the last pushed comes first. */
class Queue<T> {
  private readonly items: { readonly key: number; readonly order: number; readonly item: T }[] = [];
  private pushed = 0;

  push(key: number, item: T): void {
    const { items } = this;
    items.push({ key, order: -this.pushed++, item });
    for (let at = items.length - 1; at > 0; ) {
      const parent = (at - 1) >> 1;
      if (!this.before(at, parent)) break;
      [items[at], items[parent]] = [items[parent], items[at]];
      at = parent;
    }
  }

  pop(): T | undefined {
    const { items } = this;
    const least = items[0];
    const last = items.pop();
    if (items.length > 0 && last) {
      items[0] = last;
      for (let at = 0; ; ) {
        let child = 2 * at + 1;
        if (child >= items.length) break;
        if (child + 1 < items.length && this.before(child + 1, child)) child++;
        if (!this.before(child, at)) break;
        [items[at], items[child]] = [items[child], items[at]];
        at = child;
      }
    }
    return least?.item;
  }

  private before(a: number, b: number): boolean {
    const [x, y] = [this.items[a], this.items[b]];
    return x.key < y.key || (x.key === y.key && x.order < y.order);
  }
}
