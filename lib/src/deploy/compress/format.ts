/**
 * The compressed file. Tensors of few distinct values, most of them 0, take the last two stages of Deep Compression (Han, Mao &
 * Dally 2016): values as numbers in a codebook, places as gaps between nonzero elements, both by Huffman's code. Whatever
 * is not made smaller by it stands as it is. Nothing is rounded: what is read is what was written, bit for bit.
 *
 * ```
 * magic "MLSYSDC1"   number of tensors   tensors …   CRC-32C of all before (4 bytes)
 * tensor    name's bytes, name (UTF-8)   dtype (1 byte)   axes, sizes   encoding (1 byte: 0 raw, 1 coded)
 * raw       elements
 * coded     gap bits g (1 byte)   codebook's entries, codebook (elements, ascending as unsigned numbers)   coded elements
 *           lengths of the values' codewords   bytes, values
 *           where g > 0: gaps, lengths of the gaps' codewords, bytes, gaps
 * lengths   a byte each; behind a 0, how many more zeros follow
 * ```
 * Numbers without a size are LEB128. g = 0: all elements are coded, in order. Otherwise a gap is how many zeros stand before
 * the next coded element; 2ᵍ − 1 means that so many zeros stand here and the gap goes on. (The paper puts a zero into the
 * codebook for that; a gap of its own costs no value.) Behind the last coded element all are 0.
 */
import { bytesPerElement, type DType } from "../../core/dtype.js";
import { sizeOf } from "../../core/shape.js";
import type { Tensor } from "../../core/tensor.js";
import { crc32c } from "../../data/formats/bytes/crc32c.js";
import { needConcrete } from "../../ops/read.js";
import { type DenseTensor, denseFromBytes, elementBytes } from "../../runtime/dense.js";
import { getDevice } from "../../runtime/devices.js";
import { DTYPE_CODES } from "../format/layout.js";
import { ByteReader, ByteWriter } from "./bits.js";
import { codedBits, countsOf, huffmanLengths, LONGEST, readSymbols, writeSymbols } from "./huffman.js";

const MAGIC = new TextEncoder().encode("MLSYSDC1");
/** More distinct values than this are not worth a codebook. */
const MOST_VALUES = 65_536;
const MOST_AXES = 32;
/** Widths of gaps that are tried. */
const GAP_BITS = [2, 3, 4, 5, 6, 7, 8];

type Units = Uint8Array | Uint16Array | Uint32Array;
const UNITS = { 1: Uint8Array, 2: Uint16Array, 4: Uint32Array } as const;

/** Elements as unsigned numbers; `null` for widths that have none. The bytes start at a multiple of the width. */
function unitsOf(bytes: Uint8Array, dtype: DType): Units | null {
  const width = bytesPerElement(dtype);
  if (width === 8) return null;
  const { buffer, byteOffset, byteLength } = bytes;
  return new UNITS[width as 1 | 2 | 4](buffer as ArrayBuffer, byteOffset, byteLength / width);
}

/** How one tensor was written. */
export interface CompressedTensor {
  readonly name: string;
  readonly encoding: "raw" | "coded";
  readonly bytes: number;
  readonly bytesRaw: number;
  /** Distinct values that are coded, of so many elements; 0 where raw. */
  readonly values: number;
  readonly coded: number;
  /** Bits of a gap; 0: all elements are coded. */
  readonly gapBits: number;
  /** Mean bits of a value, and of the gaps before it. */
  readonly valueBits: number;
  readonly placeBits: number;
}

/**
 * The bytes of a compressed file.
 * @throws TransformError for tensors without elements yet.
 * @example deploy.encodeCompressed({ w: zeros([1000]) }).bytes.length < 50 // true
 */
export function encodeCompressed(tensors: ReadonlyMap<string, Tensor> | Readonly<Record<string, Tensor>>): {
  readonly bytes: Uint8Array;
  readonly tensors: readonly CompressedTensor[];
} {
  const list: [string, Tensor][] = tensors instanceof Map ? [...tensors] : Object.entries(tensors);
  const out = new ByteWriter();
  out.raw(MAGIC);
  out.varint(list.length);
  const found = list.map(([name, tensor]) => {
    const from = out.written.length;
    const text = new TextEncoder().encode(name);
    out.varint(text.length);
    out.raw(text);
    out.byte(DTYPE_CODES.indexOf(tensor.dtype));
    out.varint(tensor.shape.length);
    for (const size of tensor.shape) out.varint(size);
    const bytes = elementBytes(needConcrete(tensor, `encodeCompressed: ${name}`));
    const coding = codingOf(bytes, tensor.dtype);
    out.byte(coding ? 1 : 0);
    if (coding) out.raw(coding.bytes);
    else out.raw(bytes);
    return {
      ...{ name, encoding: coding ? ("coded" as const) : ("raw" as const), bytesRaw: bytes.length },
      ...{ bytes: out.written.length - from, values: coding?.values ?? 0, coded: coding?.coded ?? 0 },
      ...{
        gapBits: coding?.gapBits ?? 0,
        valueBits: coding?.valueBits ?? 0,
        placeBits: coding?.placeBits ?? 0,
      },
    };
  });
  out.uint32(crc32c(out.written));
  return { bytes: out.written.slice(), tensors: found };
}

/** The width whose gaps, with the lengths of their codewords, take the fewest bits. */
function bestGapBits(places: readonly number[]): number {
  const cost = (gapBits: number): number => {
    const counts = countsOf(gapsOf(places, gapBits), 2 ** gapBits);
    return codedBits(counts, huffmanLengths(counts)) + 8 * counts.filter((n) => n > 0).length;
  };
  const costs = GAP_BITS.map(cost);
  return GAP_BITS[costs.indexOf(Math.min(...costs))];
}

interface Coding {
  readonly bytes: Uint8Array;
  readonly values: number;
  readonly coded: number;
  readonly gapBits: number;
  readonly valueBits: number;
  readonly placeBits: number;
}

/** The smallest coding; `null` where the elements themselves are smaller. */
function codingOf(bytes: Uint8Array, dtype: DType): Coding | null {
  const units = unitsOf(bytes, dtype);
  if (!units) return null;
  const distinct = new Set<number>();
  for (const unit of units) {
    distinct.add(unit);
    if (distinct.size > MOST_VALUES) return null;
  }
  const places: number[] = [];
  units.forEach((unit, i) => {
    if (unit !== 0) places.push(i);
  });
  const widths = places.length === units.length ? [0] : [0, bestGapBits(places)];
  let best: Coding | null = null;
  const dense = [...distinct].sort((a, b) => a - b);
  for (const gapBits of widths) {
    const codebook = gapBits === 0 ? dense : dense.filter((unit) => unit !== 0);
    const coding = coded(units, places, codebook, gapBits, dtype);
    if (!best || coding.bytes.length < best.bytes.length) best = coding;
  }
  return best && best.bytes.length < bytes.length ? best : null;
}

function coded(
  units: Units,
  places: readonly number[],
  codebook: readonly number[],
  gapBits: number,
  dtype: DType,
): Coding {
  const numbers = new Map(codebook.map((unit, i) => [unit, i]));
  const at = gapBits === 0 ? units.length : places.length;
  const values = Uint32Array.from({ length: at }, (_, i) =>
    Number(numbers.get(units[gapBits === 0 ? i : places[i]])),
  );
  const out = new ByteWriter();
  out.byte(gapBits);
  out.varint(codebook.length);
  const entries = new UNITS[bytesPerElement(dtype) as 1 | 2 | 4](codebook);
  out.raw(new Uint8Array(entries.buffer));
  out.varint(values.length);
  const valueBits = stream(out, values, codebook.length);
  let placeBits = 0;
  if (gapBits > 0) {
    const gaps = gapsOf(places, gapBits);
    out.varint(gaps.length);
    placeBits = stream(out, gaps, 2 ** gapBits);
  }
  const mean = (bits: number): number => (values.length === 0 ? 0 : bits / values.length);
  return {
    ...{ bytes: out.written, values: codebook.length, coded: values.length, gapBits },
    ...{ valueBits: mean(valueBits), placeBits: mean(placeBits) },
  };
}

/** Lengths of codewords and what they code. Returns the bits of that. */
function stream(out: ByteWriter, symbols: ArrayLike<number>, alphabet: number): number {
  const counts = countsOf(symbols, alphabet);
  const lengths = huffmanLengths(counts);
  for (let i = 0; i < lengths.length; i++) {
    out.byte(lengths[i]);
    if (lengths[i] !== 0) continue;
    let more = 0;
    while (i + 1 < lengths.length && lengths[i + 1] === 0) {
      more++;
      i++;
    }
    out.varint(more);
  }
  const bits = codedBits(counts, lengths);
  out.varint(Math.ceil(bits / 8));
  writeSymbols(out, symbols, lengths);
  return bits;
}

function gapsOf(places: readonly number[], gapBits: number): number[] {
  const most = 2 ** gapBits - 1;
  const gaps: number[] = [];
  let next = 0;
  for (const place of places) {
    let gap = place - next;
    for (; gap >= most; gap -= most) gaps.push(most);
    gaps.push(gap);
    next = place + 1;
  }
  return gaps;
}

export interface DecodeOptions {
  /** Most bytes that all tensors together may take; a small file can hold large ones. Default 2³⁰. */
  readonly limit?: number;
  /** In messages. Default "compressed file". */
  readonly where?: string;
}

/**
 * The tensors of a compressed file.
 * @throws ModelFileError for a file that is cut short, damaged or forged, and for one whose tensors take more than the limit;
 *   nothing is allocated that it does not justify.
 * @example deploy.decodeCompressed(deploy.encodeCompressed({ w: tensor([0, 0, 3]) }).bytes).get("w") // [0, 0, 3]
 */
export function decodeCompressed(
  given: Uint8Array,
  { limit = 2 ** 30, where = "compressed file" }: DecodeOptions = {},
): Map<string, DenseTensor> {
  const bytes = new Uint8Array(given.buffer, given.byteOffset, given.length); // slices of a Buffer are no copies
  const whole = new ByteReader(bytes, where);
  if (bytes.length < MAGIC.length + 5 || MAGIC.some((byte, i) => bytes[i] !== byte))
    whole.fail("it is no compressed file: it does not begin with MLSYSDC1");
  const body = bytes.subarray(0, -4);
  if (crc32c(body) !== new ByteReader(bytes.subarray(-4), where).uint32())
    whole.fail("its checksum is wrong: it is cut short or damaged");
  const from = new ByteReader(body, where);
  from.raw(MAGIC.length);
  const count = from.varint(from.left, "the number of tensors");
  const out = new Map<string, DenseTensor>();
  let used = 0;
  try {
    for (let i = 0; i < count; i++) {
      const name = nameFrom(from);
      if (out.has(name)) from.fail(`${JSON.stringify(name)} stands twice`);
      const dtype = DTYPE_CODES[from.byte()] ?? from.fail("a dtype is unknown");
      const axes = from.varint(MOST_AXES, "a number of axes");
      const shape = Array.from({ length: axes }, () => from.varint(2 ** 40, "a size"));
      const size = sizeOf(shape) * bytesPerElement(dtype);
      used += size;
      if (!(used <= limit)) from.fail(`its tensors take more than the ${limit} bytes that are allowed`);
      const encoding = from.byte();
      if (encoding > 1) from.fail(`there is no encoding ${encoding}`);
      // a copy: elements start at a multiple of their width
      const elements = encoding === 0 ? from.raw(size).slice() : elementsFrom(from, sizeOf(shape), dtype);
      out.set(name, denseFromBytes(elements, shape, dtype, getDevice()));
    }
    if (from.left > 0) from.fail(`${from.left} bytes too many`);
  } catch (error) {
    for (const tensor of out.values()) tensor.dispose();
    throw error;
  }
  return out;
}

function nameFrom(from: ByteReader): string {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(
      from.raw(from.varint(2 ** 16, "a name's length")),
    );
  } catch (error) {
    if (error instanceof TypeError) return from.fail("a name is not UTF-8");
    throw error;
  }
}

function elementsFrom(from: ByteReader, size: number, dtype: DType): Uint8Array {
  const width = bytesPerElement(dtype);
  if (width === 8) from.fail(`${dtype} is never coded`);
  const gapBits = from.byte();
  if (gapBits > 8) from.fail(`gaps of ${gapBits} bits`);
  const entries = from.varint(MOST_VALUES, "a codebook");
  const codebook = unitsOf(from.raw(entries * width).slice(), dtype) as Units;
  const count = from.varint(size, "the number of coded elements");
  if (gapBits === 0 && count !== size) from.fail(`${count} of ${size} elements are coded, and no gaps`);
  const values = symbolsFrom(from, entries, count);
  const out = new Uint8Array(size * width);
  const units = unitsOf(out, dtype) as Units;
  if (gapBits === 0) {
    for (let i = 0; i < count; i++) units[i] = codebook[values[i]];
    return out;
  }
  const gaps = symbolsFrom(from, 2 ** gapBits, from.varint(2 ** 40, "the number of gaps"));
  const most = 2 ** gapBits - 1;
  let [place, next] = [0, 0];
  for (const gap of gaps) {
    place += gap;
    if (gap === most) continue;
    if (place >= size || next >= count) from.fail("its gaps lead out of the tensor");
    units[place++] = codebook[values[next++]];
  }
  if (next !== count) from.fail(`${next} places for ${count} coded elements`);
  return out;
}

function symbolsFrom(from: ByteReader, alphabet: number, count: number): Uint32Array {
  const lengths = new Uint8Array(alphabet);
  for (let i = 0; i < alphabet; i++) {
    lengths[i] = from.byte();
    if (lengths[i] > LONGEST) from.fail(`a codeword of ${lengths[i]} bits`);
    if (lengths[i] === 0) i += from.varint(alphabet - 1 - i, "a run of zeros");
  }
  return readSymbols(from, from.raw(from.varint(from.left, "a stream")), lengths, count);
}
