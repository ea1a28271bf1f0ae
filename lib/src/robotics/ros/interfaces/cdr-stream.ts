/** The bytes under a CDR message: growing, aligning, byte order. Offsets for alignment count from behind the header. */

const HEADER = 4;
/** What is kept from one message to the next, an image; a larger buffer is given back. */
const KEPT = 1 << 23;
const encoder = new TextEncoder();
const decoder = new TextDecoder();

type Elements = ArrayBufferView & { readonly length: number; readonly BYTES_PER_ELEMENT: number };

/** Writes little-endian; one writer serves message after message. */
export class CdrWriter {
  #bytes = new Uint8Array(1024);
  #view = new DataView(this.#bytes.buffer);
  #at = HEADER;

  start(): void {
    this.#at = HEADER;
  }

  /** The message in bytes of its own. */
  finish(): Uint8Array {
    const message = this.view().slice();
    this.end();
    return message;
  }

  /** The message in the writer's own bytes, which the next message takes. */
  view(): Uint8Array {
    this.#bytes.set([0, 1, 0, 0]); // CDR, little-endian; no options
    return this.#bytes.subarray(0, this.#at);
  }

  /** Gives a large buffer back. */
  end(): void {
    if (this.#bytes.length > KEPT) this.#resize(KEPT, 0);
  }

  /** Room for `size` bytes at a multiple of `align` (1, 2 or 4, which the header is one of); returns where. */
  #place(size: number, align: number): number {
    const start = this.#at;
    const at = start + (-start & (align - 1));
    if (at + size > this.#bytes.length) this.#resize(Math.max(2 * this.#bytes.length, at + size), start);
    for (let i = start; i < at; i++) this.#bytes[i] = 0;
    this.#at = at + size;
    return at;
  }

  /** Eight-byte values align behind the header: at 4 more than a multiple of 8. */
  #place8(): number {
    const start = this.#at;
    const at = start + ((HEADER - start) & 7);
    if (at + 8 > this.#bytes.length) this.#resize(2 * this.#bytes.length, start);
    for (let i = start; i < at; i++) this.#bytes[i] = 0;
    this.#at = at + 8;
    return at;
  }

  #resize(size: number, used: number): void {
    const bytes = new Uint8Array(size);
    bytes.set(this.#bytes.subarray(0, used));
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer);
  }

  bool(value: boolean): void {
    this.uint8(value ? 1 : 0);
  }
  int8(value: number): void {
    this.uint8(value);
  }
  uint8(value: number): void {
    const at = this.#place(1, 1);
    this.#bytes[at] = value;
  }
  int16(value: number): void {
    this.uint16(value);
  }
  uint16(value: number): void {
    const at = this.#place(2, 2);
    this.#view.setUint16(at, value, true);
  }
  int32(value: number): void {
    this.uint32(value);
  }
  uint32(value: number): void {
    const at = this.#place(4, 4);
    this.#view.setUint32(at, value, true);
  }
  int64(value: bigint): void {
    const at = this.#place8();
    this.#view.setBigInt64(at, value, true);
  }
  uint64(value: bigint): void {
    const at = this.#place8();
    this.#view.setBigUint64(at, value, true);
  }
  float32(value: number): void {
    const at = this.#place(4, 4);
    this.#view.setFloat32(at, value, true);
  }
  float64(value: number): void {
    const at = this.#place8();
    this.#view.setFloat64(at, value, true);
  }

  /** UTF-8 with its length and a zero at the end, both counted. */
  string(value: string): void {
    const lengthAt = this.#place(4, 4);
    const at = this.#place(3 * value.length + 1, 1);
    let size = 0;
    if (value.length < 64) {
      for (; size < value.length; size++) {
        const code = value.charCodeAt(size);
        if (code > 127) break;
        this.#bytes[at + size] = code;
      }
    }
    if (size < value.length) size = encoder.encodeInto(value, this.#bytes.subarray(at)).written;
    this.#bytes[at + size] = 0;
    this.#view.setUint32(lengthAt, size + 1, true);
    this.#at = at + size + 1;
  }

  /** A typed array's elements, as they lie in memory (every machine that Node runs on is little-endian). */
  elements(values: Elements): void {
    if (values.length === 0) return;
    const size = values.BYTES_PER_ELEMENT;
    if (size === 8) this.#at = this.#place8();
    const at = this.#place(values.byteLength, size === 8 ? 4 : size);
    this.#bytes.set(new Uint8Array(values.buffer, values.byteOffset, values.byteLength), at);
  }
}

interface ElementsOf<T> {
  new (length: number): T;
  new (buffer: ArrayBufferLike, byteOffset?: number, length?: number): T;
  readonly BYTES_PER_ELEMENT: number;
}

/** Reads either byte order. Past the end, or with impossible counts, a RangeError. */
export class CdrReader {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  readonly #little: boolean;
  #at = HEADER;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    const kind = this.#view.getUint16(0);
    if (kind > 1)
      throw new RangeError(`their encoding 0x${kind.toString(16).padStart(4, "0")} is not plain CDR`);
    this.#little = kind === 1;
  }

  #place(size: number, align: number): number {
    const at = this.#at + ((HEADER - this.#at) & (align - 1));
    this.#at = at + size;
    return at;
  }

  bool(): boolean {
    return this.uint8() !== 0;
  }
  int8(): number {
    return this.#view.getInt8(this.#at++);
  }
  uint8(): number {
    return this.#view.getUint8(this.#at++);
  }
  int16(): number {
    return this.#view.getInt16(this.#place(2, 2), this.#little);
  }
  uint16(): number {
    return this.#view.getUint16(this.#place(2, 2), this.#little);
  }
  int32(): number {
    return this.#view.getInt32(this.#place(4, 4), this.#little);
  }
  uint32(): number {
    return this.#view.getUint32(this.#place(4, 4), this.#little);
  }
  int64(): bigint {
    return this.#view.getBigInt64(this.#place(8, 8), this.#little);
  }
  uint64(): bigint {
    return this.#view.getBigUint64(this.#place(8, 8), this.#little);
  }
  float32(): number {
    return this.#view.getFloat32(this.#place(4, 4), this.#little);
  }
  float64(): number {
    return this.#view.getFloat64(this.#place(8, 8), this.#little);
  }

  string(): string {
    const size = this.uint32();
    const at = this.#at;
    if (size > this.#bytes.length - at) throw new RangeError(`a string of ${size} bytes passes their end`);
    this.#at = at + size;
    if (size === 0) return ""; // some writers leave the zero out of an empty string
    if (this.#bytes[at + size - 1] !== 0) throw new RangeError("a string does not end with a zero");
    if (size < 32) {
      let text = "";
      let i = at;
      for (; i < at + size - 1 && this.#bytes[i] < 128; i++) text += String.fromCharCode(this.#bytes[i]);
      if (i === at + size - 1) return text;
    }
    return decoder.decode(this.#bytes.subarray(at, at + size - 1));
  }

  /** A sequence's length: no element takes less than a byte. */
  count(bound: number): number {
    const count = this.uint32();
    if (count > bound) throw new RangeError(`a sequence of ${count} elements has a bound of ${bound}`);
    if (count > this.#bytes.length - this.#at)
      throw new RangeError(`a sequence of ${count} elements passes their end`);
    return count;
  }

  list<T>(count: number, read: () => T): T[] {
    const values = new Array<T>(count);
    for (let i = 0; i < count; i++) values[i] = read();
    return values;
  }

  elements<T extends { slice(): T }>(count: number, Elements: ElementsOf<T>): T {
    if (count === 0) return new Elements(0);
    const size = Elements.BYTES_PER_ELEMENT;
    const at = this.#place(count * size, size);
    if (this.#at > this.#bytes.length) throw new RangeError(`an array of ${count} elements passes their end`);
    const { buffer, byteOffset } = this.#bytes;
    if (this.#little && (byteOffset + at) % size === 0)
      return new Elements(buffer, byteOffset + at, count).slice();
    const own = new Uint8Array(count * size);
    own.set(this.#bytes.subarray(at, this.#at));
    if (!this.#little && size > 1)
      for (let i = 0; i < own.length; i += size) own.subarray(i, i + size).reverse();
    return new Elements(own.buffer);
  }
}
