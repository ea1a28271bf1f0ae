import { mkdtempSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, describe, expect, it } from "vitest";
import { expectedFile } from "../../test/support/expected.js";
import {
  DTYPES,
  heapStats,
  MlsysError,
  nn,
  optim,
  resetPeak,
  type Tensor,
  tensor,
  train,
  zeros,
} from "../index.js";

const { decodeSafetensors, encodeSafetensors, loadSafetensors, readSafetensorsHeader, saveSafetensors } =
  train;

const folder = mkdtempSync(join(tmpdir(), "mlsys-safetensors-"));
afterAll(() => rmSync(folder, { recursive: true }));
const expectedPath = (name: string) => new URL(`../../test/expected/${name}`, import.meta.url).pathname;

/** A file of this header and these elements. */
function fileOf(header: unknown, elements = new Uint8Array(0), claimed?: bigint): Uint8Array {
  const text = new TextEncoder().encode(typeof header === "string" ? header : JSON.stringify(header));
  const out = new Uint8Array(8 + text.length + elements.length);
  new DataView(out.buffer).setBigUint64(0, claimed ?? BigInt(text.length), true);
  out.set(text, 8);
  out.set(elements, 8 + text.length);
  return out;
}

const describeTensor = (t: Tensor) => ({
  dtype: t.dtype,
  shape: [...t.shape],
  values: Array.from(t.toTypedArray()),
});
const plain = (tensors: ReadonlyMap<string, Tensor>) =>
  new Map([...tensors].map(([name, t]) => [name, describeTensor(t)]));

/** What mlsys.safetensors holds. */
const ours = () => ({
  weight: tensor([
    [0.1, -2],
    [3e38, 1e-45],
  ]),
  double: tensor([1 / 3, Number.POSITIVE_INFINITY, 5e-324], { dtype: "float64" }),
  scalar: tensor(-7, { dtype: "int32" }),
  short: tensor([[-32768], [32767]], { dtype: "int16" }),
  signed: tensor([-128, 127], { dtype: "int8" }),
  bytes: tensor([0, 255, 3], { dtype: "uint8" }),
  mask: tensor([true, false]),
  empty: zeros([0, 4]),
  "größe ✓": tensor([2.5]),
});

describe("safetensors and Python", () => {
  it("reads Python's file", async () => {
    const found = await loadSafetensors(expectedPath("python.safetensors"));
    expect(Object.fromEntries(plain(found))).toEqual({
      weight: { dtype: "float32", shape: [2, 3], values: [0, 0.25, 0.5, 0.75, 1, 1.25] },
      double: { dtype: "float64", shape: [4], values: [1 / 3, -0, Number.POSITIVE_INFINITY, 5e-324] },
      scalar: { dtype: "int32", shape: [], values: [7] },
      short: { dtype: "int16", shape: [2, 1], values: [-32768, 32767] },
      signed: { dtype: "int8", shape: [2], values: [-128, 127] },
      bytes: { dtype: "uint8", shape: [3], values: [0, 255, 3] },
      mask: { dtype: "bool", shape: [3], values: [1, 0, 1] },
      empty: { dtype: "float32", shape: [0, 4], values: [] },
      "größe ✓": { dtype: "float32", shape: [1], values: [2.5] },
    });
    const header = await readSafetensorsHeader(expectedPath("python.safetensors"));
    expect(header.metadata).toEqual({ format: "np", note: "écrit par Python" });
    expect(header.tensors.get("short")).toEqual({ dtype: "int16", shape: [2, 1] });
  });

  it("writes, byte for byte, the file that Python read", () => {
    const bytes = encodeSafetensors(ours(), { note: "écrit ici" });
    expect(Buffer.from(bytes).equals(readFileSync(expectedPath("mlsys.safetensors")))).toBe(true);
    const read = expectedFile<{
      metadata: object;
      tensors: Record<string, { dtype: string; shape: number[]; values: string[] }>;
    }>("mlsys-read.json");
    expect(read.metadata).toEqual({ note: "écrit ici" });
    const number = (text: string) =>
      ({ True: 1, False: 0, inf: Number.POSITIVE_INFINITY })[text] ?? Number(text);
    const byPython = Object.entries(read.tensors).map(([name, t]) => [
      name,
      { dtype: t.dtype, shape: t.shape, values: t.values.map(number) },
    ]);
    expect(Object.fromEntries(byPython)).toEqual(Object.fromEntries(plain(new Map(Object.entries(ours())))));
  });
});

describe("safetensors round trips", () => {
  it("of any tensors", () => {
    const entry = fc.record({
      name: fc.oneof(fc.string(), fc.constantFrom("__proto__", "constructor", "0", "10", "toString", "")),
      dtype: fc.constantFrom(...DTYPES),
      shape: fc.array(fc.integer({ min: 0, max: 3 }), { maxLength: 4 }),
      seed: fc.integer({ min: 0, max: 255 }),
    });
    fc.assert(
      fc.property(fc.uniqueArray(entry, { selector: (e) => e.name, maxLength: 5 }), (entries) => {
        const tensors = new Map(
          entries
            .filter(({ name }) => name !== "__metadata__")
            .map(({ name, dtype, shape, seed }): [string, Tensor] => {
              const size = shape.reduce((a, b) => a * b, 1);
              const values = Float64Array.from({ length: size }, (_, i) => (seed * (i + 1)) % 120);
              return [name, tensor(values, { shape, dtype })];
            }),
        );
        const back = decodeSafetensors(encodeSafetensors(tensors, { a: "b" }));
        expect([...plain(back)].sort()).toEqual([...plain(tensors)].sort());
      }),
      { numRuns: 100 },
    );
  });

  it("of views, and of bytes that start anywhere", () => {
    const x = tensor([
      [1, 2],
      [3, 4],
    ]);
    const bytes = encodeSafetensors({ t: x.transpose(), row: x.at(1) });
    const moved = new Uint8Array(bytes.length + 3);
    moved.set(bytes, 3);
    const back = decodeSafetensors(moved.subarray(3));
    expect(back.get("t")?.toArray()).toEqual([
      [1, 3],
      [2, 4],
    ]);
    expect(back.get("row")?.toArray()).toEqual([3, 4]);
  });

  it("of a model and its optimizer: training goes on as if there had been no break", async () => {
    const make = () => {
      const model = new nn.Sequential(
        new nn.Dense(3, 4),
        new nn.BatchNorm(4),
        new nn.ReLU(),
        new nn.Dense(4, 2),
      );
      return { model, adam: new optim.Adam(model, { lr: 0.01 }) };
    };
    const x = tensor([
      [1, 2, 3],
      [-1, 0, 2],
      [0, 1, -2],
    ]);
    const step = ({ model, adam }: ReturnType<typeof make>): void => {
      model.zeroGrad();
      model.forward(x).square().mean().backward();
      adam.step();
    };
    const first = make();
    for (let i = 0; i < 3; i++) step(first);
    const file = join(folder, "deep/er/model.safetensors");
    await saveSafetensors(file, first.model.stateDict(), { epoch: "3" });
    await saveSafetensors(join(folder, "adam.safetensors"), first.adam.stateDict());
    for (let i = 0; i < 3; i++) step(first);

    const second = make();
    second.model.loadStateDict(await loadSafetensors(file));
    second.adam.loadStateDict(await loadSafetensors(join(folder, "adam.safetensors")));
    for (let i = 0; i < 3; i++) step(second);
    expect(plain(second.model.stateDict())).toEqual(plain(first.model.stateDict()));
    expect((await readSafetensorsHeader(file)).metadata).toEqual({ epoch: "3" });
    expect(readdirSync(join(folder, "deep/er"))).toEqual(["model.safetensors"]); // nothing partial is left
  });

  it("leave the old file whole when they fail", async () => {
    const file = join(folder, "kept.safetensors");
    await saveSafetensors(file, { a: tensor([1]) });
    const gone = tensor([2]);
    gone.dispose();
    await expect(saveSafetensors(file, { a: gone })).rejects.toThrow(/dispose/);
    await expect(saveSafetensors(file, { __metadata__: tensor([1]) })).rejects.toThrow(/cannot be named/);
    expect((await loadSafetensors(file)).get("a")?.toArray()).toEqual([1]);
    await expect(saveSafetensors(folder, { a: tensor([1]) })).rejects.toThrow(
      /EISDIR|EEXIST|ENOTEMPTY|EPERM/,
    );
    expect(readdirSync(tmpdir()).filter((name) => name.endsWith(".partial"))).toEqual([]);
  });
});

describe("damaged and hostile files", () => {
  const entry = (from: number, to: number, shape = [(to - from) / 4], dtype = "F32") => ({
    dtype,
    shape,
    data_offsets: [from, to],
  });
  const eight = new Uint8Array(8);
  const CASES: Record<string, [Uint8Array, RegExp]> = {
    "no bytes": [new Uint8Array(0), /not a safetensors file: it has 0 bytes/],
    "less than a length": [new Uint8Array(7), /it has 7 bytes/],
    "a header longer than the file": [
      fileOf({}, eight, 100n),
      /claims a header of 100 bytes in a file of 18/,
    ],
    "a header of 2⁶⁴ − 1 bytes": [
      fileOf({}, eight, 2n ** 64n - 1n),
      /claims a header of 18446744073709551615/,
    ],
    "no JSON": [fileOf("{nope"), /the header is not JSON/],
    "no UTF-8": [fileOf("{}").map((b, i) => (i === 8 ? 0xff : b)), /the header is not JSON/],
    "an array": [fileOf([]), /not a JSON object/],
    null: [fileOf("null"), /not a JSON object/],
    "deep nesting": [
      fileOf(`{"a":${"[".repeat(200_000)}${"]".repeat(200_000)}}`),
      /entry of "a" is malformed/,
    ],
    "metadata that is no text": [
      fileOf({ __metadata__: { a: 1 } }),
      /__metadata__ must map names to strings/,
    ],
    "an entry that is null": [fileOf({ a: null }), /entry of "a" is malformed/],
    "a negative size": [fileOf({ a: entry(0, 8, [-2]) }, eight), /malformed/],
    "a fraction": [fileOf({ a: entry(0, 8, [2.5]) }, eight), /malformed/],
    "one offset": [fileOf({ a: { ...entry(0, 8), data_offsets: [0] } }, eight), /malformed/],
    "an unknown dtype": [
      fileOf({ a: entry(0, 8, [4], "F8_E4M3") }, eight),
      /"a" has dtype F8_E4M3; this library has F64/,
    ],
    "a dtype of Object": [fileOf({ a: entry(0, 8, [2], "constructor") }, eight), /has dtype constructor/],
    "a huge shape": [fileOf({ a: entry(0, 8, [2 ** 40, 2 ** 12]) }, eight), /but has 8 bytes/],
    "a shape past all numbers": [
      fileOf({ a: entry(0, 8, Array(40).fill(2 ** 50)) }, eight),
      /but has 8 bytes/,
    ],
    "ends before it starts": [fileOf({ a: entry(8, 0, [0]) }, eight), /but has -8 bytes/],
    overlaps: [
      fileOf({ a: entry(0, 8), b: entry(4, 12) }, new Uint8Array(12)),
      /"b" starts at byte 4, expected 8/,
    ],
    "one range twice": [
      fileOf({ a: entry(0, 8), b: entry(0, 8) }, eight),
      /"b" starts at byte 0, expected 8/,
    ],
    "a gap": [
      fileOf({ a: entry(0, 4), b: entry(8, 12) }, new Uint8Array(12)),
      /"b" starts at byte 8, expected 4/,
    ],
    "a gap at the front": [fileOf({ a: entry(4, 8) }, eight), /"a" starts at byte 4, expected 0/],
    "cut short": [fileOf({ a: entry(0, 8) }, eight.subarray(4)), /elements take 8 bytes, the file has 4/],
    "more than it says": [fileOf({ a: entry(0, 4) }, eight), /elements take 4 bytes, the file has 8/],
    "a terabyte": [
      fileOf({ a: entry(0, 2 ** 40) }, eight),
      /elements take 1099511627776 bytes, the file has 8/,
    ],
    "a name as long as a book": [
      fileOf({ ["x".repeat(100_000)]: null }),
      /^safetensors: the entry of "x{80}…" is malformed[^x]*$/,
    ],
  };

  it.each(Object.entries(CASES))("%s", async (_, [bytes, message]) => {
    resetPeak();
    const before = heapStats().peakBytes;
    let caught: unknown;
    try {
      decodeSafetensors(bytes);
    } catch (error) {
      caught = error;
    }
    expect(caught).toBeInstanceOf(MlsysError);
    expect((caught as Error).message).toMatch(message);
    expect((caught as Error).message.length).toBeLessThan(400);
    const file = join(folder, "damaged.safetensors");
    writeFileSync(file, bytes);
    await expect(loadSafetensors(file)).rejects.toThrow(
      `${file}${(caught as Error).message.slice("safetensors".length)}`,
    );
    expect(heapStats().peakBytes).toBe(before); // no tensor memory was asked for
  });

  it("are all refused when cut anywhere", () => {
    const whole = readFileSync(expectedPath("python.safetensors"));
    for (let length = 0; length < whole.length; length++)
      expect(() => decodeSafetensors(whole.subarray(0, length)), `cut at ${length}`).toThrow(MlsysError);
  });

  it("are refused, or are files of as many bytes, whatever the header says", () => {
    const number = fc.oneof(fc.constantFrom(0, 4, 8, 16, -1, 2 ** 53, 1e308, 0.5), fc.integer());
    const found = fc.oneof(
      fc.record({
        dtype: fc.oneof(fc.constantFrom("F32", "F64", "BOOL", "F16"), fc.jsonValue()),
        shape: fc.oneof(fc.array(number, { maxLength: 3 }), fc.jsonValue()),
        data_offsets: fc.oneof(fc.tuple(number, number), fc.jsonValue()),
      }),
      fc.jsonValue(),
    );
    fc.assert(
      fc.property(
        fc.dictionary(fc.string({ maxLength: 3 }), found, { maxKeys: 4 }),
        fc.uint8Array({ maxLength: 24 }),
        (header, elements) => {
          const before = heapStats().committedBytes;
          try {
            const tensors = decodeSafetensors(fileOf(header, elements));
            const bytes = [...tensors.values()].reduce((sum, t) => sum + t.toTypedArray().byteLength, 0);
            expect(bytes).toBe(elements.length);
          } catch (error) {
            if (!(error instanceof MlsysError)) throw error;
          }
          expect(heapStats().committedBytes).toBe(before);
        },
      ),
      { numRuns: 500 },
    );
  });

  it("are refused, or read, when bytes of a good file are changed", () => {
    const good = readFileSync(expectedPath("python.safetensors"));
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.nat(good.length - 1), fc.nat(255)), { minLength: 1, maxLength: 4 }),
        (changes) => {
          const bytes = Uint8Array.from(good);
          for (const [at, value] of changes) bytes[at] = value;
          try {
            decodeSafetensors(bytes);
          } catch (error) {
            if (!(error instanceof MlsysError)) throw error;
          }
        },
      ),
      { numRuns: 500 },
    );
  });

  it("say so when the file shrinks while it is read", async () => {
    const file = join(folder, "shrinking.safetensors");
    await saveSafetensors(file, { a: zeros([300_000]) });
    const reading = loadSafetensors(file);
    truncateSync(file, 1000);
    await expect(reading).rejects.toThrow(MlsysError);
  });
});
