/** Actions over the in-process graph. */
import { describe, expect, it } from "vitest";
import { FeedbackStream } from "../../../../src/robotics/ros/action/feedback-stream.js";
import { graphSubject, withNodes } from "../subjects.js";
import { actionCases } from "./cases.js";

describe("actions", () => {
  actionCases(graphSubject);

  it("need a function that does the work, and a sensible time limit", () =>
    withNodes(graphSubject, async ({ near }) => {
      const { action } = await import("../../../../src/robotics/ros/interfaces/registry.js");
      const MySum = action("my_interfaces/action/MySum");
      expect(() => near.createActionServer(MySum, "my_sum", {} as never)).toThrow(
        'action server my_sum: a function "execute" is expected',
      );
      const wrong = { execute: () => {}, resultTimeout: -1 };
      expect(() => near.createActionServer(MySum, "my_sum", wrong)).toThrow("resultTimeout is -1");
    }));
});

describe("FeedbackStream", () => {
  it("hands on to waiting loops first, and ends them", async () => {
    const stream = new FeedbackStream<number>(2);
    const waiting = [stream.next(), stream.next(), stream.next()];
    stream.push(1);
    stream.push(2);
    stream.end();
    stream.push(3);
    expect(await Promise.all(waiting)).toEqual([
      { done: false, value: 1 },
      { done: false, value: 2 },
      { done: true, value: undefined },
    ]);
  });

  it("collects no more once its loop is left", async () => {
    const stream = new FeedbackStream<number>(2);
    stream.push(1);
    for await (const _ of stream) break;
    stream.push(2);
    expect(await stream.next()).toEqual({ done: true, value: undefined });
  });
});
