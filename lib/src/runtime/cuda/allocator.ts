/**
 * Caching allocator (缓存分配器) for device memory, after PyTorch's CUDACachingAllocator: segments are taken from the driver in
 * few sizes, cut into blocks, and kept when tensors die, since `cuMemAlloc` and `cuMemFree` wait for the device. A freed
 * block is reused on its own stream at once (order in the stream keeps that right); if other streams used it, only when
 * events recorded there have passed.
 */
import { DeviceError } from "../../core/errors.js";
import { type Driver, OUT_OF_MEMORY } from "./driver.js";
import { cudaError, DRIVER_CODES } from "./errors.js";
import { FreeBlocks } from "./free-blocks.js";
import { type CudaEvent, type CudaStream, EventPool } from "./stream.js";
import { Out } from "./table.js";

/** Sizes in bytes; the names are PyTorch's. */
export const MIN_BLOCK = 512;
export const SMALL_SIZE = 1 << 20;
export const SMALL_BUFFER = 2 << 20;
export const MIN_LARGE_ALLOC = 10 << 20;
export const LARGE_BUFFER = 20 << 20;
export const ROUND_LARGE = 2 << 20;

/** A piece of a segment. */
export interface Block {
  readonly address: number;
  /** Bytes; at least what was asked for. */
  size: number;
  /** Bytes that were asked for. */
  requested: number;
  readonly stream: CudaStream;
  readonly pool: Pool;
  allocated: boolean;
  /** Neighbours in the segment. */
  previous: Block | null;
  next: Block | null;
  /** Other streams that used it while it was allocated. */
  users: Set<CudaStream> | null;
  /** Events to pass before it is free. */
  pending: number;
}

/** Free blocks of small or of large requests: small ones do not cut up what large ones need. */
export interface Pool {
  readonly small: boolean;
  /** Private pools belong to a captured graph, whose addresses must stay its own. */
  readonly owner: MemoryPool | null;
  readonly free: FreeBlocks;
}

/** A pool of its own for everything that a captured graph allocates. */
export class MemoryPool {
  readonly small: Pool = { small: true, owner: this, free: new FreeBlocks() };
  readonly large: Pool = { small: false, owner: this, free: new FreeBlocks() };
}

/** Statistics in bytes and counts. */
export interface AllocatorStats {
  /** In blocks that are in use. */
  readonly allocatedBytes: number;
  readonly peakAllocatedBytes: number;
  /** Asked for, before rounding. */
  readonly requestedBytes: number;
  /** Taken from the driver. */
  readonly reservedBytes: number;
  readonly peakReservedBytes: number;
  /** In free blocks of segments that are partly in use: what fragmentation costs. */
  readonly inactiveSplitBytes: number;
  readonly allocations: number;
  readonly frees: number;
  readonly segments: number;
  readonly segmentAllocations: number;
  readonly segmentFrees: number;
  /** Times that the driver had no room and the cache was emptied. */
  readonly retries: number;
  readonly outOfMemory: number;
}

/** @example roundSize(1) // 512 */
export const roundSize = (bytes: number): number =>
  bytes < MIN_BLOCK ? MIN_BLOCK : MIN_BLOCK * Math.ceil(bytes / MIN_BLOCK);

/** Bytes of the segment that serves a request of (rounded) `size`. */
export function segmentSize(size: number): number {
  if (size <= SMALL_SIZE) return SMALL_BUFFER;
  if (size < MIN_LARGE_ALLOC) return LARGE_BUFFER;
  return ROUND_LARGE * Math.ceil(size / ROUND_LARGE);
}

export class CachingAllocator {
  private readonly small: Pool = { small: true, owner: null, free: new FreeBlocks() };
  private readonly large: Pool = { small: false, owner: null, free: new FreeBlocks() };
  private readonly blocks = new Map<number, Block>();
  private readonly events: EventPool;
  /** Events on other streams that still use freed blocks, oldest first per stream. */
  private readonly waiting = new Map<CudaStream, { event: CudaEvent; block: Block }[]>();
  private privatePool: MemoryPool | null = null;
  /** Pools whose graphs are gone. */
  private readonly retired = new Set<MemoryPool>();
  private readonly counts = {
    allocatedBytes: 0,
    peakAllocatedBytes: 0,
    requestedBytes: 0,
    reservedBytes: 0,
    peakReservedBytes: 0,
    allocations: 0,
    frees: 0,
    segments: 0,
    segmentAllocations: 0,
    segmentFrees: 0,
    retries: 0,
    outOfMemory: 0,
  };

  constructor(
    private readonly driver: Driver,
    /** Most bytes to take from the driver. Default: as many as it gives. */
    private readonly limit = Number.POSITIVE_INFINITY,
  ) {
    this.events = new EventPool(driver);
  }

  /**
   * Memory for work that is enqueued on `stream` from now on. Contents are undefined.
   * @throws DeviceError that says what is used and free if the device has no room.
   */
  allocate(bytes: number, stream: CudaStream): Block {
    this.processEvents();
    const size = roundSize(bytes);
    const pool = this.poolFor(size);
    const block = pool.free.take(size, stream) ?? this.newSegment(size, pool, stream, bytes);
    this.split(block, size);
    block.allocated = true;
    block.requested = bytes;
    const { counts } = this;
    counts.allocations++;
    counts.allocatedBytes += block.size;
    counts.requestedBytes += bytes;
    counts.peakAllocatedBytes = Math.max(counts.peakAllocatedBytes, counts.allocatedBytes);
    return block;
  }

  /** The block is also used by work on this stream; to be said before it is freed. */
  recordStream(block: Block, stream: CudaStream): void {
    if (stream === block.stream) return;
    block.users ??= new Set();
    block.users.add(stream);
  }

  /** Gives a block back; work that is enqueued already may still use it. @throws DeviceError if it was given back before. */
  free(block: Block): void {
    if (!block.allocated) throw new DeviceError(`device memory at ${hex(block.address)} is freed twice`);
    block.allocated = false;
    const { counts } = this;
    counts.frees++;
    counts.allocatedBytes -= block.size;
    counts.requestedBytes -= block.requested;
    if (!block.users) {
      this.merge(block);
      return;
    }
    for (const stream of block.users) {
      const event = this.events.take().record(stream);
      const list = this.waiting.get(stream) ?? [];
      this.waiting.set(stream, list);
      list.push({ event, block });
      block.pending++;
    }
    block.users = null;
  }

  /** Runs `body`; what it allocates comes from a pool of its own and is reused by nobody else. For captures. null: from the common pools. */
  withPool<T>(pool: MemoryPool | null, body: () => T): T {
    const before = this.privatePool;
    this.privatePool = pool;
    try {
      return body();
    } finally {
      this.privatePool = before;
    }
  }

  /** The graph of this pool is gone: what of its memory is free goes back to the driver, the rest at a later `emptyCache`. */
  releasePool(pool: MemoryPool): void {
    this.retired.add(pool);
    this.emptyCache();
  }

  /** Gives every segment that is wholly free back to the driver. Waits for the device. */
  emptyCache(): void {
    this.driver.cuCtxSynchronize();
    this.processEvents();
    const pools = [this.small, this.large, ...[...this.retired].flatMap((pool) => [pool.small, pool.large])];
    for (const pool of pools) this.releaseSegments(pool);
  }

  stats(): AllocatorStats {
    let inactiveSplitBytes = 0;
    for (const block of this.blocks.values())
      if (!block.allocated && (block.previous || block.next)) inactiveSplitBytes += block.size;
    return { ...this.counts, inactiveSplitBytes };
  }

  /** Starts new measurements of both peaks. */
  resetPeak(): void {
    this.counts.peakAllocatedBytes = this.counts.allocatedBytes;
    this.counts.peakReservedBytes = this.counts.reservedBytes;
  }

  /** Every block in order of address, for pictures of the memory. */
  snapshot(): readonly Readonly<Pick<Block, "address" | "size" | "requested" | "allocated">>[] {
    return [...this.blocks.values()].sort((a, b) => a.address - b.address);
  }

  /** Gives everything back, also what is in use. The device must be idle. */
  [Symbol.dispose](): void {
    for (const block of this.blocks.values())
      if (block.previous === null) this.driver.cuMemFree_v2(block.address);
    this.blocks.clear();
    for (const list of this.waiting.values()) for (const { event } of list) this.events.give(event);
    this.waiting.clear();
    this.events[Symbol.dispose]();
  }

  private poolFor(size: number): Pool {
    const { privatePool } = this;
    if (privatePool) return size <= SMALL_SIZE ? privatePool.small : privatePool.large;
    return size <= SMALL_SIZE ? this.small : this.large;
  }

  private newSegment(size: number, pool: Pool, stream: CudaStream, bytes: number): Block {
    const want = segmentSize(size);
    let address = this.fromDriver(want);
    if (address === null) {
      this.counts.retries++;
      this.emptyCache();
      address = this.fromDriver(want);
    }
    if (address === null) throw this.outOfMemory(bytes);
    const block: Block = {
      address,
      size: want,
      requested: 0,
      stream,
      pool,
      allocated: false,
      previous: null,
      next: null,
      users: null,
      pending: 0,
    };
    this.blocks.set(address, block);
    const { counts } = this;
    counts.segments++;
    counts.segmentAllocations++;
    counts.reservedBytes += want;
    counts.peakReservedBytes = Math.max(counts.peakReservedBytes, counts.reservedBytes);
    return block;
  }

  /** An address, or null if there is no room. */
  private fromDriver(bytes: number): number | null {
    if (this.counts.reservedBytes + bytes > this.limit) return null;
    const out = new Out();
    const code = this.driver.raw.cuMemAlloc_v2(out.at, bytes);
    if (code === OUT_OF_MEMORY) return null;
    if (code !== 0) throw cudaError("cuMemAlloc_v2", code, DRIVER_CODES);
    return out.word();
  }

  private outOfMemory(bytes: number): DeviceError {
    this.counts.outOfMemory++;
    const [free, total] = [new Out(), new Out()];
    this.driver.cuMemGetInfo_v2(free.at, total.at);
    const { allocatedBytes, reservedBytes } = this.counts;
    return new DeviceError(
      `cuda: out of memory: ${mib(bytes)} wanted; of ${mib(total.word())} the driver has ${mib(free.word())} free; this process has ${mib(reservedBytes)}, of it ${mib(allocatedBytes)} in tensors and ${mib(reservedBytes - allocatedBytes)} cached in pieces that do not fit`,
    );
  }

  /** Cuts the end off a block if the rest is worth keeping: PyTorch's rule. */
  private split(block: Block, size: number): void {
    const rest = block.size - size;
    if (!(block.pool.small ? rest >= MIN_BLOCK : rest > SMALL_SIZE)) return;
    const remaining: Block = {
      address: block.address + size,
      size: rest,
      requested: 0,
      stream: block.stream,
      pool: block.pool,
      allocated: false,
      previous: block,
      next: block.next,
      users: null,
      pending: 0,
    };
    if (block.next) block.next.previous = remaining;
    block.next = remaining;
    block.size = size;
    this.blocks.set(remaining.address, remaining);
    block.pool.free.add(remaining);
  }

  /** Joins a block with its free neighbours and puts it among the free ones. */
  private merge(block: Block): void {
    const usable = (b: Block | null): b is Block => b !== null && !b.allocated && b.pending === 0;
    let whole = block;
    const { previous, next } = block;
    if (usable(next)) {
      whole.pool.free.remove(next);
      this.blocks.delete(next.address);
      whole.size += next.size;
      whole.next = next.next;
      if (next.next) next.next.previous = whole;
    }
    if (usable(previous)) {
      previous.pool.free.remove(previous);
      this.blocks.delete(whole.address);
      previous.size += whole.size;
      previous.next = whole.next;
      if (whole.next) whole.next.previous = previous;
      whole = previous;
    }
    whole.pool.free.add(whole);
  }

  /** Frees blocks whose last event has passed. */
  private processEvents(): void {
    for (const [stream, list] of this.waiting) {
      while (list.length > 0 && list[0].event.passed) {
        const { event, block } = list.shift() as (typeof list)[number];
        this.events.give(event);
        if (--block.pending === 0) this.merge(block);
      }
      if (list.length === 0) this.waiting.delete(stream);
    }
  }

  private releaseSegments(pool: Pool): void {
    for (const block of pool.free.all()) {
      if (block.previous || block.next) continue;
      this.driver.cuMemFree_v2(block.address);
      pool.free.remove(block);
      this.blocks.delete(block.address);
      this.counts.reservedBytes -= block.size;
      this.counts.segments--;
      this.counts.segmentFrees++;
    }
  }
}

const mib = (bytes: number): string => `${(bytes / 2 ** 20).toFixed(1)} MiB`;
const hex = (address: number): string => `0x${address.toString(16)}`;
