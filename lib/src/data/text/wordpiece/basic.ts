/** BasicTokenizer: text to words and punctuation, cleaned, in lower case, without accents; each with its place in the text. */
import { ValueError } from "../../../core/errors.js";
import { decomposed, isChinese, isControl, isMark, isPunctuation, isSpace } from "./characters.js";

export interface BasicOptions {
  /** Lower case. Default true. */
  readonly lowercase?: boolean;
  /** Letters without their accents. Default: as `lowercase`. */
  readonly stripAccents?: boolean;
  /** Chinese characters are words. Default true. */
  readonly chinese?: boolean;
  /** Control characters are left out, white space is a space. Default true. */
  readonly clean?: boolean;
}

/** Characters of normalized text, and where in the text each comes from (in UTF-16 units, as `slice` counts). */
export interface Word {
  readonly chars: readonly string[];
  readonly starts: readonly number[];
  readonly ends: readonly number[];
}

interface Char {
  readonly char: string;
  readonly start: number;
  readonly end: number;
}

function* normalized(text: string, options: Required<BasicOptions>, base: number): Generator<Char> {
  let at = base;
  for (const source of text) {
    const start = at;
    at += source.length;
    const end = at;
    let char = source;
    if (options.clean) {
      if (/^[\t\n\r]$/.test(char)) char = " ";
      else if (isControl(char)) continue;
      else if (isSpace(char)) char = " ";
    }
    const alone = options.chinese && isChinese(char);
    if (alone) yield { char: " ", start, end };
    const parts = options.stripAccents ? [...decomposed(char)].filter((part) => !isMark(part)) : [char];
    for (const part of parts) {
      // one by one: the last sigma of a word is as the others
      for (const out of options.lowercase ? part.toLowerCase() : part) yield { char: out, start, end };
    }
    if (alone) yield { char: " ", start, end };
  }
}

export function filledIn({
  lowercase = true,
  stripAccents = lowercase,
  chinese = true,
  clean = true,
}: BasicOptions): Required<BasicOptions> {
  return { lowercase, stripAccents, chinese, clean };
}

/** @param base is added to the places */
export function wordsOf(text: string, options: Required<BasicOptions>, base = 0): Word[] {
  const words: Word[] = [];
  let [chars, starts, ends]: [string[], number[], number[]] = [[], [], []];
  const close = (): void => {
    if (chars.length > 0) words.push({ chars, starts, ends });
    [chars, starts, ends] = [[], [], []];
  };
  for (const { char, start, end } of normalized(text, options, base)) {
    const alone = isPunctuation(char);
    if (alone || isSpace(char)) close();
    if (isSpace(char)) continue;
    chars.push(char);
    starts.push(start);
    ends.push(end);
    if (alone) close();
  }
  close();
  return words;
}

/**
 * Words and punctuation of a text, as BERT's BasicTokenizer cuts it.
 * @example data.basicTokenize("Ça va? 你好!") // ["ca", "va", "?", "你", "好", "!"]
 */
export function basicTokenize(text: string, options: BasicOptions = {}): string[] {
  if (typeof text !== "string") throw new ValueError(`basicTokenize wants text, got ${typeof text}`);
  return wordsOf(text, filledIn(options)).map(({ chars }) => chars.join(""));
}
