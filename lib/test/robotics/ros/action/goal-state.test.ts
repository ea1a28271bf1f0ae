import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import {
  codeOf,
  GOAL_STATUSES,
  type GoalEvent,
  GoalState,
  type GoalStatus,
  isActive,
  statusAfter,
  statusOf,
} from "../../../../src/robotics/ros/action/goal-state.js";

/** Made by goal_states.py. */
const rcl = JSON.parse(readFileSync(new URL("./goal_states.json", import.meta.url), "utf8")) as {
  events: GoalEvent[];
  next: number[][];
};

describe("a goal's status", () => {
  it("changes as rcl_action's does, for each status and event", () => {
    for (const status of GOAL_STATUSES)
      rcl.events.forEach((event, i) => {
        const expected = rcl.next[codeOf(status)][i];
        expect(statusAfter(status, event), `${status} ${event}`).toBe(
          expected === 0 ? null : statusOf(expected),
        );
      });
  });

  it("has the codes of action_msgs/msg/GoalStatus", () => {
    expect(GOAL_STATUSES.map(codeOf)).toEqual([0, 1, 2, 3, 4, 5, 6]);
    expect(statusOf(4)).toBe("succeeded");
    expect(statusOf(99)).toBe("unknown");
    expect(GOAL_STATUSES.filter(isActive)).toEqual(["accepted", "executing", "canceling"]);
  });

  it("tells each change, and refuses what is not possible, saying what is", () => {
    const seen: GoalStatus[] = [];
    const state = new GoalState("goal 1 of /my_sum", (status) => seen.push(status));
    expect(() => state.apply("succeed")).toThrow(
      'goal 1 of /my_sum: "succeed" is not possible while it is accepted; possible: execute, cancel_goal',
    );
    state.apply("execute");
    state.apply("cancel_goal");
    expect(state.isCancelable).toBe(false);
    state.apply("canceled");
    expect(() => state.apply("abort")).toThrow('"abort" is not possible while it is canceled; it is over');
    expect(seen).toEqual(["executing", "canceling", "canceled"]);
    expect(state.isActive).toBe(false);
  });
});
