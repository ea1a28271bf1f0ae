/** Tasks to learn or plan in, as Gymnasium has them: reset, step, observation, reward. */
import { ValueError } from "../../core/errors.js";
import { type Point, type Pose, wrapAngle } from "./geometry.js";
import { Draws, NoiseSource } from "./noise.js";
import type { RobotSpec } from "./robot.js";
import { Simulation, type Snapshot } from "./simulation.js";
import type { World } from "./world.js";

/** Numbers between bounds, one pair for each element. */
export interface Box {
  readonly low: Float32Array;
  readonly high: Float32Array;
}

export interface Outcome<Observation> {
  readonly observation: Observation;
  readonly reward: number;
  /** The task is over: done or failed. */
  readonly terminated: boolean;
  /** It was cut short. */
  readonly truncated: boolean;
  readonly info: Readonly<Record<string, number | boolean | string>>;
}

/** What learners and planners act on. */
export interface Environment<Observation, Action> {
  readonly observationSpace: Box;
  readonly actionSpace: Box;
  /** Begins an episode; all that happens in it is given by the seed and the actions. */
  reset(options?: { readonly seed?: number }): Observation;
  step(action: Action): Outcome<Observation>;
}

export interface NavigationOptions {
  /** The world of each episode; a function is given the episode's seed. */
  readonly world: World | ((seed: number) => World);
  readonly robot?: RobotSpec;
  /** Seconds of a simulated step, and steps that an action lasts. Default 0.05 and 2. */
  readonly dt?: number;
  readonly repeat?: number;
  /** Actions until an episode is cut short. Default 300. */
  readonly maxActions?: number;
  /** Distances in an observation: the nearest of as many rays each. Default 24. */
  readonly beams?: number;
  /** Metres from the goal that count as there. Default 0.3. */
  readonly goalRadius?: number;
  /** In place of random free places. */
  readonly start?: Pose;
  readonly goal?: Point;
  /** For metres nearer to the goal, an action, the goal, a collision. Default 1, −0.01, 10, −5. */
  readonly rewards?: Partial<Rewards>;
}

export interface Rewards {
  readonly progress: number;
  readonly action: number;
  readonly goal: number;
  readonly collision: number;
}

/** State of an episode, for planners that try actions and go back. */
export interface EpisodeSnapshot {
  readonly simulation: Snapshot;
  readonly actions: number;
  readonly over: boolean;
}

/** A task with numbered actions, each episode given by its seed. */
export interface NumberedEnvironment {
  /** Numbers in an observation. */
  readonly observationSize: number;
  readonly actions: number;
  reset(seed: number): Float64Array;
  step(action: number): {
    readonly observation: Float64Array;
    readonly reward: number;
    readonly done: boolean;
    /** Once it is done. */
    readonly outcome?: "success" | "failure" | "timeout";
  };
}

const AHEAD = [-0.5, -0.2, 0, 0.2, 0.5].map((turn) => [1, turn] as const);

/**
 * Drive to a goal by lidar. An action is two numbers in [−1, 1]: parts of the robot's fastest speed and turn. An
 * observation (float32): `beams` distances as parts of the lidar's range, the goal's distance as a part of the world's
 * diagonal, cosine and sine of its bearing, speed and turn as parts of the fastest.
 * @example
 * const environment = new robotics.simulate.NavigationEnvironment({ world: robotics.simulate.room({ things: 4 }) });
 * environment.reset({ seed: 7 });
 * environment.step([1, 0.2]).reward;
 */
export class NavigationEnvironment implements Environment<Float32Array, ArrayLike<number>> {
  readonly observationSpace: Box;
  readonly actionSpace: Box = { low: Float32Array.of(-1, -1), high: Float32Array.of(1, 1) };
  private readonly beams: number;
  private readonly rewards: Rewards;
  private episode: { simulation: Simulation; goal: Point; diagonal: number } | null = null;
  private actions = 0;
  private over = true;

  constructor(private readonly options: NavigationOptions) {
    const { beams = 24, repeat = 2, maxActions = 300 } = options;
    for (const [name, count] of Object.entries({ beams, repeat, maxActions }))
      if (!Number.isInteger(count) || count < 1)
        throw new ValueError(`navigation: ${name} is a whole number from 1, got ${count}`);
    this.beams = beams;
    this.rewards = { progress: 1, action: -0.01, goal: 10, collision: -5, ...options.rewards };
    const bounds = (beam: number, others: readonly number[]): Float32Array =>
      Float32Array.of(...Array<number>(beams).fill(beam), ...others);
    this.observationSpace = { low: bounds(0, [0, -1, -1, -1, -1]), high: bounds(1, [1, 1, 1, 1, 1]) };
  }

  /** The simulation of this episode. @throws ValueError before the first `reset` */
  get simulation(): Simulation {
    return this.current.simulation;
  }

  get goal(): Point {
    return this.current.goal;
  }

  private get current(): { simulation: Simulation; goal: Point; diagonal: number } {
    if (!this.episode) throw new ValueError("navigation: there is no episode yet: call reset first");
    return this.episode;
  }

  reset({ seed = 0 }: { readonly seed?: number } = {}): Float32Array {
    const { world: given, robot = {}, dt = 0.05, goalRadius = 0.3 } = this.options;
    const world = typeof given === "function" ? given(seed) : given;
    const draws = new Draws(new NoiseSource(seed), "environment");
    const radius = (robot.radius ?? 0.18) + 0.05;
    const place = (apart?: Point): Point => {
      const { minX, minY, maxX, maxY } = world.bounds;
      for (let attempt = 0; attempt < 2000; attempt++) {
        const at = { x: draws.uniform(minX, maxX), y: draws.uniform(minY, maxY) };
        if (apart && Math.hypot(at.x - apart.x, at.y - apart.y) < 2 * goalRadius + radius) continue;
        if (world.isFree(at, radius)) return at;
      }
      throw new ValueError("navigation: the world has no free place for the robot and its goal");
    };
    const start = this.options.start ?? { ...place(), theta: draws.uniform(-Math.PI, Math.PI) };
    const goal = this.options.goal ?? place(start);
    const { minX, minY, maxX, maxY } = world.bounds;
    this.episode = {
      simulation: new Simulation(world, { robots: [{ ...robot, pose: start }], dt, seed }),
      goal,
      diagonal: Math.hypot(maxX - minX, maxY - minY),
    };
    this.actions = 0;
    this.over = false;
    return this.observe();
  }

  /** @throws ValueError for an action that is none, or after the end of the episode */
  step(action: ArrayLike<number>): Outcome<Float32Array> {
    const { simulation } = this.current;
    const { repeat = 2, maxActions = 300, goalRadius = 0.3 } = this.options;
    if (this.over) throw new ValueError("navigation: the episode is over: call reset");
    if (action.length !== 2 || !Number.isFinite(action[0]) || !Number.isFinite(action[1]))
      throw new ValueError(`navigation: an action is two numbers in [−1, 1], got [${Array.from(action)}]`);
    const { robot } = simulation;
    const part = (value: number): number => Math.min(1, Math.max(-1, value));
    const before = this.distance();
    robot.command({
      linear: part(action[0]) * robot.limits.linear,
      angular: part(action[1]) * robot.limits.angular,
    });
    let collided = false;
    let reached = false;
    for (let i = 0; i < repeat && !collided && !reached; i++) {
      simulation.step();
      collided = robot.collided;
      reached = this.distance() <= goalRadius;
    }
    this.actions++;
    const { progress, action: price, goal, collision } = this.rewards;
    const terminated = collided || reached;
    const truncated = !terminated && this.actions >= maxActions;
    this.over = terminated || truncated;
    return {
      observation: this.observe(),
      reward:
        progress * (before - this.distance()) + price + (reached ? goal : 0) + (collided ? collision : 0),
      terminated,
      truncated,
      info: { collided, reached, distance: this.distance() },
    };
  }

  /**
   * The same task with numbered actions, as planners that are learned take it (`plan.runEpisode`, `plan.successRate`).
   * @param actions pairs of speed and turn, as `step` takes them. Default ahead at full speed with five turns
   */
  numbered(actions: readonly (readonly [speed: number, turn: number])[] = AHEAD): NumberedEnvironment {
    if (actions.length === 0) throw new ValueError("navigation: there is no action");
    return {
      observationSize: this.observationSpace.low.length,
      actions: actions.length,
      reset: (seed) => Float64Array.from(this.reset({ seed })),
      step: (action) => {
        if (!(action in actions))
          throw new ValueError(`navigation: actions are 0 … ${actions.length - 1}, got ${action}`);
        const { observation, reward, terminated, truncated, info } = this.step(actions[action]);
        const done = terminated || truncated;
        const outcome = truncated ? "timeout" : info.reached ? "success" : "failure";
        return { observation: Float64Array.from(observation), reward, done, ...(done ? { outcome } : {}) };
      },
    };
  }

  snapshot(): EpisodeSnapshot {
    return { simulation: this.simulation.snapshot(), actions: this.actions, over: this.over };
  }

  /** Back to a state of the same episode. */
  restore({ simulation, actions, over }: EpisodeSnapshot): void {
    this.simulation.restore(simulation);
    this.actions = actions;
    this.over = over;
  }

  private distance(): number {
    const { simulation, goal } = this.current;
    return Math.hypot(goal.x - simulation.robot.pose.x, goal.y - simulation.robot.pose.y);
  }

  private observe(): Float32Array {
    const { simulation, goal, diagonal } = this.current;
    const { robot } = simulation;
    const { beams } = this;
    const { ranges, rangeMax } = robot.scan();
    const out = new Float32Array(beams + 5).fill(1, 0, beams);
    for (let i = 0; i < ranges.length; i++) {
      const beam = Math.floor((i * beams) / ranges.length);
      const part = Math.min(1, Math.max(0, ranges[i] / rangeMax)); // too near is 0
      if (part < out[beam]) out[beam] = part; // a dropout, NaN, says nothing
    }
    const { x, y, theta } = robot.pose;
    const bearing = wrapAngle(Math.atan2(goal.y - y, goal.x - x) - theta);
    const { linear, angular } = robot.limits;
    out[beams] = Math.min(1, this.distance() / diagonal);
    out[beams + 1] = Math.cos(bearing);
    out[beams + 2] = Math.sin(bearing);
    out[beams + 3] = Math.max(-1, Math.min(1, robot.twist.linear / linear));
    out[beams + 4] = Math.max(-1, Math.min(1, robot.twist.angular / angular));
    return out;
  }
}
