/** A world on a plane, robots with two wheels, and what their sensors tell. */
export type { Body, BodySpec, Motion, Shape } from "./body.js";
export { boxesOf, type LabeledBox } from "./boxes.js";
export { occupancyMessage, occupancyOfMessage, scanOf, yawOf } from "./bridge/messages.js";
export {
  type RunOptions,
  type SensorRates,
  SimulatorNode,
  type SimulatorNodeOptions,
} from "./bridge/simulator-node.js";
export {
  arc,
  type Drive,
  type DriveSpec,
  makeDrive,
  motionOfArc,
  moved,
  type OdometryMotion,
  type OdometryNoise,
  odometryDeviation,
  sampleOdometry,
  type Twist,
  twistOf,
  type Wheels,
  wheelsOf,
} from "./drive.js";
export {
  type Box,
  type Environment,
  type EpisodeSnapshot,
  NavigationEnvironment,
  type NavigationOptions,
  type NumberedEnvironment,
  type Outcome,
  type Rewards,
} from "./environment.js";
export {
  type FloorOptions,
  floor,
  type MazeOptions,
  maze,
  type RoomOptions,
  room,
  type Thing,
} from "./generate.js";
export {
  type Bounds,
  compose,
  inverse,
  type Point,
  type Pose,
  rayCircle,
  raySegment,
  wrapAngle,
} from "./geometry.js";
export { GRAVITY, type ImuReading, type ImuSpec } from "./inertial.js";
export type { LandmarkReading, LandmarkSensorSpec, PixelReading } from "./landmarks.js";
export type { LidarSpec, Scan } from "./lidar.js";
export {
  type FromImageOptions,
  type FromOccupancyOptions,
  fromOccupancy,
  fromText,
  type Occupancy,
  occupancyOf,
  occupancyOfImage,
} from "./occupancy.js";
export { type Photograph, type PhotographsOptions, photographs } from "./photographs.js";
export {
  type Camera,
  type CameraSpec,
  type Intrinsics,
  makeCamera,
  type OpticalPoint,
  project,
  toOptical,
} from "./pinhole.js";
export type { Frame } from "./render.js";
export { type Robot, type RobotSpec, type RobotState, TURTLEBOT } from "./robot.js";
export { Simulation, type SimulationOptions, type Snapshot } from "./simulation.js";
export type { MaterialSpec, Rgb, TextureName } from "./texture.js";
export { WheelPower } from "./wheel-power.js";
export { type Landmark, type RayHit, World, type WorldSpec } from "./world.js";
