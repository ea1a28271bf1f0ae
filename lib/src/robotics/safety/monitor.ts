/** The monitor: no learning, no planning, a few rules; below and above everything else in priority. (Book, 14.6.) */
import { ValueError } from "../../core/errors.js";
import type { SafetyRule, Situation } from "./rules.js";

/** Why power was cut. */
export interface Violation {
  readonly rule: string;
  readonly reason: string;
  /** Seconds. */
  readonly time: number;
}

export interface Verdict {
  readonly power: boolean;
  /** Rules that are broken now. */
  readonly violations: readonly Violation[];
}

export interface MonitorOptions {
  /** Whether power returns by itself once no rule has been broken for so many seconds. Default: only by `reset`. */
  readonly resumeAfter?: number;
}

/**
 * Decides whether the wheels may have power. Once cut, power stays cut until somebody resets the monitor, which works only
 * while no rule is broken.
 * @example
 * const monitor = new robotics.safety.SafetyMonitor([robotics.safety.speedLimit(0.5)]);
 * const fast = { time: 0, scan: null, heartbeat: 0, odometry: { pose: { x: 0, y: 0, theta: 0 }, speed: 0.6, time: 0 } };
 * monitor.update(fast).violations[0].reason; // "0.60 m/s where 0.5 are allowed"
 */
export class SafetyMonitor {
  /** The first violation since the last reset; null while there is power. */
  latched: Violation | null = null;
  private current: readonly Violation[] = [];
  /** When all was well for the first time since the last violation. */
  private wellSince: number | null = null;
  private readonly log: Violation[] = [];

  /** @throws ValueError if there is no rule */
  constructor(
    readonly rules: readonly SafetyRule[],
    private readonly options: MonitorOptions = {},
  ) {
    if (rules.length === 0) throw new ValueError("SafetyMonitor: a monitor without rules protects nobody");
  }

  /** What has cut the power so far, in order. */
  get history(): readonly Violation[] {
    return this.log;
  }

  /** Applies the rules. A rule that throws is broken: what can't be checked is not safe. */
  update(situation: Situation): Verdict {
    const { time } = situation;
    this.current = this.rules.flatMap((rule) => {
      const reason = reasonOf(rule, situation);
      return reason === null ? [] : [{ rule: rule.name, reason, time }];
    });
    if (this.current.length > 0) {
      this.wellSince = null;
      if (!this.latched) {
        this.latched = this.current[0];
        this.log.push(this.latched);
      }
    } else {
      this.wellSince ??= time;
      const { resumeAfter = Number.POSITIVE_INFINITY } = this.options;
      if (time - this.wellSince >= resumeAfter) this.latched = null;
    }
    return { power: this.latched === null, violations: this.current };
  }

  /** Gives power back if no rule is broken. @returns what is still broken: power is back if that is nothing */
  reset(): readonly Violation[] {
    if (this.current.length === 0) this.latched = null;
    return this.current;
  }
}

function reasonOf(rule: SafetyRule, situation: Situation): string | null {
  try {
    return rule.check(situation);
  } catch (error) {
    return `the rule failed: ${error instanceof Error ? error.message : String(error)}`;
  }
}
