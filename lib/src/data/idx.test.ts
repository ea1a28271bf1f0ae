import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import fc from "fast-check";
import { afterAll, describe, expect, it } from "vitest";
import { data } from "../index.js";

const { encodeIdx, mnistFiles, parseIdx, readIdx } = data;

const folder = mkdtempSync(join(tmpdir(), "mlsys-idx-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe("IDX files that are written", () => {
  const ARRAYS = {
    uint8: Uint8Array,
    int8: Int8Array,
    int16: Int16Array,
    int32: Int32Array,
    float32: Float32Array,
    float64: Float64Array,
  };

  it("are read as what they were, packed or not", async () => {
    const path = join(folder, "a.idx");
    const array = fc
      .tuple(
        fc.constantFrom(...(Object.keys(ARRAYS) as (keyof typeof ARRAYS)[])),
        fc.array(fc.integer({ min: 0, max: 3 }), { maxLength: 4 }),
        fc.uint8Array({ minLength: 8 * 81, maxLength: 8 * 81 }),
      )
      .map(([dtype, shape, bytes]) => {
        const size = shape.reduce((a, b) => a * b, 1);
        return { dtype, shape, data: new ARRAYS[dtype](bytes.slice().buffer, 0, size) };
      });
    await fc.assert(
      fc.asyncProperty(array, fc.boolean(), async (wanted, packed) => {
        const bytes = encodeIdx(wanted);
        writeFileSync(path, packed ? gzipSync(bytes) : bytes);
        for (const found of [await readIdx(path), parseIdx(bytes)]) {
          expect([found.dtype, found.shape]).toEqual([wanted.dtype, wanted.shape]);
          expect(Array.from(found.data)).toEqual(Array.from(wanted.data));
        }
      }),
      { numRuns: 50 },
    );
  });

  it("are the genuine ones of MNIST, byte for byte", () => {
    const bytes = readFileSync(mnistFiles("test").imagesFile);
    expect(Buffer.from(encodeIdx(parseIdx(bytes))).equals(bytes)).toBe(true);
  });

  it("name what is wrong", async () => {
    const one = { dtype: "int64", shape: [1], data: new Int32Array(1) } as const;
    expect(() => encodeIdx(one)).toThrow(/IDX has uint8, .*; got int64/);
    expect(() => encodeIdx({ ...one, dtype: "int32", shape: [2] })).toThrow(/1 elements for the shape \(2\)/);
    expect(() => encodeIdx({ ...one, dtype: "int32", shape: [0.5, 2] })).toThrow(/doesn't fit the header/);
    const path = join(folder, "b.idx.gz");
    writeFileSync(path, gzipSync(Buffer.alloc(1000)).subarray(0, 20));
    await expect(readIdx(path)).rejects.toThrow(/b\.idx\.gz: its gzip data are damaged, or too long/);
  });
});
