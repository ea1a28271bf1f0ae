// Made by common.test.ts from the packages' interface files (Apache License 2.0): change those.
import * as action_msgs from "./action_msgs.js";
import * as builtin_interfaces from "./builtin_interfaces.js";
import * as diagnostic_msgs from "./diagnostic_msgs.js";
import * as geometry_msgs from "./geometry_msgs.js";
import * as lifecycle_msgs from "./lifecycle_msgs.js";
import * as my_interfaces from "./my_interfaces.js";
import * as nav_msgs from "./nav_msgs.js";
import * as rcl_interfaces from "./rcl_interfaces.js";
import * as rosgraph_msgs from "./rosgraph_msgs.js";
import * as sensor_msgs from "./sensor_msgs.js";
import * as service_msgs from "./service_msgs.js";
import * as shape_msgs from "./shape_msgs.js";
import * as std_msgs from "./std_msgs.js";
import * as std_srvs from "./std_srvs.js";
import * as stereo_msgs from "./stereo_msgs.js";
import * as tf2_msgs from "./tf2_msgs.js";
import * as trajectory_msgs from "./trajectory_msgs.js";
import * as type_description_interfaces from "./type_description_interfaces.js";
import * as unique_identifier_msgs from "./unique_identifier_msgs.js";
import * as visualization_msgs from "./visualization_msgs.js";

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
};

export interface CommonMessages
  extends action_msgs.Messages,
    builtin_interfaces.Messages,
    diagnostic_msgs.Messages,
    geometry_msgs.Messages,
    lifecycle_msgs.Messages,
    nav_msgs.Messages,
    rcl_interfaces.Messages,
    rosgraph_msgs.Messages,
    sensor_msgs.Messages,
    service_msgs.Messages,
    shape_msgs.Messages,
    std_msgs.Messages,
    stereo_msgs.Messages,
    tf2_msgs.Messages,
    trajectory_msgs.Messages,
    type_description_interfaces.Messages,
    unique_identifier_msgs.Messages,
    visualization_msgs.Messages {}

export interface CommonServices
  extends action_msgs.Services,
    diagnostic_msgs.Services,
    lifecycle_msgs.Services,
    my_interfaces.Services,
    nav_msgs.Services,
    rcl_interfaces.Services,
    sensor_msgs.Services,
    std_srvs.Services,
    tf2_msgs.Services,
    type_description_interfaces.Services,
    visualization_msgs.Services {}

export interface CommonActions extends my_interfaces.Actions, tf2_msgs.Actions {}

/** Text of every interface of the common packages by full name, without comments. @internal */
export const COMMON_TEXTS: Readonly<Record<string, string>> = {
  ...action_msgs.texts,
  ...builtin_interfaces.texts,
  ...diagnostic_msgs.texts,
  ...geometry_msgs.texts,
  ...lifecycle_msgs.texts,
  ...my_interfaces.texts,
  ...nav_msgs.texts,
  ...rcl_interfaces.texts,
  ...rosgraph_msgs.texts,
  ...sensor_msgs.texts,
  ...service_msgs.texts,
  ...shape_msgs.texts,
  ...std_msgs.texts,
  ...std_srvs.texts,
  ...stereo_msgs.texts,
  ...tf2_msgs.texts,
  ...trajectory_msgs.texts,
  ...type_description_interfaces.texts,
  ...unique_identifier_msgs.texts,
  ...visualization_msgs.texts,
};
