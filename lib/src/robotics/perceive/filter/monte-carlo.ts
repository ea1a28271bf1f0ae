/**
 * Monte-Carlo localization: where the robot is in a known grid, as a set of weighted guesses. It finds itself from nothing,
 * and again after it was carried away. (Probabilistic Robotics, ch. 8: augmented MCL; Fox 2003: the number of particles by
 * KLD; likelihood field of §6.4.)
 */
import { ValueError } from "../../../core/errors.js";
import { WordStream } from "../../../core/random.js";
import { wrapAngle } from "../../solve/manifold.js";
import type { OccupancyGrid } from "../mapping/occupancy.js";
import type { LaserScan } from "../mapping/scan.js";
import { normals } from "../random.js";
import { drive, type MotionNoise, type Pose2, type Twist2 } from "./motion.js";

export interface MonteCarloOptions {
  readonly motionNoise: MotionNoise;
  /** Fewest and most particles. Default 200 and 5000. */
  readonly minParticles?: number;
  readonly maxParticles?: number;
  /** Where it begins; none (default): anywhere free, in any direction. */
  readonly start?: Pose2;
  /** Standard deviations of the start, metres and radians. Default 0.2 and 0.1. */
  readonly startDeviation?: readonly [position: number, heading: number];
  /** Rays of each scan that are used, evenly chosen. Default 30. */
  readonly rays?: number;
  /** Standard deviation of where a ray ends, metres. Default 0.2. */
  readonly deviation?: number;
  /** Part of rays that end anywhere. Default 0.1. */
  readonly outliers?: number;
  /** Rates of the slow and the fast average of the likelihood: particles are drawn anew when the fast one falls behind. Default 0.02 and 0.3; [0, 0]: never. */
  readonly recovery?: readonly [slow: number, fast: number];
  /** Error of the distribution that KLD allows, with 99 %. Default 0.05. */
  readonly kldError?: number;
  /** Where the scanner is on the robot. */
  readonly mount?: Pose2;
  readonly seed?: number;
}

export class MonteCarloLocalization {
  /** x, y, θ of each particle. */
  particles: Float64Array;
  /** Their sum is 1. */
  weights: Float64Array;
  private readonly distances: Float64Array;
  private readonly free: Int32Array;
  private readonly stream: WordStream;
  private readonly normal: () => number;
  private readonly o: Required<Omit<MonteCarloOptions, "start">>;
  private slow = 0;
  private fast = 0;
  /** Part of the particles that were drawn anew at the last scan. */
  injected = 0;

  /** @throws ValueError if nothing in the map is free, or counts make no sense. */
  constructor(
    private readonly map: OccupancyGrid,
    { start, ...options }: MonteCarloOptions,
  ) {
    this.o = {
      minParticles: 200,
      maxParticles: 5000,
      startDeviation: [0.2, 0.1],
      rays: 30,
      deviation: 0.2,
      outliers: 0.1,
      recovery: [0.02, 0.3],
      kldError: 0.05,
      mount: { x: 0, y: 0, theta: 0 },
      seed: 0,
      ...options,
    };
    const { minParticles, maxParticles, seed } = this.o;
    if (!(minParticles >= 1 && maxParticles >= minParticles))
      throw new ValueError(
        `MonteCarloLocalization: 1 ≤ minParticles ≤ maxParticles wanted, got ${minParticles} and ${maxParticles}`,
      );
    this.stream = new WordStream([seed, 0x6d636c]);
    this.normal = normals(this.stream);
    this.distances = map.distances();
    this.free = Int32Array.from(map.logOdds.keys()).filter((cell) => map.logOdds[cell] < 0);
    if (this.free.length === 0) throw new ValueError("MonteCarloLocalization: the map has no free cell");
    this.particles = new Float64Array(maxParticles * 3);
    this.weights = new Float64Array(maxParticles).fill(1 / maxParticles);
    for (let i = 0; i < maxParticles; i++) {
      if (!start) this.scatter(this.particles, i);
      else {
        const [sp, sh] = this.o.startDeviation;
        this.particles[i * 3] = start.x + sp * this.normal();
        this.particles[i * 3 + 1] = start.y + sp * this.normal();
        this.particles[i * 3 + 2] = wrapAngle(start.theta + sh * this.normal());
      }
    }
  }

  get count(): number {
    return this.weights.length;
  }

  /** The robot drove so for `dt` seconds: each particle does, with noise of its own. */
  predict(twist: Twist2, dt: number): void {
    const { particles, normal } = this;
    const [a1, a2, a3, a4] = this.o.motionNoise;
    const { linear: v, angular: w } = twist;
    const [sv, sw] = [Math.sqrt(a1 * v * v + a2 * w * w), Math.sqrt(a3 * v * v + a4 * w * w)];
    for (let i = 0; i < particles.length; i += 3) {
      const moved = drive(
        { x: particles[i], y: particles[i + 1], theta: particles[i + 2] },
        { linear: v + sv * normal(), angular: w + sw * normal() },
        dt,
      );
      particles[i] = moved.x;
      particles[i + 1] = moved.y;
      particles[i + 2] = moved.theta;
    }
  }

  /** Weighs the particles by a scan; when few carry most of the weight, draws new ones where it lies. */
  observe(scan: LaserScan): void {
    const { weights } = this;
    const logs = this.logLikelihoods(scan);
    const most = logs.reduce((a, b) => Math.max(a, b), Number.NEGATIVE_INFINITY);
    let total = 0;
    let mean = 0;
    for (let i = 0; i < weights.length; i++) {
      mean += weights[i] * Math.exp(logs[i]);
      weights[i] *= Math.exp(logs[i] - most);
      total += weights[i];
    }
    for (let i = 0; i < weights.length; i++) weights[i] /= total;
    const [slow, fast] = this.o.recovery;
    this.slow += slow * (mean - this.slow);
    this.fast += fast * (mean - this.fast);
    if (this.slow === 0) this.injected = 0;
    else this.injected = Math.max(0, 1 - this.fast / this.slow);
    const effective = 1 / weights.reduce((sum, w) => sum + w * w, 0);
    // drawing without need only loses variety
    if (effective < weights.length / 2 || this.injected > 0) this.resample();
  }

  /** Weighted mean, of the heading on the circle, around the best place: the heaviest cube of 0.5 m and 30° with its neighbours. */
  estimate(): { readonly pose: Pose2; readonly deviation: number } {
    const { particles, weights, count } = this;
    const bins = new Map<string, number>();
    const binOf = (i: number): [number, number, number] => [
      Math.round(particles[i * 3] / 0.5),
      Math.round(particles[i * 3 + 1] / 0.5),
      ((Math.round(particles[i * 3 + 2] / (Math.PI / 6)) % 12) + 12) % 12,
    ];
    for (let i = 0; i < count; i++) {
      const key = binOf(i).join();
      bins.set(key, (bins.get(key) ?? 0) + weights[i]);
    }
    let [best, most] = ["0,0,0", -1];
    for (const [key, weight] of bins) if (weight > most) [best, most] = [key, weight];
    const [bx, by, bt] = best.split(",").map(Number);
    let [sum, x, y, c, s, square] = [0, 0, 0, 0, 0, 0];
    for (let i = 0; i < count; i++) {
      const [px, py, pt] = binOf(i);
      const turn = Math.abs(pt - bt);
      if (Math.abs(px - bx) > 1 || Math.abs(py - by) > 1 || Math.min(turn, 12 - turn) > 1) continue;
      const w = weights[i];
      sum += w;
      x += w * particles[i * 3];
      y += w * particles[i * 3 + 1];
      c += w * Math.cos(particles[i * 3 + 2]);
      s += w * Math.sin(particles[i * 3 + 2]);
    }
    const pose = { x: x / sum, y: y / sum, theta: Math.atan2(s, c) };
    for (let i = 0; i < count; i++)
      square += weights[i] * ((particles[i * 3] - pose.x) ** 2 + (particles[i * 3 + 1] - pose.y) ** 2);
    return { pose, deviation: Math.sqrt(square) };
  }

  /** Mean log-likelihood of the chosen rays, times a quarter of their number: rays are not independent. */
  private logLikelihoods(scan: LaserScan): Float64Array {
    const { particles, map, distances, count } = this;
    const { rays, deviation, outliers, mount } = this.o;
    const step = Math.max(1, Math.floor(scan.ranges.length / rays));
    const ends: number[] = [];
    for (let i = 0; i < scan.ranges.length; i += step) {
      const range = scan.ranges[i];
      if (!(range >= scan.rangeMin && range < scan.rangeMax)) continue;
      const angle = mount.theta + scan.angleMin + i * scan.angleIncrement;
      ends.push(mount.x + range * Math.cos(angle), mount.y + range * Math.sin(angle));
    }
    const out = new Float64Array(count);
    const n = ends.length / 2;
    const spread = -0.5 / deviation ** 2;
    const scale = 1 / map.resolution;
    for (let p = 0; p < count; p++) {
      const [x, y, theta] = [particles[p * 3], particles[p * 3 + 1], particles[p * 3 + 2]];
      const [c, s] = [Math.cos(theta), Math.sin(theta)];
      let sum = map.logOdds[map.cellAt(x, y)] < 0 ? 0 : -n; // a robot is in free space
      for (let k = 0; k < ends.length; k += 2) {
        const i = Math.floor((x + c * ends[k] - s * ends[k + 1] - map.origin[0]) * scale);
        const j = Math.floor((y + s * ends[k] + c * ends[k + 1] - map.origin[1]) * scale);
        const inside = i >= 0 && i < map.width && j >= 0 && j < map.height;
        const d = inside ? distances[j * map.width + i] : 1;
        sum += Math.log(outliers + (1 - outliers) * Math.exp(spread * d * d));
      }
      out[p] = n > 0 ? sum / 4 : 0;
    }
    return out;
  }

  /**
   * Low-variance resampling; some are drawn anew, as `injected` says. Their number follows from how many bins they fill: a
   * spread-out set needs many, a settled one few.
   */
  private resample(): void {
    const { weights, particles, stream } = this;
    const { minParticles, maxParticles, kldError } = this.o;
    const cumulative = new Float64Array(weights.length);
    let sum = 0;
    weights.forEach((w, i) => {
      sum += w;
      cumulative[i] = sum;
    });
    const next = new Float64Array(maxParticles * 3);
    const bins = new Set<number>();
    let needed = minParticles;
    let n = 0;
    // points of a golden-ratio sequence are spread as evenly as a comb, and may end at any number
    let point = stream.uniform();
    while (n < maxParticles && n < needed) {
      if (stream.uniform() < this.injected) this.scatter(next, n);
      else {
        point = (point + 0.6180339887498949) % 1;
        const from = search(cumulative, point * sum) * 3;
        for (let k = 0; k < 3; k++) next[n * 3 + k] = particles[from + k];
      }
      const key =
        (Math.floor(next[n * 3] / 0.25) + 4096) * 2 ** 20 +
        (Math.floor(next[n * 3 + 1] / 0.25) + 4096) * 64 +
        Math.floor((next[n * 3 + 2] + Math.PI) / (Math.PI / 18));
      n++;
      if (bins.has(key)) continue;
      bins.add(key);
      needed = Math.max(minParticles, kldBound(bins.size, kldError));
    }
    this.particles = next.slice(0, n * 3);
    this.weights = new Float64Array(n).fill(1 / n);
  }

  /** A pose anywhere in free space. */
  private scatter(out: Float64Array, i: number): void {
    const { map, stream } = this;
    const cell = this.free[stream.below(this.free.length)];
    out[i * 3] = map.origin[0] + ((cell % map.width) + stream.uniform()) * map.resolution;
    out[i * 3 + 1] = map.origin[1] + (Math.floor(cell / map.width) + stream.uniform()) * map.resolution;
    out[i * 3 + 2] = stream.uniform(-Math.PI, Math.PI);
  }
}

/** Particles that keep the Kullback–Leibler distance below `error` with 99 % when k bins are filled (Wilson–Hilferty). */
function kldBound(k: number, error: number): number {
  if (k < 2) return 1;
  const a = 2 / (9 * (k - 1));
  return Math.ceil(((k - 1) / (2 * error)) * (1 - a + Math.sqrt(a) * 2.3263) ** 3);
}

/** First index whose cumulative value exceeds x. */
function search(cumulative: Float64Array, x: number): number {
  let [low, high] = [0, cumulative.length - 1];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (cumulative[middle] > x) high = middle;
    else low = middle + 1;
  }
  return low;
}
