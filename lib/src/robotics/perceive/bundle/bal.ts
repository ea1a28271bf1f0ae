/** Problems of "Bundle Adjustment in the Large" (Agarwal et al. 2010): their text files, and synthetic ones of the same form. */
import { MlsysError, ValueError } from "../../../core/errors.js";
import { WordStream } from "../../../core/random.js";
import { normals } from "../random.js";
import { projectSnavely } from "./snavely.js";

/** Cameras, points and who sees what. */
export interface BundleProblem {
  /** 9 numbers each: rotation vector, translation, focal length, k1, k2 (see `snavelyReprojection`). */
  readonly cameras: Float64Array;
  /** 3 numbers each. */
  readonly points: Float64Array;
  /** Per observation. */
  readonly cameraIndex: Int32Array;
  readonly pointIndex: Int32Array;
  /** 2 numbers per observation, in pixels from the image's middle, y upwards. */
  readonly pixels: Float64Array;
}

/**
 * Reads a BAL file: counts of cameras, points and observations; one line `camera point u v` for each observation; then the
 * numbers of the cameras and the points.
 * @throws MlsysError that names the token, if the text is cut, holds something else, or counts do not fit.
 * @example robotics.perceive.parseBal("1 1 1 0 0 5 6 0 0 0 0 0 -1 500 0 0 1 2 3").pixels // [5, 6]
 */
export function parseBal(text: string): BundleProblem {
  const pattern = /\S+/g;
  let count = 0;
  const next = (what: string): number => {
    const found = pattern.exec(text);
    count++;
    if (!found) throw new MlsysError(`parseBal: the file ends where ${what} is wanted (token ${count})`);
    const value = Number(found[0]);
    if (!Number.isFinite(value))
      throw new MlsysError(`parseBal: token ${count}: ${what} wanted, got "${found[0].slice(0, 40)}"`);
    return value;
  };
  const whole = (what: string, below: number): number => {
    const value = next(what);
    if (!Number.isInteger(value) || value < 0 || value >= below)
      throw new MlsysError(`parseBal: token ${count}: ${what} is ${value}, below ${below} wanted`);
    return value;
  };
  // a token takes two bytes, so no count can be larger than that; memory is not taken on a file's word
  const most = Math.floor(text.length / 2) + 1;
  const cameras = whole("the number of cameras", most);
  const points = whole("the number of points", most);
  const observations = whole("the number of observations", most);
  if (cameras * 9 + points * 3 + observations * 4 > most)
    throw new MlsysError(
      `parseBal: ${cameras} cameras, ${points} points and ${observations} observations do not fit into ${text.length} characters`,
    );
  const cameraIndex = new Int32Array(observations);
  const pointIndex = new Int32Array(observations);
  const pixels = new Float64Array(observations * 2);
  for (let i = 0; i < observations; i++) {
    cameraIndex[i] = whole("a camera's index", cameras);
    pointIndex[i] = whole("a point's index", points);
    pixels[i * 2] = next("a pixel's u");
    pixels[i * 2 + 1] = next("a pixel's v");
  }
  const numbers = (n: number, what: string): Float64Array =>
    Float64Array.from({ length: n }, () => next(what));
  const cameraValues = numbers(cameras * 9, "a camera's number");
  const pointValues = numbers(points * 3, "a point's coordinate");
  const rest = pattern.exec(text);
  if (rest) throw new MlsysError(`parseBal: "${rest[0].slice(0, 40)}" after the last point`);
  return { cameras: cameraValues, points: pointValues, cameraIndex, pointIndex, pixels };
}

/**
 * The same as text; numbers come back exactly.
 * @example
 * const { problem } = robotics.perceive.syntheticBundle({ cameras: 2, points: 1 });
 * robotics.perceive.formatBal(problem).split("\n")[0] // "2 1 2"
 */
export function formatBal({ cameras, points, cameraIndex, pointIndex, pixels }: BundleProblem): string {
  const lines = [`${cameras.length / 9} ${points.length / 3} ${cameraIndex.length}`];
  cameraIndex.forEach((camera, i) => {
    lines.push(`${camera} ${pointIndex[i]} ${pixels[i * 2]} ${pixels[i * 2 + 1]}`);
  });
  for (const x of cameras) lines.push(String(x));
  for (const x of points) lines.push(String(x));
  return `${lines.join("\n")}\n`;
}

export interface SyntheticBundleOptions {
  readonly cameras: number;
  readonly points: number;
  /** Cameras that see a point, at most. Default 6. */
  readonly viewsPerPoint?: number;
  /** Standard deviation of pixels. Default 0.5. */
  readonly pixelNoise?: number;
  /** Standard deviation of the start's error: radians of rotation, parts of a unit of translation and points. Default 0.02. */
  readonly startNoise?: number;
  readonly seed?: number;
}

/**
 * Cameras on a circle of radius 6 that look at a cloud of points in the unit cube's double; neighbours see the same points.
 * @returns the problem with a disturbed start, and the truth it was made from
 * @example robotics.perceive.syntheticBundle({ cameras: 3, points: 5 }).problem.points.length // 15
 */
export function syntheticBundle(options: SyntheticBundleOptions): {
  readonly problem: BundleProblem;
  readonly truth: { readonly cameras: Float64Array; readonly points: Float64Array };
} {
  const { cameras: m, points: n, pixelNoise = 0.5, startNoise = 0.02, seed = 0 } = options;
  const views = Math.min(m, options.viewsPerPoint ?? 6);
  if (!(m >= 2 && n >= 1 && views >= 2))
    throw new ValueError(
      `syntheticBundle: at least 2 cameras and views and 1 point wanted, got ${m}, ${views}, ${n}`,
    );
  const stream = new WordStream([seed, 0x62616c]);
  const normal = normals(stream);
  const cameras = new Float64Array(m * 9);
  for (let i = 0; i < m; i++) cameras.set([0, (2 * Math.PI * i) / m, 0, 0, 0, -6, 600, -0.03, 0.005], i * 9);
  const points = Float64Array.from({ length: n * 3 }, () => stream.uniform(-1, 1));
  const cameraIndex: number[] = [];
  const pointIndex: number[] = [];
  const pixels: number[] = [];
  for (let p = 0; p < n; p++) {
    const first = stream.below(m);
    for (let v = 0; v < views; v++) {
      const camera = (first + v) % m;
      const [x, y] = projectSnavely(
        cameras.subarray(camera * 9, camera * 9 + 9),
        points.subarray(p * 3, p * 3 + 3),
      );
      cameraIndex.push(camera);
      pointIndex.push(p);
      pixels.push(x + pixelNoise * normal(), y + pixelNoise * normal());
    }
  }
  const scale = [1, 1, 1, 1, 1, 1, 100, 0.1, 0.1];
  const problem: BundleProblem = {
    cameras: cameras.map((x, i) => x + startNoise * scale[i % 9] * normal()),
    points: points.map((x) => x + startNoise * normal()),
    cameraIndex: Int32Array.from(cameraIndex),
    pointIndex: Int32Array.from(pointIndex),
    pixels: Float64Array.from(pixels),
  };
  return { problem, truth: { cameras, points } };
}
