// Made by common.test.ts from the packages' interface files (Apache License 2.0): change those.
// biome-ignore-all lint/suspicious/noShadowRestrictedNames: the names are ROS's
// biome-ignore-all lint/suspicious/noRedeclare: a message and its constants share a name
import type * as sensor_msgs from "./sensor_msgs.js";
import type * as std_msgs from "./std_msgs.js";

/**
 * `stereo_msgs/msg/DisparityImage`
 * Separate header for compatibility with current TimeSynchronizer.
 * Likely to be removed in a later release, use image.header instead.
 */
export interface DisparityImage {
  header: std_msgs.Header;
  /**
   * Floating point disparity image. The disparities are pre-adjusted for any
   * x-offset between the principal points of the two cameras (in the case
   * that they are verged). That is: d = x_l - x_r - (cx_l - cx_r)
   */
  image: sensor_msgs.Image;
  /**
   * Stereo geometry. For disparity d, the depth from the camera is Z = fT/d.
   * Focal length, pixels (float32)
   */
  f: number;
  /** Baseline, world units (float32) */
  t: number;
  /** Subwindow of (potentially) valid disparity values. */
  valid_window: sensor_msgs.RegionOfInterest;
  /**
   * The range of disparities searched.
   * In the disparity image, any disparity less than min_disparity is invalid.
   * The disparity search range defines the horopter, or 3D volume that the
   * stereo algorithm can "see". Points with Z outside of:
   *     Z_min = fT / max_disparity
   *     Z_max = fT / min_disparity
   * could not be found. (float32)
   */
  min_disparity: number;
  /** (float32) */
  max_disparity: number;
  /**
   * Smallest allowed disparity increment. The smallest achievable depth range
   * resolution is delta_Z = (Z^2/fT)*delta_d. (float32)
   */
  delta_d: number;
}

export interface Messages {
  "stereo_msgs/msg/DisparityImage": DisparityImage;
}

/** @internal */
export const texts = {
  "stereo_msgs/msg/DisparityImage":
    "std_msgs/Header header\nsensor_msgs/Image image\nfloat32 f\nfloat32 t\nsensor_msgs/RegionOfInterest valid_window\nfloat32 min_disparity\nfloat32 max_disparity\nfloat32 delta_d",
};
