// Made by common.test.ts from the packages' interface files (Apache License 2.0): change those.
// biome-ignore-all lint/suspicious/noShadowRestrictedNames: the names are ROS's
// biome-ignore-all lint/suspicious/noRedeclare: a message and its constants share a name
import type * as std_msgs from "./std_msgs.js";

/**
 * `geometry_msgs/msg/Accel`
 * This expresses acceleration in free space broken into its linear and angular parts.
 */
export interface Accel {
  linear: Vector3;
  angular: Vector3;
}

/**
 * `geometry_msgs/msg/AccelStamped`
 * An accel with reference coordinate frame and timestamp
 */
export interface AccelStamped {
  header: std_msgs.Header;
  accel: Accel;
}

/**
 * `geometry_msgs/msg/AccelWithCovariance`
 * This expresses acceleration in free space with uncertainty.
 */
export interface AccelWithCovariance {
  accel: Accel;
  /**
   * Row-major representation of the 6x6 covariance matrix
   * The orientation parameters use a fixed-axis representation.
   * In order, the parameters are:
   * (x, y, z, rotation about X axis, rotation about Y axis, rotation about Z axis) (float64, 36 elements)
   */
  covariance: Float64Array;
}

/**
 * `geometry_msgs/msg/AccelWithCovarianceStamped`
 * This represents an estimated accel with reference coordinate frame and timestamp.
 */
export interface AccelWithCovarianceStamped {
  header: std_msgs.Header;
  accel: AccelWithCovariance;
}

/**
 * `geometry_msgs/msg/Inertia`
 * Mass [kg]
 */
export interface Inertia {
  /** (float64) */
  m: number;
  /** Center of mass [m] */
  com: Vector3;
  /**
   * Inertia Tensor [kg-m^2]
   *     | ixx ixy ixz |
   * I = | ixy iyy iyz |
   *     | ixz iyz izz | (float64)
   */
  ixx: number;
  /** (float64) */
  ixy: number;
  /** (float64) */
  ixz: number;
  /** (float64) */
  iyy: number;
  /** (float64) */
  iyz: number;
  /** (float64) */
  izz: number;
}

/**
 * `geometry_msgs/msg/InertiaStamped`
 * An Inertia with a time stamp and reference frame.
 */
export interface InertiaStamped {
  header: std_msgs.Header;
  inertia: Inertia;
}

/**
 * `geometry_msgs/msg/Point`
 * This contains the position of a point in free space
 */
export interface Point {
  /** (float64) */
  x: number;
  /** (float64) */
  y: number;
  /** (float64) */
  z: number;
}

/**
 * `geometry_msgs/msg/Point32`
 * This contains the position of a point in free space(with 32 bits of precision).
 * It is recommended to use Point wherever possible instead of Point32.
 *
 * This recommendation is to promote interoperability.
 *
 * This message is designed to take up less space when sending
 * lots of points at once, as in the case of a PointCloud.
 */
export interface Point32 {
  /** (float32) */
  x: number;
  /** (float32) */
  y: number;
  /** (float32) */
  z: number;
}

/**
 * `geometry_msgs/msg/PointStamped`
 * This represents a Point with reference coordinate frame and timestamp
 */
export interface PointStamped {
  header: std_msgs.Header;
  point: Point;
}

/**
 * `geometry_msgs/msg/Polygon`
 * A specification of a polygon where the first and last points are assumed to be connected
 */
export interface Polygon {
  points: Point32[];
}

/**
 * `geometry_msgs/msg/PolygonInstance`
 * A specification of a polygon where the first and last points are assumed to be connected
 * It includes a unique identification field for disambiguating multiple instances
 */
export interface PolygonInstance {
  polygon: Polygon;
  /** (int64) */
  id: bigint;
}

/**
 * `geometry_msgs/msg/PolygonInstanceStamped`
 * This represents a Polygon with reference coordinate frame and timestamp
 * It includes a unique identification field for disambiguating multiple instances
 */
export interface PolygonInstanceStamped {
  header: std_msgs.Header;
  polygon: PolygonInstance;
}

/**
 * `geometry_msgs/msg/PolygonStamped`
 * This represents a Polygon with reference coordinate frame and timestamp
 */
export interface PolygonStamped {
  header: std_msgs.Header;
  polygon: Polygon;
}

/**
 * `geometry_msgs/msg/Pose`
 * A representation of pose in free space, composed of position and orientation.
 */
export interface Pose {
  position: Point;
  orientation: Quaternion;
}

/**
 * `geometry_msgs/msg/Pose2D`
 * Deprecated as of Foxy and will potentially be removed in any following release.
 * Please use the full 3D pose.
 */
export interface Pose2D {
  /** (float64) */
  x: number;
  /** (float64) */
  y: number;
  /** (float64) */
  theta: number;
}

/**
 * `geometry_msgs/msg/PoseArray`
 * An array of poses with a header for global reference.
 */
export interface PoseArray {
  header: std_msgs.Header;
  poses: Pose[];
}

/**
 * `geometry_msgs/msg/PoseStamped`
 * A Pose with reference coordinate frame and timestamp
 */
export interface PoseStamped {
  header: std_msgs.Header;
  pose: Pose;
}

/**
 * `geometry_msgs/msg/PoseWithCovariance`
 * This represents a pose in free space with uncertainty.
 */
export interface PoseWithCovariance {
  pose: Pose;
  /**
   * Row-major representation of the 6x6 covariance matrix
   * The orientation parameters use a fixed-axis representation.
   * In order, the parameters are:
   * (x, y, z, rotation about X axis, rotation about Y axis, rotation about Z axis) (float64, 36 elements)
   */
  covariance: Float64Array;
}

/**
 * `geometry_msgs/msg/PoseWithCovarianceStamped`
 * This expresses an estimated pose with a reference coordinate frame and timestamp
 */
export interface PoseWithCovarianceStamped {
  header: std_msgs.Header;
  pose: PoseWithCovariance;
}

/**
 * `geometry_msgs/msg/Quaternion`
 * This represents an orientation in free space in quaternion form.
 */
export interface Quaternion {
  /** (float64) */
  x: number;
  /** (float64) */
  y: number;
  /** (float64) */
  z: number;
  /** (float64) */
  w: number;
}

/**
 * `geometry_msgs/msg/QuaternionStamped`
 * This represents an orientation with reference coordinate frame and timestamp.
 */
export interface QuaternionStamped {
  header: std_msgs.Header;
  quaternion: Quaternion;
}

/**
 * `geometry_msgs/msg/Transform`
 * This represents the transform between two coordinate frames in free space.
 */
export interface Transform {
  translation: Vector3;
  rotation: Quaternion;
}

/**
 * `geometry_msgs/msg/TransformStamped`
 * This expresses a transform from coordinate frame header.frame_id
 * to the coordinate frame child_frame_id at the time of header.stamp
 *
 * This message is mostly used by the
 * <a href="https://docs.ros.org/en/rolling/p/tf2/">tf2</a> package.
 * See its documentation for more information.
 *
 * The child_frame_id is necessary in addition to the frame_id
 * in the Header to communicate the full reference for the transform
 * in a self contained message.
 */
export interface TransformStamped {
  /** The frame id in the header is used as the reference frame of this transform. */
  header: std_msgs.Header;
  /** The frame id of the child frame to which this transform points. */
  child_frame_id: string;
  /** Translation and rotation in 3-dimensions of child_frame_id from header.frame_id. */
  transform: Transform;
}

/**
 * `geometry_msgs/msg/Twist`
 * This expresses velocity in free space broken into its linear and angular parts.
 */
export interface Twist {
  linear: Vector3;
  angular: Vector3;
}

/**
 * `geometry_msgs/msg/TwistStamped`
 * A twist with reference coordinate frame and timestamp
 */
export interface TwistStamped {
  header: std_msgs.Header;
  twist: Twist;
}

/**
 * `geometry_msgs/msg/TwistWithCovariance`
 * This expresses velocity in free space with uncertainty.
 */
export interface TwistWithCovariance {
  twist: Twist;
  /**
   * Row-major representation of the 6x6 covariance matrix
   * The orientation parameters use a fixed-axis representation.
   * In order, the parameters are:
   * (x, y, z, rotation about X axis, rotation about Y axis, rotation about Z axis) (float64, 36 elements)
   */
  covariance: Float64Array;
}

/**
 * `geometry_msgs/msg/TwistWithCovarianceStamped`
 * This represents an estimated twist with reference coordinate frame and timestamp.
 */
export interface TwistWithCovarianceStamped {
  header: std_msgs.Header;
  twist: TwistWithCovariance;
}

/**
 * `geometry_msgs/msg/Vector3`
 * This represents a vector in free space.
 */
export interface Vector3 {
  /** (float64) */
  x: number;
  /** (float64) */
  y: number;
  /** (float64) */
  z: number;
}

/**
 * `geometry_msgs/msg/Vector3Stamped`
 * This represents a Vector3 with reference coordinate frame and timestamp
 */
export interface Vector3Stamped {
  header: std_msgs.Header;
  vector: Vector3;
}

/**
 * `geometry_msgs/msg/VelocityStamped`
 * This expresses the timestamped velocity vector of a frame 'body_frame_id' in the reference frame 'reference_frame_id' expressed from arbitrary observation frame 'header.frame_id'.
 * - If the 'body_frame_id' and 'header.frame_id' are identical, the velocity is observed and defined in the local coordinates system of the body
 *   which is the usual use-case in mobile robotics and is also known as a body twist.
 */
export interface VelocityStamped {
  header: std_msgs.Header;
  body_frame_id: string;
  reference_frame_id: string;
  velocity: Twist;
}

/**
 * `geometry_msgs/msg/Wrench`
 * This represents force in free space, separated into its linear and angular parts.
 */
export interface Wrench {
  force: Vector3;
  torque: Vector3;
}

/**
 * `geometry_msgs/msg/WrenchStamped`
 * A wrench with reference coordinate frame and timestamp
 */
export interface WrenchStamped {
  header: std_msgs.Header;
  wrench: Wrench;
}

export interface Messages {
  "geometry_msgs/msg/Accel": Accel;
  "geometry_msgs/msg/AccelStamped": AccelStamped;
  "geometry_msgs/msg/AccelWithCovariance": AccelWithCovariance;
  "geometry_msgs/msg/AccelWithCovarianceStamped": AccelWithCovarianceStamped;
  "geometry_msgs/msg/Inertia": Inertia;
  "geometry_msgs/msg/InertiaStamped": InertiaStamped;
  "geometry_msgs/msg/Point": Point;
  "geometry_msgs/msg/Point32": Point32;
  "geometry_msgs/msg/PointStamped": PointStamped;
  "geometry_msgs/msg/Polygon": Polygon;
  "geometry_msgs/msg/PolygonInstance": PolygonInstance;
  "geometry_msgs/msg/PolygonInstanceStamped": PolygonInstanceStamped;
  "geometry_msgs/msg/PolygonStamped": PolygonStamped;
  "geometry_msgs/msg/Pose": Pose;
  "geometry_msgs/msg/Pose2D": Pose2D;
  "geometry_msgs/msg/PoseArray": PoseArray;
  "geometry_msgs/msg/PoseStamped": PoseStamped;
  "geometry_msgs/msg/PoseWithCovariance": PoseWithCovariance;
  "geometry_msgs/msg/PoseWithCovarianceStamped": PoseWithCovarianceStamped;
  "geometry_msgs/msg/Quaternion": Quaternion;
  "geometry_msgs/msg/QuaternionStamped": QuaternionStamped;
  "geometry_msgs/msg/Transform": Transform;
  "geometry_msgs/msg/TransformStamped": TransformStamped;
  "geometry_msgs/msg/Twist": Twist;
  "geometry_msgs/msg/TwistStamped": TwistStamped;
  "geometry_msgs/msg/TwistWithCovariance": TwistWithCovariance;
  "geometry_msgs/msg/TwistWithCovarianceStamped": TwistWithCovarianceStamped;
  "geometry_msgs/msg/Vector3": Vector3;
  "geometry_msgs/msg/Vector3Stamped": Vector3Stamped;
  "geometry_msgs/msg/VelocityStamped": VelocityStamped;
  "geometry_msgs/msg/Wrench": Wrench;
  "geometry_msgs/msg/WrenchStamped": WrenchStamped;
}

/** @internal */
export const texts = {
  "geometry_msgs/msg/Accel": "Vector3 linear\nVector3 angular",
  "geometry_msgs/msg/AccelStamped": "std_msgs/Header header\nAccel accel",
  "geometry_msgs/msg/AccelWithCovariance": "Accel accel\nfloat64[36] covariance",
  "geometry_msgs/msg/AccelWithCovarianceStamped": "std_msgs/Header header\nAccelWithCovariance accel",
  "geometry_msgs/msg/Inertia":
    "float64 m\ngeometry_msgs/Vector3 com\nfloat64 ixx\nfloat64 ixy\nfloat64 ixz\nfloat64 iyy\nfloat64 iyz\nfloat64 izz",
  "geometry_msgs/msg/InertiaStamped": "std_msgs/Header header\nInertia inertia",
  "geometry_msgs/msg/Point": "float64 x\nfloat64 y\nfloat64 z",
  "geometry_msgs/msg/Point32": "float32 x\nfloat32 y\nfloat32 z",
  "geometry_msgs/msg/PointStamped": "std_msgs/Header header\nPoint point",
  "geometry_msgs/msg/Polygon": "Point32[] points",
  "geometry_msgs/msg/PolygonInstance": "geometry_msgs/Polygon polygon\nint64 id",
  "geometry_msgs/msg/PolygonInstanceStamped": "std_msgs/Header header\ngeometry_msgs/PolygonInstance polygon",
  "geometry_msgs/msg/PolygonStamped": "std_msgs/Header header\nPolygon polygon",
  "geometry_msgs/msg/Pose": "Point position\nQuaternion orientation",
  "geometry_msgs/msg/Pose2D": "float64 x\nfloat64 y\nfloat64 theta",
  "geometry_msgs/msg/PoseArray": "std_msgs/Header header\nPose[] poses",
  "geometry_msgs/msg/PoseStamped": "std_msgs/Header header\nPose pose",
  "geometry_msgs/msg/PoseWithCovariance": "Pose pose\nfloat64[36] covariance",
  "geometry_msgs/msg/PoseWithCovarianceStamped": "std_msgs/Header header\nPoseWithCovariance pose",
  "geometry_msgs/msg/Quaternion": "float64 x 0\nfloat64 y 0\nfloat64 z 0\nfloat64 w 1",
  "geometry_msgs/msg/QuaternionStamped": "std_msgs/Header header\nQuaternion quaternion",
  "geometry_msgs/msg/Transform": "Vector3 translation\nQuaternion rotation",
  "geometry_msgs/msg/TransformStamped": "std_msgs/Header header\nstring child_frame_id\nTransform transform",
  "geometry_msgs/msg/Twist": "Vector3 linear\nVector3 angular",
  "geometry_msgs/msg/TwistStamped": "std_msgs/Header header\nTwist twist",
  "geometry_msgs/msg/TwistWithCovariance": "Twist twist\nfloat64[36] covariance",
  "geometry_msgs/msg/TwistWithCovarianceStamped": "std_msgs/Header header\nTwistWithCovariance twist",
  "geometry_msgs/msg/Vector3": "float64 x\nfloat64 y\nfloat64 z",
  "geometry_msgs/msg/Vector3Stamped": "std_msgs/Header header\nVector3 vector",
  "geometry_msgs/msg/VelocityStamped":
    "std_msgs/Header header\nstring body_frame_id\nstring reference_frame_id\nTwist velocity",
  "geometry_msgs/msg/Wrench": "Vector3 force\nVector3 torque",
  "geometry_msgs/msg/WrenchStamped": "std_msgs/Header header\nWrench wrench",
};
