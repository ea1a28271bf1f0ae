import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import fc from "fast-check";
import { afterAll, describe, expect, it } from "vitest";
import { data } from "../../index.js";

const { readJsonLines, writeJsonLines } = data;

const folder = mkdtempSync(join(tmpdir(), "mlsys-jsonl-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

async function* pieces(bytes: Uint8Array, size: number): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

async function all<T>(items: AsyncIterable<T>): Promise<T[]> {
  const out: T[] = [];
  for await (const item of items) out.push(item);
  return out;
}

describe("JSON Lines", () => {
  it("give back what was written, from a file and in pieces of any size, compressed or not", async () => {
    const path = join(folder, "a.jsonl");
    const value = fc.jsonValue().map((v) => JSON.parse(JSON.stringify(v)) as unknown);
    await fc.assert(
      fc.asyncProperty(
        fc.array(value, { maxLength: 6 }),
        fc.integer({ min: 1, max: 30 }),
        async (values, size) => {
          expect(await writeJsonLines(path, values)).toBe(values.length);
          expect(await all(readJsonLines(path))).toEqual(values);
          const bytes = readFileSync(path);
          expect(await all(readJsonLines(pieces(bytes, size)))).toEqual(values);
          expect(await all(readJsonLines(gzipSync(bytes)))).toEqual(values);
        },
      ),
      { numRuns: 50 },
    );
  });

  it("pass over empty lines, and need no line end at the end", async () => {
    expect(await all(readJsonLines(Buffer.from('\ufeff1\r\n\r\n  \n"a"\n[2]')))).toEqual([1, "a", [2]]);
    expect(await all(readJsonLines(Buffer.from("")))).toEqual([]);
  });

  it("name the line that is none; it may be left out", async () => {
    const bytes = Buffer.from('{"a": 1}\n{"a": x}\n{"a"\n\n3\n');
    await expect(all(readJsonLines(bytes))).rejects.toThrow(/^the bytes: line 2: no JSON.*\{"a": x\}/);
    expect(await all(readJsonLines(bytes, { badLine: "skip" }))).toEqual([{ a: 1 }, 3]);
    const bad: string[] = [];
    expect(
      await all(readJsonLines(bytes, { badLine: ({ line, text }) => bad.push(`${line} ${text}`) })),
    ).toEqual([{ a: 1 }, 3]);
    expect(bad).toEqual(['2 {"a": x}', '3 {"a"']);
    await expect(writeJsonLines(join(folder, "b.jsonl"), [1, undefined])).rejects.toThrow(
      /value 1 is of type undefined, which JSON can't hold/,
    );
  });

  it("without line ends are refused before they fill the memory", async () => {
    const endless = async function* (): AsyncGenerator<Uint8Array> {
      for (;;) yield Buffer.alloc(1 << 16, "1");
    };
    await expect(all(readJsonLines(endless(), { maxLine: 1 << 20 }))).rejects.toThrow(
      /line 1 has more than 1048576 characters; is this JSON Lines\?/,
    );
  });
});
