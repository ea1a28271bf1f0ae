import { readFileSync } from "node:fs";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import * as q from "../../../../src/robotics/ros/tf/quaternion.js";
import {
  applyTransform,
  composeTransforms,
  interpolateTransforms,
  invertTransform,
  transformFromMatrix,
  transformToMatrix,
} from "../../../../src/robotics/ros/tf/transform.js";

interface Case {
  a: number[];
  b: number[];
  vector: number[];
  ratio: number;
  euler: number[];
  rotvec: number[];
  matrix: number[][];
  product: number[];
  rotated: number[];
  angle: number;
  slerp: number[];
}
/** Made by rotations.py. */
const { cases } = JSON.parse(readFileSync(new URL("./rotations.json", import.meta.url), "utf8")) as {
  cases: Case[];
};

const quaternion = ([x, y, z, w]: number[]): q.Quaternion => ({ x, y, z, w });
const vector = ([x, y, z]: number[]): q.Vector3 => ({ x, y, z });
const list = ({ x, y, z }: q.Vector3): number[] => [x, y, z];

function near(got: readonly number[], expected: readonly number[], tolerance = 1e-12): void {
  got.forEach((value, i) => {
    expect(Math.abs(value - expected[i]), `${got} is not near ${expected}`).toBeLessThan(tolerance);
  });
}
/** q and -q are one rotation. */
function sameRotation(got: q.Quaternion, expected: q.Quaternion, tolerance = 1e-12): void {
  const { x, y, z, w } = got;
  const sign = x * expected.x + y * expected.y + z * expected.z + w * expected.w < 0 ? -1 : 1;
  near(
    [x, y, z, w].map((v) => sign * v),
    [expected.x, expected.y, expected.z, expected.w],
    tolerance,
  );
}

describe("rotations, against SciPy's", () => {
  it.each(cases.map((one, i) => [i, one] as const))("case %i", (_, one) => {
    const [a, b] = [quaternion(one.a), quaternion(one.b)];
    sameRotation(q.multiply(a, b), quaternion(one.product));
    near(list(q.rotate(a, vector(one.vector))), one.rotated);
    near(q.toMatrix(a).flat(), one.matrix.flat());
    sameRotation(q.fromMatrix(one.matrix), a);
    const { roll, pitch, yaw } = q.toEuler(a);
    near([roll, pitch, yaw], one.euler, 1e-9);
    sameRotation(q.fromEuler({ roll: one.euler[0], pitch: one.euler[1], yaw: one.euler[2] }), a, 1e-9);
    near(list(q.toRotationVector(a)), one.rotvec);
    sameRotation(q.fromRotationVector(vector(one.rotvec)), a);
    near([q.angleBetween(a, b)], [one.angle], 1e-9);
    sameRotation(q.slerp(a, b, one.ratio), quaternion(one.slerp));
  });
});

const angle = fc.double({ min: -3.1, max: 3.1, noNaN: true });
const rotation = fc.record({ roll: angle, pitch: angle, yaw: angle }).map(q.fromEuler);
const length = fc.double({ min: -100, max: 100, noNaN: true });
const point = fc.record({ x: length, y: length, z: length });
const transform = fc.record({ translation: point, rotation });

describe("rotations", () => {
  it("go to angles and back, also where the pitch is 90 degrees", () => {
    fc.assert(fc.property(rotation, (a) => sameRotation(q.fromEuler(q.toEuler(a)), a, 1e-7)));
    for (const pitch of [Math.PI / 2, -Math.PI / 2]) {
      const a = q.fromEuler({ roll: 0.5, pitch, yaw: -1.2 });
      expect(q.toEuler(a).roll).toBe(0);
      sameRotation(q.fromEuler(q.toEuler(a)), a, 1e-7);
    }
  });

  it("are interpolated at even speed, the short way", () => {
    const [a, b] = [q.fromEuler({ roll: 0, pitch: 0, yaw: 3 }), q.fromEuler({ roll: 0, pitch: 0, yaw: -3 })];
    expect(q.toEuler(q.slerp(a, b, 0.5)).yaw).toBeCloseTo(Math.PI, 9);
    fc.assert(
      fc.property(rotation, rotation, fc.double({ min: 0, max: 1, noNaN: true }), (from, to, t) => {
        const whole = q.angleBetween(from, to);
        near([q.angleBetween(from, q.slerp(from, to, t))], [t * whole], 1e-6);
      }),
    );
  });

  it("refuse what is none", () => {
    expect(() => q.normalize({ x: 0, y: 0, z: 0, w: 0 })).toThrow("is no rotation: its norm is 0");
    expect(() => q.fromAxisAngle({ x: 0, y: 0, z: 0 }, 1)).toThrow("length 0");
    const stretched = [
      [2, 0, 0],
      [0, 1, 0],
      [0, 0, 1],
    ];
    expect(() => q.fromMatrix(stretched)).toThrow("columns 0 and 0 have product 4");
    const mirrored = [
      [-1, 0, 0],
      [0, 1, 0],
      [0, 0, 1],
    ];
    expect(() => q.fromMatrix(mirrored)).toThrow("mirrors");
  });

  it("turn about an axis as the right hand does", () => {
    near(list(q.rotate(q.fromAxisAngle({ x: 0, y: 0, z: 2 }, Math.PI / 2), { x: 1, y: 0, z: 0 })), [0, 1, 0]);
  });
});

describe("rigid transforms", () => {
  it("undo themselves, and compose as their matrices do", () => {
    fc.assert(
      fc.property(transform, transform, point, (a, b, p) => {
        near(list(applyTransform(invertTransform(a), applyTransform(a, p))), list(p), 1e-9);
        const [ab, composed] = [applyTransform(a, applyTransform(b, p)), composeTransforms(a, b)];
        near(list(applyTransform(composed, p)), list(ab), 1e-9);
        const back = transformFromMatrix(transformToMatrix(composed));
        near(list(back.translation), list(composed.translation), 1e-9);
        sameRotation(back.rotation, composed.rotation, 1e-9);
      }),
    );
  });

  it("are interpolated from one to the other", () => {
    fc.assert(
      fc.property(transform, transform, (a, b) => {
        near(list(interpolateTransforms(a, b, 0).translation), list(a.translation), 1e-9);
        sameRotation(interpolateTransforms(a, b, 1).rotation, b.rotation, 1e-9);
        const middle = interpolateTransforms(a, b, 0.5).translation;
        near([middle.x], [(a.translation.x + b.translation.x) / 2], 1e-9);
      }),
    );
  });
});
