/** Points, vectors and poses in other frames, by a transform that a buffer tells. */
import type { TransformStamped } from "./buffer.js";
import { multiply, type Quaternion, rotate, type Vector3 } from "./quaternion.js";
import { applyTransform } from "./transform.js";

/** `geometry_msgs/msg/Pose`. */
export interface Pose {
  readonly position: Vector3;
  readonly orientation: Quaternion;
}

/** The point in `transform`'s parent frame. */
export const transformPoint = ({ transform }: TransformStamped, point: Vector3): Vector3 =>
  applyTransform(transform, point);

/** The direction: it is turned, not moved. */
export const transformVector = ({ transform }: TransformStamped, vector: Vector3): Vector3 =>
  rotate(transform.rotation, vector);

/**
 * The pose in `transform`'s parent frame.
 * @example
 * const goal = ros.tf.transformPose(buffer.lookup("map", "base_link"), {
 *   position: { x: 1, y: 0, z: 0 }, orientation: { x: 0, y: 0, z: 0, w: 1 } }); // one metre ahead of the robot
 */
export const transformPose = ({ transform }: TransformStamped, pose: Pose): Pose => ({
  position: applyTransform(transform, pose.position),
  orientation: multiply(transform.rotation, pose.orientation),
});

/** Points one after another, `x, y, z` each: a cloud of n points as 3n numbers. @returns a new array of the same kind */
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
