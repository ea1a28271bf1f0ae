/**
 * Streams of the fake driver. Work is queued and runs only when somebody waits for it (or by chance before), so that a
 * missing wait shows. What may run at the same time follows from vector clocks: two accesses to the same memory from two
 * streams, one of them a write, without an event between them, are an error.
 */
import type { Allocation } from "./fake-memory.js";

export interface Range {
  readonly allocation: Allocation;
  readonly start: number;
  readonly end: number;
  readonly write: boolean;
}

export interface Work {
  readonly kind: string;
  /** What must be equal for an instantiated graph to be updated. */
  readonly shape: string;
  readonly ranges: readonly Range[];
  run(): void;
}

type Clock = Map<number, number>;

interface Capture {
  readonly id: number;
  readonly origin: FakeStream;
  readonly nodes: Work[];
  readonly streams: Set<FakeStream>;
  invalid: boolean;
}

export interface FakeStream {
  readonly id: number;
  alive: boolean;
  queue: (Work | { readonly waitFor: FakeEventState })[];
  /** Entries of the queue that have run, and all that were ever put there. */
  ran: number;
  total: number;
  clock: Clock;
  capture: Capture | null;
}

interface FakeEventState {
  readonly stream: FakeStream;
  /** Entries of the stream that come before. */
  readonly total: number;
  readonly clock: Clock;
  readonly capture: Capture | null;
}

export interface FakeEvent {
  readonly id: number;
  readonly timing: boolean;
  alive: boolean;
  state: FakeEventState | null;
  /** Time at which it passed, in ms of a clock that counts work. */
  passedAt: number;
}

export class FakeStreams {
  readonly streams = new Map<number, FakeStream>();
  readonly events = new Map<number, FakeEvent>();
  private readonly host: Clock = new Map();
  private captures = 0;
  /** Work done, as a clock. */
  private workDone = 0;

  constructor(
    /** 0 ≤ x < 1: by chance work runs before anybody waits. */
    private readonly random: () => number,
  ) {}

  create(id: number): FakeStream {
    const stream: FakeStream = {
      id,
      alive: true,
      queue: [],
      ran: 0,
      total: 0,
      clock: new Map(),
      capture: null,
    };
    this.streams.set(id, stream);
    return stream;
  }

  /** Puts work into a stream, or into the graph that it is captured for. @throws Error on a race. */
  enqueue(stream: FakeStream, work: Work): void {
    if (stream.capture) {
      stream.capture.nodes.push(work);
      this.tick(stream);
      return;
    }
    join(stream.clock, this.host);
    const time = this.tick(stream);
    for (const range of work.ranges) this.access(stream, time, range, work.kind);
    stream.queue.push(work);
    stream.total++;
    if (this.random() < 0.3) this.advance(stream, stream.ran + Math.ceil(this.random() * 3));
  }

  record(event: FakeEvent, stream: FakeStream): void {
    if (!stream.capture) join(stream.clock, this.host);
    const timed = event.timing && !stream.capture;
    if (timed) {
      stream.queue.push({
        kind: "time",
        shape: "time",
        ranges: [],
        run: () => {
          if (event.state === state) event.passedAt = this.workDone;
        },
      });
      stream.total++;
    }
    const state: FakeEventState = {
      stream,
      total: stream.total,
      clock: new Map(stream.clock),
      capture: stream.capture,
    };
    event.state = state;
    event.passedAt = Number.NaN;
  }

  /** @returns a driver's code */
  wait(stream: FakeStream, event: FakeEvent): number {
    const { state } = event;
    if (!state) return 0; // never recorded: nothing to wait for
    if (state.capture) {
      if (stream.capture && stream.capture !== state.capture) return 902;
      stream.capture = state.capture; // a fork: the stream takes part in the capture
      state.capture.streams.add(stream);
      join(stream.clock, state.clock);
      return 0;
    }
    if (stream.capture) return 905;
    join(stream.clock, state.clock);
    stream.queue.push({ waitFor: state });
    stream.total++;
    return 0;
  }

  passed(event: FakeEvent): boolean {
    const { state } = event;
    if (!state) return true;
    if (state.stream.ran < state.total && this.random() < 0.5)
      this.advance(state.stream, state.stream.ran + 1);
    const done = state.stream.ran >= state.total;
    if (done) join(this.host, state.clock);
    return done;
  }

  synchronizeEvent({ state }: FakeEvent): void {
    if (!state) return;
    this.advance(state.stream, state.total);
    join(this.host, state.clock);
  }

  synchronize(stream: FakeStream): void {
    this.advance(stream, stream.total);
    join(this.host, stream.clock);
  }

  synchronizeAll(): void {
    for (const stream of this.streams.values()) this.synchronize(stream);
  }

  get capturing(): boolean {
    return [...this.streams.values()].some((stream) => stream.capture);
  }

  begin(stream: FakeStream): void {
    stream.capture = {
      id: ++this.captures,
      origin: stream,
      nodes: [],
      streams: new Set([stream]),
      invalid: false,
    };
  }

  /** @returns the nodes, or a driver's code */
  end(stream: FakeStream): readonly Work[] | number {
    const { capture } = stream;
    if (!capture) return 401;
    if (capture.origin !== stream) return 903;
    const unjoined = [...capture.streams].some(
      (other) => (stream.clock.get(other.id) ?? 0) < (other.clock.get(other.id) ?? 0),
    );
    for (const other of capture.streams) other.capture = null;
    if (capture.invalid) return 901;
    return unjoined ? 904 : capture.nodes;
  }

  private tick(stream: FakeStream): number {
    const time = (stream.clock.get(stream.id) ?? 0) + 1;
    stream.clock.set(stream.id, time);
    return time;
  }

  /** Runs a stream's work up to entry `until`, and what it waits for. */
  private advance(stream: FakeStream, until: number): void {
    while (stream.ran < until && stream.queue.length > 0) {
      const next = stream.queue.shift() as FakeStream["queue"][number];
      if ("waitFor" in next) this.advance(next.waitFor.stream, next.waitFor.total);
      else {
        next.run();
        this.workDone++;
      }
      stream.ran++;
    }
  }

  private access(stream: FakeStream, time: number, range: Range, what: string): void {
    const { allocation, start, end, write } = range;
    const overlapping = (a: { start: number; end: number }) => a.start < end && start < a.end;
    for (const before of allocation.accesses) {
      if (before.stream === stream.id || !overlapping(before) || !(before.write || write)) continue;
      if ((stream.clock.get(before.stream) ?? 0) < before.time)
        throw new Error(
          `race: ${what} on stream ${stream.id} and ${before.what} on stream ${before.stream} use 0x${start.toString(16)} with no event between them`,
        );
    }
    if (write) allocation.accesses = allocation.accesses.filter((a) => !(a.start >= start && a.end <= end));
    allocation.accesses.push({ start, end, stream: stream.id, time, write, what });
  }
}

/** The later of both, for each stream. */
function join(into: Clock, other: Clock): void {
  for (const [id, time] of other) if ((into.get(id) ?? 0) < time) into.set(id, time);
}
