import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, describe, expect, it } from "vitest";
import { expectedFile } from "../../../../test/support/expected.js";
import { data } from "../../../index.js";

const { encodeArrow, encodeParquet, openParquet, readArrow, writeArrow, writeParquet } = data;

const folder = mkdtempSync(join(tmpdir(), "mlsys-columns-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

interface Expected {
  readonly rows: Record<string, unknown>[];
  readonly parquet: Record<string, string>;
  readonly arrow: Record<string, string>;
}
const expected = expectedFile<Expected>("formats/columns.json");

/** Both sides in one form: integers as text, since some come as bigint, and times as milliseconds. */
function plain(value: unknown): unknown {
  if (value === undefined) return null;
  if (typeof value === "bigint" || (typeof value === "number" && Number.isInteger(value)))
    return String(value);
  if (value instanceof Date) return String(value.getTime());
  if (value instanceof Uint8Array) return Buffer.from(value).toString("hex");
  if (Array.isArray(value)) return value.map(plain);
  if (typeof value === "object" && value !== null) {
    const { int, hex, ms, struct } = value as Record<string, unknown>;
    if (int !== undefined || hex !== undefined || ms !== undefined) return int ?? hex ?? String(ms);
    return Object.fromEntries(Object.entries(struct ?? value).map(([k, v]) => [k, plain(v)]));
  }
  return value;
}
const wanted = expected.rows.map((row) => plain((row.struct as object) ?? row));

async function all<T>(items: AsyncIterable<T>): Promise<T[]> {
  const out: T[] = [];
  for await (const item of items) out.push(item);
  return out;
}

describe("Parquet files", () => {
  it("of pyarrow are read: every codec, page versions, nulls, lists, structs, times", async () => {
    expect(Object.keys(expected.parquet)).toHaveLength(6);
    for (const [codec, text] of Object.entries(expected.parquet)) {
      const bytes = Buffer.from(text, "base64");
      const rows = await all(await openParquet(bytes));
      expect(rows.map(plain), codec).toEqual(wanted);
    }
  });

  it("give rows by position and by columns", async () => {
    using file = await openParquet(Buffer.from(expected.parquet.zstd, "base64"), {
      columns: ["text", "i32"],
    });
    expect([file.length, file.groupCount]).toEqual([60, 3]);
    for (const i of [59, 0, 24, 25, 26]) {
      const { text, i32 } = wanted[i] as Record<string, unknown>;
      expect(plain(await file.at(i))).toEqual({ text, i32 });
    }
    await expect(file.at(60)).rejects.toThrow(/has rows 0 to 59, got 60/);
    await expect(file.group(3)).rejects.toThrow(/row groups 0 to 2, got 3/);
    await expect(
      openParquet(Buffer.from(expected.parquet.zstd, "base64"), { columns: ["z"] }),
    ).rejects.toThrow(/has no column z; there are: i32, i64/);
  });

  it("give back what was written", async () => {
    const path = join(folder, "a.parquet");
    const table = fc.integer({ min: 1, max: 20 }).chain((n) => {
      const list = <T>(value: fc.Arbitrary<T>) => fc.array(value, { minLength: n, maxLength: n });
      return fc.record({
        i: list(fc.option(fc.integer())),
        l: list(fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n })),
        x: list(fc.double({ noNaN: true }).map((v) => v + 0.5)),
        s: list(fc.option(fc.string({ unit: "grapheme", maxLength: 8 }))),
        b: list(fc.boolean()),
        f: list(fc.float({ noNaN: true })).map((v) => Float32Array.from(v)),
      });
    });
    await fc.assert(
      fc.asyncProperty(
        table,
        fc.integer({ min: 1, max: 9 }),
        fc.boolean(),
        async (columns, groupRows, compress) => {
          await writeParquet(path, columns, {
            groupRows,
            compress,
            types: { i: "INT32", s: "STRING", x: "DOUBLE" },
          });
          using file = await openParquet(path);
          const rows = await all(file);
          for (const name of Object.keys(columns) as (keyof typeof columns)[])
            expect(rows.map((row) => row[name] ?? null)).toEqual(
              Array.from(columns[name] as ArrayLike<unknown>),
            );
        },
      ),
      { numRuns: 30 },
    );
    await expect(encodeParquet({ a: [1], b: [1, 2] })).rejects.toThrow(/column a has 1 values, column b 2/);
    await expect(encodeParquet({})).rejects.toThrow(/no columns/);
    await expect(encodeParquet({ a: [1, "x"] })).rejects.toThrow(/^encodeParquet: /);
  });

  it("cut anywhere, or with a page that says it is large, are refused with one error", async () => {
    for (const codec of ["none", "snappy", "gzip"]) {
      const good = Buffer.from(expected.parquet[codec], "base64");
      for (let cut = 0; cut < good.length; cut += 61)
        await expect(openParquet(good.subarray(0, cut)), `${codec} cut at ${cut}`).rejects.toThrow(
          /^the bytes: not a Parquet file, damaged, or of a kind that isn't read: /,
        );
    }
    const file = await openParquet(Buffer.from(expected.parquet.gzip, "base64"), { maxPageBytes: 100 });
    await expect(file.group(0)).rejects.toThrow(/a page says it unpacks to \d+ bytes; at most 100/);
    await expect(openParquet(join(folder, "none.parquet"))).rejects.toThrow(/ENOENT/);
  });
});

describe("Arrow files and streams", () => {
  it("of pyarrow are read", async () => {
    for (const form of ["stream", "file"] as const) {
      const table = await readArrow(Buffer.from(expected.arrow[form], "base64"));
      expect(table.length).toBe(60);
      expect([...table].map(plain), form).toEqual(wanted);
      expect(table.schema).toMatchObject({
        i32: "Int32",
        f32: "Float32",
        text: "Utf8",
        list: "List<Float32>",
      });
      expect(table.column("f32")).toEqual(Float32Array.from({ length: 60 }, (_, i) => i / 4));
      expect((table.column("text") as unknown[])[7]).toBe(null);
      expect(() => table.column("z")).toThrow(/no column z; there are: i32/);
      expect(() => table.at(60)).toThrow(/rows 0 to 59, got 60/);
    }
  });

  it("give back what was written", async () => {
    const path = join(folder, "a.arrow");
    const columns = {
      f: new Float32Array([0.5, 1, 2]),
      l: [1n, -(2n ** 63n), null],
      s: ["a", null, "é"],
      b: [true, false, null],
      u: new Uint8Array([1, 2, 255]),
    };
    await writeArrow(path, columns);
    for (const table of [await readArrow(path), await readArrow(await encodeArrow(columns))])
      for (const [name, values] of Object.entries(columns))
        expect(Array.from(table.column(name) as ArrayLike<unknown>)).toEqual(
          Array.from(values as ArrayLike<unknown>),
        );
    await expect(encodeArrow({ a: [1], b: [1, 2] })).rejects.toThrow(/column a has 1 values, column b 2/);
  });

  it("cut anywhere are refused with one error, or have the batches before the cut", async () => {
    for (const form of ["stream", "file"]) {
      const good = Buffer.from(expected.arrow[form], "base64");
      for (let cut = 0; cut < good.length; cut += 61) {
        try {
          const table = await readArrow(good.subarray(0, cut));
          expect(form).toBe("stream"); // which says in no place how long it is
          expect([0, 25, 50, 60]).toContain(table.length);
          expect([...table].map(plain)).toEqual(wanted.slice(0, table.length));
        } catch (error) {
          expect((error as Error).name, (error as Error).stack).toBe("ValueError");
        }
      }
    }
    await expect(readArrow(new Uint8Array(5))).rejects.toThrow(/neither an Arrow file nor a stream/);
  });
});
