/**
 * What the threads of a pipeline did and when, and what holds it up. With F the rate of reading, P that of preprocessing
 * and G that of the consumer, the consumer never waits iff G < min(F, P). (Book, chapter 7: performance.)
 */
import { clock } from "../../core/clock.js";
import type { Figure, FigureOptions } from "../../viz/plot.js";
import { gantt, type Span, utilization } from "../../viz/timeline.js";
import type { Segment } from "./plan.js";
import type { Tuner, TuningChange } from "./tuner.js";
import type { StageReport } from "./worker.js";

const MAX_SPANS = 20_000;

interface StageTotals {
  elements: number;
  ms: number;
  /** By op. */
  readonly taken: number[];
  readonly busy: number[];
}

interface SegmentTotals {
  readonly tuner: Tuner;
  read: { elements: number; ms: number };
  delivered: number;
  readonly stages: StageTotals[];
}

/** Collects while a walk runs. */
export class Recorder {
  readonly spans: Span[] = [];
  readonly segments = new Map<Segment, SegmentTotals>();
  consumerMs = 0;
  waitedMs = 0;
  private sinceDelivery = 0;
  private handedAt: number | null = null;
  private askedAt = 0;

  constructor(
    /** Times each op, not each stage alone. */
    readonly timed: boolean,
    plan: ReadonlyMap<Segment, Tuner>,
    private readonly onSpan?: (span: Span) => void,
  ) {
    for (const [segment, tuner] of plan)
      this.segments.set(segment, {
        tuner,
        read: { elements: 0, ms: 0 },
        delivered: 0,
        stages: segment.stages.map(({ ops }) => ({
          elements: 0,
          ms: 0,
          taken: ops.map(() => 0),
          busy: ops.map(() => 0),
        })),
      });
  }

  /** The consumer asks: what it did since it got the last element is its own time. */
  asked(): void {
    const now = clock();
    this.askedAt = now;
    if (this.handedAt === null) return;
    const ms = now - this.handedAt;
    this.consumerMs += ms;
    this.sinceDelivery += ms;
    this.note({ lane: "main", name: "consumer", start: this.handedAt, end: now });
  }

  handed(): void {
    this.handedAt = clock();
    this.waitedMs += this.handedAt - this.askedAt;
  }

  read(segment: Segment, start: number, end: number, elements: number): void {
    const { read } = this.segments.get(segment) as SegmentTotals;
    read.elements += elements;
    read.ms += end - start;
    this.note({ lane: "main", name: segment.source.name, start, end });
  }

  worked(segment: Segment, report: StageReport, elements: number): void {
    const { stage, thread, start, end, tallies, spans } = report;
    const totals = (this.segments.get(segment) as SegmentTotals).stages[stage];
    totals.elements += elements;
    totals.ms += end - start;
    const { ops } = segment.stages[stage];
    const lane = `worker ${thread}`;
    const sum = tallies.reduce((all, { busy }) => all + busy, 0);
    let at = start;
    for (const [i, { name }] of ops.entries()) {
      totals.taken[i] += tallies[i].taken;
      totals.busy[i] += tallies[i].busy;
      if (sum === 0) continue;
      // ops of one thread take turns from element to element: shown one behind the other, as long as all of it took
      const until = Math.min(end, at + tallies[i].busy);
      this.note({ lane, name, start: at, end: until });
      at = until;
    }
    for (const span of spans) this.note({ lane, ...span });
    if (sum === 0) this.note({ lane, name: ops.map(({ name }) => name).join(" + "), start, end });
  }

  /** @returns the consumer's milliseconds since the last chunk was delivered */
  delivered(segment: Segment, elements: number): number {
    (this.segments.get(segment) as SegmentTotals).delivered += elements;
    const ms = this.sinceDelivery;
    this.sinceDelivery = 0;
    return ms;
  }

  private note(span: Span): void {
    if (this.spans.length >= MAX_SPANS) this.spans.splice(0, MAX_SPANS / 2);
    if (span.end <= span.start && !this.onSpan) return;
    this.spans.push(span);
    this.onSpan?.(span);
  }
}

/** One op's part. */
export interface OpProfile {
  readonly op: string;
  /** Elements that it was given. */
  readonly elements: number;
  /** Milliseconds in it, over all threads; NaN if only whole stages were timed. */
  readonly ms: number;
  readonly threads: number;
}

/** What a pipeline's walk was busy with. Rates are elements of the source per second. */
export class PipelineProfile {
  constructor(
    /** Who did what, when: reading, ops by thread, the consumer. The last 10,000 at least. */
    readonly spans: readonly Span[],
    readonly ops: readonly OpProfile[],
    /** Rate at which the main thread could read. */
    readonly F: number,
    /** Rate at which the threads could preprocess: that of the slowest stage. */
    readonly P: number,
    /** Rate at which the consumer could take elements. */
    readonly G: number,
    /** Milliseconds that the consumer waited. */
    readonly waitedMs: number,
    readonly consumerMs: number,
    /** What the autotuner did. */
    readonly changes: readonly TuningChange[],
    /** The stage of P. */
    readonly slowest: string,
  ) {}

  /** What limits the pipeline. */
  get bottleneck(): "reading" | "preprocessing" | "consumer" {
    if (this.G < Math.min(this.F, this.P)) return "consumer";
    return this.F < this.P ? "reading" : "preprocessing";
  }

  /** Who worked when, a row per thread. */
  gantt(options: FigureOptions = {}): Figure {
    return gantt(this.spans, options);
  }

  /** The part of the time in which each thread worked. */
  utilization(): Record<string, number> {
    return utilization(this.spans);
  }

  toString(): string {
    const { F, P, G } = this;
    const rate = (x: number): string => (Number.isFinite(x) ? `${Number(x.toPrecision(3))}/s` : "–");
    const waited = (100 * this.waitedMs) / Math.max(1e-9, this.waitedMs + this.consumerMs);
    const holds = G < Math.min(F, P);
    const advice = {
      consumer: "the consumer sets the pace: nothing here would make it faster",
      reading: "reading sets the pace (I/O-bound): read fewer bytes, or shard and interleave the files",
      preprocessing: `preprocessing sets the pace (CPU-bound) in ${this.slowest}: more threads, or a faster op`,
    }[this.bottleneck];
    const rows = this.ops.map(
      ({ op, elements, ms, threads }) =>
        `  ${op}: ${elements} elements, ${Number.isNaN(ms) ? "not timed" : `${((1000 * ms) / Math.max(1, elements)).toFixed(1)} µs each`}, ${threads} thread${threads === 1 ? "" : "s"}`,
    );
    return [
      `F (read) ${rate(F)}, P (preprocess) ${rate(P)}, G (consume) ${rate(G)}`,
      `G ${holds ? "<" : "≥"} min(F, P): ${holds ? "no stall" : "the consumer stalls"}; it waited ${waited.toFixed(0)} % of the time`,
      advice,
      ...rows,
      ...this.changes.map(({ unit, what, from, to }) => `  tuned at ${unit}: ${what} ${from} → ${to}`),
    ].join("\n");
  }
}

/** The report of what was collected. */
export function profileOf(recorder: Recorder, lowest: Segment | undefined): PipelineProfile {
  const ops: OpProfile[] = [];
  const changes: TuningChange[] = [];
  let [P, slowest] = [Number.POSITIVE_INFINITY, "nothing"];
  for (const [segment, { tuner, stages }] of recorder.segments) {
    changes.push(...tuner.changes);
    for (const [k, { elements, ms, taken, busy }] of stages.entries()) {
      const names = segment.stages[k].ops.map(({ name }) => name);
      const rate = (1000 * elements * tuner.widths[k]) / ms;
      if (ms > 0 && rate < P) [P, slowest] = [rate, names.join(" + ")];
      for (const [i, op] of names.entries())
        ops.push({
          op,
          elements: taken[i],
          ms: recorder.timed ? busy[i] : Number.NaN,
          threads: tuner.widths[k],
        });
    }
  }
  const totals = lowest && recorder.segments.get(lowest);
  const rate = (elements: number, ms: number): number =>
    ms > 0 ? (1000 * elements) / ms : Number.POSITIVE_INFINITY;
  const F = totals ? rate(totals.read.elements, totals.read.ms) : Number.POSITIVE_INFINITY;
  const G = totals ? rate(totals.delivered, recorder.consumerMs) : Number.POSITIVE_INFINITY;
  return new PipelineProfile(
    recorder.spans,
    ops,
    F,
    P,
    G,
    recorder.waitedMs,
    recorder.consumerMs,
    changes,
    slowest,
  );
}
