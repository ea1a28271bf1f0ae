/**
 * Discovery tells of an end a moment before it is joined with this node's own ones; what is published in between does
 * not reach it.
 */
import { incompatiblePolicy } from "../compatible-qos.js";
import type { EndpointInfo, QoSProfile } from "../host.js";

/** A publisher, or a subscription of either kind. */
interface End {
  readonly topic: string;
  readonly type: { readonly name: string };
  readonly qos: QoSProfile;
  /** Of a publisher. */
  readonly subscriptionCount?: number;
  /** Of a subscription. */
  readonly publisherCount?: number;
}

/** Milliseconds after which an end that should fit, by its type's name and QoS, counts as one that does not. */
const PATIENCE = 1000;

/**
 * A condition for waits: at least `count` others are at a topic, and those of them that fit are joined with the node's own
 * ends there.
 * @param own the node's ends, of all topics
 */
export function joined(
  own: () => Iterable<object>,
  topic: string,
  side: "subscriptions" | "publishers",
  count: number,
  others: () => readonly EndpointInfo[],
): () => boolean {
  let since: number | undefined;
  const isJoined = (end: End, found: readonly EndpointInfo[]): boolean => {
    const partners = side === "subscriptions" ? end.subscriptionCount : end.publisherCount;
    if (end.topic !== topic || partners === undefined) return true;
    const fitting = found.filter(({ type, qos }) => {
      const [offered, requested] = side === "subscriptions" ? [end.qos, qos] : [qos, end.qos];
      return type === end.type.name && incompatiblePolicy(offered, requested) === null;
    });
    return partners >= fitting.length;
  };
  return () => {
    const found = others();
    if (found.length < count) {
      since = undefined;
      return false;
    }
    since ??= performance.now();
    for (const end of own()) if (!isJoined(end as End, found)) return performance.now() - since > PATIENCE;
    return true;
  };
}
