/** What the conformance suite stands on: hosts to test, waiting, and short ways to ends that remember what they heard. */
import type { MessageInfo, QoSEvent, QoSProfile, RosHost } from "../../../src/robotics/ros/host.js";
import { msg } from "../../../src/robotics/ros/interfaces/registry.js";
import type { MessageType } from "../../../src/robotics/ros/interfaces/types.js";

/** Two hosts whose nodes meet; may be one and the same. */
export interface Pair {
  readonly near: RosHost;
  readonly far: RosHost;
  /** Shuts both down, and whatever joins them. */
  end(): Promise<void>;
}

export interface Subject {
  /** Two fresh hosts, that meet nobody else. */
  open(): Promise<Pair>;
  /** A host refuses ends of a topic that it has with another type, as Fast DDS does; default: they do not meet. */
  readonly refusesSecondType?: boolean;
  /** Events that it can tell of; default all. */
  readonly events?: ReadonlySet<QoSEvent["type"]>;
}

/** Resolves when `condition` holds; a test that never comes that far is ended by its runner. */
export async function until(condition: () => boolean): Promise<void> {
  for (let wait = 0; !condition(); wait = Math.min(20, wait + 1))
    await new Promise((resolve) => (wait === 0 ? setImmediate(resolve) : setTimeout(resolve, wait)));
}

export const String_ = msg("std_msgs/msg/String");

const DEFAULT: QoSProfile = {
  history: "keep_last",
  depth: 10,
  reliability: "reliable",
  durability: "volatile",
  deadline: Number.POSITIVE_INFINITY,
  lifespan: Number.POSITIVE_INFINITY,
  liveliness: "automatic",
  livelinessLease: Number.POSITIVE_INFINITY,
};

export function qos(changes: Partial<QoSProfile> = {}): QoSProfile {
  return { ...DEFAULT, ...changes };
}

export const LATCHED = { durability: "transient_local" } as const;
export const ALL = { history: "keep_all" } as const;

let count = 0;

/** A name that no other test uses. */
export function fresh(stem: string): string {
  return `/${stem}_${process.pid}_${++count}`;
}

export function nodeOn(host: RosHost, stem = "node") {
  return host.createNode(fresh(stem).slice(1), "/");
}

/** A subscription with all that it heard. */
export function listen<M>(
  host: RosHost,
  type: MessageType<M>,
  topic: string,
  changes: Partial<QoSProfile> = {},
) {
  const messages: M[] = [];
  const infos: MessageInfo[] = [];
  const events: QoSEvent[] = [];
  const node = nodeOn(host, "listener");
  const subscription = node.createSubscription(
    type,
    topic,
    { qos: qos(changes), onEvent: (event) => events.push(event) },
    (message, info) => {
      messages.push(message);
      infos.push(info);
    },
  );
  return { node, subscription, messages, infos, events };
}

export function talk<M>(
  host: RosHost,
  type: MessageType<M>,
  topic: string,
  changes: Partial<QoSProfile> = {},
) {
  const events: QoSEvent[] = [];
  const node = nodeOn(host, "talker");
  const publisher = node.createPublisher(type, topic, {
    qos: qos(changes),
    onEvent: (event) => events.push(event),
  });
  return { node, publisher, events };
}

/** A talker and a listener that know each other. */
export async function joined(
  pair: Pair,
  offered: Partial<QoSProfile> = {},
  requested: Partial<QoSProfile> = {},
) {
  const topic = fresh("topic");
  const talker = talk(pair.near, String_, topic, offered);
  const listener = listen(pair.far, String_, topic, requested);
  await until(() => talker.publisher.subscriptionCount === 1 && listener.subscription.publisherCount === 1);
  const say = (data: string): void => talker.publisher.publish(String_.create({ data }));
  const heard = (): string[] => listener.messages.map(({ data }) => data);
  return { topic, talker, listener, say, heard };
}

export function ofType<T extends QoSEvent["type"]>(events: readonly QoSEvent[], type: T) {
  return events.filter((event): event is Extract<QoSEvent, { type: T }> => event.type === type);
}

export function range(count: number, from = 0): string[] {
  return Array.from({ length: count }, (_, i) => String(from + i));
}
