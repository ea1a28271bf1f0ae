/** ROS 2 from TypeScript: on a real ROS 2 graph, or on the in-process one. */

export * from "./action/index.js";
export * as bag from "./bag/index.js";
export * from "./graph/index.js";
export type * from "./host.js";
export { type ImageEncoding, imageToMessage, messageToImage } from "./image.js";
export { CdrError, deserialize, serialize } from "./interfaces/cdr.js";
export {
  action_msgs,
  builtin_interfaces,
  diagnostic_msgs,
  geometry_msgs,
  lifecycle_msgs,
  my_interfaces,
  nav_msgs,
  rcl_interfaces,
  rosgraph_msgs,
  sensor_msgs,
  service_msgs,
  shape_msgs,
  std_msgs,
  std_srvs,
  stereo_msgs,
  tf2_msgs,
  trajectory_msgs,
  type_description_interfaces,
  unique_identifier_msgs,
  visualization_msgs,
} from "./interfaces/common/index.js";
export { InterfaceError } from "./interfaces/parse.js";
export * from "./interfaces/registry.js";
export type { NamedMessageType } from "./interfaces/text-types.js";
export type * from "./interfaces/types.js";
export {
  type ExecuteOptions,
  type ExitEvent,
  type LaunchAction,
  type LaunchArgument,
  type LaunchBody,
  type LaunchDescription,
  type LaunchItem,
  type LaunchParameters,
  type LaunchScope,
  launch,
  type NodeProcessOptions,
  type StartEvent,
} from "./launch/description.js";
export { type RunLaunchOptions, runLaunch } from "./launch/run.js";
export type { LaunchEvent, LaunchReport } from "./launch/service.js";
export * from "./lifecycle/index.js";
export * from "./node/index.js";
export { rosIsInstalled } from "./rcl/addon.js";
export * from "./rosbridge/index.js";
export { type HostKind, type HostSelection, rosHost } from "./select.js";
export * as tf from "./tf/index.js";
