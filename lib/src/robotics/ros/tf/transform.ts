/** Rigid transforms: a rotation, then a translation. */
import {
  conjugate,
  fromMatrix,
  IDENTITY,
  multiply,
  normalize,
  type Quaternion,
  rotate,
  slerp,
  toMatrix,
  type Vector3,
} from "./quaternion.js";

/** `geometry_msgs/msg/Transform`: takes a point `p` of the child frame to `rotation * p + translation` of the parent. */
export interface RigidTransform {
  /** In metres. */
  readonly translation: Vector3;
  /** A unit quaternion. */
  readonly rotation: Quaternion;
}

export const IDENTITY_TRANSFORM: RigidTransform = Object.freeze({
  translation: Object.freeze({ x: 0, y: 0, z: 0 }),
  rotation: IDENTITY,
});

const add = (a: Vector3, b: Vector3): Vector3 => ({ x: a.x + b.x, y: a.y + b.y, z: a.z + b.z });
const scaled = (v: Vector3, by: number): Vector3 => ({ x: v.x * by, y: v.y * by, z: v.z * by });

/**
 * The point in the parent frame.
 * @example ros.tf.applyTransform(ros.tf.IDENTITY_TRANSFORM, { x: 1, y: 2, z: 3 }).y // 2
 */
export const applyTransform = (t: RigidTransform, point: Vector3): Vector3 =>
  add(rotate(t.rotation, point), t.translation);

/**
 * The transform by `b`, then by `a`: of A←B and B←C, A←C.
 * @example
 * const ahead = { translation: { x: 1, y: 0, z: 0 }, rotation: ros.tf.QUATERNION_IDENTITY };
 * ros.tf.composeTransforms(ahead, ahead).translation.x // 2
 */
export const composeTransforms = (a: RigidTransform, b: RigidTransform): RigidTransform => ({
  translation: applyTransform(a, b.translation),
  rotation: multiply(a.rotation, b.rotation),
});

/**
 * The transform back: of A←B, B←A.
 * @example
 * const ahead = { translation: { x: 1, y: 0, z: 0 }, rotation: ros.tf.QUATERNION_IDENTITY };
 * ros.tf.invertTransform(ahead).translation.x // -1
 */
export function invertTransform(t: RigidTransform): RigidTransform {
  const rotation = conjugate(t.rotation);
  return { translation: scaled(rotate(rotation, t.translation), -1), rotation };
}

/**
 * From `a` (`ratio` = 0) to `b` (`ratio` = 1): on a straight line, and turning at even speed.
 * @example
 * const ahead = { translation: { x: 1, y: 0, z: 0 }, rotation: ros.tf.QUATERNION_IDENTITY };
 * ros.tf.interpolateTransforms(ros.tf.IDENTITY_TRANSFORM, ahead, 0.25).translation.x // 0.25
 */
export const interpolateTransforms = (
  a: RigidTransform,
  b: RigidTransform,
  ratio: number,
): RigidTransform => ({
  translation: add(scaled(a.translation, 1 - ratio), scaled(b.translation, ratio)),
  rotation: slerp(a.rotation, b.rotation, ratio),
});

/**
 * 4×4, row by row.
 * @example ros.tf.transformToMatrix(ros.tf.IDENTITY_TRANSFORM)[0] // [1, 0, 0, 0]
 */
export function transformToMatrix({ translation, rotation }: RigidTransform): number[][] {
  const [a, b, c] = toMatrix(rotation);
  return [
    [...a, translation.x],
    [...b, translation.y],
    [...c, translation.z],
    [0, 0, 0, 1],
  ];
}

/**
 * Of a 4×4 matrix, row by row.
 * @throws ValueError where the upper 3×3 is no rotation
 * @example ros.tf.transformFromMatrix([[1, 0, 0, 7], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]]).translation.x // 7
 */
export function transformFromMatrix(m: readonly (readonly number[])[]): RigidTransform {
  const rotation = normalize(fromMatrix(m.slice(0, 3).map((row) => row.slice(0, 3))));
  return { translation: { x: m[0][3], y: m[1][3], z: m[2][3] }, rotation };
}
