// Made by common.test.ts from the packages' interface files (Apache License 2.0): change those.
// biome-ignore-all lint/suspicious/noShadowRestrictedNames: the names are ROS's
// biome-ignore-all lint/suspicious/noRedeclare: a message and its constants share a name
import type * as builtin_interfaces from "./builtin_interfaces.js";

/**
 * `rosgraph_msgs/msg/Clock`
 * This message communicates the current time.
 *
 * For more information, see https://design.ros2.org/articles/clock_and_time.html.
 */
export interface Clock {
  clock: builtin_interfaces.Time;
}

export interface Messages {
  "rosgraph_msgs/msg/Clock": Clock;
}

/** @internal */
export const texts = {
  "rosgraph_msgs/msg/Clock": "builtin_interfaces/Time clock",
};
