// Made by common.test.ts from the packages' interface files (Apache License 2.0): change those.
// biome-ignore-all lint/suspicious/noShadowRestrictedNames: the names are ROS's
// biome-ignore-all lint/suspicious/noRedeclare: a message and its constants share a name
import type * as builtin_interfaces from "./builtin_interfaces.js";
import type * as geometry_msgs from "./geometry_msgs.js";
import type * as std_msgs from "./std_msgs.js";

/**
 * `sensor_msgs/msg/BatteryState`
 * Constants are chosen to match the enums in the linux kernel
 * defined in include/linux/power_supply.h as of version 3.7
 * The one difference is for style reasons the constants are
 * all uppercase not mixed case.
 */
export interface BatteryState {
  header: std_msgs.Header;
  /** Voltage in Volts (Mandatory) (float32) */
  voltage: number;
  /** Temperature in Degrees Celsius (If unmeasured NaN) (float32) */
  temperature: number;
  /** Negative when discharging (A)  (If unmeasured NaN) (float32) */
  current: number;
  /** Current charge in Ah  (If unmeasured NaN) (float32) */
  charge: number;
  /** Capacity in Ah (last full capacity)  (If unmeasured NaN) (float32) */
  capacity: number;
  /** Capacity in Ah (design capacity)  (If unmeasured NaN) (float32) */
  design_capacity: number;
  /** Charge percentage on 0 to 1 range  (If unmeasured NaN) (float32) */
  percentage: number;
  /** The charging status as reported. Values defined above (uint8) */
  power_supply_status: number;
  /** The battery health metric. Values defined above (uint8) */
  power_supply_health: number;
  /** The battery chemistry. Values defined above (uint8) */
  power_supply_technology: number;
  /** True if the battery is present */
  present: boolean;
  /**
   * An array of individual cell voltages for each cell in the pack
   * If individual voltages unknown but number of cells known set each to NaN (float32)
   */
  cell_voltage: Float32Array;
  /**
   * An array of individual cell temperatures for each cell in the pack
   * If individual temperatures unknown but number of cells known set each to NaN (float32)
   */
  cell_temperature: Float32Array;
  /** The location into which the battery is inserted. (slot number or plug) */
  location: string;
  /** The best approximation of the battery serial number */
  serial_number: string;
}
/** Constants of `sensor_msgs/msg/BatteryState`. */
export const BatteryState = {
  /** Power supply status constants */
  POWER_SUPPLY_STATUS_UNKNOWN: 0,
  POWER_SUPPLY_STATUS_CHARGING: 1,
  POWER_SUPPLY_STATUS_DISCHARGING: 2,
  POWER_SUPPLY_STATUS_NOT_CHARGING: 3,
  POWER_SUPPLY_STATUS_FULL: 4,
  /** Power supply health constants */
  POWER_SUPPLY_HEALTH_UNKNOWN: 0,
  POWER_SUPPLY_HEALTH_GOOD: 1,
  POWER_SUPPLY_HEALTH_OVERHEAT: 2,
  POWER_SUPPLY_HEALTH_DEAD: 3,
  POWER_SUPPLY_HEALTH_OVERVOLTAGE: 4,
  POWER_SUPPLY_HEALTH_UNSPEC_FAILURE: 5,
  POWER_SUPPLY_HEALTH_COLD: 6,
  POWER_SUPPLY_HEALTH_WATCHDOG_TIMER_EXPIRE: 7,
  POWER_SUPPLY_HEALTH_SAFETY_TIMER_EXPIRE: 8,
  /**
   * Power supply technology (chemistry) constants
   * Unknown battery technology
   */
  POWER_SUPPLY_TECHNOLOGY_UNKNOWN: 0,
  /** Nickel-Metal Hydride battery */
  POWER_SUPPLY_TECHNOLOGY_NIMH: 1,
  /** Lithium-ion battery */
  POWER_SUPPLY_TECHNOLOGY_LION: 2,
  /** Lithium Polymer battery */
  POWER_SUPPLY_TECHNOLOGY_LIPO: 3,
  /** Lithium Iron Phosphate battery */
  POWER_SUPPLY_TECHNOLOGY_LIFE: 4,
  /** Nickel-Cadmium battery */
  POWER_SUPPLY_TECHNOLOGY_NICD: 5,
  /** Lithium Manganese Dioxide battery */
  POWER_SUPPLY_TECHNOLOGY_LIMN: 6,
  /** Ternary Lithium battery */
  POWER_SUPPLY_TECHNOLOGY_TERNARY: 7,
  /** Valve Regulated Lead-Acid battery */
  POWER_SUPPLY_TECHNOLOGY_VRLA: 8,
} as const;

/**
 * `sensor_msgs/msg/CameraInfo`
 * This message defines meta information for a camera. It should be in a
 * camera namespace on topic "camera_info" and accompanied by up to five
 * image topics named:
 *
 *   image_raw - raw data from the camera driver, possibly Bayer encoded
 *   image            - monochrome, distorted
 *   image_color      - color, distorted
 *   image_rect       - monochrome, rectified
 *   image_rect_color - color, rectified
 *
 * The image_pipeline contains packages (image_proc, stereo_image_proc)
 * for producing the four processed image topics from image_raw and
 * camera_info. The meaning of the camera parameters are described in
 * detail at http://www.ros.org/wiki/image_pipeline/CameraInfo.
 *
 * The image_geometry package provides a user-friendly interface to
 * common operations using this meta information. If you want to, e.g.,
 * project a 3d point into image coordinates, we strongly recommend
 * using image_geometry.
 *
 * If the camera is uncalibrated, the matrices D, K, R, P should be left
 * zeroed out. In particular, clients may assume that K[0] == 0.0
 * indicates an uncalibrated camera.
 */
export interface CameraInfo {
  /**
   * Time of image acquisition, camera coordinate frame ID
   * Header timestamp should be acquisition time of image
   * Header frame_id should be optical frame of camera
   * origin of frame should be optical center of camera
   * +x should point to the right in the image
   * +y should point down in the image
   * +z should point into the plane of the image
   */
  header: std_msgs.Header;
  /**
   * The image dimensions with which the camera was calibrated.
   * Normally this will be the full camera resolution in pixels. (uint32)
   */
  height: number;
  /** (uint32) */
  width: number;
  /**
   * The distortion model used. Supported models are listed in
   * sensor_msgs/distortion_models.hpp. For most cameras, "plumb_bob" - a
   * simple model of radial and tangential distortion - is sufficent.
   */
  distortion_model: string;
  /**
   * The distortion parameters, size depending on the distortion model.
   * For "plumb_bob", the 5 parameters are: (k1, k2, t1, t2, k3). (float64)
   */
  d: Float64Array;
  /**
   * Intrinsic camera matrix for the raw (distorted) images.
   *     [fx  0 cx]
   * K = [ 0 fy cy]
   *     [ 0  0  1]
   * Projects 3D points in the camera coordinate frame to 2D pixel
   * coordinates using the focal lengths (fx, fy) and principal point
   * (cx, cy).
   * 3x3 row-major matrix (float64, 9 elements)
   */
  k: Float64Array;
  /**
   * Rectification matrix (stereo cameras only)
   * A rotation matrix aligning the camera coordinate system to the ideal
   * stereo image plane so that epipolar lines in both stereo images are
   * parallel.
   * 3x3 row-major matrix (float64, 9 elements)
   */
  r: Float64Array;
  /**
   * Projection/camera matrix
   *     [fx'  0  cx' Tx]
   * P = [ 0  fy' cy' Ty]
   *     [ 0   0   1   0]
   * By convention, this matrix specifies the intrinsic (camera) matrix
   *  of the processed (rectified) image. That is, the left 3x3 portion
   *  is the normal camera intrinsic matrix for the rectified image.
   * It projects 3D points in the camera coordinate frame to 2D pixel
   *  coordinates using the focal lengths (fx', fy') and principal point
   *  (cx', cy') - these may differ from the values in K.
   * For monocular cameras, Tx = Ty = 0. Normally, monocular cameras will
   *  also have R = the identity and P[1:3,1:3] = K.
   * For a stereo pair, the fourth column [Tx Ty 0]' is related to the
   *  position of the optical center of the second camera in the first
   *  camera's frame. We assume Tz = 0 so both cameras are in the same
   *  stereo image plane. The first camera always has Tx = Ty = 0. For
   *  the right (second) camera of a horizontal stereo pair, Ty = 0 and
   *  Tx = -fx' * B, where B is the baseline between the cameras.
   * Given a 3D point [X Y Z]', the projection (x, y) of the point onto
   *  the rectified image is given by:
   *  [u v w]' = P * [X Y Z 1]'
   *         x = u / w
   *         y = v / w
   *  This holds for both images of a stereo pair.
   * 3x4 row-major matrix (float64, 12 elements)
   */
  p: Float64Array;
  /**
   * Binning refers here to any camera setting which combines rectangular
   *  neighborhoods of pixels into larger "super-pixels." It reduces the
   *  resolution of the output image to
   *  (width / binning_x) x (height / binning_y).
   * The default values binning_x = binning_y = 0 is considered the same
   *  as binning_x = binning_y = 1 (no subsampling). (uint32)
   */
  binning_x: number;
  /** (uint32) */
  binning_y: number;
  /**
   * Region of interest (subwindow of full camera resolution), given in
   *  full resolution (unbinned) image coordinates. A particular ROI
   *  always denotes the same window of pixels on the camera sensor,
   *  regardless of binning settings.
   * The default setting of roi (all values 0) is considered the same as
   *  full resolution (roi.width = width, roi.height = height).
   */
  roi: RegionOfInterest;
}

/**
 * `sensor_msgs/msg/ChannelFloat32`
 * This message is used by the PointCloud message to hold optional data
 * associated with each point in the cloud. The length of the values
 * array should be the same as the length of the points array in the
 * PointCloud, and each value should be associated with the corresponding
 * point.
 *
 * Channel names in existing practice include:
 *   "u", "v" - row and column (respectively) in the left stereo image.
 *              This is opposite to usual conventions but remains for
 *              historical reasons. The newer PointCloud2 message has no
 *              such problem.
 *   "rgb" - For point clouds produced by color stereo cameras. uint8
 *           (R,G,B) values packed into the least significant 24 bits,
 *           in order.
 *   "intensity" - laser or pixel intensity.
 *   "distance"
 */
export interface ChannelFloat32 {
  /**
   * The channel name should give semantics of the channel (e.g.
   * "intensity" instead of "value").
   */
  name: string;
  /**
   * The values array should be 1-1 with the elements of the associated
   * PointCloud. (float32)
   */
  values: Float32Array;
}

/**
 * `sensor_msgs/msg/CompressedImage`
 * This message contains a compressed image.
 */
export interface CompressedImage {
  /**
   * Header timestamp should be acquisition time of image
   * Header frame_id should be optical frame of camera
   * origin of frame should be optical center of cameara
   * +x should point to the right in the image
   * +y should point down in the image
   * +z should point into to plane of the image
   */
  header: std_msgs.Header;
  /**
   * Specifies the format of the data
   * Acceptable values differ by the image transport used:
   * - compressed_image_transport:
   * ORIG_PIXFMT; CODEC compressed [COMPRESSED_PIXFMT]
   * where:
   * - ORIG_PIXFMT is pixel format of the raw image, i.e.
   * the content of sensor_msgs/Image/encoding with
   * values from include/sensor_msgs/image_encodings.h
   * - CODEC is one of [jpeg, png, tiff]
   * - COMPRESSED_PIXFMT is only appended for color images
   * and is the pixel format used by the compression
   * algorithm. Valid values for jpeg encoding are:
   * [bgr8, rgb8]. Valid values for png encoding are:
   * [bgr8, rgb8, bgr16, rgb16].
   * If the field is empty or does not correspond to the
   * above pattern, the image is treated as bgr8 or mono8
   * jpeg image (depending on the number of channels).
   * - compressed_depth_image_transport:
   * ORIG_PIXFMT; compressedDepth CODEC
   * where:
   * - ORIG_PIXFMT is pixel format of the raw image, i.e.
   * the content of sensor_msgs/Image/encoding with
   * values from include/sensor_msgs/image_encodings.h
   * It is usually one of [16UC1, 32FC1].
   * - CODEC is one of [png, rvl]
   * If the field is empty or does not correspond to the
   * above pattern, the image is treated as png image.
   * - Other image transports can store whatever values they
   * need for successful decoding of the image. Refer to
   * documentation of the other transports for details.
   */
  format: string;
  /** Compressed image buffer (uint8) */
  data: Uint8Array;
}

/**
 * `sensor_msgs/msg/FluidPressure`
 * Single pressure reading.  This message is appropriate for measuring the
 * pressure inside of a fluid (air, water, etc).  This also includes
 * atmospheric or barometric pressure.
 *
 * This message is not appropriate for force/pressure contact sensors.
 */
export interface FluidPressure {
  /**
   * timestamp of the measurement
   * frame_id is the location of the pressure sensor
   */
  header: std_msgs.Header;
  /** Absolute pressure reading in Pascals. (float64) */
  fluid_pressure: number;
  /** 0 is interpreted as variance unknown (float64) */
  variance: number;
}

/**
 * `sensor_msgs/msg/Illuminance`
 * Single photometric illuminance measurement.  Light should be assumed to be
 * measured along the sensor's x-axis (the area of detection is the y-z plane).
 * The illuminance should have a 0 or positive value and be received with
 * the sensor's +X axis pointing toward the light source.
 *
 * Photometric illuminance is the measure of the human eye's sensitivity of the
 * intensity of light encountering or passing through a surface.
 *
 * All other Photometric and Radiometric measurements should not use this message.
 * This message cannot represent:
 *  - Luminous intensity (candela/light source output)
 *  - Luminance (nits/light output per area)
 *  - Irradiance (watt/area), etc.
 */
export interface Illuminance {
  /**
   * timestamp is the time the illuminance was measured
   * frame_id is the location and direction of the reading
   */
  header: std_msgs.Header;
  /** Measurement of the Photometric Illuminance in Lux. (float64) */
  illuminance: number;
  /** 0 is interpreted as variance unknown (float64) */
  variance: number;
}

/**
 * `sensor_msgs/msg/Image`
 * This message contains an uncompressed image
 * (0, 0) is at top-left corner of image
 */
export interface Image {
  /**
   * Header timestamp should be acquisition time of image
   * Header frame_id should be optical frame of camera
   * origin of frame should be optical center of cameara
   * +x should point to the right in the image
   * +y should point down in the image
   * +z should point into to plane of the image
   * If the frame_id here and the frame_id of the CameraInfo
   * message associated with the image conflict
   * the behavior is undefined
   */
  header: std_msgs.Header;
  /** image height, that is, number of rows (uint32) */
  height: number;
  /** image width, that is, number of columns (uint32) */
  width: number;
  /**
   * Encoding of pixels -- channel meaning, ordering, size
   * taken from the list of strings in include/sensor_msgs/image_encodings.hpp
   */
  encoding: string;
  /** is this data bigendian? (uint8) */
  is_bigendian: number;
  /** Full row length in bytes (uint32) */
  step: number;
  /** actual matrix data, size is (step * rows) (uint8) */
  data: Uint8Array;
}

/**
 * `sensor_msgs/msg/Imu`
 * This is a message to hold data from an IMU (Inertial Measurement Unit)
 *
 * Accelerations should be in m/s^2 (not in g's), and rotational velocity should be in rad/sec
 *
 * If the covariance of the measurement is known, it should be filled in (if all you know is the
 * variance of each measurement, e.g. from the datasheet, just put those along the diagonal)
 * A covariance matrix of all zeros will be interpreted as "covariance unknown", and to use the
 * data a covariance will have to be assumed or gotten from some other source
 *
 * If you have no estimate for one of the data elements (e.g. your IMU doesn't produce an
 * orientation estimate), please set element 0 of the associated covariance matrix to -1
 * If you are interpreting this message, please check for a value of -1 in the first element of each
 * covariance matrix, and disregard the associated estimate.
 */
export interface Imu {
  header: std_msgs.Header;
  orientation: geometry_msgs.Quaternion;
  /** Row major about x, y, z axes (float64, 9 elements) */
  orientation_covariance: Float64Array;
  angular_velocity: geometry_msgs.Vector3;
  /** Row major about x, y, z axes (float64, 9 elements) */
  angular_velocity_covariance: Float64Array;
  linear_acceleration: geometry_msgs.Vector3;
  /** Row major x, y z (float64, 9 elements) */
  linear_acceleration_covariance: Float64Array;
}

/**
 * `sensor_msgs/msg/JointState`
 * This is a message that holds data to describe the state of a set of torque controlled joints.
 *
 * The state of each joint (revolute or prismatic) is defined by:
 *  * the position of the joint (rad or m),
 *  * the velocity of the joint (rad/s or m/s) and
 *  * the effort that is applied in the joint (Nm or N).
 *
 * Each joint is uniquely identified by its name
 * The header specifies the time at which the joint states were recorded. All the joint states
 * in one message have to be recorded at the same time.
 *
 * This message consists of a multiple arrays, one for each part of the joint state.
 * The goal is to make each of the fields optional. When e.g. your joints have no
 * effort associated with them, you can leave the effort array empty.
 *
 * All arrays in this message should have the same size, or be empty.
 * This is the only way to uniquely associate the joint name with the correct
 * states.
 */
export interface JointState {
  header: std_msgs.Header;
  name: string[];
  /** (float64) */
  position: Float64Array;
  /** (float64) */
  velocity: Float64Array;
  /** (float64) */
  effort: Float64Array;
}

/**
 * `sensor_msgs/msg/Joy`
 * Reports the state of a joystick's axes and buttons.
 */
export interface Joy {
  /** The timestamp is the time at which data is received from the joystick. */
  header: std_msgs.Header;
  /** The axes measurements from a joystick. (float32) */
  axes: Float32Array;
  /** The buttons measurements from a joystick. (int32) */
  buttons: Int32Array;
}

/**
 * `sensor_msgs/msg/JoyFeedback`
 * Declare of the type of feedback
 */
export interface JoyFeedback {
  /** (uint8) */
  type: number;
  /**
   * This will hold an id number for each type of each feedback.
   * Example, the first led would be id=0, the second would be id=1 (uint8)
   */
  id: number;
  /**
   * Intensity of the feedback, from 0.0 to 1.0, inclusive.  If device is
   * actually binary, driver should treat 0<=x<0.5 as off, 0.5<=x<=1 as on. (float32)
   */
  intensity: number;
}
/** Constants of `sensor_msgs/msg/JoyFeedback`. */
export const JoyFeedback = {
  TYPE_LED: 0,
  TYPE_RUMBLE: 1,
  TYPE_BUZZER: 2,
} as const;

/**
 * `sensor_msgs/msg/JoyFeedbackArray`
 * This message publishes values for multiple feedback at once.
 */
export interface JoyFeedbackArray {
  array: JoyFeedback[];
}

/**
 * `sensor_msgs/msg/LaserEcho`
 * This message is a submessage of MultiEchoLaserScan and is not intended
 * to be used separately.
 */
export interface LaserEcho {
  /**
   * Multiple values of ranges or intensities.
   * Each array represents data from the same angle increment. (float32)
   */
  echoes: Float32Array;
}

/**
 * `sensor_msgs/msg/LaserScan`
 * Single scan from a planar laser range-finder
 *
 * If you have another ranging device with different behavior (e.g. a sonar
 * array), please find or create a different message, since applications
 * will make fairly laser-specific assumptions about this data
 */
export interface LaserScan {
  /**
   * timestamp in the header is the acquisition time of
   * the first ray in the scan.
   *
   * in frame frame_id, angles are measured around
   * the positive Z axis (counterclockwise, if Z is up)
   * with zero angle being forward along the x axis
   */
  header: std_msgs.Header;
  /** start angle of the scan [rad] (float32) */
  angle_min: number;
  /** end angle of the scan [rad] (float32) */
  angle_max: number;
  /** angular distance between measurements [rad] (float32) */
  angle_increment: number;
  /**
   * time between measurements [seconds] - if your scanner
   * is moving, this will be used in interpolating position
   * of 3d points (float32)
   */
  time_increment: number;
  /** time between scans [seconds] (float32) */
  scan_time: number;
  /** minimum range value [m] (float32) */
  range_min: number;
  /** maximum range value [m] (float32) */
  range_max: number;
  /**
   * range data [m]
   * (Note: values < range_min or > range_max should be discarded) (float32)
   */
  ranges: Float32Array;
  /**
   * intensity data [device-specific units].  If your
   * device does not provide intensities, please leave
   * the array empty. (float32)
   */
  intensities: Float32Array;
}

/**
 * `sensor_msgs/msg/MagneticField`
 * Measurement of the Magnetic Field vector at a specific location.
 *
 * If the covariance of the measurement is known, it should be filled in.
 * If all you know is the variance of each measurement, e.g. from the datasheet,
 * just put those along the diagonal.
 * A covariance matrix of all zeros will be interpreted as "covariance unknown",
 * and to use the data a covariance will have to be assumed or gotten from some
 * other source.
 */
export interface MagneticField {
  /**
   * timestamp is the time the
   * field was measured
   * frame_id is the location and orientation
   * of the field measurement
   */
  header: std_msgs.Header;
  /**
   * x, y, and z components of the
   * field vector in Tesla
   * If your sensor does not output 3 axes,
   * put NaNs in the components not reported.
   */
  magnetic_field: geometry_msgs.Vector3;
  /**
   * Row major about x, y, z axes
   * 0 is interpreted as variance unknown (float64, 9 elements)
   */
  magnetic_field_covariance: Float64Array;
}

/**
 * `sensor_msgs/msg/MultiDOFJointState`
 * Representation of state for joints with multiple degrees of freedom,
 * following the structure of JointState which can only represent a single degree of freedom.
 *
 * It is assumed that a joint in a system corresponds to a transform that gets applied
 * along the kinematic chain. For example, a planar joint (as in URDF) is 3DOF (x, y, yaw)
 * and those 3DOF can be expressed as a transformation matrix, and that transformation
 * matrix can be converted back to (x, y, yaw)
 *
 * Each joint is uniquely identified by its name
 * The header specifies the time at which the joint states were recorded. All the joint states
 * in one message have to be recorded at the same time.
 *
 * This message consists of a multiple arrays, one for each part of the joint state.
 * The goal is to make each of the fields optional. When e.g. your joints have no
 * wrench associated with them, you can leave the wrench array empty.
 *
 * All arrays in this message should have the same size, or be empty.
 * This is the only way to uniquely associate the joint name with the correct
 * states.
 */
export interface MultiDOFJointState {
  header: std_msgs.Header;
  joint_names: string[];
  transforms: geometry_msgs.Transform[];
  twist: geometry_msgs.Twist[];
  wrench: geometry_msgs.Wrench[];
}

/**
 * `sensor_msgs/msg/MultiEchoLaserScan`
 * Single scan from a multi-echo planar laser range-finder
 *
 * If you have another ranging device with different behavior (e.g. a sonar
 * array), please find or create a different message, since applications
 * will make fairly laser-specific assumptions about this data
 */
export interface MultiEchoLaserScan {
  /**
   * timestamp in the header is the acquisition time of
   * the first ray in the scan.
   *
   * in frame frame_id, angles are measured around
   * the positive Z axis (counterclockwise, if Z is up)
   * with zero angle being forward along the x axis
   */
  header: std_msgs.Header;
  /** start angle of the scan [rad] (float32) */
  angle_min: number;
  /** end angle of the scan [rad] (float32) */
  angle_max: number;
  /** angular distance between measurements [rad] (float32) */
  angle_increment: number;
  /**
   * time between measurements [seconds] - if your scanner
   * is moving, this will be used in interpolating position
   * of 3d points (float32)
   */
  time_increment: number;
  /** time between scans [seconds] (float32) */
  scan_time: number;
  /** minimum range value [m] (float32) */
  range_min: number;
  /** maximum range value [m] (float32) */
  range_max: number;
  /**
   * range data [m]
   * (Note: NaNs, values < range_min or > range_max should be discarded)
   * +Inf measurements are out of range
   * -Inf measurements are too close to determine exact distance.
   */
  ranges: LaserEcho[];
  /**
   * intensity data [device-specific units].  If your
   * device does not provide intensities, please leave
   * the array empty.
   */
  intensities: LaserEcho[];
}

/**
 * `sensor_msgs/msg/NavSatFix`
 * Navigation Satellite fix for any Global Navigation Satellite System
 *
 * Specified using the WGS 84 reference ellipsoid
 */
export interface NavSatFix {
  /**
   * header.stamp specifies the ROS time for this measurement (the
   *        corresponding satellite time may be reported using the
   *        sensor_msgs/TimeReference message).
   *
   * header.frame_id is the frame of reference reported by the satellite
   *        receiver, usually the location of the antenna.  This is a
   *        Euclidean frame relative to the vehicle, not a reference
   *        ellipsoid.
   */
  header: std_msgs.Header;
  /** Satellite fix status information. */
  status: NavSatStatus;
  /** Latitude [degrees]. Positive is north of equator; negative is south. (float64) */
  latitude: number;
  /** Longitude [degrees]. Positive is east of prime meridian; negative is west. (float64) */
  longitude: number;
  /**
   * Altitude [m]. Positive is above the WGS 84 ellipsoid
   * (quiet NaN if no altitude is available). (float64)
   */
  altitude: number;
  /**
   * Position covariance [m^2] defined relative to a tangential plane
   * through the reported position. The components are East, North, and
   * Up (ENU), in row-major order.
   *
   * Beware: this coordinate system exhibits singularities at the poles. (float64, 9 elements)
   */
  position_covariance: Float64Array;
  /** (uint8) */
  position_covariance_type: number;
}
/** Constants of `sensor_msgs/msg/NavSatFix`. */
export const NavSatFix = {
  COVARIANCE_TYPE_UNKNOWN: 0,
  COVARIANCE_TYPE_APPROXIMATED: 1,
  COVARIANCE_TYPE_DIAGONAL_KNOWN: 2,
  COVARIANCE_TYPE_KNOWN: 3,
} as const;

/**
 * `sensor_msgs/msg/NavSatStatus`
 * Navigation Satellite fix status for any Global Navigation Satellite System.
 *
 * Whether to output an augmented fix is determined by both the fix
 * type and the last time differential corrections were received.  A
 * fix is valid when status >= STATUS_FIX.
 */
export interface NavSatStatus {
  /** STATUS_UNKNOWN (int8) */
  status: number;
  /** (uint16) */
  service: number;
}
/** Constants of `sensor_msgs/msg/NavSatStatus`. */
export const NavSatStatus = {
  /** status is not yet set */
  STATUS_UNKNOWN: -2,
  /** unable to fix position */
  STATUS_NO_FIX: -1,
  /** unaugmented fix */
  STATUS_FIX: 0,
  /** with satellite-based augmentation */
  STATUS_SBAS_FIX: 1,
  /** with ground-based augmentation */
  STATUS_GBAS_FIX: 2,
  /** Remember service is a bitfield, so checking (service & SERVICE_UNKNOWN) will not work. Use == instead. */
  SERVICE_UNKNOWN: 0,
  SERVICE_GPS: 1,
  SERVICE_GLONASS: 2,
  /** includes BeiDou. */
  SERVICE_COMPASS: 4,
  SERVICE_GALILEO: 8,
} as const;

/**
 * `sensor_msgs/msg/PointCloud`
 * THIS MESSAGE IS DEPRECATED AS OF FOXY
 * Please use sensor_msgs/PointCloud2
 */
export interface PointCloud {
  /** Time of sensor data acquisition, coordinate frame ID. */
  header: std_msgs.Header;
  /**
   * Array of 3d points. Each Point32 should be interpreted as a 3d point
   * in the frame given in the header.
   */
  points: geometry_msgs.Point32[];
  /**
   * Each channel should have the same number of elements as points array,
   * and the data in each channel should correspond 1:1 with each point.
   * Channel names in common practice are listed in ChannelFloat32.msg.
   */
  channels: ChannelFloat32[];
}

/**
 * `sensor_msgs/msg/PointCloud2`
 * This message holds a collection of N-dimensional points, which may
 * contain additional information such as normals, intensity, etc. The
 * point data is stored as a binary blob, its layout described by the
 * contents of the "fields" array.
 *
 * The point cloud data may be organized 2d (image-like) or 1d (unordered).
 * Point clouds organized as 2d images may be produced by camera depth sensors
 * such as stereo or time-of-flight.
 */
export interface PointCloud2 {
  /** Time of sensor data acquisition, and the coordinate frame ID (for 3d points). */
  header: std_msgs.Header;
  /**
   * 2D structure of the point cloud. If the cloud is unordered, height is
   * 1 and width is the length of the point cloud. (uint32)
   */
  height: number;
  /** (uint32) */
  width: number;
  /** Describes the channels and their layout in the binary data blob. */
  fields: PointField[];
  /** Is this data bigendian? */
  is_bigendian: boolean;
  /** Length of a point in bytes (uint32) */
  point_step: number;
  /** Length of a row in bytes (uint32) */
  row_step: number;
  /** Actual point data, size is (row_step*height) (uint8) */
  data: Uint8Array;
  /** True if there are no invalid points */
  is_dense: boolean;
}

/**
 * `sensor_msgs/msg/PointField`
 * This message holds the description of one point entry in the
 * PointCloud2 message format.
 */
export interface PointField {
  /**
   * Common PointField names are x, y, z, intensity, rgb, rgba
   * Name of field
   */
  name: string;
  /** Offset from start of point struct (uint32) */
  offset: number;
  /** Datatype enumeration, see above (uint8) */
  datatype: number;
  /** How many elements in the field (uint32) */
  count: number;
}
/** Constants of `sensor_msgs/msg/PointField`. */
export const PointField = {
  INT8: 1,
  UINT8: 2,
  INT16: 3,
  UINT16: 4,
  INT32: 5,
  UINT32: 6,
  FLOAT32: 7,
  FLOAT64: 8,
} as const;

/**
 * `sensor_msgs/msg/Range`
 * Single range reading from an active ranger that emits energy and reports
 * one range reading that is valid along an arc at the distance measured.
 * This message is  not appropriate for laser scanners. See the LaserScan
 * message if you are working with a laser scanner.
 *
 * This message also can represent a fixed-distance (binary) ranger.  This
 * sensor will have min_range===max_range===distance of detection.
 * These sensors follow REP 117 and will output -Inf if the object is detected
 * and +Inf if the object is outside of the detection range.
 */
export interface Range {
  /**
   * timestamp in the header is the time the ranger
   * returned the distance reading
   */
  header: std_msgs.Header;
  /**
   * the type of radiation used by the sensor
   * (sound, IR, etc) [enum] (uint8)
   */
  radiation_type: number;
  /**
   * the size of the arc that the distance reading is
   * valid for [rad]
   * the object causing the range reading may have
   * been anywhere within -field_of_view/2 and
   * field_of_view/2 at the measured range.
   * 0 angle corresponds to the x-axis of the sensor. (float32)
   */
  field_of_view: number;
  /** minimum range value [m] (float32) */
  min_range: number;
  /**
   * maximum range value [m]
   * Fixed distance rangers require min_range==max_range (float32)
   */
  max_range: number;
  /**
   * range data [m]
   * (Note: values < range_min or > range_max should be discarded)
   * Fixed distance rangers only output -Inf or +Inf.
   * -Inf represents a detection within fixed distance.
   * (Detection too close to the sensor to quantify)
   * +Inf represents no detection within the fixed distance.
   * (Object out of range) (float32)
   */
  range: number;
  /**
   * variance of the range sensor
   * 0 is interpreted as variance unknown (float32)
   */
  variance: number;
}
/** Constants of `sensor_msgs/msg/Range`. */
export const Range = {
  /**
   * Radiation type enums
   * If you want a value added to this list, send an email to the ros-users list
   */
  ULTRASOUND: 0,
  INFRARED: 1,
} as const;

/**
 * `sensor_msgs/msg/RegionOfInterest`
 * This message is used to specify a region of interest within an image.
 *
 * When used to specify the ROI setting of the camera when the image was
 * taken, the height and width fields should either match the height and
 * width fields for the associated image; or height = width = 0
 * indicates that the full resolution image was captured.
 */
export interface RegionOfInterest {
  /**
   * Leftmost pixel of the ROI
   * (0 if the ROI includes the left edge of the image) (uint32)
   */
  x_offset: number;
  /**
   * Topmost pixel of the ROI
   * (0 if the ROI includes the top edge of the image) (uint32)
   */
  y_offset: number;
  /** Height of ROI (uint32) */
  height: number;
  /** Width of ROI (uint32) */
  width: number;
  /**
   * True if a distinct rectified ROI should be calculated from the "raw"
   * ROI in this message. Typically this should be False if the full image
   * is captured (ROI not used), and True if a subwindow is captured (ROI
   * used).
   */
  do_rectify: boolean;
}

/**
 * `sensor_msgs/msg/RelativeHumidity`
 * Single reading from a relative humidity sensor.
 * Defines the ratio of partial pressure of water vapor to the saturated vapor
 * pressure at a temperature.
 */
export interface RelativeHumidity {
  /**
   * timestamp of the measurement
   * frame_id is the location of the humidity sensor
   */
  header: std_msgs.Header;
  /**
   * Expression of the relative humidity
   * from 0.0 to 1.0.
   * 0.0 is no partial pressure of water vapor
   * 1.0 represents partial pressure of saturation (float64)
   */
  relative_humidity: number;
  /** 0 is interpreted as variance unknown (float64) */
  variance: number;
}

/**
 * `sensor_msgs/msg/Temperature`
 * Single temperature reading.
 */
export interface Temperature {
  /**
   * timestamp is the time the temperature was measured
   * frame_id is the location of the temperature reading
   */
  header: std_msgs.Header;
  /** Measurement of the Temperature in Degrees Celsius. (float64) */
  temperature: number;
  /** 0 is interpreted as variance unknown. (float64) */
  variance: number;
}

/**
 * `sensor_msgs/msg/TimeReference`
 * Measurement from an external time source not actively synchronized with the system clock.
 */
export interface TimeReference {
  /**
   * stamp is system time for which measurement was valid
   * frame_id is not used
   */
  header: std_msgs.Header;
  /** corresponding time from this external source */
  time_ref: builtin_interfaces.Time;
  /** (optional) name of time source */
  source: string;
}

/**
 * `sensor_msgs/srv/SetCameraInfo_Request`
 * This service requests that a camera stores the given CameraInfo as that
 * camera's calibration information.
 *
 * The width and height in the camera_info field should match what the
 * camera is currently outputting on its camera_info topic, and the camera
 * will assume that the region of the imager that is being referred to is
 * the region that the camera is currently capturing.
 */
export interface SetCameraInfo_Request {
  /** The camera_info to store */
  camera_info: CameraInfo;
}

/** `sensor_msgs/srv/SetCameraInfo_Response` */
export interface SetCameraInfo_Response {
  /** True if the call succeeded */
  success: boolean;
  /** Used to give details about success */
  status_message: string;
}

export interface Messages {
  "sensor_msgs/msg/BatteryState": BatteryState;
  "sensor_msgs/msg/CameraInfo": CameraInfo;
  "sensor_msgs/msg/ChannelFloat32": ChannelFloat32;
  "sensor_msgs/msg/CompressedImage": CompressedImage;
  "sensor_msgs/msg/FluidPressure": FluidPressure;
  "sensor_msgs/msg/Illuminance": Illuminance;
  "sensor_msgs/msg/Image": Image;
  "sensor_msgs/msg/Imu": Imu;
  "sensor_msgs/msg/JointState": JointState;
  "sensor_msgs/msg/Joy": Joy;
  "sensor_msgs/msg/JoyFeedback": JoyFeedback;
  "sensor_msgs/msg/JoyFeedbackArray": JoyFeedbackArray;
  "sensor_msgs/msg/LaserEcho": LaserEcho;
  "sensor_msgs/msg/LaserScan": LaserScan;
  "sensor_msgs/msg/MagneticField": MagneticField;
  "sensor_msgs/msg/MultiDOFJointState": MultiDOFJointState;
  "sensor_msgs/msg/MultiEchoLaserScan": MultiEchoLaserScan;
  "sensor_msgs/msg/NavSatFix": NavSatFix;
  "sensor_msgs/msg/NavSatStatus": NavSatStatus;
  "sensor_msgs/msg/PointCloud": PointCloud;
  "sensor_msgs/msg/PointCloud2": PointCloud2;
  "sensor_msgs/msg/PointField": PointField;
  "sensor_msgs/msg/Range": Range;
  "sensor_msgs/msg/RegionOfInterest": RegionOfInterest;
  "sensor_msgs/msg/RelativeHumidity": RelativeHumidity;
  "sensor_msgs/msg/Temperature": Temperature;
  "sensor_msgs/msg/TimeReference": TimeReference;
}

export interface Services {
  "sensor_msgs/srv/SetCameraInfo": { request: SetCameraInfo_Request; response: SetCameraInfo_Response };
}

/** @internal */
export const texts = {
  "sensor_msgs/msg/BatteryState":
    "uint8 POWER_SUPPLY_STATUS_UNKNOWN = 0\nuint8 POWER_SUPPLY_STATUS_CHARGING = 1\nuint8 POWER_SUPPLY_STATUS_DISCHARGING = 2\nuint8 POWER_SUPPLY_STATUS_NOT_CHARGING = 3\nuint8 POWER_SUPPLY_STATUS_FULL = 4\nuint8 POWER_SUPPLY_HEALTH_UNKNOWN = 0\nuint8 POWER_SUPPLY_HEALTH_GOOD = 1\nuint8 POWER_SUPPLY_HEALTH_OVERHEAT = 2\nuint8 POWER_SUPPLY_HEALTH_DEAD = 3\nuint8 POWER_SUPPLY_HEALTH_OVERVOLTAGE = 4\nuint8 POWER_SUPPLY_HEALTH_UNSPEC_FAILURE = 5\nuint8 POWER_SUPPLY_HEALTH_COLD = 6\nuint8 POWER_SUPPLY_HEALTH_WATCHDOG_TIMER_EXPIRE = 7\nuint8 POWER_SUPPLY_HEALTH_SAFETY_TIMER_EXPIRE = 8\nuint8 POWER_SUPPLY_TECHNOLOGY_UNKNOWN = 0\nuint8 POWER_SUPPLY_TECHNOLOGY_NIMH = 1\nuint8 POWER_SUPPLY_TECHNOLOGY_LION = 2\nuint8 POWER_SUPPLY_TECHNOLOGY_LIPO = 3\nuint8 POWER_SUPPLY_TECHNOLOGY_LIFE = 4\nuint8 POWER_SUPPLY_TECHNOLOGY_NICD = 5\nuint8 POWER_SUPPLY_TECHNOLOGY_LIMN = 6\nuint8 POWER_SUPPLY_TECHNOLOGY_TERNARY = 7\nuint8 POWER_SUPPLY_TECHNOLOGY_VRLA = 8\nstd_msgs/Header header\nfloat32 voltage\nfloat32 temperature\nfloat32 current\nfloat32 charge\nfloat32 capacity\nfloat32 design_capacity\nfloat32 percentage\nuint8 power_supply_status\nuint8 power_supply_health\nuint8 power_supply_technology\nbool present\nfloat32[] cell_voltage\nfloat32[] cell_temperature\nstring location\nstring serial_number",
  "sensor_msgs/msg/CameraInfo":
    "std_msgs/Header header\nuint32 height\nuint32 width\nstring distortion_model\nfloat64[] d\nfloat64[9] k\nfloat64[9] r\nfloat64[12] p\nuint32 binning_x\nuint32 binning_y\nRegionOfInterest roi",
  "sensor_msgs/msg/ChannelFloat32": "string name\nfloat32[] values",
  "sensor_msgs/msg/CompressedImage": "std_msgs/Header header\nstring format\nuint8[] data",
  "sensor_msgs/msg/FluidPressure": "std_msgs/Header header\nfloat64 fluid_pressure\nfloat64 variance",
  "sensor_msgs/msg/Illuminance": "std_msgs/Header header\nfloat64 illuminance\nfloat64 variance",
  "sensor_msgs/msg/Image":
    "std_msgs/Header header\nuint32 height\nuint32 width\nstring encoding\nuint8 is_bigendian\nuint32 step\nuint8[] data",
  "sensor_msgs/msg/Imu":
    "std_msgs/Header header\ngeometry_msgs/Quaternion orientation\nfloat64[9] orientation_covariance\ngeometry_msgs/Vector3 angular_velocity\nfloat64[9] angular_velocity_covariance\ngeometry_msgs/Vector3 linear_acceleration\nfloat64[9] linear_acceleration_covariance",
  "sensor_msgs/msg/JointState":
    "std_msgs/Header header\nstring[] name\nfloat64[] position\nfloat64[] velocity\nfloat64[] effort",
  "sensor_msgs/msg/Joy": "std_msgs/Header header\nfloat32[] axes\nint32[] buttons",
  "sensor_msgs/msg/JoyFeedback":
    "uint8 TYPE_LED = 0\nuint8 TYPE_RUMBLE = 1\nuint8 TYPE_BUZZER = 2\nuint8 type\nuint8 id\nfloat32 intensity",
  "sensor_msgs/msg/JoyFeedbackArray": "JoyFeedback[] array",
  "sensor_msgs/msg/LaserEcho": "float32[] echoes",
  "sensor_msgs/msg/LaserScan":
    "std_msgs/Header header\nfloat32 angle_min\nfloat32 angle_max\nfloat32 angle_increment\nfloat32 time_increment\nfloat32 scan_time\nfloat32 range_min\nfloat32 range_max\nfloat32[] ranges\nfloat32[] intensities",
  "sensor_msgs/msg/MagneticField":
    "std_msgs/Header header\ngeometry_msgs/Vector3 magnetic_field\nfloat64[9] magnetic_field_covariance",
  "sensor_msgs/msg/MultiDOFJointState":
    "std_msgs/Header header\nstring[] joint_names\ngeometry_msgs/Transform[] transforms\ngeometry_msgs/Twist[] twist\ngeometry_msgs/Wrench[] wrench",
  "sensor_msgs/msg/MultiEchoLaserScan":
    "std_msgs/Header header\nfloat32 angle_min\nfloat32 angle_max\nfloat32 angle_increment\nfloat32 time_increment\nfloat32 scan_time\nfloat32 range_min\nfloat32 range_max\nLaserEcho[] ranges\nLaserEcho[] intensities",
  "sensor_msgs/msg/NavSatFix":
    "std_msgs/Header header\nNavSatStatus status\nfloat64 latitude\nfloat64 longitude\nfloat64 altitude\nfloat64[9] position_covariance\nuint8 COVARIANCE_TYPE_UNKNOWN = 0\nuint8 COVARIANCE_TYPE_APPROXIMATED = 1\nuint8 COVARIANCE_TYPE_DIAGONAL_KNOWN = 2\nuint8 COVARIANCE_TYPE_KNOWN = 3\nuint8 position_covariance_type",
  "sensor_msgs/msg/NavSatStatus":
    "int8 STATUS_UNKNOWN = -2\nint8 STATUS_NO_FIX = -1\nint8 STATUS_FIX = 0\nint8 STATUS_SBAS_FIX = 1\nint8 STATUS_GBAS_FIX = 2\nint8 status -2\nuint16 SERVICE_UNKNOWN = 0\nuint16 SERVICE_GPS = 1\nuint16 SERVICE_GLONASS = 2\nuint16 SERVICE_COMPASS = 4\nuint16 SERVICE_GALILEO = 8\nuint16 service",
  "sensor_msgs/msg/PointCloud":
    "std_msgs/Header header\ngeometry_msgs/Point32[] points\nChannelFloat32[] channels",
  "sensor_msgs/msg/PointCloud2":
    "std_msgs/Header header\nuint32 height\nuint32 width\nPointField[] fields\nbool is_bigendian\nuint32 point_step\nuint32 row_step\nuint8[] data\nbool is_dense",
  "sensor_msgs/msg/PointField":
    "uint8 INT8 = 1\nuint8 UINT8 = 2\nuint8 INT16 = 3\nuint8 UINT16 = 4\nuint8 INT32 = 5\nuint8 UINT32 = 6\nuint8 FLOAT32 = 7\nuint8 FLOAT64 = 8\nstring name\nuint32 offset\nuint8 datatype\nuint32 count",
  "sensor_msgs/msg/Range":
    "std_msgs/Header header\nuint8 ULTRASOUND=0\nuint8 INFRARED=1\nuint8 radiation_type\nfloat32 field_of_view\nfloat32 min_range\nfloat32 max_range\nfloat32 range\nfloat32 variance",
  "sensor_msgs/msg/RegionOfInterest":
    "uint32 x_offset\nuint32 y_offset\nuint32 height\nuint32 width\nbool do_rectify",
  "sensor_msgs/msg/RelativeHumidity": "std_msgs/Header header\nfloat64 relative_humidity\nfloat64 variance",
  "sensor_msgs/msg/Temperature": "std_msgs/Header header\nfloat64 temperature\nfloat64 variance",
  "sensor_msgs/msg/TimeReference": "std_msgs/Header header\nbuiltin_interfaces/Time time_ref\nstring source",
  "sensor_msgs/srv/SetCameraInfo":
    "sensor_msgs/CameraInfo camera_info\n---\nbool success\nstring status_message",
};
