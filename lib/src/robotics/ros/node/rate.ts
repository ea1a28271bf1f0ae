/** Loops that go round so many times a second. */
import type { Clock } from "./clock.js";
import { nanoseconds, Time } from "./time.js";

/**
 * Sleeps so that a loop keeps its frequency whatever its body takes, as rclcpp's. Made by `node.createRate`.
 * @example
 * const node = await ros.createNode("looper");
 * const rate = node.createRate(100); // 100 times a second
 * for (let i = 0; i < 3; i++) await rate.sleep();
 * await node.destroy();
 */
export class Rate {
  readonly #period: bigint;
  #last: bigint;

  /** @internal @throws RangeError unless `frequency` is above 0 */
  constructor(
    readonly clock: Clock,
    /** In hertz. */
    readonly frequency: number,
  ) {
    if (!(frequency > 0) || !Number.isFinite(frequency))
      throw new RangeError(`a rate's frequency is a number of hertz above 0, not ${frequency}`);
    this.#period = nanoseconds(1 / frequency);
    this.#last = clock.nanoseconds();
  }

  /**
   * Resolves when the next round is due: true; at once if it is late: false. After a whole missed round it begins anew.
   * @throws NodeDestroyedError if the clock's node is destroyed meanwhile; the signal's reason if that is aborted
   */
  async sleep(options: { signal?: AbortSignal } = {}): Promise<boolean> {
    const now = this.clock.nanoseconds();
    // time was set back
    if (now < this.#last) this.reset();
    const next = this.#last + this.#period;
    this.#last = next;
    if (next <= now) {
      if (now > next + this.#period) this.reset();
      return false;
    }
    await this.clock.sleepUntil(Time.fromNanoseconds(next), options);
    return true;
  }

  /** The round begins now. */
  reset(): void {
    this.#last = this.clock.nanoseconds();
  }
}
