/**
 * Visual odometry from tracked points: two views found by their essential matrix, each next one by its known points (PnP),
 * new points triangulated at key frames, the last key frames refined together by bundle adjustment. (Mur-Artal et al.,
 * "ORB-SLAM", 2015: its tracking and local mapping, for one camera and without place recognition.)
 */
import { huber } from "../../solve/loss.js";
import { quaternionMatrix, SE3 } from "../../solve/manifold.js";
import { Problem } from "../../solve/problem.js";
import { minimizeSync } from "../../solve/solver.js";
import { pose3, relativePose3 } from "../pose-graph/factors.js";
import { compose3 } from "../pose-graph/worlds.js";
import { checkCamera, type PinholeCamera, pinholeReprojection, unprojectPixel } from "./camera.js";
import { estimateRelativePose } from "./essential.js";
import { reprojectionError, solvePnp } from "./pnp.js";
import { triangulate } from "./triangulate.js";

/** A point that is followed from image to image; the simulator's pixel readings fit. */
export interface TrackedPixel {
  readonly id: number;
  readonly u: number;
  readonly v: number;
}

export interface LandmarkOdometryOptions {
  /** Largest reprojection error of an inlier, pixels. Default 2. */
  readonly threshold?: number;
  /** Median way of points in the image before the first two views are taken, pixels. Default 12. */
  readonly minParallax?: number;
  /** Smallest angle between rays that make a point, radians. Default 0.02. */
  readonly minAngle?: number;
  /** Distance between the first two views in metres, which one camera can't know. Default 1. */
  readonly baseline?: number;
  /** A key frame is made when fewer than this part of the last one's known points are still seen. Default 0.75. */
  readonly keyframeRatio?: number;
  /** Key frames that bundle adjustment moves. Default 6. */
  readonly window?: number;
  readonly seed?: number;
}

interface Keyframe {
  readonly frame: number;
  pose: Float64Array;
  readonly pixels: Map<number, TrackedPixel>;
}

export interface OdometryResult {
  /** "initializing" until two views are far enough apart; "lost" where too few known points are seen. */
  readonly state: "initializing" | "tracking" | "lost";
  /** The camera in the frame of the first view, SE3; its last known pose if it is lost. */
  readonly pose: Float64Array;
  /** Known points that fit. */
  readonly inliers: number;
  readonly keyframe: boolean;
}

const IDENTITY: Float64Array = Float64Array.of(0, 0, 0, 0, 0, 0, 1);

export class LandmarkOdometry {
  /** x, y, z of each known point, in the frame of the first view. */
  readonly points = new Map<number, Float64Array>();
  readonly keyframes: Keyframe[] = [];
  private readonly o: Required<LandmarkOdometryOptions>;
  private pose: Float64Array = IDENTITY;
  private motion: Float64Array = IDENTITY; // of the last step, in the camera's frame
  private frame = -1;
  private initialized = false;

  constructor(
    private readonly camera: PinholeCamera,
    options: LandmarkOdometryOptions = {},
  ) {
    checkCamera(camera);
    this.o = {
      threshold: 2,
      minParallax: 12,
      minAngle: 0.02,
      baseline: 1,
      keyframeRatio: 0.75,
      window: 6,
      seed: 0,
      ...options,
    };
  }

  /** The next image's points. */
  add(pixels: readonly TrackedPixel[]): OdometryResult {
    this.frame++;
    const seen = new Map(pixels.map((pixel) => [pixel.id, pixel]));
    return this.initialized ? this.track(seen) : this.initialize(seen);
  }

  private result(state: OdometryResult["state"], inliers: number, keyframe: boolean): OdometryResult {
    return { state, pose: this.pose.slice(), inliers, keyframe };
  }

  private initialize(seen: Map<number, TrackedPixel>): OdometryResult {
    const { camera, keyframes } = this;
    const { threshold, minParallax, minAngle, baseline, seed } = this.o;
    const first = keyframes[0];
    const ids = first ? [...seen.keys()].filter((id) => first.pixels.has(id)) : [];
    if (!first || ids.length < 12) {
      // nothing in common: begin anew here
      this.keyframes.splice(0, 1, { frame: this.frame, pose: IDENTITY.slice(), pixels: seen });
      return this.result("initializing", 0, true);
    }
    const pairs = ids.map((id): [TrackedPixel, TrackedPixel] => [
      first.pixels.get(id) as TrackedPixel,
      seen.get(id) as TrackedPixel,
    ]);
    const ways = pairs.map(([a, b]) => Math.hypot(a.u - b.u, a.v - b.v)).sort((a, b) => a - b);
    if (ways[ways.length >> 1] < minParallax) return this.result("initializing", 0, false);
    const matches = {
      first: pairs.flatMap(([a]) => unprojectPixel(camera, a.u, a.v)),
      second: pairs.flatMap(([, b]) => unprojectPixel(camera, b.u, b.v)),
    };
    const found = estimateRelativePose(matches, { threshold: threshold / camera.fx, seed });
    if (!found) return this.result("initializing", 0, false);
    const { rotation, inliers } = found;
    const translation = found.translation.map((v) => v * baseline);
    const wide = [...inliers].flatMap((i) => {
      const point = triangulate(matches, i, rotation, translation);
      return point && point.parallax > minAngle ? [{ id: ids[i], point: point.point }] : [];
    });
    if (wide.length < 10) return this.result("initializing", 0, false);
    for (const { id, point } of wide) this.points.set(id, Float64Array.from(point));
    // the second camera in the first one's frame: the inverse of what brings points over
    const turned = Float64Array.from({ length: 9 }, (_, at) => rotation[(at % 3) * 3 + Math.floor(at / 3)]);
    const place = [0, 1, 2].map(
      (i) =>
        -(
          turned[i * 3] * translation[0] +
          turned[i * 3 + 1] * translation[1] +
          turned[i * 3 + 2] * translation[2]
        ),
    );
    this.pose = pose3(turned, place);
    this.keyframes.push({ frame: this.frame, pose: this.pose, pixels: seen });
    this.initialized = true;
    this.adjust();
    return this.result("tracking", wide.length, true);
  }

  private track(seen: Map<number, TrackedPixel>): OdometryResult {
    const { camera, points } = this;
    const { threshold, keyframeRatio, seed } = this.o;
    const known = [...seen.values()].filter(({ id }) => points.has(id));
    const found =
      known.length < 4
        ? null
        : solvePnp(
            camera,
            known.flatMap(({ id }) => [...(points.get(id) as Float64Array)]),
            known.flatMap(({ u, v }) => [u, v]),
            { threshold, seed, guess: compose3(this.pose, this.motion) },
          );
    if (!found || found.inliers.length < 6) {
      this.motion = IDENTITY;
      return this.result("lost", found?.inliers.length ?? 0, false);
    }
    this.motion = relativePose3(this.pose, found.pose);
    this.pose = found.pose;
    const last = this.keyframes[this.keyframes.length - 1];
    const before = [...last.pixels.keys()].filter((id) => points.has(id)).length;
    // enough of what the last key frame knew is still there, and the image is not full of unknown points
    const enough =
      found.inliers.length >= keyframeRatio * before && known.length >= keyframeRatio * seen.size;
    if (enough || this.frame - last.frame < 2) return this.result("tracking", found.inliers.length, false);
    this.keyframes.push({ frame: this.frame, pose: this.pose, pixels: seen });
    this.extend();
    this.adjust();
    return this.result("tracking", found.inliers.length, true);
  }

  /** New points, from the last key frame and the one that sees them at the widest angle. */
  private extend(): void {
    const { camera, keyframes, points } = this;
    const { threshold, minAngle } = this.o;
    const last = keyframes[keyframes.length - 1];
    const rotation = new Float64Array(9);
    for (const [id, here] of last.pixels) {
      if (points.has(id)) continue;
      let best: { point: Float64Array; parallax: number } | null = null;
      for (const other of keyframes.slice(-4, -1)) {
        const there = other.pixels.get(id);
        if (!there) continue;
        const relative = relativePose3(last.pose, other.pose); // brings points of the other view here
        quaternionMatrix(relative, 3, rotation);
        const matches = {
          first: unprojectPixel(camera, there.u, there.v),
          second: unprojectPixel(camera, here.u, here.v),
        };
        const found = triangulate(matches, 0, rotation, relative.subarray(0, 3));
        if (!found || found.parallax < minAngle || !(found.depth1 > 0 && found.depth2 > 0)) continue;
        if (found.parallax <= (best?.parallax ?? 0)) continue;
        const point = compose3(other.pose, Float64Array.of(...found.point, 0, 0, 0, 1)).subarray(0, 3);
        const fits = [
          [other, there],
          [last, here],
        ].every(
          ([view, pixel]) =>
            reprojectionError(
              camera,
              (view as Keyframe).pose,
              point,
              [(pixel as TrackedPixel).u, (pixel as TrackedPixel).v],
              0,
            ) <
            threshold ** 2,
        );
        if (fits) best = { point, parallax: found.parallax };
      }
      if (best) points.set(id, best.point);
    }
  }

  /** Bundle adjustment of the last key frames and what they see; older ones that see it too are held. */
  private adjust(): void {
    const { camera, keyframes, points } = this;
    const { window, threshold } = this.o;
    const moving = keyframes.slice(-window);
    const ids = new Set(moving.flatMap(({ pixels }) => [...pixels.keys()].filter((id) => points.has(id))));
    const views = keyframes.filter((view) => moving.includes(view) || countIn(view, ids) >= 3);
    const order = [...ids].filter((id) => views.filter(({ pixels }) => pixels.has(id)).length >= 2);
    const indexOf = new Map(order.map((id, i) => [id, i]));
    const problem = new Problem();
    // held views settle the frame, and from the second on the scale: old ones, or the oldest of the window
    const held = views.flatMap((view, i) => (moving.includes(view) ? [] : [i]));
    const wanted = keyframes.length > window ? 2 : 1;
    for (const view of moving) if (held.length < wanted) held.push(views.indexOf(view));
    const poses = problem.addParameters(
      "poses",
      views.flatMap(({ pose }) => [...pose]),
      { manifold: SE3, constant: held },
    );
    const places = problem.addParameters(
      "points",
      order.flatMap((id) => [...(points.get(id) as Float64Array)]),
      { size: 3 },
    );
    const rows = views.flatMap(({ pixels }, view) =>
      [...pixels.values()].flatMap(({ id, u, v }) => {
        const point = indexOf.get(id);
        return point === undefined ? [] : [{ view, point, u, v }];
      }),
    );
    const used = new Set(rows.map(({ view }) => view));
    views.forEach((_, i) => {
      if (!used.has(i)) poses.hold(i);
    });
    if (order.length < 6 || poses.constant.every((c) => c === 1)) return;
    problem.addResiduals(
      pinholeReprojection(camera),
      [
        [poses, rows.map(({ view }) => view)],
        [places, rows.map(({ point }) => point)],
      ],
      rows.flatMap(({ u, v }) => [u, v]),
      { loss: huber(threshold / 2) },
    );
    const scaleBefore = this.firstDistance();
    minimizeSync(problem, { eliminate: [places], maxIterations: 15, costTolerance: 1e-6 });
    views.forEach((view, i) => {
      view.pose = poses.block(i).slice();
    });
    order.forEach((id, i) => {
      points.set(id, places.block(i).slice());
    });
    this.keepScale(scaleBefore);
    this.pose = keyframes[keyframes.length - 1].pose;
    this.dropOutliers(
      views,
      rows.map(({ view, point }) => ({ view, id: order[point] })),
    );
  }

  /** What does not fit is no longer an observation of its point; a point that two views no longer see is none. */
  private dropOutliers(views: readonly Keyframe[], rows: readonly { view: number; id: number }[]): void {
    const support = new Map<number, number>();
    for (const { view, id } of rows) {
      const { pose, pixels } = views[view];
      const { u, v } = pixels.get(id) as TrackedPixel;
      const error = reprojectionError(this.camera, pose, this.points.get(id) as Float64Array, [u, v], 0);
      if (error > (2 * this.o.threshold) ** 2) pixels.delete(id);
      else support.set(id, (support.get(id) ?? 0) + 1);
    }
    for (const { id } of rows) if ((support.get(id) ?? 0) < 2) this.points.delete(id);
  }

  /** Distance between the first two key frames. */
  private firstDistance(): number {
    const [x, y, z] = this.keyframes[1].pose;
    return Math.hypot(x, y, z);
  }

  /** While both of the first two key frames are inside the window, nothing else fixes the scale. */
  private keepScale(before: number): void {
    const scale = before / this.firstDistance();
    if (this.keyframes.length > this.o.window || !Number.isFinite(scale) || Math.abs(scale - 1) < 1e-12)
      return;
    for (const view of this.keyframes)
      view.pose = Float64Array.from(view.pose, (v, i) => (i < 3 ? v * scale : v));
    for (const [id, point] of this.points)
      this.points.set(
        id,
        point.map((v) => v * scale),
      );
  }
}

function countIn({ pixels }: Keyframe, ids: ReadonlySet<number>): number {
  let count = 0;
  for (const id of pixels.keys()) if (ids.has(id)) count++;
  return count;
}
