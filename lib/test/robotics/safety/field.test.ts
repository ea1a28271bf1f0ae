/** The protective field against what a robot can really do: no way of driving leaves it before the brakes have done their work. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  distanceToReach,
  intrusion,
  protectiveField,
  type RobotLimits,
  safeSpeed,
  stoppingDistance,
} from "../../../src/robotics/safety/index.js";
import { accelerate, arc, limitWheels, twistOf, wheelsOf } from "../../../src/robotics/simulate/drive.js";

const number = (min: number, max: number) => fc.double({ min, max, noNaN: true, noDefaultInfinity: true });

describe("the protective field", () => {
  it("holds every way that a robot can go: any commands while the monitor reacts, then brakes", () => {
    fc.assert(
      fc.property(
        number(0.2, 3),
        number(0.5, 8),
        number(0.2, 0.6),
        number(0, 0.5),
        number(-1, 1),
        number(-1, 1),
        fc.array(fc.tuple(number(-2, 2), number(-2, 2)), { minLength: 1, maxLength: 6 }),
        (maxSpeed, acceleration, track, reactionTime, left, right, commands) => {
          const drive = {
            track,
            wheelRadius: 1,
            maxWheelSpeed: maxSpeed,
            maxWheelAcceleration: acceleration,
            slip: 0,
          };
          const limits: RobotLimits = {
            radius: 0.2,
            maxSpeed,
            maxTurn: (2 * maxSpeed) / track,
            maxAcceleration: acceleration,
            braking: acceleration,
          };
          let wheels = limitWheels({ left: left * maxSpeed, right: right * maxSpeed }, drive);
          const field = protectiveField(twistOf(wheels, drive).linear, limits, { reactionTime, margin: 0 });
          let pose = { x: 0, y: 0, theta: 0 };
          const dt = 0.002;
          for (let time = 0; time < reactionTime + maxSpeed / acceleration + 2 * dt; time += dt) {
            const part = Math.min(
              commands.length - 1,
              Math.floor((time / Math.max(reactionTime, dt)) * commands.length),
            );
            const [linear, angular] = commands[part];
            const wanted =
              time + dt > reactionTime
                ? { left: 0, right: 0 }
                : limitWheels(wheelsOf({ linear, angular }, drive), drive);
            wheels = accelerate(wheels, wanted, drive, dt);
            const { linear: v, angular: w } = twistOf(wheels, drive);
            pose = arc(pose, v * dt, w * dt);
            expect(distanceToReach(pose.x, pose.y, field)).toBeLessThan(1e-3 + maxSpeed * dt);
          }
        },
      ),
      { numRuns: 200 },
    );
  });

  it("is as far from a point as the nearest of many places in it", () => {
    fc.assert(
      fc.property(
        number(0, 2),
        number(0, Math.PI),
        fc.constantFrom<1 | -1>(1, -1),
        number(-4, 4),
        number(-4, 4),
        (reach, spread, direction, x, y) => {
          let least = Number.POSITIVE_INFINITY;
          for (let i = 0; i <= 60; i++)
            for (let j = 0; j <= 240; j++) {
              const [r, angle] = [(reach * i) / 60, -spread + (2 * spread * j) / 240];
              least = Math.min(
                least,
                Math.hypot(x - direction * r * Math.cos(angle), y - r * Math.sin(angle)),
              );
            }
          const distance = distanceToReach(x, y, { reach, spread, direction, radius: 0.2 });
          expect(distance).toBeLessThanOrEqual(least + 1e-9);
          expect(distance).toBeGreaterThan(least - 0.07);
        },
      ),
    );
  });

  const limits: RobotLimits = { radius: 0.2, maxSpeed: 1, maxTurn: 2, maxAcceleration: 0.5, braking: 2 };

  it("stops within v·t + v²/2b at full speed, where nothing is gained any more", () => {
    expect(stoppingDistance(1, limits, 0.3)).toBeCloseTo(1 * 0.3 + 1 / (2 * 2), 12);
    expect(stoppingDistance(-1, limits, 0.3)).toBeCloseTo(stoppingDistance(1, limits, 0.3), 12);
    expect(stoppingDistance(0, limits, 0.2)).toBeCloseTo(0.1 * (0.2 + 1 / 4), 12);
  });

  it("tells the fastest speed at which a wall ahead is not in it yet", () => {
    const options = { reactionTime: 0.3, margin: 0.05 };
    fc.assert(
      fc.property(number(0.2, 2), (distance) => {
        const speed = safeSpeed(distance, limits, options);
        if (speed > 0)
          expect(stoppingDistance(speed, limits, 0.3)).toBeLessThanOrEqual(distance - 0.05 + 1e-9);
        if (speed > 0 && speed < 1)
          expect(stoppingDistance(speed + 1e-3, limits, 0.3)).toBeGreaterThan(distance - 0.05);
      }),
    );
    expect(safeSpeed(0.05, limits, options)).toBe(0);
    expect(safeSpeed(10, limits, options)).toBe(1);
  });

  it("finds what is in it, and how many rays are blind", () => {
    const scan = {
      angleMin: -Math.PI,
      angleIncrement: Math.PI / 2,
      rangeMin: 0.1,
      rangeMax: 5,
      ranges: Float32Array.of(Number.POSITIVE_INFINITY, Number.NaN, 1.5, 0.4),
      intensities: new Float32Array(4),
    };
    const field = protectiveField(1, { ...limits, maxTurn: 0.5 }, { reactionTime: 0.3, margin: 0.05 });
    const found = intrusion(scan, field);
    expect(found.blind).toBe(0.25);
    expect(found.nearest?.x).toBeCloseTo(0, 6);
    expect(found.nearest?.y).toBeCloseTo(0.4, 6);
    expect(found.clearance).toBeCloseTo(0.4 * Math.cos(field.spread) - 0.25 - 0, 1);
    const near = { ...scan, ranges: Float32Array.of(Number.NEGATIVE_INFINITY, 9, 9, 9) };
    expect(intrusion(near, field).clearance).toBeLessThan(0);
    expect(intrusion({ ...scan, ranges: new Float32Array(0) }, field)).toEqual({
      clearance: Number.POSITIVE_INFINITY,
      nearest: null,
      blind: 1,
    });
  });

  it("refuses limits that are none", () => {
    expect(() => protectiveField(0, { ...limits, braking: 0 }, { reactionTime: 1 })).toThrow(
      "braking is a positive",
    );
    expect(() => protectiveField(0, limits, { reactionTime: -1 })).toThrow("numbers from 0");
  });
});
