/**
 * Requests under way: MPI's handles of them side by side in memory, so that one call asks about all. MPI moves bytes only
 * inside of its calls, hence whoever waits has to ask; how often is weighed against the core that asking takes.
 */
import { type Mpi, outBytes } from "./library.js";

interface Pending {
  readonly done: () => void;
  readonly failed: (error: Error) => void;
  /** What MPI reads or writes until then: not to be collected. */
  readonly kept: readonly unknown[];
  /** Looks at the request's status. @throws what is wrong with it */
  readonly check?: (status: Uint8Array, code: number) => void;
}

export interface RequestOptions {
  readonly kept?: readonly unknown[];
  readonly check?: Pending["check"];
}

/** Calls without news after which the thread should sleep between two of them, and for how long: it grows up to a limit. */
const SPINS = 64;
const FIRST_NAP_MS = 0.02;
const LAST_NAP_MS = 0.5;

export class Requests {
  private readonly pending: Pending[] = [];
  private handles: Int32Array | BigInt64Array;
  private indices: Int32Array;
  private statuses: Uint8Array;
  private readonly count = new Int32Array(outBytes(4));
  private idle = 0;

  constructor(
    private readonly mpi: Mpi,
    private room = 64,
  ) {
    [this.handles, this.indices, this.statuses] = this.tables();
  }

  /** Number of requests that are not finished. */
  get size(): number {
    return this.pending.length;
  }

  /** Most milliseconds until the next `poll`: none as long as there is news, then more and more. */
  get patience(): number {
    if (this.pending.length === 0) return Number.POSITIVE_INFINITY;
    if (this.idle < SPINS) return 0;
    return Math.min(LAST_NAP_MS, FIRST_NAP_MS * 2 ** Math.min(10, (this.idle - SPINS) / 16));
  }

  /**
   * Starts a request and resolves when it is done.
   * @param start calls MPI with the place for the handle
   */
  add(start: (handle: ArrayBufferView) => void, { kept = [], check }: RequestOptions = {}): Promise<void> {
    if (this.pending.length === this.room) this.grow();
    const at = this.pending.length;
    start(this.handles.subarray(at, at + 1)); // throws: nothing was started
    this.idle = 0;
    return new Promise((done, failed) => {
      this.pending.push({ done, failed, kept, check });
    });
  }

  /** Lets MPI work. @returns true if a request was finished */
  poll(): boolean {
    if (this.pending.length === 0) return false;
    const { mpi, count, indices, statuses } = this;
    const code = mpi.raw.MPI_Testsome(
      ...([this.pending.length, this.handles, count, indices, statuses] as never[]),
    );
    if (code !== 0 && code !== mpi.abi.errInStatus) {
      this.failAll(mpi.error("MPI_Testsome", code));
      return true;
    }
    if (count[0] <= 0) {
      this.idle++;
      return false;
    }
    this.idle = 0;
    this.finish(count[0], code !== 0);
    return true;
  }

  /** Gives up what is under way: nobody will hear of it any more. */
  cancel(): void {
    for (let i = 0; i < this.pending.length; i++) {
      const handle = this.handles.subarray(i, i + 1);
      this.mpi.raw.MPI_Cancel(...([handle] as never[])); // what can't be canceled is freed all the same
      this.mpi.raw.MPI_Request_free(...([handle] as never[]));
    }
    this.pending.length = 0;
  }

  /** All that is under way fails: the library can't say more. */
  failAll(error: Error): void {
    for (const { failed } of this.pending.splice(0)) failed(error);
  }

  private finish(finished: number, checked: boolean): void {
    const { statusBytes, statusErrorWord } = this.mpi.abi;
    const over: Pending[] = [];
    for (let i = 0; i < finished; i++) {
      const pending = this.pending[this.indices[i]];
      over.push(pending);
      const status = this.statuses.subarray(i * statusBytes, (i + 1) * statusBytes);
      // MPI_ERROR is only set when the call says so
      const code = checked
        ? new DataView(status.buffer, status.byteOffset).getInt32(4 * statusErrorWord, true)
        : 0;
      this.settle(pending, status, code);
    }
    const gone = new Set(over);
    let to = 0;
    for (let from = 0; from < this.pending.length; from++) {
      if (gone.has(this.pending[from])) continue;
      this.pending[to] = this.pending[from];
      this.handles[to++] = this.handles[from];
    }
    this.pending.length = to;
  }

  private settle({ done, failed, check }: Pending, status: Uint8Array, code: number): void {
    try {
      check?.(status, code);
      if (code !== 0) throw this.mpi.error("MPI_Testsome", code);
      done();
    } catch (error) {
      failed(error as Error);
    }
  }

  private tables(): [Int32Array | BigInt64Array, Int32Array, Uint8Array] {
    const { handleBytes, statusBytes } = this.mpi.abi;
    const memory = outBytes(this.room * handleBytes);
    return [
      handleBytes === 4 ? new Int32Array(memory) : new BigInt64Array(memory),
      new Int32Array(outBytes(4 * this.room)),
      new Uint8Array(outBytes(statusBytes * this.room)),
    ];
  }

  private grow(): void {
    const old = this.handles;
    this.room *= 2;
    [this.handles, this.indices, this.statuses] = this.tables();
    for (let i = 0; i < old.length; i++) this.handles[i] = old[i];
  }
}
