/**
 * How many threads each stage gets, how many units go in a message, how many messages are on their way: from what is
 * measured while the pipeline runs. None of it changes what comes out.
 */
import type { CallStep } from "./rewrites.js";

/** A message should take a thread about so long: its own cost, some 50 µs, is little beside it. */
const CHUNK_MS = 3;
const MAX_CHUNK = 1024;
/** Bytes of what a message brings: with `window` messages, what the pipeline holds is bounded. */
const CHUNK_BYTES = 1 << 20;
const MAX_WINDOW = 64;
/** Chunks between two changes of widths: each change lets the pipeline run empty once. */
const SETTLE = 12;
/** Threads for 1.2 times what is needed: rates vary. */
const MARGIN = 1.2;

export interface TuningChange {
  /** Units that were given by then. */
  readonly unit: number;
  readonly what: "widths" | "chunk" | "window";
  readonly from: string;
  readonly to: string;
}

/** A running mean that forgets, and the least of what it saw lately. */
class Mean {
  value = Number.NaN;
  private readonly recent: number[] = [];

  /** What it takes when nothing else keeps the processor. */
  get least(): number {
    return Math.min(...this.recent);
  }

  add(x: number): void {
    if (this.recent.push(x) > 16) this.recent.shift();
    this.value = Number.isNaN(this.value) ? x : this.value + 0.2 * (x - this.value);
  }
}

export class Tuner {
  widths: number[];
  chunk: number;
  window: number;
  readonly changes: TuningChange[] = [];
  private readonly busy: Mean[];
  /** Bytes per unit: the most that a stage makes of one. */
  private bytes = 0;
  private readonly reading = new Mean();
  private readonly consuming = new Mean();
  private units = 0;
  private sinceChange = 0;
  private waits = 0;
  private wanted: number[] | null = null;

  /**
   * @param most threads for the stages that say nothing
   * @param fixed true: all of them are used from the start
   */
  constructor(
    private readonly stages: readonly CallStep[],
    private readonly most: number,
    private readonly fixed: boolean,
    private readonly fixedWindow: number | undefined,
    private readonly fixedChunk?: number,
  ) {
    this.chunk = fixedChunk ?? 1;
    this.busy = stages.map(() => new Mean());
    const auto = stages.filter(({ ops }) => ops[0].parallel === "auto").length;
    const share = Math.max(1, Math.floor((fixed ? most : Math.max(1, most - 1)) / Math.max(1, auto)));
    this.widths = stages.map(({ ops: [{ parallel }] }) => (parallel === "auto" ? share : parallel));
    this.window = fixedWindow ?? this.leastWindow();
  }

  /** What a stage's thread did with a chunk: its milliseconds, and the bytes of what came out. */
  worked(stage: number, units: number, ms: number, bytes: number): void {
    if (units === 0) return;
    this.busy[stage].add(ms / units);
    this.bytes = Math.max(this.bytes, bytes / units);
  }

  read(units: number, ms: number): void {
    if (units > 0) this.reading.add(ms / units);
  }

  /** Milliseconds that the consumer had a chunk's elements, and whether it had to wait for the chunk. */
  consumed(units: number, ms: number, waited: boolean): void {
    if (units > 0) this.consuming.add(ms / units);
    this.units += units;
    this.sinceChange++;
    if (waited) this.waits++;
    this.resize();
    if (this.sinceChange < SETTLE || this.wanted || this.busy.some(({ value }) => Number.isNaN(value)))
      return;
    this.sinceChange = 0;
    const wanted = this.wantedWidths();
    if (wanted.some((width, i) => width !== this.widths[i])) this.wanted = wanted;
  }

  /** True if other widths would do better: they are taken once nothing is on its way. */
  get wantsOthers(): boolean {
    return this.wanted !== null;
  }

  /** Changes to the widths that are wanted. @returns whether there were some */
  takeWidths(): boolean {
    const { wanted } = this;
    if (!wanted) return false;
    this.note("widths", this.widths.join(" "), wanted.join(" "));
    this.widths = wanted;
    this.wanted = null;
    if (this.fixedWindow === undefined) this.window = Math.max(this.window, this.leastWindow());
    return true;
  }

  private leastWindow(): number {
    return 2 * this.widths.reduce((a, b) => a + b, 0) + 2;
  }

  private wantedWidths(): number[] {
    const auto = (i: number): boolean => this.stages[i].ops[0].parallel === "auto";
    const costs = this.busy.map(({ value }) => Math.max(value, 1e-6));
    // per unit: what the slower of reader and consumer takes is what the stages may take
    const pace = Math.max(this.reading.value || 0, this.consuming.value || 0, 1e-6);
    const needs = costs.map((cost, i) =>
      auto(i) ? Math.max(1, Math.ceil((MARGIN * cost) / pace)) : this.widths[i],
    );
    const total = needs.reduce((sum, need, i) => sum + (auto(i) ? need : 0), 0);
    const count = needs.filter((_, i) => auto(i)).length;
    if (count === 0) return needs;
    if (total <= this.most && !this.fixed) return needs;
    // all that may be used, by cost
    const whole = costs.reduce((sum, cost, i) => sum + (auto(i) ? cost : 0), 0);
    const shares = needs.map((need, i) =>
      auto(i) ? Math.max(1, Math.floor((this.most * costs[i]) / whole)) : need,
    );
    let left = this.most - shares.reduce((sum, share, i) => sum + (auto(i) ? share : 0), 0);
    while (left-- > 0) {
      let slowest = -1;
      for (const i of shares.keys())
        if (auto(i) && (slowest < 0 || costs[i] / shares[i] > costs[slowest] / shares[slowest])) slowest = i;
      shares[slowest]++;
    }
    return shares;
  }

  private resize(): void {
    if (this.sinceChange % 4 !== 0) return;
    const slowest = Math.max(...this.busy.map(({ least }) => least));
    if (slowest > 0 && Number.isFinite(slowest) && this.fixedChunk === undefined) {
      const room = Math.min(MAX_CHUNK, Math.max(1, Math.floor(CHUNK_BYTES / this.bytes)));
      const wanted = Math.min(room, Math.max(1, Math.round(CHUNK_MS / slowest)), 4 * this.chunk);
      if (wanted >= 2 * this.chunk || wanted <= this.chunk / 3) {
        this.note("chunk", String(this.chunk), String(wanted));
        this.chunk = wanted;
      }
    }
    if (this.fixedWindow !== undefined || this.sinceChange % 8 !== 0) return;
    // the threads are fast enough on the mean, and the consumer waits: what is ahead is used up by what is slow at times
    const rate = Math.min(...this.busy.map(({ value }, i) => this.widths[i] / (value || 1e-6)));
    if (this.waits >= 2 && rate * (this.consuming.value || 0) > 1 && this.window < MAX_WINDOW) {
      this.note("window", String(this.window), String(2 * this.window));
      this.window *= 2;
    }
    this.waits = 0;
  }

  private note(what: TuningChange["what"], from: string, to: string): void {
    if (this.changes.length < 1000) this.changes.push({ unit: this.units, what, from, to });
  }
}
