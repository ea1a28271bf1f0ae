import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, describe, expect, it } from "vitest";
import { data } from "../../../index.js";
import { permutation } from "../../dataset/permutation.js";

const { buildRecordIndex, encodeRecords, inspectRecords, openRecordSet, openRecords } = data;
const { recordWriter, shardPath, sourceView } = data;

const folder = mkdtempSync(join(tmpdir(), "mlsys-queries-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
let files = 0;
const fresh = (): string => join(folder, `${files++}.rec`);

const FIELDS = { f: "float64", i: "int32", l: "int64", b: "bool", s: "string", y: "bytes" } as const;
type Fields = data.RecordOf<typeof FIELDS>;

const float = fc.oneof(fc.double(), fc.constantFrom(0, -0, 1, -1, Number.POSITIVE_INFINITY));
const big = fc.oneof(
  fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
  fc.bigInt({ min: -3n, max: 3n }),
  fc.constantFrom(-(2n ** 63n), 2n ** 63n - 1n),
);
const word = fc.constantFrom("", "a", "b", "image_000001", "image_000002", "é");
const records = fc.array(
  fc.record<Fields>({
    f: float,
    i: fc.integer({ min: -3, max: 3 }),
    l: big,
    b: fc.boolean(),
    s: word,
    y: fc.uint8Array({ maxLength: 2 }),
  }),
  { minLength: 1, maxLength: 40 },
);

const sorted = (rows: Iterable<number>): number[] => [...rows].sort((a, b) => a - b);

describe("queries", () => {
  it("find the same records by index, by scan, and by looking at each", () => {
    fc.assert(
      fc.property(
        records,
        fc.integer({ min: 1, max: 12 }),
        float,
        float,
        big,
        big,
        (list, groupRows, f0, f1, l0, l1) => {
          const path = fresh();
          {
            using out = recordWriter(path, FIELDS, {
              groupRows,
              sync: "never",
              indexed: Object.keys(FIELDS),
            });
            for (const record of list) out.write(record);
          }
          using indexed = openRecords(path, { schema: FIELDS });
          const scanned = openRecords(readFileSync(path), { schema: FIELDS });
          expect(inspectRecords(path).index.state).toBe("ready");
          const rows = (keep: (r: Fields) => boolean) => list.flatMap((r, i) => (keep(r) ? [i] : []));
          const check = <K extends keyof typeof FIELDS>(
            field: K,
            condition: data.Condition<Fields[K]>,
            keep: (value: Fields[K]) => boolean,
          ): void => {
            const wanted = rows((r) => keep(r[field]));
            expect(sorted(indexed.find(field, condition))).toEqual(wanted);
            expect([...scanned.find(field, condition)]).toEqual(wanted);
          };
          if (!Number.isNaN(f0) && !Number.isNaN(f1)) {
            check("f", { equals: f0 }, (v) => v === f0);
            check("f", { from: f0, to: f1 }, (v) => v >= f0 && v <= f1);
            check("f", { from: f0 }, (v) => v >= f0);
          }
          check("f", {}, (v) => !Number.isNaN(v));
          check("i", { equals: 2 }, (v) => v === 2);
          check("i", { from: -1, to: 1.5 }, (v) => v >= -1 && v <= 1.5);
          check("l", { from: l0, to: l1 }, (v) => v >= l0 && v <= l1);
          check("l", { from: -(2n ** 70n), to: 0n }, (v) => v <= 0n);
          check("b", { equals: true }, (v) => v);
          check("s", { equals: list[0].s }, (v) => v === list[0].s);
          check("y", { equals: list[0].y }, (v) => Buffer.compare(v, list[0].y) === 0);
          const ordered = [...indexed.find("i", {})].map((row) => list[row].i);
          expect(ordered).toEqual(ordered.toSorted((a, b) => a - b));
        },
      ),
      { numRuns: 60 },
    );
  });

  it("over several sorted runs and pages give every match", () => {
    const path = fresh();
    const count = 1_060_000; // more than one run of 2²⁰
    {
      using out = recordWriter(path, { k: "int32" }, { sync: "never", indexed: ["k"] });
      for (let i = 0; i < count; i++) out.write({ k: Math.imul(i, 40503) & 0xffff });
    }
    using file = openRecords(path, { schema: { k: "int32" } });
    const wanted: number[] = [];
    for (let i = 0; i < count; i++) if ((Math.imul(i, 40503) & 0xffff) === 777) wanted.push(i);
    expect([...file.find("k", { equals: 777 })]).toEqual(wanted);
    expect(wanted.length).toBeGreaterThan(10);
    let total = 0;
    for (const row of file.find("k", { from: 0, to: 0xffff })) total += row;
    expect(total).toBe((count * (count - 1)) / 2);
  });

  it("don't trust an index file of other data, and name a damaged one", () => {
    const path = fresh();
    const write = (values: number[], append = false): void => {
      using out = recordWriter(path, { k: "int32" }, { sync: "never", indexed: ["k"], append });
      for (const k of values) out.write({ k });
    };
    write([1, 2, 1]);
    const old = readFileSync(`${path}.idx`);
    write([1], true);
    const find = (): number[] => {
      using file = openRecords(path, { schema: { k: "int32" } });
      return [...file.find("k", { equals: 1 })];
    };
    expect(find()).toEqual([0, 2, 3]);
    writeFileSync(`${path}.idx`, old);
    expect(inspectRecords(path).index.state).toBe("stale");
    expect(find()).toEqual([0, 2, 3]);
    buildRecordIndex(path);
    const good = readFileSync(`${path}.idx`);
    for (let at = 0; at < good.length; at++) {
      const changed = Buffer.from(good);
      changed[at] ^= 1 << (at % 8);
      writeFileSync(`${path}.idx`, at % 3 === 0 ? good.subarray(0, at) : changed);
      try {
        expect(find(), `byte ${at}`).toEqual([0, 2, 3]); // a gap between parts, or taken for stale
      } catch (error) {
        expect((error as Error).name, `byte ${at}: ${String(error)}`).toBe("ValueError");
      }
    }
  });

  it("say what they can't find", () => {
    const file = openRecords(encodeRecords({ s: "string", l: "int64", x: { dtype: "int8", shape: [] } }, []));
    const find = (field: string, condition: object) => () => [...file.find(field, condition as never)];
    expect(find("s", { from: "a" })).toThrow(
      /find s: a field of string is found by \{ equals: string \} only/,
    );
    expect(find("l", { equals: 1 })).toThrow(/find l: its values are of type bigint, got 1/);
    expect(find("x", { equals: 1 })).toThrow(/x is a tensor/);
    expect(find("z", { equals: 1 })).toThrow(/z is none/);
  });
});

describe("a set of record files", () => {
  it("is one source, and complete or refused", () => {
    const base = join(folder, "train");
    for (const id of [2, 0, 1]) {
      using out = recordWriter(
        shardPath(base, id, 3),
        { x: "int32" },
        { shard: { id, of: 3 }, sync: "never" },
      );
      for (let i = 0; i < id * 2; i++) out.write({ x: 10 * id + i });
    }
    const wanted = [10, 11, 20, 21, 22, 23];
    {
      using set = openRecordSet(base, { schema: { x: "int32" } });
      expect([...set].map((r) => r.x)).toEqual(wanted);
      expect(wanted.map((_, i) => set.at(i).x)).toEqual(wanted);
      expect([...set.find("x", { from: 11, to: 20 })]).toEqual([1, 2]);
      expect(() => set.at(6)).toThrow(/records 0 to 5, got 6/);
    }
    const [a, b] = [shardPath(base, 0, 3), shardPath(base, 1, 3)];
    expect(() => openRecordSet([a, b])).toThrow(/of 3 files, 1 are missing: 2/);
    expect(() => openRecordSet([a, a])).toThrow(/are both shard 0 of 3/);
    expect(() => openRecordSet(join(folder, "none"))).toThrow(/no record files of that name/);
    const other = shardPath(base, 2, 3);
    writeFileSync(other, encodeRecords({ y: "int32" }, [], { shard: { id: 2, of: 3 } }));
    expect(() => openRecordSet(base)).toThrow(/has other fields \(y: int32\) than .* \(x: int32\)/);
  });
});

describe("views", () => {
  const source = (length: number) => ({ length, at: (i: number) => i });

  it("of all readers are the whole, in an order that depends on seed and epoch alone", () => {
    fc.assert(
      fc.property(
        fc.nat(200),
        fc.integer({ min: 1, max: 7 }),
        fc.nat(9),
        fc.nat(3),
        (n, numShards, seed, epoch) => {
          const part = (shardId: number, equal = false): number[] => {
            const view = sourceView(source(n), { numShards, shardId, shuffle: { seed, epoch }, equal });
            return Array.from({ length: view.length }, (_, i) => view.at(i) as number);
          };
          const parts = Array.from({ length: numShards }, (_, id) => part(id));
          expect(sorted(parts.flat())).toEqual(Array.from({ length: n }, (_, i) => i));
          expect(
            Math.max(...parts.map((p) => p.length)) - Math.min(...parts.map((p) => p.length)),
          ).toBeLessThan(2);
          const equal = parts.map((_, id) => part(id, true));
          expect(new Set(equal.map((p) => p.length)).size).toBe(1);
          expect(new Set(equal.flat()).size).toBe(n);
        },
      ),
    );
  });

  it("of 10 million come in a random order without a list of positions", () => {
    const order = permutation(10_000_000, [7, 0]);
    const seen = new Uint8Array(10_000_000);
    const count = 400_000;
    let [rises, sum, before] = [0, 0, -1];
    for (let i = 0; i < count; i++) {
      const at = order(i);
      seen[at]++;
      sum += at;
      if (at > before) rises++;
      before = at;
    }
    expect(seen.every((times) => times <= 1)).toBe(true);
    expect(Math.abs(sum / count / 5e6 - 1)).toBeLessThan(0.005);
    expect(Math.abs(rises / (count / 2) - 1)).toBeLessThan(0.005);
  });

  it("place each element everywhere equally often", () => {
    const counts = Array.from({ length: 7 }, () => new Uint32Array(7));
    const seeds = 7000;
    for (let seed = 0; seed < seeds; seed++)
      for (let i = 0, order = permutation(7, [seed, 0]); i < 7; i++) counts[i][order(i)]++;
    const expected = seeds / 7;
    const chi2 = counts.flatMap((row) => [...row]).reduce((s, c) => s + (c - expected) ** 2 / expected, 0);
    expect(chi2).toBeLessThan(80); // 36 degrees of freedom: 1 in 30,000
  });

  it("refuse shards and positions that are none", () => {
    expect(() => sourceView(source(3), { numShards: 0 })).toThrow(
      /numShards is a whole number from 1, got 0/,
    );
    expect(() => sourceView(source(3), { numShards: 2, shardId: 2 })).toThrow(/shardId is 0 to 1, got 2/);
    expect(() => sourceView(source(3)).at(3)).toThrow(/elements 0 to 2, got 3/);
  });
});
