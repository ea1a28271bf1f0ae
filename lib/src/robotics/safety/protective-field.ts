/**
 * The field that a safety scanner watches: everywhere the robot could come before it stands, if its wheels lost power now.
 * (ISO 13855's minimum distance, on a plane.)
 */
import { ValueError } from "../../core/errors.js";
import type { Scan } from "../simulate/lidar.js";

/** What a robot with two driven wheels can do at worst; metres and seconds. */
export interface RobotLimits {
  readonly radius: number;
  /** Of the faster wheel, m/s. */
  readonly maxSpeed: number;
  /** rad/s. */
  readonly maxTurn: number;
  /** Fastest gain of speed, m/s². */
  readonly maxAcceleration: number;
  /** What a wheel's brake reaches, m/s². Both wheels come to a stand together: the slower one brakes less. */
  readonly braking: number;
}

export interface FieldOptions {
  /** Seconds from an obstacle's light to falling brakes: age of the scan, the monitor's period, the relay. */
  readonly reactionTime: number;
  /** Metres that are added: noise of the scanner, slip. Default 0.05. */
  readonly margin?: number;
  /** Fastest that something else may come nearer, m/s; ISO 13855 takes 1.6 for people. Default 0. */
  readonly approachSpeed?: number;
}

/** A sector about the robot's middle where that may come, and how much is added around it. */
export interface ProtectiveField {
  /** Way that the robot's middle may still make, metres. */
  readonly reach: number;
  /** Which way it goes: 1 forward, −1 backward. */
  readonly direction: 1 | -1;
  /** Half the sector's angle, radians: how far off its heading may be by then. π where it may go any way. */
  readonly spread: number;
  /** Of the robot and all that is added, metres: an obstacle nearer than this to the sector is in the field. */
  readonly radius: number;
}

/**
 * Way from the moment of an obstacle's light to a stand, metres: at worst the robot speeds up for the reaction time t, to
 * v′ = min(maxSpeed, |v| + a·t), then brakes from there, in a curve as long as its fastest wheel needs:
 * v′·t + v′·maxSpeed/(2·braking).
 * @example
 * const limits = { radius: 0.22, maxSpeed: 0.26, maxTurn: 1.82, maxAcceleration: 1.98, braking: 1.98 };
 * robotics.safety.stoppingDistance(0.26, limits, 0.28); // 0.08987
 */
export function stoppingDistance(speed: number, limits: RobotLimits, reactionTime: number): number {
  return worstSpeed(speed, limits, reactionTime) * (reactionTime + limits.maxSpeed / (2 * limits.braking));
}

/**
 * Seconds of the same, at most.
 * @example
 * const limits = { radius: 0.22, maxSpeed: 0.26, maxTurn: 1.82, maxAcceleration: 1.98, braking: 1.98 };
 * robotics.safety.stoppingTime(limits, 0.28); // 0.4113
 */
export function stoppingTime({ maxSpeed, braking }: RobotLimits, reactionTime: number): number {
  return reactionTime + maxSpeed / braking;
}

function worstSpeed(speed: number, { maxSpeed, maxAcceleration }: RobotLimits, reactionTime: number): number {
  return Math.max(Math.abs(speed), Math.min(maxSpeed, Math.abs(speed) + maxAcceleration * reactionTime));
}

/**
 * The field of a robot at `speed` (m/s, negative backward).
 * @throws ValueError for limits that are not positive
 * @example
 * const limits = { radius: 0.22, maxSpeed: 0.26, maxTurn: 1.82, maxAcceleration: 1.98, braking: 1.98 };
 * robotics.safety.protectiveField(0.2, limits, { reactionTime: 0.28 }).radius; // 0.27
 */
export function protectiveField(speed: number, limits: RobotLimits, options: FieldOptions): ProtectiveField {
  for (const key of ["radius", "maxSpeed", "maxTurn", "maxAcceleration", "braking"] as const)
    if (!(limits[key] > 0))
      throw new ValueError(`protectiveField: ${key} is a positive number, got ${limits[key]}`);
  const { reactionTime, margin = 0.05, approachSpeed = 0 } = options;
  if (!(reactionTime >= 0 && margin >= 0 && approachSpeed >= 0))
    throw new ValueError(
      `protectiveField: reactionTime, margin and approachSpeed are numbers from 0, got ${reactionTime}, ${margin}, ${approachSpeed}`,
    );
  const time = stoppingTime(limits, reactionTime);
  const spread = limits.maxTurn * time;
  // a robot that can turn back, or around, within that time may come anywhere
  const isSteady = spread <= Math.PI / 2 && Math.abs(speed) >= limits.maxAcceleration * reactionTime;
  return {
    reach: stoppingDistance(speed, limits, reactionTime),
    direction: speed < 0 ? -1 : 1,
    spread: isSteady ? spread : Math.PI,
    radius: limits.radius + margin + approachSpeed * time,
  };
}

/**
 * Metres from a point in the robot's frame (x ahead, y left) to the nearest place where its middle may come; the point is
 * in the field if that is below the field's radius.
 * @example robotics.safety.distanceToReach(3, 0, { reach: 1, direction: 1, spread: 0.5, radius: 0.2 }) // 2
 */
export function distanceToReach(x: number, y: number, { reach, direction, spread }: ProtectiveField): number {
  const r = Math.hypot(x, y);
  const off = Math.abs(Math.atan2(y, direction * x));
  if (off <= spread) return Math.max(0, r - reach);
  // nearest on the straight edge
  const beyond = off - spread;
  const along = Math.min(reach, Math.max(0, r * Math.cos(beyond)));
  return Math.hypot(r * Math.cos(beyond) - along, r * Math.sin(beyond));
}

/** What of a scan is in the field. */
export interface Intrusion {
  /** Smallest distance of a return to the robot's way, less the field's radius: negative in the field, metres. */
  readonly clearance: number;
  /** The return that has it, in the robot's frame; null where nothing is in sight. */
  readonly nearest: { readonly x: number; readonly y: number } | null;
  /** Part of the rays that measured nothing at all (NaN). */
  readonly blind: number;
}

/**
 * Looks for returns in the field.
 * @param mount where the scanner sits in the robot's frame
 * @example
 * const { robot } = new robotics.simulate.Simulation(robotics.simulate.room(), { robots: [{ pose: { x: 4, y: 3, theta: 0 } }] });
 * const limits = { radius: 0.22, maxSpeed: 0.26, maxTurn: 1.82, maxAcceleration: 1.98, braking: 1.98 };
 * robotics.safety.intrusion(robot.scan(), robotics.safety.protectiveField(0.2, limits, { reactionTime: 0.28 })).blind; // 0
 */
export function intrusion(
  scan: Scan,
  field: ProtectiveField,
  mount: { readonly x: number; readonly y: number; readonly theta: number } = { x: 0, y: 0, theta: 0 },
): Intrusion {
  const { ranges, angleMin, angleIncrement, rangeMin } = scan;
  let clearance = Number.POSITIVE_INFINITY;
  let nearest: Intrusion["nearest"] = null;
  let blind = 0;
  for (let i = 0; i < ranges.length; i++) {
    const measured = ranges[i];
    if (Number.isNaN(measured)) blind++;
    // nearer than can be measured is in the field for sure; farther than that is free
    const range = measured === Number.NEGATIVE_INFINITY ? Math.min(rangeMin, 0.01) : measured;
    if (!Number.isFinite(range)) continue;
    const angle = mount.theta + angleMin + i * angleIncrement;
    const x = mount.x + range * Math.cos(angle);
    const y = mount.y + range * Math.sin(angle);
    const distance = distanceToReach(x, y, field) - field.radius;
    if (distance < clearance) {
      clearance = distance;
      nearest = { x, y };
    }
  }
  return { clearance, nearest, blind: ranges.length === 0 ? 1 : blind / ranges.length };
}

/**
 * The fastest speed (m/s) at which something `distance` metres ahead of the robot's edge is not in its field yet; 0 where
 * even standing is too near.
 * @example
 * const limits = { radius: 0.22, maxSpeed: 0.26, maxTurn: 1.82, maxAcceleration: 1.98, braking: 1.98 };
 * robotics.safety.safeSpeed(2, limits, { reactionTime: 0.28 }); // 0.26
 */
export function safeSpeed(
  distance: number,
  limits: RobotLimits,
  { reactionTime, margin = 0.05 }: FieldOptions,
): number {
  const worst = (distance - margin) / (reactionTime + limits.maxSpeed / (2 * limits.braking));
  if (worst >= limits.maxSpeed) return limits.maxSpeed;
  return Math.max(0, worst - limits.maxAcceleration * reactionTime);
}
