/** Robots in a world, in fixed steps: what happens depends on the seed and the commands only, not on the machine. */
import { ValueError } from "../../core/errors.js";
import { motionAt } from "./body.js";
import { sweep, touches, touchesPlaced } from "./collide.js";
import { accelerate, arc, motionOfArc, moved, sampleOdometry, slipAfter } from "./drive.js";
import { advanceImu } from "./inertial.js";
import { NoiseSource } from "./noise.js";
import { Robot, type RobotSpec, type RobotState, type Surroundings } from "./robot.js";
import type { Placed, World } from "./world.js";

export interface SimulationOptions {
  /** One or more. Default one at the origin. */
  readonly robots?: readonly RobotSpec[];
  /** Seconds of a step. Default 0.02. */
  readonly dt?: number;
  /** A whole number from 0. Default 0. */
  readonly seed?: number;
}

/** The state of a simulation: plain data (JSON), to be restored in the same simulation or one made alike. */
export interface Snapshot {
  readonly step: number;
  readonly robots: readonly RobotState[];
}

/** Farthest that a chord strays from the arc that it stands for in the search for contacts, metres. */
const SAGITTA = 1e-4;
const MAX_CHORDS = 1024;

type Other = Placed & { readonly label: number; readonly instance: number };

/**
 * A simulation. `step` moves everything; sensors are read at the present step, when they are asked, and each reading
 * is the same however often and in whatever order they are.
 * @example
 * const simulation = new robotics.simulate.Simulation(robotics.simulate.room(), { robots: [{ pose: { x: 4, y: 3, theta: 0 } }] });
 * simulation.robot.command({ linear: 0.5, angular: 0.2 });
 * simulation.step(50); // a second
 * simulation.robot.scan().ranges.length // 360
 */
export class Simulation implements Surroundings {
  readonly robots: readonly Robot[];
  /** Seconds of a step. */
  readonly dt: number;
  readonly noise: NoiseSource;
  private done = 0;
  private readonly normals = new Float64Array(4);
  /** Bodies that move, where they are, then the robots. */
  private readonly placed: Other[];
  /** The same without each robot. */
  private readonly withoutRobot: readonly (readonly Other[])[];

  constructor(
    readonly world: World,
    { robots = [{}], dt = 0.02, seed = 0 }: SimulationOptions = {},
  ) {
    if (!(dt > 0 && dt <= 1))
      throw new ValueError(`simulation: dt is more than 0 and at most 1 second, got ${dt}`);
    if (robots.length === 0) throw new ValueError("simulation: there is no robot");
    this.dt = dt;
    this.noise = new NoiseSource(seed);
    this.robots = robots.map((spec, i) => new Robot(spec, i, this));
    this.placed = [
      ...world.movingAt(0).map((one, i) => ({
        ...one,
        label: world.labels[world.moving[i]],
        instance: 1 + world.moving[i],
      })),
      ...this.robots.map(({ body }, i) => ({
        body,
        x: 0,
        y: 0,
        label: world.classes.length - 1,
        instance: 1 + world.bodies.length + i,
      })),
    ];
    this.withoutRobot = this.robots.map(({ body }) => this.placed.filter((one) => one.body !== body));
    this.place();
    for (const robot of this.robots) {
      const { x, y } = robot.pose;
      if (touches(world, this.withoutRobot[robot.index], x, y, robot.radius) || !world.isFree(robot.pose))
        throw new ValueError(`${robot.name} starts in a body: at (${x}, ${y}) with radius ${robot.radius}`);
    }
  }

  /** The first robot. */
  get robot(): Robot {
    return this.robots[0];
  }

  /** Steps done. */
  get steps(): number {
    return this.done;
  }

  /** Seconds since the start. */
  get time(): number {
    return this.done * this.dt;
  }

  /** @internal */
  others(except: number): readonly Other[] {
    return this.withoutRobot[except];
  }

  /**
   * Moves everything by `count` steps. Robots move one after the other; one that touches a body stops there, and turns
   * on the spot while its wheels go on turning (which odometry takes for a way).
   */
  step(count = 1): void {
    if (!Number.isInteger(count) || count < 0)
      throw new ValueError(`step: the number of steps is a whole number from 0, got ${count}`);
    for (let i = 0; i < count; i++) {
      this.done++;
      this.place();
      for (const robot of this.robots) this.move(robot);
    }
  }

  /** Where moving bodies and robots are now. */
  private place(): void {
    const { world, placed, robots, time } = this;
    for (let i = 0; i < world.moving.length; i++) {
      const { motion } = placed[i].body;
      if (motion) ({ x: placed[i].x, y: placed[i].y } = motionAt(motion, time));
    }
    for (let i = 0; i < robots.length; i++) {
      const { x, y } = robots[i].pose;
      placed[world.moving.length + i].x = x;
      placed[world.moving.length + i].y = y;
    }
  }

  private move(robot: Robot): void {
    const { dt, noise, done, normals } = this;
    const { drive, state, index } = robot;
    const { left, right } = accelerate(state.wheels, state.command, drive, dt);
    state.wheels = { left, right };
    const turned = { left: left * dt, right: right * dt };
    state.turned = { left: state.turned.left + turned.left, right: state.turned.right + turned.right };

    let wayLeft = turned.left * drive.wheelRadius;
    let wayRight = turned.right * drive.wheelRadius;
    const ideal = motionOfArc((wayLeft + wayRight) / 2, (wayRight - wayLeft) / drive.track);
    if (drive.slip > 0) {
      noise.normals("slip", index, done, normals);
      const onLeft = slipAfter(state.slip.left, wayLeft, drive.slip, normals[0], normals[1]);
      const onRight = slipAfter(state.slip.right, wayRight, drive.slip, normals[2], normals[3]);
      state.slip = { left: onLeft.slip, right: onRight.slip };
      wayLeft += onLeft.added;
      wayRight += onRight.added;
    }
    const distance = (wayLeft + wayRight) / 2;
    const turn = (wayRight - wayLeft) / drive.track;
    const before = state.twist.linear;
    const part = this.free(robot, distance, turn);
    const stopped = arc(state.pose, distance * part, turn * part);
    state.pose = part === 1 ? stopped : arc(stopped, 0, turn * (1 - part));
    state.collided =
      part < 1 || touchesPlaced(this.withoutRobot[index], state.pose.x, state.pose.y, robot.radius);
    state.twist = { linear: (distance * part) / dt, angular: turn / dt };
    const own = this.placed[this.world.moving.length + index];
    own.x = state.pose.x;
    own.y = state.pose.y;

    if (robot.odometryNoise.some((a) => a > 0)) {
      noise.normals("odometry", index, done, normals);
      state.odometry = moved(state.odometry, sampleOdometry(ideal, robot.odometryNoise, normals));
    } else state.odometry = moved(state.odometry, ideal);
    const { linear, angular } = state.twist;
    advanceImu(robot.imu, state.imu, before, linear, angular, dt, noise, index, done);
  }

  /** Fraction of an arc that a robot can make: its chords are swept, as many as keep close to it. */
  private free(robot: Robot, distance: number, turn: number): number {
    if (distance === 0) return 1;
    const { pose, radius } = robot;
    const sagitta = Math.abs(distance * turn) / 8;
    const chords = Math.min(MAX_CHORDS, Math.max(1, Math.ceil(Math.sqrt(sagitta / SAGITTA))));
    let { x, y } = pose;
    for (let i = 1; i <= chords; i++) {
      const next = arc(pose, (distance * i) / chords, (turn * i) / chords);
      const others = this.withoutRobot[robot.index];
      const part = sweep(this.world, others, x, y, next.x - x, next.y - y, radius);
      if (part < 1) return (i - 1 + part) / chords;
      ({ x, y } = next);
    }
    return 1;
  }

  /** The state, as plain data. */
  snapshot(): Snapshot {
    return structuredClone({ step: this.done, robots: this.robots.map(({ state }) => state) });
  }

  /** Goes back to a state. @throws ValueError if it is one of another number of robots */
  restore(snapshot: Snapshot): void {
    const { step, robots } = snapshot;
    if (robots.length !== this.robots.length)
      throw new ValueError(`restore: a snapshot of ${robots.length} robots; here are ${this.robots.length}`);
    if (!Number.isInteger(step) || step < 0)
      throw new ValueError(`restore: the snapshot's step is a whole number from 0, got ${step}`);
    this.done = step;
    robots.forEach((state, i) => {
      this.robots[i].state = structuredClone(state);
    });
    this.place();
  }
}
