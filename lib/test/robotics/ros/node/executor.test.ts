/** Executors and callback groups: who runs when. */
import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { afterEach, describe, expect, it } from "vitest";
import {
  CallbackGroup,
  createNode,
  defineService,
  Executor,
  graphHost,
  msg,
  type Node,
  type NodeOptions,
  RosTimeoutError,
  VirtualTime,
} from "../../../../src/robotics/ros/index.js";

const Text = msg("std_msgs/msg/String");
const Echo = defineService("executor_tests/srv/Echo", "string text\n---\nstring text");
const host = graphHost({ network: "executor-tests" });
const nodes: Node[] = [];
const executors: Executor[] = [];

async function make(name: string, options: NodeOptions = {}): Promise<Node> {
  const node = await createNode(name, { host, useGlobalArguments: false, onLog: () => {}, ...options });
  nodes.push(node);
  return node;
}

function executor(...held: Node[]): Executor {
  const made = new Executor();
  executors.push(made);
  for (const node of held) made.add(node);
  return made;
}

/** Messages of the in-process graph arrive in microtasks. */
const settled = () => new Promise((resolve) => setImmediate(resolve));

afterEach(async () => {
  for (const one of executors.splice(0)) await one.shutdown();
  for (const node of nodes.splice(0)) await node.destroy();
});

describe("an executor", () => {
  it("runs nothing until it is spun, then one callback at a time", async () => {
    const node = await make("n", { executor: null });
    const seen: string[] = [];
    node.createSubscription(Text, "a", ({ data }) => seen.push(data));
    const publisher = node.createPublisher(Text, "a");
    for (const data of ["1", "2", "3"]) publisher.publish({ data });
    await settled();
    expect(seen).toEqual([]);
    const one = executor(node);
    expect(await one.spinOnce()).toBe(true);
    expect(seen).toEqual(["1"]);
    expect(await one.spinSome()).toBe(1);
    expect(await one.spinSome()).toBe(1);
    expect(seen).toEqual(["1", "2", "3"]);
    expect(await one.spinOnce(0)).toBe(false);
  });

  it("is fair: each entity has its turn, round-robin", async () => {
    const node = await make("n", { executor: null });
    const seen: string[] = [];
    for (const topic of ["a", "b", "c"])
      node.createSubscription(Text, topic, ({ data }) => seen.push(topic + data));
    const publishers = ["a", "b", "c"].map((topic) => node.createPublisher(Text, topic));
    publishers.forEach((publisher, i) => {
      for (let k = 0; k < 3 - i; k++) publisher.publish({ data: String(k) });
    });
    await settled();
    const one = executor(node);
    while (await one.spinOnce(0));
    expect(seen).toEqual(["a0", "b0", "c0", "a1", "b1", "a2"]);
  });

  it("gives up after a timeout, and wakes for what comes", async () => {
    const time = new VirtualTime();
    const node = await make("n", { executor: null, time });
    const one = new Executor(time);
    executors.push(one);
    one.add(node);
    const none = one.spinOnce(1);
    await time.advance(1);
    expect(await none).toBe(false);
    const later = one.spinOnce(5);
    node.createTimer(2, () => {});
    await time.advance(2);
    expect(await later).toBe(true);
  });

  it("spins until it is told to stop", async () => {
    const node = await make("n", { executor: null });
    const one = executor(node);
    const stop = new AbortController();
    let count = 0;
    node.createTimer(0.001, () => {
      if (++count === 5) stop.abort();
    });
    await one.spin({ signal: stop.signal });
    expect(count).toBe(5);
    const spinning = one.spin();
    await expect(one.spinOnce()).rejects.toThrow("the executor is spinning already");
    await one.shutdown();
    await spinning;
    expect(() => one.add(node)).toThrow("the executor was shut down");
    expect(await one.spinOnce()).toBe(false);
  });

  it("spins until a promise is settled: the book's asynchronous client", async () => {
    const server = await make("concat_two_str_service", { executor: null });
    const node = await make("concat_two_str_client_async", { executor: null });
    server.createService(Echo, "echo", ({ text }) => ({ text: `${text}!` }));
    const client = node.createClient(Echo, "echo");
    const one = executor(server, node);
    expect(await client.waitForService({ timeout: 1 })).toBe(true);
    expect(await one.spinUntilComplete(client.call({ text: "Hello" }))).toEqual({ text: "Hello!" });
    let reply: string | undefined;
    void client.call({ text: "again" }).then(({ text }) => {
      reply = text;
    });
    while (reply === undefined) await one.spinOnce();
    expect(reply).toBe("again!");
    await expect(one.spinUntilComplete(Promise.reject(new Error("no")))).rejects.toThrow("no");
    await expect(one.spinUntilComplete(new Promise(() => {}), 0.001)).rejects.toThrow(RosTimeoutError);
    const stopped = expect(one.spinUntilComplete(new Promise(() => {}))).rejects.toThrow(
      "was shut down before",
    );
    await one.shutdown();
    await stopped;
  });

  it("hands nodes over with what is ready", async () => {
    const node = await make("n");
    const seen: string[] = [];
    node.createSubscription(Text, "a", ({ data }) => seen.push(data));
    const publisher = node.createPublisher(Text, "a");
    publisher.publish({ data: "before" });
    await settled();
    const one = new Executor();
    executors.push(one);
    expect(() => one.add(node)).toThrow("node /n belongs to another executor");
    node.executor!.remove(node);
    publisher.publish({ data: "between" });
    await settled();
    expect(seen).toEqual(["before"]);
    one.add(node);
    expect(one.nodes).toEqual([node]);
    const gone = await make("gone");
    await gone.destroy();
    expect(() => one.add(gone)).toThrow("node /gone was destroyed");
    expect(await one.spinSome()).toBe(1);
    expect(seen).toEqual(["before", "between"]);
  });

  it("goes on while an asynchronous callback waits", async () => {
    const node = await make("n", { executor: null });
    const one = executor(node);
    let release = () => {};
    const seen: string[] = [];
    node.createSubscription(
      Text,
      "slow",
      async () => {
        seen.push("slow begins");
        await new Promise<void>((resolve) => {
          release = resolve;
        });
        seen.push("slow ends");
      },
      { group: node.createCallbackGroup() },
    );
    node.createSubscription(Text, "other", () => seen.push("other"));
    for (const topic of ["slow", "slow", "other"]) node.createPublisher(Text, topic).publish({});
    await settled();
    expect(await one.spinOnce()).toBe(true);
    expect(await one.spinOnce()).toBe(true);
    expect(await one.spinOnce(0)).toBe(false);
    expect(seen).toEqual(["slow begins", "other"]);
    release();
    expect(await one.spinOnce()).toBe(true);
    expect(seen).toEqual(["slow begins", "other", "slow ends", "slow begins"]);
    release();
  });
});

describe("callback groups", () => {
  async function overlap(group?: CallbackGroup): Promise<number> {
    const node = await make("n");
    let running = 0;
    let most = 0;
    let ended = 0;
    const work = async () => {
      most = Math.max(most, ++running);
      for (let i = 0; i < 3; i++) await settled();
      running--;
      ended++;
    };
    node.createSubscription(Text, "a", work, { group });
    node.createSubscription(Text, "b", work, { group });
    for (const topic of ["a", "b"]) {
      const publisher = node.createPublisher(Text, topic);
      for (let i = 0; i < 3; i++) publisher.publish({});
    }
    while (ended < 6) await settled();
    return most;
  }

  it("that are exclusive run one callback at a time, as a node's own does", async () => {
    expect(await overlap()).toBe(1);
    expect(await overlap(new CallbackGroup("exclusive"))).toBe(1);
  });

  it("that are reentrant run all of them", async () => {
    expect(await overlap(new CallbackGroup("reentrant"))).toBe(6);
  });

  it("of another kind do not exist", () => {
    expect(() => new CallbackGroup("parallel" as never)).toThrow(
      "a callback group is exclusive or reentrant, not parallel",
    );
  });
});

describe("the executor that spins by itself", () => {
  it("never calls within publish, and leaves the event loop its turns", async () => {
    const node = await make("n");
    let count = 0;
    const publisher = node.createPublisher(Text, "ping");
    // two that answer each other without end
    node.createSubscription(Text, "ping", () => {
      if (!node.isDestroyed) publisher.publish({});
      count++;
    });
    publisher.publish({});
    expect(count).toBe(0);
    for (let i = 0; i < 10; i++) await settled();
    expect(count).toBeGreaterThan(10);
  });

  const dist = fileURLToPath(new URL("../../../../dist/robotics/ros/index.js", import.meta.url));
  const script = (body: string) =>
    promisify(execFile)(process.execPath, [
      "--input-type=module",
      "-e",
      `import * as ros from ${JSON.stringify(dist)};\n${body}`,
    ]);

  it("keeps the process alive for timers and waits alone", async () => {
    const { stdout } = await script(`
      const node = await ros.createNode("n");
      const timer = node.createTimer(0.01, () => { console.log("tick"); timer.destroy(); });
      node.createSubscription(ros.msg("std_msgs/msg/String"), "a", () => {});
      console.log(await node.waitForNode("nobody", { timeout: 0.01 }));
    `);
    expect(stdout.split("\n").filter(Boolean).sort()).toEqual(["false", "tick"]);
  });

  it.each(["SIGINT", "SIGTERM"] as const)("ends in order on %s while it spins", async (name) => {
    const child = spawn(process.execPath, [
      "--input-type=module",
      "-e",
      `
      import * as ros from ${JSON.stringify(dist)};
      const node = await ros.createNode("n");
      node.createTimer(1000, () => {});
      setImmediate(() => console.log("ready"));
      await ros.spin(node);
      console.log(node.isDestroyed);
    `,
    ]);
    let output = "";
    child.stdout.on("data", (text) => {
      output += text;
      if (String(text).includes("ready")) child.kill(name);
    });
    const [code] = await once(child, "close");
    expect([code, output]).toEqual([0, "ready\ntrue\n"]);
  });

  it("is kept alive by spin until the node is destroyed", async () => {
    const { stdout } = await script(`
      const node = await ros.createNode("n", { args: ["--ros-args", "-r", "__node:=m"] });
      setTimeout(() => node.destroy(), 10).unref();
      await ros.spin(node);
      console.log(node.name, "ended");
    `);
    expect(stdout).toBe("m ended\n");
  });
});
