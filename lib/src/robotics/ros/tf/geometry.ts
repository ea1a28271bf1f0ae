/** Points, vectors and poses in other frames, by a transform that a buffer tells. */
import type { TransformStamped } from "./buffer.js";
import { multiply, type Quaternion, rotate, type Vector3 } from "./quaternion.js";
import { applyTransform } from "./transform.js";

/** `geometry_msgs/msg/Pose`. */
export interface Pose {
  readonly position: Vector3;
  readonly orientation: Quaternion;
}

/**
 * The point in `transform`'s parent frame.
 * @example
 * const robot = { header: { stamp: { sec: 0, nanosec: 0 }, frame_id: "map" }, child_frame_id: "base",
 *   transform: { translation: { x: 2, y: 0, z: 0 }, rotation: ros.tf.QUATERNION_IDENTITY } };
 * ros.tf.transformPoint(robot, { x: 1, y: 0, z: 0 }).x // 3
 */
export const transformPoint = ({ transform }: TransformStamped, point: Vector3): Vector3 =>
  applyTransform(transform, point);

/**
 * The direction: it is turned, not moved.
 * @example
 * const robot = { header: { stamp: { sec: 0, nanosec: 0 }, frame_id: "map" }, child_frame_id: "base",
 *   transform: { translation: { x: 2, y: 0, z: 0 }, rotation: ros.tf.QUATERNION_IDENTITY } };
 * ros.tf.transformVector(robot, { x: 1, y: 0, z: 0 }).x // 1
 */
export const transformVector = ({ transform }: TransformStamped, vector: Vector3): Vector3 =>
  rotate(transform.rotation, vector);

/**
 * The pose in `transform`'s parent frame.
 * @example
 * const robot = { header: { stamp: { sec: 0, nanosec: 0 }, frame_id: "map" }, child_frame_id: "base",
 *   transform: { translation: { x: 2, y: 0, z: 0 }, rotation: ros.tf.QUATERNION_IDENTITY } };
 * const ahead = { position: { x: 1, y: 0, z: 0 }, orientation: ros.tf.QUATERNION_IDENTITY };
 * ros.tf.transformPose(robot, ahead).position.x // 3
 */
export const transformPose = ({ transform }: TransformStamped, pose: Pose): Pose => ({
  position: applyTransform(transform, pose.position),
  orientation: multiply(transform.rotation, pose.orientation),
});

/**
 * Points one after another, `x, y, z` each: a cloud of n points as 3n numbers.
 * @returns a new array of the same kind
 * @example
 * const robot = { header: { stamp: { sec: 0, nanosec: 0 }, frame_id: "map" }, child_frame_id: "base",
 *   transform: { translation: { x: 2, y: 0, z: 0 }, rotation: ros.tf.QUATERNION_IDENTITY } };
 * ros.tf.transformCloud(robot, Float32Array.of(1, 0, 0, 5, 1, 0)) // [3, 0, 0, 7, 1, 0]
 */
export function transformCloud<A extends Float32Array | Float64Array>(
  { transform }: TransformStamped,
  points: A,
): A {
  const out = points.slice() as A;
  for (let i = 0; i + 2 < points.length; i += 3) {
    const { x, y, z } = applyTransform(transform, { x: points[i], y: points[i + 1], z: points[i + 2] });
    out[i] = x;
    out[i + 1] = y;
    out[i + 2] = z;
  }
  return out;
}
