import { mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { copyFile, mkdir, open } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parse as parseDefinition } from "@foxglove/rosmsg";
import { MessageReader } from "@foxglove/rosmsg2-serialization";
import { McapIndexedReader } from "@mcap/core";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { VirtualClock } from "../graph/clock.js";
import { type GraphHost, graphHost } from "../graph/host.js";
import type { HostNode, QoSProfile } from "../host.js";
import { defineMessage, msg } from "../interfaces/registry.js";
import { DEFAULT_QOS } from "../offered-qos.js";
import { unpacking } from "./compression.js";
import * as bag from "./index.js";
import { parseQos, qosText } from "./schema.js";

const Text = msg("std_msgs/msg/String");
const Scan = msg("sensor_msgs/msg/LaserScan");

let folder: string;
let host: GraphHost;
let node: HostNode;
let networks = 0;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "mlsys-bag-"));
  host = graphHost({ network: `bag ${networks++}` });
  node = host.createNode("talker", "/");
});
afterEach(async () => {
  await host.shutdown();
  rmSync(folder, { recursive: true });
});

const turn = () => new Promise((resolve) => setImmediate(resolve));
async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await turn();
}
const collect = async <T>(from: AsyncIterable<T>): Promise<T[]> => {
  const all: T[] = [];
  for await (const one of from) all.push(one);
  return all;
};
const advertise = (topic: string, qos: Partial<QoSProfile> = {}) =>
  node.createPublisher(Text, topic, { qos: { ...DEFAULT_QOS, ...qos } });

/** A bag of `count` numbered strings on /count. */
async function recorded(name: string, count: number, options: bag.BagWriterOptions = {}): Promise<string> {
  const path = join(folder, name);
  const publisher = advertise("/count");
  const recorder = await bag.record(path, { host, ...options });
  for (let i = 0; i < count; i++) {
    publisher.publish({ data: `${i} ${"x".repeat(100)}` });
    await until(() => recorder.messageCount === i + 1);
  }
  await recorder.stop();
  publisher.dispose();
  return path;
}
const numbers = async (path: string, options?: bag.BagReadOptions) =>
  (await collect(bag.read(path, options))).map(({ message }) =>
    Number.parseInt((message as { data: string }).data, 10),
  );

describe("record", () => {
  test("topics, their messages, types and quality of service come back", async () => {
    const path = join(folder, "a.mcap");
    const latched = advertise("/latched", { durability: "transient_local", depth: 1, deadline: 2.5 });
    const scans = node.createPublisher(Scan, "/scan", {
      qos: { ...DEFAULT_QOS, reliability: "best_effort" },
    });
    latched.publish({ data: "before the recorder" });
    const recorder = await bag.record(path, { host });
    scans.publish(Scan.create({ header: { frame_id: "laser" }, ranges: [1, 2, 3] }));
    await until(() => recorder.messageCount === 2);
    expect(recorder.topics).toEqual(["/latched", "/scan"]);
    await recorder.stop();

    const told = await bag.info(path);
    expect(told).toMatchObject({ profile: "ros2", complete: true, messageCount: 2, compression: ["zstd"] });
    expect(told.topics.map(({ name, type, count }) => [name, type, count])).toEqual([
      ["/latched", "std_msgs/msg/String", 1],
      ["/scan", "sensor_msgs/msg/LaserScan", 1],
    ]);
    expect(told.topics[0].qos).toMatchObject([{ durability: "transient_local", depth: 1, deadline: 2.5 }]);
    expect(told.topics[1].qos).toMatchObject([
      { reliability: "best_effort", deadline: Number.POSITIVE_INFINITY },
    ]);
    const messages = await collect(bag.read(path));
    expect(messages.find((m) => m.topic === "/latched")?.message).toEqual({ data: "before the recorder" });
    const scan = messages.find((m) => m.topic === "/scan")!;
    expect(scan.message).toEqual(Scan.create({ header: { frame_id: "laser" }, ranges: [1, 2, 3] }));
    expect(scan.type).toBe(Scan);
    expect(scan.time).toBeGreaterThanOrEqual(scan.publishTime);
    expect(told.start <= scan.time && scan.time <= told.end).toBe(true);
  });

  test("MCAP's and Foxglove's own readers read it", async () => {
    const path = join(folder, "a.mcap");
    const scans = node.createPublisher(Scan, "/scan", { qos: DEFAULT_QOS });
    const recorder = await bag.record(path, { host });
    scans.publish(Scan.create({ header: { stamp: { sec: 3 }, frame_id: "läser" }, ranges: [0.5] }));
    await until(() => recorder.messageCount === 1);
    await recorder.stop();
    const bytes = readFileSync(path);
    const readable = {
      size: async () => BigInt(bytes.length),
      read: async (at: bigint, length: bigint) => bytes.subarray(Number(at), Number(at + length)),
    };
    const reader = await McapIndexedReader.Initialize({ readable, decompressHandlers: await unpacking() });
    const [message] = await collect(reader.readMessages({ validateCrcs: true }));
    const channel = reader.channelsById.get(message.channelId)!;
    const schema = reader.schemasById.get(channel.schemaId)!;
    expect([channel.topic, channel.messageEncoding, schema.name, schema.encoding]).toEqual([
      "/scan",
      "cdr",
      "sensor_msgs/msg/LaserScan",
      "ros2msg",
    ]);
    const definitions = parseDefinition(Buffer.from(schema.data).toString(), { ros2: true });
    expect(new MessageReader(definitions).readMessage(message.data)).toMatchObject({
      header: { stamp: { sec: 3, nanosec: 0 }, frame_id: "läser" },
      ranges: Float32Array.of(0.5),
    });
  });

  test("joins topics that come later; leaves out hidden, excluded and unknown ones", async () => {
    const path = join(folder, "a.mcap");
    const warnings: string[] = [];
    const recorder = await bag.record(path, {
      host,
      exclude: /^\/noise/,
      onWarning: (text) => warnings.push(text),
    });
    const Odd = defineMessage("bag_pkg/msg/Odd", "int8 x");
    const unknown = { ...Odd, name: "nobody_msgs/msg/Unknown" };
    node.createPublisher(unknown, "/odd", { qos: DEFAULT_QOS });
    advertise("/noise/a");
    advertise("/do/_action/status");
    const late = advertise("/late");
    await until(() => recorder.topics.length === 1 && warnings.length === 1);
    expect(recorder.topics).toEqual(["/late"]);
    expect(warnings[0]).toContain("topic /odd is of type nobody_msgs/msg/Unknown, which is not known");
    await until(() => late.subscriptionCount === 1);
    late.publish({ data: "x" });
    await until(() => recorder.messageCount === 1);
    await recorder.stop();
    expect((await bag.info(path)).topics.map((topic) => topic.name)).toEqual(["/late"]);
  });

  test("a signal ends it with a whole file", async () => {
    const path = join(folder, "a.mcap");
    const abort = new AbortController();
    const publisher = advertise("/a");
    const recorder = await bag.record(path, { host, topics: ["/a"], signal: abort.signal });
    publisher.publish({ data: "x" });
    await until(() => recorder.messageCount === 1);
    abort.abort();
    await recorder.finished;
    expect(await bag.info(path)).toMatchObject({ complete: true, messageCount: 1 });
    expect(host.createNode("rosbag2_recorder", "/").name).toBe("rosbag2_recorder");
  });

  test("keeps a file that is there, unless told", async () => {
    const path = join(folder, "a.mcap");
    writeFileSync(path, "mine");
    await expect(bag.record(path, { host })).rejects.toThrow(
      "it is there already (overwrite: true replaces it)",
    );
    expect(readFileSync(path, "utf8")).toBe("mine");
    await (await bag.record(path, { host, overwrite: true })).stop();
    expect(await bag.info(path)).toMatchObject({ messageCount: 0, topics: [], duration: 0 });
    await expect(bag.record(join(folder, "no/where.mcap"), { host })).rejects.toThrow(bag.BagError);
  });
});

describe("damaged files", () => {
  test("a recorder that dies loses at most its last chunk", async () => {
    const path = join(folder, "live.mcap");
    const publisher = advertise("/count");
    const recorder = await bag.record(path, { host, chunkSize: 1000, compression: "none" });
    for (let i = 0; i < 50; i++) {
      publisher.publish({ data: `${i} ${"x".repeat(100)}` });
      await until(() => recorder.messageCount === i + 1);
    }
    await until(() => recorder.pendingBytes === 0);
    await copyFile(path, join(folder, "dead.mcap")); // what the disk has at this moment
    await recorder.stop();
    const told = await bag.info(join(folder, "dead.mcap"));
    expect(told.complete).toBe(false);
    expect(told.problem).toMatch(/ends in the middle|ends early|footer/i);
    const saved = await numbers(join(folder, "dead.mcap"));
    expect(saved).toEqual(Array.from({ length: saved.length }, (_, i) => i));
    expect(saved.length).toBeGreaterThanOrEqual(50 - 2 * 10);
  });

  test("cut anywhere, the messages before the cut are read", async () => {
    const path = await recorded("whole.mcap", 30, { chunkSize: 500 });
    const cut = join(folder, "cut.mcap");
    const { size } = await bag.info(path);
    let longest = 0;
    for (let at = size - 1; at > 0; at -= 97) {
      await copyFile(path, cut);
      truncateSync(cut, at);
      if (at < 8) {
        await expect(bag.info(cut)).rejects.toThrow("is no MCAP file");
        continue;
      }
      const saved = await numbers(cut);
      expect(saved).toEqual(Array.from({ length: saved.length }, (_, i) => i));
      longest = Math.max(longest, saved.length);
    }
    expect(longest).toBe(30);
  });

  test("recover makes a whole bag of one", async () => {
    const path = await recorded("whole.mcap", 30, { chunkSize: 500 });
    const { size } = await bag.info(path);
    truncateSync(path, Math.floor(size / 3));
    const saved = await numbers(path);
    expect(saved.length).toBeGreaterThan(3);
    const to = join(folder, "recovered.mcap");
    expect(await bag.recover(path, to)).toBe(saved.length);
    expect(await bag.info(to)).toMatchObject({ complete: true, messageCount: saved.length });
    expect(await numbers(to)).toEqual(saved);
  });

  test("a flipped byte in a chunk ends the reading there, and says so", async () => {
    const path = await recorded("whole.mcap", 30, { chunkSize: 500, compression: "none" });
    const bytes = readFileSync(path);
    bytes[bytes.indexOf("20 xxx") + 50] ^= 1;
    writeFileSync(path, bytes.subarray(0, bytes.length - 1)); // no index either
    const told = await bag.info(path);
    expect(told).toMatchObject({ complete: false, problem: expect.stringMatching(/crc/i) });
    expect(told.messageCount).toBeLessThan(30);
  });

  test("what is no bag", async () => {
    await expect(bag.info(join(folder, "none.mcap"))).rejects.toThrow("there is no bag");
    writeFileSync(join(folder, "text.mcap"), "not a bag at all");
    await expect(bag.info(join(folder, "text.mcap"))).rejects.toThrow("is no MCAP file");
    await mkdir(join(folder, "empty"));
    await expect(bag.info(join(folder, "empty"))).rejects.toThrow("has no .mcap file");
  });
});

describe("read", () => {
  test("by time, by topic, and from rosbag2's folder", async () => {
    const path = await recorded("a.mcap", 5);
    const all = await collect(bag.read(path));
    const second = Number(all[1].time - all[0].time) / 1e9;
    expect(await numbers(path, { start: second })).toEqual([1, 2, 3, 4]);
    expect(await numbers(path, { end: second })).toEqual([0, 1]);
    expect(await numbers(path, { topics: ["/count"] })).toHaveLength(5);
    await expect(numbers(path, { topics: ["/nope"] })).rejects.toThrow("has no topic /nope; it has /count");
    await mkdir(join(folder, "bag"));
    await copyFile(path, join(folder, "bag", "bag_0.mcap"));
    expect(await numbers(join(folder, "bag"))).toHaveLength(5);
  });

  test("bags of Python's mcap-ros2 library, packed by lz4 and zstd", async () => {
    for (const compression of ["lz4", "zstd"]) {
      const path = new URL(`../../../../test/expected/ros_bag_${compression}.mcap`, import.meta.url).pathname;
      const told = await bag.info(path);
      expect(told).toMatchObject({
        messageCount: 6,
        complete: true,
        compression: [compression],
        duration: 2.5,
      });
      const messages = await collect(bag.read(path));
      expect(messages.map((m) => m.topic)).toEqual([
        "/pose",
        "/chatter",
        "/pose",
        "/chatter",
        "/pose",
        "/chatter",
      ]);
      expect(messages[2].message).toEqual(
        msg("geometry_msgs/msg/PoseStamped").create({
          header: { stamp: { sec: 1 }, frame_id: "map" },
          pose: { position: { x: 1, y: 0.5 } },
        }),
      );
      expect(messages[3].message).toEqual({ data: "Hello World: 1" });
      expect(messages[3].type).toBe(Text);
    }
  });

  test("quality of service as text, of old and new rosbag2", () => {
    const odd: QoSProfile = {
      ...DEFAULT_QOS,
      history: "keep_all",
      reliability: "best_effort",
      lifespan: 0.25,
    };
    expect(parseQos(qosText([DEFAULT_QOS, odd]))).toEqual([DEFAULT_QOS, odd]);
    const old =
      "- history: 2\n  depth: 7\n  reliability: 2\n  durability: 1\n  deadline:\n    sec: 9223372036\n    nsec: 854775807\n  liveliness: 1\n";
    expect(parseQos(old)).toEqual([
      {
        ...DEFAULT_QOS,
        history: "keep_all",
        depth: 7,
        reliability: "best_effort",
        durability: "transient_local",
      },
    ]);
    expect(parseQos("")).toEqual([]);
    expect(parseQos("- {history: unknown, depth: -3}")).toEqual([DEFAULT_QOS]);
    expect(() => parseQos("{")).toThrow("is no YAML");
    expect(() => parseQos("a: 1")).toThrow("is no YAML list");
  });
});

describe("play", () => {
  const Clock = msg("rosgraph_msgs/msg/Clock");
  const path = (name = "lz4") =>
    new URL(`../../../../test/expected/ros_bag_${name}.mcap`, import.meta.url).pathname;
  let heard: string[];
  const hear = (topic = "/chatter") => {
    heard = [];
    return node.createSubscription(Text, topic, { qos: { ...DEFAULT_QOS, depth: 100 } }, (m) =>
      heard.push(m.data),
    );
  };

  test("as fast as it goes: everything, in order", async () => {
    hear();
    const player = await bag.play(path(), { host, rate: Number.POSITIVE_INFINITY });
    await player.finished;
    await until(() => heard.length === 3);
    expect(heard).toEqual(["Hello World: 0", "Hello World: 1", "Hello World: 2"]);
    expect(player.messageCount).toBe(6);
    expect(node.publishersInfo("/chatter")).toEqual([]);
  });

  // /pose at 0, 1, 2 s and /chatter at 0.5, 1.5, 2.5 s, on a clock that stands until it is moved.
  test("keeps the pace, faster or slower, paused and by steps", async () => {
    hear();
    const timer = new VirtualClock(5000);
    const player = await bag.play(path(), { host, timer, rate: 2 });
    await until(() => player.messageCount === 1);
    timer.advance(0.2);
    for (let i = 0; i < 20; i++) await turn();
    expect(player.messageCount).toBe(1);
    timer.advance(0.05); // 0.5 s of the bag
    await until(() => player.messageCount === 2);
    player.rate = 0.5;
    timer.advance(0.9);
    for (let i = 0; i < 20; i++) await turn();
    expect(player.messageCount).toBe(2);
    timer.advance(0.1);
    await until(() => player.messageCount === 3);
    player.pause();
    expect(player.paused).toBe(true);
    timer.advance(100);
    for (let i = 0; i < 20; i++) await turn();
    expect(player.messageCount).toBe(3);
    await player.step();
    expect(player.messageCount).toBe(4);
    expect(player.position).toBe(1.5);
    player.resume();
    timer.advance(1);
    await until(() => player.messageCount === 5);
    timer.advance(1);
    await player.finished;
    expect(player.messageCount).toBe(6);
    await until(() => heard.length === 3);
  });

  test("from a second, under other names, over and over, with /clock", async () => {
    hear("/other");
    const times: number[] = [];
    node.createSubscription(Clock, "/clock", { qos: { ...DEFAULT_QOS, depth: 100 } }, ({ clock }) =>
      times.push(clock.sec + clock.nanosec / 1e9),
    );
    const timer = new VirtualClock();
    const player = await bag.play(path(), {
      host,
      timer,
      start: 1,
      loop: true,
      clock: 4,
      topics: ["/chatter"],
      remap: { "/chatter": "/other" },
    });
    // Messages at 1.5 and 2.5 s, ticks each quarter between, and again from 1 s.
    const expected = [1.25, 1.5, 1.5, 1.75, 2, 2.25, 2.5, 1.25];
    while (times.length < expected.length) {
      await turn();
      timer.advance(0.25);
      await turn();
    }
    player.stop();
    await player.finished;
    const ticks = times.filter((time, i) => i === 0 || time !== times[i - 1]);
    expect(ticks.slice(0, 7)).toEqual([1.25, 1.5, 1.75, 2, 2.25, 2.5, 1.25].map((t) => t + 1000));
    await until(() => heard.length >= 2);
    expect(heard.slice(0, 2)).toEqual(["Hello World: 1", "Hello World: 2"]);
  });

  test("what was recorded while a bag plays is the bag again", async () => {
    const copy = join(folder, "copy.mcap");
    const recorder = await bag.record(copy, { host });
    const player = await bag.play(path(), { host, rate: Number.POSITIVE_INFINITY, paused: true });
    await until(() => recorder.topics.length === 2);
    player.resume();
    await player.finished;
    await until(() => recorder.messageCount === 6);
    await recorder.stop();
    const [first, second] = await Promise.all([collect(bag.read(path())), collect(bag.read(copy))]);
    expect(second.map(({ topic, message }) => [topic, message])).toEqual(
      first.map(({ topic, message }) => [topic, message]),
    );
  });

  test("refusals", async () => {
    await expect(bag.play(path(), { host, topics: ["/x"] })).rejects.toThrow(
      "has no topic /x; it has /chatter, /pose",
    );
    await expect(bag.play(path(), { host, remap: { "/x": "/y" } })).rejects.toThrow("has no topic /x");
    await expect(bag.play(path(), { host, rate: 0 })).rejects.toThrow("a rate is a number above 0, got 0");
    const player = await bag.play(path(), { host, paused: true, timer: new VirtualClock() });
    player.resume();
    expect(() => player.step()).toThrow("step() is for a paused player");
    player.stop();
    await player.finished;
    const handle = await open(path());
    await handle.close();
  });
});
