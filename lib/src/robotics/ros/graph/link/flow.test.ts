/** What a channel holds, and what waits for it. */
import { afterEach, describe, expect, it } from "vitest";
import {
  fresh,
  listen,
  nodeOn,
  ofType,
  qos,
  String_,
  talk,
  until,
} from "../../../../../test/robotics/ros/harness.js";
import { wire } from "../../../../../test/robotics/ros/wire.js";
import { msg } from "../../interfaces/registry.js";
import { type GraphHost, graphHost } from "../index.js";

const Image = msg("sensor_msgs/msg/Image");

const hosts: GraphHost[] = [];
afterEach(async () => {
  await Promise.all(hosts.splice(0).map((host) => host.shutdown()));
});

async function linked() {
  const [near, far] = [0, 1].map(() => graphHost({ network: fresh("flow") }));
  hosts.push(near, far);
  const [left, right] = wire();
  await Promise.all([near.link(left.port).opened, far.link(right.port).opened]);
  return { near, far, left, right };
}

describe("without credit", () => {
  for (const reliability of ["best_effort", "reliable"] as const)
    it(`holds back no more of a ${reliability} publisher than its depth, the newest`, async () => {
      const { near, far, left, right } = await linked();
      const profile = { reliability, depth: 3 };
      const { publisher } = talk(near, String_, "/topic", profile);
      const { messages, events } = listen(far, String_, "/topic", { reliability, history: "keep_all" });
      await until(() => publisher.subscriptionCount === 1);
      right.isHeld = true; // credit doesn't come
      for (let i = 1; i <= 10_000; i++) publisher.publish(String_.create({ data: String(i) }));
      await until(() => messages.length > 0);
      const sent = left.count("sample");
      expect(sent).toBeLessThan(1000);
      right.release();
      await until(() => messages.at(-1)?.data === "10000");
      const numbers = messages.map(({ data }) => Number(data));
      expect(numbers.slice(0, sent)).toEqual(Array.from({ length: sent }, (_, i) => i + 1));
      expect(numbers.slice(sent)).toEqual([9998, 9999, 10_000]);
      expect(ofType(events, "message_lost").at(-1)?.total).toBe(10_000 - sent - 3);
    });

  it("holds back everything of a publisher with keep_all, and no other publisher waits for it", async () => {
    const { near, far, right } = await linked();
    const all = { history: "keep_all" } as const;
    const [much, little] = [talk(near, String_, "/much", all), talk(near, String_, "/little", all)];
    const most = listen(far, String_, "/much", all);
    let before = 0;
    nodeOn(far).createSubscription(String_, "/little", { qos: qos(all) }, () => {
      before = most.messages.length;
    });
    await until(() => much.publisher.subscriptionCount + little.publisher.subscriptionCount === 2);
    right.isHeld = true;
    for (let i = 0; i < 5000; i++) much.publisher.publish(String_.create({ data: String(i) }));
    little.publisher.publish(String_.create({ data: "me too" }));
    const acked = much.publisher.waitForAllAcked(60);
    right.release();
    expect(await acked).toBe(true);
    await until(() => most.messages.length === 5000 && before > 0);
    expect(before).toBeLessThan(5000);
    expect(most.messages.map(({ data }) => Number(data))).toEqual(Array.from({ length: 5000 }, (_, i) => i));
  });

  it("counts bytes: few large messages are on their way", async () => {
    const { near, far, left, right } = await linked();
    const { publisher } = talk(near, Image, "/image", { depth: 1, reliability: "best_effort" });
    const { messages } = listen(far, Image, "/image", { depth: 1, reliability: "best_effort" });
    await until(() => publisher.subscriptionCount === 1);
    right.isHeld = true;
    const image = Image.create({ data: new Uint8Array(4 << 20) });
    for (let i = 0; i < 30; i++) publisher.publish({ ...image, step: i });
    expect(left.count("sample")).toBeLessThanOrEqual(5);
    right.release();
    await until(() => messages.at(-1)?.step === 29);
  });

  it("keeps what waits as it was when it was published", async () => {
    const { near, far, right } = await linked();
    const all = { history: "keep_all" } as const;
    const { publisher } = talk(near, String_, "/topic", all);
    const { messages } = listen(far, String_, "/topic", all);
    await until(() => publisher.subscriptionCount === 1);
    right.isHeld = true;
    const message = String_.create({ data: "" });
    for (let i = 0; i < 2000; i++) {
      message.data = String(i);
      publisher.publish(message);
    }
    message.data = "changed";
    right.release();
    await until(() => messages.length === 2000);
    expect(messages.map(({ data }) => Number(data))).toEqual(Array.from({ length: 2000 }, (_, i) => i));
  });

  it("says of a publisher that it is gone after what it said", async () => {
    const { near, far, right } = await linked();
    const all = { history: "keep_all" } as const;
    const { publisher } = talk(near, String_, "/topic", all);
    const { messages, subscription } = listen(far, String_, "/topic", all);
    await until(() => publisher.subscriptionCount === 1);
    right.isHeld = true;
    for (let i = 0; i < 2000; i++) publisher.publish(String_.create({ data: String(i) }));
    publisher.dispose();
    right.release();
    await until(() => subscription.publisherCount === 0);
    await until(() => messages.length === 2000);
  });

  it("gives up waiting for acknowledgement, and resolves when the other side is gone", async () => {
    const { near, far, left, right } = await linked();
    const { publisher } = talk(near, String_, "/topic");
    listen(far, String_, "/topic");
    await until(() => publisher.subscriptionCount === 1);
    right.isHeld = true;
    publisher.publish(String_.create({ data: "x" }));
    expect(await publisher.waitForAllAcked(0.01)).toBe(false);
    const acked = publisher.waitForAllAcked(60);
    right.close();
    expect(await acked).toBe(true);
    expect(left.count("sync")).toBe(2);
  });
});
