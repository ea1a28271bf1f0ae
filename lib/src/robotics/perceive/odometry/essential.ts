/**
 * Relative pose of two calibrated views. Five points by Nistér ("An efficient solution to the five-point relative pose
 * problem", 2004), eight by the linear method (Hartley 1997); outliers by RANSAC (Fischler & Bolles 1981).
 */
import { ValueError } from "../../../core/errors.js";
import { WordStream } from "../../../core/random.js";
import { qrFactors } from "../../../ops/linalg/householder.js";
import { svdFactors } from "../../../ops/linalg/jacobi.js";
import { matrix } from "../../../ops/linalg/matrices.js";
import { evaluate, multiplyPolynomials, realRoots } from "./polynomial.js";
import { triangulate } from "./triangulate.js";

/** Rows of (x, y) at z = 1 in the first and in the second view: see `unprojectPixel`. */
export interface Matches {
  readonly first: ArrayLike<number>;
  readonly second: ArrayLike<number>;
}

/** Row of x₂ᵀ·E·x₁ = 0 in the elements of E. */
function epipolarRow({ first, second }: Matches, i: number, out: Float64Array, at: number): void {
  const [x1, y1, x2, y2] = [first[2 * i], first[2 * i + 1], second[2 * i], second[2 * i + 1]];
  const row = [x2 * x1, x2 * y1, x2, y2 * x1, y2 * y1, y2, x1, y1, 1];
  for (let k = 0; k < 9; k++) out[at + k] = row[k];
}

// polynomials in x, y, z: (x, y, z, 1); the ten of degree 2; Nistér's twenty of degree 3
const QUADRATIC = ["xx", "xy", "yy", "xz", "yz", "zz", "x", "y", "z", ""];
const CUBIC = [
  "xxx",
  "yyy",
  "xxy",
  "xyy",
  "xxz",
  "xx",
  "yyz",
  "yy",
  "xyz",
  "xy",
  "xzz",
  "xz",
  "x",
  "yzz",
  "yz",
  "y",
  "zzz",
  "zz",
  "z",
  "",
];
const LINEAR = ["x", "y", "z", ""];

/** Index of the product of two monomials in a list. */
function table(a: readonly string[], b: readonly string[], into: readonly string[]): Int32Array {
  const sorted = (text: string): string => [...text].sort().join("");
  return Int32Array.from(a.flatMap((m) => b.map((n) => into.indexOf(sorted(m + n)))));
}
const SQUARE = table(LINEAR, LINEAR, QUADRATIC);
const CUBE = table(QUADRATIC, LINEAR, CUBIC);

function product(a: Float64Array, b: Float64Array, places: Int32Array, out: Float64Array, sign = 1): void {
  for (let i = 0; i < a.length; i++)
    for (let j = 0; j < b.length; j++) out[places[i * b.length + j]] += sign * a[i] * b[j];
}

/**
 * Up to ten essential matrices (row-major, 9 numbers) that five matches allow.
 * @example
 * const first = [0, 0, 0.1, 0.3, -0.2, 0.1, 0.4, -0.3, -0.1, -0.4];
 * // the second view is 0.1 to the right of the first, the points are 1 to 5 m away
 * const second = first.map((v, i) => (i % 2 ? v : v - 0.1 / (1 + i / 2)));
 * robotics.perceive.fivePoint({ first, second }, [0, 1, 2, 3, 4]).length > 0 // true
 */
export function fivePoint(matches: Matches, indices: ArrayLike<number>): Float64Array[] {
  const rows = new Float64Array(9 * 5);
  const row = new Float64Array(9);
  for (let i = 0; i < 5; i++) {
    epipolarRow(matches, indices[i], row, 0);
    for (let k = 0; k < 9; k++) rows[k * 5 + i] = row[k];
  }
  const { q } = qrFactors(matrix(9, 5, rows), true);
  // E = x·X + y·Y + z·Z + W, over the null space
  const e = Array.from({ length: 9 }, (_, k) => q.values.slice(k * 9 + 5, k * 9 + 9));
  const system = constraints(e);
  if (!eliminate(system)) return [];
  // rows 4 … 9 begin with x²z, x², y²z, y², xyz, xy
  const b = [4, 6, 8].map((upper) => {
    const [p, r] = [
      system.subarray(upper * 20 + 10, upper * 20 + 20),
      system.subarray(upper * 20 + 30, upper * 20 + 40),
    ];
    return [
      [p[2], p[1] - r[2], p[0] - r[1], -r[0]],
      [p[5], p[4] - r[5], p[3] - r[4], -r[3]],
      [p[9], p[8] - r[9], p[7] - r[8], p[6] - r[7], -r[6]],
    ];
  });
  const minor = (i: number, j: number, c: number, d: number): Float64Array => {
    const [left, right] = [multiplyPolynomials(b[i][c], b[j][d]), multiplyPolynomials(b[i][d], b[j][c])];
    return left.map((v, k) => v - right[k]);
  };
  const [mx, my, m1] = [minor(0, 1, 1, 2), minor(0, 1, 2, 0), minor(0, 1, 0, 1)];
  const determinant = new Float64Array(11);
  [mx, my, m1].forEach((m, c) => {
    multiplyPolynomials(m, b[2][c]).forEach((v, k) => {
      determinant[k] += v;
    });
  });
  const found: Float64Array[] = [];
  for (const z of realRoots(determinant)) {
    const w = evaluate(m1, z);
    const [x, y] = [evaluate(mx, z) / w, evaluate(my, z) / w];
    if (!Number.isFinite(x) || !Number.isFinite(y)) continue;
    const out = Float64Array.from(e, (p) => p[0] * x + p[1] * y + p[2] * z + p[3]);
    const norm = Math.hypot(...out);
    found.push(out.map((v) => v / norm));
  }
  return found;
}

/** det E = 0 and 2·E·Eᵀ·E − tr(E·Eᵀ)·E = 0, as 10 × 20 coefficients. */
function constraints(e: readonly Float64Array[]): Float64Array {
  const system = new Float64Array(200);
  const quadratic = (pairs: [number, number, number][]): Float64Array => {
    const out = new Float64Array(10);
    for (const [i, j, sign] of pairs) product(e[i], e[j], SQUARE, out, sign);
    return out;
  };
  const determinant = system.subarray(0, 20);
  product(
    quadratic([
      [1, 5, 1],
      [2, 4, -1],
    ]),
    e[6],
    CUBE,
    determinant,
  );
  product(
    quadratic([
      [2, 3, 1],
      [0, 5, -1],
    ]),
    e[7],
    CUBE,
    determinant,
  );
  product(
    quadratic([
      [0, 4, 1],
      [1, 3, -1],
    ]),
    e[8],
    CUBE,
    determinant,
  );
  const gram = Array.from({ length: 9 }, (_, at) => {
    const [i, j] = [Math.floor(at / 3), at % 3];
    return quadratic([0, 1, 2].map((k) => [i * 3 + k, j * 3 + k, 1]));
  });
  const half = gram[0].map((v, k) => (v + gram[4][k] + gram[8][k]) / 2);
  for (let i = 0; i < 3; i++)
    for (let j = 0; j < 3; j++) {
      const out = system.subarray((1 + i * 3 + j) * 20, (2 + i * 3 + j) * 20);
      for (let k = 0; k < 3; k++) product(gram[i * 3 + k], e[k * 3 + j], CUBE, out);
      product(half, e[i * 3 + j], CUBE, out, -1);
    }
  return system;
}

/** Gauss–Jordan with exchanges: the left 10 × 10 becomes the identity. False if it is singular. */
function eliminate(a: Float64Array): boolean {
  for (let k = 0; k < 10; k++) {
    let pivot = k;
    for (let i = k + 1; i < 10; i++) if (Math.abs(a[i * 20 + k]) > Math.abs(a[pivot * 20 + k])) pivot = i;
    if (Math.abs(a[pivot * 20 + k]) < 1e-14) return false;
    for (let j = 0; j < 20; j++) [a[k * 20 + j], a[pivot * 20 + j]] = [a[pivot * 20 + j], a[k * 20 + j]];
    const scale = 1 / a[k * 20 + k];
    for (let j = k; j < 20; j++) a[k * 20 + j] *= scale;
    for (let i = 0; i < 10; i++) {
      const factor = a[i * 20 + k];
      if (i === k || factor === 0) continue;
      for (let j = k; j < 20; j++) a[i * 20 + j] -= factor * a[k * 20 + j];
    }
  }
  return true;
}

/**
 * The essential matrix that fits eight or more matches best, linearly, with its singular values made (1, 1, 0)/√2.
 * @example
 * const first = Array.from({ length: 20 }, (_, i) => Math.sin(i * i) / 2);
 * const second = first.map((v, i) => (i % 2 ? v : v - 0.1 / (1 + ((i / 2) % 4))));
 * robotics.perceive.eightPoint({ first, second }, [0, 1, 2, 3, 4, 5, 6, 7, 8, 9])[0] // 0
 */
export function eightPoint(matches: Matches, indices: ArrayLike<number>): Float64Array {
  const n = indices.length;
  if (n < 8) throw new ValueError(`eightPoint: at least 8 matches wanted, got ${n}`);
  const [a, b] = [normalization(matches.first, indices), normalization(matches.second, indices)];
  const scaled = {
    first: Float64Array.from({ length: 2 * n }, (_, i) => place(matches.first, indices, i, a)),
    second: Float64Array.from({ length: 2 * n }, (_, i) => place(matches.second, indices, i, b)),
  };
  const rows = new Float64Array(Math.max(n, 9) * 9);
  for (let i = 0; i < n; i++) epipolarRow(scaled, i, rows, i * 9);
  const { vt } = svdFactors(matrix(Math.max(n, 9), 9, rows));
  const f = vt.values.subarray(72, 81);
  // undo the scaling: E = Tbᵀ·F·Ta
  const ta = [a[2], 0, -a[2] * a[0], 0, a[2], -a[2] * a[1], 0, 0, 1];
  const tb = [b[2], 0, -b[2] * b[0], 0, b[2], -b[2] * b[1], 0, 0, 1];
  const e = new Float64Array(9);
  for (let i = 0; i < 3; i++)
    for (let j = 0; j < 3; j++)
      for (let k = 0; k < 3; k++)
        for (let l = 0; l < 3; l++) e[i * 3 + j] += tb[k * 3 + i] * f[k * 3 + l] * ta[l * 3 + j];
  const { u, vt: v } = svdFactors(matrix(3, 3, e));
  return Float64Array.from({ length: 9 }, (_, at) => {
    const [i, j] = [Math.floor(at / 3), at % 3];
    return (u.values[i * 3] * v.values[j] + u.values[i * 3 + 1] * v.values[3 + j]) / Math.SQRT2;
  });
}

/** Middle, and the scale that makes the mean distance √2. */
function normalization(points: ArrayLike<number>, indices: ArrayLike<number>): [number, number, number] {
  let [mx, my, mean] = [0, 0, 0];
  const n = indices.length;
  for (let i = 0; i < n; i++) {
    mx += points[2 * indices[i]] / n;
    my += points[2 * indices[i] + 1] / n;
  }
  for (let i = 0; i < n; i++)
    mean += Math.hypot(points[2 * indices[i]] - mx, points[2 * indices[i] + 1] - my) / n;
  return [mx, my, mean > 0 ? Math.SQRT2 / mean : 1];
}

function place(
  points: ArrayLike<number>,
  indices: ArrayLike<number>,
  i: number,
  [mx, my, s]: readonly number[],
): number {
  return s * (points[2 * indices[i >> 1] + (i & 1)] - (i & 1 ? my : mx));
}

/** Squared distance of a match to the epipolar geometry, to first order (Sampson), at z = 1. */
export function sampsonError(e: ArrayLike<number>, { first, second }: Matches, i: number): number {
  const [x, y, u, v] = [first[2 * i], first[2 * i + 1], second[2 * i], second[2 * i + 1]];
  const [a, b, c] = [e[0] * x + e[1] * y + e[2], e[3] * x + e[4] * y + e[5], e[6] * x + e[7] * y + e[8]];
  const [d, f] = [e[0] * u + e[3] * v + e[6], e[1] * u + e[4] * v + e[7]];
  return (a * u + b * v + c) ** 2 / (a * a + b * b + d * d + f * f);
}

export interface RansacOptions {
  /** Largest error of an inlier. */
  readonly threshold: number;
  /** Probability that an outlier-free sample was among those tried. Default 0.999. */
  readonly confidence?: number;
  /** Default 500. */
  readonly maxIterations?: number;
  readonly seed?: number;
}

export interface RelativePose {
  /** Rotation (row-major) and unit translation that bring points of the first view's frame into the second's. */
  readonly rotation: Float64Array;
  readonly translation: Float64Array;
  readonly essential: Float64Array;
  /** Matches that fit and lie in front of both cameras. */
  readonly inliers: Int32Array;
}

/** Tries samples until one without outliers is likely among them; returns the best model and its inliers. */
export function ransac<M>(
  count: number,
  size: number,
  fit: (sample: Int32Array) => readonly M[],
  error: (model: M, i: number) => number,
  { threshold, confidence = 0.999, maxIterations = 500, seed = 0 }: RansacOptions,
): { model: M; inliers: Int32Array } | null {
  if (count < size) return null;
  const stream = new WordStream([seed, 0x7261]);
  const limit = threshold * threshold;
  const sample = new Int32Array(size);
  let best: { model: M; cost: number; inliers: number } | null = null;
  let needed = maxIterations;
  for (let k = 0; k < needed; k++) {
    for (let i = 0; i < size; ) {
      sample[i] = stream.below(count);
      if (!sample.subarray(0, i).includes(sample[i])) i++;
    }
    for (const model of fit(sample)) {
      // truncated squares (MSAC) tell better than counts which of two models is right
      let [cost, inliers] = [0, 0];
      for (let i = 0; i < count && cost < (best?.cost ?? Number.POSITIVE_INFINITY); i++) {
        const e = error(model, i);
        if (e < limit) {
          inliers++;
          cost += e;
        } else cost += limit;
      }
      if (best && cost >= best.cost) continue;
      best = { model, cost, inliers };
      const good = (inliers / count) ** size;
      if (good > 0)
        needed = Math.min(
          maxIterations,
          Math.ceil(Math.log(1 - confidence) / Math.log1p(-Math.min(good, 1 - 1e-12))),
        );
    }
  }
  if (!best) return null;
  const { model } = best;
  const inliers = Int32Array.from({ length: count }, (_, i) => i).filter((i) => error(model, i) < limit);
  return { model, inliers };
}

/**
 * Rotation and direction of translation between two views, from matches with outliers: five-point in RANSAC, refined over all
 * inliers by the eight-point method where that fits better.
 * @param options.threshold at z = 1: pixels over the focal length
 * @returns `null` if no motion explains five matches or more
 * @example
 * const first = Array.from({ length: 60 }, (_, i) => Math.sin(i * i) / 2);
 * const second = first.map((v, i) => (i % 2 ? v : v - 0.1 / (1 + ((i / 2) % 4))));
 * const found = robotics.perceive.estimateRelativePose({ first, second }, { threshold: 0.001 });
 * Math.abs(found?.translation[0] ?? 0) // 1
 */
export function estimateRelativePose(matches: Matches, options: RansacOptions): RelativePose | null {
  const count = matches.first.length / 2;
  const found = ransac(
    count,
    5,
    (sample) => fivePoint(matches, sample),
    (e, i) => sampsonError(e, matches, i),
    options,
  );
  if (!found || found.inliers.length < 5) return null;
  let essential = found.model;
  const cost = (e: Float64Array): number =>
    found.inliers.reduce((sum, i) => sum + Math.min(options.threshold ** 2, sampsonError(e, matches, i)), 0);
  if (found.inliers.length >= 12) {
    const linear = eightPoint(matches, found.inliers);
    if (cost(linear) < cost(essential)) essential = linear;
  }
  const limit = options.threshold ** 2;
  const inliers = Int32Array.from({ length: count }, (_, i) => i).filter(
    (i) => sampsonError(essential, matches, i) < limit,
  );
  return chooseMotion(essential, matches, inliers);
}

/** Of the four motions of an essential matrix, the one with the most points in front of both cameras. */
export function chooseMotion(
  essential: Float64Array,
  matches: Matches,
  inliers: Int32Array,
): RelativePose | null {
  const { u, vt } = svdFactors(matrix(3, 3, essential));
  const t = Float64Array.of(u.values[2], u.values[5], u.values[8]);
  let best: RelativePose | null = null;
  for (const turn of [1, -1]) {
    // R = ±U·W·Vᵀ with W a quarter turn around z
    const r = new Float64Array(9);
    for (let i = 0; i < 3; i++)
      for (let j = 0; j < 3; j++)
        r[i * 3 + j] =
          turn * (u.values[i * 3 + 1] * vt.values[j] - u.values[i * 3] * vt.values[3 + j]) +
          u.values[i * 3 + 2] * vt.values[6 + j];
    const determinant =
      r[0] * (r[4] * r[8] - r[5] * r[7]) -
      r[1] * (r[3] * r[8] - r[5] * r[6]) +
      r[2] * (r[3] * r[7] - r[4] * r[6]);
    const rotation = determinant < 0 ? r.map((v) => -v) : r;
    for (const sign of [1, -1]) {
      const translation = t.map((v) => sign * v);
      const front = inliers.filter((i) => {
        const point = triangulate(matches, i, rotation, translation);
        return point !== null && point.depth1 > 0 && point.depth2 > 0;
      });
      if (front.length > (best?.inliers.length ?? 0))
        best = { rotation, translation, essential, inliers: front };
    }
  }
  return best;
}
