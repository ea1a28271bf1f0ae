/** Our nodes and rclpy's, each in its own process, in both directions: the book's case study with its names. */
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { RosHost } from "../../../../src/robotics/ros/host.js";
import { action, msg, srv } from "../../../../src/robotics/ros/interfaces/registry.js";
import { createNode } from "../../../../src/robotics/ros/node/create.js";
import type { Node } from "../../../../src/robotics/ros/node/node.js";
import type { RosInstallation } from "../../../../src/robotics/ros/rcl/place.js";
import { until } from "../harness.js";
import { ensureRos, ownHost } from "./installed.js";
import { type Role, rclpy } from "./rclpy.js";

const String_ = msg("std_msgs/msg/String");
const ConcatTwoStr = srv("my_interfaces/srv/ConcatTwoStr");
const MySum = action("my_interfaces/action/MySum");

const ready = await ensureRos();
if (ready.missing)
  describe("rclpy", () => {
    it.skip(`ROS 2 cannot be installed here: ${ready.missing}`, () => {});
  });
else describe("with rclpy", () => cases(ready.ros!));

function cases(ros: RosInstallation): void {
  let host: RosHost;
  const nodes: Node[] = [];
  const roles: Role[] = [];

  beforeEach(async () => {
    host = await ownHost();
  });
  afterEach(async () => {
    for (const role of roles.splice(0)) await role.stop();
    for (const node of nodes.splice(0)) await node.destroy();
    await host.shutdown();
  });

  async function node(name: string): Promise<Node> {
    const made = await createNode(name, { host, useGlobalArguments: false });
    nodes.push(made);
    return made;
  }
  async function python(role: string): Promise<Role> {
    const started = await rclpy(ros, host.domain, role);
    roles.push(started);
    return started;
  }

  it("hears rclpy's publisher, and knows its node", async () => {
    const subscriber = await node("my_hello_world_subscriber");
    const heard: string[] = [];
    subscriber.createSubscription(String_, "hello_world_topic", ({ data }) => heard.push(data), 10);
    await python("talker");
    await until(() => heard.length >= 3);
    const first = Number(heard[0].slice("Hello World: ".length));
    expect(heard.slice(0, 3)).toEqual([0, 1, 2].map((i) => `Hello World: ${first + i}`));
    const publisher = () => subscriber.getPublishersInfoByTopic("hello_world_topic")[0];
    await until(() => publisher()?.nodeName === "my_hello_world_node"); // known after its publisher
    expect(subscriber.getPublishersInfoByTopic("hello_world_topic")).toMatchObject([
      { nodeName: "my_hello_world_node", nodeNamespace: "/", type: "std_msgs/msg/String" },
    ]);
  });

  it("is heard by rclpy's subscriber", async () => {
    const publisher = (await node("my_hello_world_node")).createPublisher(String_, "hello_world_topic", 10);
    const listener = await python("listener");
    await publisher.waitForSubscriptions();
    for (let i = 0; i < 3; i++) publisher.publish({ data: `Hello World: ${i}` });
    await listener.until(({ heard }) => heard === "Hello World: 2");
    expect(listener.lines.slice(1)).toEqual([0, 1, 2].map((i) => ({ heard: `Hello World: ${i}` })));
  });

  it("calls rclpy's service", async () => {
    await python("concat");
    const client = (await node("concat_two_str_client_async")).createClient(ConcatTwoStr, "concat_two_str");
    await client.waitForService();
    expect(await client.call({ str1: "Hello", str2: "World" })).toEqual({ ret: "HelloWorld" });
  });

  it("answers rclpy's client", async () => {
    const server = await node("concat_two_str_service");
    server.createService(ConcatTwoStr, "concat_two_str", ({ str1, str2 }) => ({ ret: str1 + str2 }));
    const client = await python("concat_client");
    await client.ended();
    expect(client.lines).toEqual([{ ret: "HelloWorld" }]);
  });

  it("lists, gets and sets parameters of rclpy's node", async () => {
    await python("parametrised");
    const param = await node("param");
    const heard = new Set<string>();
    param.createSubscription(String_, "hello_world_topic", ({ data }) => heard.add(data), 10);
    const remote = param.parameterClient("parametrised_hello_world_node");
    await remote.waitForServices();
    expect(await remote.list()).toContain("name");
    expect(await remote.get(["name"])).toEqual({ name: "world" });
    await until(() => heard.has("Hello world"));
    await remote.set({ name: "ROS2" });
    await until(() => heard.has("Hello ROS2"));
    expect(await remote.get(["name"])).toEqual({ name: "ROS2" });
  });

  it("has its parameters listed, described and set by rclpy", async () => {
    const own = await node("parametrised_hello_world_node");
    own.declareParameter("name", "world", { description: "whom to greet" });
    const client = await python("parameter_client");
    await client.ended();
    const [names, before, described, set, refused, after] = client.lines;
    expect(names.names).toContain("name");
    expect(before).toEqual({ before: "world" });
    expect(described).toEqual({ description: "whom to greet", type: 4 });
    expect(set).toEqual({ set: true });
    expect(refused).toMatchObject({ refused: false, reason: expect.stringContaining("name") });
    expect(after).toEqual({ after: "ROS2" });
    expect(own.getParameter("name")).toBe("ROS2");
  });

  it("sends goals to rclpy's action server: feedback 1, 3, 6, result 6; and cancels one", async () => {
    await python("sum");
    const client = (await node("my_sum_action_client")).createActionClient(MySum, "my_sum");
    await client.waitForServer();
    const goal = await client.sendGoal({ list: [1, 2, 3] });
    const sums: number[] = [];
    for await (const { sum_so_far } of goal.feedback) sums.push(sum_so_far);
    expect(sums).toEqual([1, 3, 6]);
    expect(await goal.result).toMatchObject({ status: "succeeded", result: { sum: 6 } });
    const long = await client.sendGoal({ list: [0] });
    await long.cancel();
    expect(await long.result).toMatchObject({ status: "canceled", result: { sum: -1 } });
  });

  it("serves rclpy's action client: feedback, result, cancel", async () => {
    const server = await node("my_sum_action_server");
    server.createActionServer(MySum, "my_sum", {
      onCancel: () => true,
      async execute(goal) {
        let sum = 0;
        for (const value of goal.request.list) {
          sum += value;
          goal.publishFeedback({ sum_so_far: sum });
        }
        if (goal.request.list[0] !== 0) return goal.succeed({ sum });
        if (!goal.signal.aborted)
          await new Promise((resolve) => goal.signal.addEventListener("abort", resolve));
        return goal.canceled({ sum: -1 });
      },
    });
    const client = await python("sum_client");
    await client.ended();
    const SUCCEEDED = 4;
    const CANCELED = 5;
    expect(client.lines).toEqual([
      { accepted: true },
      { sums: [1, 3, 6] },
      { status: SUCCEEDED, sum: 6 },
      { canceling: 1 },
      { status: CANCELED, sum: -1 },
    ]);
  });
}
