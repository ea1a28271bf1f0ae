/** Faults to put into a robot: in its learned part, its sensors, its monitor. */
import type { Twist } from "../simulate/drive.js";
import type { Pose } from "../simulate/geometry.js";
import type { Scan } from "../simulate/lidar.js";

export interface OdometryReading {
  readonly pose: Pose;
  readonly twist: Twist;
}

/** What a driving stack is given, at `time` seconds. */
export interface StackInput {
  readonly time: number;
  readonly scan: Scan;
  readonly odometry: OdometryReading;
}

/** Drives: a command, or null for none (it hangs, it is dead). The monitor trusts nothing that it says. */
export type DrivingStack = (input: StackInput) => Twist | null;

/**
 * A fault, from its onset on. Each hook stands between a part and the rest, and may change what comes through; null means
 * that nothing comes.
 */
export interface Fault {
  readonly name: string;
  /** What it stands for. */
  readonly description: string;
  readonly command?: (command: Twist | null, time: number) => Twist | null;
  readonly scan?: (scan: Scan, time: number) => Scan | null;
  readonly odometry?: (odometry: OdometryReading, time: number) => OdometryReading | null;
  /** What the stack sees; the monitor has its own eyes. */
  readonly perception?: (input: StackInput) => StackInput;
  /** Whether the monitor still runs. */
  readonly monitor?: "dead";
}

const emptied = (scan: Scan): Scan => ({
  ...scan,
  ranges: new Float32Array(scan.ranges.length).fill(Number.POSITIVE_INFINITY),
});

/**
 * Several faults at once: what one lets through goes on to the next.
 * @example
 * const fastest = { linear: 1, angular: 2 };
 * robotics.safety.combined("both", [robotics.safety.FAULTS.runaway(fastest), robotics.safety.FAULTS.silentScanner(fastest)]).name; // "both"
 */
export function combined(name: string, faults: readonly Fault[]): Fault {
  const all = <K extends keyof Fault>(key: K) =>
    faults.flatMap((fault) => fault[key] ?? []) as NonNullable<Fault[K]>[];
  const chain =
    <T>(hooks: readonly ((value: T, time: number) => T | null)[]) =>
    (value: T, time: number): T | null =>
      hooks.reduce<T | null>((now, hook) => (now === null ? null : hook(now, time)), value);
  return {
    name,
    description: faults.map(({ description }) => description).join("; "),
    command: (command, time) => all("command").reduce((now, hook) => hook(now, time), command),
    scan: chain(all("scan")),
    odometry: chain(all("odometry")),
    perception: (input) => all("perception").reduce((now, hook) => hook(now), input),
    ...(all("monitor").length > 0 && { monitor: "dead" }),
  };
}

/** Faults by name; those that remember something are made anew for each run. */
export const FAULTS: Readonly<Record<string, (fullSpeed: Twist) => Fault>> = {
  blindDetector: () => ({
    name: "blind detector",
    description: "the learned perception misses what stands in the way: a worker on a ladder",
    perception: (input) => ({ ...input, scan: emptied(input.scan) }),
  }),
  runaway: (full) => ({
    name: "runaway planner",
    description: "full speed ahead, whatever comes in",
    command: () => ({ linear: full.linear, angular: 0 }),
  }),
  spin: (full) => ({
    name: "spinning planner",
    description: "full speed in a curve",
    command: (_, time) => ({ linear: full.linear, angular: full.angular * Math.sin(3 * time) }),
  }),
  reverse: (full) => ({
    name: "wrong sign",
    description: "drives backward where it should go forward",
    command: (command) => command && { linear: -full.linear, angular: -command.angular },
  }),
  notANumber: () => ({
    name: "not a number",
    description: "the network diverged: its commands are NaN",
    command: () => ({ linear: Number.NaN, angular: Number.NaN }),
  }),
  frozenStack: () => ({
    name: "frozen stack",
    description: "the stack hangs; the wheels go on as last told",
    command: () => null,
  }),
  silentScanner: () => ({
    name: "silent scanner",
    description: "the laser scanner's cable is off",
    scan: () => null,
  }),
  frozenScanner: () => {
    let kept: Scan | null = null;
    return {
      name: "frozen scanner",
      description: "the laser scanner's driver repeats its last scan",
      scan: (scan) => {
        kept ??= { ...scan, ranges: scan.ranges.slice() };
        return kept;
      },
    };
  },
  blindScanner: () => ({
    name: "blind scanner",
    description: "dust on the laser scanner: nine rays of ten measure nothing",
    scan: (scan) => ({
      ...scan,
      ranges: scan.ranges.map((range, i) => (i % 10 === 0 ? range : Number.NaN)),
    }),
  }),
  stuckEncoder: () => ({
    name: "stuck encoder",
    description: "odometry says that the robot stands, while it drives",
    odometry: ({ pose }) => ({ pose, twist: { linear: 0, angular: 0 } }),
  }),
  deadMonitor: () => ({
    name: "dead monitor",
    description: "the monitor's process is killed",
    monitor: "dead",
  }),
};
