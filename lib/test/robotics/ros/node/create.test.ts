/** Creating nodes, and the quality of service of what they create. */
import { readFileSync } from "node:fs";
import { afterEach, describe, expect, it } from "vitest";
import {
  createNode,
  graphHost,
  InvalidNameError,
  msg,
  type Node,
  type NodeOptions,
  qos,
  RosArgumentError,
  resolveQoS,
} from "../../../../src/robotics/ros/index.js";

const expected = JSON.parse(readFileSync(new URL("expected.json", import.meta.url), "utf8"));
const Text = msg("std_msgs/msg/String");
const host = graphHost({ network: "create-tests" });
const nodes: Node[] = [];

async function make(name: string, options: NodeOptions = {}): Promise<Node> {
  const node = await createNode(name, { host, useGlobalArguments: false, onLog: () => {}, ...options });
  nodes.push(node);
  return node;
}

afterEach(async () => {
  for (const node of nodes.splice(0)) await node.destroy();
});

describe("creating a node", () => {
  it.each([
    ["1st", {}, InvalidNameError, `node name "1st" must not start with a digit`],
    ["a", { namespace: "a//b" }, InvalidNameError, `namespace "/a//b" must not contain '//'`],
    ["a", { remap: { __node: "a b" } }, InvalidNameError, `node name "a b"`],
    ["a", { remap: { __ns: "b" } }, RosArgumentError, "a namespace begins with '/'"],
    ["a", { remap: ["nonsense"] }, RosArgumentError, `remap rule "nonsense": expected from:=to`],
    ["a", { args: ["--ros-args", "--nonsense"] }, RosArgumentError, "--nonsense after --ros-args"],
    ["a", { host: "dds" as never }, Error, "host is one of graph, rclnodejs"],
  ] as const)("says what is wrong: %s %j", async (name, options, type, message) => {
    const made = make(name, options);
    await expect(made).rejects.toThrow(type);
    await expect(made).rejects.toThrow(message);
    const witness = await make("witness");
    expect(witness.getNodeNames()).toEqual(["witness"]);
  });

  it("leaves nothing behind if a parameter is wrong", async () => {
    await expect(make("a", { parameters: { use_sim_time: "yes" } })).rejects.toThrow(
      "use_sim_time is of type bool",
    );
    const witness = await make("witness");
    expect(witness.getNodeNames()).toEqual(["witness"]);
    expect(witness.countPublishers("/rosout")).toBe(1);
  });

  it("takes the process's arguments, those of the node first", async () => {
    const before = process.argv;
    process.argv = [
      ...before,
      "--ros-args",
      "-p",
      "a:=1",
      "-p",
      "b:=1",
      "-r",
      "chatter:=loud",
      "-r",
      "__ns:=/global",
    ];
    try {
      const args = ["--ros-args", "-p", "b:=2", "-r", "__ns:=/local"];
      const node = await make("n", { useGlobalArguments: true, args });
      expect(node.namespace).toBe("/local");
      expect(node.resolveTopicName("chatter")).toBe("/local/loud");
      const values = ["a", "b"].map((name) => node.declareParameter(name, 0, { type: "integer" }));
      expect(values).toEqual([1, 2]);
      expect((await make("n")).namespace).toBe("/");
    } finally {
      process.argv = before;
    }
  });

  it("may go without services and logs", async () => {
    const node = await make("n", { startParameterServices: false, enableRosout: false });
    expect(node.getServiceNamesAndTypes()).toEqual([]);
    expect(node.getTopicNamesAndTypes().map(({ name }) => name)).toEqual(["/parameter_events"]);
  });

  it("meets the others of its domain alone", async () => {
    const domains = [await createNode("a", { domain: 91 }), await createNode("b", { domain: 92 })];
    nodes.push(...domains);
    expect(domains.map((node) => node.getNodeNames())).toEqual([["a"], ["b"]]);
  });
});

describe("quality of service", () => {
  const ours = {
    default: qos.default,
    sensor_data: qos.sensorData,
    services_default: qos.services,
    parameters: qos.parameters,
    parameter_events: qos.parameterEvents,
    rosout_default: qos.rosout,
    action_status_default: qos.actionStatus,
  };

  it.each(Object.entries(ours))(
    "%s is rclpy's",
    (name, { history, depth, reliability, durability, ...rest }) => {
      const [lifespan, deadline] = [rest.lifespan, rest.deadline].map((s) => (s === Infinity ? null : s));
      expect({ history, depth, reliability, durability, lifespan, deadline }).toEqual(expected.qos[name]);
    },
  );

  it("is a depth, some policies, or one of several options", async () => {
    const node = await make("n");
    expect(node.createPublisher(Text, "a", 3).qos).toEqual({ ...qos.default, depth: 3 });
    expect(node.createPublisher(Text, "a", { durability: "transient_local" }).qos.durability).toBe(
      "transient_local",
    );
    expect(node.createSubscription(Text, "a", () => {}, { qos: qos.sensorData }).qos).toEqual(qos.sensorData);
    expect(node.subscribe(Text, "a", { qos: 2, onEvent: () => {} }).qos.depth).toBe(2);
    expect(Object.isFrozen(resolveQoS(1))).toBe(true);
  });

  it.each([
    [0, "QoS depth is a whole number of at least 1, not 0"],
    [1.5, "QoS depth is a whole number of at least 1, not 1.5"],
    [{ reliability: "sometimes" }, "QoS reliability is reliable or best_effort, not sometimes"],
    [{ dept: 3 }, "QoS has no policy dept; it has history, depth"],
    [{ deadline: 0 }, "QoS deadline is in seconds above 0 (Infinity for none), not 0"],
  ])("that is none is refused: %j", (input, message) => {
    expect(() => resolveQoS(input as never)).toThrow(message);
  });
});
