/** Events of quality of service from rmw's counters. Source: rcl/event.h, rmw/events_statuses. */
import type { EntityOptions, QoSEvent } from "../host.js";
import type { Handle, RclAddon } from "./addon.js";
import { policyOf } from "./qos.js";

interface EventKind {
  /** rcl's number of it. */
  readonly kind: number;
  readonly events: (status: Record<string, number>) => readonly QoSEvent[];
}

const missed = (status: Record<string, number>): QoSEvent[] => [
  { type: "deadline_missed", total: status.total_count },
];
const incompatible = (status: Record<string, number>): QoSEvent[] => [
  { type: "incompatible_qos", policy: policyOf(status.last_policy_kind), total: status.total_count },
];

const OFFERED: readonly EventKind[] = [
  { kind: 0, events: missed },
  { kind: 1, events: (status) => [{ type: "liveliness_lost", total: status.total_count }] },
  { kind: 2, events: incompatible },
];

const REQUESTED: readonly EventKind[] = [
  { kind: 0, events: missed },
  {
    kind: 1,
    events: (status) => [
      { type: "liveliness_changed", alive: status.alive_count, notAlive: status.not_alive_count },
    ],
  },
  { kind: 2, events: incompatible },
  { kind: 3, events: (status) => [{ type: "message_lost", total: status.total_count }] },
];

/** rcl's number of "matched", at either end. */
const MATCHED = { offered: 4, requested: 5 } as const;

/**
 * Tells `onEvent` of an entity's events until what it returns is called; nothing without `onEvent`.
 * @param matches ends that the entity is joined with now
 */
export function listenToEvents(
  addon: RclAddon,
  end: "offered" | "requested",
  entity: Handle,
  matches: () => number,
  onEvent: EntityOptions["onEvent"],
): () => void {
  if (!onEvent) return () => {};
  const isOffered = end === "offered";
  const create = isOffered ? addon.mlsys.createPublisherEvent : addon.mlsys.createSubscriptionEvent;
  const name = isOffered ? "publisher_event_type" : "subscription_event_type";
  const handles: Handle[] = [];
  let isEnded = false;
  const listen = (kind: number, told: (status: Record<string, number>) => void): void => {
    const handle = create(entity, kind, () => {
      if (!isEnded) told(addon.takeEvent(handle!, { [name]: kind }));
    });
    if (handle) handles.push(handle); // else the middleware has no such event
  };
  for (const { kind, events } of isOffered ? OFFERED : REQUESTED)
    listen(kind, (status) => {
      for (const event of events(status)) onEvent(event);
    });

  // Ends that came or went at once are told of one by one; those that were there before the event could be listened to
  // are no event of rcl's.
  let last = 0;
  const match = (now: number): void => {
    while (last !== now && !isEnded) {
      last += Math.sign(now - last);
      onEvent({ type: "matched", current: last });
    }
  };
  listen(MATCHED[end], (status) => match(status.current_count));
  setImmediate(() => {
    if (!isEnded) match(matches());
  });
  return () => {
    isEnded = true;
    for (const handle of handles) handle.release();
  };
}
