import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { TransformBuffer, type TransformStamped } from "../../../../src/robotics/ros/tf/buffer.js";
import {
  ConnectivityError,
  ExtrapolationError,
  InvalidTransformError,
  TransformLookupError,
} from "../../../../src/robotics/ros/tf/errors.js";
import { fromEuler } from "../../../../src/robotics/ros/tf/quaternion.js";
import { toStamp } from "../../../../src/robotics/ros/tf/time.js";
import { transformToMatrix } from "../../../../src/robotics/ros/tf/transform.js";

const SECOND = 1_000_000_000n;
/** At a time in seconds, `x` metres along, turned by `yaw`. */
function step(parent: string, child: string, time: number, x = 0, yaw = 0): TransformStamped {
  return {
    header: { stamp: toStamp(BigInt(Math.round(time * 1e9))), frame_id: parent },
    child_frame_id: child,
    transform: { translation: { x, y: 0, z: 0 }, rotation: fromEuler({ roll: 0, pitch: 0, yaw }) },
  };
}
const x = ({ transform }: TransformStamped): number => transform.translation.x;

describe("TransformBuffer", () => {
  it("tells the transform between any two frames of a tree, between two times, as SciPy does", () => {
    const { tree, lookups, ratio } = JSON.parse(
      readFileSync(new URL("./rotations.json", import.meta.url), "utf8"),
    ) as {
      ratio: number;
      tree: { name: string; parent: string; rotations: number[][]; translations: number[][] }[];
      lookups: { target: string; source: string; matrix: number[][] }[];
    };
    const buffer = new TransformBuffer();
    for (const second of [0, 1])
      for (const { name, parent, rotations, translations } of tree) {
        const [[qx, qy, qz, qw], [tx, ty, tz]] = [rotations[second], translations[second]];
        buffer.set({
          header: { stamp: { sec: 100 + second, nanosec: 0 }, frame_id: parent },
          child_frame_id: name,
          transform: { translation: { x: tx, y: ty, z: tz }, rotation: { x: qx, y: qy, z: qz, w: qw } },
        });
      }
    const time = 100n * SECOND + BigInt(ratio * 1e9);
    expect(lookups).toHaveLength(36);
    for (const { target, source, matrix } of lookups) {
      const got = buffer.lookup(target, source, time);
      expect([got.header.frame_id, got.child_frame_id]).toEqual([target, source]);
      expect(got.header.stamp).toEqual(toStamp(time));
      transformToMatrix(got.transform)
        .flat()
        .forEach((value, i) => {
          expect(value, `${target} ${source}`).toBeCloseTo(matrix.flat()[i], 10);
        });
    }
  });

  it("takes, without a time, the newest that all frames between have", () => {
    const buffer = new TransformBuffer();
    for (const t of [1, 2, 3]) buffer.set(step("map", "odom", t, t));
    for (const t of [1, 2]) buffer.set(step("odom", "base", t, 10 * t));
    buffer.set(step("base", "lidar", 0, 100), { isStatic: true });
    buffer.set(step("earth", "map", 0.5, 1000)); // above the common ancestor: does not count
    expect(buffer.latestCommonTime("map", "lidar")).toBe(2n * SECOND);
    const found = buffer.lookup("map", "lidar");
    expect([x(found), found.header.stamp]).toEqual([122, { sec: 2, nanosec: 0 }]);
    expect(x(buffer.lookup("lidar", "map"))).toBe(-122);
    expect(buffer.lookup("base", "lidar").header.stamp).toEqual({ sec: 0, nanosec: 0 });
    expect(x(buffer.lookup("base", "lidar", 55n * SECOND))).toBe(100);
    expect(buffer.lookup("odom", "odom").header.stamp).toEqual({ sec: 3, nanosec: 0 });
    expect(buffer.can("earth", "lidar", 2n * SECOND)).toBe(false);
  });

  it("interpolates between entries in whatever order they came", () => {
    const buffer = new TransformBuffer();
    for (const t of [5, 1, 3, 2, 4]) buffer.set(step("map", "base", t, t * t));
    expect(x(buffer.lookup("map", "base", { sec: 3, nanosec: 500_000_000 }))).toBeCloseTo(12.5, 12);
    expect(x(buffer.lookup("map", "base", 4n * SECOND))).toBe(16);
    buffer.set(step("map", "base", 4, 17)); // said anew
    expect(x(buffer.lookup("map", "base", 4n * SECOND))).toBe(17);
    expect(buffer.frames()).toEqual([
      {
        ...{ name: "base", parent: "map", isStatic: false, authority: "" },
        ...{ oldest: SECOND, latest: 5n * SECOND, count: 5 },
      },
    ]);
  });

  it("does not invent what was before or after", () => {
    const buffer = new TransformBuffer();
    buffer.set(step("map", "base", 1));
    expect(() => buffer.lookup("map", "base", 2n * SECOND)).toThrow(
      'lookup would require extrapolation at time 2.000000000, but only time 1.000000000 is in the buffer, when looking up the transform from frame "base" to frame "map"',
    );
    buffer.set(step("map", "base", 2));
    for (const [time, where] of [
      [3n, "into the future: requested time 3.000000000, but the latest data is at time 2.000000000"],
      [0n, "into the past: requested time 0.500000000, but the earliest data is at time 1.000000000"],
    ] as const) {
      const lookup = () => buffer.lookup("base", "map", time * SECOND || SECOND / 2n);
      expect(lookup).toThrow(ExtrapolationError);
      expect(lookup).toThrow(where);
    }
  });

  it("forgets what is older than it keeps, and refuses it", () => {
    const buffer = new TransformBuffer({ cacheTime: 2 });
    for (const t of [1, 2, 3, 4]) expect(buffer.set(step("map", "base", t))).toBe(true);
    expect(buffer.can("map", "base", 2n * SECOND)).toBe(true);
    expect(buffer.can("map", "base", SECOND)).toBe(false);
    expect(buffer.set(step("map", "base", 1.5))).toBe(false);
  });

  it("names frames that are unknown, apart, or in a loop", () => {
    const buffer = new TransformBuffer();
    expect(() => buffer.lookup("a", "b")).toThrow('target frame "a" does not exist (known: none)');
    buffer.set(step("a", "b", 1));
    buffer.set(step("c", "d", 1));
    expect(() => buffer.lookup("a", "x")).toThrow(TransformLookupError);
    expect(() => buffer.lookup("a", "x")).toThrow('source frame "x" does not exist (known: a, b, c, d)');
    expect(() => buffer.lookup("b", "d")).toThrow(ConnectivityError);
    expect(() => buffer.lookup("b", "d", SECOND)).toThrow(
      'no connection between frames "b" and "d": they are not part of the same tree',
    );
    expect(() => buffer.lookup("/b", "d")).toThrow('the target frame "/b" starts with "/"');
    expect(() => buffer.lookup("b", "")).toThrow("the source frame's name is empty");
    buffer.set(step("b", "a", 1));
    expect(() => buffer.lookup("c", "a")).toThrow(TransformLookupError);
    expect(() => buffer.lookup("c", "a")).toThrow("the tree of frames has a loop: a → b → a");
    buffer.clear();
    expect(buffer.frameNames).toEqual([]);
  });

  it("refuses transforms that are none", () => {
    const buffer = new TransformBuffer();
    const broken = (change: Partial<TransformStamped>) => () =>
      buffer.set({ ...step("map", "base", 1), ...change });
    expect(broken({ child_frame_id: "" })).toThrow("child_frame_id is empty");
    expect(broken({ child_frame_id: "map" })).toThrow("can't be its own parent");
    expect(broken({ header: { stamp: { sec: 0, nanosec: 0 }, frame_id: "" } })).toThrow("frame_id is empty");
    const { rotation, translation } = step("map", "base", 1).transform;
    expect(broken({ transform: { rotation, translation: { ...translation, y: Number.NaN } } })).toThrow(
      InvalidTransformError,
    );
    expect(broken({ transform: { rotation: { ...rotation, w: 0.9 }, translation } })).toThrow(
      "has norm 0.9, 1 expected",
    );
    expect(buffer.frameNames).toEqual([]);
  });

  it("follows a frame that is given another parent", () => {
    const buffer = new TransformBuffer();
    buffer.set(step("map", "table", 0, 5), { isStatic: true });
    buffer.set(step("map", "hand", 0, 1), { isStatic: true });
    buffer.set(step("table", "cup", 1, 0.1));
    buffer.set(step("hand", "cup", 3, 0.2));
    expect(x(buffer.lookup("map", "cup", SECOND))).toBeCloseTo(5.1, 12);
    expect(x(buffer.lookup("map", "cup", 2n * SECOND))).toBeCloseTo(5.1, 12); // until it was seen in the hand
    expect(x(buffer.lookup("map", "cup"))).toBeCloseTo(1.2, 12);
  });

  it("tells where something was seen from where the robot is now, over a frame that stands still", () => {
    const buffer = new TransformBuffer();
    for (const t of [1, 2]) buffer.set(step("map", "base", t, 10 * t));
    const moved = buffer.lookupAcross("base", 2n * SECOND, "base", SECOND, "map");
    expect(x(moved)).toBe(-10);
    expect(moved.header).toEqual({ stamp: { sec: 2, nanosec: 0 }, frame_id: "base" });
  });
});
