import { createHash } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import fc from "fast-check";
import { afterAll, describe, expect, it } from "vitest";
import { expectedFile } from "../../../../test/support/expected.js";
import { data } from "../../../index.js";
import { LONG } from "./tokenizer.js";

const { BpeTokenizer, loadTokenizer, saveTokenizer, tokenizerFromJson, tokenizerToJson, trainBpe } = data;

const folder = mkdtempSync(join(tmpdir(), "mlsys-bpe-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

interface Expected {
  readonly cases: { text: string; ids: number[]; kept: string }[];
  readonly parts: { ids: number[]; text: string }[];
  readonly small: { documents: string[]; size: number; least: number; merges: [string, string][] }[];
  readonly large: { count: number; sha256: string };
}
const expected = expectedFile<Expected>("formats/bpe.json");
const path = fileURLToPath(new URL("../../../../test/expected/formats/moby-bpe.json", import.meta.url));
const theirs = await loadTokenizer(path);

const moby = await data.mobyDick();
const documents = (): string[] => {
  const half = Math.floor([...moby].length / 2); // by characters, as Python counts
  const all = [...moby];
  return [all.slice(0, half).join(""), all.slice(half).join("")];
};

describe("byte-level BPE", () => {
  it("gives Hugging Face's ids for texts of all scripts, spaces, broken and special tokens", () => {
    expect(expected.cases.length).toBeGreaterThan(400);
    for (const { text, ids, kept } of expected.cases) {
      expect(theirs.encode(text), JSON.stringify(text)).toEqual(ids);
      expect(theirs.decode(ids, { skipSpecial: false })).toBe(kept);
    }
  });

  it("decodes any ids as Hugging Face's does, halves of characters included", () => {
    for (const { ids, text } of expected.parts) expect(theirs.decode(ids), String(ids)).toBe(text);
  });

  it("learns Hugging Face's merges and vocabulary from Moby-Dick", () => {
    const texts = documents();
    const ours = trainBpe(texts, { vocabSize: 2000, specialTokens: ["<|endoftext|>", "<|end|>"] });
    expect(ours.model.merges).toEqual(theirs.model.merges);
    expect([...ours.model.vocabulary].sort((a, b) => a[1] - b[1])).toEqual(
      [...theirs.model.vocabulary].sort((a, b) => a[1] - b[1]),
    );
    const large = trainBpe(texts, { vocabSize: 8000 }).model.merges;
    expect(large.length).toBe(expected.large.count);
    const text = large.map((merge) => merge.join(" ")).join("\n");
    expect(createHash("sha256").update(text).digest("hex")).toBe(expected.large.sha256);
  });

  it("learns Hugging Face's merges where ties, repeats and rare pairs decide", () => {
    for (const { documents: texts, size, least, merges } of expected.small) {
      const found = trainBpe(texts, { vocabSize: size, minFrequency: least, specialTokens: ["<s>"] });
      expect(found.model.merges, JSON.stringify(texts)).toEqual(merges);
    }
  });

  it("gives back any text", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary", maxLength: 60 }), (text) => {
        const wellFormed = Buffer.from(text).toString();
        expect(theirs.decode(theirs.encode(text), { skipSpecial: false })).toBe(wellFormed);
      }),
    );
  });

  it("merges long words as it does short ones", () => {
    const longWord = fc.array(fc.constantFrom("the", "oce", "an", "a", "aa", "e", "sh", "whale"), {
      minLength: 1,
      maxLength: 40,
    });
    const slow = (ids: number[]): number[] => {
      const rank = new Map(theirs.model.merges.map(([a, b], i) => [`${theirs.id(a)} ${theirs.id(b)}`, i]));
      const out = [...ids];
      for (;;) {
        const ranks = out.slice(1).map((id, i) => rank.get(`${out[i]} ${id}`) ?? Number.POSITIVE_INFINITY);
        const best = Math.min(Number.POSITIVE_INFINITY, ...ranks);
        if (best === Number.POSITIVE_INFINITY) return out;
        const at = ranks.indexOf(best);
        const [left, right] = theirs.model.merges[best];
        out.splice(at, 2, theirs.id(left + right) as number);
      }
    };
    fc.assert(
      fc.property(longWord, (parts) => {
        const word = parts.join("");
        expect(theirs.encode(word)).toEqual(slow(Array.from(word, (c) => theirs.id(c) as number)));
      }),
      { numRuns: 60 },
    );
    expect(LONG).toBeLessThan(100);
    const million = "ocean".repeat(40_000);
    expect(theirs.decode(theirs.encode(million))).toBe(million);
  });

  it("is kept in tokenizer.json, and read from older ones", async () => {
    const file = join(folder, "tokenizer.json");
    const learned = trainBpe(["the ocean, the whale, the ship"], {
      vocabSize: 280,
      specialTokens: ["<s>", "<s>a"],
    });
    await saveTokenizer(file, learned);
    const read = await loadTokenizer(file);
    expect(read.model).toEqual({
      ...learned.model,
      addPrefixSpace: false,
      ignoreMerges: false,
      normalize: [],
    });
    expect(read.encode("<s>the<s>a")).toEqual([0, ...learned.encode("the"), 1]);
    const json = JSON.parse(tokenizerToJson(learned)) as { model: { merges: unknown }; normalizer: unknown };
    json.model.merges = learned.model.merges.map((merge) => merge.join(" "));
    json.normalizer = { type: "Sequence", normalizers: [{ type: "NFKC" }, { type: "Lowercase" }] };
    const older = tokenizerFromJson(JSON.stringify(json));
    expect(older.model.merges).toEqual(learned.model.merges);
    expect(older.encode("ＴＨＥ ocean")).toEqual(learned.encode("the ocean"));
  });

  it("says what it can't read, and what is wrong", () => {
    const good = JSON.parse(tokenizerToJson(trainBpe(["ab ab"], { vocabSize: 257 }))) as Record<
      string,
      never
    >;
    const changed =
      (change: object, model: object = {}) =>
      () =>
        tokenizerFromJson(
          JSON.stringify({ ...good, ...change, model: { ...(good.model as object), ...model } }),
          "t.json",
        );
    expect(() => tokenizerFromJson("{", "t.json")).toThrow(/^t\.json is no JSON/);
    expect(changed({}, { type: "WordPiece" })).toThrow(/model\.type is "WordPiece"; wanted "BPE"/);
    expect(changed({}, { unk_token: "x" })).toThrow(/model\.unk_token is "x"; wanted null/);
    expect(changed({ pre_tokenizer: { type: "Whitespace" } })).toThrow(/pre_tokenizer is .*Whitespace/);
    expect(changed({ post_processor: { type: "TemplateProcessing" } })).toThrow(
      /post_processor\.type is "Template/,
    );
    expect(changed({ normalizer: { type: "Strip" } })).toThrow(/normalizer\.type is "Strip"; wanted NFC/);
    expect(changed({}, { merges: ["a"] })).toThrow(/model\.merges\[0\] is "a"; wanted a pair of tokens/);
    expect(changed({}, { merges: [["a", "zz"]] })).toThrow(
      /merge 0 \("a" with "zz"\) needs "zz", which is not/,
    );
    expect(changed({}, { vocab: { a: 1.5 } })).toThrow(/model\.vocab\["a"\] is 1\.5; wanted a whole number/);
    expect(changed({}, { vocab: { a: 1, b: 1 } })).toThrow(/tokens "a" and "b" share the id 1/);
    expect(() => theirs.decode([2000])).toThrow(/no token has the id 2000; there are 2000/);
    expect(() => trainBpe([], { vocabSize: 255 })).toThrow(/vocabSize is a whole number from 256/);
    const small = new BpeTokenizer({ vocabulary: new Map([["a", 0]]), merges: [] });
    expect(() => small.encode("ab")).toThrow(/no token for the byte 0x62 of "ab"/);
  });

  it("files of any JSON give a tokenizer or one error", () => {
    const good = JSON.parse(tokenizerToJson(trainBpe(["ab ab"], { vocabSize: 257 }))) as Record<
      string,
      unknown
    >;
    const keys = fc.constantFrom(
      ...Object.keys(good),
      ...Object.keys(good.model as object).map((key) => `model.${key}`),
    );
    fc.assert(
      fc.property(keys, fc.jsonValue(), (key, value) => {
        const json = key.startsWith("model.")
          ? { ...good, model: { ...(good.model as object), [key.slice(6)]: value } }
          : { ...good, [key]: value };
        try {
          tokenizerFromJson(JSON.stringify(json));
        } catch (error) {
          expect((error as Error).name, (error as Error).stack).toBe("ValueError");
        }
      }),
      { numRuns: 500 },
    );
  });
});
