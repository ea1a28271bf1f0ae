/** Fault injection: the same drive with each fault, with and without the monitor; what happened, as a table. */
import { displaySymbol, escapeHtml, type MimeBundle } from "../../core/display.js";
import { ValueError } from "../../core/errors.js";
import type { Twist } from "../simulate/drive.js";
import type { Pose } from "../simulate/geometry.js";
import type { RobotSpec } from "../simulate/robot.js";
import { Simulation } from "../simulate/simulation.js";
import { WheelPower } from "../simulate/wheel-power.js";
import type { World } from "../simulate/world.js";
import { type DrivingStack, FAULTS, type Fault } from "./faults.js";
import { SafetyMonitor, type Violation } from "./monitor.js";
import type { SafetyRule } from "./rules.js";

export interface CampaignOptions {
  readonly world: World;
  readonly robot: RobotSpec;
  /** Made anew for each run. */
  readonly stack: () => DrivingStack;
  /** Made anew for each run. */
  readonly rules: () => readonly SafetyRule[];
  /** Makers of faults. Default: all of `FAULTS`. */
  readonly faults?: readonly ((fullSpeed: Twist) => Fault)[];
  /** Simulated seconds of a run. Default 20. */
  readonly seconds?: number;
  /** When a fault begins. Default 1. */
  readonly onset?: number;
  /** Seconds of a step, between scans and verdicts, and that one word of the monitor holds the wheels' power. */
  readonly dt?: number;
  readonly scanPeriod?: number;
  readonly monitorPeriod?: number;
  readonly powerTimeout?: number;
  /** Default 0. */
  readonly seed?: number;
}

/** What happened in one run. */
export interface RunOutcome {
  readonly fault: string;
  readonly description: string;
  readonly monitored: boolean;
  /** Seconds until the first contact; null where there was none. */
  readonly collidedAt: number | null;
  /** Speed at the first contact, m/s. */
  readonly impact: number;
  /** What cut the power, if anything did. */
  readonly stop: Violation | null;
  /** Metres. */
  readonly driven: number;
  readonly trail: readonly Pose[];
}

const PERIODS = { dt: 0.02, scanPeriod: 0.1, monitorPeriod: 0.04, powerTimeout: 0.1 };

/**
 * Longest time from an obstacle's light to falling brakes in a run with these periods: the scan's age when the next one comes, the
 * monitor's period, and what its last word still holds. What rules of a campaign need as their reaction time.
 * @example robotics.safety.reactionTimeOf({ scanPeriod: 0.05 }) // 0.23
 */
export function reactionTimeOf(periods: Partial<typeof PERIODS> = {}): number {
  const { dt, scanPeriod, monitorPeriod, powerTimeout } = { ...PERIODS, ...periods };
  return scanPeriod + monitorPeriod + powerTimeout + 2 * dt;
}

/**
 * Drives without a fault and with each, without and with the monitor.
 * @throws ValueError for times that are none
 * @example
 * const report = robotics.safety.faultCampaign({
 *   world: robotics.simulate.room({ things: 0, seed: 1 }),
 *   robot: { ...robotics.simulate.TURTLEBOT, pose: { x: 4, y: 3, theta: 0 } },
 *   stack: () => () => ({ linear: 0.2, angular: 0 }),
 *   rules: () => [robotics.safety.speedLimit(0.1)],
 *   faults: [],
 *   seconds: 2,
 * });
 * report.holds; // true
 */
export function faultCampaign(options: CampaignOptions): CampaignReport {
  const makers = [null, ...(options.faults ?? Object.values(FAULTS))];
  const outcomes = makers.flatMap((maker) => [drive(options, maker, false), drive(options, maker, true)]);
  return new CampaignReport(outcomes);
}

function drive(
  options: CampaignOptions,
  maker: ((fullSpeed: Twist) => Fault) | null,
  monitored: boolean,
): RunOutcome {
  const { seconds = 20, onset = 1, seed = 0 } = options;
  const { dt, scanPeriod, monitorPeriod, powerTimeout } = { ...PERIODS, ...defined(options) };
  for (const [name, value] of Object.entries({ seconds, dt, scanPeriod, monitorPeriod, powerTimeout }))
    if (!(value > 0))
      throw new ValueError(`faultCampaign: ${name} is a positive number of seconds, got ${value}`);
  const simulation = new Simulation(options.world, { robots: [options.robot], dt, seed });
  const { robot } = simulation;
  const fault = maker?.(robot.limits) ?? null;
  const stack = options.stack();
  const monitor = new SafetyMonitor(options.rules());
  const power = new WheelPower(powerTimeout);
  const trail: Pose[] = [robot.pose];
  const still: Twist = { linear: 0, angular: 0 };
  let command = still;
  let seen: { value: ReturnType<typeof robot.scan>; time: number } | null = null;
  let heard: { pose: Pose; speed: number; time: number } | null = null;
  let heartbeat: number | null = null;
  /** What the stack goes on with where nothing new comes. */
  let stale: ReturnType<typeof robot.scan> | null = null;
  let collidedAt: number | null = null;
  let impact = 0;
  let driven = 0;
  const every = (period: number): boolean => {
    const steps = Math.max(1, Math.round(period / dt));
    return simulation.steps % steps === 0;
  };
  while (simulation.time < seconds - dt / 2) {
    const { time } = simulation;
    const active = fault && time >= onset ? fault : null;
    const reading = robot.readOdometry();
    const odometry = active?.odometry ? active.odometry(reading, time) : reading;
    if (odometry) heard = { pose: odometry.pose, speed: odometry.twist.linear, time };
    if (every(scanPeriod)) {
      const own = robot.scan();
      const scan = active?.scan ? active.scan(own, time) : own;
      if (scan) seen = { value: scan, time };
      stale = scan ?? stale ?? own;
      const input = { time, scan: stale, odometry: odometry ?? reading };
      const wanted = stack(active?.perception ? active.perception(input) : input);
      const given = active?.command ? active.command(wanted, time) : wanted;
      if (given) {
        heartbeat = time;
        // a base takes numbers only
        if (Number.isFinite(given.linear) && Number.isFinite(given.angular)) command = given;
      }
    }
    if (monitored && active?.monitor !== "dead" && every(monitorPeriod)) {
      const verdict = monitor.update({ time, scan: seen, odometry: heard, heartbeat });
      power.say(verdict.power, time);
    }
    robot.command(!monitored || power.isOn(time) ? command : still);
    const speed = Math.abs(robot.twist.linear);
    simulation.step();
    driven += Math.abs(robot.twist.linear) * dt;
    if (robot.collided && collidedAt === null) {
      collidedAt = simulation.time;
      impact = speed;
    }
    if (every(scanPeriod)) trail.push(robot.pose);
  }
  return {
    fault: fault?.name ?? "none",
    description: fault?.description ?? "everything works",
    monitored,
    collidedAt,
    impact,
    stop: monitor.history[0] ?? null,
    driven,
    trail,
  };
}

function defined(options: CampaignOptions): Partial<typeof PERIODS> {
  const { dt, scanPeriod, monitorPeriod, powerTimeout } = options;
  const given = Object.entries({ dt, scanPeriod, monitorPeriod, powerTimeout });
  return Object.fromEntries(given.filter(([, value]) => value !== undefined));
}

/** What a campaign found; a table in notebooks. */
export class CampaignReport {
  constructor(readonly outcomes: readonly RunOutcome[]) {}

  /** Whether no monitored run touched anything. */
  get holds(): boolean {
    return this.outcomes.every(({ monitored, collidedAt }) => !monitored || collidedAt === null);
  }

  outcome(fault: string, monitored: boolean): RunOutcome | undefined {
    return this.outcomes.find((run) => run.fault === fault && run.monitored === monitored);
  }

  private rows(): string[][] {
    const names = [...new Set(this.outcomes.map(({ fault }) => fault))];
    return names.map((name) => {
      const cell = (run: RunOutcome | undefined): string =>
        run?.collidedAt == null ? "no contact" : `contact at ${run.impact.toFixed(2)} m/s`;
      const safe = this.outcome(name, true);
      const stop = safe?.stop ? `${safe.stop.rule}: ${safe.stop.reason}` : "–";
      return [name, cell(this.outcome(name, false)), cell(safe), stop];
    });
  }

  toString(): string {
    const rows = [HEAD, ...this.rows()];
    const widths = HEAD.map((_, i) => Math.max(...rows.map((row) => row[i].length)));
    return rows
      .map((row) =>
        row
          .map((cell, i) => cell.padEnd(widths[i]))
          .join("  ")
          .trimEnd(),
      )
      .join("\n");
  }

  [displaySymbol](): MimeBundle {
    const row = (cells: readonly string[], tag: string): string =>
      `<tr>${cells.map((cell) => `<${tag} style="text-align:left">${escapeHtml(cell)}</${tag}>`).join("")}</tr>`;
    return {
      "text/html": `<table>${row(HEAD, "th")}${this.rows()
        .map((cells) => row(cells, "td"))
        .join("")}</table>`,
      "text/plain": this.toString(),
    };
  }
}

const HEAD = ["fault", "without monitor", "with monitor", "what cut the power"];
