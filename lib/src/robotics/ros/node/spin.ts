/** Waiting in scripts and notebooks: for a node's end, or for a message. */
import type { MessageType } from "../interfaces/types.js";
import { NodeDestroyedError, RosTimeoutError } from "./errors.js";
import type { Node } from "./node.js";
import type { QoSInput } from "./qos.js";
import { limited, type WaitOptions } from "./wait.js";

/**
 * Keeps the process alive until the node is destroyed or `signal` is aborted. Callbacks run without it too, as its
 * executor spins by itself; a script that only subscribes would end, as any that waits for nothing.
 * @example
 * const node = await ros.createNode("my_hello_world_subscriber");
 * node.createSubscription(ros.msg("std_msgs/msg/String"), "hello_world_topic", ({ data }) => node.logger.info(data), 10);
 * setTimeout(() => node.destroy(), 10); // for this example
 * await ros.spin(node);
 */
export async function spin(node: Node, { signal }: { signal?: AbortSignal } = {}): Promise<void> {
  const alive = setInterval(() => {}, 2 ** 30);
  try {
    await new Promise<void>((resolve) => {
      node.onDestroy(resolve);
      if (signal?.aborted) resolve();
      signal?.addEventListener("abort", () => resolve(), { once: true });
    });
  } finally {
    clearInterval(alive);
  }
}

export interface FirstMessageOptions extends WaitOptions {
  readonly qos?: QoSInput;
}

/**
 * The next message of a topic.
 * @throws RosTimeoutError after `timeout` seconds, which tells whether anybody publishes; NodeDestroyedError; the signal's
 * reason
 * @example
 * const node = await ros.createNode("listener");
 * const publisher = node.createPublisher(ros.msg("std_msgs/msg/String"), "chatter", { durability: "transient_local" });
 * publisher.publish({ data: "Hello" });
 * const options = { timeout: 5, qos: { durability: "transient_local" } } as const;
 * const message = await ros.firstMessage(node, ros.msg("std_msgs/msg/String"), "chatter", options);
 * await node.destroy();
 * message.data // "Hello"
 */
export async function firstMessage<M>(
  node: Node,
  type: MessageType<M>,
  topic: string,
  { qos, ...options }: FirstMessageOptions = {},
): Promise<M> {
  const stream = node.subscribe(type, topic, qos === undefined ? undefined : { qos });
  try {
    const result = await limited(
      node.waits,
      () => stream.next(),
      options,
      () => {
        const count = stream.publisherCount;
        const who = count === 0 ? "nobody publishes on it" : `${count} publish on it`;
        return new RosTimeoutError(`no message of ${stream.topic} within ${options.timeout} s: ${who}`);
      },
    );
    if (result.done) throw new NodeDestroyedError(`node ${node.fullyQualifiedName} was destroyed`);
    return result.value;
  } finally {
    stream.destroy();
  }
}
