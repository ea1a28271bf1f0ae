import { describe, expect, it } from "vitest";
import { BufferPool } from "./buffers.js";

describe("buffers of a GPU", () => {
  const made: [number, number][] = [];
  const gone: number[] = [];
  const pool = new BufferPool(
    (id, bytes) => made.push([id, bytes]),
    (id) => gone.push(id),
    4096,
  );

  it("serve the next of their size, and are counted", () => {
    const a = pool.allocate(1000);
    pool.release(a, 1000);
    expect(pool.allocate(1020)).toBe(a); // both 1024
    expect(pool.allocate(1)).not.toBe(a);
    expect(made).toEqual([[1, 1024], [2, 256]]); // biome-ignore format: two rows
    expect(pool.stats()).toMatchObject({
      liveBytes: 1280,
      peakBytes: 1280,
      liveBuffers: 2,
      freeBytes: 0,
      made: 2,
      reused: 1,
    });
  });

  it("are destroyed, the largest first, when too many bytes wait", () => {
    const large = pool.allocate(4096);
    const small = pool.allocate(512);
    pool.release(small, 512);
    expect(gone).toEqual([]);
    pool.release(large, 4096);
    expect(gone).toEqual([large]);
    expect(pool.stats().freeBytes).toBe(512);
    pool.trim();
    expect(gone).toEqual([large, small]);
    expect(pool.stats().freeBytes).toBe(0);
  });

  it("have room for whole vectors", () => {
    for (const bytes of [0, 1, 3, 255, 257, 1025, 99_999]) expect(BufferPool.sizeOf(bytes) % 16).toBe(0);
  });
});
