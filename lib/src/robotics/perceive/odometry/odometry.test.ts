/** Cameras, two views, known points, features and whole sequences, against the truth they were made from. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { WordStream } from "../../../core/random.js";
import { quaternionExp, quaternionMatrix, SE3 } from "../../solve/manifold.js";
import { relativePose3 } from "../pose-graph/factors.js";
import { compose3 } from "../pose-graph/worlds.js";
import { normals } from "../random.js";
import { type PinholeCamera, pinholeReprojection, projectPinhole, unprojectPixel } from "./camera.js";
import { eightPoint, estimateRelativePose, fivePoint, type Matches, sampsonError } from "./essential.js";
import { fastCorners } from "./fast.js";
import { type GrayImage, sample, toGray } from "./image.js";
import { trackPoints } from "./klt.js";
import { LandmarkOdometry, type TrackedPixel } from "./landmark-odometry.js";
import { matchFeatures, orbFeatures } from "./orb.js";
import { solvePnp, threePointPose, toCamera } from "./pnp.js";
import { evaluate, multiplyPolynomials, realRoots } from "./polynomial.js";
import { triangulate } from "./triangulate.js";
import { VisualOdometry } from "./visual-odometry.js";

const CAMERA: PinholeCamera = {
  fx: 300,
  fy: 310,
  cx: 159.5,
  cy: 119.5,
  distortion: [-0.12, 0.03, 0.001, -0.0005, 0.002],
};

function poseOf(translation: number[], turn: number[]): Float64Array {
  const out = Float64Array.of(...translation, 0, 0, 0, 1);
  quaternionExp(Float64Array.from(turn), 0, out, 3);
  return out;
}

test("pixels and rays undo each other, with distortion", () => {
  const part = fc.double({ min: -0.6, max: 0.6, noNaN: true });
  fc.assert(
    fc.property(part, part, fc.double({ min: 0.5, max: 9, noNaN: true }), (x, y, z) => {
      const [u, v] = projectPinhole(CAMERA, x * z, y * z, z);
      const [a, b] = unprojectPixel(CAMERA, u, v);
      expect(a).toBeCloseTo(x, 9);
      expect(b).toBeCloseTo(y, 9);
    }),
  );
  expect(() => pinholeReprojection({ ...CAMERA, fx: -1 })).toThrow("got fx -1");
});

test("reprojection has the derivatives of finite differences", () => {
  const number = fc.double({ min: -1, max: 1, noNaN: true });
  const kind = pinholeReprojection(CAMERA);
  fc.assert(
    fc.property(fc.array(number, { minLength: 9, maxLength: 9 }), (v) => {
      const pose = poseOf(v.slice(0, 3), v.slice(3, 6));
      // a point in front of the camera
      const ahead = compose3(pose, Float64Array.of(v[6], v[7], 3 + v[8], 0, 0, 0, 1));
      const point = ahead.slice(0, 3);
      const jacobians = [new Float64Array(12), new Float64Array(6)];
      const data = Float64Array.of(100, 50);
      const residuals = new Float64Array(2);
      kind.evaluate({ count: 1, parameters: [pose, point], data }, { residuals, jacobians });
      const at = (p: Float64Array, x: Float64Array): Float64Array => {
        const out = new Float64Array(2);
        kind.evaluate({ count: 1, parameters: [p, x], data }, { residuals: out, jacobians: null });
        return out;
      };
      for (let j = 0; j < 9; j++) {
        const [ahead, behind] = [1e-6, -1e-6].map((h) => {
          if (j >= 6)
            return at(
              pose,
              point.map((c, i) => (i === j - 6 ? c + h : c)),
            );
          const step = new Float64Array(6);
          step[j] = h;
          const moved = new Float64Array(7);
          SE3.plus(pose, 0, step, 0, moved, 0);
          return at(moved, point);
        });
        for (let i = 0; i < 2; i++) {
          const slope = (ahead[i] - behind[i]) / 2e-6;
          const found = j < 6 ? jacobians[0][i * 6 + j] : jacobians[1][i * 3 + j - 6];
          expect(Math.abs(found - slope)).toBeLessThan(1e-4 * (1 + Math.abs(slope)));
        }
      }
    }),
    { numRuns: 40 },
  );
});

test("real roots of polynomials made from them", () => {
  const root = fc.integer({ min: -40, max: 40 }).map((k) => k / 8);
  fc.assert(
    fc.property(fc.uniqueArray(root, { minLength: 1, maxLength: 5 }), fc.boolean(), (roots, complex) => {
      let p: ArrayLike<number> = complex ? [2, 1, 1] : [3];
      for (const r of roots) p = multiplyPolynomials(p, [-r, 1]);
      const found = realRoots(p);
      const wanted = roots.toSorted((a, b) => a - b);
      expect(found.length).toBe(wanted.length);
      found.forEach((x, i) => {
        expect(Math.abs(x - wanted[i])).toBeLessThan(1e-6);
      });
    }),
  );
  expect(evaluate([1, 2, 3], 2)).toBe(17);
  expect(realRoots([1, 0, 1])).toEqual([]);
});

/** Points in front of two cameras, and where they are seen at z = 1. */
function twoViews(
  seed: number,
  count: number,
  noise = 0,
): { matches: Matches; relative: Float64Array; points: Float64Array } {
  const stream = new WordStream([seed, 21]);
  const normal = normals(stream);
  const second = poseOf(
    [stream.uniform(0.3, 1), stream.uniform(-0.3, 0.3), stream.uniform(-0.5, 0.5)],
    [stream.uniform(-0.2, 0.2), stream.uniform(-0.2, 0.2), stream.uniform(-0.2, 0.2)],
  );
  const points = Float64Array.from({ length: count * 3 }, (_, i) =>
    i % 3 === 2 ? stream.uniform(3, 8) : stream.uniform(-2, 2),
  );
  const identity = poseOf([0, 0, 0], [0, 0, 0]);
  const see = (pose: Float64Array): number[] => {
    const out: number[] = [];
    const c = new Float64Array(3);
    for (let i = 0; i < count; i++) {
      toCamera(pose, points, i, c);
      out.push(c[0] / c[2] + noise * normal(), c[1] / c[2] + noise * normal());
    }
    return out;
  };
  return {
    matches: { first: see(identity), second: see(second) },
    relative: relativePose3(second, identity),
    points,
  };
}

function essentialOf(relative: Float64Array): Float64Array {
  const r = new Float64Array(9);
  quaternionMatrix(relative, 3, r);
  const [x, y, z] = relative;
  const e = Float64Array.from({ length: 9 }, (_, at) => {
    const [i, j] = [Math.floor(at / 3), at % 3];
    const t = [
      [0, -z, y],
      [z, 0, -x],
      [-y, x, 0],
    ];
    return t[i][0] * r[j] + t[i][1] * r[3 + j] + t[i][2] * r[6 + j];
  });
  const norm = Math.hypot(...e);
  return e.map((v) => v / norm);
}

const apart = (a: Float64Array, b: Float64Array): number =>
  Math.min(Math.hypot(...a.map((v, i) => v - b[i])), Math.hypot(...a.map((v, i) => v + b[i])));

test("five points give the essential matrix among few; eight give it alone", () => {
  for (let seed = 0; seed < 40; seed++) {
    const { matches, relative } = twoViews(seed, 10);
    const truth = essentialOf(relative);
    const found = fivePoint(matches, [0, 1, 2, 3, 4]);
    expect(found.length).toBeLessThanOrEqual(10);
    expect(Math.min(...found.map((e) => apart(e, truth))), `seed ${seed}`).toBeLessThan(1e-6);
    for (const e of found)
      for (let i = 0; i < 5; i++) expect(sampsonError(e, matches, i)).toBeLessThan(1e-14);
    expect(apart(eightPoint(matches, [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]), truth)).toBeLessThan(1e-8);
  }
  expect(() => eightPoint(twoViews(0, 8).matches, [0, 1, 2])).toThrow("at least 8 matches wanted, got 3");
});

test("relative pose with a third of the matches wrong", () => {
  for (let seed = 0; seed < 8; seed++) {
    const { matches, relative, points } = twoViews(seed, 90, 0.0005);
    const second = Array.from(matches.second);
    const stream = new WordStream([seed, 5]);
    for (let i = 0; i < 30; i++)
      second.splice(2 * i, 2, stream.uniform(-0.6, 0.6), stream.uniform(-0.6, 0.6));
    const found = estimateRelativePose({ first: matches.first, second }, { threshold: 0.002, seed });
    expect(found).not.toBeNull();
    const { rotation, translation, inliers } = found as NonNullable<typeof found>;
    const length = Math.hypot(...relative.subarray(0, 3));
    const along = translation.reduce((sum, v, i) => sum + (v * relative[i]) / length, 0);
    expect(Math.acos(Math.min(1, along)), `direction ${seed}`).toBeLessThan(0.05);
    const truth = new Float64Array(9);
    quaternionMatrix(relative, 3, truth);
    expect(Math.hypot(...rotation.map((v, i) => v - truth[i]))).toBeLessThan(0.02);
    expect(inliers.filter((i) => i >= 30).length).toBeGreaterThan(50);
    expect(inliers.filter((i) => i < 30).length).toBeLessThan(6);
    const point = triangulate(matches, 40, truth, relative);
    expect(point?.point[2]).toBeCloseTo(points[40 * 3 + 2], 0);
  }
  expect(estimateRelativePose({ first: [0, 0], second: [0, 0] }, { threshold: 0.01 })).toBeNull();
});

test("three points give the pose among four; PnP finds it with half of the matches wrong", () => {
  for (let seed = 0; seed < 20; seed++) {
    const stream = new WordStream([seed, 77]);
    const normal = normals(stream);
    const truth = poseOf([normal(), normal(), normal()], [normal() / 2, normal() / 2, normal() / 2]);
    const points: number[] = [];
    const pixels: number[] = [];
    for (let i = 0; i < 40; i++) {
      const local = [stream.uniform(-1.5, 1.5), stream.uniform(-1, 1), stream.uniform(3, 6)];
      points.push(...compose3(truth, Float64Array.of(...local, 0, 0, 0, 1)).subarray(0, 3));
      const [u, v] = projectPinhole(CAMERA, local[0], local[1], local[2]);
      pixels.push(...(i < 20 ? [u, v] : [stream.uniform(0, 320), stream.uniform(0, 240)]));
    }
    const triple = [0, 1, 2].map((i) => points.slice(3 * i, 3 * i + 3) as [number, number, number]);
    const rays = [0, 1, 2].map((i): [number, number, number] => [
      ...unprojectPixel(CAMERA, pixels[2 * i], pixels[2 * i + 1]),
      1,
    ]);
    const few = threePointPose(triple, rays);
    expect(
      Math.min(...few.map((pose) => Math.hypot(...pose.subarray(0, 3).map((v, i) => v - truth[i])))),
    ).toBeLessThan(1e-5);
    const found = solvePnp(CAMERA, points, pixels, { threshold: 1, seed });
    expect(
      Math.hypot(...(found?.pose ?? []).slice(0, 3).map((v, i) => v - truth[i])),
      `seed ${seed}`,
    ).toBeLessThan(0.01);
    expect(found?.inliers.filter((i) => i < 20).length).toBe(20);
  }
  expect(solvePnp(CAMERA, [0, 0, 1], [1, 1], { threshold: 1 })).toBeNull();
});

/** Smooth noise without a period. */
function texture(u: number, v: number): number {
  const cell = (i: number, j: number): number => {
    let h = Math.imul(i, 0x9e3779b1) ^ Math.imul(j + 0x51ed, 0x85ebca6b);
    h = Math.imul(h ^ (h >>> 15), 0x2c1b3c6d);
    h = Math.imul(h ^ (h >>> 12), 0x297a2d39);
    return ((h ^ (h >>> 15)) >>> 8) / 2 ** 24;
  };
  const [i, j] = [Math.floor(u), Math.floor(v)];
  const [a, b] = [u - i, v - j].map((t) => t * t * (3 - 2 * t));
  const mix =
    (1 - b) * ((1 - a) * cell(i, j) + a * cell(i + 1, j)) +
    b * ((1 - a) * cell(i, j + 1) + a * cell(i + 1, j + 1));
  return 255 * mix;
}

function textured(
  width: number,
  height: number,
  place: (u: number, v: number) => [number, number],
): GrayImage {
  const data = Float32Array.from({ length: width * height }, (_, at) =>
    texture(...place(at % width, Math.floor(at / width))),
  );
  return { width, height, data };
}

describe("features", () => {
  test("corners of a square are found, its sides are none", () => {
    const data = new Uint8Array(40 * 40).fill(20);
    for (let y = 12; y < 28; y++) data.fill(220, y * 40 + 12, y * 40 + 28);
    const corners = fastCorners(toGray(data, 40, 40), { count: 10 });
    const places = corners.map(({ x, y }) => [x, y]);
    for (const [x, y] of [
      [12, 12],
      [27, 12],
      [12, 27],
      [27, 27],
    ])
      expect(places.some(([a, b]) => Math.hypot(a - x, b - y) < 3)).toBe(true);
    for (const [a, b] of places)
      for (const at of [a, b]) expect(Math.min(Math.abs(at - 12), Math.abs(at - 27))).toBeLessThan(4);
    expect(() => toGray(data, 39, 40)).toThrow("39 × 40 pixels of 1, 3 or 4 channels");
  });

  test("colours become grey by their luma", () => {
    expect(toGray([255, 0, 0, 0, 255, 0], 2, 1).data[0]).toBeCloseTo(76.2, 1);
    expect(toGray([10, 20], 2, 1).data).toEqual(Float32Array.of(10, 20));
  });

  test("points are tracked to a fraction of a pixel, lost ones are told", () => {
    const [dx, dy] = [4.3, -2.6];
    const a = textured(160, 120, (u, v) => [u / 6, v / 6]);
    const b = textured(160, 120, (u, v) => [(u - dx) / 6, (v - dy) / 6]);
    const corners = fastCorners(a, { count: 80, border: 20 });
    expect(corners.length).toBeGreaterThan(30);
    const { points, found } = trackPoints(
      a,
      b,
      corners.flatMap(({ x, y }) => [x, y]),
    );
    const errors = corners.flatMap(({ x, y }, i) =>
      found[i] ? [Math.hypot(points[2 * i] - x - dx, points[2 * i + 1] - y - dy)] : [],
    );
    expect(errors.length).toBeGreaterThan(0.9 * corners.length);
    expect(errors.toSorted((p, q) => p - q)[errors.length >> 1]).toBeLessThan(0.05);
    const flat = { ...a, data: new Float32Array(a.data.length) };
    expect(trackPoints(a, flat, [50, 50]).found[0]).toBe(0);
    expect(trackPoints(flat, flat, [50, 50]).found[0]).toBe(0);
    expect(() => trackPoints(a, b, [1, 2], { guess: [1] })).toThrow("1 points have 0.5 guesses");
  });

  test("ORB matches across a turn of 40°", () => {
    const [c, s] = [Math.cos(0.7), Math.sin(0.7)];
    const a = textured(160, 160, (u, v) => [u / 5, v / 5]);
    // pixel (u, v) of the turned image shows what was at R·((u, v) − middle) + middle
    const there = (u: number, v: number): [number, number] => [
      80 + c * (u - 80) - s * (v - 80),
      80 + s * (u - 80) + c * (v - 80),
    ];
    const b = textured(160, 160, (u, v) => there(u, v).map((x) => x / 5) as [number, number]);
    const [fa, fb] = [orbFeatures(a), orbFeatures(b)];
    const pairs = matchFeatures(fa, fb);
    const right = pairs.filter(([i, j]) => {
      const [x, y] = there(fb.corners[j].x, fb.corners[j].y);
      return Math.hypot(fa.corners[i].x - x, fa.corners[i].y - y) < 3;
    });
    expect(pairs.length).toBeGreaterThan(25);
    expect(right.length / pairs.length).toBeGreaterThan(0.9);
    expect(sample(a, -5, -5)).toBeCloseTo(a.data[0]);
  });
});

/** Poses of a camera that drives an arc, looking ahead and turning. */
function arc(steps: number): Float64Array[] {
  const poses = [poseOf([0, 0, 0], [0, 0, 0])];
  while (poses.length < steps)
    poses.push(compose3(poses.at(-1) as Float64Array, poseOf([0.12, 0, 0.05], [0, 0.004, 0])));
  return poses;
}

/** Largest distance of positions, after the scale that one camera can't know. */
function driftOf(found: readonly Float64Array[], truth: readonly Float64Array[]): number {
  let [dot, square] = [0, 0];
  found.forEach((p, i) => {
    for (let k = 0; k < 3; k++) {
      dot += p[k] * truth[i][k];
      square += p[k] * p[k];
    }
  });
  const scale = dot / square;
  return Math.max(...found.map((p, i) => Math.hypot(...[0, 1, 2].map((k) => scale * p[k] - truth[i][k]))));
}

test("a sequence of landmarks: the way of the camera and the points' places", () => {
  const stream = new WordStream([9, 9]);
  const normal = normals(stream);
  const points = Float64Array.from(
    { length: 600 * 3 },
    (_, i) => [stream.uniform(-8, 14), stream.uniform(-3, 3), stream.uniform(2, 14)][i % 3],
  );
  const truth = arc(60);
  const odometry = new LandmarkOdometry(CAMERA, { seed: 1 });
  const c = new Float64Array(3);
  const found: Float64Array[] = [];
  const at: Float64Array[] = [];
  truth.forEach((pose) => {
    const seen: TrackedPixel[] = [];
    for (let id = 0; id < 600; id++) {
      toCamera(pose, points, id, c);
      if (c[2] < 1 || Math.hypot(c[0], c[1]) > 0.6 * c[2]) continue;
      const [u, v] = projectPinhole(CAMERA, c[0], c[1], c[2]);
      if (u < 0 || v < 0 || u > 319 || v > 239) continue;
      const wrong = stream.uniform() < 0.05 ? 40 : 0;
      seen.push({ id, u: u + 0.3 * normal() + wrong, v: v + 0.3 * normal() });
    }
    const result = odometry.add(seen);
    if (result.state === "tracking") {
      found.push(result.pose);
      at.push(pose);
    }
  });
  expect(found.length).toBeGreaterThan(50);
  const length = Math.hypot(...(truth.at(-1) as Float64Array).subarray(0, 3));
  expect(driftOf(found, at)).toBeLessThan(0.03 * length);
  expect(odometry.keyframes.length).toBeGreaterThan(4);
  expect(odometry.keyframes.length).toBeLessThan(40);
  // nothing to see: the last pose stays
  expect(odometry.add([])).toMatchObject({ state: "lost", inliers: 0 });
});

/** What a camera sees inside a box of 8 × 5 × 10 m with textured walls. */
function room(pose: Float64Array, camera: PinholeCamera, width: number, height: number): GrayImage {
  const r = new Float64Array(9);
  quaternionMatrix(pose, 3, r);
  const [low, high] = [
    [-3, -2, -1],
    [5, 2, 9],
  ];
  const data = new Float32Array(width * height);
  for (let v = 0; v < height; v++)
    for (let u = 0; u < width; u++) {
      const [x, y] = unprojectPixel(camera, u, v);
      const d = [0, 1, 2].map((i) => r[i * 3] * x + r[i * 3 + 1] * y + r[i * 3 + 2]);
      let [t, axis] = [Number.POSITIVE_INFINITY, 0];
      for (let k = 0; k < 3; k++) {
        const to = ((d[k] > 0 ? high : low)[k] - pose[k]) / d[k];
        if (to < t) [t, axis] = [to, k];
      }
      const hit = d.map((dk, k) => pose[k] + t * dk);
      const [a, b] = hit.filter((_, k) => k !== axis);
      data[v * width + u] = texture(a * 4 + 100 * axis, b * 4 + (d[axis] > 0 ? 50 : 0));
    }
  return { width, height, data };
}

test("a sequence of images: FAST, KLT, essential matrix, PnP and bundle adjustment together", () => {
  const camera: PinholeCamera = { fx: 150, fy: 150, cx: 99.5, cy: 74.5 };
  const truth = arc(24);
  const odometry = new VisualOdometry(camera, { threshold: 1.5, minParallax: 8, features: 120 });
  const found: Float64Array[] = [];
  const at: Float64Array[] = [];
  for (const pose of truth) {
    const result = odometry.add(room(pose, camera, 200, 150));
    expect(result.state).not.toBe("lost");
    if (result.state !== "tracking") continue;
    found.push(result.pose);
    at.push(pose);
  }
  expect(found.length).toBeGreaterThan(16);
  const length = Math.hypot(...(truth.at(-1) as Float64Array).subarray(0, 3));
  expect(driftOf(found, at)).toBeLessThan(0.04 * length);
});
