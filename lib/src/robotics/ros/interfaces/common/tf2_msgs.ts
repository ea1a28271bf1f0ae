// Made by common.test.ts from the packages' interface files (Apache License 2.0): change those.
// biome-ignore-all lint/suspicious/noShadowRestrictedNames: the names are ROS's
// biome-ignore-all lint/suspicious/noRedeclare: a message and its constants share a name
import type * as builtin_interfaces from "./builtin_interfaces.js";
import type * as geometry_msgs from "./geometry_msgs.js";

/** `tf2_msgs/msg/TF2Error` */
export interface TF2Error {
  /** (uint8) */
  error: number;
  error_string: string;
}
/** Constants of `tf2_msgs/msg/TF2Error`. */
export const TF2Error = {
  NO_ERROR: 0,
  LOOKUP_ERROR: 1,
  CONNECTIVITY_ERROR: 2,
  EXTRAPOLATION_ERROR: 3,
  INVALID_ARGUMENT_ERROR: 4,
  TIMEOUT_ERROR: 5,
  TRANSFORM_ERROR: 6,
} as const;

/** `tf2_msgs/msg/TFMessage` */
export interface TFMessage {
  transforms: geometry_msgs.TransformStamped[];
}

/** `tf2_msgs/srv/FrameGraph_Request` */
export type FrameGraph_Request = Record<string, never>;

/** `tf2_msgs/srv/FrameGraph_Response` */
export interface FrameGraph_Response {
  frame_yaml: string;
}

/**
 * `tf2_msgs/action/LookupTransform_Goal`
 * The simple form
 */
export interface LookupTransform_Goal {
  target_frame: string;
  source_frame: string;
  source_time: builtin_interfaces.Time;
  timeout: builtin_interfaces.Duration;
  /** The advanced form: through a frame that stands still, at two times */
  target_time: builtin_interfaces.Time;
  fixed_frame: string;
  /** Whether the advanced form is asked for */
  advanced: boolean;
}

/** `tf2_msgs/action/LookupTransform_Result` */
export interface LookupTransform_Result {
  transform: geometry_msgs.TransformStamped;
  error: TF2Error;
}

/** `tf2_msgs/action/LookupTransform_Feedback` */
export type LookupTransform_Feedback = Record<string, never>;

export interface Messages {
  "tf2_msgs/msg/TF2Error": TF2Error;
  "tf2_msgs/msg/TFMessage": TFMessage;
}

export interface Services {
  "tf2_msgs/srv/FrameGraph": { request: FrameGraph_Request; response: FrameGraph_Response };
}

export interface Actions {
  "tf2_msgs/action/LookupTransform": {
    goal: LookupTransform_Goal;
    result: LookupTransform_Result;
    feedback: LookupTransform_Feedback;
  };
}

/** @internal */
export const texts = {
  "tf2_msgs/msg/TF2Error":
    "uint8 NO_ERROR = 0\nuint8 LOOKUP_ERROR = 1\nuint8 CONNECTIVITY_ERROR = 2\nuint8 EXTRAPOLATION_ERROR = 3\nuint8 INVALID_ARGUMENT_ERROR = 4\nuint8 TIMEOUT_ERROR = 5\nuint8 TRANSFORM_ERROR = 6\nuint8 error\nstring error_string",
  "tf2_msgs/msg/TFMessage": "geometry_msgs/TransformStamped[] transforms",
  "tf2_msgs/srv/FrameGraph": "---\nstring frame_yaml",
  "tf2_msgs/action/LookupTransform":
    "string target_frame\nstring source_frame\nbuiltin_interfaces/Time source_time\nbuiltin_interfaces/Duration timeout\nbuiltin_interfaces/Time target_time\nstring fixed_frame\nbool advanced\n---\ngeometry_msgs/TransformStamped transform\ntf2_msgs/TF2Error error\n---",
};
