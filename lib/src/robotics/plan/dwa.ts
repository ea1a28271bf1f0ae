/**
 * The dynamic window approach (Fox, Burgard & Thrun 1997): of the speeds that a differential-drive robot can reach within one period,
 * and from which it can still stop before the obstacles of a lidar scan, those that lead best along a path.
 */
import { ValueError } from "../../core/errors.js";
import { footOn, type Point2, type Pose2, pointAlong, wrapAngle } from "../control/path-tracking.js";

/** A lidar's scan, as ROS' sensor_msgs/LaserScan: beam i looks at angle angleMin + i·angleIncrement, seen from the robot. */
export interface Scan {
  /** rad. */
  readonly angleMin: number;
  /** rad. */
  readonly angleIncrement: number;
  /** m; what is not a number from 0 to rangeMax is no obstacle. */
  readonly ranges: ArrayLike<number>;
  /** m. Default ∞. */
  readonly rangeMax?: number;
}

export interface Velocity {
  /** m/s. */
  readonly linear: number;
  /** rad/s. */
  readonly angular: number;
}

export interface DwaOptions {
  /** m: the robot is a disc. */
  readonly radius: number;
  /** m: kept between the robot's edge and obstacles. Default 0.02. */
  readonly margin?: number;
  /** m/s: [least, most]. Default [0, 0.5]. */
  readonly linear?: readonly [number, number];
  /** rad/s: the most to either side. Default 1.5. */
  readonly angular?: number;
  /** m/s². Default 0.5. */
  readonly linearAcceleration?: number;
  /** rad/s². Default 3. */
  readonly angularAcceleration?: number;
  /** s between two commands. Default 0.1. */
  readonly period?: number;
  /** s looked ahead. Default 2. */
  readonly horizon?: number;
  /** m: the point of the path that is headed for. Default 0.8. */
  readonly lookahead?: number;
  /** Speeds tried: [linear, angular]. Default [7, 21]. */
  readonly samples?: readonly [number, number];
  /** What counts: heading for the point, distance to it, clearance, speed. */
  readonly weights?: {
    readonly heading?: number;
    readonly progress?: number;
    readonly clearance?: number;
    readonly speed?: number;
  };
}

export interface DwaChoice extends Velocity {
  /** Poses that the command leads to, in the robot's frame of now. */
  readonly arc: Pose2[];
  /** m: between the robot's edge and the nearest obstacle along the arc. */
  readonly clearance: number;
  /** No speed was safe: the robot brakes as hard as it can. */
  readonly blocked: boolean;
  /** Speeds tried, and how many of them were safe. */
  readonly tried: number;
  readonly safe: number;
}

/** m: obstacles farther than this from the robot's edge don't disturb it. */
const CALM = 0.5;

/** A local planner. It holds no state: a choice depends on its arguments alone. */
export class Dwa {
  private readonly settings: Required<Omit<DwaOptions, "weights">> & {
    readonly weights: Required<NonNullable<DwaOptions["weights"]>>;
  };

  /** @throws ValueError for options outside their range */
  constructor({
    radius,
    margin = 0.02,
    linear = [0, 0.5],
    angular = 1.5,
    linearAcceleration = 0.5,
    angularAcceleration = 3,
    period = 0.1,
    horizon = 2,
    lookahead = 0.8,
    samples = [7, 21],
    weights: { heading = 1, progress = 2, clearance = 0.3, speed = 0.5 } = {},
  }: DwaOptions) {
    for (const [name, value] of Object.entries({
      radius,
      angular,
      linearAcceleration,
      angularAcceleration,
      period,
      horizon,
      lookahead,
    }))
      if (!(value > 0)) throw new ValueError(`Dwa: ${name} must be above 0, got ${value}`);
    if (!(linear[0] <= linear[1]))
      throw new ValueError(`Dwa: linear is [least, most], got [${linear.join(", ")}]`);
    this.settings = {
      radius,
      margin,
      linear,
      angular,
      linearAcceleration,
      angularAcceleration,
      period,
      horizon,
      lookahead,
      samples,
      weights: { heading, progress, clearance, speed },
    };
  }

  /**
   * The command for the next period.
   * @param pose in the frame of the path
   * @param now the speeds of now
   * @param path m; its end is the goal
   */
  choose(pose: Pose2, now: Velocity, path: readonly Point2[], scan: Scan): DwaChoice {
    const {
      radius,
      margin,
      linear,
      angular,
      linearAcceleration,
      angularAcceleration,
      period,
      horizon,
      lookahead,
      samples,
      weights,
    } = this.settings;
    // what no arc comes near to is not looked at
    const reach = Math.max(Math.abs(linear[0]), Math.abs(linear[1])) * horizon + radius + CALM;
    const obstacles = obstaclesOf(scan, reach, radius + margin);
    const target = inFrame(pose, pointAlong(path, footOn(path, [pose[0], pose[1]]).along + lookahead));
    const end = inFrame(pose, path[path.length - 1]);
    const goalDistance = Math.hypot(end[0], end[1]);
    const window = (least: number, most: number, value: number, change: number, count: number): number[] => {
      const low = Math.max(least, Math.min(most, value - change));
      const high = Math.min(most, Math.max(least, value + change));
      return Array.from({ length: count }, (_, i) =>
        count === 1 ? high : low + (i / (count - 1)) * (high - low),
      );
    };
    const speeds = window(linear[0], linear[1], now.linear, linearAcceleration * period, samples[0]);
    const turns = window(-angular, angular, now.angular, angularAcceleration * period, samples[1]);
    let best: (DwaChoice & { readonly score: number }) | null = null;
    let [tried, safe] = [0, 0];
    for (const v of speeds) {
      for (const w of turns) {
        tried++;
        const { arc, clearance, free } = this.look(v, w, obstacles);
        // what is left of the arc must suffice to stop, the period before the brake included
        if (v * period + (v * v) / (2 * linearAcceleration) > free) continue;
        if (v > 0 && (v * v) / (2 * linearAcceleration) > goalDistance + 0.05) continue;
        safe++;
        const last = arc[Math.min(arc.length - 1, this.closest(arc, target))];
        const away = Math.hypot(target[0] - last[0], target[1] - last[1]);
        const error = Math.abs(wrapAngle(Math.atan2(target[1] - last[1], target[0] - last[0]) - last[2]));
        const score =
          weights.heading * (1 - (away > 0.1 ? error : 0) / Math.PI) -
          weights.progress * (away / lookahead) +
          weights.clearance * Math.min(1, clearance / CALM) +
          weights.speed * (goalDistance > lookahead ? v / Math.max(1e-9, linear[1]) : 0);
        if (best === null || score > best.score)
          best = { linear: v, angular: w, arc, clearance, blocked: false, tried, safe, score };
      }
    }
    if (best) {
      const { score: _, ...choice } = best;
      return { ...choice, tried, safe };
    }
    const braked =
      now.linear - Math.sign(now.linear) * Math.min(Math.abs(now.linear), linearAcceleration * period);
    const { arc, clearance } = this.look(braked, 0, obstacles);
    return { linear: braked, angular: 0, arc, clearance, blocked: true, tried, safe: 0 };
  }

  /** An arc, how near obstacles come to it, and how far the robot gets on it before it touches one. */
  private look(v: number, w: number, { x, y, contact }: Obstacles) {
    const { period, horizon, radius } = this.settings;
    const arc: Pose2[] = [[0, 0, 0]];
    let nearest = Number.POSITIVE_INFINITY;
    let free = Number.POSITIVE_INFINITY;
    const count = Math.ceil(horizon / period);
    const step = period / 2; // finer than the period: nothing slips between two poses
    for (let k = 0; k <= 2 * count; k++) {
      const t = k * step;
      const straight = Math.abs(w) < 1e-9;
      const px = straight ? v * t : (v / w) * Math.sin(w * t);
      const py = straight ? 0 : (v / w) * (1 - Math.cos(w * t));
      if (k > 0 && k % 2 === 0) arc.push([px, py, w * t]);
      for (let i = 0; i < x.length; i++) {
        const square = (x[i] - px) ** 2 + (y[i] - py) ** 2;
        if (square < nearest) nearest = square;
        // it may have touched at any time since the pose before
        if (k > 0 && square < contact[i]) free = Math.min(free, Math.abs(v) * (t - step));
      }
    }
    return { arc, clearance: Math.sqrt(nearest) - radius, free };
  }

  private closest(arc: readonly Pose2[], [x, y]: Point2): number {
    let [best, least] = [0, Number.POSITIVE_INFINITY];
    arc.forEach((pose, i) => {
      const away = Math.hypot(x - pose[0], y - pose[1]);
      if (away < least) [best, least] = [i, away];
    });
    return best;
  }
}

/** Points seen from the robot; `contact`: the squares of the distances within which they count as touched. */
interface Obstacles {
  readonly x: Float64Array;
  readonly y: Float64Array;
  readonly contact: Float64Array;
}

/** The points of a scan within `reach`. One that is too near already is touched by coming nearer: the robot may drive away. */
function obstaclesOf(
  { angleMin, angleIncrement, ranges, rangeMax = Number.POSITIVE_INFINITY }: Scan,
  reach: number,
  apart: number,
): Obstacles {
  const [x, y, contact]: number[][] = [[], [], []];
  for (let i = 0; i < ranges.length; i++) {
    const range = ranges[i];
    if (!(range >= 0 && range < rangeMax && range < reach)) continue;
    const angle = angleMin + i * angleIncrement;
    x.push(range * Math.cos(angle));
    y.push(range * Math.sin(angle));
    contact.push(Math.min(apart, range - 1e-9) ** 2);
  }
  return { x: Float64Array.from(x), y: Float64Array.from(y), contact: Float64Array.from(contact) };
}

function inFrame([x, y, heading]: Pose2, [px, py]: Point2): Point2 {
  const [dx, dy] = [px - x, py - y];
  return [dx * Math.cos(heading) + dy * Math.sin(heading), dy * Math.cos(heading) - dx * Math.sin(heading)];
}
