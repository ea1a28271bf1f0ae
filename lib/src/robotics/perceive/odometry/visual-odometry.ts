/** Visual odometry from images: FAST corners followed by KLT feed `LandmarkOdometry`. */
import type { PinholeCamera } from "./camera.js";
import { fastCorners } from "./fast.js";
import { type GrayImage, pyramid } from "./image.js";
import { type KltOptions, trackPoints } from "./klt.js";
import {
  LandmarkOdometry,
  type LandmarkOdometryOptions,
  type OdometryResult,
  type TrackedPixel,
} from "./landmark-odometry.js";

export interface VisualOdometryOptions extends LandmarkOdometryOptions {
  /** Points that are followed. Default 200. */
  readonly features?: number;
  /** Difference in grey levels that makes a corner. Default 12. */
  readonly cornerThreshold?: number;
  /** Points keep this distance, pixels. Default 7. */
  readonly spacing?: number;
  readonly klt?: KltOptions;
}

export class VisualOdometry {
  readonly odometry: LandmarkOdometry;
  /** Points of the last image. */
  tracks: TrackedPixel[] = [];
  private last: readonly GrayImage[] | null = null;
  private nextId = 0;

  constructor(
    camera: PinholeCamera,
    private readonly options: VisualOdometryOptions = {},
  ) {
    this.odometry = new LandmarkOdometry(camera, options);
  }

  /** The next image of the sequence. Points that were lost are replaced by new corners. */
  add(image: GrayImage): OdometryResult {
    const { features = 200, klt = {} } = this.options;
    const levels = pyramid(image, klt.levels ?? 3);
    if (this.last) {
      const { points, found } = trackPoints(
        this.last,
        levels,
        this.tracks.flatMap(({ u, v }) => [u, v]),
        klt,
      );
      this.tracks = this.tracks.flatMap(({ id }, i) =>
        found[i] ? [{ id, u: points[2 * i], v: points[2 * i + 1] }] : [],
      );
    }
    this.last = levels;
    if (this.tracks.length < 0.8 * features) this.detect(image, features);
    return this.odometry.add(this.tracks);
  }

  private detect(image: GrayImage, features: number): void {
    const { cornerThreshold = 12, spacing = 7 } = this.options;
    const taken = new Set<number>();
    const cell = (u: number, v: number): number => Math.floor(v / spacing) * 65536 + Math.floor(u / spacing);
    for (const { u, v } of this.tracks) taken.add(cell(u, v));
    for (const { x, y } of fastCorners(image, { threshold: cornerThreshold, count: 4 * features })) {
      if (this.tracks.length >= features) return;
      if (taken.has(cell(x, y))) continue;
      taken.add(cell(x, y));
      this.tracks.push({ id: this.nextId++, u: x, v: y });
    }
  }
}
