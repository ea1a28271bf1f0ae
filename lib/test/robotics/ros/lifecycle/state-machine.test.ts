import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import {
  LIFECYCLE_STATES,
  LifecycleStateMachine,
  TRANSITIONS,
} from "../../../../src/robotics/ros/lifecycle/state-machine.js";

/** Made by transitions.py. */
const rclpy = JSON.parse(readFileSync(new URL("./transitions.json", import.meta.url), "utf8")) as {
  states: [number, string][];
  transitions: { id: number; label: string; startId: number; start: string; goalId: number; goal: string }[];
};

describe("a managed node's states", () => {
  it("are rclpy's, with their numbers", () => {
    expect(Object.entries(LIFECYCLE_STATES).map(([name, id]) => [id, name])).toEqual(rclpy.states);
  });

  it("have rclpy's transitions, with their numbers, labels and order", () => {
    expect(
      TRANSITIONS.map(({ start, goal, ...rest }) => ({
        ...{ ...rest, startId: LIFECYCLE_STATES[start], start, goalId: LIFECYCLE_STATES[goal], goal },
      })),
    ).toEqual(rclpy.transitions);
  });

  it("are left by number or label, and only where such a transition starts", () => {
    const seen: string[] = [];
    const machine = new LifecycleStateMachine("/lidar", ({ start, goal }) => seen.push(`${start}>${goal}`));
    machine.take("configure");
    machine.take("transition_success");
    machine.take(3);
    expect(machine.state).toBe("activating");
    expect(() => machine.take("configure")).toThrow(
      '/lidar: no transition "configure" from state activating; possible: transition_success (30), transition_failure (31), transition_error (32)',
    );
    machine.take("transition_error");
    machine.take(61);
    expect(machine.state).toBe("finalized");
    expect(() => machine.take(1)).toThrow("no transition 1 from state finalized; none is possible");
    expect(seen.slice(0, 2)).toEqual(["unconfigured>configuring", "configuring>inactive"]);
  });
});
