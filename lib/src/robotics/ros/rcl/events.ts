/** Events of quality of service from rmw's counters. Source: rcl/event.h, rmw/events_statuses. */
import type { EntityOptions, QoSEvent } from "../host.js";
import type { Handle, RclAddon } from "./addon.js";
import { policyOf } from "./qos.js";

interface EventKind {
  /** rcl's number of it. */
  readonly kind: number;
  readonly event: (status: Record<string, number>) => QoSEvent;
}

const matched = (status: Record<string, number>): QoSEvent => ({
  type: "matched",
  current: status.current_count,
});
const missed = (status: Record<string, number>): QoSEvent => ({
  type: "deadline_missed",
  total: status.total_count,
});
const incompatible = (status: Record<string, number>): QoSEvent => ({
  type: "incompatible_qos",
  policy: policyOf(status.last_policy_kind),
  total: status.total_count,
});

const OFFERED: readonly EventKind[] = [
  { kind: 0, event: missed },
  { kind: 1, event: (status) => ({ type: "liveliness_lost", total: status.total_count }) },
  { kind: 2, event: incompatible },
  { kind: 4, event: matched },
];

const REQUESTED: readonly EventKind[] = [
  { kind: 0, event: missed },
  {
    kind: 1,
    event: (status) => ({
      type: "liveliness_changed",
      alive: status.alive_count,
      notAlive: status.not_alive_count,
    }),
  },
  { kind: 2, event: incompatible },
  { kind: 3, event: (status) => ({ type: "message_lost", total: status.total_count }) },
  { kind: 5, event: matched },
];

/** Tells `onEvent` of an entity's events until what it returns is called; nothing without `onEvent`. */
export function listenToEvents(
  addon: RclAddon,
  end: "offered" | "requested",
  entity: Handle,
  onEvent: EntityOptions["onEvent"],
): () => void {
  if (!onEvent) return () => {};
  const isOffered = end === "offered";
  const create = isOffered ? addon.mlsys.createPublisherEvent : addon.mlsys.createSubscriptionEvent;
  const name = isOffered ? "publisher_event_type" : "subscription_event_type";
  const handles: Handle[] = [];
  let isEnded = false;
  for (const { kind, event } of isOffered ? OFFERED : REQUESTED) {
    const handle = create(entity, kind, () => {
      if (!isEnded) onEvent(event(addon.takeEvent(handle!, { [name]: kind })));
    });
    if (handle) handles.push(handle); // else the middleware has no such event
  }
  return () => {
    isEnded = true;
    for (const handle of handles) handle.release();
  };
}
