import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { robotics } from "../../index.js";

const { plan, control } = robotics;
type Pose2 = robotics.control.Pose2;

const pose = fc.tuple(
  fc.double({ min: -5, max: 5, noNaN: true }),
  fc.double({ min: -5, max: 5, noNaN: true }),
  fc.double({ min: -Math.PI, max: Math.PI, noNaN: true }),
);

/** The end of a way, by a car's own equations of motion. */
function driven({ word, lengths, start, radius }: robotics.plan.DubinsPath): number[] {
  const system = control.unicycle();
  let state: number[] = [...start];
  lengths.forEach((length, i) => {
    const turn = { L: 1, S: 0, R: -1 }[word[i] as "L" | "S" | "R"] / radius;
    const steps = Math.max(1, Math.ceil(length / 0.05));
    for (let k = 0; k < steps; k++) state = system.step(state, [1, turn], length / steps);
  });
  return state;
}

describe("Dubins' curves", () => {
  it("have the lengths that geometry gives", () => {
    const length = (a: Pose2, b: Pose2, r = 1): number => plan.dubins(a, b, r).length;
    expect(length([0, 0, 0], [7, 0, 0])).toBeCloseTo(7, 12);
    expect(length([0, 0, 0], [0, 2, Math.PI])).toBeCloseTo(Math.PI, 9); // half a circle
    expect(length([0, 0, 0], [3, 3, Math.PI / 2], 3)).toBeCloseTo((3 * Math.PI) / 2, 9); // a quarter
    expect(length([0, 0, 0], [0, 4, Math.PI])).toBeCloseTo(Math.PI + 2, 9); // with 2 m straight between
    expect(length([0, 0, 0], [0, 0, Math.PI])).toBeCloseTo((7 * Math.PI) / 3, 9); // turn on the spot: three circles that touch
    expect(length([1, 2, 0.3], [1, 2, 0.3])).toBeCloseTo(0, 9);
  });

  it("lead where they should, each of the six kinds, and the shortest is returned", () => {
    fc.assert(
      fc.property(pose, pose, fc.double({ min: 0.3, max: 2, noNaN: true }), (a, b, radius) => {
        const ways = plan.dubinsWays(a, b, radius);
        expect(ways.length).toBeGreaterThanOrEqual(2); // LSL and RSR always exist
        for (const way of ways) {
          const end = driven(way);
          expect(Math.hypot(end[0] - b[0], end[1] - b[1])).toBeLessThan(1e-5);
          expect(Math.abs(control.wrapAngle(end[2] - b[2]))).toBeLessThan(1e-6);
          const last = plan.dubinsPose(way, way.length);
          expect(Math.hypot(last[0] - b[0], last[1] - b[1])).toBeLessThan(1e-6);
        }
        const best = plan.dubins(a, b, radius);
        expect(best.length).toBe(Math.min(...ways.map((way) => way.length)));
        expect(best.length).toBeGreaterThanOrEqual(Math.hypot(a[0] - b[0], a[1] - b[1]) - 1e-6);
        // the way back, looked at in a mirror of time, is as long
        const turned = ([x, y, heading]: Pose2): Pose2 => [x, y, heading + Math.PI];
        expect(plan.dubins(turned(b), turned(a), radius).length).toBeCloseTo(best.length, 5);
      }),
      { numRuns: 60 },
    );
  });

  it("are sampled evenly", () => {
    const way = plan.dubins([0, 0, 0], [3, 2, 1], 0.5);
    const poses = plan.dubinsPoses(way, 0.1);
    for (let i = 1; i < poses.length; i++)
      expect(Math.hypot(poses[i][0] - poses[i - 1][0], poses[i][1] - poses[i - 1][1])).toBeLessThanOrEqual(
        0.1 + 1e-9,
      );
    expect(() => plan.dubins([0, 0, 0], [1, 0, 0], 0)).toThrow(/radius above 0 m/);
  });
});

describe("shortcuts", () => {
  it("are never longer, stay free, and come near the shortest", () => {
    const space = new plan.ObstacleSpace(
      [
        [-3, 3],
        [-3, 3],
      ],
      { balls: [{ centre: [0, 0], radius: 1 }] },
    );
    for (const seed of [1, 2, 3]) {
      const path = plan.rrt(space, [-2, 0], [2, 0], { seed }).path as robotics.plan.Point[];
      const short = plan.shortcut(space, path, { seed, rounds: 400 });
      expect(plan.pathLength(short)).toBeLessThanOrEqual(plan.pathLength(path));
      expect(plan.pathLength(short)).toBeLessThan(1.05 * (2 * Math.sqrt(3) + Math.PI / 3));
      for (let i = 1; i < short.length; i++) expect(space.clear(short[i - 1], short[i])).toBe(true);
      expect([short[0], short.at(-1)]).toEqual([
        [-2, 0],
        [2, 0],
      ]);
    }
  });
});

describe("timing", () => {
  const straight = (length: number, count: number) =>
    Array.from({ length: count + 1 }, (_, i) => [(length * i) / count, 0]);

  it("of a straight line is the trapezoid, or the triangle if it is short", () => {
    const long = plan.timed(straight(10, 100), { speed: 2, acceleration: 1 });
    expect(long.at(-1)?.time).toBeCloseTo(10 / 2 + 2 / 1, 9);
    expect(Math.max(...long.map((each) => each.speed))).toBe(2);
    const short = plan.timed(straight(1, 2), { speed: 2, acceleration: 1 });
    expect(short.at(-1)?.time).toBeCloseTo(2, 9); // 2·√(length/acceleration)
    expect(short[1].speed).toBeCloseTo(1, 9);
    const rolling = plan.timed(straight(4, 4), { speed: 2, acceleration: 1, startSpeed: 2, endSpeed: 2 });
    expect(rolling.at(-1)?.time).toBeCloseTo(2, 9);
  });

  it("of a circle is limited by what the tyres hold", () => {
    const circle = Array.from({ length: 201 }, (_, i) => [
      2 * Math.cos((i * Math.PI) / 100),
      2 * Math.sin((i * Math.PI) / 100),
    ]);
    const found = plan.timed(circle, { speed: 9, acceleration: 100, lateral: 2 });
    expect(found[100].speed).toBeCloseTo(2, 9); // √(2·2)
  });

  it("keeps every limit on any path", () => {
    const coordinate = fc.double({ min: -3, max: 3, noNaN: true });
    fc.assert(
      fc.property(fc.array(fc.tuple(coordinate, coordinate), { minLength: 2, maxLength: 20 }), (path) => {
        const limits = { speed: 1.5, acceleration: 0.7, lateral: 0.5 };
        const found = plan.timed(path, limits);
        for (let i = 1; i < found.length; i++) {
          const [a, b] = [found[i - 1], found[i]];
          expect(b.speed).toBeLessThanOrEqual(1.5 + 1e-9);
          const change = Math.abs(b.speed ** 2 - a.speed ** 2) / 2;
          expect(change).toBeLessThanOrEqual(0.7 * (b.along - a.along) + 1e-9);
          expect(b.time).toBeGreaterThanOrEqual(a.time);
          expect(Number.isFinite(b.time)).toBe(true);
        }
      }),
    );
  });

  it("names limits that can't be kept", () => {
    expect(() =>
      plan.timed(
        [
          [0, 0],
          [1, 0],
        ],
        { speed: 1, acceleration: 0 },
      ),
    ).toThrow(/acceleration 0/);
    expect(() =>
      plan.timed(
        [
          [0, 0],
          [1, 0],
        ],
        { speed: 1, acceleration: 1, startSpeed: 2 },
      ),
    ).toThrow("startSpeed is 2 m/s, the limits allow 0 … 1");
    expect(() =>
      plan.timed(
        [
          [0, 0],
          [0.1, 0],
        ],
        { speed: 3, acceleration: 1, startSpeed: 3 },
      ),
    ).toThrow(/too short to get from 3 to 0/);
  });
});
