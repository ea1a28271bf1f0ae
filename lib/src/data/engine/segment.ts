/**
 * A run of ops on threads, as one cursor: it reads the source in chunks, sends them through the stages, and gives what
 * comes back in order. Its states are those of the ops that it stands for, so that a walk with threads and one without
 * can go on from one another's.
 */
import { clock } from "../../core/clock.js";
import { MlsysError } from "../../core/errors.js";
import { leaves } from "../../core/tree.js";
import type { Storage } from "../../runtime/storage.js";
import { ElementError } from "../dataset/failure.js";
import {
  advanced,
  type Cursor,
  END,
  type Node,
  type Opening,
  openNode,
  type Pulled,
  type State,
} from "../dataset/node.js";
import { Replay } from "../dataset/replay.js";
import type { Line, LineStage, Team } from "./crew.js";
import type { Segment } from "./plan.js";
import type { Recorder } from "./profile.js";
import type { Shipment } from "./ship.js";
import { blockStorage, bytesOf, lentBlock, MAIN, pack, unpack } from "./transport.js";
import type { Tuner } from "./tuner.js";
import type { Chunk } from "./worker.js";

/** A chunk on its way. */
interface Entry {
  /** Elements of the source before it. */
  readonly start: number;
  readonly units: number;
  readonly elements: number;
  /** What threads read while it is on its way, by address. */
  readonly lent: ReadonlyMap<number, Storage>;
  readonly items: readonly unknown[];
  result: Chunk | null;
  /** The source failed here. */
  readonly failure: { readonly error: unknown } | null;
}

const noLent: ReadonlyMap<number, Storage> = new Map();

/** Where the ops of a segment were; `null` for a state that only the ops themselves can go on from. */
function countsOf(
  segment: Segment,
  state: State | undefined,
): { counts: Map<Node, number>; source: State | undefined } | null {
  const counts = new Map<Node, number>();
  let at: State | undefined = state;
  for (const node of [...segment.nodes].reverse()) {
    if (at?.from !== undefined || (at?.given !== undefined && at.given !== 0)) return null;
    counts.set(node, (at?.index as number | undefined) ?? 0);
    at = (at?.input as State | null | undefined) ?? undefined;
  }
  return { counts, source: at };
}

export interface SegmentRun {
  readonly segment: Segment;
  /** Made when threads are first needed. */
  readonly shipped: () => readonly (readonly Shipment[])[];
  readonly crew: Team;
  readonly tuner: Tuner;
  readonly recorder: Recorder;
}

/** @returns `undefined` where only the ops themselves can go on from the state */
export function openSegment(
  run: SegmentRun,
  opening: Opening,
  state: State | undefined,
): Cursor<unknown> | undefined {
  const found = countsOf(run.segment, state);
  return found ? new Threads(run, opening, found.counts, found.source) : undefined;
}

class Threads implements Cursor<unknown> {
  private readonly source: Replay<unknown>;
  private readonly entries: Entry[] = [];
  /** Elements that each op was given in the chunks that are over. */
  private readonly counts: number[];
  private line: Line | null = null;
  private nextChunk = 0;
  private unitsRead = 0;
  private elementsRead = 0;
  /** Elements of the source before the chunk that is read at the moment. */
  private frontier = 0;
  private sent = 0;
  private back = 0;
  private ended = false;
  private closed = false;
  private death: string | null = null;
  private reading: Promise<void> | null = null;
  private wake: () => void = () => {};
  private changed: Promise<void> = Promise.resolve();
  private readonly forget: () => void;
  /** Outputs of the first chunk, and how many of them are given. */
  private outputs: unknown[] | null = null;
  private given = 0;
  private waited = false;

  constructor(
    private readonly run: SegmentRun,
    private readonly opening: Opening,
    /** Elements that each op was given before this walk began. */
    private readonly before: ReadonlyMap<Node, number>,
    source: State | undefined,
  ) {
    const { segment, crew } = run;
    this.source = new Replay(openNode(segment.source, opening, source), 256, 0, segment.source);
    this.counts = segment.stages.flatMap(({ ops }) => ops.map(({ node }) => before.get(node) ?? 0));
    this.arm();
    this.forget = crew.onDeath((reason) => {
      this.death ??= reason;
      this.wake();
    });
  }

  async next(): Promise<Pulled<unknown>> {
    for (;;) {
      if (this.outputs && this.given < this.outputs.length) return this.give(this.outputs);
      if (this.outputs) this.finish();
      this.pump();
      const entry = this.entries[0];
      if (entry?.failure) throw entry.failure.error;
      if (entry?.result) {
        this.begin(entry.result);
        continue;
      }
      if (!entry && this.ended && !this.reading) return END;
      if (this.death !== null) throw this.lost(entry);
      this.waited = true;
      this.run.crew.hold(true);
      await this.changed;
      this.run.crew.hold(false);
    }
  }

  state(): State {
    const start = this.entries[0]?.start ?? this.frontier;
    const { nodes } = this.run.segment;
    let state: State = this.source.stateAt(start);
    const ops = this.run.segment.stages.flatMap((stage) => stage.ops);
    for (const node of nodes) {
      if (node.spec.kind === "batch") state = { input: state };
      else {
        const index = this.counts[ops.findIndex((op) => op.node === node)];
        state = node.spec.kind === "flatMap" ? { index, given: 0, input: state } : { index, input: state };
      }
    }
    if (this.given === 0) return state;
    return advanced(this.run.segment.top, state, this.given) ?? { from: state, skip: this.given };
  }

  async close(): Promise<void> {
    this.closed = true;
    this.ended = true;
    this.forget();
    this.line?.close();
    this.wake();
    await this.reading;
    for (const tensor of leaves(this.outputs?.slice(this.given))) tensor.dispose();
    this.outputs = null;
    this.entries.length = 0;
    await this.source.close();
  }

  private arm(): void {
    this.changed = new Promise((resolve) => {
      this.wake = () => {
        resolve();
        this.arm();
      };
    });
  }

  private give(outputs: unknown[]): unknown {
    const out = outputs[this.given];
    outputs[this.given++] = undefined;
    if (this.given === outputs.length && !this.entries[0]?.result?.error) this.finish();
    return out;
  }

  /** Takes what a chunk brought into this thread's hands. */
  private begin(chunk: Chunk): void {
    const { crew } = this.run;
    const entry = this.entries[0];
    this.outputs = unpack(chunk, (block) => {
      if (block.home === MAIN) return (entry.lent.get(block.address) as Storage).retain();
      return blockStorage(block, crew.member(block.home).lives(block, bytesOf(block)));
    });
    for (const block of chunk.spent) crew.member(block.home).take(block.address, bytesOf(block));
    this.given = 0;
    if (this.outputs.length === 0 && !chunk.error) this.finish();
  }

  /** The first chunk is over. */
  private finish(): void {
    const entry = this.entries[0];
    const result = entry.result as Chunk;
    const { tuner, recorder, segment } = this.run;
    if (result.error) {
      const { stage, op, element, message, stack } = result.error;
      const at = segment.stages.slice(0, stage).reduce((sum, { ops }) => sum + ops.length, 0) + op;
      const cause = Object.assign(new Error(message), stack === undefined ? {} : { stack });
      throw new ElementError(segment.stages[stage].ops[op].name, this.counts[at] + element, cause);
    }
    let at = 0;
    for (const [k, { ops }] of segment.stages.entries()) {
      const report = result.reports[k];
      for (const [i, op] of ops.entries()) {
        const tally = report.tallies[i];
        this.counts[at++] += tally.taken;
        if (tally.skipped + tally.retried > 0) {
          const count = this.opening.failures.get(op.name) ?? { skipped: 0, retried: 0 };
          this.opening.failures.set(op.name, count);
          count.skipped += tally.skipped;
          count.retried += tally.retried;
        }
      }
    }
    this.entries.shift();
    this.outputs = null;
    this.given = 0;
    if (this.source.full) this.source.forget(this.entries[0]?.start ?? this.frontier);
    tuner.consumed(entry.units, recorder.delivered(segment, entry.elements), this.waited);
    this.waited = false;
    this.pump();
  }

  private lost(entry: Entry | undefined): MlsysError {
    const names = this.run.segment.stages.flatMap(({ ops }) => ops.map(({ name }) => name)).join(", ");
    const start = entry?.start ?? this.frontier;
    return new MlsysError(
      `pipeline: ${this.death}; elements from ${start} on were on their way through ${names}`,
    );
  }

  /** Reads and sends as long as there is room. */
  private pump(): void {
    if (this.reading || this.ended || this.closed) return;
    const { tuner } = this.run;
    if (this.entries.length >= tuner.window) return;
    const idle = this.sent === this.back;
    if (idle && tuner.takeWidths()) {
      this.line?.close();
      this.line = null;
    } else if (tuner.wantsOthers) return; // nothing is sent until all is back
    this.reading = this.fill().finally(() => {
      this.reading = null;
      this.wake();
    });
  }

  private async fill(): Promise<void> {
    const { tuner } = this.run;
    while (!this.ended && !this.closed && this.entries.length < tuner.window && !tuner.wantsOthers) {
      const start = this.source.index;
      const begun = clock();
      let units: unknown[];
      try {
        units = await this.read(tuner.chunk);
      } catch (error) {
        this.ended = true;
        this.entries.push({
          start,
          units: 0,
          elements: 0,
          lent: noLent,
          items: [],
          result: null,
          failure: { error },
        });
        return;
      }
      if (this.closed || units.length === 0) return;
      const time = clock() - begun;
      this.run.recorder.read(this.run.segment, begun, begun + time, this.source.index - start);
      tuner.read(units.length, time);
      try {
        this.send(units, start);
        this.frontier = this.source.index;
      } catch (error) {
        this.ended = true;
        this.entries.push({
          start,
          units: 0,
          elements: 0,
          lent: noLent,
          items: [],
          result: null,
          failure: { error },
        });
        return;
      }
      this.wake();
    }
  }

  /** Up to `count` units. */
  private async read(count: number): Promise<unknown[]> {
    const { batch } = this.run.segment;
    const units: unknown[] = [];
    const size = batch?.count ?? 1;
    let list: unknown[] = [];
    while (units.length < count) {
      const pulled = this.source.next();
      const x = pulled instanceof Promise ? await pulled : pulled;
      if (x === END) {
        this.ended = true;
        if (batch && list.length > 0 && !batch.dropRemainder) units.push(list);
        return units;
      }
      if (!batch) units.push(x);
      else if (list.push(x) === size) {
        units.push(list);
        list = [];
      }
    }
    return units;
  }

  private send(units: readonly unknown[], start: number): void {
    const lent = new Map<number, Storage>();
    this.line ??= this.openLine();
    try {
      const { handles: _, ...cargo } = pack(units, (storage) => {
        const block = lentBlock(storage);
        lent.set(block.address, storage);
        return block;
      });
      const chunk = this.nextChunk;
      this.line.send({ ...cargo, chunk, first: this.firsts(), reports: [], error: null, spent: [] }, []);
      this.nextChunk++;
    } catch (cause) {
      throw new MlsysError(
        `pipeline: an element of ${this.run.segment.source.name}, from number ${start} on, can't be sent to a thread: ${(cause as Error).message}`,
        { cause },
      );
    }
    this.sent++;
    const elements = this.run.segment.batch
      ? units.reduce((sum: number, unit) => sum + (unit as unknown[]).length, 0)
      : units.length;
    this.unitsRead += units.length;
    this.elementsRead += elements;
    const keep = lent.size > 0; // what threads read must not be given back meanwhile
    this.entries.push({
      start,
      units: units.length,
      elements,
      lent: keep ? lent : noLent,
      items: keep ? units : [],
      result: null,
      failure: null,
    });
  }

  /** Indices of the first elements that the ops get, as far as they are known before the chunks ahead are back. */
  private firsts(): number[][] {
    return this.run.segment.stages.map(({ ops }) =>
      ops.map(
        (op) =>
          (this.before.get(op.node) ?? 0) +
          (op.inLists || !this.run.segment.batch ? this.elementsRead : this.unitsRead),
      ),
    );
  }

  private openLine(): Line {
    const { segment, crew, tuner, recorder } = this.run;
    const shipped = this.run.shipped();
    const stages = segment.stages.map(({ ops }, k): LineStage => {
      const planned = ops.map(({ node, kind, inLists, name }, i) => {
        const { seed, onError } = (node.spec as { call: { seed: number; onError: "fail" } }).call;
        return { kind, inLists, name, seed, onError, shipment: shipped[k][i] };
      });
      return {
        order: { ops: planned, epoch: this.opening.epoch, timed: recorder.timed },
        width: tuner.widths[k],
      };
    });
    return crew.line(stages, this.nextChunk, 4, (chunk) => this.receive(chunk));
  }

  private receive(chunk: Chunk): void {
    if (this.closed) return;
    this.back++;
    const entry = this.entries.find(({ result, failure }) => result === null && failure === null);
    if (entry) entry.result = chunk;
    const { tuner, recorder, segment } = this.run;
    for (const report of chunk.reports) {
      tuner.worked(report.stage, entry?.units ?? 0, report.end - report.start, report.bytes);
      recorder.worked(segment, report, entry?.elements ?? 0);
    }
    this.pump();
    this.wake();
  }
}
