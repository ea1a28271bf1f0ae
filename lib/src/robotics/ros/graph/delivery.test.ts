/** How messages are handed over inside a process. */
import { afterAll, expect, it, vi } from "vitest";
import {
  fresh,
  joined,
  LATCHED,
  listen,
  nodeOn,
  qos,
  range,
  String_,
  talk,
  until,
} from "../../../../test/robotics/ros/harness.js";
import { msg } from "../interfaces/registry.js";
import { codecOf } from "./copy.js";
import { graphHost } from "./index.js";

const host = graphHost({ network: "delivery" });
const pair = { near: host, far: host, end: () => host.shutdown() };
afterAll(() => host.shutdown());

const Image = msg("sensor_msgs/msg/Image");

it("drops exactly the oldest of a queue", async () => {
  const { say, heard, topic } = await joined(pair, {}, { depth: 3 });
  const one = listen(host, String_, topic, { depth: 1 });
  for (const text of range(100)) say(text);
  await until(() => heard().length > 0 && one.messages.length > 0);
  expect(heard()).toEqual(range(3, 97));
  expect(one.messages).toEqual([{ data: "99" }]);
});

it("lets timers run while two nodes answer each other without end", async () => {
  const node = nodeOn(host);
  const [ping, pong] = [fresh("ping"), fresh("pong")];
  const options = { qos: qos() };
  const publishers = [ping, pong].map((topic) => node.createPublisher(String_, topic, options));
  let rounds = 0;
  node.createSubscription(String_, ping, options, (message) => publishers[1].publish(message));
  node.createSubscription(String_, pong, options, (message) => {
    rounds++;
    publishers[0].publish(message);
  });
  publishers[0].publish(String_.create({ data: "ball" }));
  let timers = 0;
  for (; rounds < 1000; timers++) await new Promise((resolve) => setTimeout(resolve, 1));
  expect(timers).toBeGreaterThan(0);
  node.dispose();
});

it("copies a message once for one subscription, and not at all for none", async () => {
  const copied = vi.spyOn(codecOf(Image), "copy");
  const topic = fresh("image");
  const { publisher } = talk(host, Image, topic);
  const image = Image.create({ data: new Uint8Array(100) });
  publisher.publish(image);
  expect(copied).toHaveBeenCalledTimes(0);
  const listeners = [listen(host, Image, topic)];
  publisher.publish(image);
  await until(() => listeners[0].messages.length === 1);
  expect(copied).toHaveBeenCalledTimes(1);
  listeners.push(listen(host, Image, topic), listen(host, Image, topic));
  publisher.publish(image);
  await until(() => listeners.every(({ messages }, i) => messages.length === (i === 0 ? 2 : 1)));
  expect(copied).toHaveBeenCalledTimes(1 + 3);
  const bytes = listeners.flatMap(({ messages }) => messages.map(({ data }) => data.buffer));
  expect(new Set([image.data.buffer, ...bytes]).size).toBe(5);
  copied.mockRestore();
});

it("copies a Buffer's bytes, and gives a Uint8Array", () => {
  const data = Buffer.from([1, 2, 3]);
  const copy = codecOf(Image).copy({ ...Image.create(), data }) as { data: Uint8Array };
  data[0] = 9;
  expect(copy.data).toEqual(Uint8Array.of(1, 2, 3));
  expect(Buffer.isBuffer(copy.data)).toBe(false);
});

it("copies every type of the common packages, so that nothing is shared", () => {
  for (const name of [
    "nav_msgs/msg/OccupancyGrid",
    "tf2_msgs/msg/TFMessage",
    "diagnostic_msgs/msg/DiagnosticArray",
  ] as const) {
    const type = msg(name);
    const message = type.create();
    const copy = codecOf(type).copy(message);
    expect(copy).toEqual(message);
    const objects = (value: unknown): object[] =>
      typeof value !== "object" || value === null
        ? []
        : [value, ...(ArrayBuffer.isView(value) ? [] : Object.values(value).flatMap(objects))];
    const own = new Set(objects(message));
    expect(objects(copy).filter((object) => own.has(object))).toEqual([]);
  }
});

it("estimates sizes", () => {
  expect(codecOf(Image).size(Image.create({ data: new Uint8Array(1000) }))).toBeGreaterThanOrEqual(1000);
  expect(codecOf(String_).size({ data: "x".repeat(500) })).toBeGreaterThanOrEqual(500);
});

it("goes on after a callback that throws, and says what was thrown", async () => {
  const warned = vi.spyOn(process, "emitWarning").mockImplementation(() => {});
  const node = nodeOn(host);
  const topic = fresh("throws");
  const heard: string[] = [];
  node.createSubscription(String_, topic, { qos: qos() }, ({ data }) => {
    heard.push(data);
    if (data === "0") throw new Error("bad day");
  });
  const { publisher } = talk(host, String_, topic);
  for (const data of range(3)) publisher.publish(String_.create({ data }));
  await until(() => heard.length === 3);
  expect(warned.mock.calls.map(([warning]) => String(warning))).toEqual(["Error: bad day"]);
  warned.mockRestore();
});

it("stops in the middle of a queue when the callback disposes of the subscription", async () => {
  const node = nodeOn(host);
  const topic = fresh("stops");
  const heard: string[] = [];
  const subscription = node.createSubscription(String_, topic, { qos: qos() }, ({ data }) => {
    heard.push(data);
    if (data === "1") subscription.dispose();
  });
  const { publisher } = talk(host, String_, topic);
  const other = listen(host, String_, topic);
  for (const data of range(5)) publisher.publish(String_.create({ data }));
  await until(() => other.messages.length === 5);
  expect(heard).toEqual(["0", "1"]);
});

it("keeps the history of a publisher with keep_last at its depth", async () => {
  const topic = fresh("deep");
  const { publisher } = talk(host, String_, topic, { ...LATCHED, depth: 100 });
  for (const data of range(5000)) publisher.publish(String_.create({ data }));
  const late = listen(host, String_, topic, { ...LATCHED, history: "keep_all" });
  await until(() => late.messages.length > 0);
  expect(late.messages.map(({ data }) => data)).toEqual(range(100, 4900));
});

it("doesn't bring together hosts of different domains or networks", async () => {
  const hosts = [
    graphHost({ network: "apart", domain: 1 }),
    graphHost({ network: "apart", domain: 2 }),
    graphHost({ network: "other", domain: 1 }),
  ];
  const same = graphHost({ network: "apart", domain: 1 });
  const { publisher } = talk(same, String_, "/topic");
  const listeners = hosts.map((each) => listen(each, String_, "/topic"));
  publisher.publish(String_.create({ data: "hello" }));
  await until(() => listeners[0].messages.length === 1);
  expect(publisher.subscriptionCount).toBe(1);
  expect(listeners.map(({ messages }) => messages.length)).toEqual([1, 0, 0]);
  await Promise.all([...hosts, same].map((each) => each.shutdown()));
  expect(() => same.createNode("late", "/")).toThrow(/after shutdown/);
});

it("refuses a domain that ROS 2 doesn't have", () => {
  for (const domain of [-1, 233, 1.5, Number.NaN])
    expect(() => graphHost({ domain })).toThrow(`a domain is a whole number from 0 to 232, got ${domain}`);
});
