/** Hosts for suites that stand on nodes: those of this process, each test's apart from all others'. */
import { graphHost } from "../../../src/robotics/ros/graph/index.js";
import type { RosHost } from "../../../src/robotics/ros/host.js";
import { createNode, type NodeOptions } from "../../../src/robotics/ros/node/create.js";
import type { Node } from "../../../src/robotics/ros/node/node.js";
import type { Pair, Subject } from "./harness.js";

let network = 0;

/** Two hosts of the in-process graph. */
export const graphSubject: Subject = {
  async open() {
    const near = graphHost({ network: `nodes ${process.pid} ${++network}` });
    const far = graphHost({ network: `nodes ${process.pid} ${network}` });
    return { near, far, end: () => Promise.all([near.shutdown(), far.shutdown()]).then(() => {}) };
  },
};

/** A node near and one far, with what went wrong in their callbacks and what they logged; all is ended after `test`. */
export async function withNodes(
  subject: Subject,
  test: (nodes: {
    near: Node;
    far: Node;
    pair: Pair;
    failures: string[];
    logs: string[];
    create(name: string, options?: NodeOptions): Promise<Node>;
  }) => Promise<void>,
  options: { near?: NodeOptions; far?: NodeOptions } = {},
): Promise<void> {
  const pair = await subject.open();
  const [failures, logs, nodes]: [string[], string[], Node[]] = [[], [], []];
  const create = async (name: string, more: NodeOptions = {}, host: RosHost = pair.near) => {
    const node = await createNode(name, {
      host,
      onError: ({ source, error }) => failures.push(`${source}: ${(error as Error).message}`),
      onLog: ({ message }) => logs.push(message),
      ...more,
    });
    nodes.push(node);
    return node;
  };
  try {
    const near = await create("near", options.near);
    const far = await create("far", options.far, pair.far);
    await test({ near, far, pair, failures, logs, create });
  } finally {
    for (const node of nodes) await node.destroy();
    await pair.end();
  }
}
