import { describe, expect, test } from "vitest";
import { Ground, options, turn, until } from "../../../../test/robotics/ros/bridge.js";
import { VirtualClock } from "../graph/clock.js";
import { msg, srv } from "../interfaces/registry.js";
import { DEFAULT_QOS } from "../offered-qos.js";
import { fromJson, stringify, toJson } from "./json.js";
import { rosbridge } from "./server.js";

const Text = msg("std_msgs/msg/String");
const ground = new Ground();

describe("the protocol", () => {
  test("throttles, with a queue or without", async () => {
    const timer = new VirtualClock(1e6);
    const client = await ground.client(await ground.bridge({ timer }));
    const publisher = ground.node.createPublisher(Text, "/fast", options);
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
    const client = await ground.client(await ground.bridge());
    const publisher = ground.node.createPublisher(Text, "/a", options);
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
    const client = await ground.client(await ground.bridge());
    client.send({ op: "subscribe", topic: "/scan", type: "std_msgs/msg/String" });
    await until(() => ground.node.subscriptionsInfo("/scan").length === 1);
    const qos = { ...DEFAULT_QOS, reliability: "best_effort" } as const;
    const publisher = ground.node.createPublisher(Text, "/scan", { qos });
    await until(() => publisher.subscriptionCount === 1);
    publisher.publish({ data: "x" });
    await until(() => client.heard.length === 1);
  });

  test("fills in a header's stamp, takes lists of arguments, keeps ids", async () => {
    const client = await ground.client(await ground.bridge({ timer: new VirtualClock(12_500) }));
    const got: { header: { stamp: object } }[] = [];
    ground.node.createSubscription(msg("geometry_msgs/msg/PoseStamped"), "/pose", options, (m) =>
      got.push(m),
    );
    client.send({ op: "publish", topic: "/pose", msg: { pose: { position: { x: 1 } } } });
    await until(() => got.length === 1);
    expect(got[0]).toMatchObject({
      header: { stamp: { sec: 12, nanosec: 5e8 } },
      pose: { position: { x: 1 } },
    });
    ground.node.createService(srv("my_interfaces/srv/ConcatTwoStr"), "/c", options, async (r) => ({
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
    const bridge = await ground.bridge({ timer, serviceTimeout: 2 });
    const client = await ground.client(bridge);
    ground.node.createService(srv("std_srvs/srv/Trigger"), "/slow", options, () => new Promise(() => {}));
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
    const caller = ground.node.createClient(srv("std_srvs/srv/Trigger"), "/page", options);
    await until(() => caller.isServiceAvailable());
    const before = client.heard.length;
    void caller.call({}).catch(() => {}); // rclpy's clients hear nothing either
    await until(() => client.heard.length > before);
    client.socket.terminate();
    await until(() => !caller.isServiceAvailable());
    expect(bridge.clients).toBe(0);
  });

  test("statuses by level", async () => {
    const client = await ground.client(await ground.bridge());
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
    const client = await ground.client(await ground.bridge());
    const answer = await client.ask(message);
    expect(answer).toMatchObject({ op: "status", level: "error" });
    expect(answer.msg).toContain(said);
  });

  test("calls that can't be made are answered", async () => {
    const client = await ground.client(await ground.bridge());
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
    const bridge = await ground.bridge({ origins: ["https://robot.example"] });
    await expect(ground.client(bridge, "https://evil.example")).rejects.toThrow("403");
    await expect(ground.client(bridge, "null")).rejects.toThrow("403");
    await expect(ground.client(bridge, "http://localhost.evil.example")).rejects.toThrow("403");
    for (const origin of [
      "https://robot.example",
      "http://localhost:8888",
      "http://127.0.0.1:3000",
      undefined,
    ])
      await ground.client(bridge, origin);
    expect(bridge.clients).toBe(4);
    expect((await fetch(bridge.url.replace("ws", "http"))).status).toBe(426);
  });

  test("limits: clients, sizes, numbers", async () => {
    const bridge = await ground.bridge({ limits: { clients: 2, messageSize: 1000, entities: 3 } });
    const client = await ground.client(bridge);
    for (let i = 0; i < 3; i++) client.send({ op: "subscribe", topic: `/t${i}`, type: "std_msgs/String" });
    const refused = await client.ask({ op: "subscribe", topic: "/t3", type: "std_msgs/String" });
    expect(refused.msg).toBe("more than 3 topics subscribed to of one client");
    client.send({ op: "subscribe", topic: "/t0", id: "1" });
    client.send({ op: "subscribe", topic: "/t0", id: "2" });
    expect((await client.ask({ op: "subscribe", topic: "/t0", id: "3" })).msg).toContain(
      "subscriptions to /t0",
    );
    const other = await ground.client(bridge);
    await expect(ground.client(bridge)).rejects.toThrow("503");
    other.socket.on("error", () => {});
    other.send({ op: "publish", topic: "/a", msg: { data: "x".repeat(2000) } });
    await until(() => other.isClosed());
    expect(client.isClosed()).toBe(false);
    await ground.client(bridge); // its place is free
  });

  test("a client that does not read costs no memory", async () => {
    const bridge = await ground.bridge({ limits: { backlog: 1e6 } });
    const client = await ground.client(bridge);
    client.socket.pause();
    const publisher = ground.node.createPublisher(Text, "/big", options);
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
    const bridge = await ground.bridge({ limits: { backlog: 1e5 } });
    const client = await ground.client(bridge);
    client.socket.pause();
    // Answers of some kilobytes each, until they fill what lies between the two.
    while (bridge.clients > 0) {
      for (let i = 0; i < 50; i++) client.send({ op: "call_service", service: "/rosapi/interfaces" });
      await turn();
    }
    client.socket.resume();
  });

  test("what a client had goes with it; the port is free again", async () => {
    const bridge = await ground.bridge();
    const client = await ground.client(bridge);
    client.send({ op: "advertise", topic: "/a", type: "std_msgs/String" });
    client.send({ op: "subscribe", topic: "/b", type: "std_msgs/String" });
    client.send({ op: "advertise_service", service: "/s", type: "std_srvs/Empty" });
    await until(() => ground.node.serviceNamesAndTypes().some(({ name }) => name === "/s"));
    client.socket.terminate();
    await until(
      () => ground.node.publishersInfo("/a").length + ground.node.subscriptionsInfo("/b").length === 0,
    );
    expect(ground.node.serviceNamesAndTypes().map(({ name }) => name)).not.toContain("/s");
    const port = Number(new URL(bridge.url).port);
    await expect(rosbridge({ host: ground.host, port })).rejects.toThrow(
      `can't listen on 127.0.0.1:${port}: the port is taken`,
    );
    await bridge.close();
    await (await rosbridge({ host: ground.host, port })).close();
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
