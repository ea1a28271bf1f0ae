/** What actions do on every host. */
import { expect, it } from "vitest";
import { getActionNamesAndTypes } from "../../../../src/robotics/ros/action/graph.js";
import type { ServerGoal } from "../../../../src/robotics/ros/action/server-goal.js";
import { action, msg, srv } from "../../../../src/robotics/ros/interfaces/registry.js";
import { Executor } from "../../../../src/robotics/ros/node/executor.js";
import type { Node } from "../../../../src/robotics/ros/node/node.js";
import { Time } from "../../../../src/robotics/ros/node/time.js";
import { VirtualTime } from "../../../../src/robotics/ros/node/time-base.js";
import { type Subject, until } from "../harness.js";
import { withNodes } from "../subjects.js";

const MySum = action("my_interfaces/action/MySum");
type Goal = ServerGoal<{ list: Int32Array }, { sum: number }, { sum_so_far: number }>;

/** The book's server. */
async function addUp(goal: Goal) {
  let sum = 0;
  for (const value of goal.request.list) {
    if (goal.isCancelRequested) return goal.canceled({ sum });
    sum += value;
    goal.publishFeedback({ sum_so_far: sum });
    await Promise.resolve();
  }
  return goal.succeed({ sum });
}

async function all<T>(items: AsyncIterable<T>): Promise<T[]> {
  const list: T[] = [];
  for await (const item of items) list.push(item);
  return list;
}

/** A server whose goals stay under way until they are let go; and a client that knows it. */
async function held(
  near: Node,
  far: Node,
  more: { onCancel?: (goal: Goal) => boolean | Promise<boolean> } = {},
) {
  const started: Goal[] = [];
  let letGo!: () => void;
  const gate = new Promise<void>((resolve) => {
    letGo = resolve;
  });
  const server = near.createActionServer(MySum, "my_sum", {
    onCancel: () => true,
    ...more,
    async execute(goal) {
      started.push(goal);
      await Promise.race([gate, new Promise((resolve) => goal.signal.addEventListener("abort", resolve))]);
      return goal.isCancelRequested ? goal.canceled({ sum: -1 }) : goal.succeed({ sum: 1 });
    },
  });
  const client = far.createActionClient(MySum, "my_sum");
  await client.waitForServer();
  return { server, client, started, letGo };
}

export function actionCases(subject: Subject): void {
  it("sums 1 2 3: feedback 1, 3, 6, result 6, as the book's", () =>
    withNodes(subject, async ({ near, far, failures, logs }) => {
      near.createActionServer(MySum, "my_sum", { execute: addUp });
      const client = far.createActionClient(MySum, "my_sum");
      const goal = await client.sendGoal({ list: [1, 2, 3] });
      expect((await all(goal.feedback)).map(({ sum_so_far }) => sum_so_far)).toEqual([1, 3, 6]);
      expect(await goal.result).toEqual({ status: "succeeded", result: { sum: 6 } });
      expect(goal.status).toBe("succeeded");
      expect([failures, logs]).toEqual([[], []]);
    }));

  it("keeps feedback from before the loop began, as much as it is told to", () =>
    withNodes(subject, async ({ near, far }) => {
      near.createActionServer(MySum, "my_sum", { execute: addUp });
      const client = far.createActionClient(MySum, "my_sum");
      const seen: number[] = [];
      const list = Array.from({ length: 50 }, () => 1);
      const goal = await client.sendGoal(
        { list },
        { feedbackDepth: 8, onFeedback: ({ sum_so_far }) => seen.push(sum_so_far) },
      );
      await goal.result;
      expect((await all(goal.feedback)).map(({ sum_so_far }) => sum_so_far)).toEqual([
        ...[43, 44, 45, 46, 47, 48, 49, 50],
      ]);
      expect(goal.feedback.dropped).toBe(42);
      expect(seen).toEqual(list.map((_, i) => i + 1));
      for await (const _ of goal.feedback) expect.unreachable();
    }));

  it("cancels in the middle, and the result tells how far it came", () =>
    withNodes(subject, async ({ near, far }) => {
      near.createActionServer(MySum, "my_sum", {
        onCancel: () => true,
        async execute(goal) {
          let sum = 0;
          for (const value of goal.request.list) {
            if (goal.isCancelRequested) return goal.canceled({ sum });
            sum += value;
            goal.publishFeedback({ sum_so_far: sum });
            if (value === 2)
              await new Promise<void>((resolve) => goal.signal.addEventListener("abort", () => resolve()));
          }
          return goal.succeed({ sum });
        },
      });
      const client = far.createActionClient(MySum, "my_sum");
      const goal = await client.sendGoal({ list: [1, 2, 3] }, { timeout: 30 }); // to tell where it hangs
      const sums: number[] = [];
      for await (const { sum_so_far } of goal.feedback) {
        sums.push(sum_so_far);
        if (sum_so_far < 3) continue;
        expect(await goal.cancel({ timeout: 30 })).toEqual({ code: "none", goals: [goal.goalId] });
      }
      expect(sums).toEqual([1, 3]);
      expect(await goal.result).toEqual({ status: "canceled", result: { sum: 3 } });
      expect(await goal.cancel()).toEqual({ code: "goal_terminated", goals: [] });
    }));

  it("does not cancel unless the server says so, nor what it does not know", () =>
    withNodes(subject, async ({ near, far }) => {
      const { client, letGo } = await held(near, far, { onCancel: () => false });
      const goal = await client.sendGoal({ list: [] });
      expect(await goal.cancel()).toEqual({ code: "rejected", goals: [] });
      expect(await client.cancelAll()).toEqual({ code: "rejected", goals: [] });
      letGo();
      expect((await goal.result).status).toBe("succeeded");
      expect(await client.cancelAll()).toEqual({ code: "none", goals: [] }); // nothing to cancel is no error
      const cancel = far.createClient(srv("action_msgs/srv/CancelGoal"), "my_sum/_action/cancel_goal");
      const unknown = { goal_info: { goal_id: { uuid: new Uint8Array(16).fill(7) } } };
      expect(await cancel.call(unknown)).toEqual({ return_code: 2, goals_canceling: [] });
    }));

  it("cancels by time of acceptance, by id, and by both", () =>
    withNodes(
      subject,
      async ({ near, far }) => {
        const time = near.time as VirtualTime;
        const { client } = await held(near, far);
        const goals = [];
        for (let i = 0; i < 4; i++) {
          goals.push(await client.sendGoal({ list: [i] }));
          await time.advance(1);
        }
        const [first, second, third, fourth] = goals.map(({ goalId }) => goalId);
        expect(goals.map(({ acceptedAt }) => acceptedAt.seconds)).toEqual([1000, 1001, 1002, 1003]);
        expect(await client.cancelBefore(Time.fromSeconds(1001))).toEqual({
          code: "none",
          goals: [first, second],
        });
        const cancel = far.createClient(srv("action_msgs/srv/CancelGoal"), "my_sum/_action/cancel_goal");
        const both = await cancel.call({
          goal_info: { goal_id: { uuid: bytesOf(fourth) }, stamp: { sec: 1001, nanosec: 0 } },
        });
        expect(both.goals_canceling.map(({ goal_id }) => goal_id.uuid)).toEqual([bytesOf(fourth)]);
        expect(await client.cancelAll()).toEqual({ code: "none", goals: [third] });
        const results = await Promise.all(goals.map(({ result }) => result));
        expect(results.map(({ status }) => status)).toEqual(["canceled", "canceled", "canceled", "canceled"]);
      },
      { near: { time: new VirtualTime(1000) } },
    ));

  it("rejects goals, also when the callback that decides throws", () =>
    withNodes(subject, async ({ near, far, failures }) => {
      near.createActionServer(MySum, "my_sum", {
        execute: addUp,
        onGoal({ list }) {
          if (list.length === 1) throw new Error("no idea");
          return list.length > 2 ? "reject" : "accept";
        },
      });
      const client = far.createActionClient(MySum, "my_sum");
      await expect(client.sendGoal({ list: [1, 2, 3] })).rejects.toThrow(
        /^the server of action \/my_sum rejected goal [0-9a-f-]{36}$/,
      );
      await expect(client.sendGoal({ list: [1] })).rejects.toThrow("rejected goal");
      expect(failures).toEqual(["onGoal of action /my_sum: no idea"]);
      expect((await (await client.sendGoal({ list: [1, 2] })).result).result.sum).toBe(3);
    }));

  it("rejects a second goal of the same id", () =>
    withNodes(subject, async ({ near, far, create }) => {
      const { client, letGo } = await held(near, far);
      const goalId = "00000000-0000-4000-8000-00000000000a";
      const goal = await client.sendGoal({ list: [] }, { goalId });
      await expect(client.sendGoal({ list: [] }, { goalId })).rejects.toThrow("was sent to /my_sum already");
      const other = (await create("other")).createActionClient(MySum, "my_sum");
      await expect(other.sendGoal({ list: [] }, { goalId })).rejects.toThrow(`rejected goal ${goalId}`);
      letGo();
      await goal.result;
      await expect(client.sendGoal({ list: [] }, { goalId: "7" })).rejects.toThrow('"7" is no goal\'s id');
    }));

  it("starts a deferred goal when it is told to, and cancels one that was not started", () =>
    withNodes(subject, async ({ near, far }) => {
      const accepted: Goal[] = [];
      near.createActionServer(MySum, "my_sum", {
        onGoal: () => "defer",
        onAccepted: (goal) => accepted.push(goal),
        onCancel: () => true,
        execute: addUp,
      });
      const client = far.createActionClient(MySum, "my_sum");
      const [first, second] = [await client.sendGoal({ list: [1, 2] }), await client.sendGoal({ list: [5] })];
      await until(() => accepted.length === 2);
      expect(accepted.map(({ status }) => status)).toEqual(["accepted", "accepted"]);
      expect(() => accepted[0].succeed({ sum: 0 })).toThrow('"succeed" is not possible while it is accepted');
      accepted[0].execute();
      expect((await first.result).result.sum).toBe(3);
      expect(() => accepted[0].execute()).toThrow("it is over");
      await second.cancel();
      accepted[1].execute(); // as rclpy's: the work sees that it is to be canceled
      expect(() => accepted[1].execute()).toThrow('"execute" is not possible');
      expect(await second.result).toEqual({ status: "canceled", result: { sum: 0 } });
    }));

  it("aborts a goal whose work throws, or ends without saying how", () =>
    withNodes(subject, async ({ near, far, failures, logs }) => {
      near.createActionServer(MySum, "my_sum", {
        execute(goal) {
          if (goal.request.list.length > 0) throw new Error("broken arm");
          return { sum: 4 };
        },
      });
      const client = far.createActionClient(MySum, "my_sum");
      expect(await (await client.sendGoal({ list: [1] })).result).toEqual({
        status: "aborted",
        result: { sum: 0 },
      });
      expect(failures).toEqual(["execute of action /my_sum: broken arm"]);
      expect(await (await client.sendGoal({})).result).toEqual({ status: "aborted", result: { sum: 4 } });
      expect(logs).toMatchObject([
        expect.stringContaining("execute ended without succeed, abort or canceled: aborted"),
      ]);
    }));

  it("holds transitions to the goal's life", () =>
    withNodes(subject, async ({ near, far }) => {
      const errors: string[] = [];
      const attempt = (what: () => unknown) => {
        try {
          what();
        } catch (error) {
          errors.push((error as Error).message.replace(/goal \S+/, "goal"));
        }
      };
      near.createActionServer(MySum, "my_sum", {
        execute(goal) {
          attempt(() => goal.canceled());
          attempt(() => goal.succeed({ sum: "six" } as never));
          goal.succeed({ sum: 6 });
          attempt(() => goal.abort());
          goal.publishFeedback({ sum_so_far: 9 }); // too late: nobody hears it
        },
      });
      const goal = await far.createActionClient(MySum, "my_sum").sendGoal({});
      expect(await goal.result).toEqual({ status: "succeeded", result: { sum: 6 } });
      expect(await all(goal.feedback)).toEqual([]);
      expect(errors).toEqual([
        'goal of /my_sum: "canceled" is not possible while it is executing; possible: cancel_goal, succeed, abort',
        expect.stringContaining("sum"),
        'goal of /my_sum: "abort" is not possible while it is succeeded; it is over',
      ]);
    }));

  it("runs several goals at once, each with its own feedback and result", () =>
    withNodes(subject, async ({ near, far, create }) => {
      near.createActionServer(MySum, "my_sum", { execute: addUp });
      const clients = [far, await create("third")].map((node) => node.createActionClient(MySum, "my_sum"));
      const sums = await Promise.all(
        Array.from({ length: 10 }, async (_, i) => {
          const goal = await clients[i % 2].sendGoal({ list: [i, i, i] });
          const feedback = (await all(goal.feedback)).map(({ sum_so_far }) => sum_so_far);
          return [...feedback, (await goal.result).result.sum];
        }),
      );
      expect(sums).toEqual(Array.from({ length: 10 }, (_, i) => [i, 2 * i, 3 * i, 3 * i]));
    }));

  it("tells every status to all, and the last to who comes later", () =>
    withNodes(subject, async ({ near, far, create }) => {
      const { server, client, letGo } = await held(near, far);
      const type = msg("action_msgs/msg/GoalStatusArray");
      const latched = { depth: 10, durability: "transient_local" } as const;
      const seen: number[][] = [];
      const listener = far.createSubscription(
        type,
        "my_sum/_action/status",
        ({ status_list }) => seen.push(status_list.map(({ status }) => status)),
        latched,
      );
      await listener.waitForPublishers();
      await near.waitForSubscriptions("my_sum/_action/status", 2); // or the first would go to the client alone
      const goal = await client.sendGoal({ list: [] });
      await until(() => goal.status === "executing");
      letGo();
      await goal.result;
      await until(() => seen.length === 3);
      expect(seen).toEqual([[1], [2], [4]]);
      const late = (await create("late")).subscribe(type, "my_sum/_action/status", latched);
      const { value } = await late.next();
      expect(value?.status_list.map(({ status }) => status)).toEqual([4]);
      expect(value?.status_list[0].goal_info.goal_id.uuid).toEqual(bytesOf(goal.goalId));
      expect(server.goals.map(({ status }) => status)).toEqual(["succeeded"]);
    }));

  it("keeps results for as long as it is told to, then knows nothing of the goal", () =>
    withNodes(
      subject,
      async ({ near, far }) => {
        const server = near.createActionServer(MySum, "my_sum", { execute: addUp, resultTimeout: 5 });
        const goal = await far.createActionClient(MySum, "my_sum").sendGoal({ list: [8] });
        await goal.result;
        const get = far.createClient(MySum.getResult, "my_sum/_action/get_result");
        const request = { goal_id: { uuid: bytesOf(goal.goalId) } };
        await (near.time as VirtualTime).advance(4.9);
        expect(await get.call(request)).toEqual({ status: 4, result: { sum: 8 } });
        await (near.time as VirtualTime).advance(0.2);
        expect(server.goals).toEqual([]);
        expect(await get.call(request)).toEqual({ status: 0, result: { sum: 0 } });
        const cancel = await goal.cancel();
        expect(cancel.code).toBe("unknown_goal_id");
      },
      { near: { time: new VirtualTime() } },
    ));

  it("waits for a server, and tells when there is none, or none any more", () =>
    withNodes(
      subject,
      async ({ near, far }) => {
        const client = far.createActionClient(MySum, "my_sum");
        const time = far.time as VirtualTime;
        const waiting = client.waitForServer({ timeout: 2 });
        const sending = expect(client.sendGoal({}, { timeout: 2 })).rejects.toThrow(
          "the server of action /my_sum is not there after 2 s",
        );
        await time.advance(3);
        expect(await waiting).toBe(false);
        await sending;
        const sent = client.sendGoal({ list: [1] }); // the goal waits for it
        const server = near.createActionServer(MySum, "my_sum", {
          execute: (goal) => new Promise((resolve) => goal.signal.addEventListener("abort", () => resolve())),
        });
        const goal = await sent;
        server.destroy();
        await expect(goal.result).rejects.toThrow(
          `the server of action /my_sum went away before goal ${goal.goalId} was over`,
        );
        expect(await all(goal.feedback)).toEqual([]);
        expect(client.isServerAvailable()).toBe(false);
      },
      { far: { time: new VirtualTime() } },
    ));

  it("ends with its node, and goals under way are told", () =>
    withNodes(subject, async ({ near, far, failures }) => {
      const { server, client, started } = await held(near, far);
      const goal = await client.sendGoal({ list: [] });
      await until(() => started.length === 1);
      const ended = expect(goal.result).rejects.toThrow("destroyed");
      await far.destroy();
      await ended;
      expect(await all(goal.feedback)).toEqual([]);
      await near.destroy();
      expect(started[0].signal.aborted).toBe(true);
      expect((started[0].signal.reason as Error).message).toBe("/my_sum was destroyed");
      server.destroy(); // again: nothing
      expect(failures).toEqual([]);
    }));

  it("goes by the node's names and remaps", () =>
    withNodes(
      subject,
      async ({ near, far }) => {
        const server = near.createActionServer(MySum, "my_sum", { execute: addUp });
        const client = far.createActionClient(MySum, "sum");
        expect([server.name, client.name]).toEqual(["/robot/my_sum", "/robot/my_sum"]);
        expect((await (await client.sendGoal({ list: [2] })).result).result.sum).toBe(2);
      },
      { near: { namespace: "robot" }, far: { remap: { sum: "/robot/my_sum" } } },
    ));

  it("is known by name and type to nodes that ask what there is", () =>
    withNodes(subject, async ({ near, far }) => {
      near.createActionServer(MySum, "my_sum", { execute: addUp });
      const known = () => getActionNamesAndTypes(far);
      await far.waitUntil(() => known().length === 1);
      expect(known()).toEqual([{ name: "/my_sum", types: ["my_interfaces/action/MySum"] }]);
    }));

  it("works where somebody else spins, as rclpy's scripts do", () =>
    withNodes(subject, async ({ create, near }) => {
      near.createActionServer(MySum, "my_sum", { execute: addUp });
      const executor = new Executor();
      const node = await create("spun", { executor });
      const client = node.createActionClient(MySum, "my_sum");
      const goal = await executor.spinUntilComplete(client.sendGoal({ list: [4, 5] }));
      const { result } = await executor.spinUntilComplete(goal.result);
      expect(result.sum).toBe(9);
    }));

  it("keeps its word through many goals, cancels and ends at once", () =>
    withNodes(subject, async ({ near, far, failures }) => {
      let seed = 1;
      const chance = () => {
        seed = (seed * 48_271) % 2_147_483_647; // MINSTD
        return seed / 2_147_483_647;
      };
      near.createActionServer(MySum, "my_sum", {
        onGoal: ({ list }) => (list.length % 5 === 4 ? "reject" : "accept"),
        onCancel: async () => chance() < 0.7,
        async execute(goal) {
          let sum = 0;
          for (const value of goal.request.list) {
            await new Promise((resolve) => setImmediate(resolve));
            if (goal.isCancelRequested && chance() < 0.8) return goal.canceled({ sum });
            sum += value;
            goal.publishFeedback({ sum_so_far: sum });
          }
          return chance() < 0.2 ? goal.abort({ sum }) : goal.succeed({ sum });
        },
      });
      const client = far.createActionClient(MySum, "my_sum");
      const one = async (length: number) => {
        const list = Array.from({ length }, () => Math.floor(chance() * 100));
        const goal = await client.sendGoal({ list });
        const feedback: number[] = [];
        const reading = (async () => {
          for await (const { sum_so_far } of goal.feedback) feedback.push(sum_so_far);
        })();
        const asked = chance() < 0.5 ? await goal.cancel() : null;
        const { status, result } = await goal.result;
        await reading;
        const sums = list.map((_, i) => list.slice(0, i + 1).reduce((a, b) => a + b, 0));
        // all feedback up to where it ended, and nothing else
        expect(feedback).toEqual(sums.slice(0, feedback.length));
        expect(result.sum).toBe(feedback.at(-1) ?? 0);
        if (status !== "canceled") expect(feedback).toEqual(sums);
        else expect(asked?.code).toBe("none");
        return status;
      };
      const outcomes = await Promise.all(
        Array.from({ length: 60 }, (_, i) => one(i % 12).catch((error: Error) => error.name)),
      );
      const possible = ["succeeded", "aborted", "canceled", "GoalRejectedError"];
      expect(outcomes.filter((outcome) => !possible.includes(outcome))).toEqual([]);
      expect(outcomes.filter((outcome) => outcome === "GoalRejectedError")).toHaveLength(10);
      expect(failures).toEqual([]);
    }));
}

const bytesOf = (goalId: string): Uint8Array =>
  Uint8Array.from(goalId.replaceAll("-", "").match(/../g)!, (byte) => Number.parseInt(byte, 16));
