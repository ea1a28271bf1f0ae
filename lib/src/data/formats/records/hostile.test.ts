/** Record files made to harm: their checksums are right, their numbers are not. */
import fc from "fast-check";
import { describe, expect, it, vi } from "vitest";
import { data } from "../../../index.js";

const { crc32c, encodeRecords, inspectRecords, openRecords } = data;

const schema = { id: "int32", name: "string", x: { dtype: "float64", shape: [null, null] } } as const;
const good = encodeRecords(
  schema,
  Array.from({ length: 12 }, (_, id) => ({
    id,
    name: "n".repeat(id),
    x: { dtype: "float64" as const, shape: [1, id], data: new Float64Array(id) },
  })),
  { groupRows: 5, pageBytes: 512 },
);
const { groups } = inspectRecords(good);

/** Checksums of everything, computed anew over what is there. */
function sign(bytes: Buffer): void {
  const header = bytes.readUInt32LE(8);
  if (16 + header <= bytes.length) bytes.writeUInt32LE(crc32c(bytes.subarray(16, 16 + header)), 12);
  for (const { offset, end, scalarBytes, blobBytes, pages } of groups) {
    const blobAt = end - Math.ceil(blobBytes / 8) * 8;
    const scalarAt = blobAt - Math.ceil(scalarBytes / 8) * 8;
    let page = 0;
    for (const [at, size] of [
      [scalarAt, scalarBytes],
      [blobAt, blobBytes],
    ])
      for (let from = 0; from < size; from += 512)
        bytes.writeUInt32LE(
          crc32c(bytes.subarray(at + from, at + Math.min(size, from + 512))),
          offset + 40 + 4 * page++,
        );
    expect(page).toBe(pages);
    bytes.writeUInt32LE(crc32c(bytes.subarray(offset + 8, scalarAt)), offset + 4);
  }
  const tail = bytes.length - 48;
  const footer = groups[groups.length - 1].end;
  bytes.writeUInt32LE(crc32c(bytes.subarray(footer, tail)), tail + 24);
  bytes.writeUInt32LE(crc32c(bytes.subarray(tail, tail + 28)), tail + 28);
}

/** Reads what can be read; all that may come is a ValueError, and no more memory than the file's size is asked for at once. */
function readAll(bytes: Uint8Array): void {
  const asked: number[] = [];
  const spies = (["allocUnsafe", "allocUnsafeSlow", "alloc"] as const).map((name) => {
    const real = Buffer[name].bind(Buffer);
    return vi.spyOn(Buffer, name).mockImplementation((size: number, ...rest: never[]) => {
      asked.push(size);
      if (size > 1e6) throw new Error(`asked for ${size} bytes`);
      return real(size, ...rest);
    });
  });
  try {
    const file = openRecords(bytes);
    inspectRecords(bytes, { verify: true }).toString();
    for (let i = 0; i < Math.min(file.length, 20); i++) {
      try {
        file.at(i);
      } catch (error) {
        expect((error as Error).name, (error as Error).message).toBe("ValueError");
      }
    }
    for (const _ of file.records(0, 100));
    for (const _ of file.find("id", { from: 3 } as never));
  } catch (error) {
    expect((error as Error).name, (error as Error).message).toBe("ValueError");
  } finally {
    for (const spy of spies) spy.mockRestore();
  }
  expect(Math.max(0, ...asked)).toBeLessThan(2 * bytes.length + 10_000);
}

const word = fc.oneof(
  fc.constantFrom(0, 1, 2, 7, 0x7fffffff, 0x80000000, 0xfffffff8, 0xffffffff),
  fc.integer({ min: 0, max: 2 ** 32 - 1 }),
);

describe("hostile record files", () => {
  it("with any numbers in place of theirs, rightly signed, are read or refused in bounded memory", () => {
    readAll(good);
    const change = fc.tuple(fc.nat(good.length / 4 - 1), word);
    fc.assert(
      fc.property(fc.array(change, { minLength: 1, maxLength: 3 }), (changes) => {
        const bytes = Buffer.from(good);
        for (const [at, value] of changes) bytes.writeUInt32LE(value, 4 * at);
        sign(bytes);
        readAll(bytes);
      }),
      { numRuns: 3000 },
    );
  });

  it("with a header of any JSON are refused or read", () => {
    const start = JSON.parse(good.slice(16, 16 + Buffer.from(good).readUInt32LE(8)).toString()) as object;
    const odd = fc.oneof(fc.jsonValue(), fc.constantFrom(null, [], {}, -1, 1e300, "float32", "__proto__"));
    fc.assert(
      fc.property(
        fc.constantFrom("", ...Object.keys(start), "a"),
        odd,
        fc.boolean(),
        (key, value, inside) => {
          const json: unknown =
            key === "" ? value : { ...start, [key]: inside ? { a: value, id: value, of: value } : value };
          const text = Buffer.from(JSON.stringify(json));
          const header = Buffer.alloc(Math.ceil((16 + text.length) / 8) * 8);
          header.set(good.subarray(0, 8));
          header.writeUInt32LE(text.length, 8);
          header.writeUInt32LE(crc32c(text), 12);
          header.set(text, 16);
          readAll(Buffer.concat([header, good.subarray(groups[0].offset)]));
        },
      ),
      { numRuns: 1000 },
    );
  });

  it("of random bytes are refused", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), fc.boolean(), (bytes, marked) => {
        readAll(marked ? Buffer.concat([good.subarray(0, 8), bytes]) : bytes);
      }),
      { numRuns: 1000 },
    );
  });
});
