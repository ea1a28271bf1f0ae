/** What a safety monitor watches: each rule says whether the wheels may have power, from its own reading of the sensors. */
import { ValueError } from "../../core/errors.js";
import type { Point, Pose } from "../simulate/geometry.js";
import type { Scan } from "../simulate/lidar.js";
import {
  type FieldOptions,
  intrusion,
  protectiveField,
  type RobotLimits,
  stoppingDistance,
} from "./protective-field.js";

/** What the monitor knows; times in seconds of one clock. A sensor that has not spoken yet is null. */
export interface Situation {
  readonly time: number;
  readonly scan: { readonly value: Scan; readonly time: number } | null;
  readonly odometry: { readonly pose: Pose; readonly speed: number; readonly time: number } | null;
  /** When the driving stack last gave a sign of life. */
  readonly heartbeat: number | null;
}

/** A rule. `check` returns why the wheels must not have power, or null. */
export interface SafetyRule {
  readonly name: string;
  check(situation: Situation): string | null;
}

export interface LidarStopOptions extends FieldOptions {
  readonly limits: RobotLimits;
  /** Where the scanner sits. Default in the middle. */
  readonly mount?: Pose;
  /** Most part of the rays that may measure nothing. Default 0.3. */
  readonly maxBlind?: number;
  /** Whose speed counts: the wheels', or as if the robot always went as fast as it can, whatever they say. Default "odometry". */
  readonly speedFrom?: "odometry" | "worst";
}

/**
 * Stops before anything that the scanner sees.
 * @example
 * const limits = { radius: 0.22, maxSpeed: 0.26, maxTurn: 1.82, maxAcceleration: 1.98, braking: 1.98 };
 * robotics.safety.lidarStop({ limits, reactionTime: robotics.safety.reactionTimeOf() }).name; // "lidar stop"
 */
export function lidarStop({
  limits,
  mount,
  maxBlind = 0.3,
  speedFrom = "odometry",
  ...field
}: LidarStopOptions): SafetyRule {
  const worst = { ...protectiveField(limits.maxSpeed, limits, field), spread: Math.PI };
  return {
    name: "lidar stop",
    check({ scan, odometry }) {
      if (!scan) return "no scan yet";
      if (!odometry && speedFrom === "odometry") return "no odometry yet";
      const isKnown = speedFrom === "odometry" && Number.isFinite(odometry?.speed);
      const watched = isKnown ? protectiveField(odometry?.speed as number, limits, field) : worst;
      const { clearance, nearest, blind } = intrusion(scan.value, watched, mount);
      if (blind > maxBlind) return `${Math.round(100 * blind)} % of the rays measure nothing`;
      if (clearance >= 0 || !nearest) return null;
      const { x, y } = nearest;
      return `something at ${Math.hypot(x, y).toFixed(2)} m, ${Math.round((Math.atan2(y, x) * 180) / Math.PI)}°`;
    },
  };
}

/**
 * Stops when a sensor, or the driving stack, has been silent for too long.
 * @example robotics.safety.watchdog("scan", { timeout: 0.5 }).name // "watchdog of scan"
 */
export function watchdog(
  source: "scan" | "odometry" | "heartbeat",
  { timeout }: { readonly timeout: number },
): SafetyRule {
  if (!(timeout > 0))
    throw new ValueError(`watchdog: the timeout is a positive number of seconds, got ${timeout}`);
  return {
    name: `watchdog of ${source}`,
    check(situation) {
      const { time, heartbeat } = situation;
      const last = source === "heartbeat" ? heartbeat : (situation[source]?.time ?? null);
      if (last === null) return `no ${source} yet`;
      if (last > time + timeout) return `${source} comes from the future: ${(last - time).toFixed(2)} s`;
      return time - last > timeout ? `no ${source} for ${(time - last).toFixed(2)} s` : null;
    },
  };
}

/**
 * Stops when a scanner says the same again and again: real ones have noise.
 * @example robotics.safety.frozenScan({ scans: 3 }).name // "frozen scan"
 */
export function frozenScan({ scans = 5 }: { readonly scans?: number } = {}): SafetyRule {
  if (!Number.isInteger(scans) || scans < 2)
    throw new ValueError(`frozenScan: a whole number of scans from 2, got ${scans}`);
  let last: { readonly ranges: Float32Array; readonly time: number } | null = null;
  let same = 1;
  return {
    name: "frozen scan",
    check({ scan }) {
      if (!scan || scan.time === last?.time) return same >= scans ? `${same} scans alike` : null;
      const { ranges } = scan.value;
      const isSame = last !== null && alike(last.ranges, ranges);
      same = isSame ? same + 1 : 1;
      last = { ranges: ranges.slice(), time: scan.time };
      return same >= scans ? `${same} scans alike` : null;
    },
  };
}

function alike(a: Float32Array, b: Float32Array): boolean {
  if (a.length !== b.length) return false;
  let finite = 0;
  for (let i = 0; i < a.length; i++) {
    if (!Object.is(a[i], b[i])) return false;
    if (Number.isFinite(a[i])) finite++;
  }
  return finite > 0; // in the open there is nothing to measure
}

/**
 * Stops before the robot could leave an area: a polygon, corners in order, in the frame of the odometry.
 * @example
 * const limits = { radius: 0.22, maxSpeed: 0.26, maxTurn: 1.82, maxAcceleration: 1.98, braking: 1.98 };
 * const corners = [{ x: 0, y: 0 }, { x: 4, y: 0 }, { x: 0, y: 4 }];
 * robotics.safety.geofence(corners, { limits, reactionTime: 0.28 }).name; // "geofence"
 */
export function geofence(
  area: readonly Point[],
  { limits, reactionTime, margin = 0.05 }: FieldOptions & { readonly limits: RobotLimits },
): SafetyRule {
  if (area.length < 3) throw new ValueError(`geofence: an area has at least 3 corners, got ${area.length}`);
  return {
    name: "geofence",
    check({ odometry }) {
      if (!odometry) return "no odometry yet";
      const { pose, speed } = odometry;
      const inside = insideBy(pose, area);
      const needed = limits.radius + margin + stoppingDistance(speed, limits, reactionTime);
      if (inside >= needed) return null;
      return inside < 0 ? "outside of the area" : `${inside.toFixed(2)} m from the area's border`;
    },
  };
}

/**
 * Metres from a point inside of a polygon to its border; negative outside.
 * @example robotics.safety.insideBy({ x: 1, y: 1 }, [{ x: 0, y: 0 }, { x: 4, y: 0 }, { x: 4, y: 4 }, { x: 0, y: 4 }]) // 1
 */
export function insideBy({ x, y }: Point, area: readonly Point[]): number {
  let isInside = false;
  let least = Number.POSITIVE_INFINITY;
  for (let i = 0, j = area.length - 1; i < area.length; j = i++) {
    const [a, b] = [area[j], area[i]];
    if (a.y > y !== b.y > y && x < ((b.x - a.x) * (y - a.y)) / (b.y - a.y) + a.x) isInside = !isInside;
    const [ex, ey] = [b.x - a.x, b.y - a.y];
    const length = ex * ex + ey * ey;
    const t = length === 0 ? 0 : Math.max(0, Math.min(1, ((x - a.x) * ex + (y - a.y) * ey) / length));
    least = Math.min(least, Math.hypot(x - a.x - t * ex, y - a.y - t * ey));
  }
  return isInside ? least : -least;
}

/**
 * Stops a robot that is faster than it may be.
 * @example robotics.safety.speedLimit(0.5).name // "speed limit"
 */
export function speedLimit(most: number): SafetyRule {
  if (!(most > 0)) throw new ValueError(`speedLimit: a positive speed in m/s, got ${most}`);
  return {
    name: "speed limit",
    check({ odometry }) {
      if (!odometry) return "no odometry yet";
      const { speed } = odometry;
      // not a number is no reason to go on
      return Math.abs(speed) <= most ? null : `${speed.toFixed(2)} m/s where ${most} are allowed`;
    },
  };
}
