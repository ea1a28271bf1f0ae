/** Files of columns that were made to harm, or damaged: one error within the limits, and memory that stays bounded. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { library } from "../../../../test/support/built-library.js";
import { expectedFile } from "../../../../test/support/expected.js";

const { openParquet, readArrow, encodeArrow } = library.data;
const files = expectedFile<{ parquet: Record<string, string>; arrow: Record<string, string> }>(
  "formats/columns.json",
);
const limits = { megabytes: 64 };
/** Short, where it does not matter whether a file is refused for that. */
const tight = { ...limits, seconds: 5 };

/** Reads all; an error must be one of ours. */
async function readAll(bytes: Uint8Array): Promise<"read" | "refused"> {
  try {
    if (bytes[0] === 0x50) {
      using file = await openParquet(bytes, { limits: tight });
      for (let group = 0; group < file.groupCount; group++) await file.group(group);
    } else for (const row of await readArrow(bytes, { limits: tight })) void row;
    return "read";
  } catch (error) {
    expect((error as Error).name, (error as Error).stack).toBe("ValueError");
    expect((error as Error).message).toMatch(/^the bytes:? /);
    return "refused";
  }
}

/** Of thrift's compact protocol: 7 bits a byte. */
function varint(value: number): number[] {
  const out: number[] = [];
  for (let left = value; ; left = Math.floor(left / 128)) {
    if (left < 128) return [...out, left];
    out.push((left % 128) | 128);
  }
}
const i32 = (value: number) => [5, ...varint(value * 2)];
const i64 = (value: number) => [6, ...varint(value * 2)];
const binary = (text: string) => [8, ...varint(text.length), ...Buffer.from(text)];
const list = (items: number[][]) => [
  9,
  (items.length << 4) | items[0][0],
  ...items.flatMap(([, ...rest]) => rest),
];

/** Fields by number; each has its type in front. */
function struct(fields: Record<number, number[]>): number[] {
  const out: number[] = [];
  let last = 0;
  for (const [id, [type, ...rest]] of Object.entries(fields)) {
    out.push(((Number(id) - last) << 4) | type, ...rest);
    last = Number(id);
  }
  return [12, ...out, 0];
}

/** A Parquet file of one column of `rows` INT32, which its page has in a run of a few bytes. */
function forged(rows: number, size?: number): Uint8Array {
  const page = (type: number, body: number[], field: number, inner: Record<number, number[]>): number[] => {
    const header = { 1: i32(type), 2: i32(body.length), 3: i32(body.length), [field]: struct(inner) };
    return [...struct(header).slice(1), ...body];
  };
  const dictionary = page(2, [7, 0, 0, 0], 7, { 1: i32(1), 2: i32(0) });
  const run = [1, ...varint(rows * 2), 0]; // indices of 1 bit, so many times the first
  const values = page(0, run, 5, { 1: i32(rows), 2: i32(8), 3: i32(3), 4: i32(3) });
  const chunk = [...dictionary, ...values];
  const column = struct({
    1: i32(1),
    2: list([i32(8)]),
    3: list([binary("x")]),
    4: i32(0),
    5: i64(rows),
    6: i64(chunk.length),
    7: i64(size ?? chunk.length),
    9: i64(4 + dictionary.length),
    11: i64(4),
  });
  const group = struct({ 1: list([struct({ 2: i64(4), 3: column })]), 2: i64(chunk.length), 3: i64(rows) });
  const schema = list([
    struct({ 4: binary("schema"), 5: i32(1) }),
    struct({ 1: i32(1), 3: i32(0), 4: binary("x") }),
  ]);
  const footer = struct({ 1: i32(1), 2: schema, 3: i64(rows), 4: list([group]) }).slice(1);
  const length = Buffer.alloc(4);
  length.writeUInt32LE(footer.length);
  return Buffer.concat(
    ["PAR1", Buffer.from([...chunk, ...footer]), length, "PAR1"].map((part) => Buffer.from(part as string)),
  );
}

describe("files of columns from strangers", () => {
  it("are read as they are when nothing is wrong with them", async () => {
    const text = files.parquet.snappy;
    using plain = await openParquet(Buffer.from(text, "base64"));
    using careful = await openParquet(Buffer.from(text, "base64"), { limits, columns: ["i32"] });
    expect((await careful.at(30)).i32).toEqual((await plain.at(30)).i32);
    const arrow = Buffer.from(files.arrow.file, "base64");
    expect([...(await readArrow(arrow, { limits }))]).toEqual([...(await readArrow(arrow))]);
    await expect(readArrow(arrow, { limits: { megabytes: 1 } })).rejects.toThrow(
      /megabytes from 16, got 60, 1/,
    );
  });

  it("that hold a few rows in a run are read, that hold billions are refused", async () => {
    using file = await openParquet(forged(1000), { limits });
    expect(new Set((await file.group(0)).map(({ x }) => x))).toEqual(new Set([7]));
    expect(file.length).toBe(1000);
    using large = await openParquet(forged(2 ** 30 - 1), { limits: tight });
    await expect(large.group(0)).rejects.toThrow(
      /^the bytes: (reading it takes more than (5 s|64 MiB)|.*Invalid array length|.*it asks for)/,
    );
    await expect(openParquet(forged(1000, 2 ** 30))).rejects.toThrow(
      /row group 0 says column x has 1073741824 bytes from \d+ on; the file has \d+/,
    );
  });

  it("with any bytes changed end in rows or in one error", async () => {
    const sources = [files.parquet.none, files.parquet.gzip, files.arrow.file, files.arrow.stream].map(
      (text) => Buffer.from(text, "base64"),
    );
    const change = fc.record({
      file: fc.nat(sources.length - 1),
      // footers and metadata are where the counts are
      at: fc.oneof(
        fc.double({ min: 0, max: 0.999, noNaN: true }),
        fc.double({ min: 0.9, max: 0.999, noNaN: true }),
      ),
      bytes: fc.array(fc.oneof(fc.constantFrom(0, 1, 0x7f, 0x80, 0xff), fc.nat(255)), {
        minLength: 1,
        maxLength: 5,
      }),
    });
    await fc.assert(
      fc.asyncProperty(change, async ({ file, at, bytes }) => {
        const changed = Uint8Array.from(sources[file]);
        const from = 8 + Math.floor(at * (changed.length - 16 - bytes.length));
        changed.set(bytes, from);
        expect(["read", "refused"]).toContain(await readAll(changed));
      }),
      { numRuns: 5 },
    );
  });

  it("that say of a table more rows than it has are refused", async () => {
    const bytes = await encodeArrow({ x: new Int32Array(5) }, { form: "file" });
    let refused = 0;
    for (let at = 0; at + 8 <= bytes.length; at += 8) {
      const view = new DataView(bytes.buffer, bytes.byteOffset + at, 8);
      if (view.getBigInt64(0, true) !== 5n) continue;
      const changed = Uint8Array.from(bytes);
      new DataView(changed.buffer).setBigInt64(at, 2n ** 33n, true);
      if ((await readAll(changed)) === "refused") refused++;
    }
    expect(refused).toBeGreaterThan(0);
  });
});
