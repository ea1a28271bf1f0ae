/** The book's first nodes: a message each second, who hears it, and a parameter in it. (Book, 14.2.) */
import { msg } from "../ros/interfaces/registry.js";
import { createNode, type NodeOptions } from "../ros/node/create.js";
import type { Node } from "../ros/node/node.js";

const TOPIC = "hello_world_topic";
const DEPTH = 10;
/** Seconds. */
const PERIOD = 1.0;

/**
 * `my_hello_world_node`: publishes `Hello World: N` on `hello_world_topic`, each second.
 * @example
 * const talker = await robotics.caseStudy.helloWorldNode();
 * await talker.destroy();
 */
export async function helloWorldNode(options?: NodeOptions): Promise<Node> {
  const node = await createNode("my_hello_world_node", options);
  greet(node, () => "World");
  return node;
}

/**
 * `my_hello_world_subscriber`: logs what comes on `hello_world_topic`.
 * @example
 * const listener = await robotics.caseStudy.messageSubscriber();
 * await listener.destroy();
 */
export async function messageSubscriber(options?: NodeOptions): Promise<Node> {
  const node = await createNode("my_hello_world_subscriber", options);
  const heard = ({ data }: { data: string }): void => node.logger.info(`Received "${data}"`);
  node.createSubscription(msg("std_msgs/msg/String"), TOPIC, heard, DEPTH);
  return node;
}

/**
 * `parametrised_hello_world_node`: greets whom its parameter `name` says at that moment.
 * @example
 * const greeter = await robotics.caseStudy.parametrisedHelloWorldNode({ parameters: { name: "ROS2" } });
 * await greeter.destroy();
 */
export async function parametrisedHelloWorldNode(options?: NodeOptions): Promise<Node> {
  const node = await createNode("parametrised_hello_world_node", options);
  node.declareParameter("name", "world");
  greet(node, () => String(node.getParameter("name")));
  return node;
}

function greet(node: Node, whom: () => string): void {
  const publisher = node.createPublisher(msg("std_msgs/msg/String"), TOPIC, DEPTH);
  let count = 0;
  node.createTimer(PERIOD, () => {
    const data = `Hello ${whom()}: ${count++}`;
    publisher.publish({ data });
    node.logger.info(`Publishing: "${data}"`);
  });
}
