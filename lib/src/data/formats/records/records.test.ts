import {
  existsSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, describe, expect, it } from "vitest";
import { data } from "../../../index.js";

const { encodeRecords, inspectRecords, openRecords, recordWriter } = data;
type Schema = data.RecordSchema;

const folder = mkdtempSync(join(tmpdir(), "mlsys-records-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
let files = 0;
const fresh = (): string => join(folder, `${files++}.rec`);

const int = (bits: number, signed = true) =>
  fc.integer({ min: signed ? -(2 ** (bits - 1)) : 0, max: 2 ** (signed ? bits - 1 : bits) - 1 });

/** Values of each kind of field, and of the tensors' elements. */
const SCALARS: Record<string, fc.Arbitrary<unknown>> = {
  float64: fc.double(),
  float32: fc.float(),
  float16: fc.constantFrom(0, -1.5, 65504, 2 ** -24, Number.POSITIVE_INFINITY),
  bfloat16: fc.constantFrom(0, -1.5, 3.140625, Number.NEGATIVE_INFINITY),
  int64: fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
  int32: int(32),
  int16: int(16),
  int8: int(8),
  uint8: int(8, false),
  bool: fc.boolean(),
};
const ARRAYS = {
  float64: Float64Array,
  float32: Float32Array,
  float16: Uint16Array,
  bfloat16: Uint16Array,
  int64: BigInt64Array,
  int32: Int32Array,
  int16: Int16Array,
  int8: Int8Array,
  uint8: Uint8Array,
  bool: Uint8Array,
};
const DTYPES = Object.keys(ARRAYS) as (keyof typeof ARRAYS)[];

const text = fc.string({ unit: "grapheme", maxLength: 12 });

const fieldType: fc.Arbitrary<data.FieldType> = fc.oneof(
  fc.constantFrom<data.FieldType>(...DTYPES, "string", "bytes"),
  fc.record({
    dtype: fc.constantFrom(...DTYPES),
    shape: fc.array(fc.option(fc.integer({ min: 0, max: 3 })), { maxLength: 3 }),
  }),
);

function arbitraryOf(type: data.FieldType): fc.Arbitrary<unknown> {
  if (type === "string") return text;
  if (type === "bytes") return fc.uint8Array({ maxLength: 20 });
  if (typeof type === "string") return SCALARS[type];
  return fc
    .tuple(...type.shape.map((n) => (n === null ? fc.integer({ min: 0, max: 3 }) : fc.constant(n))))
    .chain((shape) => {
      const size = shape.reduce((a, b) => a * b, 1);
      const bytes = size * ARRAYS[type.dtype].BYTES_PER_ELEMENT;
      return fc.uint8Array({ minLength: bytes, maxLength: bytes }).map((b) => ({
        dtype: type.dtype,
        shape,
        data: new ARRAYS[type.dtype](b.slice().buffer),
      }));
    });
}

/** A schema and records of it. */
const content = fc
  .dictionary(fc.stringMatching(/^[a-zé]{1,6}$/), fieldType, {
    minKeys: 1,
    maxKeys: 5,
    noNullPrototype: true,
  })
  .chain((schema) =>
    fc.record({
      schema: fc.constant(schema as Schema),
      records: fc.array(
        fc.record(Object.fromEntries(Object.entries(schema).map(([name, t]) => [name, arbitraryOf(t)]))),
        { maxLength: 30 },
      ),
      groupRows: fc.integer({ min: 1, max: 9 }),
      groupBytes: fc.integer({ min: 1, max: 500 }),
      pageBytes: fc.constantFrom(512, 1024, 65536),
    }),
  );

/** Bytes as numbers, so that NaN's bits and Buffer's class don't matter. */
const plain = (value: unknown): unknown => {
  if (ArrayBuffer.isView(value))
    return Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString("hex");
  if (typeof value === "object" && value !== null)
    return Object.fromEntries(Object.entries(value).map(([k, v]) => [k, plain(v)]));
  return value;
};
const all = (records: Iterable<unknown>): unknown[] => [...records].map(plain);

describe("a record file", () => {
  it("gives back what was written: by position, in order, in part; all types, any groups and pages", () => {
    fc.assert(
      fc.property(content, fc.nat(30), fc.nat(30), ({ schema, records, ...options }, from, to) => {
        const file = openRecords(encodeRecords(schema, records as never, options));
        const wanted = all(records);
        expect(file.recovery).toBeNull();
        expect(file.length).toBe(records.length);
        expect(all(file)).toEqual(wanted);
        for (const i of wanted.keys())
          expect(plain(file.at(wanted.length - 1 - i))).toEqual(wanted.at(-1 - i));
        expect(all(file.records(from, to))).toEqual(wanted.slice(from, to));
      }),
    );
  });

  it("on disk is what it is in memory, and goes on where it ended when appended to", () => {
    fc.assert(
      fc.property(content, fc.nat(30), ({ schema, records, ...options }, cut) => {
        const path = fresh();
        const [first, second] = [records.slice(0, cut), records.slice(cut)];
        for (const [i, part] of [first, second].entries()) {
          using out = recordWriter(path, schema, { ...options, append: i > 0, sync: "never" });
          for (const record of part) out.write(record as never);
        }
        using file = openRecords(path);
        expect(file.recovery).toBeNull();
        expect(all(file)).toEqual(all(records));
        const whole = openRecords(encodeRecords(schema, records as never));
        for (const [name, { mean, ...exact }] of Object.entries(file.statistics())) {
          const { mean: wanted, ...wantedExact } = whole.statistics()[name];
          expect(exact).toEqual(wantedExact);
          const size = Math.max(Math.abs(Number(exact.min)), Math.abs(Number(exact.max)));
          // sums of parts round otherwise than a sum in one go
          if (size < 1e300) expect(Math.abs((mean ?? 0) - (wanted ?? 0))).toBeLessThanOrEqual(1e-12 * size);
        }
      }),
      { numRuns: 40 },
    );
  });

  const schema = { id: "int32", name: "string", x: { dtype: "float32", shape: [2, null] } } as const;
  const record = (id: number): data.RecordOf<typeof schema> => ({
    id,
    name: `record ${id}`,
    x: { dtype: "float32", shape: [2, id % 3], data: new Float32Array(2 * (id % 3)).fill(id) },
  });
  const some = Array.from({ length: 25 }, (_, i) => record(i));

  it("refuses records that don't fit the schema, naming record, field and value, and keeps nothing of them", () => {
    const path = fresh();
    using out = recordWriter(path, schema, { sync: "never" });
    out.write(record(0));
    const bad: [Record<string, unknown>, RegExp][] = [
      [{ id: 2 ** 31 }, /record 1: field id is int32, got 2147483648/],
      [{ id: 1.5 }, /field id is int32, got 1\.5/],
      [{ id: "7" }, /field id is int32, got "7"/],
      [{ id: undefined }, /field id is int32, got undefined/],
      [{ name: 7n }, /field name is string, got 7n/],
      [{ name: "\ud800" }, /half a surrogate pair/],
      [{ x: [1, 2] }, /field x is float32\(2, \?\), got not \{ dtype, shape, data: Float32Array \}/],
      [{ x: { dtype: "float32", shape: [3, 1], data: new Float32Array(3) } }, /got the shape \(3, 1\)/],
      [
        { x: { dtype: "float32", shape: [2, 2], data: new Float32Array(3) } },
        /got 3 elements for the shape 2×2/,
      ],
      [{ x: { dtype: "int32", shape: [2, 1], data: new Float32Array(2) } }, /got of dtype int32/],
    ];
    for (const [change, message] of bad)
      expect(() => out.write({ ...record(1), ...change } as never)).toThrow(message);
    out.write(record(1));
    out.close();
    expect(() => out.write(record(2))).toThrow(/the writer is closed/);
    using file = openRecords(path, { schema });
    expect(all(file)).toEqual(all([record(0), record(1)]));
    expect(() => file.at(2)).toThrow(/has records 0 to 1, got 2/);
    expect(() => file.at(0.5)).toThrow(/got 0\.5/);
  });

  it("refuses schemas and options out of range", () => {
    const encode =
      (s: unknown, options = {}) =>
      () =>
        encodeRecords(s as Schema, [], options);
    expect(encode({})).toThrow(/a schema has 1 to 1000 fields, got 0/);
    expect(encode({ "": "int8" })).toThrow(/can't be named ""/);
    expect(encode({ 7: "int8" })).toThrow(/can't be named "7"/);
    expect(encode({ a: "int9" })).toThrow(/field a has the type "int9"; known: dtypes/);
    expect(encode({ a: { dtype: "int8", shape: [-1] } })).toThrow(/field a has the type/);
    expect(encode({ a: { dtype: "int8", shape: [2 ** 20, 2 ** 20] } })).toThrow(/field a has the type/);
    expect(encode({ a: "int8" }, { indexed: ["b"] })).toThrow(/the index wants a field .* got b/);
    expect(encode({ a: "int8" }, { shard: { id: 2, of: 2 } })).toThrow(/the shards of 2 are 0 to 1, got 2/);
    expect(encode({ a: "int8" }, { pageBytes: 7 })).toThrow(/a page has 512 to 2²⁴ bytes, got 7/);
    expect(encode({ a: "int8" }, { groupRows: 0 })).toThrow(/a row group has 1 to 2²⁴ records, got 0/);
    expect(() => openRecords(encodeRecords({ a: "int8" }, []), { schema: { a: "int16" } })).toThrow(
      /has the schema \{"a":"int8"\}, wanted \{"a":"int16"\}/,
    );
  });

  it("cut anywhere has the records of its whole row groups, and says that it was cut", () => {
    const bytes = encodeRecords(schema, some, { groupRows: 4, pageBytes: 512 });
    const { groups } = inspectRecords(bytes);
    for (let cut = 0; cut < bytes.length; cut++) {
      const part = bytes.subarray(0, cut);
      if (cut < groups[0].offset) {
        expect(() => openRecords(part), `cut at ${cut}`).toThrow(
          /the bytes is no record file|the bytes: its header/,
        );
        continue;
      }
      const file = openRecords(part);
      const whole = groups.filter(({ end }) => end <= cut);
      expect(file.length, `cut at ${cut}`).toBe(whole.reduce((sum, g) => sum + g.rows, 0));
      expect(file.recovery?.lostBytes, `cut at ${cut}`).toBe(cut - (whole.at(-1)?.end ?? groups[0].offset));
      expect(all(file)).toEqual(all(some.slice(0, file.length)));
      expect(file.recovery?.rows).toBe(file.length);
      expect(file.recovery?.reason).toMatch(/^it has no footer/);
      expect(String(inspectRecords(part))).toContain("cut: it has no footer");
    }
  });

  it("with any byte changed gives the records as they were, or an error: never others", () => {
    const bytes = encodeRecords(schema, some, { groupRows: 9, pageBytes: 512 });
    const wanted = all(some);
    for (let at = 0; at < bytes.length; at++) {
      const changed = bytes.slice();
      changed[at] ^= 1 << (at % 8);
      try {
        const file = openRecords(changed);
        const found = all(file);
        expect(found, `byte ${at}`).toEqual(wanted.slice(0, found.length));
        if (!file.recovery) expect(found.length, `byte ${at}`).toBe(wanted.length);
      } catch (error) {
        expect((error as Error).name, `byte ${at}: ${String(error)}`).toBe("ValueError");
      }
    }
  });

  it("names the damaged page, and gives the records of the others", () => {
    const path = fresh();
    {
      using out = recordWriter(path, { x: "bytes" }, { groupRows: 3, pageBytes: 512, sync: "never" });
      for (let i = 0; i < 9; i++) out.write({ x: new Uint8Array(400).fill(i) });
    }
    const bytes = readFileSync(path);
    bytes[bytes.indexOf(Buffer.alloc(400, 4)) + 17] ^= 1; // in the second group's record 4
    writeFileSync(path, bytes);
    for (const verify of ["once", "always"] as const) {
      using file = openRecords(path, { verify });
      expect(file.at(0).x).toEqual(Buffer.alloc(400, 0));
      expect(() => file.at(4)).toThrow(
        /blob page \d of the row group at byte \d+ \(rows 3 to 5\) is damaged: its checksum is wrong/,
      );
      expect(file.at(8).x).toEqual(Buffer.alloc(400, 8));
      expect(() => [...file]).toThrow(/is damaged/);
    }
    using trusting = openRecords(path, { verify: "never" });
    expect((trusting.at(4).x as Uint8Array)[17]).toBe(5);
    const report = inspectRecords(path, { verify: true });
    expect(report.groups.map((g) => g.fault !== null)).toEqual([false, true, false]);
    expect(String(report)).toMatch(/group 1 at \d+: 3 records, .* a damaged blob page \d \(checksum\)/);
  });

  it("cut while it was written is gone on with: what wasn't whole goes", () => {
    const path = fresh();
    {
      using out = recordWriter(path, schema, { groupRows: 5, sync: "never" });
      for (const r of some) out.write(r);
    }
    truncateSync(path, statSync(path).size - 700);
    let kept = 0;
    {
      using out = recordWriter(path, schema, { append: true, sync: "never" });
      kept = out.length;
      expect(out.recovery?.rows).toBe(kept);
      expect(kept).toBeLessThan(25);
      expect(kept % 5).toBe(0);
      for (const r of some.slice(kept)) out.write(r);
    }
    using file = openRecords(path);
    expect(file.recovery).toBeNull();
    expect(all(file)).toEqual(all(some));
    expect(() => recordWriter(path, { id: "int64" }, { append: true })).toThrow(/can't be appended/);
    expect(existsSync(`${path}.lock`)).toBe(false);
  });

  it("has one writer: another is told whose it is", () => {
    const path = fresh();
    using out = recordWriter(path, schema);
    expect(() => recordWriter(path, schema, { append: true })).toThrow(
      new RegExp(`is being written by process ${process.pid} on `),
    );
    out.abort();
    expect(openRecords(path).recovery?.rows).toBe(0);
  });

  it("says what it holds without reading it: rows, extremes, means, sizes", () => {
    const bytes = encodeRecords(schema, some, { groupRows: 10 });
    const report = inspectRecords(bytes, { verify: true });
    expect(report.rows).toBe(25);
    expect(report.groups.map((g) => g.rows)).toEqual([10, 10, 5]);
    expect(report.fields[0].statistics).toEqual({ min: 0, max: 24, mean: 12 });
    expect(report.fields[1].statistics).toEqual({ bytes: 8 * 10 + 9 * 15, minBytes: 8, maxBytes: 9 });
    expect(String(report)).toMatch(
      /^the bytes: 25 records, \d+ bytes, 3 row groups, shard 0 of 1, id \w{32}/,
    );
    expect(String(report)).toContain("id: int32, 0 to 24, mean 12");
  });
});
