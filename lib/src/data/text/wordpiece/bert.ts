/** BERT's tokenizer: BasicTokenizer, then WordPiece (longest piece first), then [CLS] … [SEP]. (Devlin et al. 2018.) */
import { ValueError } from "../../../core/errors.js";
import { type BasicOptions, filledIn, type Word, wordsOf } from "./basic.js";

export interface BertModel extends BasicOptions {
  /** Ids by token; pieces within words begin with the prefix. */
  readonly vocabulary: ReadonlyMap<string, number>;
  /** Default "##". */
  readonly prefix?: string;
  /** Words of more characters are unknown. Default 100. */
  readonly maxWordLength?: number;
  /** Default "[UNK]". */
  readonly unknown?: string;
  /** Found in the text as they stand and never cut. Default those of BERT that the vocabulary has. */
  readonly special?: readonly string[];
}

export interface BertOptions {
  /** A second text: its tokens have type 1. */
  readonly pair?: string;
  /** Puts [CLS] before and [SEP] behind. Default true. */
  readonly addSpecial?: boolean;
  /** Most tokens, those that are put in among them; what is too long is cut off at its end. */
  readonly maxLength?: number;
  /** Which of two texts is cut. Default "longest_first". */
  readonly truncation?: "longest_first" | "only_first" | "only_second";
  /** Filled up with [PAD] to so many tokens. */
  readonly padTo?: number;
}

/** What a model of BERT's kind is given: lists of one length. */
export interface Encoding {
  readonly ids: number[];
  readonly tokens: string[];
  /** 0: of the first text, 1: of the second. */
  readonly typeIds: number[];
  /** 0: padding. */
  readonly attentionMask: number[];
  /** 1: put in, not of the text. */
  readonly specialMask: number[];
  /** Where each token is in its text, for `slice`; [0, 0] of those that are put in. */
  readonly offsets: [start: number, end: number][];
}

type Piece = readonly [id: number, start: number, end: number];

const SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"];
/** Words whose pieces are remembered; then all are forgotten. */
const REMEMBERED = 1 << 16;

export class BertTokenizer {
  readonly special: readonly string[];
  private readonly tokens: (string | undefined)[] = [];
  private readonly basic: Required<BasicOptions>;
  private readonly split: RegExp | null;
  private readonly known = new Map<string, readonly (readonly [id: number, chars: number])[]>();

  /** @throws ValueError if the unknown token or a special one is not in the vocabulary */
  constructor(readonly model: BertModel) {
    const { vocabulary } = model;
    for (const [token, id] of vocabulary) {
      if (!Number.isInteger(id) || id < 0 || id > 2 ** 24)
        throw new ValueError(`BERT: token ${JSON.stringify(token)} has the id ${id}; ids are 0 to 2²⁴`);
      if (this.tokens[id] !== undefined)
        throw new ValueError(
          `BERT: tokens ${JSON.stringify(this.tokens[id])} and ${JSON.stringify(token)} share the id ${id}`,
        );
      this.tokens[id] = token;
    }
    this.special = model.special ?? SPECIAL.filter((token) => vocabulary.has(token));
    for (const token of [model.unknown ?? "[UNK]", ...this.special])
      if (!vocabulary.has(token) || token === "")
        throw new ValueError(`BERT: the token ${JSON.stringify(token)} is not in the vocabulary`);
    this.basic = filledIn(model);
    const escaped = this.special
      .toSorted((a, b) => b.length - a.length) // where several begin, the longest
      .map((token) => token.replace(/[\\^$.*+?()[\]{}|]/g, "\\$&"));
    this.split = escaped.length > 0 ? new RegExp(`(${escaped.join("|")})`) : null;
  }

  /** Tokens in all. */
  get vocabSize(): number {
    return this.model.vocabulary.size;
  }

  token(id: number): string | undefined {
    return this.tokens[id];
  }

  id(token: string): number | undefined {
    return this.model.vocabulary.get(token);
  }

  /**
   * A text, or two, as a model takes them.
   * @throws ValueError if `maxLength` leaves no room, or a token that is to be put in is not in the vocabulary
   */
  encode(text: string, options: BertOptions = {}): Encoding {
    const { pair, addSpecial = true, maxLength, truncation = "longest_first", padTo } = options;
    let first = this.pieces(text);
    let second = pair === undefined ? null : this.pieces(pair);
    if (maxLength !== undefined) {
      const room = maxLength - (addSpecial ? (second ? 3 : 2) : 0);
      if (!Number.isInteger(maxLength) || room < 0)
        throw new ValueError(`BERT: maxLength ${maxLength} leaves no room beside [CLS] and [SEP]`);
      const lengths = cut(first.length, second ? second.length : null, room, truncation);
      first = first.slice(0, lengths[0]);
      second = second && second.slice(0, lengths[1]);
    }
    const out: Encoding = {
      ids: [],
      tokens: [],
      typeIds: [],
      attentionMask: [],
      specialMask: [],
      offsets: [],
    };
    const put = ([id, start, end]: Piece, type: number, special: number, attended = 1): void => {
      out.ids.push(id);
      out.tokens.push(this.tokens[id] as string);
      out.typeIds.push(type);
      out.attentionMask.push(attended);
      out.specialMask.push(special);
      out.offsets.push([start, end]);
    };
    const mark = (token: string): Piece => [this.needed(token), 0, 0];
    if (addSpecial) put(mark("[CLS]"), 0, 1);
    for (const piece of first) put(piece, 0, 0);
    if (addSpecial) put(mark("[SEP]"), 0, 1);
    for (const piece of second ?? []) put(piece, 1, 0);
    if (second && addSpecial) put(mark("[SEP]"), 1, 1);
    for (let i = out.ids.length; i < (padTo ?? 0); i++) put(mark("[PAD]"), 0, 1, 0);
    return out;
  }

  /** Encodings of one length: that of the longest, or `padTo`. Texts, or pairs of them. */
  encodeBatch(
    texts: readonly (string | readonly [string, string])[],
    options: Omit<BertOptions, "pair"> = {},
  ): Encoding[] {
    const encode = (text: string | readonly [string, string], more: BertOptions): Encoding =>
      typeof text === "string" ? this.encode(text, more) : this.encode(text[0], { ...more, pair: text[1] });
    const longest = texts.reduce((most, text) => Math.max(most, encode(text, options).ids.length), 0);
    return texts.map((text) => encode(text, { ...options, padTo: Math.max(longest, options.padTo ?? 0) }));
  }

  /** Text of token ids: pieces joined, no space before punctuation. @throws ValueError for an id that is none */
  decode(ids: Iterable<number>, { skipSpecial = true }: { readonly skipSpecial?: boolean } = {}): string {
    const { prefix = "##" } = this.model;
    const special = new Set(this.special);
    let out = "";
    let first = true;
    for (const id of ids) {
      const token = this.tokens[id];
      if (token === undefined)
        throw new ValueError(`BERT: no token has the id ${id}; there are ${this.vocabSize}`);
      if (skipSpecial && special.has(token)) continue;
      const part = first ? token : token.startsWith(prefix) ? token.slice(prefix.length) : ` ${token}`;
      out += tidied(part);
      first = false;
    }
    return out;
  }

  private pieces(text: string): Piece[] {
    const out: Piece[] = [];
    let base = 0;
    for (const [i, part] of (this.split ? text.split(this.split) : [text]).entries()) {
      if (i % 2 === 1) out.push([this.needed(part), base, base + part.length]);
      else for (const word of wordsOf(part, this.basic, base)) this.cutWord(word, out);
      base += part.length;
    }
    return out;
  }

  private cutWord({ chars, starts, ends }: Word, out: Piece[]): void {
    const text = chars.join("");
    let pieces = this.known.get(text);
    if (!pieces) {
      pieces = this.longest(chars);
      if (this.known.size >= REMEMBERED) this.known.clear();
      if (text.length < 256) this.known.set(text, pieces);
    }
    let at = 0;
    for (const [id, length] of pieces) {
      out.push([id, starts[at], ends[at + length - 1]]);
      at += length;
    }
  }

  /** The longest piece of the vocabulary, again and again; the unknown token if there is none somewhere. */
  private longest(chars: readonly string[]): (readonly [number, number])[] {
    const { vocabulary, prefix = "##", maxWordLength = 100, unknown = "[UNK]" } = this.model;
    const whole = [[vocabulary.get(unknown) as number, chars.length]] as const;
    if (chars.length > maxWordLength) return [...whole];
    const out: [number, number][] = [];
    for (let start = 0; start < chars.length; ) {
      let [end, id]: [number, number | undefined] = [chars.length, undefined];
      for (; end > start; end--) {
        id = vocabulary.get((start > 0 ? prefix : "") + chars.slice(start, end).join(""));
        if (id !== undefined) break;
      }
      if (id === undefined) return [...whole];
      out.push([id, end - start]);
      start = end;
    }
    return out;
  }

  private needed(token: string): number {
    const id = this.model.vocabulary.get(token);
    if (id === undefined) throw new ValueError(`BERT: the vocabulary has no ${token}`);
    return id;
  }
}

/** How much of two texts stays. (tokenizers' `truncate_encodings`.) */
function cut(
  first: number,
  second: number | null,
  room: number,
  strategy: NonNullable<BertOptions["truncation"]>,
): [number, number] {
  const total = first + (second ?? 0);
  if (total <= room) return [first, second ?? 0];
  if (room === 0) return [0, 0];
  if (strategy === "longest_first") {
    if (second === null) return [room, 0];
    let [less, more] = [Math.min(first, second), Math.max(first, second)];
    more = less > room ? less : Math.max(less, room - less);
    if (less + more > room) [less, more] = [Math.floor(room / 2), Math.floor(room / 2) + (room % 2)];
    return first > second ? [more, less] : [less, more];
  }
  if (strategy !== "only_first" && strategy !== "only_second")
    throw new ValueError(
      `BERT: truncation is longest_first, only_first or only_second, got ${String(strategy)}`,
    );
  const [target, other] = strategy === "only_first" ? [first, second ?? 0] : [second, first];
  if (target === null) throw new ValueError("BERT: truncation only_second, and there is no second text");
  const left = target - (total - room);
  if (left <= 0)
    throw new ValueError(
      `BERT: ${strategy === "only_first" ? "the first" : "the second"} text has ${target} tokens; to fit, ${total - room} would have to go`,
    );
  return strategy === "only_first" ? [left, other] : [other, left];
}

/** No spaces where English has none. (tokenizers' `cleanup`.) */
const CLEANUP: readonly (readonly [string, string])[] = [
  [" .", "."],
  [" ?", "?"],
  [" !", "!"],
  [" ,", ","],
  [" ' ", "'"],
  [" n't", "n't"],
  [" 'm", "'m"],
  [" do not", " don't"],
  [" 's", "'s"],
  [" 've", "'ve"],
  [" 're", "'re"],
];

const tidied = (text: string): string => CLEANUP.reduce((out, [from, to]) => out.replaceAll(from, to), text);
