/**
 * Graph SLAM with a lidar: scans at key frames are matched to the one before and, where the robot comes back, to old ones;
 * each match is an edge of a pose graph, and a closed loop bends the whole trajectory right. (Lu & Milios 1997; Konolige et
 * al., "Efficient sparse pose adjustment for 2D mapping", 2010.)
 */
import { cauchy } from "../../solve/loss.js";
import { symmetricInverse } from "../dense.js";
import { compose2, type MotionNoise, type Pose2, relative2 } from "../filter/motion.js";
import { matchScans, PointCloud, type ScanMatch } from "../mapping/icp.js";
import { OccupancyGrid, type OccupancyOptions } from "../mapping/occupancy.js";
import { type LaserScan, scanPoints } from "../mapping/scan.js";
import { optimizePoseGraphSync, PoseGraph } from "./graph.js";

export interface ScanSlamOptions {
  /** A key frame is made after this way or turn, metres and radians. Default 0.5 and 0.5. */
  readonly keyframeDistance?: number;
  readonly keyframeTurn?: number;
  /** Variances of odometry: as of `MotionNoise`, by metre and radian between key frames. Default [0.01, 0.01, 0.01, 0.01]. */
  readonly odometryNoise?: MotionNoise;
  /** Standard deviation of a scan's ranges, metres. Default 0.02. */
  readonly rangeDeviation?: number;
  /** Old key frames within this distance are tried as loops, metres; those of the last `loopGap` frames are not. Default 3 and 15. */
  readonly loopRadius?: number;
  readonly loopGap?: number;
  /** A match counts if this part of its points has partners, and lies this near, metres. Default 0.7 and 0.08. */
  readonly minOverlap?: number;
  readonly maxRms?: number;
}

export interface Keyframe {
  readonly scan: LaserScan;
  readonly cloud: PointCloud;
}

/** What a scan did. */
export interface ScanResult {
  /** Index of the key frame that it became, or −1. */
  readonly keyframe: number;
  /** The old key frame that a loop was closed with, or −1. */
  readonly loop: number;
}

export class ScanSlam {
  readonly graph = new PoseGraph(2);
  readonly keyframes: Keyframe[] = [];
  /** Pairs of key frames that loops joined. */
  readonly loops: [number, number][] = [];
  private readonly o: Required<ScanSlamOptions>;
  private since: Pose2 = { x: 0, y: 0, theta: 0 };

  /** @param start pose of the first scan, which stays as it is */
  constructor(
    private readonly start: Pose2 = { x: 0, y: 0, theta: 0 },
    options: ScanSlamOptions = {},
  ) {
    this.o = {
      keyframeDistance: 0.5,
      keyframeTurn: 0.5,
      odometryNoise: [0.01, 0.01, 0.01, 0.01],
      rangeDeviation: 0.02,
      loopRadius: 3,
      loopGap: 15,
      minOverlap: 0.7,
      maxRms: 0.08,
      ...options,
    };
  }

  /** Where the robot is by all that is known. */
  get pose(): Pose2 {
    return this.keyframes.length === 0
      ? this.start
      : compose2(this.poseOf(this.keyframes.length - 1), this.since);
  }

  poseOf(keyframe: number): Pose2 {
    const [x, y, theta] = this.graph.pose(keyframe);
    return { x, y, theta };
  }

  /**
   * The robot moved and then saw a scan.
   * @param moved by odometry since the scan before, in the frame of the robot as it was then
   */
  add(moved: Pose2, scan: LaserScan): ScanResult {
    const { keyframes, graph } = this;
    const first = keyframes.length === 0;
    if (!first) this.since = compose2(this.since, moved);
    const { x, y, theta } = this.since;
    const way = Math.hypot(x, y);
    if (!first && way < this.o.keyframeDistance && Math.abs(theta) < this.o.keyframeTurn)
      return { keyframe: -1, loop: -1 };
    const cloud = new PointCloud(scanPoints(scan));
    if (first) {
      graph.addPose([this.start.x, this.start.y, this.start.theta]);
      keyframes.push({ scan, cloud });
      return { keyframe: 0, loop: -1 };
    }
    const before = keyframes.length - 1;
    const match = this.tryMatch(before, cloud, this.since);
    const relative = match?.pose ?? this.since;
    const pose = compose2(this.poseOf(before), relative);
    const index = graph.addPose([pose.x, pose.y, pose.theta]);
    keyframes.push({ scan, cloud });
    this.join(before, index, this.since, this.odometryInformation(way, Math.abs(theta)));
    if (match) this.join(before, index, match.pose, match.information);
    this.since = { x: 0, y: 0, theta: 0 };
    return { keyframe: index, loop: this.closeLoop(index) };
  }

  /** All scans drawn from where they were made. */
  map(options: OccupancyOptions): OccupancyGrid {
    const grid = new OccupancyGrid(options);
    this.keyframes.forEach(({ scan }, i) => {
      grid.update(this.poseOf(i), scan);
    });
    return grid;
  }

  private join(from: number, to: number, { x, y, theta }: Pose2, information: Float64Array): void {
    this.graph.addEdge({ from, to, measurement: [x, y, theta], information });
  }

  /** The nearest old key frame whose scan matches. */
  private closeLoop(index: number): number {
    const { loopRadius, loopGap } = this.o;
    const here = this.poseOf(index);
    const candidates: { i: number; distance: number }[] = [];
    for (let i = 0; i < index - loopGap; i++) {
      const { x, y } = this.poseOf(i);
      const distance = Math.hypot(x - here.x, y - here.y);
      if (distance < loopRadius) candidates.push({ i, distance });
    }
    candidates.sort((a, b) => a.distance - b.distance);
    for (const { i } of candidates.slice(0, 3)) {
      const match = this.tryMatch(i, this.keyframes[index].cloud, relative2(this.poseOf(i), here), 1);
      if (!match) continue;
      this.join(i, index, match.pose, match.information);
      this.loops.push([i, index]);
      // a wrong closure among right ones loses its weight
      optimizePoseGraphSync(this.graph, { loss: cauchy(5), maxIterations: 30 });
      return i;
    }
    return -1;
  }

  private tryMatch(i: number, cloud: PointCloud, guess: Pose2, maxDistance = 0.5): ScanMatch | null {
    const { minOverlap, maxRms, rangeDeviation } = this.o;
    if (cloud.count < 20 || this.keyframes[i].cloud.count < 20) return null;
    const match = matchScans(this.keyframes[i].cloud, cloud, {
      guess,
      maxDistance,
      deviation: rangeDeviation,
    });
    return match.converged && match.overlap >= minOverlap && match.rms <= maxRms ? this.capped(match) : null;
  }

  /** Points of one wall share their errors: no match is taken for better than 5 mm and a tenth of a degree. */
  private capped(match: ScanMatch): ScanMatch {
    const covariance = symmetricInverse(match.information, 3);
    if (!covariance) return match;
    const least = [0.005, 0.005, 0.002];
    for (let i = 0; i < 3; i++) covariance[i * 4] += least[i] ** 2;
    return { ...match, information: symmetricInverse(covariance, 3) ?? match.information };
  }

  private odometryInformation(way: number, turn: number): Float64Array {
    const [a1, a2, a3, a4] = this.o.odometryNoise;
    const along = a1 * way + a2 * turn + 1e-6;
    const around = a3 * way + a4 * turn + 1e-6;
    return Float64Array.of(1 / along, 0, 0, 0, 1 / along, 0, 0, 0, 1 / around);
  }
}
