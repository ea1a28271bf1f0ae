import { describe, expect, it } from "vitest";
import { robotics } from "../../index.js";

const { control } = robotics;
type Point2 = robotics.control.Point2;

/** A plant ẋ = −x + u under a controller, in small steps. */
function run(pid: robotics.control.Pid, setpoint: (t: number) => number, seconds: number, load = 0) {
  const dt = 0.01;
  let x = 0;
  return Array.from({ length: Math.round(seconds / dt) }, (_, k) => {
    const u = pid.update(setpoint(k * dt), x, dt);
    x += dt * (-x + u + load);
    return { x, u };
  });
}

describe("PID", () => {
  it("of pure gain leaves the error that theory says; the integral removes it", () => {
    const p = run(new control.Pid({ proportional: 4 }), () => 1, 20).at(-1);
    expect(p?.x).toBeCloseTo(4 / 5, 6);
    const pi = run(new control.Pid({ proportional: 4, integral: 2 }), () => 1, 60, 0.5).at(-1);
    expect(pi?.x).toBeCloseTo(1, 6);
    expect(pi?.u).toBeCloseTo(0.5, 6);
  });

  it("does not wind up while the output is limited", () => {
    const options = { proportional: 2, integral: 4, limits: [-1.2, 1.2] as const };
    const overshoot = (tracking?: number): number => {
      // 1.5 can't be reached for 5 s, then 0.5 is wanted
      const course = run(new control.Pid({ ...options, tracking }), (t) => (t < 5 ? 1.5 : 0.5), 12);
      return course.findIndex(({ x }, k) => k > 500 && x < 0.55) - 500;
    };
    expect(overshoot()).toBeLessThan(0.5 * overshoot(1e9)); // steps until it is back: without tracking the integral lags
    const { u } = run(new control.Pid(options), () => 9, 5).at(-1) as { u: number };
    expect(u).toBe(1.2);
  });

  it("has a derivative of the measurement, filtered as a first-order lag", () => {
    const pid = new control.Pid({ proportional: 0, derivative: 1, filter: 0.5 });
    const dt = 1e-3;
    pid.update(0, 0, dt);
    let u = 0;
    for (let k = 1; k <= 500; k++) u = pid.update(k > 250 ? 7 : 0, 2 * k * dt, dt); // a ramp of slope 2; the setpoint's step gives no kick
    expect(u).toBeCloseTo(-2 * (1 - Math.exp(-1)), 2);
  });

  it("changes gains and hands over without a bump", () => {
    const pid = new control.Pid({ proportional: 2, integral: 1, derivative: 0.1, filter: 0.1 });
    run(pid, () => 1, 1.5);
    const before = pid.update(1, 0.7, 0.01);
    pid.retune({ proportional: 5, integral: 3, derivative: 0.4, filter: 0.1 });
    expect(pid.update(1, 0.7, 1e-9)).toBeCloseTo(before, 2);
    const other = new control.Pid({ proportional: 3, integral: 1 });
    other.takeOver(0.42, 1, 0.7);
    expect(other.update(1, 0.7, 1e-9)).toBeCloseTo(0.42, 6);
    other.reset();
    expect(other.integral).toBe(0);
  });

  it("names wrong settings", () => {
    expect(() => new control.Pid({ proportional: 1, limits: [1, -1] })).toThrow(
      "limits are [low, high] with low < high, got [1, -1]",
    );
    expect(() => new control.Pid({ proportional: 1 }).update(0, 0, 0)).toThrow(/time above 0 s/);
  });
});

describe("path tracking", () => {
  const bend: Point2[] = Array.from({ length: 60 }, (_, i) => [i * 0.2, Math.sin(i * 0.2)]);

  it("pure pursuit's arc passes through the point that it aims at", () => {
    const pose = [0, 0.5, 0.2] as const;
    const curvature = control.purePursuit(bend, pose, 1.5);
    const target = control.pointAlong(bend, control.footOn(bend, [0, 0.5]).along + 1.5);
    // the middle of the circle is 1/κ to the left
    const centre = [pose[0] - Math.sin(0.2) / curvature, pose[1] + Math.cos(0.2) / curvature];
    expect(Math.hypot(target[0] - centre[0], target[1] - centre[1])).toBeCloseTo(1 / Math.abs(curvature), 9);
  });

  it("both laws bring a robot to the path and keep it there", () => {
    const follow = control.simulate(
      control.unicycle(),
      [0, -1, 0],
      (x) => [1, control.purePursuit(bend, x as never, 0.5)],
      { dt: 0.02, steps: 500 },
    );
    const off = (x: readonly number[]): number => Math.abs(control.footOn(bend, [x[0], x[1]]).offset);
    expect(Math.max(...follow.states.slice(200).map(off))).toBeLessThan(0.08);
    const wheelbase = 0.5;
    const car = control.bicycle({ wheelbase });
    const front = (x: readonly number[]) =>
      [x[0] + wheelbase * Math.cos(x[2]), x[1] + wheelbase * Math.sin(x[2]), x[2]] as const;
    const drive = control.simulate(
      car,
      [0, -1, 0, 1],
      (x) => [0, control.stanley(bend, front(x), x[3], { gain: 2, limit: 1 })],
      { dt: 0.02, steps: 500 },
    );
    expect(Math.max(...drive.states.slice(250).map((x) => off(front(x))))).toBeLessThan(0.05);
  });

  it("turn the short way across ±π", () => {
    const west: Point2[] = [
      [0, 0],
      [-10, 0],
    ];
    expect(Math.abs(control.stanley(west, [-1, 0, -3.1], 1))).toBeLessThan(0.1);
    expect(control.wrapAngle(-Math.PI)).toBeCloseTo(Math.PI, 12);
    expect(control.wrapAngle(7 * Math.PI + 0.1)).toBeCloseTo(-Math.PI + 0.1, 9);
  });

  it("name paths without a segment", () => {
    expect(() => control.footOn([[0, 0]], [0, 0])).toThrow(/path of two points at least/);
    expect(() =>
      control.footOn(
        [
          [0, 0],
          [0, 0],
        ],
        [0, 0],
      ),
    ).toThrow(/all points of the path are the same/);
    expect(() => control.purePursuit(bend, [0, 0, 0], 0)).toThrow(/lookahead above 0 m/);
  });
});
