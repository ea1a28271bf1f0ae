/** What nodes do, whatever carries their messages: one suite for every host. Nothing here counts on time or turns. */
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import {
  createNode,
  defineMessage,
  defineService,
  firstMessage,
  type LogRecord,
  msg,
  type Node,
  NodeDestroyedError,
  type NodeOptions,
  qos,
  type RosHost,
  RosTimeoutError,
  srv,
  VirtualTime,
} from "../../../../src/robotics/ros/index.js";

const Text = msg("std_msgs/msg/String");
const Count = defineMessage("node_tests/msg/Count", "int64 n\nfloat64[] values");
const ConcatTwoStr = defineService(
  "node_tests/srv/ConcatTwoStr",
  "string str1\nstring str2\n---\nstring ret",
);

/** Resolves when the condition holds; the test's own timeout is its end. */
export async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 1));
}

/** Runs over each host that `makeHost` makes: a new one for every test. */
export function nodeSuite(name: string, makeHost: () => Promise<RosHost>): void {
  describe(`nodes over ${name}`, () => {
    let host: RosHost;
    let nodes: Node[];
    let logs: LogRecord[];

    beforeEach(async () => {
      host = await makeHost();
      nodes = [];
      logs = [];
    });

    afterEach(async () => {
      for (const node of nodes) await node.destroy();
      await host.shutdown();
    });

    async function make(nodeName: string, options: NodeOptions = {}): Promise<Node> {
      const onLog = (record: LogRecord) => logs.push(record);
      const node = await createNode(nodeName, { host, useGlobalArguments: false, onLog, ...options });
      nodes.push(node);
      return node;
    }

    it("carry messages from a publisher to subscriptions, typed and whole", async () => {
      const [a, b] = [await make("a"), await make("b")];
      const got: unknown[] = [];
      const subscription = b.createSubscription(Count, "counts", (message) => got.push(message), 10);
      const publisher = a.createPublisher(Count, "counts", 10);
      expect(await publisher.waitForSubscriptions()).toBe(true);
      expect(await subscription.waitForPublishers()).toBe(true);
      publisher.publish({ n: 2n ** 60n, values: [1, 2.5] });
      publisher.publish({});
      await until(() => got.length === 2);
      expect(got).toEqual([
        { n: 2n ** 60n, values: Float64Array.of(1, 2.5) },
        { n: 0n, values: new Float64Array() },
      ]);
      expect(() => publisher.publish({ n: "no" } as never)).toThrow("node_tests/msg/Count: field n");
    });

    it("run a subscription's callbacks one at a time, in order, and survive their exceptions", async () => {
      const node = await make("b");
      const failures: string[] = [];
      node.onError = ({ node: where, source, error }) =>
        failures.push(`${where} ${source} ${(error as Error).message}`);
      const seen: string[] = [];
      node.createSubscription(Text, "chatter", async ({ data }) => {
        seen.push(`${data} begins`);
        await Promise.resolve();
        if (data === "1") throw new Error("one is wrong");
        seen.push(`${data} ends`);
      });
      const publisher = node.createPublisher(Text, "chatter");
      await publisher.waitForSubscriptions();
      for (const data of ["0", "1", "2"]) publisher.publish({ data });
      await until(() => seen.includes("2 ends"));
      expect(seen).toEqual(["0 begins", "0 ends", "1 begins", "2 begins", "2 ends"]);
      expect(failures).toEqual(["/b subscription of /chatter one is wrong"]);
    });

    it("keep the newest messages, as many as QoS says, until the executor takes them", async () => {
      const node = await make("b", { executor: null });
      const seen: string[] = [];
      node.createSubscription(Text, "chatter", ({ data }) => seen.push(data), 3);
      const all = node.subscribe(Text, "chatter", { history: "keep_all" });
      const publisher = node.createPublisher(Text, "chatter", 100);
      await publisher.waitForSubscriptions(2);
      for (let i = 0; i < 20; i++) publisher.publish({ data: String(i) });
      for (let i = 0; i < 20; i++) expect((await all.next()).value?.data).toBe(String(i));
      const { Executor } = await import("../../../../src/robotics/ros/index.js");
      const executor = new Executor();
      executor.add(node);
      await executor.spinUntilComplete(until(() => seen.includes("19")));
      await executor.shutdown();
      expect(seen).toEqual(["17", "18", "19"]);
    });

    it("give late subscriptions what is transient", async () => {
      const node = await make("a");
      const profile = { durability: "transient_local", depth: 2 } as const;
      const publisher = node.createPublisher(Text, "map", profile);
      for (const data of ["old", "older", "new"]) publisher.publish({ data });
      const late = await make("b");
      const stream = late.subscribe(Text, "map", profile);
      const first = await stream.next();
      const second = await stream.next();
      expect([first.value?.data, second.value?.data]).toEqual(["older", "new"]);
    });

    it("are iterated, until the loop is left", async () => {
      const node = await make("a");
      const publisher = node.createPublisher(Text, "chatter");
      const stream = node.subscribe(Text, "chatter", 10);
      await publisher.waitForSubscriptions();
      for (const data of ["a", "b", "c", "d"]) publisher.publish({ data });
      const seen: string[] = [];
      for await (const { data } of stream) {
        seen.push(data);
        if (data === "c") break;
      }
      expect(seen).toEqual(["a", "b", "c"]);
      expect(await stream.next()).toEqual({ done: true, value: undefined });
      await until(() => publisher.subscriptionCount === 0);
    });

    it("end an iteration by signal", async () => {
      const node = await make("a");
      const controller = new AbortController();
      const loop = (async () => {
        for await (const _ of node.subscribe(Text, "chatter", { signal: controller.signal }));
        return "ended";
      })();
      controller.abort();
      expect(await loop).toBe("ended");
    });

    it("answer calls", async () => {
      const [a, b] = [await make("a", { namespace: "/robot" }), await make("b")];
      a.createService(ConcatTwoStr, "concat_two_str", async ({ str1, str2 }) => ({ ret: str1 + str2 }));
      const client = b.createClient(ConcatTwoStr, "/robot/concat_two_str");
      expect(client.name).toBe("/robot/concat_two_str");
      expect(await client.waitForService()).toBe(true);
      const calls = ["World", "there", ""].map((str2) => client.call({ str1: "Hello", str2 }));
      expect(await Promise.all(calls)).toEqual([
        { ret: "HelloWorld" },
        { ret: "Hellothere" },
        { ret: "Hello" },
      ]);
      await expect(client.call({ str3: "" } as never)).rejects.toThrow("str3");
    });

    it("tell when an answer has left, and survive what is thrown then", async () => {
      const node = await make("a");
      const told: string[] = [];
      node.onError = ({ source, error }) => told.push(`${source}: ${(error as Error).message}`);
      const onAnswered = ({ str1 }: { str1: string }): void => {
        told.push(str1);
        throw new Error("broken");
      };
      node.createService(ConcatTwoStr, "concat", ({ str2 }) => ({ ret: str2 }), { onAnswered });
      const client = node.createClient(ConcatTwoStr, "concat");
      await client.waitForService();
      expect(await client.call({ str1: "x", str2: "y" })).toEqual({ ret: "y" });
      await until(() => told.length > 1);
      expect(told).toEqual(["x", "onAnswered of service /concat: broken"]);
    });

    it("let a callback await a call, of the same group too", async () => {
      const [a, b] = [await make("a"), await make("b")];
      a.createService(ConcatTwoStr, "inner", ({ str1 }) => ({ ret: `<${str1}>` }));
      const inner = b.createClient(ConcatTwoStr, "inner");
      b.createService(ConcatTwoStr, "outer", async (request) => ({
        ret: (await inner.call(request)).ret + request.str2,
      }));
      const client = a.createClient(ConcatTwoStr, "outer");
      await inner.waitForService();
      await client.waitForService();
      expect(await client.call({ str1: "x", str2: "!" })).toEqual({ ret: "<x>!" });
    });

    it("tell who waits for a service that it is not there, or does not answer", async () => {
      const time = new VirtualTime();
      const [a, b] = [await make("a"), await make("b", { time })];
      const client = b.createClient(ConcatTwoStr, "concat");
      expect(await client.waitForService({ timeout: 0 })).toBe(false);
      const waiting = client.waitForService({ timeout: 1 });
      await time.advance(1);
      expect(await waiting).toBe(false);
      const lost = expect(client.call({}, { timeout: 2 })).rejects.toThrow(
        new RosTimeoutError("service /concat is not there: no answer within 2 s"),
      );
      await time.advance(2);
      await lost;

      const failures: string[] = [];
      a.onError = ({ source, error }) => failures.push(`${source}: ${(error as Error).message}`);
      a.createService(ConcatTwoStr, "concat", () => {
        throw new Error("broken");
      });
      await client.waitForService();
      const unanswered = expect(client.call({}, { timeout: 3 })).rejects.toThrow(
        new RosTimeoutError("service /concat did not answer within 3 s"),
      );
      await until(() => failures.length === 1);
      await time.advance(3);
      await unanswered;
      expect(failures).toEqual(["service /concat: broken"]);
    });

    it("report a response that does not fit its type", async () => {
      const node = await make("a");
      const failures: string[] = [];
      node.onError = ({ error }) => failures.push((error as Error).message);
      node.createService(ConcatTwoStr, "concat", () => ({ ret: 3 }) as never);
      node.createService(ConcatTwoStr, "nothing", (() => {}) as never);
      const controller = new AbortController();
      const calls = ["concat", "nothing"].map(async (service) => {
        const client = node.createClient(ConcatTwoStr, service);
        await client.waitForService();
        return client.call({}, { signal: controller.signal });
      });
      await until(() => failures.length === 2);
      controller.abort(new Error("enough"));
      for (const call of calls) await expect(call).rejects.toThrow("enough");
      expect(failures.sort()[0]).toContain("field ret");
      expect(failures[1]).toBe(
        "the callback returned undefined: a response of node_tests/srv/ConcatTwoStr is an object",
      );
    });

    it("are seen by each other", async () => {
      const [a, b] = [await make("a", { namespace: "robot" }), await make("b")];
      expect(await b.waitForNode("/robot/a")).toBe(true);
      expect(await b.waitForNode("nobody", { timeout: 0 })).toBe(false);
      expect(b.getFullyQualifiedNodeNames().sort()).toEqual(["/b", "/robot/a"]);
      a.createPublisher(Text, "chatter", qos.sensorData);
      b.createSubscription(Text, "robot/chatter", () => {}, qos.sensorData);
      a.createService(ConcatTwoStr, "~/concat", () => ({}));
      await b.waitForPublishers("/robot/chatter");
      await a.waitForSubscriptions("chatter");
      expect(b.getTopicNamesAndTypes()).toContainEqual({
        name: "/robot/chatter",
        types: ["std_msgs/msg/String"],
      });
      await b.waitUntil(() => b.getServiceNamesAndTypes().some(({ name }) => name === "/robot/a/concat"));
      expect(b.getServiceNamesAndTypes()).toContainEqual({
        name: "/robot/a/concat",
        types: ["node_tests/srv/ConcatTwoStr"],
      });
      const [info] = b.getPublishersInfoByTopic("robot/chatter");
      expect(info).toMatchObject({ nodeName: "a", nodeNamespace: "/robot", type: "std_msgs/msg/String" });
      expect(info.qos).toMatchObject({ reliability: "best_effort" });
      expect(b.getPublisherNamesAndTypesByNode("/robot/a")).toContainEqual({
        name: "/robot/chatter",
        types: ["std_msgs/msg/String"],
      });
      expect(b.getSubscriberNamesAndTypesByNode("/b").map(({ name }) => name)).toEqual(["/robot/chatter"]);
      expect([b.countPublishers("/nothing"), b.countSubscribers("robot/chatter")]).toEqual([0, 1]);
    });

    it("are remapped from outside", async () => {
      const node = await make("talker", {
        remap: { chatter: "/loud/chatter", __ns: "/ns", __node: "renamed" },
        args: ["--ros-args", "-r", "renamed:~/state:=pose", "-r", "other:x:=y"],
      });
      expect(node.fullyQualifiedName).toBe("/ns/renamed");
      expect(node.createPublisher(Text, "chatter").topic).toBe("/loud/chatter");
      expect(node.resolveTopicName("~/state")).toBe("/ns/pose");
      expect(node.resolveServiceName("x")).toBe("/ns/x");
      expect(node.logger.name).toBe("ns.renamed");
      expect(await node.waitForNode("/ns/renamed")).toBe(true);
    });

    it("share parameters with clients", async () => {
      const [a, b] = [await make("a"), await make("b")];
      a.declareParameter("name", "world", { description: "whom to greet" });
      a.declareParameter("count", 3, { type: "integer", range: { from: 0, to: 10 } });
      a.declareParameter("big", 2n ** 60n);
      a.declareParameter("gains.p", 1.5);
      a.declareParameter("gains.list", [1, 2.5]);
      a.declareParameter("flags", [true, false], { readOnly: true });
      a.declareParameter("bytes", Uint8Array.of(1, 2));
      const remote = b.parameterClient("a");
      expect(remote.remoteNode).toBe("/a");
      expect(await remote.waitForServices()).toBe(true);
      expect(await remote.list()).toEqual([
        "big",
        "bytes",
        "count",
        "flags",
        "gains.list",
        "gains.p",
        "name",
        "use_sim_time",
      ]);
      expect(await remote.list({ prefixes: ["gains"] })).toEqual(["gains.list", "gains.p"]);
      const names = ["name", "count", "big", "gains.list", "flags", "bytes"];
      expect(await remote.get(names)).toEqual({
        name: "world",
        count: 3,
        big: 2n ** 60n,
        "gains.list": [1, 2.5],
        flags: [true, false],
        bytes: Uint8Array.of(1, 2),
      });
      expect(await remote.types(["count", "gains.p"])).toEqual({ count: "integer", "gains.p": "double" });
      const described = await remote.describe(["count", "flags"]);
      expect(described.count).toMatchObject({ type: "integer", range: { from: 0n, to: 10n } });
      expect(described.flags).toMatchObject({ type: "bool_array", readOnly: true });
      await expect(remote.get(["name", "nope"])).rejects.toThrow(
        "node /a does not have all of these parameters",
      );

      const results = await remote.set({
        name: "ROS2",
        count: 4,
        "gains.p": 2,
        "gains.list": [3],
        flags: [true],
        nope: 1,
      });
      expect(results.map(({ successful }) => successful)).toEqual([true, true, true, true, false, false]);
      expect(results[4].reason).toBe("parameter flags is read-only");
      expect(results[5].reason).toContain("parameter nope is not declared");
      expect([a.getParameter("name"), a.getParameter("count"), a.getParameter("gains.p")]).toEqual([
        "ROS2",
        4,
        2,
      ]);
      expect(await remote.setAtomically({ name: "again", count: 11 })).toEqual({
        successful: false,
        reason: "parameter count is out of its range 0 … 10: 11",
      });
      expect(a.getParameter("name")).toBe("ROS2");
      expect(await remote.setAtomically({ name: "again", count: 10 })).toEqual({
        successful: true,
        reason: "",
      });
      expect(a.getParameter("name")).toBe("again");
    });

    it("tell of changes of parameters", async () => {
      const [a, b] = [await make("a", { allowUndeclaredParameters: true }), await make("b")];
      const remote = b.parameterClient("/a");
      const events = remote.events();
      const next = async () => {
        const { value } = await events.next();
        return value && { new: value.new, changed: value.changed, deleted: value.deleted };
      };
      await b.waitForSubscriptions("/parameter_events");
      await a.waitForSubscriptions("/parameter_events");
      a.declareParameter("name", "world");
      expect(await next()).toEqual({ new: { name: "world" }, changed: {}, deleted: [] });
      b.declareParameter("name", "of another node");
      a.setParameters({ name: "ROS2", free: 1n });
      expect(await next()).toEqual({ new: {}, changed: { name: "ROS2" }, deleted: [] });
      expect(await next()).toEqual({ new: { free: 1 }, changed: {}, deleted: [] });
      a.setParameters({ free: undefined });
      expect(await next()).toEqual({ new: {}, changed: {}, deleted: ["free"] });
      await events.return();
    });

    it("live by simulated time", async () => {
      const [clock, node] = [await make("simulator"), await make("robot", { useSimTime: true })];
      const publisher = clock.createPublisher(msg("rosgraph_msgs/msg/Clock"), "/clock", 10);
      await publisher.waitForSubscriptions();
      const at = (sec: number, nanosec = 500_000_000) => publisher.publish({ clock: { sec, nanosec } });
      expect([node.now().seconds, node.clock.isSimulated]).toEqual([0, true]);
      const ticks: number[] = [];
      at(10);
      await until(() => node.now().seconds === 10.5);
      node.createTimer(1, () => ticks.push(node.now().seconds));
      const slept = node.clock.sleep(3);
      for (const sec of [11, 12, 13]) {
        at(sec);
        await until(() => ticks.length === sec - 10);
      }
      await slept;
      expect(ticks).toEqual([11.5, 12.5, 13.5]);

      const jumps: number[] = [];
      node.clock.onJump(({ delta }) => jumps.push(delta), { forward: 5, backward: 1 });
      at(20, 750_000_000); // seven steps at once: one call
      await until(() => ticks.length === 4);
      at(2);
      await until(() => jumps.length === 2);
      at(3);
      await until(() => ticks.length === 5);
      expect(ticks.slice(3)).toEqual([20.75, 3.5]);
      expect(jumps).toEqual([7.25, -18.25]);

      node.setParameters({ use_sim_time: false });
      expect(node.clock.isSimulated).toBe(false);
      expect(Math.abs(node.now().seconds - Date.now() / 1000)).toBeLessThan(60);
    });

    it("log to /rosout", async () => {
      const [a, b] = [await make("a", { namespace: "/ns" }), await make("b")];
      a.logger.debug("not this");
      a.logger.warn("careful");
      const log = await firstMessage(b, msg("rcl_interfaces/msg/Log"), "/rosout", { qos: qos.rosout });
      expect(log).toMatchObject({ level: 30, name: "ns.a", msg: "careful" });
      expect(log.file).toContain("suite.ts");
      expect(log.line).toBeGreaterThan(0);
      expect(logs.map(({ level, message }) => `${level} ${message}`)).toContain("warn careful");
    });

    it("let others set the levels of their loggers", async () => {
      const [a, b] = [await make("a", { enableLoggerService: true }), await make("b")];
      const get = b.createClient(srv("rcl_interfaces/srv/GetLoggerLevels"), "a/get_logger_levels");
      const set = b.createClient(srv("rcl_interfaces/srv/SetLoggerLevels"), "a/set_logger_levels");
      await get.waitForService();
      await set.waitForService();
      a.logger.debug("not yet");
      const { results } = await set.call({
        levels: [
          { name: "a", level: 10 },
          { name: "a", level: 11 },
        ],
      });
      expect(results.map(({ successful }) => successful)).toEqual([true, false]);
      a.logger.debug("now");
      const { levels } = await get.call({ names: ["a", "other"] });
      expect(levels.map(({ level }) => level)).toEqual([10, 0]);
      expect(logs.filter(({ name }) => name === "a").map(({ message }) => message)).toEqual(["now"]);
    });

    it("wait for a first message", async () => {
      const time = new VirtualTime();
      const node = await make("a", { time });
      const publisher = node.createPublisher(Text, "chatter");
      const first = firstMessage(node, Text, "chatter", { timeout: 5 });
      await publisher.waitForSubscriptions();
      publisher.publish({ data: "here" });
      expect(await first).toEqual({ data: "here" });
      const none = expect(firstMessage(node, Text, "silence", { timeout: 5 })).rejects.toThrow(
        new RosTimeoutError("no message of /silence within 5 s: nobody publishes on it"),
      );
      await time.advance(5);
      await none;
    });

    it("warn of partners whose QoS keeps messages away, or tell who asked", async () => {
      const [a, b] = [await make("a"), await make("b")];
      const events: unknown[] = [];
      a.createPublisher(Text, "scan", qos.sensorData);
      b.createSubscription(Text, "scan", () => {}, { onEvent: (event) => events.push(event) });
      b.createSubscription(Text, "scan", () => {});
      await until(() => events.length > 0 && logs.some(({ name }) => name === "b"));
      expect(events[0]).toEqual({ type: "incompatible_qos", policy: "reliability", total: 1 });
      expect(logs.find(({ name }) => name === "b")?.message).toBe(
        "subscription of /scan: another end has incompatible QoS, no message will pass: reliability",
      );
    });

    it("keep nothing of what was destroyed", async () => {
      const node = await make("a");
      const before = node.entities.size;
      for (let i = 0; i < 3; i++) {
        const things = [
          node.createPublisher(Text, "chatter", { onEvent: () => {} }),
          node.createSubscription(Text, "chatter", () => {}, { onEvent: () => {} }),
          node.subscribe(Text, "chatter", { onEvent: () => {} }),
          node.createService(ConcatTwoStr, "concat", () => ({})),
          node.createClient(ConcatTwoStr, "concat"),
          node.createTimer(1000, () => {}),
          node.parameterClient("a"),
        ];
        for (const thing of things) thing.destroy();
        for (const thing of things) thing.destroy();
      }
      expect(node.entities.size).toBe(before);
      await node.waitUntil(() => node.countPublishers("chatter") + node.countSubscribers("chatter") === 0);
      await node[Symbol.asyncDispose]();
      expect(node.isDestroyed).toBe(true);
    });

    it("end all there is when destroyed", async () => {
      const [a, b] = [await make("a"), await make("b")];
      const calls: string[] = [];
      a.createService(ConcatTwoStr, "slow", () => new Promise(() => {}));
      const publisher = a.createPublisher(Text, "chatter");
      b.createSubscription(Text, "chatter", () => calls.push("message"));
      const stream = b.subscribe(Text, "chatter");
      const client = b.createClient(ConcatTwoStr, "slow");
      const other = b.createPublisher(Text, "other");
      await client.waitForService();
      await publisher.waitForSubscriptions(2);
      const waits = [
        client.call({}),
        b.createClient(ConcatTwoStr, "nowhere").waitForService(),
        b.waitForNode("nobody"),
        other.waitForSubscriptions(),
        b.clock.sleep(1000),
        firstMessage(b, Text, "silence"),
      ].map((wait) => expect(wait).rejects.toThrow(NodeDestroyedError));
      const loop = (async () => {
        for await (const _ of stream);
        return "ended";
      })();
      await b.destroy();
      await b.destroy();
      await Promise.all(waits);
      expect(await loop).toBe("ended");
      publisher.publish({ data: "too late" });
      await a.waitUntil(() => publisher.subscriptionCount === 0);
      expect(calls).toEqual([]);
      expect(() => other.publish({ data: "" })).toThrow("the publisher on /other was destroyed");
      expect(() => b.createTimer(1, () => {})).toThrow(new NodeDestroyedError("node /b was destroyed"));
      expect(() => b.getNodeNames()).toThrow(NodeDestroyedError);
      await expect(client.call({})).rejects.toThrow(NodeDestroyedError);
      await a.waitUntil(() => !a.getNodeNames().includes("b"));
    });
  });
}
