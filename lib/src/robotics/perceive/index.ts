/** Perception: where the robot is, what the world looks like, what stands in it. */
export { type BundleOptions, type BundleSolution, bundleAdjust } from "./bundle/adjust.js";
export {
  type BundleProblem,
  formatBal,
  parseBal,
  type SyntheticBundleOptions,
  syntheticBundle,
} from "./bundle/bal.js";
export { projectSnavely, snavelyReprojection } from "./bundle/snavely.js";
export {
  type Association,
  type Candidate,
  jointCompatibility,
  nearestNeighbour,
} from "./filter/association.js";
export { chiSquaredCdf, chiSquaredQuantile } from "./filter/chi-squared.js";
export {
  ExtendedKalmanFilter,
  type Innovation,
  type LinearMeasurement,
  linearized,
  type UpdateResult,
} from "./filter/kalman.js";
export {
  EkfLocalization,
  EkfSlam,
  type LandmarkFilterOptions,
  type Observed,
} from "./filter/landmark-slam.js";
export { MonteCarloLocalization, type MonteCarloOptions } from "./filter/monte-carlo.js";
export {
  compose2,
  drive,
  type LinearMotion,
  linearDrive,
  type MotionNoise,
  type Pose2,
  relative2,
  type Twist2,
} from "./filter/motion.js";
export { predictRangeBearing, type RangeBearing, type RangeBearingNoise } from "./filter/range-bearing.js";
export { UnscentedKalmanFilter, type UnscentedOptions } from "./filter/unscented.js";
export { matchScans, PointCloud, type ScanMatch, type ScanMatchOptions } from "./mapping/icp.js";
export { OccupancyGrid, type OccupancyOptions } from "./mapping/occupancy.js";
export { type LaserScan, scanPoints, transformPoints } from "./mapping/scan.js";
export {
  type PinholeCamera,
  pinholeReprojection,
  projectPinhole,
  unprojectPixel,
} from "./odometry/camera.js";
export {
  eightPoint,
  estimateRelativePose,
  fivePoint,
  type Matches,
  type RansacOptions,
  type RelativePose,
} from "./odometry/essential.js";
export { type Corner, type FastOptions, fastCorners } from "./odometry/fast.js";
export { type GrayImage, toGray } from "./odometry/image.js";
export { type KltOptions, trackPoints } from "./odometry/klt.js";
export {
  LandmarkOdometry,
  type LandmarkOdometryOptions,
  type OdometryResult,
  type TrackedPixel,
} from "./odometry/landmark-odometry.js";
export { type Features, matchFeatures, orbFeatures } from "./odometry/orb.js";
export { type PnpResult, solvePnp, threePointPose } from "./odometry/pnp.js";
export { type Triangulated, triangulate } from "./odometry/triangulate.js";
export { VisualOdometry, type VisualOdometryOptions } from "./odometry/visual-odometry.js";
export { between2, between3, landmark2, prior2 } from "./pose-graph/factors.js";
export { formatG2o, parseG2o } from "./pose-graph/g2o.js";
export {
  optimizePoseGraph,
  optimizePoseGraphSync,
  type PoseEdge,
  PoseGraph,
  type PoseGraphOptions,
  poseGraphProblem,
} from "./pose-graph/graph.js";
export { type Keyframe, type ScanResult, ScanSlam, type ScanSlamOptions } from "./pose-graph/scan-slam.js";
export {
  manhattanWorld,
  sphereWorld,
  trajectoryError2,
  type World,
  type WorldOptions,
} from "./pose-graph/worlds.js";
export { type BirdsEye, type BirdsEyeOptions, birdsEyeView } from "./scene/birds-eye.js";
export { type Box, boxIoU, type Detection, type Labelled, nonMaximumSuppression } from "./scene/boxes.js";
export {
  CenterDetector,
  detectionLoss,
  detectionTarget,
  type SceneTrainingOptions,
  trainDetector,
} from "./scene/detector.js";
export {
  averagePrecision,
  type DetectionMetrics,
  detectionMetrics,
  type SegmentationMetrics,
  segmentationMetrics,
} from "./scene/metrics.js";
export { type Scene, type SceneOptions, SHAPES, sceneImages, shapeScenes } from "./scene/scenes.js";
export { trainSegmenter, UNet } from "./scene/segmenter.js";
