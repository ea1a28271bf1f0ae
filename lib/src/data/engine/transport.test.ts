/** Tensors on their way between threads. */
import { afterEach, describe, expect, it } from "vitest";
import {
  collect,
  Dataset,
  heapStats,
  noThreads,
  Tensor,
  tensor,
  tidy,
} from "../../../test/support/built-library.js";

afterEach(noThreads);

describe("tensors of pipelines", () => {
  it("cross threads without copies, and give their memory back", async () => {
    const before = heapStats().liveBytes;
    const set = Dataset.range(64)
      .map((i) => new Float32Array(1024).fill(i))
      .batch(4)
      .collate()
      .map((x) => x.mul(2), { name: "twice", parallel: 1 })
      .map((x) => ({ x, again: x, row: x.at(0) }), { name: "views", parallel: 1 });
    let seen = 0;
    const walk = set.pipeline({ workers: 1 })[Symbol.asyncIterator]();
    for await (const { x, again, row } of walk) {
      expect(x).toBeInstanceOf(Tensor);
      const storages = [x, again, row].map((t) => (t as unknown as { storage: object }).storage);
      expect(new Set(storages).size).toBe(1); // views stay views
      const values = tidy(() => [x.at(3).at(5).item(), row.at(1023).item()]);
      expect(values).toEqual([2 * (4 * seen + 3), 8 * seen]);
      for (const t of [x, again, row]) t.dispose();
      seen++;
    }
    expect(seen).toBe(16);
    expect(heapStats().liveBytes - before).toBeLessThan(16 * 1024);
  });

  it("reuse blocks: memory doesn't grow with the number of batches", async () => {
    const walk = async (count: number): Promise<number> => {
      for await (const x of Dataset.range(count)
        .map((i) => new Float32Array(50_000).fill(i))
        .batch(2)
        .collate()
        .pipeline({ workers: 2, buffer: 4 }))
        x.dispose();
      return heapStats().committedBytes;
    };
    const small = await walk(40);
    const large = await walk(600); // 120 MB of tensors
    expect(large - small).toBeLessThan(64e6);
    for (let epoch = 0; epoch < 3; epoch++) await walk(60);
    expect(heapStats().committedBytes - large).toBeLessThanOrEqual(2 ** 25); // what threads had of the heap is used again
  });

  it("that the source has go to threads and come back as they are", async () => {
    const table = tensor([
      [1, 2],
      [3, 4],
      [5, 6],
    ]);
    const set = Dataset.range(3).map((i) => ({ i, row: table.at(i) }), { parallel: 0 });
    const found = await collect(
      set.map(({ i, row }) => ({ i, row, sum: row.sum() })).pipeline({ workers: 2 }),
    );
    expect(found.map(({ row, sum }) => [row.toArray(), sum.item()])).toEqual([
      [[1, 2], 3],
      [[3, 4], 7],
      [[5, 6], 11],
    ]);
    for (const { row, sum } of found) {
      expect((row as unknown as { storage: object }).storage).toBe(
        (table as unknown as { storage: object }).storage,
      );
      row.dispose();
      sum.dispose();
    }
    expect(table.toArray()).toEqual([
      [1, 2],
      [3, 4],
      [5, 6],
    ]);
  });

  it("outlive the threads that made them", async () => {
    const kept: Tensor[] = [];
    for await (const x of Dataset.range(10).batch(2).collate().pipeline({ workers: 2 })) kept.push(x);
    const filler = Array.from({ length: 50 }, (_, i) => tensor(new Float32Array(10).fill(100 + i)));
    expect(kept.map((x) => x.toArray())).toEqual([
      [0, 1],
      [2, 3],
      [4, 5],
      [6, 7],
      [8, 9],
    ]);
    for (const x of [...kept, ...filler]) x.dispose();
  });
});
