/**
 * Training of byte-pair encoding (Sennrich et al. 2016): the most frequent pair of neighbours becomes a token, again and again.
 * Counts are kept up to date where a merge changes them, and a heap has the next pair; so a merge costs what it changes, not a
 * walk over the corpus. Order of ties and all counts are those of Hugging Face's BpeTrainer.
 */
import { ValueError } from "../../../core/errors.js";
import { Heap } from "../../formats/heap.js";
import { ALPHABET, BYTE_OF, pieces } from "./byte-level.js";
import { BpeTokenizer } from "./tokenizer.js";

export interface TrainBpeOptions {
  /** Tokens in all: special ones, 256 bytes, merges. */
  readonly vocabSize: number;
  /** Pairs that are rarer are not merged. Default 0. */
  readonly minFrequency?: number;
  /** They get the first ids, and are never cut. */
  readonly specialTokens?: readonly string[];
}

interface Pair {
  readonly left: number;
  readonly right: number;
  count: number;
  /** Words that (may) have it, since it was last in the heap. */
  words: number[];
}

interface Candidate {
  readonly pair: Pair;
  count: number;
  readonly words: readonly number[];
}

/** More than ids ever go to. */
const BASE = 2 ** 24;

/**
 * Learns a byte-level BPE vocabulary.
 * @param texts documents; pieces are counted, so memory is that of the different words
 * @example data.trainBpe(["low lower lowest"], { vocabSize: 259 }).encode("lowest").length // 4
 * @throws ValueError if `vocabSize` has no room for the bytes and special tokens.
 */
export function trainBpe(texts: Iterable<string>, options: TrainBpeOptions): BpeTokenizer {
  const { vocabSize, minFrequency = 0, specialTokens = [] } = options;
  const tokens = [...new Set([...specialTokens, ...ALPHABET])];
  if (!Number.isInteger(vocabSize) || vocabSize < tokens.length || vocabSize > BASE)
    throw new ValueError(
      `trainBpe: vocabSize is a whole number from ${tokens.length} (bytes and special tokens) to ${BASE}, got ${vocabSize}`,
    );
  const ids = new Map(tokens.map((token, id) => [token, id]));
  const { words, counts } = countWords(texts, ids);
  const pairs = new Map<number, Pair>();
  const merges: [string, string][] = [];

  const change = (left: number, right: number, by: number, word: number): Pair => {
    const key = left * BASE + right;
    let pair = pairs.get(key);
    if (!pair) {
      pair = { left, right, count: 0, words: [] };
      pairs.set(key, pair);
    }
    pair.count += by * counts[word];
    if (by > 0 && pair.words.at(-1) !== word) pair.words.push(word);
    return pair;
  };

  for (const [word, symbols] of words.entries())
    for (let i = 1; i < symbols.length; i++) change(symbols[i - 1], symbols[i], 1, word);
  const heap = new Heap<Candidate>(
    (a, b) =>
      a.count > b.count ||
      (a.count === b.count &&
        (a.pair.left < b.pair.left || (a.pair.left === b.pair.left && a.pair.right < b.pair.right))),
  );
  const offer = (pair: Pair): void => {
    if (pair.count > 0) heap.push({ pair, count: pair.count, words: pair.words });
    pair.words = [];
  };
  for (const pair of pairs.values()) offer(pair);

  while (tokens.length < vocabSize) {
    const best = heap.peek();
    if (!best) break;
    const { pair } = best;
    if (best.count !== pair.count) {
      best.count = pair.count; // it was merged away in part since it was offered
      heap.sink();
      continue;
    }
    if (best.count < 1 || best.count < minFrequency) break;
    heap.pop();
    const { left, right } = pair;
    const token = tokens[left] + tokens[right];
    let id = ids.get(token);
    if (id === undefined) {
      id = tokens.push(token) - 1;
      ids.set(token, id);
    }
    merges.push([tokens[left], tokens[right]]);
    const grown = new Set<Pair>();
    for (const word of new Set(best.words)) merge(words, word, left, right, id, change, grown);
    for (const one of grown) offer(one);
  }
  return new BpeTokenizer({ vocabulary: ids, merges, special: specialTokens });
}

/** Different words as their symbols' ids, and how often each comes. */
function countWords(
  texts: Iterable<string>,
  ids: ReadonlyMap<string, number>,
): { words: number[][]; counts: number[] } {
  const seen = new Map<string, number>();
  for (const text of texts) for (const piece of pieces(text)) seen.set(piece, (seen.get(piece) ?? 0) + 1);
  const idOfByte = new Int32Array(256);
  for (const [symbol, byte] of BYTE_OF) idOfByte[byte] = ids.get(symbol) as number;
  const words = Array.from(seen.keys(), (word) => Array.from(Buffer.from(word), (byte) => idOfByte[byte]));
  return { words, counts: [...seen.values()] };
}

/** Replaces the pair in a word, left to right, and tells how neighbours' counts change. */
function merge(
  words: number[][],
  word: number,
  left: number,
  right: number,
  id: number,
  change: (left: number, right: number, by: number, word: number) => Pair,
  grown: Set<Pair>,
): void {
  const symbols = words[word];
  let [from, to] = [0, 0]; // read and write positions: the word shrinks in place
  for (; from < symbols.length; to++) {
    if (symbols[from] !== left || from + 1 >= symbols.length || symbols[from + 1] !== right) {
      symbols[to] = symbols[from++];
      continue;
    }
    if (to > 0) {
      change(symbols[to - 1], left, -1, word);
      grown.add(change(symbols[to - 1], id, 1, word));
    }
    from += 2;
    if (from < symbols.length) {
      change(right, symbols[from], -1, word);
      grown.add(change(id, symbols[from], 1, word));
    }
    symbols[to] = id;
  }
  symbols.length = to;
}
