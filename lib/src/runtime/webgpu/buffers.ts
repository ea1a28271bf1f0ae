/**
 * Buffers of the GPU by size class: making one costs more than most kernels take, so those that were given back are kept
 * for the next that fits. Commands take effect in order, so a buffer may go on to another owner at once.
 */
import { sizeClass } from "../heap.js";

const LEAST_BYTES = 256;

/** Byte counts of a device's buffers. */
export interface BufferStats {
  /** In buffers that have an owner. */
  readonly liveBytes: number;
  /** The most that was so at once. */
  readonly peakBytes: number;
  readonly liveBuffers: number;
  /** In buffers that wait for reuse. */
  readonly freeBytes: number;
  /** Buffers made so far, and requests that a kept one served. */
  readonly made: number;
  readonly reused: number;
}

export class BufferPool {
  private readonly free = new Map<number, number[]>();
  private nextId = 1;
  private liveBytes = 0;
  private peakBytes = 0;
  private liveBuffers = 0;
  private freeBytes = 0;
  private made = 0;
  private reused = 0;

  constructor(
    private readonly make: (id: number, bytes: number) => void,
    private readonly destroy: (id: number) => void,
    /** Bytes that may wait for reuse. */
    private readonly keep: number,
  ) {}

  /** Bytes that a request of so many gets: a multiple of 4, as copies want. */
  static sizeOf(bytes: number): number {
    return Math.max(LEAST_BYTES, sizeClass(bytes));
  }

  /** @returns the buffer's number */
  allocate(bytes: number): number {
    const size = BufferPool.sizeOf(bytes);
    this.liveBytes += size;
    this.liveBuffers++;
    this.peakBytes = Math.max(this.peakBytes, this.liveBytes);
    const kept = this.free.get(size)?.pop();
    if (kept !== undefined) {
      this.freeBytes -= size;
      this.reused++;
      return kept;
    }
    this.made++;
    const id = this.nextId++;
    this.make(id, size);
    return id;
  }

  release(id: number, bytes: number): void {
    const size = BufferPool.sizeOf(bytes);
    this.liveBytes -= size;
    this.liveBuffers--;
    const list = this.free.get(size);
    if (list) list.push(id);
    else this.free.set(size, [id]);
    this.freeBytes += size;
    if (this.freeBytes > this.keep) this.trim(this.keep / 2);
  }

  /** Gives back kept buffers, the largest first, until `bytes` of them are left. */
  trim(bytes = 0): void {
    for (const size of [...this.free.keys()].sort((a, b) => b - a)) {
      const list = this.free.get(size) as number[];
      while (this.freeBytes > bytes && list.length > 0) {
        this.destroy(list.pop() as number);
        this.freeBytes -= size;
      }
    }
  }

  stats(): BufferStats {
    const { liveBytes, peakBytes, liveBuffers, freeBytes, made, reused } = this;
    return { liveBytes, peakBytes, liveBuffers, freeBytes, made, reused };
  }
}
