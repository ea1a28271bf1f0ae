/** Differential drive: what two wheels can do, the arc that they make, and what odometry makes of it (Thrun). */
import { ValueError } from "../../core/errors.js";
import { type Pose, wrapAngle } from "./geometry.js";

/** Velocity of a robot on a plane: m/s forward and rad/s counter-clockwise. */
export interface Twist {
  readonly linear: number;
  readonly angular: number;
}

/** Of the left and the right wheel. */
export interface Wheels {
  readonly left: number;
  readonly right: number;
}

export interface DriveSpec {
  /** Distance between the wheels, metres. Default 0.3. */
  readonly track?: number;
  /** Radius of the wheels, metres. Default 0.05. */
  readonly wheelRadius?: number;
  /** Fastest turn of a wheel, rad/s. Default 20: 1 m/s. */
  readonly maxWheelSpeed?: number;
  /** Fastest change of a wheel's turn, rad/s². Default without limit. */
  readonly maxWheelAcceleration?: number;
  /**
   * Slip: standard deviation of the way that a wheel makes over a metre that it turns, in metres; grows with the root of
   * the way, whatever the step. It changes smoothly, over about 0.1 m. Default 0.
   */
  readonly slip?: number;
}

export type Drive = Required<DriveSpec>;

/**
 * A drive with its defaults.
 * @throws ValueError for lengths and limits that are not positive
 * @example robotics.simulate.makeDrive({ track: 0.2 }).wheelRadius // 0.05
 */
export function makeDrive(spec: DriveSpec = {}): Drive {
  const drive = {
    track: 0.3,
    wheelRadius: 0.05,
    maxWheelSpeed: 20,
    maxWheelAcceleration: Number.POSITIVE_INFINITY,
    slip: 0,
    ...spec,
  };
  for (const key of ["track", "wheelRadius", "maxWheelSpeed", "maxWheelAcceleration"] as const)
    if (!(drive[key] > 0)) throw new ValueError(`drive: ${key} is a positive number, got ${drive[key]}`);
  if (!(drive.slip >= 0)) throw new ValueError(`drive: slip is a number from 0, got ${drive.slip}`);
  return drive;
}

/**
 * Turns of the wheels (rad/s) that move a robot so.
 * @example robotics.simulate.wheelsOf({ linear: 0.5, angular: 0 }, robotics.simulate.makeDrive()).left // 10
 */
export function wheelsOf({ linear, angular }: Twist, { track, wheelRadius }: Drive): Wheels {
  const turn = (angular * track) / 2;
  return { left: (linear - turn) / wheelRadius, right: (linear + turn) / wheelRadius };
}

/**
 * How a robot moves whose wheels turn so (rad/s).
 * @example robotics.simulate.twistOf({ left: -3, right: 3 }, robotics.simulate.makeDrive()).angular // 1
 */
export function twistOf({ left, right }: Wheels, { track, wheelRadius }: Drive): Twist {
  return { linear: (wheelRadius * (left + right)) / 2, angular: (wheelRadius * (right - left)) / track };
}

/** Wheel speeds within the limit: both are slowed alike, so that the curve stays the same. */
export function limitWheels({ left, right }: Wheels, { maxWheelSpeed }: Drive): Wheels {
  const most = Math.max(Math.abs(left), Math.abs(right));
  if (most <= maxWheelSpeed) return { left, right };
  const scale = maxWheelSpeed / most;
  return { left: left * scale, right: right * scale };
}

/** Wheel speeds after `dt` seconds on the way from `now` to `target`, both wheels done at the same time. */
export function accelerate(now: Wheels, target: Wheels, { maxWheelAcceleration }: Drive, dt: number): Wheels {
  const change = Math.max(Math.abs(target.left - now.left), Math.abs(target.right - now.right));
  const part = change === 0 ? 1 : Math.min(1, (maxWheelAcceleration * dt) / change);
  if (part === 1) return target;
  return {
    left: now.left + part * (target.left - now.left),
    right: now.right + part * (target.right - now.right),
  };
}

/** Metres over which a wheel's slip changes. */
const SLIP_LENGTH = 0.1;

/**
 * A wheel's slip as an Ornstein–Uhlenbeck process over the way: after `way` metres, the slip (a part of the way) and what
 * it added to the way. Both are drawn from their exact joint distribution (Gillespie 1996), so that steps of any length
 * make the same process.
 * @param before the slip at the beginning
 * @param slip as in `DriveSpec`
 */
export function slipAfter(
  before: number,
  way: number,
  slip: number,
  normal1: number,
  normal2: number,
): { readonly slip: number; readonly added: number } {
  const x = Math.abs(way) / SLIP_LENGTH;
  const keep = Math.exp(-x);
  const variance = (slip * slip) / (2 * SLIP_LENGTH);
  const slipVariance = variance * -Math.expm1(-2 * x);
  if (slipVariance === 0) return { slip: before, added: before * way };
  // 2x − 3 + 4e⁻ˣ − e⁻²ˣ, whose terms cancel for short ways
  const spread = x < 1e-3 ? x * x * x * (2 / 3 - x / 2) : 2 * x - 3 + 4 * keep - keep * keep;
  const wayVariance = variance * SLIP_LENGTH * SLIP_LENGTH * spread;
  const covariance = variance * SLIP_LENGTH * (1 - keep) ** 2;
  const deviation = Math.sqrt(slipVariance);
  const rest = Math.sqrt(Math.max(0, wayVariance - (covariance * covariance) / slipVariance));
  const added = SLIP_LENGTH * (1 - keep) * before + (covariance / deviation) * normal1 + rest * normal2;
  return { slip: keep * before + deviation * normal1, added: way < 0 ? -added : added };
}

/**
 * Where a robot stands after an arc: exact for constant speed and turn, with the straight line as its limit.
 * @param distance metres along the arc, negative backwards
 * @param turn radians
 * @example robotics.simulate.arc({ x: 0, y: 0, theta: 0 }, Math.PI, Math.PI).y // 2
 */
export function arc(pose: Pose, distance: number, turn: number): Pose {
  const half = turn / 2;
  // the chord of the arc: distance · sin(half) / half
  const chord =
    Math.abs(half) < 1e-4 ? distance * (1 - (half * half) / 6) : (distance * Math.sin(half)) / half;
  const heading = pose.theta + half;
  return {
    x: pose.x + chord * Math.cos(heading),
    y: pose.y + chord * Math.sin(heading),
    theta: wrapAngle(pose.theta + turn),
  };
}

/** A motion as odometry tells it: a turn, a straight way, a turn (radians, metres, radians). */
export interface OdometryMotion {
  readonly turn1: number;
  readonly way: number;
  readonly turn2: number;
}

/**
 * Noise of odometry: α1 … α4 of Thrun, Burgard & Fox, "Probabilistic Robotics" (2005), table 5.6: how turning and
 * driving disturb the turn, and driving and turning the way.
 */
export type OdometryNoise = readonly [a1: number, a2: number, a3: number, a4: number];

/**
 * The motion of an arc: its chord, and half of its turn before and after.
 * @example robotics.simulate.motionOfArc(Math.PI, Math.PI).way // 2
 */
export function motionOfArc(distance: number, turn: number): OdometryMotion {
  const half = turn / 2;
  const way = Math.abs(half) < 1e-4 ? distance * (1 - (half * half) / 6) : (distance * Math.sin(half)) / half;
  return { turn1: half, way, turn2: half };
}

/**
 * A pose after a motion.
 * @example robotics.simulate.moved({ x: 0, y: 0, theta: 0 }, { turn1: Math.PI / 2, way: 2, turn2: 0 }).y // 2
 */
export function moved(pose: Pose, { turn1, way, turn2 }: OdometryMotion): Pose {
  const heading = pose.theta + turn1;
  return {
    x: pose.x + way * Math.cos(heading),
    y: pose.y + way * Math.sin(heading),
    theta: wrapAngle(heading + turn2),
  };
}

/**
 * Standard deviations of a motion's three parts, in its units.
 * @example robotics.simulate.odometryDeviation({ turn1: 0, way: 2, turn2: 0 }, [0, 0, 0.01, 0]).way // 0.2
 */
export function odometryDeviation(
  { turn1, way, turn2 }: OdometryMotion,
  [a1, a2, a3, a4]: OdometryNoise,
): OdometryMotion {
  return {
    turn1: Math.sqrt(a1 * turn1 * turn1 + a2 * way * way),
    way: Math.sqrt(a3 * way * way + a4 * (turn1 * turn1 + turn2 * turn2)),
    turn2: Math.sqrt(a1 * turn2 * turn2 + a2 * way * way),
  };
}

/**
 * A motion with odometry's noise: one sample of the motion model, as particle filters draw them.
 * @param normals three numbers of the standard normal distribution
 * @example
 * robotics.simulate.sampleOdometry({ turn1: 0, way: 2, turn2: 0 }, [0, 0, 0.01, 0], [0, 1, 0]).way // 2.2
 */
export function sampleOdometry(
  motion: OdometryMotion,
  noise: OdometryNoise,
  normals: ArrayLike<number>,
): OdometryMotion {
  const deviation = odometryDeviation(motion, noise);
  return {
    turn1: motion.turn1 + deviation.turn1 * normals[0],
    way: motion.way + deviation.way * normals[1],
    turn2: motion.turn2 + deviation.turn2 * normals[2],
  };
}
