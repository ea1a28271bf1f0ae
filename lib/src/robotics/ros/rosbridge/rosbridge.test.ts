import * as ROSLIB from "roslib";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { WebSocket } from "ws";
import { VirtualClock } from "../graph/clock.js";
import { type GraphHost, graphHost } from "../graph/host.js";
import type { HostNode } from "../host.js";
import { action, msg, srv } from "../interfaces/registry.js";
import { createNode } from "../node/create.js";
import { DEFAULT_QOS } from "../offered-qos.js";
import { fromJson, stringify, toJson } from "./json.js";
import { type Rosbridge, type RosbridgeOptions, rosbridge } from "./server.js";

const Text = msg("std_msgs/msg/String");
const options = { qos: { ...DEFAULT_QOS, depth: 1000 } };

let host: GraphHost;
let node: HostNode;
let networks = 0;
const opened: { close(): unknown }[] = [];
beforeEach(() => {
  host = graphHost({ network: `bridge ${networks++}` });
  node = host.createNode("robot", "/");
});
afterEach(async () => {
  for (const one of opened.splice(0).reverse()) await one.close();
  await host.shutdown();
});

const turn = () => new Promise((resolve) => setImmediate(resolve));
async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await turn();
}

async function open(given: RosbridgeOptions = {}): Promise<Rosbridge> {
  const bridge = await rosbridge({ host, port: 0, ...given });
  opened.push(bridge);
  return bridge;
}

/** roslib, connected. */
async function connect(bridge: Rosbridge): Promise<ROSLIB.Ros> {
  const ros = new ROSLIB.Ros({});
  opened.push({ close: () => ros.close() });
  await new Promise<void>((resolve, reject) => {
    ros.on("connection", () => resolve());
    ros.on("error", reject);
    void ros.connect(bridge.url);
  });
  return ros;
}

/** A bare WebSocket that keeps what it hears. */
async function raw(bridge: Rosbridge, origin?: string) {
  const socket = new WebSocket(bridge.url, origin === undefined ? {} : { origin });
  const heard: Record<string, unknown>[] = [];
  let closed = false;
  socket.on("message", (data) => heard.push(JSON.parse(String(data))));
  socket.on("close", () => {
    closed = true;
  });
  opened.push({ close: () => socket.terminate() });
  await new Promise<void>((resolve, reject) => {
    socket.on("open", () => resolve());
    socket.on("error", reject);
  });
  return {
    heard,
    isClosed: () => closed,
    send: (message: unknown) => socket.send(typeof message === "string" ? message : JSON.stringify(message)),
    /** Sends, and waits for one more message. */
    async ask(message: unknown) {
      const before = heard.length;
      this.send(message);
      await until(() => heard.length > before);
      return heard[before];
    },
    socket,
  };
}

describe("roslib, as a web page uses it", () => {
  test("publishes and hears topics", async () => {
    const ros = await connect(await open());
    const got: unknown[] = [];
    node.createSubscription(Text, "/from_page", options, (message) => got.push(message));
    const out = new ROSLIB.Topic<{ data: string }>({
      ros,
      name: "/from_page",
      messageType: "std_msgs/String",
    });
    out.publish({ data: "Grüße 🤖" });
    await until(() => got.length === 1);
    expect(got).toEqual([{ data: "Grüße 🤖" }]);

    const publisher = node.createPublisher(msg("sensor_msgs/msg/Image"), "/camera", options);
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
    await until(() => node.publishersInfo("/from_page").length === 0);
  });

  test("takes CBOR for what is large: arrays arrive as typed ones", async () => {
    const publisher = node.createPublisher(msg("sensor_msgs/msg/LaserScan"), "/scan", options);
    const ros = await connect(await open());
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
    node.createPublisher(Text, "/map_name", { qos }).publish({ data: "office" });
    const bridge = await open();
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
    node.createService(Concat, "/concat", options, async ({ str1, str2 }) => ({ ret: str1 + str2 }));
    const ros = await connect(await open());
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
    const ros = await connect(await open());
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
    const client = node.createClient(srv("std_srvs/srv/SetBool"), "/set_page", options);
    await until(() => client.isServiceAvailable());
    expect(await client.call({ data: false })).toEqual({ success: true, message: "page" });
    service.unadvertise();
    await until(() => !client.isServiceAvailable());
  });

  test("asks rosapi who is there", async () => {
    node.createPublisher(Text, "/chatter", options);
    node.createSubscription(Text, "/heard", options, () => {});
    node.createService(srv("std_srvs/srv/Trigger"), "/go", options, async () => ({
      success: true,
      message: "",
    }));
    const ros = await connect(await open());
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
    const owner = await createNode("owner", { host, parameters: { name: "world", speed: 1, count: 3n } });
    opened.push({ close: () => owner.destroy() });
    owner.declareParameter("name", "");
    owner.declareParameter("speed", 0.5, { range: { from: 0, to: 2 } });
    owner.declareParameter("count", 3, { type: "integer" });
    const ros = await connect(await open());
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
    const feedback = node.createPublisher(Sum.feedbackMessage, "/my_sum/_action/feedback", options);
    const results = new Map<string, (answer: { status: number; result: { sum: number } }) => void>();
    const answers = new Map<string, Promise<{ status: number; result: { sum: number } }>>();
    const key = (uuid: Uint8Array) => Buffer.from(uuid).toString("hex");
    node.createService(Sum.sendGoal, "/my_sum/_action/send_goal", options, async ({ goal_id, goal }) => {
      if (goal.list.length === 0) return { accepted: false, stamp: { sec: 0, nanosec: 0 } };
      answers.set(key(goal_id.uuid), new Promise((resolve) => results.set(key(goal_id.uuid), resolve)));
      let sum = 0;
      for (const value of goal.list) {
        sum += value;
        feedback.publish(Sum.feedbackMessage.create({ goal_id, feedback: { sum_so_far: sum } }));
      }
      if (goal.list[0] > 0) results.get(key(goal_id.uuid))!({ status: 4, result: { sum } });
      return { accepted: true, stamp: { sec: 0, nanosec: 0 } };
    });
    node.createService(
      Sum.getResult,
      "/my_sum/_action/get_result",
      options,
      ({ goal_id }) => answers.get(key(goal_id.uuid))!,
    );
    const CancelGoal = srv("action_msgs/srv/CancelGoal");
    node.createService(CancelGoal, "/my_sum/_action/cancel_goal", options, async ({ goal_info }) => {
      results.get(key(goal_info.goal_id.uuid))!({ status: 5, result: { sum: -1 } });
      return CancelGoal.response.create({ goals_canceling: [goal_info] });
    });

    const ros = await connect(await open());
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

describe("the protocol", () => {
  test("throttles, with a queue or without", async () => {
    const timer = new VirtualClock(1e6);
    const client = await raw(await open({ timer }));
    const publisher = node.createPublisher(Text, "/fast", options);
    client.send({ op: "subscribe", topic: "/fast", type: "std_msgs/msg/String", throttle_rate: 100 });
    await until(() => publisher.subscriptionCount === 1);
    const texts = () => client.heard.map((m) => (m.msg as { data: string }).data);
    const publish = async (data: string) => {
      publisher.publish({ data });
      for (let i = 0; i < 10; i++) await turn();
    };
    await publish("a");
    await publish("b"); // too soon
    timer.advance(0.1);
    await publish("c");
    await until(() => texts().length === 2);
    expect(texts()).toEqual(["a", "c"]);

    client.send({ op: "unsubscribe", topic: "/fast" });
    await until(() => publisher.subscriptionCount === 0);
    client.send({ op: "subscribe", topic: "/fast", throttle_rate: 100, queue_length: 2 });
    await until(() => publisher.subscriptionCount === 1);
    timer.advance(1);
    for (const data of ["1", "2", "3", "4"]) await publish(data); // 2 is pushed out of the queue
    await until(() => texts().length === 3);
    timer.advance(0.1);
    await until(() => texts().length === 4);
    timer.advance(0.1);
    await until(() => texts().length === 5);
    expect(texts().slice(2)).toEqual(["1", "3", "4"]);
  });

  test("several subscriptions of one client to a topic end one by one", async () => {
    const client = await raw(await open());
    const publisher = node.createPublisher(Text, "/a", options);
    client.send({ op: "subscribe", topic: "/a", id: "1" });
    client.send({ op: "subscribe", topic: "a", id: "2" });
    await until(() => publisher.subscriptionCount === 1);
    publisher.publish({ data: "x" });
    await until(() => client.heard.length === 1); // once, not twice
    client.send({ op: "unsubscribe", topic: "/a", id: "1" });
    expect(await client.ask({ op: "nonsense" })).toMatchObject({ op: "status" });
    expect(publisher.subscriptionCount).toBe(1);
    client.send({ op: "unsubscribe", topic: "/a", id: "2" });
    await until(() => publisher.subscriptionCount === 0);
  });

  test("a publisher that comes later and offers less is heard too", async () => {
    const client = await raw(await open());
    client.send({ op: "subscribe", topic: "/scan", type: "std_msgs/msg/String" });
    await until(() => node.subscriptionsInfo("/scan").length === 1);
    const qos = { ...DEFAULT_QOS, reliability: "best_effort" } as const;
    const publisher = node.createPublisher(Text, "/scan", { qos });
    await until(() => publisher.subscriptionCount === 1);
    publisher.publish({ data: "x" });
    await until(() => client.heard.length === 1);
  });

  test("fills in a header's stamp, takes lists of arguments, keeps ids", async () => {
    const client = await raw(await open({ timer: new VirtualClock(12_500) }));
    const got: { header: { stamp: object } }[] = [];
    node.createSubscription(msg("geometry_msgs/msg/PoseStamped"), "/pose", options, (m) => got.push(m));
    client.send({ op: "publish", topic: "/pose", msg: { pose: { position: { x: 1 } } } });
    await until(() => got.length === 1);
    expect(got[0]).toMatchObject({
      header: { stamp: { sec: 12, nanosec: 5e8 } },
      pose: { position: { x: 1 } },
    });
    node.createService(srv("my_interfaces/srv/ConcatTwoStr"), "/c", options, async (r) => ({
      ret: r.str1 + r.str2,
    }));
    expect(await client.ask({ op: "call_service", service: "/c", args: ["a", "b"], id: "7" })).toEqual({
      op: "service_response",
      id: "7",
      service: "/c",
      values: { ret: "ab" },
      result: true,
    });
  });

  test("a service that does not answer in time, and a page that goes while asked", async () => {
    const timer = new VirtualClock();
    const bridge = await open({ timer, serviceTimeout: 2 });
    const client = await raw(bridge);
    node.createService(srv("std_srvs/srv/Trigger"), "/slow", options, () => new Promise(() => {}));
    client.send({ op: "call_service", service: "/slow", id: "1" });
    for (let i = 0; i < 50; i++) await turn();
    while (client.heard.length === 0) {
      timer.advance(1);
      await turn();
    }
    expect(client.heard[0]).toMatchObject({
      id: "1",
      result: false,
      values: "/slow did not answer within 2 s",
    });

    client.send({ op: "advertise_service", service: "/page", type: "std_srvs/srv/Trigger" });
    const caller = node.createClient(srv("std_srvs/srv/Trigger"), "/page", options);
    await until(() => caller.isServiceAvailable());
    const before = client.heard.length;
    void caller.call({}).catch(() => {}); // rclpy's clients hear nothing either
    await until(() => client.heard.length > before);
    client.socket.terminate();
    await until(() => !caller.isServiceAvailable());
    expect(bridge.clients).toBe(0);
  });

  test("statuses by level", async () => {
    const client = await raw(await open());
    client.send({ op: "set_level", level: "none" });
    client.send({ op: "nonsense" });
    client.send({ op: "set_level", level: "warning" });
    const warning = await client.ask({
      op: "subscribe",
      topic: "/a",
      type: "std_msgs/String",
      compression: "png",
    });
    expect(warning).toMatchObject({ op: "status", level: "warning", msg: expect.stringContaining("png") });
    expect(client.heard).toHaveLength(1);
  });
});

describe("clients that mean no good, or know no better", () => {
  test.each<[unknown, string]>([
    ["{", "a message is no JSON"],
    ["[]", 'must be an object with an "op"'],
    [{ op: 5 }, 'must be an object with an "op"'],
    [{ op: "toString" }, 'there is no operation "toString" here; there are advertise'],
    [{ op: "png", data: "" }, 'there is no operation "png"'],
    [{ op: "fragment", id: "1" }, 'there is no operation "fragment"'],
    [{ op: "publish", topic: "/a", msg: {} }, "publish: the type is neither given nor known"],
    [{ op: "publish", topic: "/a", type: "no_msgs/No", msg: {} }, "type no_msgs/msg/No is not known here"],
    [
      { op: "publish", topic: "/a", type: "std_msgs/String", msg: { data: 1 } },
      "field data: expected string",
    ],
    [
      { op: "publish", topic: "/a", type: "std_msgs/String", msg: 5 },
      "expected std_msgs/msg/String, got number 5",
    ],
    [{ op: "publish", topic: "/a", type: "std_msgs/String", msg: { __proto__x: 1 } }, "there is no field"],
    [{ op: "publish", topic: 5, msg: {} }, "topic must be a string"],
    [{ op: "publish", msg: {} }, "topic is missing"],
    [{ op: "advertise", topic: "/a b", type: "std_msgs/String" }, "is no name of ROS"],
    [{ op: "advertise", topic: "/a", type: "std_srvs/srv/Empty" }, "is not known here"],
    [{ op: "unadvertise", topic: "/a" }, "/a is not advertised"],
    [{ op: "unsubscribe", topic: "/a" }, "/a is not subscribed to"],
    [
      { op: "subscribe", topic: "/a", type: "std_msgs/String", throttle_rate: "x" },
      "throttle_rate must be a number",
    ],
    [{ op: "unadvertise_service", service: "/a" }, "/a is not offered"],
    [{ op: "service_response", id: "x", values: {} }, "no request with that id waits"],
    [{ op: "cancel_action_goal", id: "x", action: "/a" }, "no goal of that id is under way"],
    [{ op: "send_action_goal", action: "/a" }, "id must be a string"],
    [{ op: "set_level", level: "loud" }, "level is one of none, error, warning, info"],
  ])("%j: %s", async (message, said) => {
    const client = await raw(await open());
    const answer = await client.ask(message);
    expect(answer).toMatchObject({ op: "status", level: "error" });
    expect(answer.msg).toContain(said);
  });

  test("calls that can't be made are answered", async () => {
    const client = await raw(await open());
    expect(
      await client.ask({ op: "call_service", service: "/x", type: "std_srvs/Empty", id: "1" }),
    ).toMatchObject({
      id: "1",
      result: false,
      values: "there is no service /x",
    });
    expect(await client.ask({ op: "call_service", service: "/rosapi/topic_type", args: {} })).toMatchObject({
      result: false,
      values: "rosapi: topic must be a string",
    });
    expect(
      await client.ask({ op: "send_action_goal", id: "g", action: "/x", action_type: "my_interfaces/MySum" }),
    ).toMatchObject({
      op: "action_result",
      id: "g",
      result: false,
      values: "there is no service /x/_action/send_goal",
      status: 6,
    });
  });

  test("a page of another site is turned away, unless named", async () => {
    const bridge = await open({ origins: ["https://robot.example"] });
    await expect(raw(bridge, "https://evil.example")).rejects.toThrow("403");
    await expect(raw(bridge, "null")).rejects.toThrow("403");
    await expect(raw(bridge, "http://localhost.evil.example")).rejects.toThrow("403");
    for (const origin of [
      "https://robot.example",
      "http://localhost:8888",
      "http://127.0.0.1:3000",
      undefined,
    ])
      await raw(bridge, origin);
    expect(bridge.clients).toBe(4);
    expect((await fetch(bridge.url.replace("ws", "http"))).status).toBe(426);
  });

  test("limits: clients, sizes, numbers", async () => {
    const bridge = await open({ limits: { clients: 2, messageSize: 1000, entities: 3 } });
    const client = await raw(bridge);
    for (let i = 0; i < 3; i++) client.send({ op: "subscribe", topic: `/t${i}`, type: "std_msgs/String" });
    const refused = await client.ask({ op: "subscribe", topic: "/t3", type: "std_msgs/String" });
    expect(refused.msg).toBe("more than 3 topics subscribed to of one client");
    client.send({ op: "subscribe", topic: "/t0", id: "1" });
    client.send({ op: "subscribe", topic: "/t0", id: "2" });
    expect((await client.ask({ op: "subscribe", topic: "/t0", id: "3" })).msg).toContain(
      "subscriptions to /t0",
    );
    const other = await raw(bridge);
    await expect(raw(bridge)).rejects.toThrow("503");
    other.socket.on("error", () => {});
    other.send({ op: "publish", topic: "/a", msg: { data: "x".repeat(2000) } });
    await until(() => other.isClosed());
    expect(client.isClosed()).toBe(false);
    await raw(bridge); // its place is free
  });

  test("a client that does not read costs no memory", async () => {
    const bridge = await open({ limits: { backlog: 1e6 } });
    const client = await raw(bridge);
    client.socket.pause();
    const publisher = node.createPublisher(Text, "/big", options);
    client.send({ op: "subscribe", topic: "/big" });
    await until(() => publisher.subscriptionCount === 1);
    const data = "x".repeat(200_000);
    for (let i = 0; i < 200; i++) {
      publisher.publish({ data });
      await turn();
    }
    client.socket.resume();
    publisher.publish({ data: "last" });
    await turn();
    await until(() => client.heard.length > 0);
    expect(client.heard.length).toBeLessThan(200);
  });

  test("a client that asks on and on, and reads no answer, is cut off", async () => {
    const bridge = await open({ limits: { backlog: 1e5 } });
    const client = await raw(bridge);
    client.socket.pause();
    // Answers of some kilobytes each, until they fill what lies between the two.
    while (bridge.clients > 0) {
      for (let i = 0; i < 50; i++) client.send({ op: "call_service", service: "/rosapi/interfaces" });
      await turn();
    }
    client.socket.resume();
  });

  test("what a client had goes with it; the port is free again", async () => {
    const bridge = await open();
    const client = await raw(bridge);
    client.send({ op: "advertise", topic: "/a", type: "std_msgs/String" });
    client.send({ op: "subscribe", topic: "/b", type: "std_msgs/String" });
    client.send({ op: "advertise_service", service: "/s", type: "std_srvs/Empty" });
    await until(() => node.serviceNamesAndTypes().some(({ name }) => name === "/s"));
    client.socket.terminate();
    await until(() => node.publishersInfo("/a").length + node.subscriptionsInfo("/b").length === 0);
    expect(node.serviceNamesAndTypes().map(({ name }) => name)).not.toContain("/s");
    const port = Number(new URL(bridge.url).port);
    await expect(rosbridge({ host, port })).rejects.toThrow(
      `can't listen on 127.0.0.1:${port}: the port is taken`,
    );
    await bridge.close();
    await (await rosbridge({ host, port })).close();
  });
});

describe("JSON", () => {
  test("of numbers that JSON lacks, wide integers and bytes, and back", () => {
    const type = msg("rcl_interfaces/msg/ParameterValue");
    const message = type.create({
      integer_value: 2n ** 63n - 1n,
      double_value: Number.NaN,
      byte_array_value: [1, 2, 3],
      integer_array_value: [5n, -(2n ** 60n)],
      double_array_value: [1, Number.POSITIVE_INFINITY],
      string_value: '\u0001"5" 9223372036854775807',
    });
    const text = stringify({ msg: toJson(type, message) });
    expect(text).toContain('"integer_value":9223372036854775807,');
    expect(text).toContain('"integer_array_value":[5,-1152921504606846976]');
    const parsed = JSON.parse(text).msg;
    expect(parsed).toMatchObject({
      double_value: null,
      byte_array_value: "AQID",
      double_array_value: [1, null],
    });
    parsed.integer_value = 7; // JSON.parse has rounded it
    parsed.integer_array_value = [5];
    const back = type.create(fromJson(type, parsed, () => ({ sec: 0, nanosec: 0 })) as object);
    expect(back).toMatchObject({
      integer_value: 7n,
      double_value: Number.NaN,
      string_value: message.string_value,
    });
    expect(back.byte_array_value).toEqual(Uint8Array.of(1, 2, 3));
    expect(() =>
      type.create(
        fromJson(type, { byte_array_value: "no base64!" }, () => ({ sec: 0, nanosec: 0 })) as object,
      ),
    ).toThrow('field byte_array_value: expected an array of byte, got string "no base64!"');
  });
});
