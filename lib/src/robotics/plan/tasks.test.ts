import { describe, expect, it } from "vitest";
import { robotics } from "../../index.js";

const { plan } = robotics;
type TaskProblem = robotics.plan.TaskProblem;

/** Blocks on a table. `on` says what stands on what from the bottom up. */
function blocks(names: readonly string[], start: readonly string[][], goal: readonly string[]): TaskProblem {
  const facts = start.flatMap((stack) => [
    `table ${stack[0]}`,
    `clear ${stack[stack.length - 1]}`,
    ...stack.slice(1).map((block, i) => `on ${block} ${stack[i]}`),
  ]);
  return {
    objects: { block: names },
    actions: [
      {
        name: "pick ?x",
        needs: ["clear ?x", "table ?x", "not busy"],
        makes: ["held ?x", "busy"],
        ends: ["clear ?x", "table ?x"],
      },
      { name: "put ?x", needs: ["held ?x"], makes: ["clear ?x", "table ?x"], ends: ["held ?x", "busy"] },
      {
        name: "stack ?x ?y",
        needs: ["held ?x", "clear ?y"],
        makes: ["clear ?x", "on ?x ?y"],
        ends: ["held ?x", "busy", "clear ?y"],
      },
      {
        name: "unstack ?x ?y",
        needs: ["on ?x ?y", "clear ?x", "not busy"],
        makes: ["held ?x", "clear ?y", "busy"],
        ends: ["on ?x ?y", "clear ?x"],
      },
    ],
    start: facts,
    goal,
  };
}

/** Whether steps lead from the start to the goal, by a look at the facts alone. */
function follows({ actions, start, goal }: TaskProblem, steps: readonly string[]): boolean {
  const facts = new Set(start);
  const holds = (fact: string): boolean =>
    fact.startsWith("not ") ? !facts.has(fact.slice(4)) : facts.has(fact);
  for (const step of steps) {
    const [name, ...objects] = step.split(" ");
    const action = actions.find((each) => each.name.split(" ")[0] === name) as robotics.plan.TaskAction;
    const parameters = action.name.split(" ").slice(1);
    const filled = (fact: string): string =>
      parameters.reduce((text, p, i) => text.replaceAll(p, objects[i]), fact);
    if (!action.needs.map(filled).every(holds)) return false;
    for (const fact of action.ends ?? []) facts.delete(filled(fact));
    for (const fact of action.makes) facts.add(filled(fact));
  }
  return goal.every(holds);
}

describe("task planning", () => {
  it("solves Sussman's anomaly in its six steps, with each heuristic", () => {
    const problem = blocks(["a", "b", "c"], [["a", "c"], ["b"]], ["on a b", "on b c"]);
    const found = (["max", "none", "add"] as const).map((heuristic) => plan.planTask(problem, { heuristic }));
    for (const { steps } of found) expect(follows(problem, steps as string[])).toBe(true);
    expect([found[0].cost, found[1].cost]).toEqual([6, 6]);
    expect(found[0].steps?.[0]).toBe("unstack c a");
    expect(found[0].expanded).toBeLessThan(found[1].expanded);
    expect(found[2].expanded).toBeLessThan(found[1].expanded);
  });

  it("turns a tower of four around", () => {
    const problem = blocks(["a", "b", "c", "d"], [["a", "b", "c", "d"]], ["on a b", "on b c", "on c d"]);
    const { steps, cost } = plan.planTask(problem, { heuristic: "add" });
    expect(follows(problem, steps as string[])).toBe(true);
    expect(cost).toBe(8); // every block but one is moved twice at most: 4 unstacked or picked, 4 put down
  });

  it("counts costs: the long way round where the door is dear", () => {
    const rooms = ["a", "b", "c"];
    const move = (from: string, to: string, cost: number): robotics.plan.TaskAction => ({
      name: `go-${from}-${to}`,
      needs: [`at ${from}`],
      makes: [`at ${to}`],
      ends: [`at ${from}`],
      cost,
    });
    const problem = {
      objects: { room: rooms },
      actions: [move("a", "c", 5), move("a", "b", 2), move("b", "c", 2)],
      start: ["at a"],
      goal: ["at c", "not at a"],
    };
    expect(plan.planTask(problem)).toMatchObject({ cost: 4, steps: ["go-a-b", "go-b-c"] });
  });

  it("says when there is no plan, and what is wrong with a problem", () => {
    const problem = blocks(["a", "b"], [["a"], ["b"]], ["on a b", "on b a"]);
    expect(plan.planTask(problem).steps).toBeNull();
    expect(() =>
      plan.planTask(blocks(["a", "b", "c"], [["a"], ["b"], ["c"]], ["on a b", "on b c"]), {
        maxStates: 1,
        heuristic: "none",
      }),
    ).toThrow(/1 states looked at/);
    expect(() => plan.planTask({ ...problem, goal: ["on a z"] })).toThrow(
      '"on a z" speaks of z, which is no declared object',
    );
    expect(() =>
      plan.planTask({ ...problem, actions: [{ name: "do ?x", needs: ["clear ?y"], makes: [] }] }),
    ).toThrow("speaks of ?y, which is no parameter");
    expect(() =>
      plan.planTask({
        ...problem,
        actions: [{ name: "do ?x", types: { "?x": "cup" }, needs: [], makes: [] }],
      }),
    ).toThrow(/there is no type cup/);
  });
});
