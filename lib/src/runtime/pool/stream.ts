/**
 * Streams: one worker thread each, which runs what it is given in order, while the calling thread goes on. A launch on a
 * stream waits for marks of other streams first; memory that it reads must not be given back before it is done. (Book,
 * chapter 3: dispatch of nodes to streams.)
 */
import { DeviceError } from "../../core/errors.js";
import { onInterrupted } from "../../core/turn.js";
import { deferReleases } from "../heap.js";
import { L } from "./layout.js";
import { divertLaunches, post, recordTimes, takeTrap, waitCompleted } from "./pool.js";

/** The end of a launch: others can wait for it. */
export interface Mark {
  readonly worker: number;
  readonly number: number;
}

const busy = new Set<Stream>();
onInterrupted(() => {
  for (const stream of busy) stream.synchronize();
});

export class Stream {
  /** Marks of everything launched since the last `synchronize`. */
  private launched = 0;
  private freed: (() => void)[] = [];

  constructor(
    /** Index of the worker thread. */
    readonly worker: number,
  ) {}

  /**
   * Runs `body`, whose kernels go to this stream behind `after`. Returns the marks of those kernels, in order; none if it
   * launched none.
   */
  launch(after: readonly Mark[], body: () => void): Mark[] {
    busy.add(this);
    const marks: Mark[] = [];
    const foreign = after.filter((mark) => mark.worker !== this.worker);
    if (foreign.length > L.MAX_DEPS)
      for (const mark of foreign.splice(0)) waitCompleted(mark.worker, mark.number);
    this.freed.push(
      deferReleases(() =>
        divertLaunches((kernel, args, items) => {
          const number = post(this.worker, kernel, args, 0, items, marks.length === 0 ? foreign : []);
          marks.push({ worker: this.worker, number });
          this.launched = number;
        }, body),
      ),
    );
    return marks;
  }

  /** Blocks until everything launched is done. @throws DeviceError if a kernel trapped. */
  synchronize(): void {
    if (this.launched !== 0) waitCompleted(this.worker, this.launched);
    this.launched = 0;
    busy.delete(this);
    for (const free of this.freed.splice(0)) free();
    if (takeTrap(this.worker)) throw new DeviceError(`stream ${this.worker}: a kernel trapped`);
  }
}

/** When a launch ran, in milliseconds of `performance.timeOrigin + performance.now()`; its end must have come. */
export function timesOf(mark: Mark): { start: number; end: number } {
  return recordTimes(mark.worker, mark.number);
}
