/** Remote workers run all stages one after the other, so only messages are tuned; what is on its way follows from their number. */

import type { CallStep } from "../engine/rewrites.js";
import { Tuner } from "../engine/tuner.js";

export class RemoteTuner extends Tuner {
  constructor(
    stages: readonly CallStep[],
    private readonly ownWindow: number | undefined,
    chunk: number | undefined,
  ) {
    super(stages, 1, true, ownWindow ?? 4, chunk);
  }

  /** Other widths would do nothing. */
  override get wantsOthers(): boolean {
    return false;
  }

  /** What the workers take at once, and half of that to be given out while they answer. */
  room(credits: number, threads: number): void {
    this.widths = this.widths.map(() => Math.max(1, threads));
    if (this.ownWindow === undefined) this.window = Math.max(4, credits + (credits >> 1));
  }
}
