/** What managed nodes do on every host. */
import { expect, it } from "vitest";
import { msg, srv } from "../../../../src/robotics/ros/interfaces/registry.js";
import { LifecycleClient, LifecycleManager } from "../../../../src/robotics/ros/lifecycle/manager.js";
import { type LifecycleCallbacks, LifecycleNode } from "../../../../src/robotics/ros/lifecycle/node.js";
import { VirtualTime } from "../../../../src/robotics/ros/node/time-base.js";
import { type Subject, until } from "../harness.js";
import { withNodes } from "../subjects.js";
import rclpy from "./transitions.json" with { type: "json" };

const String_ = msg("std_msgs/msg/String");

/** Callbacks that tell when they are called. */
function telling(told: string[], name = ""): Required<LifecycleCallbacks> {
  const tell = (what: string) => (previous: string) => void told.push(`${name}${what} from ${previous}`);
  return {
    onConfigure: tell("configure"),
    onCleanup: tell("cleanup"),
    onActivate: tell("activate"),
    onDeactivate: tell("deactivate"),
    onShutdown: tell("shutdown"),
    onError: tell("error"),
  };
}

export function lifecycleCases(subject: Subject): void {
  it("goes through its life as another node asks, and calls its callbacks", () =>
    withNodes(subject, async ({ near, far }) => {
      const told: string[] = [];
      const managed = new LifecycleNode(near, telling(told));
      const client = new LifecycleClient(far, "near");
      await client.waitForNode();
      expect(await client.getState()).toBe("unconfigured");
      expect(await client.getAvailableTransitions()).toEqual(["configure", "shutdown"]);
      for (const transition of [
        "configure",
        "activate",
        "deactivate",
        "cleanup",
        "configure",
        "shutdown",
      ] as const)
        expect(await client.changeState(transition), transition).toBe(true);
      expect(managed.state).toBe("finalized");
      expect(told).toEqual([
        "configure from unconfigured",
        "activate from inactive",
        "deactivate from active",
        "cleanup from inactive",
        "configure from unconfigured",
        "shutdown from inactive",
      ]);
      expect(await client.getAvailableTransitions()).toEqual([]);
    }));

  it("answers a transition that is not possible with no, by number and label", () =>
    withNodes(subject, async ({ near, far, logs, failures }) => {
      const managed = new LifecycleNode(near);
      const change = far.createClient(srv("lifecycle_msgs/srv/ChangeState"), "near/change_state");
      await change.waitForService();
      expect(await change.call({ transition: { id: 3 } })).toEqual({ success: false });
      expect(await change.call({ transition: { label: "fly" } })).toEqual({ success: false });
      expect(await change.call({ transition: { id: 1 } })).toEqual({ success: true });
      expect(managed.state).toBe("inactive");
      expect(logs).toEqual([
        "/near: no transition 3 from state unconfigured; possible: configure (1), shutdown (5)",
        '/near: no transition "fly" from state unconfigured; possible: configure (1), shutdown (5)',
      ]);
      await expect(managed.configure()).rejects.toThrow('no transition "configure" from state inactive');
      expect(failures).toEqual([]);
    }));

  it("tells all states and transitions as rclpy does", () =>
    withNodes(subject, async ({ near, far }) => {
      new LifecycleNode(near);
      const states = far.createClient(
        srv("lifecycle_msgs/srv/GetAvailableStates"),
        "near/get_available_states",
      );
      const graph = far.createClient(
        srv("lifecycle_msgs/srv/GetAvailableTransitions"),
        "near/get_transition_graph",
      );
      await Promise.all([states.waitForService(), graph.waitForService()]);
      const { available_states } = await states.call({});
      expect(available_states.map(({ id, label }) => [id, label])).toEqual(rclpy.states);
      const { available_transitions } = await graph.call({});
      expect(
        available_transitions.map(({ transition, start_state, goal_state }) => ({
          ...{ ...transition, startId: start_state.id, start: start_state.label },
          ...{ goalId: goal_state.id, goal: goal_state.label },
        })),
      ).toEqual(rclpy.transitions);
    }));

  it("tells each change on ~/transition_event, with its time", () =>
    withNodes(
      subject,
      async ({ near, far, failures }) => {
        const events: string[] = [];
        const type = msg("lifecycle_msgs/msg/TransitionEvent");
        const managed = new LifecycleNode(near);
        const subscription = far.createSubscription(type, "near/transition_event", (event) => {
          const { timestamp, transition, start_state, goal_state } = event;
          events.push(`${timestamp} ${transition.label} ${start_state.label} ${goal_state.label}`);
        });
        await subscription.waitForPublishers();
        await near.waitForSubscriptions("near/transition_event");
        const states: string[] = [];
        managed.onTransition(() => {
          throw new Error("not interested");
        });
        managed.onTransition(({ goal }) => states.push(goal));
        await managed.configure();
        await until(() => events.length === 2);
        expect(events).toEqual([
          "7000000000 configure unconfigured configuring",
          "7000000000 transition_success configuring inactive",
        ]);
        expect(states).toEqual(["configuring", "inactive"]);
        expect(failures).toEqual(["onTransition: not interested", "onTransition: not interested"]);
      },
      { near: { time: new VirtualTime(7) } },
    ));

  it("publishes while it is active, and is silent else", () =>
    withNodes(subject, async ({ near, far }) => {
      const heard: string[] = [];
      const published: boolean[] = [];
      const say = (data: string): void => void published.push(publisher.publish({ data }));
      const managed = new LifecycleNode(near, {
        onActivate: () => say("activating"),
        onDeactivate: () => say("deactivating"),
      });
      const publisher = managed.createPublisher(String_, "chatter", 10);
      const subscription = far.createSubscription(String_, "chatter", ({ data }) => heard.push(data), 10);
      await subscription.waitForPublishers();
      await until(() => publisher.subscriptionCount === 1);
      say("unconfigured");
      await managed.configure();
      say("inactive");
      await managed.activate();
      expect(publisher.isEnabled).toBe(managed.isActive);
      say("active");
      await managed.deactivate();
      say("inactive again");
      await managed.activate();
      say("last");
      await until(() => heard.includes("last"));
      expect(heard).toEqual(["active", "last"]);
      expect(published).toEqual([false, false, false, true, false, false, false, true]);
    }));

  it("goes back on failure, and lets onError decide on an error", () =>
    withNodes(subject, async ({ near, far, failures, create }) => {
      const flaky = new LifecycleNode(near, {
        onConfigure: () => "success",
        onActivate: async () => "failure",
        onCleanup() {
          throw new Error("stuck");
        },
      });
      await flaky.configure();
      expect(await flaky.activate()).toBe("failure");
      expect(flaky.state).toBe("inactive");
      expect(await flaky.cleanup()).toBe("error");
      expect(flaky.state).toBe("unconfigured"); // without onError, as rclpy's: it is in order again
      expect(failures).toEqual(["onCleanup: stuck"]);

      const seen: string[] = [];
      const broken = new LifecycleNode(far, {
        onConfigure: () => "error",
        onError(previous) {
          seen.push(previous);
          return "failure";
        },
      });
      expect(await broken.configure()).toBe("error");
      expect([broken.state, seen]).toEqual(["finalized", ["unconfigured"]]);

      const wrong = new LifecycleNode(await create("wrong"), {
        onConfigure: () => "fine" as never,
        onError: () => "error",
      });
      await wrong.configure();
      expect(wrong.state).toBe("finalized");
      expect(failures.at(-1)).toBe(
        'onConfigure: onConfigure returned fine; "success", "failure", "error" or nothing expected',
      );
    }));

  it("answers while a transition is under way, and takes no other one", () =>
    withNodes(subject, async ({ near, far }) => {
      let goOn!: () => void;
      const gate = new Promise<void>((resolve) => {
        goOn = resolve;
      });
      new LifecycleNode(near, { onConfigure: () => gate });
      const client = new LifecycleClient(far, "/near");
      await client.waitForNode();
      const changing = client.changeState("configure");
      while ((await client.getState()) !== "configuring");
      expect(await client.changeState("shutdown")).toBe(false);
      goOn();
      expect(await changing).toBe(true);
      expect(await client.getState()).toBe("inactive");
    }));

  it("is brought up in order, and down in the opposite one, by a manager", () =>
    withNodes(subject, async ({ near, far, create }) => {
      const told: string[] = [];
      const names = ["map", "pose", "plan"];
      for (const name of names) new LifecycleNode(await create(name), telling(told, `${name}: `));
      new LifecycleNode(near);
      const manager = new LifecycleManager(far, names);
      await manager.startup();
      const what = (from: number) => told.slice(from).map((text) => text.replace(/ from .*/, ""));
      expect(what(0)).toEqual([
        ...["map: configure", "pose: configure", "plan: configure"],
        ...["map: activate", "pose: activate", "plan: activate"],
      ]);
      expect([...(await manager.states())]).toEqual([
        ...[["/map", "active"] as const, ["/pose", "active"] as const, ["/plan", "active"] as const],
      ]);
      await manager.pause();
      expect(what(6)).toEqual(["plan: deactivate", "pose: deactivate", "map: deactivate"]);
      await manager.resume();
      await manager.reset();
      expect(what(12)).toEqual([
        ...["plan: deactivate", "pose: deactivate", "map: deactivate"],
        ...["plan: cleanup", "pose: cleanup", "map: cleanup"],
      ]);
      await manager.startup();
      await manager.shutdown();
      expect(what(24)).toEqual([
        ...["plan: deactivate", "pose: deactivate", "map: deactivate"],
        ...["plan: cleanup", "pose: cleanup", "map: cleanup"],
        ...["plan: shutdown", "pose: shutdown", "map: shutdown"],
      ]);
      await expect(manager.startup()).rejects.toThrow("/map: no way from state finalized to inactive");
    }));

  it("is brought down again where one of its list fails", () =>
    withNodes(subject, async ({ near, far, create }) => {
      const told: string[] = [];
      const good = new LifecycleNode(await create("good"), telling(told));
      const bad = new LifecycleNode(near, { onActivate: () => "failure" });
      await expect(new LifecycleManager(far, ["good", "near"]).startup()).rejects.toThrow(
        "/near: activate failed; it is inactive",
      );
      expect([good.state, bad.state]).toEqual(["unconfigured", "unconfigured"]);
      expect(told.map((text) => text.replace(/ from .*/, ""))).toEqual([
        ...["configure", "activate", "deactivate", "cleanup"],
      ]);
    }));

  it("is missed by its manager", () =>
    withNodes(
      subject,
      async ({ far }) => {
        const waiting = expect(
          new LifecycleManager(far, ["nobody"], { timeout: 3 }).startup(),
        ).rejects.toThrow("managed node /nobody is not there after 3 s");
        await (far.time as VirtualTime).advance(4);
        await waiting;
      },
      { far: { time: new VirtualTime() } },
    ));
}
