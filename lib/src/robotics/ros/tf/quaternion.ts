/**
 * Rotations as unit quaternions, `x, y, z, w` as ROS and SciPy order them. All angles are in radians, all frames
 * right-handed; `multiply(a, b)` turns by `b` first, then by `a`.
 */
import { ValueError } from "../../../core/errors.js";

/** `geometry_msgs/msg/Quaternion`. */
export interface Quaternion {
  readonly x: number;
  readonly y: number;
  readonly z: number;
  readonly w: number;
}

/** `geometry_msgs/msg/Vector3` or `Point`; lengths in metres. */
export interface Vector3 {
  readonly x: number;
  readonly y: number;
  readonly z: number;
}

/** Turns about the fixed axes x, then y, then z (equally: about the body's z, then y, then x), in radians. */
export interface RollPitchYaw {
  readonly roll: number;
  readonly pitch: number;
  readonly yaw: number;
}

/** Three rows of three. */
export type Matrix3 = readonly (readonly number[])[];

export const IDENTITY: Quaternion = Object.freeze({ x: 0, y: 0, z: 0, w: 1 });

const dot = (a: Quaternion, b: Quaternion): number => a.x * b.x + a.y * b.y + a.z * b.z + a.w * b.w;

/** `scaleA * a + scaleB * b`, number by number. */
const mix = (a: Quaternion, scaleA: number, b: Quaternion, scaleB: number): Quaternion => ({
  x: scaleA * a.x + scaleB * b.x,
  y: scaleA * a.y + scaleB * b.y,
  z: scaleA * a.z + scaleB * b.z,
  w: scaleA * a.w + scaleB * b.w,
});

/**
 * The unit quaternion of this direction.
 * @throws ValueError of zero and of what isn't finite
 * @example ros.tf.quaternionNormalize({ x: 0, y: 0, z: 0, w: 2 }).w // 1
 */
export function normalize(q: Quaternion): Quaternion {
  const norm = Math.hypot(q.x, q.y, q.z, q.w);
  if (!(norm > 0 && norm < Infinity))
    throw new ValueError(`quaternion (${q.x}, ${q.y}, ${q.z}, ${q.w}) is no rotation: its norm is ${norm}`);
  return { x: q.x / norm, y: q.y / norm, z: q.z / norm, w: q.w / norm };
}

/**
 * The rotation by `b`, then by `a`.
 * @example
 * const quarter = ros.tf.quaternionFromEuler({ roll: 0, pitch: 0, yaw: Math.PI / 2 });
 * ros.tf.eulerFromQuaternion(ros.tf.quaternionMultiply(quarter, quarter)).yaw // 3.1416
 */
export const multiply = (a: Quaternion, b: Quaternion): Quaternion => ({
  x: a.w * b.x + a.x * b.w + a.y * b.z - a.z * b.y,
  y: a.w * b.y - a.x * b.z + a.y * b.w + a.z * b.x,
  z: a.w * b.z + a.x * b.y - a.y * b.x + a.z * b.w,
  w: a.w * b.w - a.x * b.x - a.y * b.y - a.z * b.z,
});

/**
 * The rotation back, of a unit quaternion.
 * @example ros.tf.quaternionInverse({ x: 0, y: 0, z: 0.6, w: 0.8 }).z // -0.6
 */
export const conjugate = (q: Quaternion): Quaternion => ({ x: -q.x, y: -q.y, z: -q.z, w: q.w });

/**
 * The vector turned by a unit quaternion.
 * @example ros.tf.rotateVector({ x: 0, y: 0, z: 1, w: 0 }, { x: 2, y: 0, z: 0 }).x // -2
 */
export function rotate(q: Quaternion, v: Vector3): Vector3 {
  // v + 2w (u × v) + 2 u × (u × v), u the vector part
  const tx = 2 * (q.y * v.z - q.z * v.y);
  const ty = 2 * (q.z * v.x - q.x * v.z);
  const tz = 2 * (q.x * v.y - q.y * v.x);
  return {
    x: v.x + q.w * tx + q.y * tz - q.z * ty,
    y: v.y + q.w * ty + q.z * tx - q.x * tz,
    z: v.z + q.w * tz + q.x * ty - q.y * tx,
  };
}

/**
 * The rotation about the fixed axes x, then y, then z.
 * @example ros.tf.quaternionFromEuler({ roll: 0, pitch: 0, yaw: Math.PI }).z // 1
 */
export function fromEuler({ roll, pitch, yaw }: RollPitchYaw): Quaternion {
  const [cr, sr] = [Math.cos(roll / 2), Math.sin(roll / 2)];
  const [cp, sp] = [Math.cos(pitch / 2), Math.sin(pitch / 2)];
  const [cy, sy] = [Math.cos(yaw / 2), Math.sin(yaw / 2)];
  return {
    x: sr * cp * cy - cr * sp * sy,
    y: cr * sp * cy + sr * cp * sy,
    z: cr * cp * sy - sr * sp * cy,
    w: cr * cp * cy + sr * sp * sy,
  };
}

/** Below it, pitch is ±90° and roll and yaw turn about one axis: roll is then taken as 0. */
const GIMBAL = 1e-7;

/**
 * Of a unit quaternion: roll and yaw in [-π, π], pitch in [-π/2, π/2].
 * @example ros.tf.eulerFromQuaternion({ x: 0, y: 0, z: 1, w: 0 }).yaw // 3.1416
 */
export function toEuler({ x, y, z, w }: Quaternion): RollPitchYaw {
  // sines and cosines of (yaw - roll) / 2 and (yaw + roll) / 2, scaled by those of the pitch: exact also near ±90°
  const [plus, minus] = [Math.hypot(w - y, x + z), Math.hypot(w + y, z - x)];
  const pitch = Math.PI / 2 - 2 * Math.atan2(plus, minus);
  const sum = Math.atan2(x + z, w - y); // (roll + yaw) / 2 of the shifted quaternion
  const difference = Math.atan2(z - x, w + y);
  if (plus < GIMBAL) return { roll: 0, pitch: Math.PI / 2, yaw: wrap(2 * difference) };
  if (minus < GIMBAL) return { roll: 0, pitch: -Math.PI / 2, yaw: wrap(2 * sum) };
  return { roll: wrap(sum - difference), pitch, yaw: wrap(sum + difference) };
}

/** Into [-π, π]. */
const wrap = (angle: number): number =>
  angle > Math.PI ? angle - 2 * Math.PI : angle < -Math.PI ? angle + 2 * Math.PI : angle;

/**
 * The rotation about an axis of any length, by an angle in radians.
 * @throws ValueError of an axis of length 0
 * @example ros.tf.quaternionFromAxisAngle({ x: 0, y: 0, z: 5 }, Math.PI).z // 1
 */
export function fromAxisAngle(axis: Vector3, angle: number): Quaternion {
  const length = Math.hypot(axis.x, axis.y, axis.z);
  if (!(length > 0)) throw new ValueError("an axis of length 0 has no direction to turn about");
  const scale = Math.sin(angle / 2) / length;
  return { x: axis.x * scale, y: axis.y * scale, z: axis.z * scale, w: Math.cos(angle / 2) };
}

/**
 * The axis times the angle; the angle in [0, π].
 * @example ros.tf.rotationVectorFromQuaternion({ x: 1, y: 0, z: 0, w: 0 }).x // 3.1416
 */
export function toRotationVector(q: Quaternion): Vector3 {
  const sine = Math.hypot(q.x, q.y, q.z);
  const sign = q.w < 0 ? -1 : 1; // q and -q are one rotation: the short way
  // sin(θ/2) → θ/2 near 0
  const scale = sine < 1e-12 ? 2 * sign : (2 * sign * Math.atan2(sine, Math.abs(q.w))) / sine;
  return { x: q.x * scale, y: q.y * scale, z: q.z * scale };
}

/**
 * The rotation about the vector, by its length in radians.
 * @example ros.tf.quaternionFromRotationVector({ x: 0, y: Math.PI, z: 0 }).y // 1
 */
export function fromRotationVector(v: Vector3): Quaternion {
  const angle = Math.hypot(v.x, v.y, v.z);
  const scale = angle < 1e-12 ? 0.5 : Math.sin(angle / 2) / angle;
  return { x: v.x * scale, y: v.y * scale, z: v.z * scale, w: Math.cos(angle / 2) };
}

/**
 * 3×3, of a unit quaternion; its columns are the turned axes.
 * @example ros.tf.matrixFromQuaternion({ x: 0, y: 0, z: 1, w: 0 })[0] // [-1, 0, 0]
 */
export function toMatrix({ x, y, z, w }: Quaternion): Matrix3 {
  return [
    [1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)],
    [2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)],
    [2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)],
  ];
}

/**
 * Of a rotation matrix, by the largest of the four numbers, so that none is divided by one near 0.
 * @throws ValueError where its columns are not orthonormal (to 1e-3), or it mirrors
 * @example ros.tf.quaternionFromMatrix([[-1, 0, 0], [0, -1, 0], [0, 0, 1]]).z // 1
 */
export function fromMatrix(m: Matrix3): Quaternion {
  checkRotation(m);
  const [[xx, xy, xz], [yx, yy, yz], [zx, zy, zz]] = m;
  const trace = xx + yy + zz;
  const largest = Math.max(xx, yy, zz, trace);
  if (largest === trace) return normalize({ x: zy - yz, y: xz - zx, z: yx - xy, w: 1 + trace });
  if (largest === xx) return normalize({ x: 1 - trace + 2 * xx, y: xy + yx, z: xz + zx, w: zy - yz });
  if (largest === yy) return normalize({ x: xy + yx, y: 1 - trace + 2 * yy, z: yz + zy, w: xz - zx });
  return normalize({ x: xz + zx, y: yz + zy, z: 1 - trace + 2 * zz, w: yx - xy });
}

function checkRotation(m: Matrix3): void {
  const column = (j: number): number[] => [m[0][j], m[1][j], m[2][j]];
  const product = (i: number, j: number): number =>
    column(i).reduce((sum, value, k) => sum + value * column(j)[k], 0);
  for (let i = 0; i < 3; i++)
    for (let j = i; j < 3; j++) {
      const off = Math.abs(product(i, j) - (i === j ? 1 : 0));
      if (!(off < 1e-3))
        throw new ValueError(`no rotation matrix: columns ${i} and ${j} have product ${product(i, j)}`);
    }
  const [[a, b, c], [d, e, f], [g, h, i]] = m;
  if (a * (e * i - f * h) - b * (d * i - f * g) + c * (d * h - e * g) < 0)
    throw new ValueError("no rotation matrix: it mirrors (determinant -1)");
}

/**
 * The angle between two rotations, in [0, π].
 * @example ros.tf.angleBetween({ x: 0, y: 0, z: 0, w: 1 }, { x: 0, y: 1, z: 0, w: 0 }) // 3.1416
 */
export function angleBetween(a: Quaternion, b: Quaternion): number {
  const { x, y, z, w } = multiply(conjugate(a), b);
  return 2 * Math.atan2(Math.hypot(x, y, z), Math.abs(w));
}

/**
 * Spherical interpolation of unit quaternions, the short way: at even speed from `a` (`t` = 0) to `b` (`t` = 1).
 * Shoemake, "Animating rotation with quaternion curves" (1985).
 * @example
 * const half = ros.tf.quaternionSlerp({ x: 0, y: 0, z: 0, w: 1 }, { x: 0, y: 0, z: 1, w: 0 }, 0.5);
 * ros.tf.eulerFromQuaternion(half).yaw // 1.5708
 */
export function slerp(a: Quaternion, b: Quaternion, t: number): Quaternion {
  const cosine = dot(a, b);
  const sign = cosine < 0 ? -1 : 1;
  // the angle from the chord: exact where the two are close and acos is not
  const chord = mix(a, -1, b, sign);
  const half = Math.asin(Math.min(1, Math.hypot(chord.x, chord.y, chord.z, chord.w) / 2));
  const angle = 2 * half;
  if (angle < 1e-9) return normalize(mix(a, 1 - t, b, sign * t));
  const sine = Math.sin(angle);
  return normalize(mix(a, Math.sin((1 - t) * angle) / sine, b, (sign * Math.sin(t * angle)) / sine));
}
