/** A laser scanner: distances to the first surface along each ray of a fan, at one instant. */
import { ValueError } from "../../core/errors.js";
import { compose, type Pose, wrapAngle } from "./geometry.js";
import type { NoiseSource } from "./noise.js";
import { castPlaced, type Placed, type World } from "./world.js";

export interface LidarSpec {
  /** Default 360. */
  readonly rays?: number;
  /** Angle between the first and the last ray, radians; a whole turn (default) has no ray twice. */
  readonly fieldOfView?: number;
  /** Metres: nearer and farther, nothing is measured. Default 0.05 and 10. */
  readonly minRange?: number;
  readonly maxRange?: number;
  /** Standard deviation of a range: metres, and metres a metre. Default 0. */
  readonly noise?: number;
  readonly relativeNoise?: number;
  /** Part of the rays, at random, that measure nothing. Default 0. */
  readonly dropout?: number;
  /** Where it sits on the robot. Default at its middle, looking ahead. */
  readonly mount?: Pose;
}

export type Lidar = Required<LidarSpec>;

/** Fields as in sensor_msgs/LaserScan: angles counter-clockwise from the scanner's x axis, ranges in metres. */
export interface Scan {
  readonly angleMin: number;
  readonly angleIncrement: number;
  readonly rangeMin: number;
  readonly rangeMax: number;
  /** As REP 117 says: −∞ too near, +∞ nothing within the range, NaN no measurement (dropout). */
  readonly ranges: Float32Array;
  /** Part of the light that came back, 0 … 1: the surface's reflectivity times the cosine of the angle of incidence. */
  readonly intensities: Float32Array;
}

/** @throws ValueError for counts, ranges or noise that are none */
export function makeLidar(spec: LidarSpec = {}): Lidar {
  const lidar = {
    rays: 360,
    fieldOfView: 2 * Math.PI,
    minRange: 0.05,
    maxRange: 10,
    noise: 0,
    relativeNoise: 0,
    dropout: 0,
    mount: { x: 0, y: 0, theta: 0 },
    ...spec,
  };
  const { rays, fieldOfView, minRange, maxRange, dropout } = lidar;
  if (!Number.isInteger(rays) || rays < 1 || rays > 1e6)
    throw new ValueError(`lidar: the number of rays is a whole number from 1 to 1e6, got ${rays}`);
  if (!(fieldOfView > 0 && fieldOfView <= 2 * Math.PI + 1e-9))
    throw new ValueError(
      `lidar: the field of view is more than 0 and at most 2π radians, got ${fieldOfView}`,
    );
  if (!(minRange >= 0 && maxRange > minRange))
    throw new ValueError(
      `lidar: ranges go from minRange ≥ 0 to a larger maxRange, got ${minRange} and ${maxRange}`,
    );
  for (const key of ["noise", "relativeNoise"] as const)
    if (!(lidar[key] >= 0)) throw new ValueError(`lidar: ${key} is a number from 0, got ${lidar[key]}`);
  if (!(dropout >= 0 && dropout <= 1))
    throw new ValueError(`lidar: dropout is a part, 0 … 1, got ${dropout}`);
  return lidar;
}

/** First angle and the step from ray to ray. */
export function fan({ rays, fieldOfView }: Lidar): { first: number; step: number } {
  const whole = fieldOfView > 2 * Math.PI - 1e-9;
  return { first: -fieldOfView / 2, step: fieldOfView / Math.max(1, whole ? rays : rays - 1) };
}

/** Directions of the rays in the scanner's frame, worked out once. */
interface Rays {
  readonly cos: Float64Array;
  readonly sin: Float64Array;
  readonly normals: Float64Array;
  readonly drops: Uint16Array;
}

const known = new WeakMap<Lidar, Rays>();

function raysOf(lidar: Lidar): Rays {
  let rays = known.get(lidar);
  if (!rays) {
    const { first, step } = fan(lidar);
    rays = {
      cos: Float64Array.from({ length: lidar.rays }, (_, i) => Math.cos(first + i * step)),
      sin: Float64Array.from({ length: lidar.rays }, (_, i) => Math.sin(first + i * step)),
      normals: new Float64Array(lidar.rays),
      drops: new Uint16Array(lidar.rays),
    };
    known.set(lidar, rays);
  }
  return rays;
}

/**
 * One scan.
 * @param others what is not in the world's grid: moving bodies, other robots
 */
export function scan(
  lidar: Lidar,
  world: World,
  others: readonly Placed[],
  robotPose: Pose,
  noise: NoiseSource,
  robot: number,
  step: number,
): Scan {
  const { rays: count, minRange, maxRange } = lidar;
  const { first, step: increment } = fan(lidar);
  const rays = raysOf(lidar);
  const pose = compose(robotPose, lidar.mount);
  const { x, y } = pose;
  const [c, s] = [Math.cos(pose.theta), Math.sin(pose.theta)];
  const ranges = new Float32Array(count);
  const intensities = new Float32Array(count);
  const { surfaces, bodies } = world;
  for (let i = 0; i < count; i++) {
    const dx = c * rays.cos[i] - s * rays.sin[i];
    const dy = s * rays.cos[i] + c * rays.sin[i];
    const distance = surfaces.cast(x, y, dx, dy, maxRange);
    ranges[i] = distance;
    const k = surfaces.hit;
    if (k < 0) {
      ranges[i] = Number.POSITIVE_INFINITY;
      continue;
    }
    let incidence: number;
    if (k < surfaces.segmentCount) {
      const ex = surfaces.segments[4 * k + 2];
      const ey = surfaces.segments[4 * k + 3];
      incidence = Math.abs(dx * ey - dy * ex) / Math.sqrt(ex * ex + ey * ey);
    } else {
      const at = 3 * (k - surfaces.segmentCount);
      const nx = x + distance * dx - surfaces.circles[at];
      const ny = y + distance * dy - surfaces.circles[at + 1];
      incidence = Math.abs(nx * dx + ny * dy) / surfaces.circles[at + 2];
    }
    intensities[i] = bodies[surfaces.bodyOf[k]].material.reflectivity * incidence;
  }
  for (const other of others)
    lookAt(other, x, y, c, s, rays, first, increment, pose.theta, maxRange, ranges, intensities);
  disturb(lidar, rays, noise, robot, step, ranges, intensities);
  for (let i = 0; i < count; i++) if (ranges[i] < minRange) ranges[i] = Number.NEGATIVE_INFINITY;
  return {
    angleMin: first,
    angleIncrement: increment,
    rangeMin: minRange,
    rangeMax: maxRange,
    ranges,
    intensities,
  };
}

/** Shortens the rays that one body stands in the way of: only those within its angle are tried. */
function lookAt(
  other: Placed,
  x: number,
  y: number,
  c: number,
  s: number,
  rays: Rays,
  first: number,
  increment: number,
  heading: number,
  maxRange: number,
  ranges: Float32Array,
  intensities: Float32Array,
): void {
  const count = ranges.length;
  const away = Math.hypot(other.x - x, other.y - y);
  const { reach } = other.body;
  if (away - reach > maxRange) return;
  let [from, to] = [0, count - 1];
  if (away > reach) {
    const half = Math.asin(reach / away) + 1e-9;
    const middle = wrapAngle(Math.atan2(other.y - y, other.x - x) - heading);
    from = Math.floor((middle - half - first) / increment);
    to = Math.ceil((middle + half - first) / increment) + 1; // a ray more: a turn need not be a whole number of steps
  }
  const turn = Math.round((2 * Math.PI) / increment); // rays that a whole turn would have
  for (let j = from; j <= to; j++) {
    const i = j < 0 ? j + turn : j >= turn ? j - turn : j; // the fan is open, or begins again behind the robot
    if (i < 0 || i >= count) continue;
    const dx = c * rays.cos[i] - s * rays.sin[i];
    const dy = s * rays.cos[i] + c * rays.sin[i];
    const { distance, normal } = castPlaced(other, x, y, dx, dy);
    if (distance >= ranges[i] || distance > maxRange) continue;
    ranges[i] = distance;
    intensities[i] = other.body.material.reflectivity * Math.abs(normal.x * dx + normal.y * dy);
  }
}

function disturb(
  { noise: sigma, relativeNoise, dropout, maxRange }: Lidar,
  { normals, drops }: Rays,
  noise: NoiseSource,
  robot: number,
  step: number,
  ranges: Float32Array,
  intensities: Float32Array,
): void {
  if (sigma > 0 || relativeNoise > 0) {
    noise.normals("lidar", robot, step, normals);
    for (let i = 0; i < ranges.length; i++) {
      if (ranges[i] === Number.POSITIVE_INFINITY) continue;
      ranges[i] += (sigma + relativeNoise * ranges[i]) * normals[i];
      if (ranges[i] > maxRange) ranges[i] = Number.POSITIVE_INFINITY;
    }
  }
  if (dropout > 0) {
    noise.halves("lidarDropout", robot, step, drops);
    const least = dropout * 65536;
    for (let i = 0; i < ranges.length; i++) {
      if (drops[i] >= least) continue;
      ranges[i] = Number.NaN;
      intensities[i] = 0;
    }
  }
}
