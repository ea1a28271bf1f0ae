/** An inertial measurement unit on a plane: turn rate and acceleration, with white noise and a bias that wanders. */
import { ValueError } from "../../core/errors.js";
import type { NoiseSource } from "./noise.js";

/** Standard gravity, m/s². */
export const GRAVITY = 9.80665;

export interface ImuSpec {
  /** White noise of the gyroscope, rad/s/√Hz. Default 0. */
  readonly gyroNoise?: number;
  /** Random walk of its bias, rad/s²/√Hz. Default 0. */
  readonly gyroBiasWalk?: number;
  /** White noise of the accelerometer, m/s²/√Hz. Default 0. */
  readonly accelerometerNoise?: number;
  /** Random walk of its biases, m/s³/√Hz. Default 0. */
  readonly accelerometerBiasWalk?: number;
}

export type Imu = Required<ImuSpec>;

export function makeImu(spec: ImuSpec = {}): Imu {
  const imu = { gyroNoise: 0, gyroBiasWalk: 0, accelerometerNoise: 0, accelerometerBiasWalk: 0, ...spec };
  for (const [key, value] of Object.entries(imu))
    if (!(value >= 0)) throw new ValueError(`imu: ${key} is a number from 0, got ${value}`);
  return imu;
}

/** What an IMU tells, in the robot's frame. */
export interface ImuReading {
  /** Turn rate around z, rad/s. */
  readonly angularVelocity: number;
  /** Specific force along x, y and z, m/s²: at rest, gravity upwards. */
  readonly acceleration: readonly [x: number, y: number, z: number];
}

/** What the unit measures before noise, and its biases: part of a robot's state. */
export interface ImuState {
  turnRate: number;
  forward: number;
  sideways: number;
  gyroBias: number;
  biasX: number;
  biasY: number;
}

export const stillImu = (): ImuState => ({
  turnRate: 0,
  forward: 0,
  sideways: 0,
  gyroBias: 0,
  biasX: 0,
  biasY: 0,
});

const normals = new Float64Array(4);

/** After a step in which the robot's speed changed from `before` to `linear` (m/s), turning at `angular` (rad/s). */
export function advanceImu(
  imu: Imu,
  state: ImuState,
  before: number,
  linear: number,
  angular: number,
  dt: number,
  noise: NoiseSource,
  robot: number,
  step: number,
): void {
  state.turnRate = angular;
  state.forward = (linear - before) / dt;
  state.sideways = linear * angular; // towards the centre of the curve
  if (imu.gyroBiasWalk === 0 && imu.accelerometerBiasWalk === 0) return;
  noise.normals("imuBias", robot, step, normals);
  const root = Math.sqrt(dt);
  state.gyroBias += imu.gyroBiasWalk * root * normals[0];
  state.biasX += imu.accelerometerBiasWalk * root * normals[1];
  state.biasY += imu.accelerometerBiasWalk * root * normals[2];
}

export function readImu(
  imu: Imu,
  state: ImuState,
  dt: number,
  noise: NoiseSource,
  robot: number,
  step: number,
): ImuReading {
  noise.normals("imu", robot, step, normals);
  const root = Math.sqrt(dt);
  const gyro = imu.gyroNoise / root; // a density over the bandwidth of one reading a step
  const accelerometer = imu.accelerometerNoise / root;
  return {
    angularVelocity: state.turnRate + state.gyroBias + gyro * normals[0],
    acceleration: [
      state.forward + state.biasX + accelerometer * normals[1],
      state.sideways + state.biasY + accelerometer * normals[2],
      GRAVITY + accelerometer * normals[3],
    ],
  };
}
