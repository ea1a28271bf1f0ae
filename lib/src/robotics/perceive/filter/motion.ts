/** How a wheeled robot moves under a command, with derivatives and noise (Probabilistic Robotics, §5.3, §7.4). */
import { wrapAngle } from "../../solve/manifold.js";

/** A pose in the plane: metres, radians. */
export interface Pose2 {
  readonly x: number;
  readonly y: number;
  readonly theta: number;
}

/** A command that holds for a while. */
export interface Twist2 {
  /** m/s ahead. */
  readonly linear: number;
  /** rad/s, counter-clockwise. */
  readonly angular: number;
}

/** Variances of the velocities that are really driven: α₁v² + α₂ω² of v, α₃v² + α₄ω² of ω. */
export type MotionNoise = readonly [a1: number, a2: number, a3: number, a4: number];

/**
 * The pose at the end of the arc that a command makes in `dt` seconds.
 * @example robotics.perceive.drive({ x: 0, y: 0, theta: 0 }, { linear: 1, angular: 0 }, 2).x // 2
 */
export function drive({ x, y, theta }: Pose2, { linear: v, angular: w }: Twist2, dt: number): Pose2 {
  const turn = w * dt;
  // sin(t/2)/(t/2) of the chord, which is right for straight lines too
  const half = turn / 2;
  const chord = v * dt * (Math.abs(half) < 1e-6 ? 1 - (half * half) / 6 : Math.sin(half) / half);
  return {
    x: x + chord * Math.cos(theta + half),
    y: y + chord * Math.sin(theta + half),
    theta: wrapAngle(theta + turn),
  };
}

export interface LinearMotion {
  readonly pose: Pose2;
  /** ∂pose/∂pose, 3 × 3. */
  readonly jacobian: Float64Array;
  /** What the command's noise adds, 3 × 3. */
  readonly noise: Float64Array;
}

/**
 * `drive` with what an EKF wants of it.
 * @example robotics.perceive.linearDrive({ x: 0, y: 0, theta: 0 }, { linear: 1, angular: 0 }, 2, [0.1, 0, 0, 0]).noise[0] // 0.4
 */
export function linearDrive(from: Pose2, twist: Twist2, dt: number, alphas: MotionNoise): LinearMotion {
  const pose = drive(from, twist, dt);
  const { linear: v, angular: w } = twist;
  const [dx, dy] = [pose.x - from.x, pose.y - from.y];
  const jacobian = Float64Array.of(1, 0, -dy, 0, 1, dx, 0, 0, 1);
  const half = (w * dt) / 2;
  const small = Math.abs(half) < 1e-4;
  const sinc = small ? 1 - (half * half) / 6 : Math.sin(half) / half;
  // d(sin h / h)/dh
  const slope = small ? -half / 3 : (Math.cos(half) - sinc) / half;
  const [c, s] = [Math.cos(from.theta + half), Math.sin(from.theta + half)];
  const [byV, byW] = [dt * sinc, (dt / 2) * v * dt];
  const g = [byV * c, byW * (slope * c - sinc * s), byV * s, byW * (slope * s + sinc * c), 0, dt];
  const mv = alphas[0] * v * v + alphas[1] * w * w;
  const mw = alphas[2] * v * v + alphas[3] * w * w;
  const noise = new Float64Array(9);
  for (let i = 0; i < 3; i++)
    for (let j = 0; j < 3; j++)
      noise[i * 3 + j] = g[i * 2] * mv * g[j * 2] + g[i * 2 + 1] * mw * g[j * 2 + 1];
  return { pose, jacobian, noise };
}

/**
 * a∘b: the pose that b is, seen from a.
 * @example robotics.perceive.compose2({ x: 1, y: 0, theta: Math.PI / 2 }, { x: 2, y: 0, theta: 0 }).y // 2
 */
export function compose2(a: Pose2, b: Pose2): Pose2 {
  const [c, s] = [Math.cos(a.theta), Math.sin(a.theta)];
  return { x: a.x + c * b.x - s * b.y, y: a.y + s * b.x + c * b.y, theta: wrapAngle(a.theta + b.theta) };
}

/**
 * a⁻¹∘b: b as a sees it.
 * @example robotics.perceive.relative2({ x: 1, y: 0, theta: 0 }, { x: 3, y: 1, theta: 0.5 }) // {"x": 2, "y": 1, "theta": 0.5}
 */
export function relative2(a: Pose2, b: Pose2): Pose2 {
  const [c, s] = [Math.cos(a.theta), Math.sin(a.theta)];
  const [dx, dy] = [b.x - a.x, b.y - a.y];
  return { x: c * dx + s * dy, y: -s * dx + c * dy, theta: wrapAngle(b.theta - a.theta) };
}
