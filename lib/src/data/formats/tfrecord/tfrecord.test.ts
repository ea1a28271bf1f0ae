import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import fc from "fast-check";
import { afterAll, describe, expect, it } from "vitest";
import { expectedFile } from "../../../../test/support/expected.js";
import { data } from "../../../index.js";

const { decodeExample, encodeExample, encodeTfRecord, openTfRecords, readTfRecords, writeTfRecords } = data;

const folder = mkdtempSync(join(tmpdir(), "mlsys-tfrecord-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const made = (name: string): string =>
  fileURLToPath(new URL(`../../../../test/expected/formats/${name}`, import.meta.url));
const { payloads } = expectedFile<{ payloads: string[] }>("formats/tfrecord.json");

async function all<T>(items: AsyncIterable<T>): Promise<T[]> {
  const out: T[] = [];
  for await (const item of items) out.push(item);
  return out;
}
const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString("hex");

/** In pieces of so many bytes. */
async function* pieces(bytes: Uint8Array, size: number): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

describe("TFRecord files", () => {
  it("that TensorFlow wrote are read: plain, gzip, zlib; by position", async () => {
    expect((await all(readTfRecords(made("plain.tfrecord")))).map(hex)).toEqual(payloads);
    expect((await all(readTfRecords(made("gzip.tfrecord")))).map(hex)).toEqual(payloads);
    expect((await all(readTfRecords(made("zlib.tfrecord"), { compression: "zlib" }))).map(hex)).toEqual(
      payloads,
    );
    using file = openTfRecords(made("plain.tfrecord"));
    expect(file.length).toBe(payloads.length);
    expect([3, 0, 2, 1].map((i) => hex(file.at(i)))).toEqual([3, 0, 2, 1].map((i) => payloads[i]));
    expect([...file].map(hex)).toEqual(payloads);
    expect(() => file.at(4)).toThrow(/has records 0 to 3, got 4/);
  });

  it("are written as TensorFlow writes them", async () => {
    const path = join(folder, "a.tfrecord");
    const wanted = payloads.map((text) => Buffer.from(text, "hex"));
    expect(await writeTfRecords(path, wanted)).toBe(4);
    expect(readFileSync(path).equals(readFileSync(made("plain.tfrecord")))).toBe(true);
    for (const compression of ["gzip", "zlib"] as const) {
      await writeTfRecords(path, wanted, { compression });
      expect((await all(readTfRecords(path, { compression }))).map(hex)).toEqual(payloads);
    }
  });

  it("come the same in pieces of any size", async () => {
    const list = fc.array(fc.uint8Array({ maxLength: 40 }), { maxLength: 8 });
    await fc.assert(
      fc.asyncProperty(list, fc.integer({ min: 1, max: 60 }), async (records, size) => {
        const bytes = Buffer.concat(records.map(encodeTfRecord));
        expect((await all(readTfRecords(pieces(bytes, size)))).map(hex)).toEqual(records.map(hex));
        expect([...openTfRecords(bytes)].map(hex)).toEqual(records.map(hex));
      }),
    );
  });

  it("cut or damaged are named, with the record and its byte", async () => {
    const good = readFileSync(made("plain.tfrecord"));
    const starts = [0];
    for (const text of payloads) starts.push(starts[starts.length - 1] + text.length / 2 + 16);
    for (let cut = 0; cut < good.length; cut++) {
      const part = good.subarray(0, cut);
      const whole = starts.filter((start) => start <= cut).length - 1;
      const found: string[] = [];
      const read = async (): Promise<void> => {
        for await (const payload of readTfRecords(part)) found.push(hex(payload));
      };
      if (starts.includes(cut)) await read();
      else {
        const message = `the bytes: record ${whole} (at byte ${starts[whole]}) is cut: the file ends inside of it`;
        await expect(read()).rejects.toThrow(message);
        expect(() => openTfRecords(part)).toThrow(message);
      }
      expect(found).toEqual(payloads.slice(0, whole));
    }
    for (let at = 0; at < good.length; at++) {
      const bytes = Buffer.from(good);
      bytes[at] ^= 4;
      const record = starts.findLastIndex((start) => start <= at);
      await expect(all(readTfRecords(bytes)), `byte ${at}`).rejects.toThrow(
        new RegExp(`record ${record} \\(at byte ${starts[record]}\\)(:| is damaged)`),
      );
    }
    const zipped = readFileSync(made("gzip.tfrecord"));
    await expect(all(readTfRecords(zipped.subarray(0, 300)))).rejects.toThrow(
      /its gzip data are damaged or cut/,
    );
    await expect(all(readTfRecords(good, { compression: "zlib" }))).rejects.toThrow(
      /its zlib data are damaged/,
    );
  });

  it("with hostile lengths ask for nothing", async () => {
    const head = encodeTfRecord(new Uint8Array(0)).subarray(0, 12);
    head.writeBigUInt64LE(2n ** 62n);
    const crc = data.crc32c(head.subarray(0, 8));
    head.writeUInt32LE((((crc >>> 15) | (crc << 17)) + 0xa282ead8) >>> 0, 8);
    await expect(all(readTfRecords(head))).rejects.toThrow(
      /record 0 \(at byte 0\) has 46116860184273\d+ bytes; at most 1073741824/,
    );
    expect(() => openTfRecords(head)).toThrow(/at most 1073741824/);
    const path = join(folder, "none.tfrecord");
    writeFileSync(path, "");
    expect(openTfRecords(path).length).toBe(0);
    expect(await all(readTfRecords(path))).toEqual([]);
  });
});

describe("tf.train.Example", () => {
  const [first, second, third, fourth] = payloads.map((text) => decodeExample(Buffer.from(text, "hex")));

  it("of TensorFlow is read", () => {
    expect(first.label).toEqual({ kind: "int64", values: BigInt64Array.of(7n) });
    expect(first.x).toEqual({ kind: "float", values: Float32Array.of(0.5, -1.25, 3e38) });
    expect(Array.from(first.image.values[0] as Uint8Array)).toEqual(Array.from({ length: 256 }, (_, i) => i));
    expect(Array.from(second.label.values as BigInt64Array)).toEqual([
      -1n,
      0n,
      2n ** 63n - 1n,
      -(2n ** 63n),
      300n,
      2n ** 28n,
      2n ** 35n,
    ]);
    expect((second.words.values as Uint8Array[]).map((b) => Buffer.from(b).toString())).toEqual([
      "é",
      "",
      "two",
    ]);
    expect(third.empty).toEqual({ kind: "int64", values: new BigInt64Array(0) });
    expect(third.none.kind).toBe("none");
    expect(third.nan.values).toEqual(Float32Array.of(Number.NaN, Number.POSITIVE_INFINITY));
    expect(fourth).toEqual({});
  });

  it("is written as TensorFlow writes it, names in order", () => {
    for (const [i, example] of [first, second, third, fourth].entries()) {
      const names = Object.keys(example).sort();
      expect(hex(encodeExample(Object.fromEntries(names.map((n) => [n, example[n]]))))).toBe(payloads[i]);
    }
  });

  it("keeps text, bytes, floats, integers of any name and size", () => {
    const feature = fc.oneof(
      fc.array(fc.uint8Array({ maxLength: 9 }), { minLength: 1, maxLength: 4 }),
      fc.array(fc.float(), { minLength: 1, maxLength: 9 }),
      fc.array(fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }), { minLength: 1, maxLength: 9 }),
    );
    const name = fc.oneof(fc.string({ unit: "grapheme" }), fc.constantFrom("__proto__", "constructor", "7"));
    fc.assert(
      fc.property(fc.array(fc.tuple(name, feature), { maxLength: 5 }), (entries) => {
        const input: Record<string, data.FeatureInput> = Object.create(null) as Record<
          string,
          data.FeatureInput
        >;
        for (const [key, value] of entries) input[key] = value as data.FeatureInput;
        const found = decodeExample(encodeExample(input));
        expect(Object.keys(found).sort()).toEqual(Object.keys(input).sort());
        for (const key of Object.keys(input)) {
          const values = Array.from(found[key].values as ArrayLike<unknown>);
          expect(values).toEqual(input[key]);
        }
      }),
    );
    expect(() => encodeExample({ x: [1, "a"] as never })).toThrow(
      /feature x is a list of .* got number, string/,
    );
    expect(() => encodeExample({ x: null as never })).toThrow(/feature x can't be made from null/);
  });

  it("of any other bytes is refused with one error, or read", () => {
    const good = Buffer.from(payloads[1], "hex");
    const mutated = fc
      .array(fc.tuple(fc.nat(good.length - 1), fc.nat(255)), { minLength: 1, maxLength: 4 })
      .map((changes) => {
        const bytes = Buffer.from(good);
        for (const [at, value] of changes) bytes[at] = value;
        return bytes;
      });
    fc.assert(
      fc.property(fc.oneof(mutated, fc.uint8Array({ maxLength: 60 })), (bytes) => {
        try {
          decodeExample(bytes);
        } catch (error) {
          expect((error as Error).name, String((error as Error).message)).toBe("ValueError");
          expect((error as Error).message).toMatch(/^decodeExample: /);
        }
      }),
      { numRuns: 3000 },
    );
  });
});
