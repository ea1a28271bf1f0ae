// Made by common.test.ts from the packages' interface files (Apache License 2.0): change those.
// biome-ignore-all lint/suspicious/noShadowRestrictedNames: the names are ROS's
// biome-ignore-all lint/suspicious/noRedeclare: a message and its constants share a name

/**
 * `builtin_interfaces/msg/Duration`
 * Duration defines a period between two time points.
 * Messages of this datatype are of ROS Time following this design:
 * https://design.ros2.org/articles/clock_and_time.html
 */
export interface Duration {
  /** Seconds component, range is valid over any possible int32 value. (int32) */
  sec: number;
  /** Nanoseconds component in the range of [0, 1e9). (uint32) */
  nanosec: number;
}

/**
 * `builtin_interfaces/msg/Time`
 * This message communicates ROS Time defined here:
 * https://design.ros2.org/articles/clock_and_time.html
 */
export interface Time {
  /** The seconds component, valid over all int32 values. (int32) */
  sec: number;
  /** The nanoseconds component, valid in the range [0, 1e9). (uint32) */
  nanosec: number;
}

export interface Messages {
  "builtin_interfaces/msg/Duration": Duration;
  "builtin_interfaces/msg/Time": Time;
}

/** @internal */
export const texts = {
  "builtin_interfaces/msg/Duration": "int32 sec\nuint32 nanosec",
  "builtin_interfaces/msg/Time": "int32 sec\nuint32 nanosec",
};
