/**
 * Byte-level text: each of the 256 bytes is a printable character, so that any text is a sequence of symbols that a vocabulary
 * can hold, and pieces are cut as GPT-2 cuts them. (Radford et al. 2019, encoder.py.)
 */

/** Letters with the space before them, numbers, other characters, spaces; English contractions apart. */
const PIECES =
  /'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\p{White_Space}\p{L}\p{N}]+|\p{White_Space}+(?!\P{White_Space})|\p{White_Space}+/gu;

/** Cuts text into the pieces within which merges happen. */
export function pieces(text: string): string[] {
  return text.match(PIECES) ?? [];
}

function symbols(): string[] {
  const printable = (byte: number): boolean =>
    (byte >= 33 && byte <= 126) || (byte >= 161 && byte <= 172) || (byte >= 174 && byte <= 255);
  let others = 256;
  return Array.from({ length: 256 }, (_, byte) => String.fromCharCode(printable(byte) ? byte : others++));
}

/** The character that stands for each byte. */
export const SYMBOLS: readonly string[] = symbols();

/** The byte of each such character. */
export const BYTE_OF: ReadonlyMap<string, number> = new Map(SYMBOLS.map((symbol, byte) => [symbol, byte]));

/** Text as its bytes' characters. */
export function toSymbols(text: string): string {
  let out = "";
  for (const byte of Buffer.from(text)) out += SYMBOLS[byte];
  return out;
}

/** The bytes that a token stands for; of a token with other characters: its own. */
export function tokenBytes(token: string): Buffer {
  const bytes: number[] = [];
  for (const symbol of token) {
    const byte = BYTE_OF.get(symbol);
    if (byte === undefined) return Buffer.from(token);
    bytes.push(byte);
  }
  return Buffer.from(bytes);
}

/** Symbols in the order of their characters: the first tokens of a trained vocabulary. */
export const ALPHABET: readonly string[] = [...SYMBOLS].sort((a, b) => a.charCodeAt(0) - b.charCodeAt(0));
