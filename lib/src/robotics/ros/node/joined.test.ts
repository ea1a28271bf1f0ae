/** When others count as met: not before what is sent reaches them. */
import { afterEach, expect, it, vi } from "vitest";
import type { EndpointInfo } from "../host.js";
import { joined } from "./joined.js";
import { resolveQoS } from "./qos.js";

afterEach(() => {
  vi.restoreAllMocks();
});

const other = (type: string, qos: Parameters<typeof resolveQoS>[0] = 10): EndpointInfo => ({
  ...{ nodeName: "other", nodeNamespace: "/", type, qos: resolveQoS(qos) },
});
const text = { name: "std_msgs/msg/String" };

it("waits for the node's own ends of that topic, as far as the others fit", () => {
  const publisher = { topic: "/a", type: text, qos: resolveQoS(10), subscriptionCount: 0 };
  const elsewhere = { topic: "/b", type: text, qos: resolveQoS(10), subscriptionCount: 0 };
  const timer = {};
  const found: EndpointInfo[] = [];
  const own = [publisher, elsewhere, timer];
  const condition = joined(
    () => own,
    ...(["/a", "subscriptions", 1] as const),
    () => found,
  );
  expect(condition()).toBe(false);
  found.push(other("std_msgs/msg/Bool"), other(text.name, { durability: "transient_local" }));
  expect(condition()).toBe(true); // neither of them will ever be joined
  found.push(other(text.name));
  expect(condition()).toBe(false);
  publisher.subscriptionCount = 1;
  expect(condition()).toBe(true);
});

it("looks at requests the other way round, and gives up on ends that do not join", () => {
  const subscription = {
    topic: "/a",
    type: text,
    qos: resolveQoS({ reliability: "reliable" }),
    publisherCount: 0,
  };
  const found = [other(text.name, { reliability: "best_effort" })];
  const condition = joined(
    () => [subscription],
    ...(["/a", "publishers", 1] as const),
    () => found,
  );
  expect(condition()).toBe(true);
  found.push(other(text.name));
  expect(condition()).toBe(false);
  const now = performance.now();
  vi.spyOn(performance, "now").mockReturnValue(now + 1100);
  expect(condition()).toBe(true);
});
