import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  accelerate,
  arc,
  limitWheels,
  makeDrive,
  motionOfArc,
  moved,
  odometryDeviation,
  sampleOdometry,
  twistOf,
  wheelsOf,
} from "./drive.js";
import { NoiseSource } from "./noise.js";

const small = fc.double({ min: -3, max: 3, noNaN: true });
const pose = fc.record({ x: small, y: small, theta: small });

describe("the arc", () => {
  it("is the circle about the instantaneous centre", () => {
    fc.assert(
      fc.property(pose, small, small, (from, distance, turn) => {
        fc.pre(Math.abs(turn) > 1e-3);
        const r = distance / turn;
        const to = arc(from, distance, turn);
        expect(to.x).toBeCloseTo(from.x + r * (Math.sin(from.theta + turn) - Math.sin(from.theta)), 9);
        expect(to.y).toBeCloseTo(from.y - r * (Math.cos(from.theta + turn) - Math.cos(from.theta)), 9);
      }),
    );
  });

  it("does not depend on how it is cut into steps", () => {
    fc.assert(
      fc.property(pose, small, small, fc.integer({ min: 2, max: 20 }), (from, distance, turn, steps) => {
        let at = from;
        for (let i = 0; i < steps; i++) at = arc(at, distance / steps, turn / steps);
        const whole = arc(from, distance, turn);
        expect(at.x).toBeCloseTo(whole.x, 9);
        expect(at.y).toBeCloseTo(whole.y, 9);
        expect(Math.cos(at.theta - whole.theta)).toBeCloseTo(1, 12);
      }),
    );
  });

  it("is continuous where it becomes a straight line", () => {
    for (const turn of [0, 1e-12, 9.9e-5, 1.01e-4, 2.1e-4]) {
      const at = arc({ x: 0, y: 0, theta: 0 }, 2, turn);
      const exact = turn === 0 ? 2 : (2 * Math.sin(turn / 2)) / (turn / 2);
      expect(Math.hypot(at.x, at.y)).toBeCloseTo(exact, 14);
    }
  });

  it("is the motion that odometry tells", () => {
    fc.assert(
      fc.property(pose, small, small, (from, distance, turn) => {
        const [a, b] = [arc(from, distance, turn), moved(from, motionOfArc(distance, turn))];
        expect(b.x).toBeCloseTo(a.x, 12);
        expect(b.y).toBeCloseTo(a.y, 12);
        expect(Math.cos(a.theta - b.theta)).toBeCloseTo(1, 12);
      }),
    );
  });
});

describe("wheels", () => {
  it("and twist are each other's inverse", () => {
    const drive = makeDrive();
    fc.assert(
      fc.property(small, small, (linear, angular) => {
        const back = twistOf(wheelsOf({ linear, angular }, drive), drive);
        expect(back.linear).toBeCloseTo(linear, 12);
        expect(back.angular).toBeCloseTo(angular, 12);
      }),
    );
  });

  it("keep the curve at their limit", () => {
    const drive = makeDrive({ maxWheelSpeed: 5 });
    const asked = { linear: 2, angular: 1 };
    const { left, right } = limitWheels(wheelsOf(asked, drive), drive);
    expect(Math.max(Math.abs(left), Math.abs(right))).toBe(5);
    const { linear, angular } = twistOf({ left, right }, drive);
    expect(linear / angular).toBeCloseTo(asked.linear / asked.angular, 12);
  });

  it("gain speed no faster than they can", () => {
    const drive = makeDrive({ maxWheelAcceleration: 10 });
    const once = accelerate({ left: 0, right: 0 }, { left: 4, right: -2 }, drive, 0.1);
    expect(once).toEqual({ left: 1, right: -0.5 });
    expect(accelerate(once, { left: 1.5, right: 0 }, drive, 0.1)).toEqual({ left: 1.5, right: 0 });
  });

  it("refuses a drive that is none", () => {
    expect(() => makeDrive({ track: 0 })).toThrow("drive: track is a positive number, got 0");
    expect(() => makeDrive({ slip: -1 })).toThrow("slip");
  });
});

describe("odometry's noise", () => {
  it("has the deviations of the model", () => {
    const noise = new NoiseSource(5);
    const motion = { turn1: 0.3, way: 1.2, turn2: -0.1 };
    const alphas = [0.02, 0.01, 0.03, 0.005] as const;
    const wanted = odometryDeviation(motion, alphas);
    expect(wanted.turn1).toBeCloseTo(Math.sqrt(0.02 * 0.09 + 0.01 * 1.44), 12);
    expect(wanted.way).toBeCloseTo(Math.sqrt(0.03 * 1.44 + 0.005 * (0.09 + 0.01)), 12);
    const n = 20_000;
    const normals = noise.normals("odometry", 0, 0, new Float64Array(3 * n));
    for (const part of ["turn1", "way", "turn2"] as const) {
      let sum = 0;
      for (let i = 0; i < n; i++) {
        const error = sampleOdometry(motion, alphas, normals.subarray(3 * i))[part] - motion[part];
        sum += error * error;
      }
      expect(Math.sqrt(sum / n) / wanted[part]).toBeCloseTo(1, 1);
    }
  });
});
