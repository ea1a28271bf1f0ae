/** BERT's tokenizer against Hugging Face's. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, describe, expect, it } from "vitest";
import { expectedFile } from "../../../../test/support/expected.js";
import { data } from "../../../index.js";
import type { BertOptions, Encoding } from "./bert.js";

const { basicTokenize, BertTokenizer, bertFromJson, bertFromVocabulary, bertToJson, loadBert, saveBert } =
  data;

type Wanted = [ids: number[], types: number[], attention: number[], special: number[], offsets: number[]];
interface Expected {
  readonly vocabulary: string[];
  readonly options: { lowercase: boolean; stripAccents: boolean | null; chinese: boolean; clean: boolean }[];
  readonly cases: { text: string; options: number; wanted: Wanted }[];
  readonly pairs: {
    first: string;
    second: string | null;
    length: number;
    strategy: NonNullable<BertOptions["truncation"]>;
    pad: number | null;
    wanted: Wanted | null;
  }[];
  readonly decoded: [ids: number[], text: string, whole: string][];
  readonly characters: [code: number, words: string[][]][];
}
const expected = expectedFile<Expected>("formats/wordpiece.json");
const folder = mkdtempSync(join(tmpdir(), "mlsys-bert-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const vocabulary = new Map(expected.vocabulary.map((token, id) => [token, id]));
const optionsOf = ({ stripAccents, ...rest }: Expected["options"][number]) =>
  stripAccents === null ? rest : { ...rest, stripAccents };
const made = expected.options.map((options) => new BertTokenizer({ ...optionsOf(options), vocabulary }));
const [bert] = made;
const asWanted = (e: Encoding): Wanted => [
  e.ids,
  e.typeIds,
  e.attentionMask,
  e.specialMask,
  e.offsets.flat(),
];

describe("BERT's tokenizer", () => {
  it("gives Hugging Face's ids, types, masks and places for texts of all scripts, with every option", () => {
    expect(expected.cases.length).toBeGreaterThan(250);
    for (const { text, options, wanted } of expected.cases)
      expect(asWanted(made[options].encode(text)), JSON.stringify([text, options])).toEqual(wanted);
  });

  it("cuts and fills up texts and pairs as Hugging Face's does", () => {
    for (const { first, second, length, strategy, pad, wanted } of expected.pairs) {
      const options: BertOptions = {
        maxLength: length,
        truncation: strategy,
        ...(second !== null && { pair: second }),
        ...(pad !== null && { padTo: pad }),
      };
      if (wanted)
        expect(asWanted(bert.encode(first, options)), JSON.stringify([first, options])).toEqual(wanted);
      else expect(() => bert.encode(first, options)).toThrow(/^BERT: /);
    }
    expect(expected.pairs.filter(({ wanted }) => wanted === null).length).toBeGreaterThan(5);
  });

  it("decodes as Hugging Face's does", () => {
    for (const [ids, text, whole] of expected.decoded) {
      expect(bert.decode(ids)).toBe(text);
      expect(bert.decode(ids, { skipSpecial: false })).toBe(whole);
    }
  });

  it("knows the classes of characters, those that are new since too", () => {
    for (const [code, words] of expected.characters)
      for (const [i, wanted] of words.entries()) {
        const found = basicTokenize(`a${String.fromCodePoint(code)}b`, optionsOf(expected.options[i]));
        expect(found, `U+${code.toString(16)} ${i}`).toEqual(wanted);
      }
  });

  it("has places that cut the pieces out of the text", () => {
    const plain = new BertTokenizer({ vocabulary, lowercase: false, chinese: false });
    fc.assert(
      fc.property(
        fc.string({ unit: fc.constantFrom("s", "e", "a", " ", ",", "W", "[MASK]", "你"), maxLength: 30 }),
        (text) => {
          const { tokens, offsets } = plain.encode(text, { addSpecial: false });
          let last = 0;
          for (const [i, [start, end]] of offsets.entries()) {
            if (tokens[i] !== "[UNK]") expect(text.slice(start, end)).toBe(tokens[i].replace(/^##/, ""));
            expect(start).toBeGreaterThanOrEqual(last);
            expect(text.slice(last, start).trim()).toBe("");
            last = end;
          }
        },
      ),
    );
  });

  it("makes batches of one length", () => {
    const batch = bert.encodeBatch(["the whale", ["the sea", "and the ship"], ""], { maxLength: 9 });
    expect(batch.map(({ ids }) => ids.length)).toEqual(
      Array(3).fill(Math.max(...batch.map(({ attentionMask }) => attentionMask.reduce((a, b) => a + b)))),
    );
    expect(bert.encodeBatch(["a"], { padTo: 12 })[0].ids).toHaveLength(12);
    expect(bert.encodeBatch([])).toEqual([]);
  });

  it("is read from vocab.txt and tokenizer.json, and says what is wrong with one", async () => {
    const path = join(folder, "bert.json");
    for (const tokenizer of made) {
      await saveBert(path, tokenizer);
      const read = await loadBert(path);
      for (const { text } of expected.cases.slice(0, 60))
        expect(read.encode(text)).toEqual(tokenizer.encode(text));
    }
    writeFileSync(join(folder, "vocab.txt"), expected.vocabulary.map((token) => `${token}\r\n`).join(""));
    expect((await loadBert(join(folder, "vocab.txt"))).model.vocabulary).toEqual(vocabulary);
    expect(() => bertFromVocabulary("a\nb\na")).toThrow(/token "a" is on lines 1 and 3/);
    expect(() => bertFromVocabulary("a")).toThrow(/"\[UNK\]" is not in the vocabulary/);
    expect(() => bertFromVocabulary("[UNK]").encode("a")).toThrow(/has no \[CLS\]/);
    expect(() => bert.encode("a", { maxLength: 1 })).toThrow(/leaves no room beside/);
    expect(() => bert.decode([99_999])).toThrow(/no token has the id 99999/);
    const json = JSON.parse(bertToJson(bert)) as Record<string, unknown>;
    const broken = (change: object) => () => bertFromJson(JSON.stringify({ ...json, ...change }), "x.json");
    expect(broken({ model: { type: "BPE" } })).toThrow(/x.json: model.type is "BPE"; wanted "WordPiece"/);
    expect(broken({ normalizer: null })).toThrow(/normalizer.type/);
    expect(broken({ pre_tokenizer: { type: "Whitespace" } })).toThrow(/pre_tokenizer.type is "Whitespace"/);
    expect(broken({ model: { type: "WordPiece", vocab: { a: 0.5 } } })).toThrow(/model.vocab\["a"\] is 0.5/);
    expect(() => bertFromJson("{", "x.json")).toThrow(/x.json is no JSON/);
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        try {
          bertFromJson(JSON.stringify(value));
        } catch (error) {
          expect((error as Error).name).toBe("ValueError");
        }
      }),
    );
  });
});
