/** The book's first nodes, with their names: a talker, a listener, and a talker with a parameter. */
import { afterEach, describe, expect, it } from "vitest";
import { createNode, graphHost, msg, type Node, VirtualTime } from "../../../../src/robotics/ros/index.js";

const Text = msg("std_msgs/msg/String");
const nodes: Node[] = [];
let count = 0;

afterEach(async () => {
  for (const node of nodes.splice(0)) await node.destroy();
});

async function world() {
  const time = new VirtualTime();
  const host = graphHost({ network: `book-${count++}`, clock: time });
  const heard: string[] = [];
  const make = async (name: string) => {
    const onLog = ({ name: logger, message }: { name: string; message: string }) =>
      heard.push(`[${logger}]: ${message}`);
    const node = await createNode(name, { host, time, onLog, useGlobalArguments: false });
    nodes.push(node);
    return node;
  };
  return { time, heard, make };
}

describe("the book's nodes", () => {
  it("my_hello_world_node is heard by my_hello_world_subscriber", async () => {
    const { time, heard, make } = await world();
    const talker = await make("my_hello_world_node");
    const publisher = talker.createPublisher(Text, "hello_world_topic", 10);
    let i = 0;
    talker.createTimer(1.0, () => {
      const data = `Hello World: ${i++}`;
      publisher.publish({ data });
      talker.logger.info(`Publishing: "${data}"`);
    });
    const listener = await make("my_hello_world_subscriber");
    listener.createSubscription(
      Text,
      "hello_world_topic",
      ({ data }) => listener.logger.info(`I heard: "${data}"`),
      10,
    );

    await time.advance(3);
    expect(heard).toEqual(
      [0, 1, 2].flatMap((n) => [
        `[my_hello_world_node]: Publishing: "Hello World: ${n}"`,
        `[my_hello_world_subscriber]: I heard: "Hello World: ${n}"`,
      ]),
    );
  });

  it("parametrised_hello_world_node greets whom its parameter names", async () => {
    const { time, make } = await world();
    const node = await make("parametrised_hello_world_node");
    node.declareParameter("name", "world");
    const publisher = node.createPublisher(Text, "hello_world_topic", 10);
    let i = 0;
    node.createTimer(1.0, () => publisher.publish({ data: `Hello ${node.getParameter("name")}: ${i++}` }));

    const shell = await make("shell");
    const greetings: string[] = [];
    shell.createSubscription(Text, "hello_world_topic", ({ data }) => greetings.push(data), 10);
    await time.advance(2);
    // ros2 param list; ros2 param set parametrised_hello_world_node name ROS2
    const parameters = shell.parameterClient("parametrised_hello_world_node");
    expect(await parameters.list()).toEqual(["name", "use_sim_time"]);
    expect(await parameters.set({ name: "ROS2" })).toEqual([{ successful: true, reason: "" }]);
    await time.advance(2);
    expect(greetings).toEqual(["Hello world: 0", "Hello world: 1", "Hello ROS2: 2", "Hello ROS2: 3"]);
  });
});
