/** A robot: how it drives, what it carries, and what its sensors tell at the simulation's present step. */
import { ValueError } from "../../core/errors.js";
import { type Body, makeBody } from "./body.js";
import {
  type Drive,
  type DriveSpec,
  limitWheels,
  makeDrive,
  type OdometryNoise,
  type Twist,
  twistOf,
  type Wheels,
  wheelsOf,
} from "./drive.js";
import type { Pose } from "./geometry.js";
import {
  type Imu,
  type ImuReading,
  type ImuSpec,
  type ImuState,
  makeImu,
  readImu,
  stillImu,
} from "./inertial.js";
import {
  type LandmarkReading,
  type LandmarkSensor,
  type LandmarkSensorSpec,
  makeLandmarkSensor,
  type PixelReading,
  photographLandmarks,
  readLandmarks,
} from "./landmarks.js";
import { type Lidar, type LidarSpec, makeLidar, type Scan, scan } from "./lidar.js";
import type { NoiseSource } from "./noise.js";
import { type Camera, type CameraSpec, makeCamera } from "./pinhole.js";
import { type Frame, render } from "./render.js";
import type { MaterialSpec } from "./texture.js";
import type { Placed, World } from "./world.js";

export interface RobotSpec {
  readonly name?: string;
  /** Where it starts. Default the origin. */
  readonly pose?: Pose;
  /** Of the disc that it is, metres. Default 0.18. */
  readonly radius?: number;
  /** Metres. Default 0.3. */
  readonly height?: number;
  readonly material?: MaterialSpec;
  readonly drive?: DriveSpec;
  readonly lidar?: LidarSpec;
  readonly camera?: CameraSpec;
  readonly imu?: ImuSpec;
  readonly landmarkSensor?: LandmarkSensorSpec;
  /** Noise of the wheels' odometry, each step. Default none. */
  readonly odometryNoise?: OdometryNoise;
}

/** All of a robot that changes: plain data, to be kept and put back. */
export interface RobotState {
  pose: Pose;
  /** What it is told to do, wheels' rad/s. */
  command: Wheels;
  /** Turning now, rad/s. */
  wheels: Wheels;
  /** Turned since the start, radians. */
  turned: Wheels;
  /** Of the wheels, now: parts of the way. */
  slip: Wheels;
  /** How it really moved in the last step. */
  twist: Twist;
  /** Whether a body stopped it in the last step, or walked into it. */
  collided: boolean;
  /** Where odometry thinks that it is: starts at the robot's first pose. */
  odometry: Pose;
  imu: ImuState;
}

/** What a robot's sensors need of the simulation that it is in. */
export interface Surroundings {
  readonly world: World;
  readonly noise: NoiseSource;
  /** Steps done. */
  readonly steps: number;
  readonly dt: number;
  /** Moving bodies and robots, without robot `except`. */
  others(except: number): readonly (Placed & { readonly label: number; readonly instance: number })[];
}

/** A robot of the kind of a TurtleBot3 Waffle: its measures, limits and laser scanner, with everyday noise. */
export const TURTLEBOT: RobotSpec = {
  name: "turtlebot",
  radius: 0.22,
  height: 0.14,
  drive: {
    track: 0.287,
    wheelRadius: 0.033,
    maxWheelSpeed: 0.26 / 0.033,
    maxWheelAcceleration: 60,
    slip: 0.005,
  },
  lidar: { rays: 360, minRange: 0.12, maxRange: 3.5, noise: 0.01, dropout: 0.005 },
  camera: {
    width: 160,
    height: 120,
    fieldOfView: 1.085,
    mount: { x: 0.07, y: 0, theta: 0, z: 0.12 },
    noise: 2,
  },
  imu: { gyroNoise: 2e-4, gyroBiasWalk: 1e-5, accelerometerNoise: 2e-3, accelerometerBiasWalk: 1e-4 },
  landmarkSensor: { maxRange: 3.5, rangeNoise: 0.02, bearingNoise: 0.01 },
  odometryNoise: [0.02, 0.002, 0.02, 0.002],
};

export class Robot {
  readonly name: string;
  readonly drive: Drive;
  readonly lidar: Lidar;
  readonly camera: Camera;
  readonly imu: Imu;
  readonly landmarkSensor: LandmarkSensor;
  readonly odometryNoise: OdometryNoise;
  /** As others see it. */
  readonly body: Body;
  state: RobotState;

  /** @internal made by `Simulation` */
  constructor(
    readonly spec: RobotSpec,
    readonly index: number,
    private readonly around: Surroundings,
  ) {
    this.name = spec.name ?? `robot${index}`;
    const where = `robot ${index} (${this.name})`;
    const pose = spec.pose ?? { x: 0, y: 0, theta: 0 };
    if (![pose.x, pose.y, pose.theta].every(Number.isFinite))
      throw new ValueError(`${where}: it starts at (${pose.x}, ${pose.y}, ${pose.theta})`);
    this.drive = makeDrive(spec.drive);
    this.lidar = makeLidar(spec.lidar);
    this.camera = makeCamera(spec.camera);
    this.imu = makeImu(spec.imu);
    this.landmarkSensor = makeLandmarkSensor(spec.landmarkSensor);
    this.odometryNoise = spec.odometryNoise ?? [0, 0, 0, 0];
    if (this.odometryNoise.length !== 4 || this.odometryNoise.some((a) => !(a >= 0)))
      throw new ValueError(`${where}: odometry's noise is four numbers from 0, got [${this.odometryNoise}]`);
    this.body = makeBody(
      {
        shape: { kind: "circle", radius: spec.radius ?? 0.18 },
        class: "robot",
        height: spec.height ?? 0.3,
        material: { color: [40, 70, 140], texture: "stripes", reflectivity: 0.6, ...spec.material },
        name: this.name,
      },
      index,
    );
    this.state = {
      pose: { ...pose },
      command: { left: 0, right: 0 },
      wheels: { left: 0, right: 0 },
      turned: { left: 0, right: 0 },
      slip: { left: 0, right: 0 },
      twist: { linear: 0, angular: 0 },
      collided: false,
      odometry: { ...pose },
      imu: stillImu(),
    };
  }

  /** Metres. */
  get radius(): number {
    return this.body.radius;
  }

  /** Where it really is. */
  get pose(): Pose {
    return this.state.pose;
  }

  /** How it really moves: m/s ahead, rad/s. */
  get twist(): Twist {
    return this.state.twist;
  }

  /** Whether a body stopped it in the last step, or walked into it. */
  get collided(): boolean {
    return this.state.collided;
  }

  /** The fastest that its wheels allow: m/s straight, rad/s on the spot. */
  get limits(): Twist {
    const { maxWheelSpeed } = this.drive;
    const { linear } = twistOf({ left: maxWheelSpeed, right: maxWheelSpeed }, this.drive);
    const { angular } = twistOf({ left: -maxWheelSpeed, right: maxWheelSpeed }, this.drive);
    return { linear, angular };
  }

  /** From now on, drive so (m/s, rad/s), as far as the wheels can: past their limit both are slowed, the curve stays. */
  command({ linear, angular }: Twist): void {
    this.turnWheels(wheelsOf({ linear, angular }, this.drive), `(${linear} m/s, ${angular} rad/s)`);
  }

  /** From now on, turn the wheels so (rad/s), as far as they can. */
  turnWheels(wheels: Wheels, given = `(${wheels.left} rad/s, ${wheels.right} rad/s)`): void {
    if (!Number.isFinite(wheels.left) || !Number.isFinite(wheels.right))
      throw new ValueError(`${this.name}: a command has finite numbers, got ${given}`);
    this.state.command = limitWheels(wheels, this.drive);
  }

  /** What the laser scanner measures now. */
  scan(): Scan {
    const { world, noise, steps: step } = this.around;
    return scan(this.lidar, world, this.around.others(this.index), this.pose, noise, this.index, step);
  }

  /** What the camera sees now, with depth and labels. */
  photograph(): Frame {
    const { world, noise, steps: step } = this.around;
    return render(this.camera, world, this.around.others(this.index), this.pose, noise, this.index, step);
  }

  /** What the inertial unit measures now. */
  readImu(): ImuReading {
    const { noise, steps: step, dt } = this.around;
    return readImu(this.imu, this.state.imu, dt, noise, this.index, step);
  }

  /** What the wheels make of the way so far: the pose by odometry, and the speed of the wheels. */
  readOdometry(): { readonly pose: Pose; readonly twist: Twist } {
    return { pose: this.state.odometry, twist: twistOf(this.state.wheels, this.drive) };
  }

  /** Landmarks in reach of the range-and-bearing sensor, now. */
  readLandmarks(): LandmarkReading[] {
    const { world, noise, steps: step } = this.around;
    return readLandmarks(
      this.landmarkSensor,
      world,
      this.around.others(this.index),
      this.pose,
      noise,
      this.index,
      step,
    );
  }

  /** Landmarks in the camera's image, now. @param pixelNoise standard deviation, pixels */
  photographLandmarks(pixelNoise = 0): PixelReading[] {
    const { world, noise, steps: step } = this.around;
    const others = this.around.others(this.index);
    return photographLandmarks(this.camera, world, others, this.pose, pixelNoise, noise, this.index, step);
  }
}
