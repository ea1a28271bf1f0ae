/** Quality of service for one who takes what publishers offer: a recorder, a bridge. */
import type { QoSProfile } from "./host.js";

/** What a subscription or publisher takes where nothing is known. */
export const DEFAULT_QOS: QoSProfile = Object.freeze({
  history: "keep_last",
  depth: 10,
  reliability: "reliable",
  durability: "volatile",
  deadline: Number.POSITIVE_INFINITY,
  lifespan: Number.POSITIVE_INFINITY,
  liveliness: "automatic",
  livelinessLease: Number.POSITIVE_INFINITY,
});

/**
 * One profile for several publishers: a subscription that hears all of them, or a publisher in their place. Reliable
 * and transient_local only where all of them are, as rosbag2's `adapt_request_to_offers` does.
 */
export function commonQos(offered: readonly QoSProfile[]): QoSProfile {
  if (offered.length === 0) return DEFAULT_QOS;
  return {
    ...DEFAULT_QOS,
    history: offered.some((o) => o.history === "keep_all") ? "keep_all" : "keep_last",
    depth: Math.max(DEFAULT_QOS.depth, ...offered.map((o) => o.depth)),
    reliability: offered.every((o) => o.reliability === "reliable") ? "reliable" : "best_effort",
    durability: offered.every((o) => o.durability === "transient_local") ? "transient_local" : "volatile",
  };
}
