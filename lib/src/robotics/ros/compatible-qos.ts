/** Which publishers and subscriptions fit: what is requested must be offered (DDS 1.4, 2.2.3, "RxO"). */
import type { QoSProfile } from "./host.js";

type Rule = readonly [
  policy: keyof QoSProfile,
  fits: (offered: QoSProfile, requested: QoSProfile) => boolean,
];

const LEVELS = {
  best_effort: 0,
  reliable: 1,
  volatile: 0,
  transient_local: 1,
  automatic: 0,
  manual_by_topic: 1,
};

/** In the order in which they are reported; ROS 2 knows the lease as a part of liveliness. */
const RULES: readonly Rule[] = [
  ["reliability", (offered, requested) => LEVELS[offered.reliability] >= LEVELS[requested.reliability]],
  ["durability", (offered, requested) => LEVELS[offered.durability] >= LEVELS[requested.durability]],
  ["deadline", (offered, requested) => offered.deadline <= requested.deadline],
  ["liveliness", (offered, requested) => LEVELS[offered.liveliness] >= LEVELS[requested.liveliness]],
  ["liveliness", (offered, requested) => offered.livelinessLease <= requested.livelinessLease],
];

/**
 * The policy that keeps a subscription that requests from a publisher that offers, or null if they fit.
 * History, depth and lifespan are each side's own business.
 */
export function incompatiblePolicy(offered: QoSProfile, requested: QoSProfile): keyof QoSProfile | null {
  for (const [policy, fits] of RULES) if (!fits(offered, requested)) return policy;
  return null;
}
