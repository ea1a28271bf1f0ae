/** What was done in each step: for plots, and for telling where time and memory went. */

export interface StepTrace {
  /** Milliseconds since the engine's first step. */
  readonly start: number;
  readonly ms: number;
  /** Sequences in this step, in order of arrival, with the tokens computed of each. */
  readonly sequences: readonly (readonly [id: number, tokens: number])[];
  readonly tokens: number;
  /** Tokens that came out. */
  readonly generated: number;
  /** Sequences behind the step. */
  readonly running: number;
  readonly waiting: number;
  /** Positions of the sequences that run whose keys and values are in the cache. */
  readonly positions: number;
  /** So far. */
  readonly preemptions: number;
  /** For each block the number of sequences that have it; −1: free, but its contents can still be found. */
  readonly occupancy: Int32Array;
}

type Step = Omit<StepTrace, "start" | "ms" | "occupancy"> & { readonly occupancy: Int32Array | null };

export class Trace {
  readonly kept: StepTrace[] = [];
  steps = 0;
  /** Of all steps together. */
  seconds = 0;
  private first = Number.NaN;

  /** @param most steps that are kept */
  constructor(private readonly most: number) {}

  get wanted(): boolean {
    return this.most > 0;
  }

  add(start: number, ms: number, { occupancy, ...step }: Step): void {
    this.steps++;
    this.seconds += ms / 1000;
    if (Number.isNaN(this.first)) this.first = start;
    if (!occupancy) return;
    this.kept.push({ start: start - this.first, ms, ...step, occupancy });
    if (this.kept.length > this.most) this.kept.shift();
  }
}
