// Made by common.test.ts from the packages' interface files (Apache License 2.0): change those.
// biome-ignore-all lint/suspicious/noShadowRestrictedNames: the names are ROS's
// biome-ignore-all lint/suspicious/noRedeclare: a message and its constants share a name
import type * as builtin_interfaces from "./builtin_interfaces.js";
import type * as geometry_msgs from "./geometry_msgs.js";
import type * as std_msgs from "./std_msgs.js";

/**
 * `nav_msgs/msg/Goals`
 * An array of navigation goals
 */
export interface Goals {
  /**
   * This header will store the time at which the poses were computed (not to be confused with the stamps of the poses themselves)
   * In the case that individual poses do not have their frame_id set or their timetamp set they will use the default value here.
   */
  header: std_msgs.Header;
  /**
   * An array of goals to for navigation to achieve.
   * The goals should be executed in the order of the array.
   * The header and stamp are intended to be used for computing the position of the goals.
   * They may vary to support cases of goals that are moving with respect to the robot.
   */
  goals: geometry_msgs.PoseStamped[];
}

/**
 * `nav_msgs/msg/GridCells`
 * An array of cells in a 2D grid
 */
export interface GridCells {
  header: std_msgs.Header;
  /** Width of each cell (float32) */
  cell_width: number;
  /** Height of each cell (float32) */
  cell_height: number;
  /** Each cell is represented by the Point at the center of the cell */
  cells: geometry_msgs.Point[];
}

/**
 * `nav_msgs/msg/MapMetaData`
 * This hold basic information about the characteristics of the OccupancyGrid
 */
export interface MapMetaData {
  /** The time at which the map was loaded */
  map_load_time: builtin_interfaces.Time;
  /** The map resolution [m/cell] (float32) */
  resolution: number;
  /** Map width [cells] (uint32) */
  width: number;
  /** Map height [cells] (uint32) */
  height: number;
  /**
   * The origin of the map [m, m, rad].  This is the real-world pose of the
   * bottom left corner of cell (0,0) in the map.
   */
  origin: geometry_msgs.Pose;
}

/**
 * `nav_msgs/msg/OccupancyGrid`
 * This represents a 2-D grid map
 */
export interface OccupancyGrid {
  header: std_msgs.Header;
  /** MetaData for the map */
  info: MapMetaData;
  /**
   * The map data, in row-major order, starting with (0,0).
   * Cell (1, 0) will be listed second, representing the next cell in the x direction.
   * Cell (0, 1) will be at the index equal to info.width, followed by (1, 1).
   * The values inside are application dependent, but frequently,
   * 0 represents unoccupied, 1 represents definitely occupied, and
   * -1 represents unknown. (int8)
   */
  data: Int8Array;
}

/**
 * `nav_msgs/msg/Odometry`
 * This represents an estimate of a position and velocity in free space.
 * The pose in this message should be specified in the coordinate frame given by header.frame_id
 * The twist in this message should be specified in the coordinate frame given by the child_frame_id
 */
export interface Odometry {
  /** Includes the frame id of the pose parent. */
  header: std_msgs.Header;
  /** Frame id the pose points to. The twist is in this coordinate frame. */
  child_frame_id: string;
  /** Estimated pose that is typically relative to a fixed world frame. */
  pose: geometry_msgs.PoseWithCovariance;
  /** Estimated linear and angular velocity relative to child_frame_id. */
  twist: geometry_msgs.TwistWithCovariance;
}

/**
 * `nav_msgs/msg/Path`
 * An array of poses that represents a Path for a robot to follow.
 */
export interface Path {
  /** Indicates the frame_id of the path. */
  header: std_msgs.Header;
  /** Array of poses to follow. */
  poses: geometry_msgs.PoseStamped[];
}

/**
 * `nav_msgs/srv/GetMap_Request`
 * Get the map as a nav_msgs/OccupancyGrid
 */
export type GetMap_Request = Record<string, never>;

/**
 * `nav_msgs/srv/GetMap_Response`
 * The current map hosted by this map service.
 */
export interface GetMap_Response {
  map: OccupancyGrid;
}

/**
 * `nav_msgs/srv/GetPlan_Request`
 * Get a plan from the current position to the goal Pose
 */
export interface GetPlan_Request {
  /** The start pose for the plan */
  start: geometry_msgs.PoseStamped;
  /** The final pose of the goal position */
  goal: geometry_msgs.PoseStamped;
  /**
   * If the goal is obstructed, how many meters the planner can
   * relax the constraint in x and y before failing. (float32)
   */
  tolerance: number;
}

/**
 * `nav_msgs/srv/GetPlan_Response`
 * Array of poses from start to goal if one was successfully found.
 */
export interface GetPlan_Response {
  plan: Path;
}

/**
 * `nav_msgs/srv/LoadMap_Request`
 * URL of map resource
 * Can be an absolute path to a file: file:///path/to/maps/floor1.yaml
 * Or, relative to a ROS package: package://my_ros_package/maps/floor2.yaml
 */
export interface LoadMap_Request {
  map_url: string;
}

/**
 * `nav_msgs/srv/LoadMap_Response`
 * Result code definitions
 */
export interface LoadMap_Response {
  /** Returned map is only valid if result equals RESULT_SUCCESS */
  map: OccupancyGrid;
  /** (uint8) */
  result: number;
}
/** Constants of `nav_msgs/srv/LoadMap_Response`. */
export const LoadMap_Response = {
  RESULT_SUCCESS: 0,
  RESULT_MAP_DOES_NOT_EXIST: 1,
  RESULT_INVALID_MAP_DATA: 2,
  RESULT_INVALID_MAP_METADATA: 3,
  RESULT_UNDEFINED_FAILURE: 255,
} as const;

/**
 * `nav_msgs/srv/SetMap_Request`
 * Set a new map together with an initial pose
 */
export interface SetMap_Request {
  /** Requested 2D map to be set. */
  map: OccupancyGrid;
  /** Estimated initial pose when setting new map. */
  initial_pose: geometry_msgs.PoseWithCovarianceStamped;
}

/**
 * `nav_msgs/srv/SetMap_Response`
 * True if the map was successfully set, false otherwise.
 */
export interface SetMap_Response {
  success: boolean;
}

export interface Messages {
  "nav_msgs/msg/Goals": Goals;
  "nav_msgs/msg/GridCells": GridCells;
  "nav_msgs/msg/MapMetaData": MapMetaData;
  "nav_msgs/msg/OccupancyGrid": OccupancyGrid;
  "nav_msgs/msg/Odometry": Odometry;
  "nav_msgs/msg/Path": Path;
}

export interface Services {
  "nav_msgs/srv/GetMap": { request: GetMap_Request; response: GetMap_Response };
  "nav_msgs/srv/GetPlan": { request: GetPlan_Request; response: GetPlan_Response };
  "nav_msgs/srv/LoadMap": { request: LoadMap_Request; response: LoadMap_Response };
  "nav_msgs/srv/SetMap": { request: SetMap_Request; response: SetMap_Response };
}

/** @internal */
export const texts = {
  "nav_msgs/msg/Goals": "std_msgs/Header header\ngeometry_msgs/PoseStamped[] goals",
  "nav_msgs/msg/GridCells":
    "std_msgs/Header header\nfloat32 cell_width\nfloat32 cell_height\ngeometry_msgs/Point[] cells",
  "nav_msgs/msg/MapMetaData":
    "builtin_interfaces/Time map_load_time\nfloat32 resolution\nuint32 width\nuint32 height\ngeometry_msgs/Pose origin",
  "nav_msgs/msg/OccupancyGrid": "std_msgs/Header header\nMapMetaData info\nint8[] data",
  "nav_msgs/msg/Odometry":
    "std_msgs/Header header\nstring child_frame_id\ngeometry_msgs/PoseWithCovariance pose\ngeometry_msgs/TwistWithCovariance twist",
  "nav_msgs/msg/Path": "std_msgs/Header header\ngeometry_msgs/PoseStamped[] poses",
  "nav_msgs/srv/GetMap": "---\nOccupancyGrid map",
  "nav_msgs/srv/GetPlan":
    "geometry_msgs/PoseStamped start\ngeometry_msgs/PoseStamped goal\nfloat32 tolerance\n---\nPath plan",
  "nav_msgs/srv/LoadMap":
    "string map_url\n---\nuint8 RESULT_SUCCESS=0\nuint8 RESULT_MAP_DOES_NOT_EXIST=1\nuint8 RESULT_INVALID_MAP_DATA=2\nuint8 RESULT_INVALID_MAP_METADATA=3\nuint8 RESULT_UNDEFINED_FAILURE=255\nnav_msgs/OccupancyGrid map\nuint8 result",
  "nav_msgs/srv/SetMap":
    "nav_msgs/OccupancyGrid map\ngeometry_msgs/PoseWithCovarianceStamped initial_pose\n---\nbool success",
};
