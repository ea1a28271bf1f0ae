/** Pinhole cameras: where points of space appear in the image. Frames and units as in OpenCV and ROS. */
import { ValueError } from "../../core/errors.js";
import { compose, type Pose } from "./geometry.js";

/** Pixels; the middle of the first pixel is (0, 0). */
export interface Intrinsics {
  readonly width: number;
  readonly height: number;
  readonly fx: number;
  readonly fy: number;
  readonly cx: number;
  readonly cy: number;
}

export interface CameraSpec {
  /** Pixels. Default 160 × 120. */
  readonly width?: number;
  readonly height?: number;
  /** From the left to the right border of the image, radians. Default 70°. */
  readonly fieldOfView?: number;
  /** In place of what width and field of view give: square pixels, the axis through the middle. */
  readonly fx?: number;
  readonly fy?: number;
  readonly cx?: number;
  readonly cy?: number;
  /** Where it sits on the robot, metres and radians; it looks level. Default 0.1 m ahead, 0.4 m high. */
  readonly mount?: Pose & { readonly z: number };
  /** Nothing farther is drawn, metres. Default 100. */
  readonly maxRange?: number;
  /** Standard deviation of a channel's value (0 … 255) in the picture. Default 0. */
  readonly noise?: number;
}

export interface Camera extends Intrinsics {
  readonly mount: Pose & { readonly z: number };
  readonly maxRange: number;
  readonly noise: number;
}

/**
 * A camera with its intrinsics.
 * @throws ValueError for sizes, angles and lengths that are none
 * @example robotics.simulate.makeCamera({ width: 200, fieldOfView: Math.PI / 2 }).fx // 100
 */
export function makeCamera(spec: CameraSpec = {}): Camera {
  const { width = 160, height = 120, fieldOfView = (70 * Math.PI) / 180 } = spec;
  for (const [name, size] of Object.entries({ width, height }))
    if (!Number.isInteger(size) || size < 1 || size > 8192)
      throw new ValueError(`camera: ${name} is a whole number of pixels from 1 to 8192, got ${size}`);
  if (!(fieldOfView > 0 && fieldOfView < Math.PI))
    throw new ValueError(`camera: the field of view is between 0 and π radians, got ${fieldOfView}`);
  const fx = spec.fx ?? width / 2 / Math.tan(fieldOfView / 2);
  const camera = {
    width,
    height,
    fx,
    fy: spec.fy ?? fx,
    cx: spec.cx ?? (width - 1) / 2,
    cy: spec.cy ?? (height - 1) / 2,
    mount: spec.mount ?? { x: 0.1, y: 0, theta: 0, z: 0.4 },
    maxRange: spec.maxRange ?? 100,
    noise: spec.noise ?? 0,
  };
  if (!(camera.fx > 0 && camera.fy > 0))
    throw new ValueError(`camera: focal lengths are positive, got ${camera.fx} and ${camera.fy}`);
  if (!(camera.mount.z > 0))
    throw new ValueError(`camera: it sits above the ground, got z = ${camera.mount.z}`);
  if (!(camera.noise >= 0)) throw new ValueError(`camera: noise is a number from 0, got ${camera.noise}`);
  return camera;
}

/** A point in the camera's optical frame: x right, y down, z along the axis, metres. */
export interface OpticalPoint {
  readonly x: number;
  readonly y: number;
  readonly z: number;
}

/**
 * A point of the world, as the camera of a robot that stands at `robot` has it in its optical frame.
 * @example
 * const camera = robotics.simulate.makeCamera({ mount: { x: 0, y: 0, theta: 0, z: 0.5 } });
 * robotics.simulate.toOptical({ x: 1, y: 0, theta: 0 }, camera, { x: 4, y: 0, z: 0 }).z // 3
 */
export function toOptical(
  robot: Pose,
  { mount }: Pick<Camera, "mount">,
  point: { readonly x: number; readonly y: number; readonly z: number },
): OpticalPoint {
  const eye = compose(robot, mount);
  const [c, s] = [Math.cos(eye.theta), Math.sin(eye.theta)];
  const [dx, dy] = [point.x - eye.x, point.y - eye.y];
  return { x: s * dx - c * dy, y: mount.z - point.z, z: c * dx + s * dy };
}

/**
 * The pixel of a point, or null behind the camera; pixels outside of the image are given too.
 * @example robotics.simulate.project(robotics.simulate.makeCamera(), { x: 0, y: 0, z: 2 })?.u // 79.5
 */
export function project(
  { fx, fy, cx, cy }: Intrinsics,
  { x, y, z }: OpticalPoint,
): { readonly u: number; readonly v: number } | null {
  return z > 0 ? { u: cx + (fx * x) / z, v: cy + (fy * y) / z } : null;
}
