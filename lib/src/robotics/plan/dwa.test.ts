import { describe, expect, it } from "vitest";
import { robotics } from "../../index.js";

const { plan, control } = robotics;

/** A scan of 90 beams all around, against discs, by geometry. */
function scan(
  [x, y, heading]: readonly number[],
  discs: readonly (readonly [number, number, number])[],
): robotics.plan.Scan {
  const ranges = Array.from({ length: 90 }, (_, i) => {
    const angle = heading - Math.PI + (i * 2 * Math.PI) / 90;
    const [dx, dy] = [Math.cos(angle), Math.sin(angle)];
    let range = Number.POSITIVE_INFINITY;
    for (const [cx, cy, r] of discs) {
      const along = (cx - x) * dx + (cy - y) * dy;
      const across = Math.abs((cx - x) * dy - (cy - y) * dx);
      if (along > 0 && across < r) range = Math.min(range, along - Math.sqrt(r * r - across * across));
    }
    return range;
  });
  return { angleMin: -Math.PI, angleIncrement: (2 * Math.PI) / 90, ranges, rangeMax: 5 };
}

function drive(discs: readonly (readonly [number, number, number])[], steps: number) {
  const local = new plan.Dwa({ radius: 0.2 });
  const system = control.unicycle();
  const path = [
    [0, 0],
    [5, 0],
  ] as const;
  let [pose, speed] = [[0, 0, 0], { linear: 0, angular: 0 }];
  let nearest = Number.POSITIVE_INFINITY;
  for (let k = 0; k < steps; k++) {
    const choice = local.choose(pose as never, speed, path, scan(pose, discs));
    expect(Math.abs(choice.linear - speed.linear)).toBeLessThanOrEqual(0.05 + 1e-9);
    speed = { linear: choice.linear, angular: choice.angular };
    pose = system.step(pose, [speed.linear, speed.angular], 0.1);
    for (const [cx, cy, r] of discs)
      nearest = Math.min(nearest, Math.hypot(pose[0] - cx, pose[1] - cy) - r - 0.2);
  }
  return { pose, speed, nearest };
}

describe("the dynamic window", () => {
  it("follows an open path to its end, and stops there", () => {
    const { pose, speed } = drive([], 200);
    expect(Math.hypot(pose[0] - 5, pose[1])).toBeLessThan(0.25);
    expect(Math.abs(speed.linear)).toBeLessThan(0.1);
  });

  it("drives around what stands on the path", () => {
    const { pose, nearest } = drive([[2.5, 0.08, 0.3]], 300);
    expect(nearest).toBeGreaterThan(0);
    expect(Math.hypot(pose[0] - 5, pose[1])).toBeLessThan(0.4);
  });

  it("stops before a wall that it can't pass", () => {
    const wall = Array.from({ length: 101 }, (_, i) => [2, (i - 50) * 0.15, 0.1] as const);
    const { pose, nearest } = drive(wall, 100);
    expect(nearest).toBeGreaterThan(0);
    expect(pose[0]).toBeLessThan(1.8);
  });

  it("brakes when nothing is safe, and says so", () => {
    const local = new plan.Dwa({ radius: 0.2 });
    const ahead = { angleMin: 0, angleIncrement: 0.1, ranges: [0.22] };
    const choice = local.choose(
      [0, 0, 0],
      { linear: 0.5, angular: 0 },
      [
        [0, 0],
        [5, 0],
      ],
      ahead,
    );
    expect(choice.blocked).toBe(true);
    expect(choice.linear).toBeCloseTo(0.45, 9);
    expect(choice.safe).toBe(0);
    const blind = local.choose(
      [0, 0, 0],
      { linear: 0, angular: 0 },
      [
        [0, 0],
        [5, 0],
      ],
      { ...ahead, ranges: [Number.NaN, 0 / 0] },
    );
    expect(blind.clearance).toBe(Number.POSITIVE_INFINITY);
    expect(() => new plan.Dwa({ radius: 0 })).toThrow("Dwa: radius must be above 0, got 0");
  });
});
