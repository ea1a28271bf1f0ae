/** Operations on text of the book's pipelines. */
import { ValueError } from "../../core/errors.js";

/**
 * All runs of n neighbours, joined: for several n, one after the other (MindSpore's Ngram).
 * @param options.left how many times this text stands before the first token; right: behind the last
 * @example data.ngrams(["a", "b", "c"], 2) // ["a b", "b c"]
 * @throws ValueError for an n that is no whole number from 1.
 */
export function ngrams(
  tokens: readonly string[],
  n: number | readonly number[],
  {
    separator = " ",
    left = ["", 0],
    right = ["", 0],
  }: {
    readonly separator?: string;
    readonly left?: readonly [text: string, times: number];
    readonly right?: readonly [text: string, times: number];
  } = {},
): string[] {
  const out: string[] = [];
  for (const size of typeof n === "number" ? [n] : n) {
    if (!Number.isInteger(size) || size < 1)
      throw new ValueError(`ngrams: n is a whole number from 1, got ${size}`);
    const pad = ([text, times]: readonly [string, number]): string[] =>
      new Array<string>(Math.min(times, size - 1)).fill(text); // more would give runs of nothing else
    const padded = [...pad(left), ...tokens, ...pad(right)];
    for (let i = 0; i + size <= padded.length; i++) out.push(padded.slice(i, i + size).join(separator));
  }
  return out;
}

/**
 * Text in one of Unicode's normal forms, so that what looks alike is alike (MindSpore's NormalizeUTF8).
 * @example data.normalizeUtf8("ﬁ") // "fi"
 * @throws ValueError for a form that is none.
 */
export function normalizeUtf8(text: string, form: "NFC" | "NFD" | "NFKC" | "NFKD" = "NFKC"): string {
  if (!["NFC", "NFD", "NFKC", "NFKD"].includes(form))
    throw new ValueError(`normalizeUtf8: forms are NFC, NFD, NFKC, NFKD; got ${String(form)}`);
  return text.normalize(form);
}
