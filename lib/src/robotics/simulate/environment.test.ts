import { describe, expect, it } from "vitest";
import { NavigationEnvironment } from "./environment.js";
import { room } from "./generate.js";
import { TURTLEBOT } from "./robot.js";

const world = room({ things: 4, seed: 1 });

describe("the navigation environment", () => {
  it("gives observations within its space, and the same episode for the same seed", () => {
    const environment = new NavigationEnvironment({ world, robot: TURTLEBOT, beams: 12 });
    const play = (seed: number): number[][] => {
      const seen = [[...environment.reset({ seed })]];
      for (let i = 0; i < 40; i++) {
        const { observation, reward, terminated, truncated } = environment.step([Math.sin(i), Math.cos(i)]);
        seen.push([...observation, reward]);
        if (terminated || truncated) break;
      }
      return seen;
    };
    const first = play(3);
    const { low, high } = environment.observationSpace;
    expect(low).toHaveLength(17);
    for (const observation of first)
      for (let i = 0; i < 17; i++) {
        expect(observation[i]).toBeGreaterThanOrEqual(low[i]);
        expect(observation[i]).toBeLessThanOrEqual(high[i]);
      }
    expect(play(3)).toEqual(first);
    expect(play(4)).not.toEqual(first);
  });

  it("pays for the way to the goal, and ends there", () => {
    const open = room({ width: 6, height: 4 });
    const environment = new NavigationEnvironment({
      world: open,
      start: { x: 1, y: 2, theta: 0 },
      goal: { x: 2.99, y: 2 },
    });
    environment.reset();
    let total = 0;
    for (let i = 0; i < 100; i++) {
      const { reward, terminated, info } = environment.step([0.5, 0]);
      total += reward;
      if (!terminated) continue;
      expect(info).toMatchObject({ reached: true, collided: false });
      // 34 actions of 0.05 m to within 0.3 m of the goal
      expect(total).toBeCloseTo(10 + 1.7 - 0.01 * 34, 9);
      expect(() => environment.step([0, 0])).toThrow("the episode is over: call reset");
      return;
    }
    throw new Error("the goal was not reached");
  });

  it("punishes collisions, and cuts long episodes short", () => {
    const options = { world, start: { x: 4, y: 3, theta: 0 }, goal: { x: 1, y: 1 } };
    const environment = new NavigationEnvironment({ ...options, maxActions: 200 });
    environment.reset();
    let outcome = environment.step([1, 0]);
    while (!outcome.terminated) outcome = environment.step([1, 0]);
    expect(outcome.info).toMatchObject({ collided: true });
    expect(outcome.reward).toBeLessThan(-4.8);
    const short = new NavigationEnvironment({ ...options, maxActions: 2 });
    short.reset();
    expect(short.step([0, 0]).truncated).toBe(false);
    expect(short.step([0, 0]).truncated).toBe(true);
  });

  it("lets planners try and go back", () => {
    const environment = new NavigationEnvironment({ world, robot: TURTLEBOT });
    environment.reset({ seed: 5 });
    const kept = environment.snapshot();
    const tried = environment.step([1, 1]);
    environment.step([-1, 0]);
    environment.restore(kept);
    expect(environment.step([1, 1])).toEqual(tried);
  });

  it("has numbered actions for learned planners", () => {
    const start = { x: 1, y: 2, theta: 0 };
    const open = room({ width: 6, height: 4 });
    const task = new NavigationEnvironment({ world: open, start, goal: { x: 4, y: 2 } }).numbered();
    expect([task.actions, task.observationSize]).toEqual([5, 29]);
    const run = (action: number) => {
      task.reset(1);
      for (;;) {
        const { done, outcome } = task.step(action);
        if (done) return outcome;
        expect(outcome).toBeUndefined();
      }
    };
    expect(run(2)).toBe("success");
    expect(run(4)).toBe("timeout"); // circles
    const wall = new NavigationEnvironment({ world: open, start, goal: { x: 1, y: 1 } }).numbered([[1, 0]]);
    wall.reset(1);
    let step = wall.step(0);
    while (!step.done) step = wall.step(0);
    expect(step.outcome).toBe("failure");
    expect(() => wall.step(1)).toThrow("actions are 0 … 0, got 1");
  });

  it("makes a new world for each episode, and refuses what is no action", () => {
    const environment = new NavigationEnvironment({ world: (seed) => room({ things: 3, seed }) });
    expect(() => environment.step([0, 0])).toThrow("there is no episode yet: call reset first");
    environment.reset({ seed: 1 });
    const before = environment.simulation.world.spec;
    environment.reset({ seed: 2 });
    expect(environment.simulation.world.spec).not.toEqual(before);
    expect(() => environment.step([1])).toThrow("an action is two numbers in [−1, 1], got [1]");
  });
});
