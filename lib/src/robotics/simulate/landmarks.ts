/** Landmarks with ids, as a range-and-bearing sensor and as a camera sees them: what SLAM and visual odometry work on. */
import { ValueError } from "../../core/errors.js";
import { compose, type Pose, wrapAngle } from "./geometry.js";
import type { NoiseSource } from "./noise.js";
import { type Camera, project, toOptical } from "./pinhole.js";
import { castPlaced, type Landmark, type Placed, type World } from "./world.js";

export interface LandmarkSensorSpec {
  /** Metres. Default 5. */
  readonly maxRange?: number;
  /** Radians around straight ahead. Default 2π: all around. */
  readonly fieldOfView?: number;
  /** Standard deviations: metres, and radians. Default 0. */
  readonly rangeNoise?: number;
  readonly bearingNoise?: number;
  /** Whether bodies hide what is behind them. Default true. */
  readonly occlusion?: boolean;
}

export type LandmarkSensor = Required<LandmarkSensorSpec>;

export function makeLandmarkSensor(spec: LandmarkSensorSpec = {}): LandmarkSensor {
  const sensor = {
    maxRange: 5,
    fieldOfView: 2 * Math.PI,
    rangeNoise: 0,
    bearingNoise: 0,
    occlusion: true,
    ...spec,
  };
  for (const key of ["maxRange", "fieldOfView", "rangeNoise", "bearingNoise"] as const)
    if (!(sensor[key] >= 0))
      throw new ValueError(`landmark sensor: ${key} is a number from 0, got ${sensor[key]}`);
  return sensor;
}

/** A landmark, seen from the robot. */
export interface LandmarkReading {
  readonly id: number;
  /** Metres. */
  readonly range: number;
  /** Radians from straight ahead. */
  readonly bearing: number;
}

/** A landmark in a picture; (0, 0) is the middle of the first pixel. */
export interface PixelReading {
  readonly id: number;
  readonly u: number;
  readonly v: number;
}

/** A body within this distance of a landmark, metres, is what it is fixed to, and hides it from no side but its back. */
const FIXED = 1e-6;

/**
 * Whether nothing stands between an eye and a landmark.
 * @param eyeHeight metres: with it, bodies hide only what the line of sight meets; without, all that is behind them
 */
export function visible(
  world: World,
  others: readonly Placed[],
  eye: Pose,
  landmark: Landmark,
  eyeHeight?: number,
): boolean {
  const [wx, wy] = [landmark.x - eye.x, landmark.y - eye.y];
  const away = Math.hypot(wx, wy);
  if (away < FIXED) return true;
  const [dx, dy] = [wx / away, wy / away];
  const limit = away - FIXED;
  const blocks = (height: number, distance: number): boolean => {
    if (!(distance < limit)) return false;
    return eyeHeight === undefined || eyeHeight + ((landmark.z - eyeHeight) * distance) / away <= height;
  };
  const { surfaces, bodies } = world;
  let open = !others.some((one) => blocks(one.body.height, castPlaced(one, eye.x, eye.y, dx, dy).distance));
  let from = 0;
  while (open && from < limit) {
    // one surface after the other: a low one may be looked over, and a high one stand behind it
    const distance = from + surfaces.cast(eye.x + from * dx, eye.y + from * dy, dx, dy, limit - from);
    if (surfaces.hit < 0) break;
    open = !blocks(bodies[surfaces.bodyOf[surfaces.hit]].height, distance);
    from = distance + FIXED;
  }
  return open;
}

/** What a range-and-bearing sensor at the middle of the robot tells, in the order of the world's landmarks. */
export function readLandmarks(
  sensor: LandmarkSensor,
  world: World,
  others: readonly Placed[],
  pose: Pose,
  noise: NoiseSource,
  robot: number,
  step: number,
): LandmarkReading[] {
  const normals = noise.normals("landmarks", robot, step, new Float64Array(2 * world.landmarks.length));
  return world.landmarks.flatMap((landmark, i) => {
    const [dx, dy] = [landmark.x - pose.x, landmark.y - pose.y];
    const range = Math.hypot(dx, dy);
    const bearing = wrapAngle(Math.atan2(dy, dx) - pose.theta);
    if (range > sensor.maxRange || Math.abs(bearing) > sensor.fieldOfView / 2) return [];
    if (sensor.occlusion && !visible(world, others, pose, landmark)) return [];
    return [
      {
        id: landmark.id,
        range: Math.max(0, range + sensor.rangeNoise * normals[2 * i]),
        bearing: wrapAngle(bearing + sensor.bearingNoise * normals[2 * i + 1]),
      },
    ];
  });
}

/**
 * Landmarks in a camera's image, in the order of the world's.
 * @param pixelNoise standard deviation, pixels
 */
export function photographLandmarks(
  camera: Camera,
  world: World,
  others: readonly Placed[],
  pose: Pose,
  pixelNoise: number,
  noise: NoiseSource,
  robot: number,
  step: number,
): PixelReading[] {
  const normals = noise.normals("landmarkCamera", robot, step, new Float64Array(2 * world.landmarks.length));
  const eye = compose(pose, camera.mount);
  return world.landmarks.flatMap((landmark, i) => {
    const point = toOptical(pose, camera, landmark);
    if (point.z > camera.maxRange) return [];
    const pixel = project(camera, point);
    if (!pixel || !visible(world, others, eye, landmark, camera.mount.z)) return [];
    const u = pixel.u + pixelNoise * normals[2 * i];
    const v = pixel.v + pixelNoise * normals[2 * i + 1];
    const within = u >= -0.5 && u < camera.width - 0.5 && v >= -0.5 && v < camera.height - 0.5;
    return within ? [{ id: landmark.id, u, v }] : [];
  });
}
