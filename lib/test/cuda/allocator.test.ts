/** The caching allocator on the fake driver. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  type Block,
  CachingAllocator,
  LARGE_BUFFER,
  MemoryPool,
  roundSize,
  SMALL_BUFFER,
  segmentSize,
} from "../../src/runtime/cuda/allocator.js";
import { CudaEvent, CudaStream } from "../../src/runtime/cuda/stream.js";
import { EmulatedCuda } from "../support/cuda/device.js";
import { emulatorMissing } from "../support/cuda/emulator.js";

const MIB = 2 ** 20;
const small = { emulate: false, totalBytes: 64 * MIB };

describe.skipIf(emulatorMissing)("the caching allocator", () => {
  it("rounds as PyTorch does", () => {
    expect([0, 1, 512, 513, 5000].map(roundSize)).toEqual([512, 512, 512, 1024, 5120]);
    expect([512, MIB, MIB + 512, 9 * MIB, 10 * MIB, 11 * MIB + 1].map(segmentSize)).toEqual([
      SMALL_BUFFER,
      SMALL_BUFFER,
      LARGE_BUFFER,
      LARGE_BUFFER,
      10 * MIB,
      12 * MIB,
    ]);
  });

  it("cuts segments, reuses blocks at once on their stream, and joins them again", () => {
    using cuda = new EmulatedCuda(small);
    const { memory, stream } = cuda.context;
    const blocks = [1000, 2000, 3000].map((bytes) => memory.allocate(bytes, stream));
    expect(memory.stats()).toMatchObject({
      allocatedBytes: 1024 + 2048 + 3072,
      requestedBytes: 6000,
      reservedBytes: SMALL_BUFFER,
      segments: 1,
      inactiveSplitBytes: SMALL_BUFFER - 6144,
    });
    memory.free(blocks[1]);
    expect(memory.allocate(1500, stream).address).toBe(blocks[1].address); // the best fit
    memory.free(blocks[0]);
    memory.free(memory.allocate(10, stream));
    expect(() => memory.free(blocks[0])).toThrow(/device memory at 0x[0-9a-f]+ is freed twice/);
    expect(cuda.fake.calls.filter((name) => name === "cuMemAlloc_v2").length).toBe(1);
  });

  it("waits with blocks that other streams used until their events have passed", () => {
    using cuda = new EmulatedCuda({ ...small, seed: 3 });
    const { memory, stream } = cuda.context;
    using other = new CudaStream(cuda.driver);
    const block = memory.allocate(5000, stream);
    cuda.driver.cuMemsetD8Async(block.address, 1, 100, other.handle);
    memory.recordStream(block, other);
    memory.free(block);
    // Written on its own stream now, the memory would be in a race: the fake driver throws on that.
    for (let i = 0; i < 50; i++) {
      const next = memory.allocate(5000, stream);
      cuda.driver.cuMemsetD8Async(next.address, 2, 100, stream.handle);
      memory.free(next);
    }
    other.synchronize();
    expect(memory.allocate(5000, stream).address).toBe(block.address);
  });

  it("empties its cache and tries again, then says what there is", () => {
    using cuda = new EmulatedCuda(small);
    const { memory, stream } = cuda.context;
    const blocks = [12, 14, 16].map((n) => memory.allocate(n * MIB, stream));
    for (const block of blocks) memory.free(block);
    expect(memory.stats().reservedBytes).toBe(42 * MIB);
    const large = memory.allocate(60 * MIB, stream);
    expect(memory.stats()).toMatchObject({ retries: 1, reservedBytes: 60 * MIB, segmentFrees: 3 });
    expect(() => memory.allocate(8 * MIB, stream)).toThrow(
      /cuda: out of memory: 8.0 MiB wanted; of 64.0 MiB the driver has 4.0 MiB free; this process has 60.0 MiB, of it 60.0 MiB in tensors/,
    );
    expect(memory.stats()).toMatchObject({ outOfMemory: 1, retries: 2 });
    memory.free(large);
    memory.emptyCache();
    expect(memory.stats()).toMatchObject({ reservedBytes: 0, segments: 0, allocatedBytes: 0 });
    const limited = new CachingAllocator(cuda.driver, 4 * MIB);
    expect(() => limited.allocate(5 * MIB, stream)).toThrow(/out of memory/);
  });

  it("keeps the memory of captured graphs apart", () => {
    using cuda = new EmulatedCuda(small);
    const { memory, stream } = cuda.context;
    const pool = new MemoryPool();
    const inside = memory.withPool(pool, () => memory.allocate(5000, stream));
    memory.free(inside);
    expect(memory.allocate(5000, stream).address).not.toBe(inside.address);
    expect(memory.withPool(pool, () => memory.allocate(5000, stream)).address).toBe(inside.address);
    memory.emptyCache();
    expect(memory.stats().segments).toBe(2);
    memory.free(inside);
    memory.releasePool(pool);
    expect(memory.stats().segments).toBe(1);
  });

  it("never gives out overlapping memory, loses none, and writes no two at once", () => {
    const step = fc.record({
      free: fc.boolean(),
      pick: fc.nat(1000),
      size: fc.oneof(fc.integer({ min: 1, max: 4000 }), fc.integer({ min: MIB, max: 4 * MIB })),
      stream: fc.nat(2),
      other: fc.nat(3),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 80 }), fc.nat(1e6), (steps, seed) => {
        using cuda = new EmulatedCuda({ emulate: false, totalBytes: 512 * MIB, seed });
        const { memory } = cuda.context;
        const streams = [0, 1, 2].map(() => new CudaStream(cuda.driver));
        const held: Block[] = [];
        for (const { free, pick, size, stream, other } of steps) {
          if (free && held.length > 0) {
            const [block] = held.splice(pick % held.length, 1);
            if (other < 3) {
              // Another stream uses it, behind all that its own stream has done so far.
              const event = new CudaEvent(cuda.driver).record(block.stream);
              streams[other].wait(event);
              cuda.driver.cuMemsetD8Async(block.address, 2, block.requested, streams[other].handle);
              memory.recordStream(block, streams[other]);
            }
            memory.free(block);
          } else {
            const block = memory.allocate(size, streams[stream]);
            cuda.driver.cuMemsetD8Async(block.address, 1, size, streams[stream].handle);
            held.push(block);
          }
          const all = memory.snapshot();
          for (let i = 1; i < all.length; i++)
            expect(all[i - 1].address + all[i - 1].size).toBeLessThanOrEqual(all[i].address);
          const { allocatedBytes, reservedBytes } = memory.stats();
          expect(all.reduce((sum, b) => sum + b.size, 0)).toBe(reservedBytes);
          expect(all.reduce((sum, b) => sum + (b.allocated ? b.size : 0), 0)).toBe(allocatedBytes);
        }
        for (const block of held) memory.free(block);
        memory.emptyCache();
        expect(memory.stats()).toMatchObject({ reservedBytes: 0, allocatedBytes: 0 });
      }),
      { numRuns: 30 },
    );
  });
});
