/** What a node sees of the others. */
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { srv } from "../../../../src/robotics/ros/interfaces/registry.js";
import {
  fresh,
  joined,
  listen,
  nodeOn,
  type Pair,
  qos,
  String_,
  type Subject,
  talk,
  until,
} from "../harness.js";

const Trigger = srv("std_srvs/srv/Trigger");

export function graphCases({ open }: Subject): void {
  describe("the graph", () => {
    let pair: Pair;
    beforeEach(async () => {
      pair = await open();
    });
    afterEach(() => pair.end());

    it("lists nodes with their namespaces as they come and go", async () => {
      const [a, b] = [fresh("a").slice(1), fresh("b").slice(1)];
      const watcher = nodeOn(pair.near, "watcher");
      const first = pair.far.createNode(a, "/");
      const second = pair.far.createNode(b, "/some/where");
      const seen = (): string[] =>
        watcher
          .nodeNames()
          .filter(({ name }) => [a, b, watcher.name].includes(name))
          .map(({ name, namespace }) => `${namespace} ${name}`)
          .sort();
      await until(() => seen().length === 3);
      expect(seen()).toEqual([`/ ${a}`, `/some/where ${b}`, `/ ${watcher.name}`].sort());
      second.dispose();
      await until(() => seen().length === 2);
      first.dispose();
      await until(() => seen().length === 1);
    });

    it("lists topics and services with their types", async () => {
      const { topic, talker, listener } = await joined(pair);
      const name = fresh("trigger");
      const server = nodeOn(pair.far, "server");
      server.createService(Trigger, name, { qos: qos() }, async () => Trigger.response.create());
      const watcher = nodeOn(pair.near, "watcher");
      const typesOf = (list: readonly { name: string; types: readonly string[] }[], of: string) =>
        list.find((entry) => entry.name === of)?.types;
      await until(() => typesOf(watcher.serviceNamesAndTypes(), name) !== undefined);
      await until(() => typesOf(watcher.topicNamesAndTypes(), topic) !== undefined);
      expect(typesOf(watcher.serviceNamesAndTypes(), name)).toEqual(["std_srvs/srv/Trigger"]);
      expect(typesOf(watcher.topicNamesAndTypes(), topic)).toEqual(["std_msgs/msg/String"]);
      expect(watcher.topicNamesAndTypes().some((entry) => entry.name.includes(name))).toBe(false);
      server.dispose();
      talker.node.dispose();
      listener.node.dispose();
      await until(() => typesOf(watcher.serviceNamesAndTypes(), name) === undefined);
      await until(() => typesOf(watcher.topicNamesAndTypes(), topic) === undefined);
    });

    it("tells who publishes and who subscribes, and with which quality of service", async () => {
      const offered = { reliability: "reliable", durability: "transient_local", deadline: 20 } as const;
      const requested = { reliability: "best_effort", durability: "volatile", deadline: 25 } as const;
      const { topic, talker, listener } = await joined(pair, offered, requested);
      const watcher = nodeOn(pair.near, "watcher");
      // an end may be known before its node is
      await until(
        () =>
          watcher.subscriptionsInfo(topic)[0]?.nodeName === listener.node.name &&
          watcher.publishersInfo(topic)[0]?.nodeName === talker.node.name,
      );
      expect([watcher.subscriptionsInfo(topic).length, watcher.publishersInfo(topic).length]).toEqual([1, 1]);
      const [publisher] = watcher.publishersInfo(topic);
      expect(publisher).toMatchObject({
        nodeName: talker.node.name,
        nodeNamespace: "/",
        type: "std_msgs/msg/String",
      });
      expect(publisher.qos).toMatchObject(offered);
      const [subscription] = watcher.subscriptionsInfo(topic);
      expect(subscription).toMatchObject({ nodeName: listener.node.name, type: "std_msgs/msg/String" });
      expect(subscription.qos).toMatchObject(requested);
      expect(watcher.publishersInfo(fresh("nobody"))).toEqual([]);
    });

    it("tells of changes", async () => {
      const watcher = nodeOn(pair.near, "watcher");
      let changes = 0;
      const stop = watcher.onGraphChange(() => changes++);
      const topic = fresh("topic");
      const { node } = talk(pair.far, String_, topic);
      await until(() => changes > 0 && watcher.publishersInfo(topic).length === 1);
      const before = changes;
      node.dispose();
      await until(() => changes > before && watcher.publishersInfo(topic).length === 0);
      stop();
      const stopped = changes;
      const other = listen(pair.far, String_, topic);
      await until(() => watcher.subscriptionsInfo(topic).length === 1);
      expect(changes).toBe(stopped);
      other.node.dispose();
    });

    it("loses with a node all that it had", async () => {
      const { topic, talker, listener } = await joined(pair);
      talker.node.dispose();
      await until(() => listener.subscription.publisherCount === 0);
      expect(() => talker.publisher.publish(String_.create())).toThrow();
      expect(() => talker.node.createPublisher(String_, topic, { qos: qos() })).toThrow();
      talker.node.dispose();
      const again = talk(pair.near, String_, topic);
      await until(
        () => listener.subscription.publisherCount === 1 && again.publisher.subscriptionCount === 1,
      );
    });
  });
}
