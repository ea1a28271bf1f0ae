/** Frames of a robot and the transforms between them over time, as tf2. */
export * from "./broadcaster.js";
export * from "./buffer.js";
export * from "./errors.js";
export * from "./geometry.js";
export {
  angleBetween,
  conjugate as quaternionInverse,
  fromAxisAngle as quaternionFromAxisAngle,
  fromEuler as quaternionFromEuler,
  fromMatrix as quaternionFromMatrix,
  fromRotationVector as quaternionFromRotationVector,
  IDENTITY as QUATERNION_IDENTITY,
  type Matrix3,
  multiply as quaternionMultiply,
  normalize as quaternionNormalize,
  type Quaternion,
  type RollPitchYaw,
  rotate as rotateVector,
  slerp as quaternionSlerp,
  toEuler as eulerFromQuaternion,
  toMatrix as matrixFromQuaternion,
  toRotationVector as rotationVectorFromQuaternion,
  type Vector3,
} from "./quaternion.js";
export type { TimeLike } from "./time.js";
export * from "./transform.js";
