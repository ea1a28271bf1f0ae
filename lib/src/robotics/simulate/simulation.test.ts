import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { arc } from "./drive.js";
import { floor, maze, room } from "./generate.js";
import { GRAVITY } from "./inertial.js";
import { TURTLEBOT } from "./robot.js";
import { Simulation } from "./simulation.js";
import { World } from "./world.js";

const empty = new World({ bodies: [] });
const square = room({ width: 4, height: 4 });
const middle = { x: 2, y: 2, theta: 0 };

describe("driving", () => {
  it("follows the exact arc, whatever the step", () => {
    for (const dt of [0.01, 0.1, 1]) {
      const simulation = new Simulation(empty, { dt });
      simulation.robot.command({ linear: 0.5, angular: 0.4 });
      simulation.step(Math.round(3 / dt));
      const wanted = arc({ x: 0, y: 0, theta: 0 }, 1.5, 1.2);
      expect(simulation.robot.pose.x).toBeCloseTo(wanted.x, 9);
      expect(simulation.robot.pose.y).toBeCloseTo(wanted.y, 9);
      expect(simulation.robot.pose.theta).toBeCloseTo(1.2, 9);
      expect(simulation.time).toBeCloseTo(3, 12);
    }
  });

  it("keeps to the wheels' limits of speed and acceleration", () => {
    const drive = { maxWheelSpeed: 10, maxWheelAcceleration: 50, wheelRadius: 0.05 };
    const simulation = new Simulation(empty, { robots: [{ drive }], dt: 0.1 });
    expect(simulation.robot.limits.linear).toBeCloseTo(0.5, 12);
    simulation.robot.command({ linear: 3, angular: 0 });
    const speeds = Array.from({ length: 4 }, () => {
      simulation.step();
      return simulation.robot.twist.linear;
    });
    expect(speeds.map((v) => Number(v.toFixed(9)))).toEqual([0.25, 0.5, 0.5, 0.5]);
    expect(() => simulation.robot.command({ linear: Number.NaN, angular: 0 })).toThrow(
      "robot0: a command has finite numbers, got (NaN m/s, 0 rad/s)",
    );
  });

  it("slips by as much a metre, whatever the step, and smoothly", () => {
    const n = 600;
    const spread = (dt: number): number => {
      let sum = 0;
      for (let seed = 0; seed < n; seed++) {
        const simulation = new Simulation(empty, { robots: [{ drive: { slip: 0.05 } }], dt, seed });
        simulation.robot.command({ linear: 1, angular: 0 });
        simulation.step(Math.round(1 / dt));
        sum += (simulation.robot.pose.theta * 0.3) ** 2;
      }
      return Math.sqrt(sum / n);
    };
    // two wheels; of a process that begins without slip, a metre has 0.85 of the variance
    const wanted = 0.05 * Math.sqrt(2 * 0.85);
    for (const dt of [0.5, 0.05]) expect(Math.abs(spread(dt) / wanted - 1)).toBeLessThan(0.1);
    const simulation = new Simulation(empty, { robots: [{ drive: { slip: 0.005 } }], dt: 0.02 });
    simulation.robot.command({ linear: 0.2, angular: 0 });
    simulation.step();
    for (let i = 0; i < 200; i++) {
      simulation.step();
      expect(Math.abs(simulation.robot.readImu().acceleration[0])).toBeLessThan(0.3);
    }
  });
});

describe("contacts", () => {
  it("stop a robot at a wall, where it can turn and leave", () => {
    const simulation = new Simulation(square, { robots: [{ pose: middle, radius: 0.2 }], dt: 0.1 });
    const { robot } = simulation;
    robot.command({ linear: 0.7, angular: 0 });
    simulation.step(60);
    expect(robot.collided).toBe(true);
    expect(robot.pose.x).toBeCloseTo(1.8 + 2, 5);
    expect(robot.twist.linear).toBe(0);
    // odometry believes the wheels
    expect(robot.readOdometry().pose.x).toBeCloseTo(2 + 0.7 * 6, 9);
    robot.command({ linear: 0.3, angular: 1 });
    simulation.step(40);
    expect(robot.collided).toBe(false);
    expect(robot.pose.x).toBeLessThan(3.7);
  });

  it("never let a robot through a wall, at any speed, step and turn", () => {
    const speed = fc.integer({ min: -400, max: 400 }).map((n) => n / 10);
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: 1e6 }),
        fc.constantFrom(0.02, 0.1, 0.5, 1),
        fc.array(fc.tuple(speed, speed), { minLength: 3, maxLength: 12 }),
        (seed, dt, commands) => {
          const world = room({ width: 6, height: 5, things: 5, seed });
          const pose = { x: 3, y: 2.5, theta: seed };
          const drive = { maxWheelSpeed: 1e4 };
          const simulation = new Simulation(world, { robots: [{ pose, radius: 0.2, drive }], dt });
          for (const [linear, angular] of commands) {
            simulation.robot.command({ linear, angular });
            simulation.step(2);
            const { x, y } = simulation.robot.pose;
            expect(x > 0 && x < 6 && y > 0 && y < 5).toBe(true);
            expect(world.clearance({ x, y })).toBeGreaterThan(0.2 - 1e-3);
            expect(world.isFree({ x, y })).toBe(true);
          }
        },
      ),
      { numRuns: 60 },
    );
  });

  it("keep robots apart, and stop one before a body that moves", () => {
    const robots = [
      { pose: { x: 1, y: 2, theta: 0 }, radius: 0.2 },
      { pose: { x: 3, y: 2, theta: Math.PI }, radius: 0.3 },
    ];
    const simulation = new Simulation(square, { robots });
    for (const robot of simulation.robots) robot.command({ linear: 0.8, angular: 0 });
    simulation.step(200);
    const [a, b] = simulation.robots;
    expect(Math.hypot(a.pose.x - b.pose.x, a.pose.y - b.pose.y)).toBeCloseTo(0.5, 4);

    const walker = new World({
      bodies: [
        {
          shape: { kind: "circle", radius: 0.5 },
          motion: {
            waypoints: [
              { x: 5, y: 0 },
              { x: 9, y: 0 },
            ],
            speed: 1,
          },
        },
      ],
    });
    const chase = new Simulation(walker, { dt: 0.1 });
    chase.robot.command({ linear: 1, angular: 0 });
    chase.step(40);
    expect(chase.robot.pose.x).toBeCloseTo(4, 9);
    chase.step(30); // it comes back, and meets the robot
    expect(chase.robot.collided).toBe(true);
  });

  it("refuse a start in a body", () => {
    const robots = [{ name: "first", pose: { x: 0.05, y: 2, theta: 0 } }];
    expect(() => new Simulation(square, { robots })).toThrow("first starts in a body: at (0.05, 2)");
  });
});

describe("moving bodies", () => {
  const waypoints = [
    { x: 0, y: 0 },
    { x: 4, y: 0 },
    { x: 4, y: 3 },
  ];
  it.each([
    ["back", 4, { x: 4, y: 0 }],
    ["back", 8, { x: 4, y: 2 }],
    ["back", 15, { x: 1, y: 0 }],
    ["around", 9.5, { x: 2, y: 1.5 }],
    ["around", 12, { x: 0, y: 0 }],
    ["around", -1, { x: 0.8, y: 0.6 }],
  ] as const)("walking %s after %s m", (loop, start, at) => {
    const motion = { waypoints, speed: 2, loop, start };
    const world = new World({ bodies: [{ shape: { kind: "sphere", radius: 0.1 }, motion }] });
    const [placed] = world.movingAt(0);
    expect(placed.x).toBeCloseTo(at.x, 12);
    expect(placed.y).toBeCloseTo(at.y, 12);
    const [later] = world.movingAt(1.5);
    const [same] = new World({
      bodies: [{ shape: { kind: "sphere", radius: 0.1 }, motion: { ...motion, start: start + 3 } }],
    }).movingAt(0);
    expect(later.x).toBeCloseTo(same.x, 12);
    expect(later.y).toBeCloseTo(same.y, 12);
  });
});

describe("what happens", () => {
  const run = (seed: number): Simulation => {
    const world = room({ things: 6, people: 2, seed: 4 });
    const robots = [{ ...TURTLEBOT, pose: { x: 4, y: 3, theta: 0.3 } }];
    const simulation = new Simulation(world, { robots, seed });
    simulation.robot.command({ linear: 0.2, angular: 0.5 });
    simulation.step(100);
    return simulation;
  };

  it("depends on the seed and the commands only, and not on what is read", () => {
    const [a, b, other] = [run(9), run(9), run(10)];
    b.robot.scan();
    b.robot.photograph();
    b.step(50);
    a.step(50);
    expect(b.snapshot()).toEqual(a.snapshot());
    expect(b.robot.scan()).toEqual(a.robot.scan());
    expect(b.robot.scan()).toEqual(b.robot.scan());
    expect(Buffer.compare(b.robot.photograph().image.data, a.robot.photograph().image.data)).toBe(0);
    expect(b.robot.readImu()).toEqual(a.robot.readImu());
    expect(other.snapshot()).not.toEqual(a.snapshot());
    expect(other.robot.scan().ranges).not.toEqual(a.robot.scan().ranges);
  });

  it("is the same on every machine", () => {
    const { robot } = run(9);
    const { pose } = robot;
    const { ranges } = robot.scan();
    const figures = [pose.x, pose.y, pose.theta, robot.readOdometry().pose.x, ranges[0], ranges[2]];
    expect(figures.map((value) => Number(value.toFixed(6)))).toEqual([
      4.258779, 3.246257, 1.22012, 4.259442, 3.461527, 1.850939,
    ]);
    const { data } = robot.photograph().image;
    // a few pixels that a last bit turned to the next brightness would be no difference
    expect(data.reduce((sum, value) => sum + value, 0) / data.length).toBeCloseTo(87.92, 1);
  });

  it("goes on from a snapshot as it did, through JSON too", () => {
    const simulation = run(2);
    const kept = JSON.parse(JSON.stringify(simulation.snapshot()));
    simulation.step(70);
    const [end, scan] = [simulation.snapshot(), simulation.robot.scan()];
    simulation.restore(kept);
    expect(simulation.snapshot()).toEqual(kept);
    simulation.step(70);
    expect(simulation.snapshot()).toEqual(end);
    expect(simulation.robot.scan()).toEqual(scan);
    expect(() => simulation.restore({ step: 0, robots: [] })).toThrow("a snapshot of 0 robots; here are 1");
  });
});

describe("the inertial unit", () => {
  it("feels gravity, the change of speed, and the pull of the curve", () => {
    const drive = { maxWheelAcceleration: 20, wheelRadius: 0.05 };
    const simulation = new Simulation(empty, { robots: [{ drive }], dt: 0.1 });
    expect(simulation.robot.readImu()).toEqual({ angularVelocity: 0, acceleration: [0, 0, GRAVITY] });
    simulation.robot.command({ linear: 0.5, angular: 0 });
    simulation.step(3);
    expect(simulation.robot.readImu().acceleration[0]).toBeCloseTo(1, 9);
    simulation.step(10);
    expect(simulation.robot.readImu().acceleration[0]).toBeCloseTo(0, 9);
    simulation.robot.command({ linear: 0.5, angular: 0.8 });
    simulation.step(20);
    expect(simulation.robot.readImu().angularVelocity).toBeCloseTo(0.8, 9);
    expect(simulation.robot.readImu().acceleration[1]).toBeCloseTo(0.4, 9);
  });

  it("has white noise of its density and a bias that walks", () => {
    const imu = { gyroNoise: 0.01, gyroBiasWalk: 0.02 };
    const simulation = new Simulation(empty, { robots: [{ imu }], dt: 0.01, seed: 3 });
    let sum = 0;
    const n = 4000;
    for (let i = 0; i < n; i++) {
      simulation.step();
      const { angularVelocity } = simulation.robot.readImu();
      sum += (angularVelocity - simulation.robot.state.imu.gyroBias) ** 2;
    }
    expect(Math.sqrt(sum / n) / (0.01 / Math.sqrt(0.01))).toBeCloseTo(1, 1);
    const biases = Array.from({ length: 300 }, (_, seed) => {
      const one = new Simulation(empty, { robots: [{ imu }], dt: 0.1, seed });
      one.step(40);
      return one.robot.state.imu.gyroBias;
    });
    const spread = Math.sqrt(biases.reduce((s, b) => s + b * b, 0) / biases.length);
    expect(spread / (0.02 * Math.sqrt(4))).toBeCloseTo(1, 0);
  });
});

describe("generated worlds", () => {
  /** Cells of a raster that a flood from (x, y) reaches, as a part of the free ones. */
  function reached(world: World, x: number, y: number, clearance: number): number {
    const { minX, minY, maxX, maxY } = world.bounds;
    const cell = 0.25;
    const [columns, rows] = [Math.round((maxX - minX) / cell), Math.round((maxY - minY) / cell)];
    const free = Array.from({ length: columns * rows }, (_, i) =>
      world.isFree(
        { x: minX + ((i % columns) + 0.5) * cell, y: minY + (Math.floor(i / columns) + 0.5) * cell },
        clearance,
      ),
    );
    const start = Math.floor((y - minY) / cell) * columns + Math.floor((x - minX) / cell);
    const seen = new Set([start]);
    const todo = [start];
    for (let at = todo.pop(); at !== undefined; at = todo.pop())
      for (const [step, inside] of [
        [-1, at % columns > 0],
        [1, at % columns < columns - 1],
        [-columns, at >= columns],
        [columns, at < columns * (rows - 1)],
      ] as const)
        if (inside && free[at + step] && !seen.has(at + step)) {
          seen.add(at + step);
          todo.push(at + step);
        }
    return seen.size / free.filter(Boolean).length;
  }

  it("mazes and floors are connected, whatever the seed", () => {
    for (const seed of [0, 1, 2, 3, 4, 5, 6, 7]) {
      expect(reached(maze({ columns: 7, rows: 5, seed }), 0.6, 0.6, 0.1)).toBe(1);
      expect(reached(floor({ width: 14, height: 10, seed }), 0.6, 0.6, 0.1)).toBe(1);
    }
  });

  it("mazes have the walls of a spanning tree: one way only", () => {
    const [columns, rows] = [9, 6];
    const world = maze({ columns, rows, seed: 5 });
    const length = world.bodies[0].edges.reduce((sum, { ex, ey }) => sum + Math.hypot(ex, ey), 0);
    // inner walls less those opened for the tree's cells − 1 edges, and the border
    const inner = (columns - 1) * rows + columns * (rows - 1) - (columns * rows - 1);
    expect(length).toBeCloseTo(inner + 2 * (columns + rows), 9);
    expect(maze({ seed: 5 }).spec).toEqual(maze({ seed: 5 }).spec);
    expect(maze({ seed: 5 }).spec).not.toEqual(maze({ seed: 6 }).spec);
  });

  it("rooms hold what was asked, apart from each other", () => {
    const world = room({ things: 10, people: 2, landmarks: 8, kinds: ["box", "ball"], seed: 8 });
    expect(world.bodies).toHaveLength(13);
    expect(world.moving).toHaveLength(2);
    expect(world.landmarks.map(({ id }) => id)).toEqual([0, 1, 2, 3, 4, 5, 6, 7]);
    expect(new Set(world.classes)).toEqual(
      new Set(["nothing", "ground", "wall", "box", "ball", "person", "robot"]),
    );
    const things = world.bodies.filter(({ class: name }) => name === "box" || name === "ball");
    for (const a of things)
      for (const b of things)
        if (a !== b) expect(Math.hypot(a.at.x - b.at.x, a.at.y - b.at.y)).toBeGreaterThan(a.reach + b.reach);
    expect(() => room({ width: 2, height: 2, things: 30 })).toThrow("30 things do not fit into 2 m × 2 m");
  });
});
