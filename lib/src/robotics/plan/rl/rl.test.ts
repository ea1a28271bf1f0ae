import { describe, expect, it } from "vitest";
import { robotics } from "../../../index.js";

const { plan } = robotics;
const seeds = Array.from({ length: 40 }, (_, i) => 50_000 + i);

/** Which of two levers pays is seen for one step only, as the sign of a number. */
class Lever implements robotics.plan.Pomdp {
  readonly observationSize = 2;
  readonly actions = 2;
  private side = 0;
  reset(seed: number): Float64Array {
    this.side = seed % 2;
    return Float64Array.of(this.side === 0 ? -1 : 1, 1);
  }
  step(action: number): robotics.plan.PomdpStep {
    const good = action === this.side;
    return {
      observation: new Float64Array(2),
      reward: good ? 1 : 0,
      done: true,
      outcome: good ? "success" : "failure",
    };
  }
}

describe("learned local planning", () => {
  it("a world is the same for the same seed, and the teacher, who knows the map, gets through", () => {
    const world = new plan.LocalPlanning();
    expect(world.reset(7)).toEqual(new plan.LocalPlanning().reset(7));
    expect(plan.successRate(world, () => world.teacher(), seeds)).toBeGreaterThan(0.9);
    expect(() => world.step(5)).toThrow("actions are 0 … 4, got 5");
  });

  it("a student that sees the lidar alone learns from the teacher", () => {
    const world = new plan.LocalPlanning();
    const student = new plan.PolicyPlanner(world.observationSize, world.actions, { seed: 1 });
    const before = plan.successRate(world, student.act, seeds);
    const losses = plan.cloneTeacher(student, world, () => world.teacher(), {
      episodes: 25,
      rounds: 3,
      epochs: 8,
      seed: 1,
    });
    const after = plan.successRate(world, student.act, seeds); // worlds that it has not seen
    expect(before).toBeLessThan(0.2);
    expect(after).toBeGreaterThan(0.65);
    expect(losses.at(-1)).toBeLessThan(1);
  });

  it("policy gradients find the lever that pays", () => {
    const student = new plan.PolicyPlanner(2, 2, { hidden: 8, seed: 3 });
    const rewards = plan.reinforce(student, new Lever(), { updates: 60, episodes: 16, learningRate: 0.02 });
    expect(rewards.at(-1)).toBeGreaterThan(0.85);
    expect(plan.successRate(new Lever(), student.act, [1, 2, 3, 4])).toBe(1);
  });

  it("names a policy that does not fit", () => {
    const student = new plan.PolicyPlanner(3, 2);
    expect(() => plan.reinforce(student, new Lever())).toThrow(
      "the policy takes 3 numbers to 2 actions, the process has 2 and 2",
    );
    const endless: robotics.plan.Pomdp = {
      observationSize: 1,
      actions: 1,
      reset: () => new Float64Array(1),
      step: () => ({ observation: new Float64Array(1), reward: 0, done: false }),
    };
    expect(plan.runEpisode(endless, () => 0, 1, 5)).toMatchObject({
      outcome: "timeout",
      actions: [0, 0, 0, 0, 0],
    });
  });
});
