import * as ROSLIB from "roslib";
import { describe, expect, test } from "vitest";
import { Ground, options, until } from "../../../../test/robotics/ros/bridge.js";
import { action, msg, srv } from "../interfaces/registry.js";
import { createNode } from "../node/create.js";
import { DEFAULT_QOS } from "../offered-qos.js";
import type { Rosbridge } from "./server.js";

const Text = msg("std_msgs/msg/String");
const ground = new Ground();

/** roslib, connected. */
async function connect(bridge: Rosbridge): Promise<ROSLIB.Ros> {
  const ros = new ROSLIB.Ros({});
  ground.keep({ close: () => ros.close() });
  await new Promise<void>((resolve, reject) => {
    ros.on("connection", () => resolve());
    ros.on("error", reject);
    void ros.connect(bridge.url);
  });
  return ros;
}

describe("roslib, as a web page uses it", () => {
  test("publishes and hears topics", async () => {
    const ros = await connect(await ground.bridge());
    const got: unknown[] = [];
    ground.node.createSubscription(Text, "/from_page", options, (message) => got.push(message));
    const out = new ROSLIB.Topic<{ data: string }>({
      ros,
      name: "/from_page",
      messageType: "std_msgs/String",
    });
    out.publish({ data: "Grüße 🤖" });
    await until(() => got.length === 1);
    expect(got).toEqual([{ data: "Grüße 🤖" }]);

    const publisher = ground.node.createPublisher(msg("sensor_msgs/msg/Image"), "/camera", options);
    const images: { data: string; width: number; header: { frame_id: string } }[] = [];
    const camera = new ROSLIB.Topic<(typeof images)[number]>({
      ros,
      name: "/camera",
      messageType: "sensor_msgs/msg/Image",
    });
    camera.subscribe((image) => images.push(image));
    await until(() => publisher.subscriptionCount === 1);
    publisher.publish(
      msg("sensor_msgs/msg/Image").create({ width: 3, data: [1, 2, 255], header: { frame_id: "c" } }),
    );
    await until(() => images.length === 1);
    expect(images[0]).toMatchObject({ width: 3, data: "AQL/", header: { frame_id: "c" } });
    camera.unsubscribe();
    await until(() => publisher.subscriptionCount === 0);
    out.unadvertise();
    await until(() => ground.node.publishersInfo("/from_page").length === 0);
  });

  test("takes CBOR for what is large: arrays arrive as typed ones", async () => {
    const publisher = ground.node.createPublisher(msg("sensor_msgs/msg/LaserScan"), "/scan", options);
    const ros = await connect(await ground.bridge());
    const scan = new ROSLIB.Topic<{
      ranges: Float32Array;
      header: { frame_id: string; stamp: { sec: number } };
    }>({
      ros,
      name: "/scan",
      messageType: "sensor_msgs/msg/LaserScan",
      compression: "cbor",
    });
    const heard = new Promise((resolve) => scan.subscribe(resolve));
    await until(() => publisher.subscriptionCount === 1);
    const message = msg("sensor_msgs/msg/LaserScan").create({
      header: { frame_id: "laser", stamp: { sec: 3 } },
      ranges: [1.5, Number.POSITIVE_INFINITY],
    });
    publisher.publish(message);
    expect(await heard).toEqual(message);
  });

  test("a latched message reaches a page that comes later", async () => {
    const qos = { ...DEFAULT_QOS, durability: "transient_local", depth: 1 } as const;
    ground.node.createPublisher(Text, "/map_name", { qos }).publish({ data: "office" });
    const bridge = await ground.bridge();
    for (const ros of [await connect(bridge), await connect(bridge)]) {
      const topic = new ROSLIB.Topic<{ data: string }>({
        ros,
        name: "/map_name",
        messageType: "std_msgs/msg/String",
      });
      const message = await new Promise((resolve) => topic.subscribe(resolve));
      expect(message).toEqual({ data: "office" });
    }
  });

  test("calls services, and hears why one fails", async () => {
    const Concat = srv("my_interfaces/srv/ConcatTwoStr");
    ground.node.createService(Concat, "/concat", options, async ({ str1, str2 }) => ({ ret: str1 + str2 }));
    const ros = await connect(await ground.bridge());
    const call = (name: string, args: object, serviceType = "my_interfaces/srv/ConcatTwoStr") =>
      new Promise((resolve, reject) =>
        new ROSLIB.Service<object, object>({ ros, name, serviceType }).callService(args, resolve, (why) =>
          reject(new Error(String(why))),
        ),
      );
    expect(await call("/concat", { str1: "Hello", str2: "World" })).toEqual({ ret: "HelloWorld" });
    await expect(call("/nobody", {})).rejects.toThrow("the type is neither given nor known");
    await expect(call("/concat", { str1: 5 })).rejects.toThrow("field str1: expected string, got number 5");
  });

  test("offers a service to the graph", async () => {
    const ros = await connect(await ground.bridge());
    const service = new ROSLIB.Service<{ data: boolean }, { success: boolean; message: string }>({
      ros,
      name: "/set_page",
      serviceType: "std_srvs/srv/SetBool",
    });
    service.advertise((request, response) => {
      response.success = !request.data;
      response.message = "page";
      return true;
    });
    const client = ground.node.createClient(srv("std_srvs/srv/SetBool"), "/set_page", options);
    await until(() => client.isServiceAvailable());
    expect(await client.call({ data: false })).toEqual({ success: true, message: "page" });
    service.unadvertise();
    await until(() => !client.isServiceAvailable());
  });

  test("asks rosapi who is there", async () => {
    ground.node.createPublisher(Text, "/chatter", options);
    ground.node.createSubscription(Text, "/heard", options, () => {});
    ground.node.createService(srv("std_srvs/srv/Trigger"), "/go", options, async () => ({
      success: true,
      message: "",
    }));
    const ros = await connect(await ground.bridge());
    const ask = <T>(run: (done: (value: T) => void, failed: (error: string) => void) => void) =>
      new Promise<T>((resolve, reject) => run(resolve, reject));
    const topics = await ask<{ topics: string[]; types: string[] }>((done, failed) =>
      ros.getTopics(done, failed),
    );
    expect(topics.types[topics.topics.indexOf("/chatter")]).toBe("std_msgs/msg/String");
    expect(await ask((done, failed) => ros.getServices(done, failed))).toContain("/go");
    expect(await ask((done, failed) => ros.getNodes(done, failed))).toEqual(
      expect.arrayContaining(["/robot", "/rosbridge_websocket"]),
    );
    expect(await ask((done, failed) => ros.getTopicType("/chatter", done, failed))).toBe(
      "std_msgs/msg/String",
    );
    expect(await ask((done, failed) => ros.getServiceType("/go", done, failed))).toBe("std_srvs/srv/Trigger");
    expect(await ask((done, failed) => ros.getTopicsForType("std_msgs/String", done, failed))).toEqual(
      expect.arrayContaining(["/chatter", "/heard"]),
    );
    expect(await ask((done, failed) => ros.getServicesForType("std_srvs/Trigger", done, failed))).toEqual([
      "/go",
    ]);
    const details = await ask<{ publishing: string[]; subscribing: string[] }>((done, failed) =>
      ros.getNodeDetails("/robot", done, failed),
    );
    expect(details).toMatchObject({ publishing: ["/chatter"], subscribing: ["/heard"] });
    const typedefs = await ask<{ type: string; fieldnames: string[]; fieldarraylen: number[] }[]>(
      (done, failed) => ros.getMessageDetails("geometry_msgs/PoseWithCovariance", done, failed),
    );
    expect(typedefs[0]).toMatchObject({
      type: "geometry_msgs/msg/PoseWithCovariance",
      fieldnames: ["pose", "covariance"],
      fieldarraylen: [-1, 36],
    });
  });

  test("reads and sets parameters of nodes", async () => {
    const owner = await createNode("owner", {
      host: ground.host,
      parameters: { name: "world", speed: 1, count: 3n },
    });
    ground.keep({ close: () => owner.destroy() });
    owner.declareParameter("name", "");
    owner.declareParameter("speed", 0.5, { range: { from: 0, to: 2 } });
    owner.declareParameter("count", 3, { type: "integer" });
    const ros = await connect(await ground.bridge());
    const get = (name: string) =>
      new Promise((resolve, reject) =>
        new ROSLIB.Param<unknown>({ ros, name }).get(resolve, (why) => reject(new Error(String(why)))),
      );
    const set = (name: string, value: unknown) =>
      new Promise((resolve, reject) =>
        new ROSLIB.Param<unknown>({ ros, name }).set(value, resolve, (why) => reject(new Error(String(why)))),
      );
    expect([await get("/owner:name"), await get("owner:speed"), await get("/owner:count")]).toEqual([
      "world",
      1,
      3,
    ]);
    await set("/owner:name", "ROS2");
    await set("/owner:speed", 2); // stays a double
    await set("/owner:count", 4);
    expect([owner.getParameter("name"), owner.getParameter("speed")]).toEqual(["ROS2", 2]);
    expect(Number(owner.getParameter("count"))).toBe(4);
    await expect(set("/owner:speed", 3)).rejects.toThrow("speed");
    await expect(set("/owner:count", "x")).rejects.toThrow("expected int64");
    await expect(get("/owner:no")).rejects.toThrow(/no/);
    await expect(get("/nobody:x")).rejects.toThrow("there is no service /nobody/get_parameters");
    await expect(get("owner")).rejects.toThrow("name must be /node:parameter");
    const names = await new Promise((resolve, reject) => ros.getParams(resolve, reject));
    expect(names).toEqual(expect.arrayContaining(["/owner:name", "/owner:speed", "/owner:count"]));
  });

  test("sends goals, hears feedback and the result, cancels", async () => {
    const Sum = action("my_interfaces/action/MySum");
    // An action server as ROS makes one: its services and its topic of feedback.
    const feedback = ground.node.createPublisher(Sum.feedbackMessage, "/my_sum/_action/feedback", options);
    const results = new Map<string, (answer: { status: number; result: { sum: number } }) => void>();
    const answers = new Map<string, Promise<{ status: number; result: { sum: number } }>>();
    const key = (uuid: Uint8Array) => Buffer.from(uuid).toString("hex");
    ground.node.createService(
      Sum.sendGoal,
      "/my_sum/_action/send_goal",
      options,
      async ({ goal_id, goal }) => {
        if (goal.list.length === 0) return { accepted: false, stamp: { sec: 0, nanosec: 0 } };
        answers.set(key(goal_id.uuid), new Promise((resolve) => results.set(key(goal_id.uuid), resolve)));
        let sum = 0;
        for (const value of goal.list) {
          sum += value;
          feedback.publish(Sum.feedbackMessage.create({ goal_id, feedback: { sum_so_far: sum } }));
        }
        if (goal.list[0] > 0) results.get(key(goal_id.uuid))!({ status: 4, result: { sum } });
        return { accepted: true, stamp: { sec: 0, nanosec: 0 } };
      },
    );
    ground.node.createService(
      Sum.getResult,
      "/my_sum/_action/get_result",
      options,
      ({ goal_id }) => answers.get(key(goal_id.uuid))!,
    );
    const CancelGoal = srv("action_msgs/srv/CancelGoal");
    ground.node.createService(CancelGoal, "/my_sum/_action/cancel_goal", options, async ({ goal_info }) => {
      results.get(key(goal_info.goal_id.uuid))!({ status: 5, result: { sum: -1 } });
      return CancelGoal.response.create({ goals_canceling: [goal_info] });
    });

    const ros = await connect(await ground.bridge());
    const client = new ROSLIB.Action<{ list: number[] }, { sum_so_far: number }, { sum: number }>({
      ros,
      name: "/my_sum",
      actionType: "my_interfaces/action/MySum",
    });
    const heard: number[] = [];
    const result = await new Promise((resolve, reject) =>
      client.sendGoal({ list: [1, 2, 3] }, resolve, (f) => heard.push(f.sum_so_far), reject),
    );
    expect(result).toEqual({ sum: 6 });
    expect(heard).toEqual([1, 3, 6]);

    let failed = "";
    const id = client.sendGoal(
      { list: [-1] },
      () => {},
      (f) => heard.push(f.sum_so_far),
      (why) => (failed = why),
    )!;
    await until(() => heard.length === 4);
    client.cancelGoal(id);
    await until(() => failed !== "");
    expect(failed).toMatch(/cancel/i);

    failed = "";
    client.sendGoal(
      { list: [] },
      () => {},
      undefined,
      (why) => (failed = why),
    );
    await until(() => failed !== "");
    expect(failed).toContain("the goal was rejected by /my_sum");
  });
});
