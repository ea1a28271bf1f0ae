/** Publishers and subscriptions. */
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { msg } from "../../../../src/robotics/ros/interfaces/registry.js";
import {
  ALL,
  fresh,
  joined,
  LATCHED,
  listen,
  type Pair,
  range,
  String_,
  type Subject,
  talk,
  until,
} from "../harness.js";

const Image = msg("sensor_msgs/msg/Image");
const Odometry = msg("nav_msgs/msg/Odometry");
const Numbers = msg("std_msgs/msg/Int64MultiArray");

export function topicCases({ open, refusesSecondType = false }: Subject): void {
  describe("topics", () => {
    let pair: Pair;
    beforeEach(async () => {
      pair = await open();
    });
    afterEach(() => pair.end());

    it("delivers every message of a publisher in its order, and none before publish returns", async () => {
      const { say, heard } = await joined(pair, ALL, ALL);
      say("0");
      expect(heard()).toEqual([]);
      for (const text of range(499, 1)) say(text);
      await until(() => heard().length >= 500);
      expect(heard()).toEqual(range(500));
    });

    it("gives each subscription each message", async () => {
      const { topic, talker, say, heard } = await joined(pair, ALL, ALL);
      const others = [listen(pair.near, String_, topic, ALL), listen(pair.far, String_, topic, ALL)];
      await until(() => talker.publisher.subscriptionCount === 3);
      for (const text of range(20)) say(text);
      await until(() => heard().length === 20 && others.every(({ messages }) => messages.length === 20));
      for (const { messages } of others) expect(messages.map(({ data }) => data)).toEqual(range(20));
    });

    it("brings together several publishers, each in its own order", async () => {
      const { topic, listener, say, heard } = await joined(pair, ALL, ALL);
      const other = talk(pair.far, String_, topic, ALL);
      await until(
        () => listener.subscription.publisherCount === 2 && other.publisher.subscriptionCount === 1,
      );
      for (let i = 0; i < 30; i++) {
        say(`a${i}`);
        other.publisher.publish(String_.create({ data: `b${i}` }));
      }
      await until(() => heard().length === 60);
      for (const who of ["a", "b"])
        expect(heard().filter((text) => text.startsWith(who))).toEqual(range(30).map((text) => who + text));
    });

    it("shows no subscription what the publisher or another subscription changes later", async () => {
      const topic = fresh("image");
      const { publisher } = talk(pair.near, Image, topic, LATCHED);
      const first = listen(pair.near, Image, topic, LATCHED);
      const second = listen(pair.far, Image, topic, LATCHED);
      await until(() => publisher.subscriptionCount === 2);
      const image = Image.create({ height: 2, width: 3, step: 3, data: Uint8Array.of(1, 2, 3, 4, 5, 6) });
      publisher.publish(image);
      image.data[0] = 99;
      image.height = 99;
      image.header.frame_id = "changed";
      await until(() => first.messages.length === 1 && second.messages.length === 1);
      first.messages[0].data[1] = 99;
      first.messages[0].header.frame_id = "changed as well";
      const late = listen(pair.near, Image, topic, LATCHED);
      await until(() => late.messages.length === 1);
      late.messages[0].data[2] = 99;
      for (const [message, data] of [
        [first.messages[0], [1, 99, 3, 4, 5, 6]],
        [second.messages[0], [1, 2, 3, 4, 5, 6]],
        [late.messages[0], [1, 2, 99, 4, 5, 6]],
      ] as const) {
        expect(message.height).toBe(2);
        expect([...message.data]).toEqual(data);
      }
      expect(second.messages[0].header.frame_id).toBe("");
      expect(late.messages[0].header.frame_id).toBe("");
    });

    it("carries nested messages, 64-bit integers, doubles and arrays as they are", async () => {
      const topic = fresh("odometry");
      const talker = talk(pair.near, Odometry, topic);
      const listener = listen(pair.far, Odometry, topic);
      const numbers = talk(pair.near, Numbers, `${topic}_numbers`);
      const heard = listen(pair.far, Numbers, `${topic}_numbers`);
      await until(() => talker.publisher.subscriptionCount + numbers.publisher.subscriptionCount === 2);
      const covariance = Float64Array.from({ length: 36 }, (_, i) => i / 7);
      const odometry = Odometry.create({
        header: { stamp: { sec: -5, nanosec: 4_000_000_000 }, frame_id: "地図 🤖" },
        child_frame_id: "base",
        pose: {
          pose: { position: { x: 0.1, y: -1e-300, z: 1e300 }, orientation: { x: 0, y: 0, z: 0, w: 1 } },
          covariance,
        },
      });
      talker.publisher.publish(odometry);
      const int64 = Numbers.create({
        layout: { dim: [{ label: "rows", size: 1, stride: 3 }], data_offset: 2 },
        data: BigInt64Array.of(-(2n ** 63n), 0n, 2n ** 63n - 1n),
      });
      numbers.publisher.publish(int64);
      await until(() => listener.messages.length === 1 && heard.messages.length === 1);
      expect(listener.messages[0]).toEqual(odometry);
      expect(listener.messages[0].pose.covariance).toBeInstanceOf(Float64Array);
      expect(heard.messages[0]).toEqual(int64);
    });

    it("carries an image of a megabyte byte by byte", async () => {
      const topic = fresh("image");
      const { publisher } = talk(pair.near, Image, topic);
      const { messages } = listen(pair.far, Image, topic);
      await until(() => publisher.subscriptionCount === 1);
      const data = Uint8Array.from({ length: 1 << 20 }, (_, i) => (i * 7919) >> 5);
      publisher.publish(Image.create({ height: 1024, width: 1024, encoding: "mono8", step: 1024, data }));
      await until(() => messages.length === 1);
      expect(Buffer.compare(messages[0].data, data)).toBe(0);
    });

    it("says when a message was sent and received", async () => {
      const { listener, say } = await joined(pair);
      const before = BigInt(Date.now() - 1) * 1_000_000n;
      say("now");
      await until(() => listener.infos.length === 1);
      const after = BigInt(Date.now() + 1) * 1_000_000n;
      const [{ sourceTimestamp, receivedTimestamp }] = listener.infos;
      expect(sourceTimestamp).toBeGreaterThanOrEqual(before);
      expect(receivedTimestamp).toBeGreaterThanOrEqual(sourceTimestamp);
      expect(receivedTimestamp).toBeLessThanOrEqual(after);
    });

    it("doesn't join ends of one topic that have different types", async () => {
      const { topic, talker, say, heard } = await joined(pair);
      const other = refusesSecondType ? null : listen(pair.far, Image, topic);
      if (!other) expect(() => listen(pair.far, Image, topic)).toThrow(/type/);
      const third = listen(pair.far, String_, topic);
      await until(() => talker.publisher.subscriptionCount === 2);
      expect(other?.subscription.publisherCount ?? 0).toBe(0);
      say("text");
      await until(() => heard().length === 1 && third.messages.length === 1);
      expect(other?.messages ?? []).toEqual([]);
    });

    it("delivers to a subscription that is disposed of nothing more, and to the others all", async () => {
      const { topic, talker, listener, say, heard } = await joined(pair, ALL, ALL);
      const stays = listen(pair.far, String_, topic, ALL);
      await until(() => talker.publisher.subscriptionCount === 2);
      say("first");
      await until(() => heard().length === 1);
      listener.subscription.dispose();
      say("second");
      await until(() => stays.messages.length === 2 && talker.publisher.subscriptionCount === 1);
      expect(heard()).toEqual(["first"]);
      listener.subscription.dispose(); // again: nothing happens
    });

    it("delivers what was published before the publisher was disposed of, and refuses more", async () => {
      const { talker, listener, say, heard } = await joined(pair, ALL, ALL);
      for (const text of range(20)) say(text);
      expect(await talker.publisher.waitForAllAcked(60)).toBe(true);
      talker.publisher.dispose();
      await until(() => heard().length === 20 && listener.subscription.publisherCount === 0);
      expect(heard()).toEqual(range(20));
      expect(() => say("more")).toThrow();
      talker.publisher.dispose();
    });

    it("knows when everything has arrived", async () => {
      const { talker, say, heard } = await joined(pair, ALL, ALL);
      expect(await talker.publisher.waitForAllAcked(60)).toBe(true);
      for (const text of range(100)) say(text);
      expect(await talker.publisher.waitForAllAcked(60)).toBe(true);
      await until(() => heard().length === 100);
    });
  });
}
