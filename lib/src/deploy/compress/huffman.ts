/**
 * Huffman codes: of all codes of whole bits, those of least total length (Huffman 1952). Canonical: codewords of one length
 * follow one another in the order of their symbols, so that the lengths are all a file needs to hold.
 */
import { ValueError } from "../../core/errors.js";
import type { ByteReader, ByteWriter } from "./bits.js";

/** Longest codeword that is read. One of 48 bits needs counts that add up to more than 2³³. */
export const LONGEST = 48;

/**
 * Lengths of the codewords, in bits, for symbols 0, 1, … with these counts; 0 for symbols that do not occur. A symbol that is
 * alone gets one bit.
 * @throws ValueError for a count that is not whole and from 0.
 * @example deploy.huffmanLengths([5, 0, 1, 2]) // [1, 0, 2, 2]
 */
export function huffmanLengths(counts: ArrayLike<number>): number[] {
  const lengths = new Array<number>(counts.length).fill(0);
  const leaves: { weight: number; symbol: number }[] = [];
  for (let symbol = 0; symbol < counts.length; symbol++) {
    const weight = counts[symbol];
    if (!Number.isSafeInteger(weight) || weight < 0)
      throw new ValueError(`huffmanLengths: ${weight} is no count`);
    if (weight > 0) leaves.push({ weight, symbol });
  }
  if (leaves.length === 1) lengths[leaves[0].symbol] = 1;
  if (leaves.length < 2) return lengths;
  leaves.sort((a, b) => a.weight - b.weight || a.symbol - b.symbol);
  // Two queues: leaves, and inner nodes, which come up in order of their weight. Node k < n is a leaf.
  const n = leaves.length;
  const weights = leaves.map(({ weight }) => weight);
  const parents = new Int32Array(2 * n - 1);
  let [leaf, inner] = [0, n];
  const next = (): number =>
    leaf < n && (inner >= weights.length || weights[leaf] <= weights[inner]) ? leaf++ : inner++;
  while (weights.length < 2 * n - 1) {
    const [a, b] = [next(), next()];
    parents[a] = weights.length;
    parents[b] = weights.length;
    weights.push(weights[a] + weights[b]);
  }
  const depths = new Int32Array(2 * n - 1);
  for (let node = 2 * n - 3; node >= 0; node--) {
    depths[node] = depths[parents[node]] + 1;
    if (node < n) lengths[leaves[node].symbol] = depths[node];
  }
  return lengths;
}

/** Bits of everything, coded. */
export function codedBits(counts: ArrayLike<number>, lengths: readonly number[]): number {
  return lengths.reduce((sum, length, symbol) => sum + length * counts[symbol], 0);
}

/** How often each symbol stands in a list. */
export function countsOf(symbols: ArrayLike<number>, alphabet: number): Float64Array {
  const counts = new Float64Array(alphabet);
  for (let i = 0; i < symbols.length; i++) counts[symbols[i]]++;
  return counts;
}

/** Symbols by length, then by number: the order of the codewords. */
function ordered(lengths: ArrayLike<number>): number[] {
  return Array.from({ length: lengths.length }, (_, symbol) => symbol)
    .filter((symbol) => lengths[symbol] > 0)
    .sort((a, b) => lengths[a] - lengths[b] || a - b);
}

/** The codewords of symbols, as numbers. */
function codewords(lengths: ArrayLike<number>): Float64Array {
  const codes = new Float64Array(lengths.length);
  let [code, length] = [0, 0];
  for (const symbol of ordered(lengths)) {
    code *= 2 ** (lengths[symbol] - length);
    length = lengths[symbol];
    codes[symbol] = code++;
  }
  return codes;
}

/** Writes symbols by their codewords, and fills the last byte. */
export function writeSymbols(out: ByteWriter, symbols: ArrayLike<number>, lengths: readonly number[]): void {
  const codes = codewords(lengths);
  for (let i = 0; i < symbols.length; i++) {
    const [code, length] = [codes[symbols[i]], lengths[symbols[i]]];
    if (length > 24) out.bits(Math.floor(code / 2 ** 24), length - 24);
    out.bits(code % 2 ** 24, Math.min(length, 24));
  }
  out.align();
}

/** Bits that the first look-up takes. */
const FAST = 10;

/**
 * The symbols in `bytes`, which they must fill.
 * @throws ModelFileError for lengths that are no complete code, for bits that are none of its codewords, for too few bytes, and
 *   for bytes or bits that are left.
 */
export function readSymbols(
  from: ByteReader,
  bytes: Uint8Array,
  lengths: Uint8Array,
  count: number,
): Uint32Array {
  if (count > 8 * bytes.length) from.fail(`${count} symbols in ${bytes.length} bytes`); // each takes a bit
  const symbols = ordered(lengths);
  const perLength = new Float64Array(LONGEST + 1);
  for (const symbol of symbols) perLength[lengths[symbol]]++;
  const space = perLength.reduce((sum, n, length) => (length === 0 ? 0 : sum + n * 2 ** -length), 0);
  const alone = symbols.length === 1 && perLength[1] === 1;
  if (!alone && space !== 1 && (count > 0 || symbols.length > 0))
    from.fail("the lengths of its codewords are no code");
  const table = new Int32Array(1 << FAST).fill(-1); // symbol · 64 + length
  const codes = codewords(lengths);
  for (const symbol of symbols) {
    const length = lengths[symbol];
    if (length > FAST) break;
    table.fill(
      symbol * 64 + length,
      codes[symbol] << (FAST - length),
      (codes[symbol] + 1) << (FAST - length),
    );
  }
  const out = new Uint32Array(count);
  const total = 8 * bytes.length;
  const bitAt = (at: number): number => (bytes[at >>> 3] >>> (7 - (at & 7))) & 1;
  let at = 0;
  for (let i = 0; i < count; i++) {
    const byte = at >>> 3;
    const window = ((bytes[byte] << 16) | (bytes[byte + 1] << 8) | bytes[byte + 2]) << (at & 7);
    const found = table[(window >>> (24 - FAST)) & ((1 << FAST) - 1)];
    if (found >= 0) {
      at += found & 63;
      out[i] = found >>> 6;
    } else {
      // Bit by bit: the first codeword of each length follows from the counts.
      let [code, first, place, length] = [0, 0, 0, 0];
      for (;;) {
        if (++length > LONGEST || at + length > total) from.fail("its bits are no codewords");
        code = 2 * code + bitAt(at + length - 1);
        first = 2 * first;
        if (code - first < perLength[length]) break;
        first += perLength[length];
        place += perLength[length];
      }
      out[i] = symbols[place + code - first];
      at += length;
    }
    if (at > total) from.fail("its bits are no codewords");
  }
  if (total - at >= 8) from.fail(`${(total - at) >>> 3} bytes too many behind its codewords`);
  for (; at < total; at++) if (bitAt(at) !== 0) from.fail("its last byte is not filled with zeros");
  return out;
}
