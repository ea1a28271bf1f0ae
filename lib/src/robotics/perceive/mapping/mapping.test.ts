/** Grids, scan matching, Monte-Carlo localization and scan SLAM in a building whose map is known. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { WordStream } from "../../../core/random.js";
import { wrapAngle } from "../../solve/index.js";
import { MonteCarloLocalization } from "../filter/monte-carlo.js";
import { compose2, drive, type Pose2, relative2, type Twist2 } from "../filter/motion.js";
import { ScanSlam } from "../pose-graph/scan-slam.js";
import { trajectoryError2 } from "../pose-graph/worlds.js";
import { normals } from "../random.js";
import { matchScans, PointCloud } from "./icp.js";
import { OccupancyGrid } from "./occupancy.js";
import { type LaserScan, scanPoints } from "./scan.js";

/** 16 × 12 m: an outer wall, an inner block around which a corridor runs, niches that make places differ. */
function building(): OccupancyGrid {
  const [width, height] = [160, 120];
  const cells = new Uint8Array(width * height);
  const wall = (x0: number, y0: number, x1: number, y1: number): void => {
    for (let j = Math.round(y0 * 10); j < Math.round(y1 * 10); j++)
      for (let i = Math.round(x0 * 10); i < Math.round(x1 * 10); i++) cells[j * width + i] = 1;
  };
  wall(0, 0, 16, 0.3);
  wall(0, 11.7, 16, 12);
  wall(0, 0, 0.3, 12);
  wall(15.7, 0, 16, 12);
  wall(4, 4, 11, 8);
  for (const [x, y, w, h] of [
    [2, 0.3, 0.4, 0.6],
    [6, 0.3, 1.2, 0.4],
    [9.5, 0.3, 0.5, 0.9],
    [15, 3, 0.7, 0.5],
    [14.8, 7, 0.9, 1.1],
    [12.5, 11.1, 0.8, 0.6],
    [7, 11.3, 0.4, 0.4],
    [3.2, 10.9, 0.6, 0.8],
    [0.3, 8.5, 0.5, 0.7],
    [0.3, 4, 0.9, 0.4],
    [3.6, 5, 0.4, 0.8],
    [8, 8, 0.6, 0.5],
    [11, 6, 0.4, 0.4],
  ])
    wall(x, y, x + w, y + h);
  return OccupancyGrid.of(cells, { width, height });
}
const MAP = building();

function scanAt({ x, y, theta }: Pose2, normal: () => number, rays = 180): LaserScan {
  const angleIncrement = (2 * Math.PI) / rays;
  const ranges = Float64Array.from({ length: rays }, (_, i) => {
    const range = MAP.raycast(x, y, theta - Math.PI + i * angleIncrement, 8);
    return range < 8 ? range + 0.02 * normal() : Number.POSITIVE_INFINITY;
  });
  return { angleMin: -Math.PI, angleIncrement, rangeMin: 0.05, rangeMax: 8, ranges };
}

/** Commands that lead around the corridor, from the true pose. */
const CORNERS = [
  [14, 2],
  [14, 10],
  [2, 10],
  [2, 2],
];
function steer({ x, y, theta }: Pose2, goal: readonly number[]): Twist2 {
  const turn = wrapAngle(Math.atan2(goal[1] - y, goal[0] - x) - theta);
  return { linear: Math.abs(turn) > 0.5 ? 0.1 : 0.8, angular: Math.max(-1, Math.min(1, 2 * turn)) };
}

test("a segment crosses the cells that sampling it finds, each once", () => {
  const place = fc.double({ min: -1, max: 5, noNaN: true });
  const grid = new OccupancyGrid({ width: 20, height: 20, resolution: 0.2 });
  fc.assert(
    fc.property(place, place, place, place, (x0, y0, x1, y1) => {
      const cells: number[] = [];
      grid.traverse(x0, y0, x1, y1, (cell) => cells.push(cell) > 0);
      expect(new Set(cells).size).toBe(cells.length);
      const found = new Set(cells);
      for (let t = 0; t <= 1000; t++) {
        const [x, y] = [x0 + ((x1 - x0) * t) / 1000, y0 + ((y1 - y0) * t) / 1000];
        const [fx, fy] = [x / 0.2, y / 0.2].map((v) => Math.abs(v - Math.round(v)));
        if (fx < 1e-6 || fy < 1e-6) continue; // on a border
        const cell = grid.cellAt(x, y);
        if (cell >= 0) expect(found.has(cell)).toBe(true);
      }
    }),
    { numRuns: 60 },
  );
});

test("rays end at the border of the first occupied cell", () => {
  const grid = OccupancyGrid.of([0, 0, 0, 1, 0, 0, 0, 0], { width: 4, height: 2, resolution: 1 });
  expect(grid.raycast(0.5, 0.5, 0, 10)).toBeCloseTo(2.5);
  expect(grid.raycast(0.5, 0.5, Math.PI / 2, 10)).toBe(10);
  expect(grid.raycast(3.5, 1.5, -Math.PI / 2, 10)).toBeCloseTo(0.5);
  expect(grid.raycast(0.5, 0.5, 0, 2)).toBe(2);
  expect(() => new OccupancyGrid({ width: 0, height: 1 })).toThrow("whole numbers of cells");
  expect(() => OccupancyGrid.of([1], { width: 2, height: 1 })).toThrow("2 × 1 cells wanted, got 1");
});

test("distances to walls are those of all pairs", () => {
  const stream = new WordStream([4, 4]);
  const cells = Array.from({ length: 15 * 11 }, () => Number(stream.uniform() < 0.05));
  const grid = OccupancyGrid.of(cells, { width: 15, height: 11, resolution: 0.5 });
  const occupied = cells.flatMap((c, i) => (c ? [i] : []));
  grid.distances().forEach((d, i) => {
    const [x, y] = [i % 15, Math.floor(i / 15)];
    const wanted = Math.min(...occupied.map((k) => Math.hypot((k % 15) - x, Math.floor(k / 15) - y))) * 0.5;
    expect(d).toBeCloseTo(wanted, 10);
  });
});

test("mapping from known poses finds walls and free space", () => {
  const normal = normals(new WordStream([1, 1]));
  const grid = new OccupancyGrid({ width: 160, height: 120 });
  for (let x = 1.5; x < 15; x += 0.75)
    for (const y of [2, 10]) grid.update({ x, y, theta: x }, scanAt({ x, y, theta: x }, normal, 360));
  let [right, wrong, known] = [0, 0, 0];
  grid.logOdds.forEach((l, cell) => {
    if (Math.abs(l) < 1) return;
    known++;
    // walls lie on the borders of cells, so that noise puts half of the hits into the cell before
    if ([cell, cell - 1, cell + 1, cell - 160, cell + 160].some((c) => l > 0 === MAP.isOccupied(c))) right++;
    else wrong++;
  });
  expect(known).toBeGreaterThan(8000);
  expect(wrong / (right + wrong)).toBeLessThan(0.002);
  const message = grid.toMessageData();
  expect(Math.max(...message)).toBeGreaterThan(90);
  expect(message[MAP.cellAt(8, 6)]).toBe(-1);
});

test("scan matching finds the motion between two scans, and how sure it is", () => {
  const normal = normals(new WordStream([2, 7]));
  const stream = new WordStream([2, 8]);
  for (let k = 0; k < 10; k++) {
    const from = { x: stream.uniform(1.5, 3), y: stream.uniform(2, 10), theta: stream.uniform(-3, 3) };
    const moved = {
      x: stream.uniform(-0.3, 0.3),
      y: stream.uniform(-0.3, 0.3),
      theta: stream.uniform(-0.2, 0.2),
    };
    const [a, b] = [from, compose2(from, moved)].map(
      (pose) => new PointCloud(scanPoints(scanAt(pose, normal, 360))),
    );
    const match = matchScans(a, b);
    expect(match.converged).toBe(true);
    const error = relative2(match.pose, moved);
    expect(Math.hypot(error.x, error.y), `translation ${k}`).toBeLessThan(0.03);
    expect(Math.abs(error.theta), `turn ${k}`).toBeLessThan(0.01);
    expect(match.overlap).toBeGreaterThan(0.6);
  }
  expect(() => matchScans(new PointCloud(new Float64Array(2)), new PointCloud(new Float64Array(8)))).toThrow(
    "at least 3 points wanted, got 1 and 4",
  );
});

test("a match along a corridor says that its direction is open", () => {
  const walls = Float64Array.from({ length: 400 }, (_, i) => {
    const [k, isY] = [i >> 1, i % 2];
    return isY ? (k % 2 ? 1 : -1) : -2.5 + k / 40;
  });
  const match = matchScans(new PointCloud(walls), new PointCloud(walls), {
    guess: { x: 0.1, y: 0.1, theta: 0.03 },
  });
  expect(Math.abs(match.pose.y)).toBeLessThan(1e-3);
  expect(match.information[0]).toBeLessThan(1e-6 * match.information[4]);
});

describe("Monte-Carlo localization", () => {
  const noise = [0.02, 0.01, 0.01, 0.02] as const;
  const follow = (mcl: MonteCarloLocalization, from: Pose2, steps: number, seed: number): Pose2 => {
    const normal = normals(new WordStream([seed, 5]));
    let truth = from;
    let corner = 0;
    for (let k = 0; k < steps; k++) {
      const goal = CORNERS[corner % 4];
      if (Math.hypot(goal[0] - truth.x, goal[1] - truth.y) < 0.5) corner++;
      const twist = steer(truth, CORNERS[corner % 4]);
      truth = drive(truth, twist, 0.3);
      mcl.predict(twist, 0.3);
      mcl.observe(scanAt(truth, normal, 60));
    }
    return truth;
  };
  const errorOf = (mcl: MonteCarloLocalization, truth: Pose2): number => {
    const { pose } = mcl.estimate();
    return Math.hypot(pose.x - truth.x, pose.y - truth.y);
  };

  test("finds itself from nothing, then needs few particles; a kidnapped robot is found again", () => {
    const mcl = new MonteCarloLocalization(MAP, { motionNoise: noise, maxParticles: 6000, seed: 3 });
    expect(mcl.count).toBe(6000);
    let truth = follow(mcl, { x: 2, y: 2, theta: 0 }, 60, 1);
    expect(errorOf(mcl, truth)).toBeLessThan(0.3);
    expect(mcl.count).toBeLessThan(1000);
    expect(Math.abs(mcl.weights.reduce((a, b) => a + b) - 1)).toBeLessThan(1e-9);
    // carried to the other side of the building
    truth = follow(mcl, { x: 14, y: 9.5, theta: Math.PI }, 80, 2);
    expect(errorOf(mcl, truth)).toBeLessThan(0.3);
  });

  test("without recovery, a kidnapped robot stays lost", () => {
    const mcl = new MonteCarloLocalization(MAP, {
      motionNoise: noise,
      start: { x: 2, y: 2, theta: 0 },
      recovery: [0, 0],
      maxParticles: 500,
    });
    const truth = follow(mcl, { x: 14, y: 9.5, theta: Math.PI }, 30, 2);
    expect(errorOf(mcl, truth)).toBeGreaterThan(1);
  });

  test("maps without free cells are refused", () => {
    const full = OccupancyGrid.of([1], { width: 1, height: 1 });
    expect(() => new MonteCarloLocalization(full, { motionNoise: noise })).toThrow("no free cell");
  });
});

test("scan SLAM closes the loop around a building that odometry misses by metres", () => {
  const normal = normals(new WordStream([11, 3]));
  let truth: Pose2 = { x: 2, y: 2, theta: 0 };
  let odometry = truth;
  const slam = new ScanSlam(truth);
  slam.add({ x: 0, y: 0, theta: 0 }, scanAt(truth, normal));
  const truths: number[] = [truth.x, truth.y, truth.theta];
  const dead: number[] = [...truths];
  let corner = 0;
  for (let k = 0; k < 420 && corner < 5; k++) {
    const goal = CORNERS[corner % 4];
    if (Math.hypot(goal[0] - truth.x, goal[1] - truth.y) < 0.5) corner++;
    const next = drive(truth, steer(truth, CORNERS[corner % 4]), 0.3);
    const { x, y, theta } = relative2(truth, next);
    truth = next;
    // wheels that slip, and one that is a little larger
    const moved = { x: x * 1.03 + 0.01 * normal(), y, theta: theta + 0.012 * x + 0.01 * normal() };
    odometry = compose2(odometry, moved);
    if (slam.add(moved, scanAt(truth, normal)).keyframe < 0) continue;
    truths.push(truth.x, truth.y, truth.theta);
    dead.push(odometry.x, odometry.y, odometry.theta);
  }
  expect(slam.loops.length).toBeGreaterThan(0);
  const error = trajectoryError2(slam.graph.poses, truths);
  expect(trajectoryError2(dead, truths)).toBeGreaterThan(0.8);
  expect(error).toBeLessThan(0.1);
  const map = slam.map({ width: 160, height: 120 });
  let [hit, walls] = [0, 0];
  map.logOdds.forEach((l, cell) => {
    if (l <= 1) return;
    walls++;
    const [x, y] = [cell % 160, Math.floor(cell / 160)];
    const near = [-2, -1, 0, 1, 2].some((a) =>
      [-2, -1, 0, 1, 2].some((b) => MAP.logOdds[(y + b) * 160 + x + a] > 0),
    );
    if (near) hit++;
  });
  expect(walls).toBeGreaterThan(500);
  expect(hit / walls).toBeGreaterThan(0.95);
});
