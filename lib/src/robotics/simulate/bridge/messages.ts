/** Sensors' readings as ROS messages, in the frames and units of REP 103 and 105. */

import type { geometry_msgs, nav_msgs, sensor_msgs, std_msgs, TimeMessage } from "../../ros/index.js";
import type { MessageInit } from "../../ros/interfaces/types.js";
import type { Twist } from "../drive.js";
import type { Pose } from "../geometry.js";
import type { ImuReading } from "../inertial.js";
import type { Scan } from "../lidar.js";
import type { Occupancy } from "../occupancy.js";
import type { Camera } from "../pinhole.js";
import type { Frame } from "../render.js";

export type Header = MessageInit<std_msgs.Header>;

export const header = (stamp: TimeMessage, frame_id: string): Header => ({ stamp, frame_id });

/** A turn around z. */
export const quaternion = (theta: number): geometry_msgs.Quaternion => ({
  x: 0,
  y: 0,
  z: Math.sin(theta / 2),
  w: Math.cos(theta / 2),
});

/**
 * The turn around z of a rotation.
 * @example robotics.simulate.yawOf({ x: 0, y: 0, z: 1, w: 0 }) // 3.142
 */
export const yawOf = ({ x, y, z, w }: geometry_msgs.Quaternion): number =>
  Math.atan2(2 * (w * z + x * y), 1 - 2 * (y * y + z * z));

/** From a frame with x ahead and z up to one with z ahead and y down, as pictures have. */
export const OPTICAL: geometry_msgs.Quaternion = { x: -0.5, y: 0.5, z: -0.5, w: 0.5 };

export function transform(
  stamp: TimeMessage,
  frame_id: string,
  child_frame_id: string,
  { x, y, z = 0 }: { readonly x: number; readonly y: number; readonly z?: number },
  rotation: geometry_msgs.Quaternion,
): MessageInit<geometry_msgs.TransformStamped> {
  return {
    header: header(stamp, frame_id),
    child_frame_id,
    transform: { translation: { x, y, z }, rotation },
  };
}

export function odometryMessage(
  head: Header,
  child_frame_id: string,
  pose: Pose,
  twist: Twist,
): MessageInit<nav_msgs.Odometry> {
  return {
    header: head,
    child_frame_id,
    pose: { pose: { position: { x: pose.x, y: pose.y, z: 0 }, orientation: quaternion(pose.theta) } },
    twist: { twist: { linear: { x: twist.linear }, angular: { z: twist.angular } } },
  };
}

/** @param scanTime seconds between two scans; each is taken at one instant */
export function scanMessage(head: Header, scan: Scan, scanTime: number): MessageInit<sensor_msgs.LaserScan> {
  return {
    header: head,
    angle_min: scan.angleMin,
    angle_max: scan.angleMin + (scan.ranges.length - 1) * scan.angleIncrement,
    angle_increment: scan.angleIncrement,
    time_increment: 0,
    scan_time: scanTime,
    range_min: scan.rangeMin,
    range_max: scan.rangeMax,
    ranges: scan.ranges,
    intensities: scan.intensities,
  };
}

/**
 * A scan that was received, as the simulator's own.
 * @example robotics.simulate.scanOf(robotics.ros.msg("sensor_msgs/msg/LaserScan").create({ range_max: 4 })).rangeMax // 4
 */
export function scanOf(message: sensor_msgs.LaserScan): Scan {
  return {
    angleMin: message.angle_min,
    angleIncrement: message.angle_increment,
    rangeMin: message.range_min,
    rangeMax: message.range_max,
    ranges: message.ranges,
    intensities: message.intensities,
  };
}

/** The unit measures no orientation: its covariance begins with −1, as the message says. */
export function imuMessage(head: Header, reading: ImuReading): MessageInit<sensor_msgs.Imu> {
  const [x, y, z] = reading.acceleration;
  const orientation_covariance = new Float64Array(9);
  orientation_covariance[0] = -1;
  return {
    header: head,
    orientation_covariance,
    angular_velocity: { x: 0, y: 0, z: reading.angularVelocity },
    linear_acceleration: { x, y, z },
  };
}

export function imageMessage(head: Header, frame: Frame): MessageInit<sensor_msgs.Image> {
  const { width, height, image } = frame;
  return {
    header: head,
    width,
    height,
    encoding: "rgb8",
    is_bigendian: 0,
    step: 3 * width,
    data: new Uint8Array(image.data),
  };
}

/** Metres; +∞ where there is nothing. */
export function depthMessage(head: Header, { width, height, depth }: Frame): MessageInit<sensor_msgs.Image> {
  const data = new Uint8Array(4 * depth.length);
  const view = new DataView(data.buffer);
  for (let i = 0; i < depth.length; i++) view.setFloat32(4 * i, depth[i], true);
  return { header: head, width, height, encoding: "32FC1", is_bigendian: 0, step: 4 * width, data };
}

/** The class of each pixel. */
export function labelsMessage(
  head: Header,
  { width, height, semantic }: Frame,
): MessageInit<sensor_msgs.Image> {
  return { header: head, width, height, encoding: "mono8", is_bigendian: 0, step: width, data: semantic };
}

export function cameraInfoMessage(head: Header, camera: Camera): MessageInit<sensor_msgs.CameraInfo> {
  const { width, height, fx, fy, cx, cy } = camera;
  return {
    header: head,
    width,
    height,
    distortion_model: "plumb_bob",
    d: new Float64Array(5),
    k: Float64Array.of(fx, 0, cx, 0, fy, cy, 0, 0, 1),
    r: Float64Array.of(1, 0, 0, 0, 1, 0, 0, 0, 1),
    p: Float64Array.of(fx, 0, cx, 0, 0, fy, cy, 0, 0, 0, 1, 0),
  };
}

/**
 * A map as a message.
 * @example
 * const map = robotics.simulate.occupancyOf(robotics.simulate.room(), { resolution: 0.5 });
 * robotics.simulate.occupancyMessage({ frame_id: "map" }, map).info?.width // 18
 */
export function occupancyMessage(head: Header, grid: Occupancy): MessageInit<nav_msgs.OccupancyGrid> {
  const { width, height, resolution, origin, data } = grid;
  return {
    header: head,
    info: {
      map_load_time: head.stamp,
      resolution,
      width,
      height,
      origin: { position: { x: origin.x, y: origin.y, z: 0 }, orientation: quaternion(0) },
    },
    data,
  };
}

/**
 * A map that was received, for planners, displays and `fromOccupancy`. A turn of its origin is left out.
 * @example
 * const { msg } = robotics.ros;
 * const map = msg("nav_msgs/msg/OccupancyGrid").create({ info: { width: 2, height: 1 }, data: [0, 100] });
 * robotics.simulate.occupancyOfMessage(map).data // [0, 100]
 */
export function occupancyOfMessage({ info, data }: nav_msgs.OccupancyGrid): Occupancy {
  const { width, height, resolution, origin } = info;
  return { width, height, resolution, origin: { x: origin.position.x, y: origin.position.y }, data };
}
