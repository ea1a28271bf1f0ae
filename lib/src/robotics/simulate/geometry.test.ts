import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { compose, inverse, pointSegment, rayCircle, raySegment, wrapAngle } from "./geometry.js";
import { World } from "./world.js";

/** On a grid of tenths of a millimetre: lengths of 1e-300 m ask floating point, not geometry. */
const within = (low: number, high: number): fc.Arbitrary<number> =>
  fc.integer({ min: low * 1e4, max: high * 1e4 }).map((n) => n / 1e4);
const near = within(-5, 5);
const point = fc.record({ x: near, y: near });
const angle = within(-10, 10);
const radius = within(0.05, 3);

/** Least distance at which a function of the way along a ray changes its sign, by search: knows no formula. */
function firstCrossing(side: (t: number) => number, end: number, steps = 4000): number {
  let before = side(0);
  for (let i = 1; i <= steps; i++) {
    const t = (end * i) / steps;
    const now = side(t);
    if (before !== 0 && Math.sign(now) !== Math.sign(before)) {
      let [low, high] = [(end * (i - 1)) / steps, t];
      for (let k = 0; k < 60; k++) {
        const middle = (low + high) / 2;
        if (Math.sign(side(middle)) === Math.sign(before)) low = middle;
        else high = middle;
      }
      return high;
    }
    before = now;
  }
  return Number.POSITIVE_INFINITY;
}

describe("angles and frames", () => {
  it("wraps into (−π, π] and keeps direction", () => {
    fc.assert(
      fc.property(fc.double({ min: -1e4, max: 1e4, noNaN: true }), (theta) => {
        const wrapped = wrapAngle(theta);
        expect(wrapped).toBeGreaterThan(-Math.PI);
        expect(wrapped).toBeLessThanOrEqual(Math.PI);
        expect(Math.cos(wrapped - theta)).toBeCloseTo(1, 9);
      }),
    );
    expect(wrapAngle(-Math.PI)).toBe(Math.PI);
  });

  it("composes as homogeneous matrices do", () => {
    const frame = { x: 1, y: 2, theta: Math.PI / 2 };
    const at = compose(frame, { x: 3, y: 1, theta: 0.5 });
    expect(at.x).toBeCloseTo(0, 12);
    expect(at.y).toBeCloseTo(5, 12);
    expect(at.theta).toBeCloseTo(Math.PI / 2 + 0.5, 12);
    const undone = compose(at, inverse(at));
    expect(Math.hypot(undone.x, undone.y, undone.theta)).toBeCloseTo(0, 12);
    const back = compose(inverse(frame), at);
    expect([back.x, back.y, back.theta].map((n) => Number(n.toFixed(9)))).toEqual([3, 1, 0.5]);
  });
});

describe("rays", () => {
  it("meet circles where a search along them finds the border", () => {
    fc.assert(
      fc.property(point, angle, point, radius, (from, theta, centre, r) => {
        const [dx, dy] = [Math.cos(theta), Math.sin(theta)];
        const outside = (t: number): number =>
          Math.hypot(from.x + t * dx - centre.x, from.y + t * dy - centre.y) - r;
        fc.pre(Math.abs(outside(0)) > 1e-3);
        // a search misses chords shorter than its step: those are left to the next test
        const off = Math.abs((from.x - centre.x) * dy - (from.y - centre.y) * dx);
        fc.pre(Math.abs(off - r) > 1e-3);
        const found = firstCrossing(outside, 25);
        const distance = rayCircle(from.x, from.y, dx, dy, centre.x, centre.y, r);
        if (found === Number.POSITIVE_INFINITY) expect(distance).toBe(Number.POSITIVE_INFINITY);
        else expect(distance).toBeCloseTo(found, 6);
      }),
    );
  });

  it("end on the circle or miss it", () => {
    fc.assert(
      fc.property(point, angle, point, radius, (from, theta, centre, r) => {
        const [dx, dy] = [Math.cos(theta), Math.sin(theta)];
        const t = rayCircle(from.x, from.y, dx, dy, centre.x, centre.y, r);
        if (t === Number.POSITIVE_INFINITY) return;
        expect(Math.hypot(from.x + t * dx - centre.x, from.y + t * dy - centre.y)).toBeCloseTo(r, 6);
      }),
    );
  });

  it("meet segments where their sides change", () => {
    fc.assert(
      fc.property(point, angle, point, point, (from, theta, a, b) => {
        const [dx, dy] = [Math.cos(theta), Math.sin(theta)];
        const [ex, ey] = [b.x - a.x, b.y - a.y];
        fc.pre(Math.hypot(ex, ey) > 0.01);
        const side = (t: number): number => ex * (from.y + t * dy - a.y) - ey * (from.x + t * dx - a.x);
        fc.pre(Math.abs(side(0)) > 1e-6);
        const t = firstCrossing(side, 1e3, 2);
        const distance = raySegment(from.x, from.y, dx, dy, a.x, a.y, ex, ey);
        const away =
          t === Number.POSITIVE_INFINITY
            ? 1
            : pointSegment(from.x + t * dx, from.y + t * dy, a.x, a.y, ex, ey);
        fc.pre(away < 1e-7 || away > 1e-4); // not at an end
        if (away > 1e-4) expect(distance).toBe(Number.POSITIVE_INFINITY);
        else expect(distance).toBeCloseTo(t, 5);
      }),
    );
  });
});

describe("the grid of surfaces", () => {
  const body = fc.oneof(
    fc.record({
      at: point,
      shape: fc.record({
        kind: fc.constant("circle" as const),
        radius: within(0.05, 1),
      }),
    }),
    fc
      .tuple(point, point)
      .filter(([a, b]) => Math.hypot(a.x - b.x, a.y - b.y) > 1e-3)
      .map(([a, b]) => ({ shape: { kind: "segments" as const, segments: [[a, b]] as const } })),
  );

  it("finds what trying every surface finds, from inside and outside of it", () => {
    fc.assert(
      fc.property(
        fc.array(body, { minLength: 1, maxLength: 30 }),
        fc.array(fc.tuple(fc.record({ x: within(-9, 9), y: near }), angle), {
          minLength: 10,
          maxLength: 10,
        }),
        (bodies, rays) => {
          const world = new World({ bodies });
          const { segments, circles } = world.surfaces;
          for (const [from, theta] of rays) {
            const [dx, dy] = [Math.cos(theta), Math.sin(theta)];
            let least = 20;
            for (let k = 0; k < segments.length; k += 4) {
              const [ax, ay, ex, ey] = segments.subarray(k);
              least = Math.min(least, raySegment(from.x, from.y, dx, dy, ax, ay, ex, ey));
            }
            for (let k = 0; k < circles.length; k += 3) {
              const [x, y, r] = circles.subarray(k);
              least = Math.min(least, rayCircle(from.x, from.y, dx, dy, x, y, r));
            }
            expect(world.surfaces.cast(from.x, from.y, dx, dy, 20)).toBeCloseTo(least, 9);
          }
        },
      ),
    );
  });

  it("walks past all that a ray meets, and along axes", () => {
    const world = new World({
      bodies: [1, 2, 3, 4].map((x) => ({
        shape: {
          kind: "segments",
          segments: [
            [
              { x, y: -1 },
              { x, y: 1 },
            ],
          ],
        },
      })),
    });
    const seen: number[] = [];
    world.surfaces.walk(0, 0, 1, 0, 10, (k) => {
      seen.push(k);
      return 10;
    });
    expect(seen.toSorted()).toEqual([0, 1, 2, 3]);
    expect(world.cast({ x: 0, y: 0 }, 0)).toMatchObject({ distance: 1, body: 0, normal: { x: -1 } });
    expect(world.cast({ x: 9, y: 0 }, Math.PI)?.distance).toBeCloseTo(5, 12);
    expect(world.cast({ x: 0, y: 0 }, 0, { range: 0.5 })).toBeNull();
    expect(world.cast({ x: 0, y: 0 }, Math.PI / 2)).toBeNull();
  });

  it("tells the distance to the nearest surface", () => {
    fc.assert(
      fc.property(fc.array(body, { minLength: 1, maxLength: 12 }), point, (bodies, at) => {
        const world = new World({ bodies });
        const { segments, circles } = world.surfaces;
        let least = Number.POSITIVE_INFINITY;
        for (let k = 0; k < segments.length; k += 4) {
          const [ax, ay, ex, ey] = segments.subarray(k);
          least = Math.min(least, pointSegment(at.x, at.y, ax, ay, ex, ey));
        }
        for (let k = 0; k < circles.length; k += 3)
          least = Math.min(
            least,
            Math.abs(Math.hypot(at.x - circles[k], at.y - circles[k + 1]) - circles[k + 2]),
          );
        expect(world.clearance(at)).toBe(least);
        expect(world.clearance(at, 0.4)).toBe(Math.min(0.4, least));
      }),
    );
  });
});
