/**
 * The engine: a dataset run on worker threads. Ops with functions run there, several at once where that pays; all else
 * stays on the main thread. Elements come in the dataset's own order. (Book, chapter 7: operator-level parallelism.)
 */
import { availableParallelism } from "node:os";
import { clock } from "../../core/clock.js";
import type { Span } from "../../viz/timeline.js";
import type { Node, Opening, State } from "../dataset/node.js";
import { AsyncWalk, type Checkpoint, checkCheckpoint, wholeNumber } from "../dataset/walk.js";
import { checkRemote, RemoteCrew, type RemoteWorkers } from "../remote/crew.js";
import { RemoteTuner } from "../remote/tuner.js";
import { Crew, type Team } from "./crew.js";
import { learnLibrary } from "./known-modules.js";
import { type Plan, planOf, type Segment } from "./plan.js";
import { type PipelineProfile, profileOf, Recorder } from "./profile.js";
import { openSegment } from "./segment.js";
import { type Shipment, ship } from "./ship.js";
import { Tuner } from "./tuner.js";

export interface PipelineOptions {
  /** Threads for the ops that don't name a number of their own. Default "auto": as many as pay, up to the cores. */
  readonly workers?: number | "auto";
  /** Chunks (of some milliseconds' work, or one batch each) that may be on their way. Default "auto". */
  readonly buffer?: number | "auto";
  /** Elements, or batches, in a chunk. Default "auto". */
  readonly chunk?: number | "auto";
  /** Called with what the main thread and each worker did, and when; also with the stages that functions name by `stage`. */
  readonly onSpan?: (span: Span) => void;
  /**
   * Called while a walk runs, twice a second at most, and once in its end: `String(profile)` has the rule of stalls as it
   * stands, G < min(F, P), and what holds the walk up.
   */
  readonly onProfile?: (profile: PipelineProfile) => void;
  /** Times each op, for `profile()`; costs some 0.1 µs a call. Default false: stages are timed as a whole. */
  readonly profile?: boolean;
  /**
   * Data workers that do the ops instead of threads: `npx mlsys data-worker`, `serveData`. What comes out is the same, in the
   * same order, whichever of them come and go. `workers` is then not used: they have threads of their own.
   */
  readonly remote?: RemoteWorkers;
  /** Stops the walk and its threads: the walk ends with the signal's reason. */
  readonly signal?: AbortSignal;
}

/** Milliseconds between two calls of `onProfile`. */
const PROFILE_MS = 500;

/** Crews of walks that nobody can reach any more. */
const abandoned = new FinalizationRegistry<Team>((crew) => void crew.end());

/** One walk of a pipeline: its threads live as long as it. */
export class PipelineWalk<T> extends AsyncWalk<T> {
  private onAbort: (() => void) | null = null;
  private aborted: Promise<never> | null = null;
  /** When the profile was shown. */
  private shown = clock();
  private shownAll = false;

  constructor(
    node: Node<T>,
    opening: Omit<Opening, "failures">,
    state: State | undefined,
    private readonly crew: Team,
    private readonly recorder: Recorder,
    private readonly lowest: Segment | undefined,
    private readonly signal: AbortSignal | undefined,
    private readonly ready: () => Promise<void>,
    private readonly onProfile: PipelineOptions["onProfile"],
  ) {
    super(node, opening, state);
    abandoned.register(this, crew, this);
    if (!signal) return;
    this.aborted = new Promise((_, reject) => {
      this.onAbort = () => reject(signal.reason);
    });
    this.aborted.catch(() => {});
    if (signal.aborted) this.onAbort?.();
    else signal.addEventListener("abort", this.onAbort as () => void, { once: true });
  }

  override async next(): Promise<IteratorResult<T, undefined>> {
    this.recorder.asked();
    try {
      await this.ready();
      const result = await (this.aborted ? Promise.race([super.next(), this.aborted]) : super.next());
      this.recorder.handed();
      this.show(result.done === true);
      if (result.done) await this.stop();
      return result;
    } catch (error) {
      await this.stop();
      if (this.signal?.aborted) await super.return();
      throw error;
    }
  }

  override async return(): Promise<IteratorResult<T, undefined>> {
    await this.stop();
    return super.return();
  }

  /** What the threads did so far. */
  profile(): PipelineProfile {
    return profileOf(this.recorder, this.lowest);
  }

  private show(last: boolean): void {
    if (!this.onProfile || this.shownAll) return;
    const now = clock();
    if (!last && now - this.shown < PROFILE_MS) return;
    this.shown = now;
    this.shownAll = last;
    this.onProfile(this.profile());
  }

  private async stop(): Promise<void> {
    abandoned.unregister(this);
    if (this.onAbort) this.signal?.removeEventListener("abort", this.onAbort);
    await this.crew.end();
  }
}

/** A dataset and how it is run on threads. Made by `dataset.pipeline()`; each `for await` is a walk with threads of its own. */
export class Pipeline<T> implements AsyncIterable<T> {
  /** Number of elements, where it is known. */
  readonly size: number | undefined;
  readonly plan: Plan;
  private epoch = 0;
  private state: State | undefined;
  private readonly shipped = new Map<Segment, Shipment[][]>();

  constructor(
    private readonly node: Node<T>,
    private readonly options: PipelineOptions = {},
  ) {
    const { workers = "auto", buffer = "auto", chunk = "auto" } = options;
    if (workers !== "auto") wholeNumber("pipeline's workers", workers, 1);
    if (buffer !== "auto") wholeNumber("pipeline's buffer", buffer, 1);
    if (chunk !== "auto") wholeNumber("pipeline's chunk", chunk, 1);
    if (options.remote) checkRemote(options.remote);
    this.size = node.size;
    this.plan = planOf(node);
  }

  [Symbol.asyncIterator](): PipelineWalk<T> {
    const {
      workers = "auto",
      buffer = "auto",
      chunk = "auto",
      profile = false,
      signal,
      onSpan,
      onProfile,
      remote,
    } = this.options;
    const segments = [...new Set(this.plan.segments.values())];
    const most = workers === "auto" ? availableParallelism() : workers;
    const fixed = {
      buffer: buffer === "auto" ? undefined : buffer,
      chunk: chunk === "auto" ? undefined : chunk,
    };
    const tunerOf = ({ stages }: Segment): Tuner =>
      remote
        ? new RemoteTuner(stages, fixed.buffer, fixed.chunk)
        : new Tuner(stages, most, workers !== "auto", fixed.buffer, fixed.chunk);
    const tuners = new Map(segments.map((segment) => [segment, tunerOf(segment)]));
    const crew: Team = remote
      ? new RemoteCrew(remote, (credits, threads) => {
          for (const tuner of tuners.values()) (tuner as RemoteTuner).room(credits, threads);
        })
      : new Crew();
    const recorder = new Recorder(profile, tuners, onSpan);
    const instead: Opening["instead"] = (node, opening, state) => {
      const segment = this.plan.segments.get(node);
      if (!segment) return undefined;
      const shipped = this.shipped.get(segment);
      const tuner = tuners.get(segment) as Tuner;
      return openSegment(
        { segment, shipped: () => shipped ?? this.ship(segment), crew, tuner, recorder },
        opening,
        state,
      );
    };
    const { state } = this;
    this.state = undefined;
    const opening = { epoch: this.epoch++, asynchronous: true, instead };
    const lowest = segments.at(-1);
    return new PipelineWalk(
      this.node,
      opening,
      state,
      crew,
      recorder,
      lowest,
      signal,
      learnLibrary,
      onProfile,
    );
  }

  /** The same pipeline, whose first walk goes on where `checkpoint` was taken, in a walk with threads or without. */
  resume(checkpoint: Checkpoint): Pipeline<T> {
    checkCheckpoint(checkpoint, this.node);
    const resumed = new Pipeline(this.node, this.options);
    resumed.epoch = checkpoint.epoch;
    resumed.state = checkpoint.at;
    return resumed;
  }

  /**
   * Makes the functions ready for threads: what can't travel is told before the first element.
   * @throws MlsysError naming the op, the variable that can't travel, and why
   */
  async check(): Promise<this> {
    await learnLibrary();
    for (const segment of new Set(this.plan.segments.values())) this.ship(segment);
    return this;
  }

  /** The ops as they were written, each rewrite, and what runs. */
  explain(): string {
    const { before, after, rewrites } = this.plan;
    return [
      `written:   ${before}`,
      ...rewrites.map((r) => `${r.rule}: ${r.before}  ⇒  ${r.after}\n    (${r.why})`),
      `runs:      ${after}`,
    ].join("\n");
  }

  private ship(segment: Segment): Shipment[][] {
    const known = this.shipped.get(segment);
    if (known) return known;
    const shipped = shipments(segment);
    this.shipped.set(segment, shipped);
    return shipped;
  }
}

/** Functions of a segment, made ready for threads once per pipeline. */
function shipments(segment: Segment): Shipment[][] {
  return segment.stages.map(({ ops }) =>
    ops.map(({ node, name }) => ship((node.spec as { call: { f: unknown } }).call.f, name)),
  );
}
