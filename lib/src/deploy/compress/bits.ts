/** Bits and bytes in a row, most significant bit first, numbers little-endian; reading never goes past the end. */
import { ModelFileError } from "../format/layout.js";

export class ByteWriter {
  private bytes = new Uint8Array(1024);
  private used = 0;
  private held = 0; // bits that do not fill a byte yet
  private waiting = 0;

  private room(count: number): void {
    if (this.used + count <= this.bytes.length) return;
    const larger = new Uint8Array(Math.max(2 * this.bytes.length, this.used + count));
    larger.set(this.bytes.subarray(0, this.used));
    this.bytes = larger;
  }

  byte(value: number): void {
    this.room(1);
    this.bytes[this.used++] = value;
  }

  raw(bytes: Uint8Array): void {
    this.room(bytes.length);
    this.bytes.set(bytes, this.used);
    this.used += bytes.length;
  }

  /** A whole number from 0 in groups of 7 bits, the lowest first; the top bit says that more follow (LEB128). */
  varint(value: number): void {
    let rest = value;
    for (; rest >= 128; rest = Math.floor(rest / 128)) this.byte((rest % 128) | 128);
    this.byte(rest);
  }

  uint32(value: number): void {
    for (let shift = 0; shift < 32; shift += 8) this.byte((value >>> shift) & 255);
  }

  /** The lowest `count` bits (at most 24) of a number. */
  bits(value: number, count: number): void {
    this.held = (this.held << count) | (value & ((1 << count) - 1));
    this.waiting += count;
    while (this.waiting >= 8) {
      this.waiting -= 8;
      this.byte((this.held >>> this.waiting) & 255);
    }
    this.held &= (1 << this.waiting) - 1;
  }

  /** Fills the last byte of bits with zeros. */
  align(): void {
    if (this.waiting > 0) this.bits(0, 8 - this.waiting);
  }

  get written(): Uint8Array {
    return this.bytes.subarray(0, this.used);
  }
}

export class ByteReader {
  private at = 0;

  constructor(
    private readonly bytes: Uint8Array,
    private readonly where: string,
  ) {}

  /** @throws ModelFileError, always. */
  fail(problem: string): never {
    throw new ModelFileError(`${this.where}: ${problem}`);
  }

  get left(): number {
    return this.bytes.length - this.at;
  }

  byte(): number {
    if (this.at >= this.bytes.length) this.fail("the file is cut short");
    return this.bytes[this.at++];
  }

  /** A view of the next bytes. */
  raw(count: number): Uint8Array {
    if (count > this.left) this.fail("the file is cut short");
    this.at += count;
    return this.bytes.subarray(this.at - count, this.at);
  }

  /** @throws ModelFileError for one that is larger than `most`. */
  varint(most: number, what: string): number {
    let value = 0;
    for (let factor = 1; factor <= 2 ** 49; factor *= 128) {
      const byte = this.byte();
      value += (byte & 127) * factor;
      if (byte < 128) {
        if (value > most) break;
        return value;
      }
    }
    return this.fail(`${what} is larger than ${most}`);
  }

  uint32(): number {
    const [a, b, c, d] = this.raw(4);
    return (a | (b << 8) | (c << 16) | (d << 24)) >>> 0;
  }
}
