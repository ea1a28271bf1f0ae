/** Qualities of service as rmw numbers them, and back. Source: rmw/types.h, rmw/qos_policy_kind.h. */
import type { QoSProfile } from "../host.js";
import type { NativeDuration, NativeEndpoint, NativeQos } from "./addon.js";

const HISTORY = ["system_default", "keep_last", "keep_all"] as const;
const RELIABILITY = ["system_default", "reliable", "best_effort"] as const;
const DURABILITY = ["system_default", "transient_local", "volatile"] as const;
const LIVELINESS = ["system_default", "automatic", "manual_by_node", "manual_by_topic"] as const;

const NANOSECONDS = 1e9;
/** rmw takes 0 for "none", which is also what it takes longer ones for: 2^63 ns are 292 years. */
const LONGEST = 2 ** 63 / NANOSECONDS;

/** @throws RangeError for a negative duration */
export function toNative(qos: QoSProfile): NativeQos {
  return [
    HISTORY.indexOf(qos.history),
    qos.depth,
    RELIABILITY.indexOf(qos.reliability),
    DURABILITY.indexOf(qos.durability),
    toNanoseconds("deadline", qos.deadline),
    toNanoseconds("lifespan", qos.lifespan),
    LIVELINESS.indexOf(qos.liveliness),
    toNanoseconds("livelinessLease", qos.livelinessLease),
  ];
}

function toNanoseconds(name: string, seconds: number): bigint {
  if (!(seconds >= 0))
    throw new RangeError(`QoS ${name} is ${seconds}; seconds from 0, or Infinity for none.`);
  // 0 s would be "none" in rmw: the shortest there is comes nearest.
  return seconds >= LONGEST ? 0n : BigInt(Math.max(1, Math.round(seconds * NANOSECONDS)));
}

/** A profile as the graph tells it: the depth and history of others are not announced and come as `keep_last`, 0. */
export function fromNative(native: NativeEndpoint["qos_profile"]): QoSProfile {
  const liveliness = LIVELINESS[native.liveliness];
  return {
    history: HISTORY[native.history] === "keep_all" ? "keep_all" : "keep_last",
    depth: native.depth,
    reliability: RELIABILITY[native.reliability] === "best_effort" ? "best_effort" : "reliable",
    durability: DURABILITY[native.durability] === "transient_local" ? "transient_local" : "volatile",
    deadline: fromNanoseconds(native.deadline),
    lifespan: fromNanoseconds(native.lifespan),
    liveliness: liveliness === "manual_by_topic" ? "manual_by_topic" : "automatic",
    livelinessLease: fromNanoseconds(native.liveliness_lease_duration),
  };
}

function fromNanoseconds({ seconds, nanoseconds }: NativeDuration): number {
  const value = Number(seconds) + nanoseconds / NANOSECONDS;
  // 2^31 - 1 s is what DDS writes for "none".
  return value === 0 || value >= 2 ** 31 - 1 ? Number.POSITIVE_INFINITY : value;
}

/** `last_policy_kind` of an event. */
export function policyOf(kind: number): keyof QoSProfile {
  return POLICIES[kind] ?? "reliability";
}

const POLICIES: Readonly<Record<number, keyof QoSProfile>> = {
  [1 << 1]: "durability",
  [1 << 2]: "deadline",
  [1 << 3]: "liveliness",
  [1 << 4]: "reliability",
  [1 << 5]: "history",
  [1 << 6]: "lifespan",
  [1 << 7]: "depth",
  [1 << 8]: "livelinessLease",
};
