/** PID control (比例积分微分): with a filtered derivative, limits that the integral respects, and changes without a bump. */
import { ValueError } from "../../core/errors.js";

export interface PidOptions {
  /** Gain of the error. */
  readonly proportional: number;
  /** Gain of the error's integral, 1/s. Default 0. */
  readonly integral?: number;
  /** Gain of the measurement's rate, s. Default 0. */
  readonly derivative?: number;
  /** s: time constant of the derivative's low-pass filter. Default 0: none. */
  readonly filter?: number;
  /** The output's range. Default: no limits. */
  readonly limits?: readonly [low: number, high: number];
  /**
   * s: how fast the integral is drawn back while the output is limited (back-calculation, Åström & Hägglund 1995, §3.5).
   * Default: √(Ti·Td), or Ti without a derivative.
   */
  readonly tracking?: number;
  /** Weight of the setpoint in the proportional part; below 1 overshoots less. Default 1. */
  readonly setpointWeight?: number;
}

/** A controller of one quantity. Its state is the integral, the filtered derivative and the last measurement. */
export class Pid {
  private sum = 0;
  private slope = 0;
  private last: number | null = null;
  private lastSetpoint = 0;
  private settings: Required<Omit<PidOptions, "tracking">> & { readonly tracking: number };

  /** @throws ValueError for limits in the wrong order, or a negative time */
  constructor(options: PidOptions) {
    this.settings = completed(options);
  }

  /** The integral part of the output. */
  get integral(): number {
    return this.sum;
  }

  /**
   * The output for a measurement that came `dt` seconds after the one before.
   * @param feedforward added to the output before it is limited
   */
  update(setpoint: number, measurement: number, dt: number, feedforward = 0): number {
    if (!(dt > 0)) throw new ValueError(`Pid.update: dt is a time above 0 s, got ${dt}`);
    const { integral, derivative, filter, limits, tracking } = this.settings;
    // of the measurement, not of the error: a step of the setpoint gives no kick
    if (this.last !== null) {
      const keep = filter / (filter + dt); // backward Euler: stable for every dt
      this.slope = keep * this.slope + ((1 - keep) * (measurement - this.last)) / dt;
    }
    this.last = measurement;
    this.lastSetpoint = setpoint;
    const wanted =
      this.proportional(setpoint, measurement) + this.sum - derivative * this.slope + feedforward;
    const output = Math.min(limits[1], Math.max(limits[0], wanted));
    this.sum += dt * integral * (setpoint - measurement);
    // no more of the excess than there is, however long the step
    if (integral !== 0 && output !== wanted) this.sum += Math.min(1, dt / tracking) * (output - wanted);
    return output;
  }

  /** New gains, without a jump of the output: the integral takes up the difference. */
  retune(options: PidOptions): void {
    const before = this.settings;
    const slope = this.slope;
    const old =
      this.last === null ? 0 : this.proportional(this.lastSetpoint, this.last) - before.derivative * slope;
    this.settings = completed(options);
    if (this.last === null) return;
    const now = this.proportional(this.lastSetpoint, this.last) - this.settings.derivative * slope;
    this.sum += old - now;
  }

  /** Takes over from another controller (a person, say) that gives `output` now, without a jump. */
  takeOver(output: number, setpoint: number, measurement: number): void {
    this.slope = 0;
    this.last = measurement;
    this.lastSetpoint = setpoint;
    this.sum = output - this.proportional(setpoint, measurement);
  }

  /** Forgets integral, derivative and measurement. */
  reset(): void {
    this.sum = 0;
    this.slope = 0;
    this.last = null;
  }

  private proportional(setpoint: number, measurement: number): number {
    return this.settings.proportional * (this.settings.setpointWeight * setpoint - measurement);
  }
}

function completed({
  proportional,
  integral = 0,
  derivative = 0,
  filter = 0,
  limits = [Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY],
  tracking,
  setpointWeight = 1,
}: PidOptions) {
  if (!(limits[0] < limits[1]))
    throw new ValueError(`Pid: limits are [low, high] with low < high, got [${limits.join(", ")}]`);
  if (!(filter >= 0)) throw new ValueError(`Pid: filter is a time of at least 0 s, got ${filter}`);
  if (tracking !== undefined && !(tracking > 0))
    throw new ValueError(`Pid: tracking is a time above 0 s, got ${tracking}`);
  const integralTime = integral === 0 ? 1 : Math.abs(proportional / integral) || 1 / Math.abs(integral);
  const derivativeTime = proportional === 0 ? 0 : Math.abs(derivative / proportional);
  return {
    proportional,
    integral,
    derivative,
    filter,
    limits,
    setpointWeight,
    tracking: tracking ?? (derivativeTime > 0 ? Math.sqrt(integralTime * derivativeTime) : integralTime),
  };
}
