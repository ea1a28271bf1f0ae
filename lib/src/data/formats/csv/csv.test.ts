import { gzipSync } from "node:zlib";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { expectedFile } from "../../../../test/support/expected.js";
import { data } from "../../../index.js";
import { type RawRow, RowParser } from "./rows.js";

const { formatCsv, parseCsv, readCsv } = data;

interface Case {
  readonly text: string;
  readonly delimiter: string;
  readonly names: string[];
  readonly rows: string[][];
}

async function* pieces(bytes: Uint8Array, size: number): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

async function all<T>(items: AsyncIterable<T>): Promise<T[]> {
  const out: T[] = [];
  for await (const item of items) out.push(item);
  return out;
}

const asText = (names: readonly string[]) =>
  Object.fromEntries(names.map((name) => [name, "string" as const]));

describe("CSV", () => {
  it("is read as Python's csv module reads it, at once and in pieces", async () => {
    for (const { text, delimiter, names, rows } of expectedFile<Case[]>("formats/csv.json")) {
      const options = { delimiter, schema: asText(names) };
      const wanted = rows.map((row) => Object.fromEntries(names.map((name, i) => [name, row[i]])));
      expect(parseCsv(text, options), JSON.stringify(text)).toEqual(wanted);
      for (const size of [1, 7, 1000])
        expect(await all(readCsv(pieces(Buffer.from(text), size), options))).toEqual(wanted);
    }
  });

  it("gives back what formatCsv wrote, with its types", async () => {
    const row = fc.record({
      i: fc.option(fc.integer()),
      x: fc.option(fc.double({ noDefaultInfinity: true, noNaN: true })),
      b: fc.option(fc.boolean()),
      l: fc.option(fc.bigInt({ min: -(2n ** 70n), max: 2n ** 70n })),
      s: fc.string({ unit: fc.constantFrom("a", '"', ",", "\n", "\r\n", " ", "é", "1") }),
    });
    const schema = { i: "integer", x: "number", b: "boolean", l: "bigint", s: "string" } as const;
    await fc.assert(
      fc.asyncProperty(
        fc.array(row, { maxLength: 8 }),
        fc.integer({ min: 1, max: 50 }),
        async (rows, size) => {
          const text = formatCsv(rows, { columns: Object.keys(schema) });
          const wanted = rows.map((r) => ({ ...r, x: r.x === null ? null : r.x + 0 })); // "-0" is written as "0"
          expect(parseCsv(text, { schema })).toEqual(wanted);
          expect(await all(readCsv(pieces(Buffer.from(text), size), { schema }))).toEqual(wanted);
        },
      ),
    );
  });

  it("infers types from what is there", () => {
    const text =
      "i,x,b,l,s,m,e\n1,1.5,true,12345678901234567890,a,NA,\n-2,.5e3,FALSE,1,1,7,\n+3,-inf,true,2,,NA,\n";
    const rows = parseCsv(text, { missing: ["", "NA"] });
    expect(rows[0]).toEqual({ i: 1, x: 1.5, b: true, l: 12345678901234567890n, s: "a", m: null, e: "" });
    expect(rows[1]).toEqual({ i: -2, x: 500, b: false, l: 1n, s: "1", m: 7, e: "" });
    expect(rows[2]).toEqual({ i: 3, x: Number.NEGATIVE_INFINITY, b: true, l: 2n, s: "", m: null, e: "" });
    expect(parseCsv("a;b\n01;0x1\n", { delimiter: ";" })).toEqual([{ a: 1, b: "0x1" }]);
    expect(parseCsv("7,8\n", { header: ["a", "b"] })).toEqual([{ a: 7, b: 8 }]);
    expect(parseCsv("")).toEqual([]);
    expect(parseCsv("a,b\n")).toEqual([]);
    expect(parseCsv("\ufeffa,b\r\n\r\n1,2\r\n\r\n")).toEqual([{ a: 1, b: 2 }]);
  });

  it("is cut into rows and lines alike, whatever the pieces that come and are parsed", () => {
    const rowsOf = (text: string, size: number, piece: number): RawRow[] | string => {
      try {
        const parser = new RowParser("t", { delimiter: ",", quote: '"', maxRow: 1000, piece });
        const rows: RawRow[] = [];
        for (let at = 0; at < text.length; at += size) rows.push(...parser.push(text.slice(at, at + size)));
        return [...rows, ...parser.end()];
      } catch (error) {
        return (error as Error).message;
      }
    };
    const field = fc.string({ unit: fc.constantFrom("a", ",", '"', "\n", "\r\n", " "), maxLength: 5 });
    const table = fc.array(fc.array(field, { minLength: 2, maxLength: 3 }), { maxLength: 5 });
    const size = fc.integer({ min: 1, max: 9 });
    fc.assert(
      fc.property(table, fc.constantFrom("\n", "\r\n"), size, size, (rows, newline, chunk, piece) => {
        const quoted = (text: string) => (/[,"\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text);
        const text = rows.map((row) => row.map(quoted).join(",") + newline).join("");
        let line = 1;
        const wanted = rows.map((fields) => {
          const start = line;
          line += 1 + (fields.join("").match(/\n/g)?.length ?? 0);
          return { fields, line: start };
        });
        expect(rowsOf(text, 1000, 1000)).toEqual(wanted);
        expect(rowsOf(text, chunk, piece)).toEqual(wanted);
      }),
      { numRuns: 1000 },
    );
    const any = fc.string({ unit: fc.constantFrom("a", ",", '"', "\n", "\r\n", " "), maxLength: 30 });
    fc.assert(
      fc.property(any, size, size, (text, chunk, piece) => {
        expect(rowsOf(text, chunk, piece)).toEqual(rowsOf(text, 1000, 1000));
      }),
      { numRuns: 1000 },
    );
  });

  it("of any number of rows is parsed at once", () => {
    const rows = parseCsv(`a,b\n${"1,2\n".repeat(300_000)}`);
    expect(rows.length).toBe(300_000);
    expect(rows[299_999]).toEqual({ a: 1, b: 2 });
  });

  it("of gzip and of other encodings is read", async () => {
    expect(await all(readCsv(gzipSync("a\n1\n2\n")))).toEqual([{ a: 1 }, { a: 2 }]);
    expect(await all(readCsv(Buffer.from([0x61, 10, 0xe9, 10]), { encoding: "latin1" }))).toEqual([
      { a: "é" },
    ]);
    await expect(all(readCsv(Buffer.from([0x61, 10, 0xe9, 10])))).rejects.toThrow(
      /the bytes: is not utf-8, at bytes 0 to 4/,
    );
    await expect(all(readCsv(Buffer.from("a"), { encoding: "klingon" }))).rejects.toThrow(
      /unknown encoding "klingon"/,
    );
  });

  it("names line and column of what doesn't fit", () => {
    const parse =
      (text: string, options = {}) =>
      () =>
        parseCsv(text, options);
    expect(parse('a,b\n"x\ny",1\n"z",2,3\n')).toThrow(/^the text: line 4 has 3 fields; there are 2 columns$/);
    expect(parse("a,b\n1,2\n1,x\n", { schema: { b: "integer" } })).toThrow(
      /^the text: line 3, column 2 \(b\): "x" is not an integer up to 2⁵³$/,
    );
    expect(parse("a,b\n1,2\n1,x\n", { inferRows: 1 })).toThrow(
      /line 3, column 2 \(b\): "x" is not an integer up to 2⁵³ \(as the first 1 rows let expect; say schema: \{ "b": … \}/,
    );
    expect(parse("a\n9007199254740993\n", { schema: { a: "integer" } })).toThrow(
      /is not an integer up to 2⁵³/,
    );
    expect(parse('a,b\n1,2\n1,"x\n')).toThrow(/line 3: a quoted field without its end/);
    expect(parse('a,b\n1,2\n1,"x"y\n')).toThrow(/line 3: text behind the end of a quoted field/);
    expect(parse("a,a\n")).toThrow(/two columns are named "a"/);
    expect(parse("a\n", { schema: { z: "number" } })).toThrow(/columns that are not there: z; there are: a/);
    expect(parse("a\n", { schema: { a: "float" } })).toThrow(/column a has the type "float"; known: boolean/);
    expect(parse("a\n", { delimiter: "::" })).toThrow(/a delimiter is one character, got "::"/);
    expect(parse("a\n", { inferRows: 0 })).toThrow(/inferRows is a whole number from 1, got 0/);
  });

  it("with a quote that is never closed is refused before it fills the memory", async () => {
    let sent = 0;
    const endless = async function* (): AsyncGenerator<Uint8Array> {
      yield Buffer.from('a,b\n1,"');
      for (;;) {
        sent += 1 << 16;
        yield Buffer.alloc(1 << 16, "x");
      }
    };
    await expect(all(readCsv(endless(), { maxRow: 1 << 20 }))).rejects.toThrow(
      /line 2: a row of more than 1048576 characters; is a quote open\?/,
    );
    expect(sent).toBeLessThan(8 << 20);
  });

  it("of any text is read or refused with one error, the same in pieces", async () => {
    const text = fc.string({ unit: fc.constantFrom("a", "1", ",", '"', "\n", "\r\n", " "), maxLength: 40 });
    const outcome = async (read: () => Promise<unknown>): Promise<unknown> => {
      try {
        return await read();
      } catch (error) {
        expect((error as Error).name, (error as Error).stack).toBe("ValueError");
        return (error as Error).message.replace(/^the \w+: /, "");
      }
    };
    await fc.assert(
      fc.asyncProperty(text, fc.integer({ min: 1, max: 9 }), async (t, size) => {
        const whole = await outcome(async () => parseCsv(t));
        expect(await outcome(() => all(readCsv(pieces(Buffer.from(t), size))))).toEqual(whole);
      }),
      { numRuns: 500 },
    );
  });
});
