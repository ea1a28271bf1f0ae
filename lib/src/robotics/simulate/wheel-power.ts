/** The relay that feeds a robot's wheels: it falls off, and the brakes fall in, unless it is held again and again. */
import { ValueError } from "../../core/errors.js";

/**
 * A relay with a dead man's switch: power is on only while the last word was "on" and is younger than `timeout`. A monitor that
 * dies, hangs or loses its line cuts it by saying nothing.
 */
export class WheelPower {
  private heldAt = Number.NEGATIVE_INFINITY;

  /** @param timeout seconds that one word holds it. @throws ValueError unless that is positive */
  constructor(readonly timeout: number) {
    if (!(timeout > 0))
      throw new ValueError(`WheelPower: the timeout is a positive number of seconds, got ${timeout}`);
  }

  /** Somebody says at `time` (seconds) that the wheels may have power, or not. */
  say(on: boolean, time: number): void {
    this.heldAt = on ? time : Number.NEGATIVE_INFINITY;
  }

  isOn(time: number): boolean {
    const age = time - this.heldAt;
    return age >= 0 && age <= this.timeout;
  }
}
