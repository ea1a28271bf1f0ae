import { describe, expect, it } from "vitest";
import { data } from "../../index.js";

const { ngrams, normalizeUtf8 } = data;

describe("operations on text", () => {
  it("are those of MindSpore's examples", () => {
    const tokens = ["WildRose", "Country", "Canada's", "Ocean"];
    expect(ngrams(tokens, 2)).toEqual(["WildRose Country", "Country Canada's", "Canada's Ocean"]);
    expect(ngrams(["a", "b"], [1, 3], { separator: "-", left: ["<", 5], right: [">", 1] })).toEqual([
      "a",
      "b",
      "<-<-a",
      "<-a-b",
      "a-b->",
    ]);
    expect(ngrams(["a"], 2)).toEqual([]);
    expect(() => ngrams(["a"], 0)).toThrow(/n is a whole number from 1, got 0/);
    expect(normalizeUtf8("e\u0301", "NFC")).toBe("\u00e9");
    expect(normalizeUtf8("ṩ", "NFD")).toBe("s\u0323\u0307"); // the example of Unicode's Annex 15
    expect(normalizeUtf8("ﬁ⁵")).toBe("fi5");
    expect(() => normalizeUtf8("a", "NF" as never)).toThrow(/forms are NFC, NFD, NFKC, NFKD; got NF/);
  });
});
