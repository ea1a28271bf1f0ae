// Made by common.test.ts from the packages' interface files (Apache License 2.0): change those.
// biome-ignore-all lint/suspicious/noShadowRestrictedNames: the names are ROS's
// biome-ignore-all lint/suspicious/noRedeclare: a message and its constants share a name
import type * as builtin_interfaces from "./builtin_interfaces.js";
import type * as unique_identifier_msgs from "./unique_identifier_msgs.js";

/**
 * `action_msgs/msg/GoalInfo`
 * Goal ID
 */
export interface GoalInfo {
  goal_id: unique_identifier_msgs.UUID;
  /** Time when the goal was accepted */
  stamp: builtin_interfaces.Time;
}

/**
 * `action_msgs/msg/GoalStatus`
 * An action goal can be in one of these states after it is accepted by an action
 * server.
 *
 * For more information, see http://design.ros2.org/articles/actions.html
 */
export interface GoalStatus {
  /** Goal info (contains ID and timestamp). */
  goal_info: GoalInfo;
  /** Action goal state-machine status. (int8) */
  status: number;
}
/** Constants of `action_msgs/msg/GoalStatus`. */
export const GoalStatus = {
  /** Indicates status has not been properly set. */
  STATUS_UNKNOWN: 0,
  /** The goal has been accepted and is awaiting execution. */
  STATUS_ACCEPTED: 1,
  /** The goal is currently being executed by the action server. */
  STATUS_EXECUTING: 2,
  /**
   * The client has requested that the goal be canceled and the action server has
   * accepted the cancel request.
   */
  STATUS_CANCELING: 3,
  /** The goal was achieved successfully by the action server. */
  STATUS_SUCCEEDED: 4,
  /** The goal was canceled after an external request from an action client. */
  STATUS_CANCELED: 5,
  /** The goal was terminated by the action server without an external request. */
  STATUS_ABORTED: 6,
} as const;

/**
 * `action_msgs/msg/GoalStatusArray`
 * An array of goal statuses.
 */
export interface GoalStatusArray {
  status_list: GoalStatus[];
}

/**
 * `action_msgs/srv/CancelGoal_Request`
 * Cancel one or more goals with the following policy:
 *
 * - If the goal ID is zero and timestamp is zero, cancel all goals.
 * - If the goal ID is zero and timestamp is not zero, cancel all goals accepted
 *   at or before the timestamp.
 * - If the goal ID is not zero and timestamp is zero, cancel the goal with the
 *   given ID regardless of the time it was accepted.
 * - If the goal ID is not zero and timestamp is not zero, cancel the goal with
 *   the given ID and all goals accepted at or before the timestamp.
 */
export interface CancelGoal_Request {
  /** Goal info describing the goals to cancel, see above. */
  goal_info: GoalInfo;
}

/**
 * `action_msgs/srv/CancelGoal_Response`
 *
 * Return codes.
 */
export interface CancelGoal_Response {
  /** Return code, see above definitions. (int8) */
  return_code: number;
  /** Goals that accepted the cancel request. */
  goals_canceling: GoalInfo[];
}
/** Constants of `action_msgs/srv/CancelGoal_Response`. */
export const CancelGoal_Response = {
  /**
   * Indicates the request was accepted without any errors.
   *
   * One or more goals have transitioned to the CANCELING state. The
   * goals_canceling list is not empty.
   */
  ERROR_NONE: 0,
  /**
   * Indicates the request was rejected.
   *
   * No goals have transitioned to the CANCELING state. The goals_canceling list is
   * empty.
   */
  ERROR_REJECTED: 1,
  /**
   * Indicates the requested goal ID does not exist.
   *
   * No goals have transitioned to the CANCELING state. The goals_canceling list is
   * empty.
   */
  ERROR_UNKNOWN_GOAL_ID: 2,
  /**
   * Indicates the goal is not cancelable because it is already in a terminal state.
   *
   * No goals have transitioned to the CANCELING state. The goals_canceling list is
   * empty.
   */
  ERROR_GOAL_TERMINATED: 3,
} as const;

export interface Messages {
  "action_msgs/msg/GoalInfo": GoalInfo;
  "action_msgs/msg/GoalStatus": GoalStatus;
  "action_msgs/msg/GoalStatusArray": GoalStatusArray;
}

export interface Services {
  "action_msgs/srv/CancelGoal": { request: CancelGoal_Request; response: CancelGoal_Response };
}

/** @internal */
export const texts = {
  "action_msgs/msg/GoalInfo": "unique_identifier_msgs/UUID goal_id\nbuiltin_interfaces/Time stamp",
  "action_msgs/msg/GoalStatus":
    "int8 STATUS_UNKNOWN = 0\nint8 STATUS_ACCEPTED = 1\nint8 STATUS_EXECUTING = 2\nint8 STATUS_CANCELING = 3\nint8 STATUS_SUCCEEDED = 4\nint8 STATUS_CANCELED = 5\nint8 STATUS_ABORTED = 6\nGoalInfo goal_info\nint8 status",
  "action_msgs/msg/GoalStatusArray": "GoalStatus[] status_list",
  "action_msgs/srv/CancelGoal":
    "GoalInfo goal_info\n---\nint8 ERROR_NONE=0\nint8 ERROR_REJECTED=1\nint8 ERROR_UNKNOWN_GOAL_ID=2\nint8 ERROR_GOAL_TERMINATED=3\nint8 return_code\nGoalInfo[] goals_canceling",
};
