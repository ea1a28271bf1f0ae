/**
 * Which tokens are computed next. Decided anew for each step of the model, so that sequences come and go at any step (Yu et al.
 * 2022, Orca: iteration-level scheduling). There are no separate steps for prompts: a sequence has tokens that are to be
 * computed, one after the other while it generates, many at first; a long prompt is computed in chunks beside the others'
 * tokens. First come, first served: whoever came last gives its blocks back when they run out, and is computed again later.
 */
import type { BlockTables } from "./block-tables.js";
import type { Sequence } from "./sequence.js";

export interface SchedulerOptions {
  /** Most sequences that run at once. */
  readonly maxSequences: number;
  /** Most tokens of a step. */
  readonly maxBatchedTokens: number;
  /** "static": nothing starts from a sequence's first token on until all that run have ended. */
  readonly batching: "continuous" | "static";
}

/** The next `count` tokens of a sequence. */
export interface Scheduled {
  readonly sequence: Sequence;
  readonly count: number;
}

export class Scheduler {
  /** In order of arrival, those that had to give way in front. */
  readonly waiting: Sequence[] = [];
  /** In order of arrival. */
  readonly running: Sequence[] = [];
  preemptions = 0;
  /** Tokens that were found in the cache when a sequence started. */
  sharedTokens = 0;

  constructor(
    private readonly tables: BlockTables,
    private readonly options: SchedulerOptions,
  ) {}

  get hasWork(): boolean {
    return this.waiting.length + this.running.length > 0;
  }

  add(sequence: Sequence): void {
    this.waiting.push(sequence);
  }

  /** What the next step computes. Blocks for it are there. */
  schedule(): Scheduled[] {
    const { running, tables } = this;
    const before = this.preemptions;
    const chosen: Scheduled[] = [];
    let budget = this.options.maxBatchedTokens;
    for (let i = 0; i < running.length && budget > 0; i++) {
      const sequence = running[i];
      const count = Math.min(sequence.pending, budget);
      // those behind it have nothing scheduled yet
      while (!tables.grow(sequence, count) && this.preempt() !== sequence);
      if (running[i] !== sequence) break;
      chosen.push({ sequence, count });
      budget -= count;
    }
    if (this.preemptions === before) this.admit(chosen, budget);
    return chosen;
  }

  /** The prompt's other samples start where it is computed by now. */
  fork(sequence: Sequence): Sequence[] {
    const siblings = sequence.siblings.splice(0);
    for (const sibling of siblings) this.tables.fork(sequence, sibling);
    this.running.splice(this.running.indexOf(sequence) + 1, 0, ...siblings);
    return siblings;
  }

  /** Takes a sequence out, whatever it does. Samples that wait for its prompt go on without it. */
  remove(sequence: Sequence): void {
    const [heir, ...others] = sequence.siblings.splice(0);
    if (heir) {
      heir.siblings = others;
      heir.blocks = sequence.blocks;
      heir.computed = sequence.computed;
      sequence.blocks = [];
    }
    for (const list of [this.waiting, this.running]) {
      const at = list.indexOf(sequence);
      if (at >= 0) list.splice(at, 1, ...(heir ? [heir] : []));
      for (const { siblings } of list) {
        const among = siblings.indexOf(sequence);
        if (among >= 0) siblings.splice(among, 1);
      }
    }
    this.tables.release(sequence);
  }

  /** Starts those that wait, in order, while there is room for them. */
  private admit(chosen: Scheduled[], tokens: number): void {
    const { waiting, running, tables } = this;
    const { maxSequences, batching } = this.options;
    if (batching === "static" && running.some(({ outputLength }) => outputLength > 0)) return;
    let budget = tokens;
    while (waiting.length > 0 && budget > 0) {
      const [sequence] = waiting;
      if (this.promised + 1 + sequence.siblings.length > maxSequences) return;
      const shared = tables.match(sequence);
      const count = Math.min(sequence.pending, budget);
      if (!tables.grow(sequence, count)) {
        tables.release(sequence);
        return;
      }
      this.sharedTokens += shared;
      waiting.shift();
      running.push(sequence);
      chosen.push({ sequence, count });
      budget -= count;
    }
  }

  /** Sequences that run, and samples that will when their prompt is computed. */
  private get promised(): number {
    return this.running.reduce((sum, { siblings }) => sum + 1 + siblings.length, 0);
  }

  /** Whoever runs and came last gives its blocks back, and waits in front of those that have not started. */
  private preempt(): Sequence {
    const last = this.running.pop() as Sequence;
    this.tables.release(last);
    this.waiting.unshift(last);
    this.preemptions++;
    return last;
  }
}
