/**
 * Quality of service by name: the profiles of rmw's `qos_profiles.h`. Where ROS 2 leaves a policy to the middleware
 * ("system default"), these hold what Fast DDS, its default middleware, takes.
 */
import type { QoSProfile } from "../host.js";

const DEFAULT: QoSProfile = Object.freeze({
  history: "keep_last",
  depth: 10,
  reliability: "reliable",
  durability: "volatile",
  deadline: Infinity,
  lifespan: Infinity,
  liveliness: "automatic",
  livelinessLease: Infinity,
});

const profile = (changes: Partial<QoSProfile>): QoSProfile => Object.freeze({ ...DEFAULT, ...changes });

/**
 * The profiles that ROS 2 names.
 * @example
 * const node = await ros.createNode("mapper");
 * node.createSubscription(ros.msg("sensor_msgs/msg/LaserScan"), "scan", (scan) => scan.ranges, ros.qos.sensorData);
 * node.createPublisher(ros.msg("nav_msgs/msg/OccupancyGrid"), "map", { depth: 1, durability: "transient_local" });
 * await node.destroy();
 */
export const qos = Object.freeze({
  /** Reliable, the last 10. */
  default: DEFAULT,
  /** What the middleware takes if nothing is said: reliable, the last 1. */
  systemDefault: profile({ depth: 1 }),
  /** Best effort, the last 5: a late scan is worth less than the next. */
  sensorData: profile({ reliability: "best_effort", depth: 5 }),
  /** Services' requests and replies. */
  services: DEFAULT,
  /** The parameter services: as services, with a deeper queue. */
  parameters: profile({ depth: 1000 }),
  /** `/parameter_events`. */
  parameterEvents: profile({ depth: 1000 }),
  /** `/rosout`: kept for those who come within 10 s. */
  rosout: profile({ depth: 1000, durability: "transient_local", lifespan: 10 }),
  /** Subscriptions of `/clock`: only the newest counts. */
  clock: profile({ reliability: "best_effort", depth: 1 }),
  /** `<action>/_action/status`: late joiners see the last one. */
  actionStatus: profile({ depth: 1, durability: "transient_local" }),
});

/** How many messages a queue keeps, or policies that differ from {@link qos}.default. */
export type QoSInput = number | Partial<QoSProfile>;

const CHOICES = {
  history: ["keep_last", "keep_all"],
  reliability: ["reliable", "best_effort"],
  durability: ["volatile", "transient_local"],
  liveliness: ["automatic", "manual_by_topic"],
} as const;

/**
 * A whole profile of a depth or of some policies.
 * @throws TypeError that names the policy and what it may be
 * @example ros.resolveQoS({ depth: 1, durability: "transient_local" }).reliability // "reliable"
 */
export function resolveQoS(input: QoSInput = DEFAULT, base: QoSProfile = DEFAULT): QoSProfile {
  const given: Partial<QoSProfile> = typeof input === "number" ? { depth: input } : input;
  for (const key of Object.keys(given))
    if (!(key in DEFAULT))
      throw new TypeError(`QoS has no policy ${key}; it has ${Object.keys(DEFAULT).join(", ")}`);
  const whole = { ...base, ...given };
  for (const [key, choices] of Object.entries(CHOICES)) {
    const value = whole[key as keyof typeof CHOICES];
    if (!(choices as readonly string[]).includes(value))
      throw new TypeError(`QoS ${key} is ${choices.join(" or ")}, not ${String(value)}`);
  }
  if (!Number.isSafeInteger(whole.depth) || whole.depth < (whole.history === "keep_last" ? 1 : 0))
    throw new TypeError(`QoS depth is a whole number of at least 1, not ${String(whole.depth)}`);
  for (const key of ["deadline", "lifespan", "livelinessLease"] as const)
    if (!(whole[key] > 0))
      throw new TypeError(`QoS ${key} is in seconds above 0 (Infinity for none), not ${whole[key]}`);
  return Object.freeze(whole);
}
