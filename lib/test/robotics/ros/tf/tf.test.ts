/** Transforms over the in-process graph, and what is done with them. */
import { describe, expect, it } from "vitest";
import {
  quaternionFromEuler,
  type TransformStamped,
  transformCloud,
  transformPoint,
  transformPose,
  transformVector,
} from "../../../../src/robotics/ros/tf/index.js";
import { graphSubject } from "../subjects.js";
import { tfCases } from "./cases.js";

describe("transforms between nodes", () => tfCases(graphSubject));

describe("geometry in other frames", () => {
  /** A robot at (2, 1), that looks along y. */
  const robot: TransformStamped = {
    header: { stamp: { sec: 0, nanosec: 0 }, frame_id: "map" },
    child_frame_id: "base",
    transform: {
      translation: { x: 2, y: 1, z: 0 },
      rotation: quaternionFromEuler({ roll: 0, pitch: 0, yaw: Math.PI / 2 }),
    },
  };
  const near = (got: object, expected: object) =>
    expect(Object.values(got).map((v) => Math.round(v * 1e9) / 1e9 + 0)).toEqual(Object.values(expected));

  it("moves points, turns vectors, does both to poses", () => {
    near(transformPoint(robot, { x: 1, y: 0, z: 3 }), { x: 2, y: 2, z: 3 });
    near(transformVector(robot, { x: 1, y: 0, z: 3 }), { x: 0, y: 1, z: 3 });
    const { position, orientation } = transformPose(robot, {
      position: { x: 1, y: 1, z: 0 },
      orientation: quaternionFromEuler({ roll: 0, pitch: 0, yaw: -Math.PI / 2 }),
    });
    near(position, { x: 1, y: 2, z: 0 });
    near(orientation, { x: 0, y: 0, z: 0, w: 1 });
  });

  it("moves clouds of points, and leaves the given one as it is", () => {
    const points = Float32Array.of(1, 0, 0, 0, 1, 5);
    const moved = transformCloud(robot, points);
    expect(moved).toBeInstanceOf(Float32Array);
    near(moved, [2, 2, 0, 1, 1, 5]);
    expect([...points]).toEqual([1, 0, 0, 0, 1, 5]);
  });
});
