/** A web page (roslib) and a bag, on ROS 2, with nodes of rclpy at the other end. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as ROSLIB from "roslib";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { info, play, read, record } from "../../../../src/robotics/ros/bag/index.js";
import type { RosHost } from "../../../../src/robotics/ros/host.js";
import { rclHost } from "../../../../src/robotics/ros/rcl/host.js";
import type { RosInstallation } from "../../../../src/robotics/ros/rcl/place.js";
import { rosbridge } from "../../../../src/robotics/ros/rosbridge/index.js";
import { until } from "../harness.js";
import { ensureRos, freeDomain } from "./installed.js";
import { type Role, rclpy } from "./rclpy.js";

const ready = await ensureRos();
if (ready.missing)
  describe("ROS 2", () => {
    it.skip(`cannot be installed here: ${ready.missing}`, () => {});
  });
else describe("on ROS 2", () => cases(ready.ros!));

function cases(ros: RosInstallation): void {
  let host: RosHost;
  let domain: number;
  const ends: (() => unknown)[] = [];

  beforeEach(async () => {
    domain = await freeDomain();
    host = await rclHost({ domain });
  });
  afterEach(async () => {
    for (const end of ends.splice(0).reverse()) await end();
    await host.shutdown();
  });

  async function python(role: string): Promise<Role> {
    const started = await rclpy(ros, domain, role);
    ends.push(() => started.stop());
    return started;
  }
  async function page(): Promise<ROSLIB.Ros> {
    const bridge = await rosbridge({ host, port: 0, serviceTimeout: 60 });
    ends.push(() => bridge.close());
    const connection = new ROSLIB.Ros({});
    ends.push(() => connection.close());
    await new Promise<void>((resolve, reject) => {
      connection.on("connection", () => resolve());
      connection.on("error", reject);
      void connection.connect(bridge.url);
    });
    return connection;
  }

  it("a page hears rclpy's topics, calls its services, sets its parameters, sends it goals", async () => {
    const web = await page();
    const topic = { ros: web, name: "/hello_world_topic", messageType: "std_msgs/msg/String" };
    const heard: string[] = [];
    new ROSLIB.Topic<{ data: string }>(topic).subscribe(({ data }) => heard.push(data));
    const talker = await python("talker");
    await until(() => heard.length >= 2);
    expect(heard[0]).toMatch(/^Hello World: \d+$/);
    await talker.stop();

    await python("concat");
    const services = () => new Promise<string[]>((resolve, reject) => web.getServices(resolve, reject));
    while (!(await services()).includes("/concat_two_str"));
    const concat = new ROSLIB.Service<object, { ret: string }>({
      ros: web,
      name: "/concat_two_str",
      serviceType: "my_interfaces/srv/ConcatTwoStr",
    });
    const { ret } = await new Promise<{ ret: string }>((resolve, reject) =>
      concat.callService({ str1: "Hello", str2: "World" }, resolve, (why) => reject(new Error(String(why)))),
    );
    expect(ret).toBe("HelloWorld");

    await python("parametrised");
    while (!(await services()).includes("/parametrised_hello_world_node/set_parameters"));
    const name = new ROSLIB.Param<string>({ ros: web, name: "/parametrised_hello_world_node:name" });
    const get = () => new Promise((resolve, reject) => name.get(resolve, (why) => reject(new Error(why))));
    expect(await get()).toBe("world");
    await new Promise((resolve, reject) => name.set("ROS2", resolve, (why) => reject(new Error(why))));
    expect(await get()).toBe("ROS2");

    await python("sum");
    while (!(await services()).includes("/my_sum/_action/get_result"));
    const sum = new ROSLIB.Action<{ list: number[] }, { sum_so_far: number }, { sum: number }>({
      ros: web,
      name: "/my_sum",
      actionType: "my_interfaces/action/MySum",
    });
    const feedback: number[] = [];
    const result = await new Promise((resolve, reject) =>
      sum.sendGoal(
        { list: [1, 2, 3] },
        resolve,
        (f) => feedback.push(f.sum_so_far),
        (why) => reject(new Error(why)),
      ),
    );
    expect(result).toEqual({ sum: 6 });
    expect(feedback.at(-1) ?? 6).toBe(6);
  });

  it("rclpy hears a page", async () => {
    const web = await page();
    const listener = await python("listener");
    const topic = new ROSLIB.Topic<{ data: string }>({
      ros: web,
      name: "/hello_world_topic",
      messageType: "std_msgs/String",
    });
    const data = "from the page: 机器人";
    // A subscription hears what comes once the two have found each other.
    while (!listener.lines.some((line) => line.heard === data)) {
      topic.publish({ data });
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  });

  it("a bag of rclpy's topic, played back to rclpy", async () => {
    const folder = mkdtempSync(join(tmpdir(), "mlsys-rcl-bag-"));
    ends.push(() => rmSync(folder, { recursive: true }));
    const path = join(folder, "talk.mcap");
    const recorder = await record(path, { host, topics: ["/hello_world_topic"] });
    const talker = await python("talker");
    await until(() => recorder.messageCount >= 5);
    await talker.stop();
    await recorder.stop();
    const told = await info(path);
    expect(told.topics).toMatchObject([{ name: "/hello_world_topic", type: "std_msgs/msg/String" }]);
    expect(told.topics[0].qos).toMatchObject([{ reliability: "reliable", durability: "volatile" }]);
    const data: string[] = [];
    for await (const { message } of read(path)) data.push((message as { data: string }).data);
    expect(data.length).toBe(told.messageCount);

    const listener = await python("listener");
    const player = await play(path, { host, loop: true });
    await listener.until((line) => line.heard === data.at(-1));
    player.stop();
    await player.finished;
  });
}
