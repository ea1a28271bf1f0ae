/** The monitor and its rules; fault injection; risks. */
import { describe, expect, it } from "vitest";
import {
  assessRisks,
  combined,
  type DrivingStack,
  FAULTS,
  faultCampaign,
  frozenScan,
  geofence,
  insideBy,
  lidarStop,
  reactionTimeOf,
  SafetyMonitor,
  type SafetyRule,
  type Situation,
  speedLimit,
  watchdog,
} from "../../../src/robotics/safety/index.js";
import { TURTLEBOT, type Twist, WheelPower, World } from "../../../src/robotics/simulate/index.js";

const still = { pose: { x: 0, y: 0, theta: 0 }, speed: 0, time: 0 };
const scanAt = (time: number, ...ranges: number[]) => ({
  time,
  value: {
    angleMin: 0,
    angleIncrement: 1,
    rangeMin: 0.1,
    rangeMax: 5,
    ranges: Float32Array.from(ranges),
    intensities: new Float32Array(ranges.length),
  },
});
const at = (time: number, more: Partial<Situation> = {}): Situation => ({
  time,
  scan: scanAt(time, 3, 3, 3),
  odometry: { ...still, time },
  heartbeat: time,
  ...more,
});
const limits = { radius: 0.22, maxSpeed: 0.26, maxTurn: 1.82, maxAcceleration: 1.98, braking: 1.98 };

describe("WheelPower", () => {
  it("is on for as long as the last word holds, and off before any", () => {
    const power = new WheelPower(0.1);
    expect(power.isOn(0)).toBe(false);
    power.say(true, 1);
    expect([1, 1.09, 1.11, 0.9].map((time) => power.isOn(time))).toEqual([true, true, false, false]);
    power.say(true, 2);
    power.say(false, 2.01);
    expect(power.isOn(2.02)).toBe(false);
    expect(() => new WheelPower(0)).toThrow("positive number of seconds");
  });
});

describe("SafetyMonitor", () => {
  it("cuts power at the first violation and keeps it cut until it is reset when all is well", () => {
    const monitor = new SafetyMonitor([speedLimit(0.5)]);
    expect(monitor.update(at(0)).power).toBe(true);
    const fast = monitor.update(at(1, { odometry: { ...still, speed: 0.6 } }));
    expect(fast).toEqual({
      power: false,
      violations: [{ rule: "speed limit", reason: "0.60 m/s where 0.5 are allowed", time: 1 }],
    });
    expect(monitor.reset()).toHaveLength(1);
    expect(monitor.update(at(2))).toEqual({ power: false, violations: [] });
    expect(monitor.latched?.time).toBe(1);
    expect(monitor.reset()).toEqual([]);
    expect(monitor.update(at(3)).power).toBe(true);
    expect(monitor.history).toHaveLength(1);
  });

  it("gives power back by itself only where it was asked to, after that time without a violation", () => {
    const monitor = new SafetyMonitor([speedLimit(0.5)], { resumeAfter: 1 });
    monitor.update(at(0, { odometry: { ...still, speed: -0.6 } }));
    expect(monitor.update(at(1)).power).toBe(false);
    monitor.update(at(1.5, { odometry: { ...still, speed: 0.6 } }));
    expect([2, 2.9, 3].map((time) => monitor.update(at(time)).power)).toEqual([false, false, true]);
  });

  it("takes a rule that fails for broken, and wants rules", () => {
    const broken: SafetyRule = {
      name: "broken",
      check() {
        throw new Error("no idea");
      },
    };
    const { power, violations } = new SafetyMonitor([broken]).update(at(0));
    expect(power).toBe(false);
    expect(violations[0].reason).toBe("the rule failed: no idea");
    expect(() => new SafetyMonitor([])).toThrow("protects nobody");
  });
});

describe("rules", () => {
  it("watchdogs want signs of life that are neither old nor from the future", () => {
    const rule = watchdog("scan", { timeout: 0.5 });
    expect(rule.check(at(1))).toBeNull();
    expect(rule.check(at(1, { scan: null }))).toBe("no scan yet");
    expect(rule.check(at(1, { scan: scanAt(0.4, 3) }))).toBe("no scan for 0.60 s");
    expect(rule.check(at(1, { scan: scanAt(9, 3) }))).toBe("scan comes from the future: 8.00 s");
    expect(watchdog("heartbeat", { timeout: 1 }).check(at(3, { heartbeat: 1 }))).toBe(
      "no heartbeat for 2.00 s",
    );
    expect(() => watchdog("scan", { timeout: 0 })).toThrow("positive number of seconds");
  });

  it("the lidar stop looks as far as the robot can come, and trusts no speed that is none", () => {
    const rule = lidarStop({ limits, reactionTime: 0.28 });
    expect(rule.check(at(0))).toBeNull();
    expect(rule.check(at(0, { scan: scanAt(0, 0.3, 3, 3) }))).toBe("something at 0.30 m, 0°");
    expect(rule.check(at(0, { scan: scanAt(0, 3, 3, -Infinity) }))).toContain("something at 0.01 m");
    expect(rule.check(at(0, { scan: scanAt(0, Number.NaN, 3, 3) }))).toBe("33 % of the rays measure nothing");
    const nan = { ...still, speed: Number.NaN };
    expect(rule.check(at(0, { odometry: nan, scan: scanAt(0, 0.3, 3, 3) }))).toContain("0.30 m");
    expect(rule.check(at(0, { odometry: null }))).toBe("no odometry yet");
    expect(
      lidarStop({ limits, reactionTime: 0.28, speedFrom: "worst" }).check(at(0, { odometry: null })),
    ).toBeNull();
  });

  it("a scanner that repeats itself is frozen; one in the open measures nothing and is not", () => {
    const rule = frozenScan({ scans: 3 });
    const say = (time: number, ...ranges: number[]) =>
      rule.check(at(time, { scan: scanAt(time, ...ranges) }));
    expect([say(0, 1, 2), say(1, 1, 2), say(1, 1, 2), say(2, 1, 2.01), say(3, 1, 2.01)]).toEqual(
      Array(5).fill(null),
    );
    expect(say(4, 1, 2.01)).toBe("3 scans alike");
    expect(say(5, 1, 2)).toBeNull();
    const open = [0, 1, 2, 3].map((time) => say(10 + time, Number.POSITIVE_INFINITY));
    expect(open).toEqual([null, null, null, null]);
  });

  it("a geofence keeps the whole robot in, with the way that it needs to stop", () => {
    const square = [
      { x: 0, y: 0 },
      { x: 4, y: 0 },
      { x: 4, y: 4 },
      { x: 0, y: 4 },
    ];
    const rule = geofence(square, { limits, reactionTime: 0.28 });
    const place = (x: number, y: number) =>
      rule.check(at(0, { odometry: { ...still, pose: { x, y, theta: 0 } } }));
    expect(place(2, 2)).toBeNull();
    expect(place(0.3, 2)).toBe("0.30 m from the area's border");
    expect(place(-1, 2)).toBe("outside of the area");
    expect(insideBy({ x: 1, y: 3 }, square)).toBe(1);
    expect(insideBy({ x: 5, y: 7 }, square)).toBe(-Math.hypot(1, 3));
    expect(() => geofence(square.slice(2), { limits, reactionTime: 0.28 })).toThrow("at least 3 corners");
  });
});

/** A corridor with a person in it. */
const world = new World({
  bodies: [
    {
      shape: {
        kind: "segments",
        segments: [
          [
            { x: 0, y: 0 },
            { x: 6, y: 0 },
          ],
          [
            { x: 6, y: 0 },
            { x: 6, y: 4 },
          ],
          [
            { x: 6, y: 4 },
            { x: 0, y: 4 },
          ],
          [
            { x: 0, y: 4 },
            { x: 0, y: 0 },
          ],
        ],
      },
      class: "wall",
    },
    { shape: { kind: "circle", radius: 0.3 }, at: { x: 3.2, y: 2 }, class: "person" },
  ],
});
const robot = { ...TURTLEBOT, pose: { x: 1, y: 2, theta: 0 } };

/** Turns away from what it sees ahead. */
const stack = (): DrivingStack => (input) => {
  const { angleMin, angleIncrement, ranges } = input.scan;
  const isClear = ranges.every((range, i) => {
    const angle = angleMin + i * angleIncrement;
    return Math.abs(Math.atan2(Math.sin(angle), Math.cos(angle))) > 0.6 || !(range < 0.9);
  });
  return isClear ? { linear: 0.24, angular: 0 } : { linear: 0, angular: 0.8 };
};

const rules = (speedFrom: "odometry" | "worst" = "odometry") => [
  watchdog("scan", { timeout: 0.25 }),
  watchdog("odometry", { timeout: 0.25 }),
  watchdog("heartbeat", { timeout: 0.5 }),
  speedLimit(0.3),
  lidarStop({ limits, reactionTime: reactionTimeOf(), speedFrom }),
  frozenScan({ scans: 2 }),
];

describe("fault injection", () => {
  it("every fault that leads to a contact without the monitor is held by it, and a healthy drive is not disturbed", () => {
    const report = faultCampaign({ world, robot, stack, rules, seconds: 12 });
    expect(report.holds, String(report)).toBe(true);
    const healthy = report.outcome("none", true)!;
    expect(healthy.stop).toBeNull();
    expect(healthy.driven).toBeCloseTo(report.outcome("none", false)!.driven, 9);
    const hits = report.outcomes.filter(({ monitored, collidedAt }) => !monitored && collidedAt !== null);
    expect(hits.map(({ fault }) => fault)).toEqual(
      expect.arrayContaining([
        "blind detector",
        "runaway planner",
        "not a number",
        "frozen stack",
        "frozen scanner",
      ]),
    );
    expect(report.outcome("silent scanner", true)?.stop?.rule).toBe("watchdog of scan");
    expect(report.outcome("dead monitor", true)?.driven).toBeLessThan(0.5);
    expect(String(report)).toContain("blind detector");
    expect(report[Symbol.for("Jupyter.display") as never]).toBeTypeOf("function");
  });

  it("shows what its rules do not hold: an encoder that lies, unless the worst speed is taken", () => {
    // wheels so slow to change that the field of a standing robot is much smaller than that of a driving one
    const drive = { ...TURTLEBOT.drive, maxWheelAcceleration: 0.15 / 0.033 };
    const slow = { ...limits, maxAcceleration: 0.15, braking: 0.15 };
    const lies = (full: Twist) => combined("lies", [FAULTS.blindDetector(full), FAULTS.stuckEncoder(full)]);
    const run = (speedFrom: "odometry" | "worst") =>
      faultCampaign({
        world,
        robot: { ...robot, drive },
        stack,
        rules: () => [lidarStop({ limits: slow, reactionTime: reactionTimeOf(), speedFrom })],
        seconds: 12,
        faults: [lies],
      });
    expect(run("odometry").outcome("lies", true)?.collidedAt).not.toBeNull();
    expect(run("worst").holds).toBe(true);
    expect(run("worst").outcome("lies", false)?.collidedAt).not.toBeNull();
  });

  it("is the same whenever it is run", () => {
    const once = () =>
      faultCampaign({ world, robot, stack, rules, seconds: 4, faults: [FAULTS.runaway], seed: 3 });
    expect(once().outcomes).toEqual(once().outcomes);
    expect(() => faultCampaign({ world, robot, stack, rules, seconds: 0 })).toThrow(
      "seconds is a positive number",
    );
  });
});

describe("risk assessment", () => {
  it("counts only mitigations whose check passes", async () => {
    const assessment = await assessRisks([
      {
        hazard: "hits a worker on a ladder",
        severity: 5,
        likelihood: 3,
        mitigations: [
          { description: "pedestrian detector", likelihood: 2, check: () => "misses 4 % of ladders" },
          { description: "lidar cuts the wheels' power", likelihood: 1, check: async () => true },
        ],
      },
      {
        hazard: "runs over a foot",
        severity: 4,
        likelihood: 4,
        mitigations: [
          { description: "soft bumper <planned>", severity: 2, likelihood: 4, check: () => false },
        ],
      },
    ]);
    expect(assessment.hazards.map(({ before, after }) => [before, after])).toEqual([
      [15, 5],
      [16, 16],
    ]);
    expect(assessment.open.map(({ hazard }) => hazard)).toEqual(["runs over a foot"]);
    expect(String(assessment)).toContain("✗ pedestrian detector: misses 4 % of ladders");
    const bundle = assessment[Symbol.for("Jupyter.display") as never] as () => Record<string, string>;
    expect(bundle.call(assessment)["text/html"]).toContain("soft bumper &#60;planned&#62;");
    await expect(
      assessRisks([{ hazard: "x", severity: 9 as never, likelihood: 1, mitigations: [] }]),
    ).rejects.toThrow("grades are 1 to 5, got 9");
  });
});
