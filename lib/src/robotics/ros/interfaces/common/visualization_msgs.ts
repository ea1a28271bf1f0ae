// Made by common.test.ts from the packages' interface files (Apache License 2.0): change those.
// biome-ignore-all lint/suspicious/noShadowRestrictedNames: the names are ROS's
// biome-ignore-all lint/suspicious/noRedeclare: a message and its constants share a name
import type * as builtin_interfaces from "./builtin_interfaces.js";
import type * as geometry_msgs from "./geometry_msgs.js";
import type * as sensor_msgs from "./sensor_msgs.js";
import type * as std_msgs from "./std_msgs.js";

/** `visualization_msgs/msg/ImageMarker` */
export interface ImageMarker {
  header: std_msgs.Header;
  /** Namespace which is used with the id to form a unique id. */
  ns: string;
  /** Unique id within the namespace. (int32) */
  id: number;
  /** One of the above types, e.g. CIRCLE, LINE_STRIP, etc. (int32) */
  type: number;
  /** Either ADD or REMOVE. (int32) */
  action: number;
  /** Two-dimensional coordinate position, in pixel-coordinates. */
  position: geometry_msgs.Point;
  /** The scale of the object, e.g. the diameter for a CIRCLE. (float32) */
  scale: number;
  /** The outline color of the marker. */
  outline_color: std_msgs.ColorRGBA;
  /** Whether or not to fill in the shape with color. (uint8) */
  filled: number;
  /** Fill color; in the range: [0.0-1.0] */
  fill_color: std_msgs.ColorRGBA;
  /**
   * How long the object should last before being automatically deleted.
   * 0 indicates forever.
   */
  lifetime: builtin_interfaces.Duration;
  /** Coordinates in 2D in pixel coords. Used for LINE_STRIP, LINE_LIST, POINTS, etc. */
  points: geometry_msgs.Point[];
  /** The color for each line, point, etc. in the points field. */
  outline_colors: std_msgs.ColorRGBA[];
}
/** Constants of `visualization_msgs/msg/ImageMarker`. */
export const ImageMarker = {
  CIRCLE: 0,
  LINE_STRIP: 1,
  LINE_LIST: 2,
  POLYGON: 3,
  POINTS: 4,
  ADD: 0,
  REMOVE: 1,
} as const;

/**
 * `visualization_msgs/msg/InteractiveMarker`
 * Time/frame info.
 * If header.time is set to 0, the marker will be retransformed into
 * its frame on each timestep. You will receive the pose feedback
 * in the same frame.
 * Otherwise, you might receive feedback in a different frame.
 * For rviz, this will be the current 'fixed frame' set by the user.
 */
export interface InteractiveMarker {
  header: std_msgs.Header;
  /** Initial pose. Also, defines the pivot point for rotations. */
  pose: geometry_msgs.Pose;
  /**
   * Identifying string. Must be globally unique in
   * the topic that this message is sent through.
   */
  name: string;
  /** Short description (< 40 characters). */
  description: string;
  /** Scale to be used for default controls (default=1). (float32) */
  scale: number;
  /** All menu and submenu entries associated with this marker. */
  menu_entries: MenuEntry[];
  /** List of controls displayed for this marker. */
  controls: InteractiveMarkerControl[];
}

/**
 * `visualization_msgs/msg/InteractiveMarkerControl`
 * Represents a control that is to be displayed together with an interactive marker
 */
export interface InteractiveMarkerControl {
  /**
   * Identifying string for this control.
   * You need to assign a unique value to this to receive feedback from the GUI
   * on what actions the user performs on this control (e.g. a button click).
   */
  name: string;
  /**
   * Defines the local coordinate frame (relative to the pose of the parent
   * interactive marker) in which is being rotated and translated.
   * Default: Identity
   */
  orientation: geometry_msgs.Quaternion;
  /** (uint8) */
  orientation_mode: number;
  /** (uint8) */
  interaction_mode: number;
  /**
   * If true, the contained markers will also be visible
   * when the gui is not in interactive mode.
   */
  always_visible: boolean;
  /**
   * Markers to be displayed as custom visual representation.
   * Leave this empty to use the default control handles.
   *
   * Note:
   * - The markers can be defined in an arbitrary coordinate frame,
   *   but will be transformed into the local frame of the interactive marker.
   * - If the header of a marker is empty, its pose will be interpreted as
   *   relative to the pose of the parent interactive marker.
   */
  markers: Marker[];
  /**
   * In VIEW_FACING mode, set this to true if you don't want the markers
   * to be aligned with the camera view point. The markers will show up
   * as in INHERIT mode.
   */
  independent_marker_orientation: boolean;
  /**
   * Short description (< 40 characters) of what this control does,
   * e.g. "Move the robot".
   * Default: A generic description based on the interaction mode
   */
  description: string;
}
/** Constants of `visualization_msgs/msg/InteractiveMarkerControl`. */
export const InteractiveMarkerControl = {
  /**
   * Orientation mode: controls how orientation changes.
   * INHERIT: Follow orientation of interactive marker
   * FIXED: Keep orientation fixed at initial state
   * VIEW_FACING: Align y-z plane with screen (x: forward, y:left, z:up).
   */
  INHERIT: 0,
  FIXED: 1,
  VIEW_FACING: 2,
  /**
   * Interaction mode for this control
   *
   * NONE: This control is only meant for visualization; no context menu.
   * MENU: Like NONE, but right-click menu is active.
   * BUTTON: Element can be left-clicked.
   * MOVE_AXIS: Translate along local x-axis.
   * MOVE_PLANE: Translate in local y-z plane.
   * ROTATE_AXIS: Rotate around local x-axis.
   * MOVE_ROTATE: Combines MOVE_PLANE and ROTATE_AXIS.
   */
  NONE: 0,
  MENU: 1,
  BUTTON: 2,
  MOVE_AXIS: 3,
  MOVE_PLANE: 4,
  ROTATE_AXIS: 5,
  MOVE_ROTATE: 6,
  /**
   * "3D" interaction modes work with the mouse+SHIFT+CTRL or with 3D cursors.
   * MOVE_3D: Translate freely in 3D space.
   * ROTATE_3D: Rotate freely in 3D space about the origin of parent frame.
   * MOVE_ROTATE_3D: Full 6-DOF freedom of translation and rotation about the cursor origin.
   */
  MOVE_3D: 7,
  ROTATE_3D: 8,
  MOVE_ROTATE_3D: 9,
} as const;

/**
 * `visualization_msgs/msg/InteractiveMarkerFeedback`
 * Time/frame info.
 */
export interface InteractiveMarkerFeedback {
  header: std_msgs.Header;
  /** Identifying string. Must be unique in the topic namespace. */
  client_id: string;
  /** Specifies which interactive marker and control this message refers to */
  marker_name: string;
  control_name: string;
  /** (uint8) */
  event_type: number;
  /**
   * Current pose of the marker
   * Note: Has to be valid for all feedback types.
   */
  pose: geometry_msgs.Pose;
  /**
   * Contains the ID of the selected menu entry
   * Only valid for MENU_SELECT events. (uint32)
   */
  menu_entry_id: number;
  /**
   * If event_type is BUTTON_CLICK, MOUSE_DOWN, or MOUSE_UP, mouse_point
   * may contain the 3 dimensional position of the event on the
   * control.  If it does, mouse_point_valid will be true.  mouse_point
   * will be relative to the frame listed in the header.
   */
  mouse_point: geometry_msgs.Point;
  mouse_point_valid: boolean;
}
/** Constants of `visualization_msgs/msg/InteractiveMarkerFeedback`. */
export const InteractiveMarkerFeedback = {
  /**
   * Type of the event
   * KEEP_ALIVE: sent while dragging to keep up control of the marker
   * MENU_SELECT: a menu entry has been selected
   * BUTTON_CLICK: a button control has been clicked
   * POSE_UPDATE: the pose has been changed using one of the controls
   */
  KEEP_ALIVE: 0,
  POSE_UPDATE: 1,
  MENU_SELECT: 2,
  BUTTON_CLICK: 3,
  MOUSE_DOWN: 4,
  MOUSE_UP: 5,
} as const;

/**
 * `visualization_msgs/msg/InteractiveMarkerInit`
 * Identifying string. Must be unique in the topic namespace
 * that this server works on.
 */
export interface InteractiveMarkerInit {
  server_id: string;
  /**
   * Sequence number.
   * The client will use this to detect if it has missed a subsequent
   * update.  Every update message will have the same sequence number as
   * an init message.  Clients will likely want to unsubscribe from the
   * init topic after a successful initialization to avoid receiving
   * duplicate data. (uint64)
   */
  seq_num: bigint;
  /** All markers. */
  markers: InteractiveMarker[];
}

/**
 * `visualization_msgs/msg/InteractiveMarkerPose`
 * Time/frame info.
 */
export interface InteractiveMarkerPose {
  header: std_msgs.Header;
  /** Initial pose. Also, defines the pivot point for rotations. */
  pose: geometry_msgs.Pose;
  /**
   * Identifying string. Must be globally unique in
   * the topic that this message is sent through.
   */
  name: string;
}

/**
 * `visualization_msgs/msg/InteractiveMarkerUpdate`
 * Identifying string. Must be unique in the topic namespace
 * that this server works on.
 */
export interface InteractiveMarkerUpdate {
  server_id: string;
  /**
   * Sequence number.
   * The client will use this to detect if it has missed an update. (uint64)
   */
  seq_num: bigint;
  /** (uint8) */
  type: number;
  /** Markers to be added or updated */
  markers: InteractiveMarker[];
  /** Poses of markers that should be moved */
  poses: InteractiveMarkerPose[];
  /** Names of markers to be erased */
  erases: string[];
}
/** Constants of `visualization_msgs/msg/InteractiveMarkerUpdate`. */
export const InteractiveMarkerUpdate = {
  /**
   * Type holds the purpose of this message.  It must be one of UPDATE or KEEP_ALIVE.
   * UPDATE: Incremental update to previous state.
   *         The sequence number must be 1 higher than for
   *         the previous update.
   * KEEP_ALIVE: Indicates the that the server is still living.
   *             The sequence number does not increase.
   *             No payload data should be filled out (markers, poses, or erases).
   */
  KEEP_ALIVE: 0,
  UPDATE: 1,
} as const;

/**
 * `visualization_msgs/msg/Marker`
 * See:
 *  - http://www.ros.org/wiki/rviz/DisplayTypes/Marker
 *  - http://www.ros.org/wiki/rviz/Tutorials/Markers%3A%20Basic%20Shapes
 *
 * for more information on using this message with rviz.
 */
export interface Marker {
  /** Header for timestamp and frame id. */
  header: std_msgs.Header;
  /**
   * Namespace in which to place the object.
   * Used in conjunction with id to create a unique name for the object.
   */
  ns: string;
  /** Object ID used in conjunction with the namespace for manipulating and deleting the object later. (int32) */
  id: number;
  /** Type of object. (int32) */
  type: number;
  /**
   * Action to take; one of:
   *  - 0 add/modify an object
   *  - 1 (deprecated)
   *  - 2 deletes an object (with the given ns and id)
   *  - 3 deletes all objects (or those with the given ns if any) (int32)
   */
  action: number;
  /** Pose of the object with respect the frame_id specified in the header. */
  pose: geometry_msgs.Pose;
  /** Scale of the object; 1,1,1 means default (usually 1 meter square). */
  scale: geometry_msgs.Vector3;
  /** Color of the object; in the range: [0.0-1.0] */
  color: std_msgs.ColorRGBA;
  /**
   * How long the object should last before being automatically deleted.
   * 0 indicates forever.
   */
  lifetime: builtin_interfaces.Duration;
  /** If this marker should be frame-locked, i.e. retransformed into its frame every timestep. */
  frame_locked: boolean;
  /** Only used if the type specified has some use for them (eg. POINTS, LINE_STRIP, ARROW_STRIP, etc.) */
  points: geometry_msgs.Point[];
  /**
   * Only used if the type specified has some use for them (eg. POINTS, LINE_STRIP, etc.)
   * The number of colors provided must either be 0 or equal to the number of points provided.
   * NOTE: alpha is not yet used
   */
  colors: std_msgs.ColorRGBA[];
  /**
   * Texture resource is a special URI that can either reference a texture file in
   * a format acceptable to (resource retriever)[https://docs.ros.org/en/rolling/p/resource_retriever/]
   * or an embedded texture via a string matching the format:
   *   "embedded://texture_name"
   */
  texture_resource: string;
  /**
   * An image to be loaded into the rendering engine as the texture for this marker.
   * This will be used iff texture_resource is set to embedded.
   */
  texture: sensor_msgs.CompressedImage;
  /** Location of each vertex within the texture; in the range: [0.0-1.0] */
  uv_coordinates: UVCoordinate[];
  /** Only used for text markers */
  text: string;
  /**
   * Only used for MESH_RESOURCE markers.
   * Similar to texture_resource, mesh_resource uses resource retriever to load a mesh.
   * Optionally, a mesh file can be sent in-message via the mesh_file field. If doing so,
   * use the following format for mesh_resource:
   *   "embedded://mesh_name"
   */
  mesh_resource: string;
  mesh_file: MeshFile;
  mesh_use_embedded_materials: boolean;
}
/** Constants of `visualization_msgs/msg/Marker`. */
export const Marker = {
  ARROW: 0,
  CUBE: 1,
  SPHERE: 2,
  CYLINDER: 3,
  LINE_STRIP: 4,
  LINE_LIST: 5,
  CUBE_LIST: 6,
  SPHERE_LIST: 7,
  POINTS: 8,
  TEXT_VIEW_FACING: 9,
  MESH_RESOURCE: 10,
  TRIANGLE_LIST: 11,
  ARROW_STRIP: 12,
  ADD: 0,
  MODIFY: 0,
  DELETE: 2,
  DELETEALL: 3,
} as const;

/** `visualization_msgs/msg/MarkerArray` */
export interface MarkerArray {
  markers: Marker[];
}

/**
 * `visualization_msgs/msg/MenuEntry`
 * MenuEntry message.
 *
 * Each InteractiveMarker message has an array of MenuEntry messages.
 * A collection of MenuEntries together describe a
 * menu/submenu/subsubmenu/etc tree, though they are stored in a flat
 * array.  The tree structure is represented by giving each menu entry
 * an ID number and a "parent_id" field.  Top-level entries are the
 * ones with parent_id = 0.  Menu entries are ordered within their
 * level the same way they are ordered in the containing array.  Parent
 * entries must appear before their children.
 *
 * Example:
 * - id = 3
 *   parent_id = 0
 *   title = "fun"
 * - id = 2
 *   parent_id = 0
 *   title = "robot"
 * - id = 4
 *   parent_id = 2
 *   title = "pr2"
 * - id = 5
 *   parent_id = 2
 *   title = "turtle"
 *
 * Gives a menu tree like this:
 *  - fun
 *  - robot
 *    - pr2
 *    - turtle
 */
export interface MenuEntry {
  /**
   * ID is a number for each menu entry.  Must be unique within the
   * control, and should never be 0. (uint32)
   */
  id: number;
  /**
   * ID of the parent of this menu entry, if it is a submenu.  If this
   * menu entry is a top-level entry, set parent_id to 0. (uint32)
   */
  parent_id: number;
  /** menu / entry title */
  title: string;
  /** Arguments to command indicated by command_type (below) */
  command: string;
  /** (uint8) */
  command_type: number;
}
/** Constants of `visualization_msgs/msg/MenuEntry`. */
export const MenuEntry = {
  /**
   * Command_type stores the type of response desired when this menu
   * entry is clicked.
   * FEEDBACK: send an InteractiveMarkerFeedback message with menu_entry_id set to this entry's id.
   * ROSRUN: execute "rosrun" with arguments given in the command field (above).
   * ROSLAUNCH: execute "roslaunch" with arguments given in the command field (above).
   */
  FEEDBACK: 0,
  ROSRUN: 1,
  ROSLAUNCH: 2,
} as const;

/**
 * `visualization_msgs/msg/MeshFile`
 * Used to send raw mesh files.
 */
export interface MeshFile {
  /**
   * The filename is used for both debug purposes and to provide a file extension
   * for whatever parser is used.
   */
  filename: string;
  /** This stores the raw text of the mesh file. (uint8) */
  data: Uint8Array;
}

/**
 * `visualization_msgs/msg/UVCoordinate`
 * Location of the pixel as a ratio of the width of a 2D texture.
 * Values should be in range: [0.0-1.0].
 */
export interface UVCoordinate {
  /** (float32) */
  u: number;
  /** (float32) */
  v: number;
}

/** `visualization_msgs/srv/GetInteractiveMarkers_Request` */
export type GetInteractiveMarkers_Request = Record<string, never>;

/**
 * `visualization_msgs/srv/GetInteractiveMarkers_Response`
 * Sequence number.
 * Set to the sequence number of the latest update message
 * at the time the server received the request.
 * Clients use this to detect if any updates were missed.
 */
export interface GetInteractiveMarkers_Response {
  /** (uint64) */
  sequence_number: bigint;
  /** All interactive markers provided by the server. */
  markers: InteractiveMarker[];
}

export interface Messages {
  "visualization_msgs/msg/ImageMarker": ImageMarker;
  "visualization_msgs/msg/InteractiveMarker": InteractiveMarker;
  "visualization_msgs/msg/InteractiveMarkerControl": InteractiveMarkerControl;
  "visualization_msgs/msg/InteractiveMarkerFeedback": InteractiveMarkerFeedback;
  "visualization_msgs/msg/InteractiveMarkerInit": InteractiveMarkerInit;
  "visualization_msgs/msg/InteractiveMarkerPose": InteractiveMarkerPose;
  "visualization_msgs/msg/InteractiveMarkerUpdate": InteractiveMarkerUpdate;
  "visualization_msgs/msg/Marker": Marker;
  "visualization_msgs/msg/MarkerArray": MarkerArray;
  "visualization_msgs/msg/MenuEntry": MenuEntry;
  "visualization_msgs/msg/MeshFile": MeshFile;
  "visualization_msgs/msg/UVCoordinate": UVCoordinate;
}

export interface Services {
  "visualization_msgs/srv/GetInteractiveMarkers": {
    request: GetInteractiveMarkers_Request;
    response: GetInteractiveMarkers_Response;
  };
}

/** @internal */
export const texts = {
  "visualization_msgs/msg/ImageMarker":
    "int32 CIRCLE=0\nint32 LINE_STRIP=1\nint32 LINE_LIST=2\nint32 POLYGON=3\nint32 POINTS=4\nint32 ADD=0\nint32 REMOVE=1\nstd_msgs/Header header\nstring ns\nint32 id\nint32 type\nint32 action\ngeometry_msgs/Point position\nfloat32 scale\nstd_msgs/ColorRGBA outline_color\nuint8 filled\nstd_msgs/ColorRGBA fill_color\nbuiltin_interfaces/Duration lifetime\ngeometry_msgs/Point[] points\nstd_msgs/ColorRGBA[] outline_colors",
  "visualization_msgs/msg/InteractiveMarker":
    "std_msgs/Header header\ngeometry_msgs/Pose pose\nstring name\nstring description\nfloat32 scale\nMenuEntry[] menu_entries\nInteractiveMarkerControl[] controls",
  "visualization_msgs/msg/InteractiveMarkerControl":
    "string name\ngeometry_msgs/Quaternion orientation\nuint8 INHERIT = 0\nuint8 FIXED = 1\nuint8 VIEW_FACING = 2\nuint8 orientation_mode\nuint8 NONE = 0\nuint8 MENU = 1\nuint8 BUTTON = 2\nuint8 MOVE_AXIS = 3\nuint8 MOVE_PLANE = 4\nuint8 ROTATE_AXIS = 5\nuint8 MOVE_ROTATE = 6\nuint8 MOVE_3D = 7\nuint8 ROTATE_3D = 8\nuint8 MOVE_ROTATE_3D = 9\nuint8 interaction_mode\nbool always_visible\nMarker[] markers\nbool independent_marker_orientation\nstring description",
  "visualization_msgs/msg/InteractiveMarkerFeedback":
    "std_msgs/Header header\nstring client_id\nstring marker_name\nstring control_name\nuint8 KEEP_ALIVE = 0\nuint8 POSE_UPDATE = 1\nuint8 MENU_SELECT = 2\nuint8 BUTTON_CLICK = 3\nuint8 MOUSE_DOWN = 4\nuint8 MOUSE_UP = 5\nuint8 event_type\ngeometry_msgs/Pose pose\nuint32 menu_entry_id\ngeometry_msgs/Point mouse_point\nbool mouse_point_valid",
  "visualization_msgs/msg/InteractiveMarkerInit":
    "string server_id\nuint64 seq_num\nInteractiveMarker[] markers",
  "visualization_msgs/msg/InteractiveMarkerPose":
    "std_msgs/Header header\ngeometry_msgs/Pose pose\nstring name",
  "visualization_msgs/msg/InteractiveMarkerUpdate":
    "string server_id\nuint64 seq_num\nuint8 KEEP_ALIVE = 0\nuint8 UPDATE = 1\nuint8 type\nInteractiveMarker[] markers\nInteractiveMarkerPose[] poses\nstring[] erases",
  "visualization_msgs/msg/Marker":
    "int32 ARROW=0\nint32 CUBE=1\nint32 SPHERE=2\nint32 CYLINDER=3\nint32 LINE_STRIP=4\nint32 LINE_LIST=5\nint32 CUBE_LIST=6\nint32 SPHERE_LIST=7\nint32 POINTS=8\nint32 TEXT_VIEW_FACING=9\nint32 MESH_RESOURCE=10\nint32 TRIANGLE_LIST=11\nint32 ARROW_STRIP=12\nint32 ADD=0\nint32 MODIFY=0\nint32 DELETE=2\nint32 DELETEALL=3\nstd_msgs/Header header\nstring ns\nint32 id\nint32 type\nint32 action\ngeometry_msgs/Pose pose\ngeometry_msgs/Vector3 scale\nstd_msgs/ColorRGBA color\nbuiltin_interfaces/Duration lifetime\nbool frame_locked\ngeometry_msgs/Point[] points\nstd_msgs/ColorRGBA[] colors\nstring texture_resource\nsensor_msgs/CompressedImage texture\nUVCoordinate[] uv_coordinates\nstring text\nstring mesh_resource\nMeshFile mesh_file\nbool mesh_use_embedded_materials",
  "visualization_msgs/msg/MarkerArray": "Marker[] markers",
  "visualization_msgs/msg/MenuEntry":
    "uint32 id\nuint32 parent_id\nstring title\nstring command\nuint8 FEEDBACK=0\nuint8 ROSRUN=1\nuint8 ROSLAUNCH=2\nuint8 command_type",
  "visualization_msgs/msg/MeshFile": "string filename\nuint8[] data",
  "visualization_msgs/msg/UVCoordinate": "float32 u\nfloat32 v",
  "visualization_msgs/srv/GetInteractiveMarkers": "---\nuint64 sequence_number\nInteractiveMarker[] markers",
};
