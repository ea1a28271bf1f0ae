// Made by common.test.ts from the packages' interface files (Apache License 2.0): change those.
// biome-ignore-all lint/suspicious/noShadowRestrictedNames: the names are ROS's
// biome-ignore-all lint/suspicious/noRedeclare: a message and its constants share a name
import type * as builtin_interfaces from "./builtin_interfaces.js";
import type * as geometry_msgs from "./geometry_msgs.js";
import type * as std_msgs from "./std_msgs.js";

/**
 * `trajectory_msgs/msg/JointTrajectory`
 * The header is used to specify the coordinate frame and the reference time for
 * the trajectory durations
 */
export interface JointTrajectory {
  header: std_msgs.Header;
  /**
   * The names of the active joints in each trajectory point. These names are
   * ordered and must correspond to the values in each trajectory point.
   */
  joint_names: string[];
  /**
   * Array of trajectory points, which describe the positions, velocities,
   * accelerations and/or efforts of the joints at each time point.
   */
  points: JointTrajectoryPoint[];
}

/**
 * `trajectory_msgs/msg/JointTrajectoryPoint`
 * Each trajectory point specifies either positions[, velocities[, accelerations]]
 * or positions[, effort] for the trajectory to be executed.
 * All specified values are in the same order as the joint names in JointTrajectory.msg.
 */
export interface JointTrajectoryPoint {
  /**
   * Single DOF joint positions for each joint relative to their "0" position.
   * The units depend on the specific joint type: radians for revolute or
   * continuous joints, and meters for prismatic joints. (float64)
   */
  positions: Float64Array;
  /**
   * The rate of change in position of each joint. Units are joint type dependent.
   * Radians/second for revolute or continuous joints, and meters/second for
   * prismatic joints. (float64)
   */
  velocities: Float64Array;
  /**
   * Rate of change in velocity of each joint. Units are joint type dependent.
   * Radians/second^2 for revolute or continuous joints, and meters/second^2 for
   * prismatic joints. (float64)
   */
  accelerations: Float64Array;
  /**
   * The torque or the force to be applied at each joint. For revolute/continuous
   * joints effort denotes a torque in newton-meters. For prismatic joints, effort
   * denotes a force in newtons. (float64)
   */
  effort: Float64Array;
  /** Desired time from the trajectory start to arrive at this trajectory point. */
  time_from_start: builtin_interfaces.Duration;
}

/**
 * `trajectory_msgs/msg/MultiDOFJointTrajectory`
 * The header is used to specify the coordinate frame and the reference time for the trajectory durations
 */
export interface MultiDOFJointTrajectory {
  header: std_msgs.Header;
  joint_names: string[];
  points: MultiDOFJointTrajectoryPoint[];
}

/**
 * `trajectory_msgs/msg/MultiDOFJointTrajectoryPoint`
 * Each multi-dof joint can specify a transform (up to 6 DOF).
 */
export interface MultiDOFJointTrajectoryPoint {
  transforms: geometry_msgs.Transform[];
  /** There can be a velocity specified for the origin of the joint. */
  velocities: geometry_msgs.Twist[];
  /** There can be an acceleration specified for the origin of the joint. */
  accelerations: geometry_msgs.Twist[];
  /** Desired time from the trajectory start to arrive at this trajectory point. */
  time_from_start: builtin_interfaces.Duration;
}

export interface Messages {
  "trajectory_msgs/msg/JointTrajectory": JointTrajectory;
  "trajectory_msgs/msg/JointTrajectoryPoint": JointTrajectoryPoint;
  "trajectory_msgs/msg/MultiDOFJointTrajectory": MultiDOFJointTrajectory;
  "trajectory_msgs/msg/MultiDOFJointTrajectoryPoint": MultiDOFJointTrajectoryPoint;
}

/** @internal */
export const texts = {
  "trajectory_msgs/msg/JointTrajectory":
    "std_msgs/Header header\nstring[] joint_names\nJointTrajectoryPoint[] points",
  "trajectory_msgs/msg/JointTrajectoryPoint":
    "float64[] positions\nfloat64[] velocities\nfloat64[] accelerations\nfloat64[] effort\nbuiltin_interfaces/Duration time_from_start",
  "trajectory_msgs/msg/MultiDOFJointTrajectory":
    "std_msgs/Header header\nstring[] joint_names\nMultiDOFJointTrajectoryPoint[] points",
  "trajectory_msgs/msg/MultiDOFJointTrajectoryPoint":
    "geometry_msgs/Transform[] transforms\ngeometry_msgs/Twist[] velocities\ngeometry_msgs/Twist[] accelerations\nbuiltin_interfaces/Duration time_from_start",
};
