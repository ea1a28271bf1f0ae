/** Byte-level BPE at work: text to token ids and back, as GPT-2 and Hugging Face's tokenizers do it. */
import { ValueError } from "../../../core/errors.js";
import { Heap } from "../../formats/heap.js";
import { pieces, SYMBOLS, tokenBytes } from "./byte-level.js";

export interface BpeModel {
  /** Ids by token; tokens are written in the byte-level alphabet. */
  readonly vocabulary: ReadonlyMap<string, number>;
  /** Pairs that become one, those that come first before the others. */
  readonly merges: readonly (readonly [string, string])[];
  /** Tokens that are found in the text as they stand and never cut, with ids of the vocabulary. */
  readonly special?: readonly string[];
  /** Whether text without a space in front gets one. Default false. */
  readonly addPrefixSpace?: boolean;
  /** Whether a word that is a token is taken whole, whatever the merges. Default false. */
  readonly ignoreMerges?: boolean;
  /** Done to text before anything else. Default nothing. */
  readonly normalize?: readonly Normalization[];
}

export type Normalization = "NFC" | "NFD" | "NFKC" | "NFKD" | "Lowercase";

const BASE = 2 ** 24;
/** Words whose tokens are remembered; then all are forgotten. */
const REMEMBERED = 1 << 16;
/** Longer words are merged with a heap: n·log n instead of n². */
export const LONG = 48;

interface Merge {
  readonly rank: number;
  readonly id: number;
}

/** Text to ids and back. */
export class BpeTokenizer {
  private readonly tokens: (string | undefined)[] = [];
  private readonly bytes: (Buffer | undefined)[] = [];
  private readonly ranks = new Map<number, Merge>();
  private readonly idOfByte: readonly (number | undefined)[];
  private readonly specialIds: ReadonlySet<number>;
  private readonly split: RegExp | null;
  private readonly known = new Map<string, readonly number[]>();

  /** @throws ValueError if a merge or a special token is not in the vocabulary. */
  constructor(readonly model: BpeModel) {
    const { vocabulary, merges, special = [] } = model;
    for (const [token, id] of vocabulary) {
      if (!Number.isInteger(id) || id < 0 || id >= BASE)
        throw new ValueError(
          `BPE: token ${JSON.stringify(token)} has the id ${id}; ids are 0 to ${BASE - 1}`,
        );
      if (this.tokens[id] !== undefined)
        throw new ValueError(
          `BPE: tokens ${JSON.stringify(this.tokens[id])} and ${JSON.stringify(token)} share the id ${id}`,
        );
      this.tokens[id] = token;
    }
    for (const [rank, [left, right]] of merges.entries()) {
      const id = (token: string): number => {
        const found = vocabulary.get(token);
        if (found === undefined)
          throw new ValueError(
            `BPE: merge ${rank} (${JSON.stringify(left)} with ${JSON.stringify(right)}) needs ${JSON.stringify(token)}, which is not in the vocabulary`,
          );
        return found;
      };
      this.ranks.set(id(left) * BASE + id(right), { rank, id: id(left + right) });
    }
    this.idOfByte = SYMBOLS.map((symbol) => vocabulary.get(symbol));
    this.specialIds = new Set(
      special.map((token) => {
        const id = vocabulary.get(token);
        if (id === undefined || token === "")
          throw new ValueError(`BPE: the special token ${JSON.stringify(token)} is not in the vocabulary`);
        return id;
      }),
    );
    const escaped = special
      .toSorted((a, b) => b.length - a.length) // where several begin, the longest
      .map((token) => token.replace(/[\\^$.*+?()[\]{}|]/g, "\\$&"));
    this.split = escaped.length > 0 ? new RegExp(`(${escaped.join("|")})`) : null;
  }

  /** Tokens in all. */
  get vocabSize(): number {
    return this.model.vocabulary.size;
  }

  /**
   * Token ids of a text.
   * @throws ValueError for a byte that the vocabulary has no token for.
   */
  encode(text: string): number[] {
    const out: number[] = [];
    const parts = this.split ? text.split(this.split) : [text];
    for (const [i, part] of parts.entries()) {
      if (i % 2 === 1) out.push(this.model.vocabulary.get(part) as number);
      else if (part !== "") this.encodePart(part, out);
    }
    return out;
  }

  /** Text of token ids; bytes that are no UTF-8 become U+FFFD. @throws ValueError for an id that is none */
  decode(ids: Iterable<number>, { skipSpecial = true }: { readonly skipSpecial?: boolean } = {}): string {
    const parts: Buffer[] = [];
    for (const id of ids) {
      const token = this.tokens[id];
      if (token === undefined)
        throw new ValueError(`BPE: no token has the id ${id}; there are ${this.vocabSize}`);
      if (skipSpecial && this.specialIds.has(id)) continue;
      this.bytes[id] ??= tokenBytes(token);
      parts.push(this.bytes[id]);
    }
    return DECODER.decode(Buffer.concat(parts));
  }

  /** The token of an id, in the byte-level alphabet. */
  token(id: number): string | undefined {
    return this.tokens[id];
  }

  /** The id of a token. */
  id(token: string): number | undefined {
    return this.model.vocabulary.get(token);
  }

  private encodePart(part: string, out: number[]): void {
    let text = part;
    for (const form of this.model.normalize ?? [])
      text = form === "Lowercase" ? text.toLowerCase() : text.normalize(form);
    if (this.model.addPrefixSpace && !text.startsWith(" ")) text = ` ${text}`;
    for (const piece of pieces(text)) {
      let ids = this.known.get(piece);
      if (!ids) {
        ids = this.encodePiece(piece);
        if (this.known.size >= REMEMBERED) this.known.clear();
        if (piece.length < 256) this.known.set(piece, ids);
      }
      for (let i = 0; i < ids.length; i++) out.push(ids[i]);
    }
  }

  private encodePiece(piece: string): number[] {
    const bytes = Buffer.from(piece);
    if (this.model.ignoreMerges) {
      let token = "";
      for (const byte of bytes) token += SYMBOLS[byte];
      const whole = this.model.vocabulary.get(token);
      if (whole !== undefined) return [whole];
    }
    const ids = Array.from(bytes, (byte) => {
      const id = this.idOfByte[byte];
      if (id === undefined)
        throw new ValueError(
          `BPE: the vocabulary has no token for the byte 0x${byte.toString(16).padStart(2, "0")} of ${JSON.stringify(piece)}`,
        );
      return id;
    });
    return ids.length > LONG ? this.mergeLong(ids) : this.mergeShort(ids);
  }

  /** Merges the pair of least rank, the leftmost of several, until none is left. */
  private mergeShort(ids: number[]): number[] {
    for (;;) {
      let [best, at]: [Merge | undefined, number] = [undefined, -1];
      for (let i = 1; i < ids.length; i++) {
        const merge = this.ranks.get(ids[i - 1] * BASE + ids[i]);
        if (merge && (!best || merge.rank < best.rank)) [best, at] = [merge, i - 1];
      }
      if (!best) return ids;
      ids[at] = best.id;
      ids.splice(at + 1, 1);
    }
  }

  /** The same with a heap of pairs over a linked list. */
  private mergeLong(ids: number[]): number[] {
    const next = ids.map((_, i) => (i + 1 < ids.length ? i + 1 : -1));
    const before = ids.map((_, i) => i - 1);
    const heap = new Heap<{ merge: Merge; at: number; left: number; right: number }>(
      (a, b) => a.merge.rank < b.merge.rank || (a.merge.rank === b.merge.rank && a.at < b.at),
    );
    const offer = (at: number): void => {
      if (at < 0 || next[at] < 0) return;
      const [left, right] = [ids[at], ids[next[at]]];
      const merge = this.ranks.get(left * BASE + right);
      if (merge) heap.push({ merge, at, left, right });
    };
    for (const i of ids.keys()) offer(i);
    for (let best = heap.pop(); best; best = heap.pop()) {
      const { merge, at, left, right } = best;
      const after = next[at];
      if (ids[at] !== left || after < 0 || ids[after] !== right) continue; // merged otherwise meanwhile
      ids[at] = merge.id;
      ids[after] = -1;
      next[at] = next[after];
      if (next[at] >= 0) before[next[at]] = at;
      offer(before[at]);
      offer(at);
    }
    return ids.filter((id) => id >= 0);
  }
}

const DECODER = new TextDecoder("utf-8", { ignoreBOM: true });
