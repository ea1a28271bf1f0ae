/**
 * TFRecord: TensorFlow's file of records: for each its length (64 bits, little-endian), the masked CRC-32C of those 8 bytes, the
 * payload, and its masked CRC-32C. (tensorflow/core/lib/io/record_writer.cc.) No index, no header; optionally gzip or zlib.
 */
import { createWriteStream } from "node:fs";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { createDeflate, createGzip } from "node:zlib";
import { ValueError } from "../../../core/errors.js";
import type { RandomAccess } from "../../dataset/node.js";
import { type ByteFile, type BytesOrPath, openBytes } from "../bytes/byte-file.js";
import { type ByteSource, byteChunks, type Compression, sourceName } from "../bytes/byte-stream.js";
import { crc32c } from "../bytes/crc32c.js";

const HEAD = 12;
const FOOT = 4;

/** Stored CRCs are rotated and shifted, so that the CRC of bytes which hold CRCs stays of use. */
function masked(bytes: Uint8Array): number {
  const crc = crc32c(bytes);
  return (((crc >>> 15) | (crc << 17)) + 0xa282ead8) >>> 0;
}

export interface TfRecordOptions {
  /** Default "auto": gzip by its mark; zlib must be said. */
  readonly compression?: Compression;
  /** Whether payloads' checksums are compared (that of the length always is). Default true. */
  readonly verify?: boolean;
  /** A longer record is refused. Default 2³⁰ bytes. */
  readonly maxBytes?: number;
}

const MAX_BYTES = 2 ** 30;

/** @throws ValueError */
function lengthOf(head: Buffer, where: () => string, maxBytes: number): number {
  if (masked(head.subarray(0, 8)) !== head.readUInt32LE(8))
    throw new ValueError(
      `${where()}: the checksum of its length is wrong; is this a TFRecord file, of this compression?`,
    );
  const length = Number(head.readBigUInt64LE(0));
  if (length > maxBytes) throw new ValueError(`${where()} has ${length} bytes; at most ${maxBytes}`);
  return length;
}

function checkPayload(payload: Uint8Array, crc: number, where: () => string): void {
  if (masked(payload) !== crc) throw new ValueError(`${where()} is damaged: its checksum is wrong`);
}

/**
 * The payloads of a TFRecord file, one after the other.
 * @example
 * const bytes = Buffer.concat([data.encodeTfRecord(new Uint8Array([1, 2])), data.encodeTfRecord(new Uint8Array([3]))]);
 * const sizes: number[] = [];
 * for await (const payload of data.readTfRecords(bytes)) sizes.push(payload.length);
 * sizes // [2, 1]
 * @throws ValueError naming record and byte where the file is damaged or cut.
 */
export async function* readTfRecords(
  source: ByteSource,
  { compression = "auto", verify = true, maxBytes = MAX_BYTES }: TfRecordOptions = {},
): AsyncGenerator<Buffer> {
  const name = sourceName(source);
  const held = new Held();
  let [index, start, length] = [0, 0, -1]; // length −1: the head is awaited
  const where = (): string => `${name}: record ${index} (at byte ${start})`;
  for await (const chunk of byteChunks(source, compression)) {
    held.add(chunk);
    for (;;) {
      if (length < 0) {
        const head = held.take(HEAD);
        if (!head) break;
        length = lengthOf(head, where, maxBytes);
      }
      const body = held.take(length + FOOT);
      if (!body) break;
      const payload = body.subarray(0, length);
      if (verify) checkPayload(payload, body.readUInt32LE(length), where);
      yield Buffer.from(payload); // a record kept must not keep its chunk
      index++;
      start += HEAD + length + FOOT;
      length = -1;
    }
  }
  if (held.size > 0 || length >= 0) throw new ValueError(`${where()} is cut: the file ends inside of it`);
}

/** Bytes that came, taken in other pieces than they came in. */
class Held {
  private parts: Buffer[] = [];
  size = 0;

  add(part: Buffer): void {
    this.parts.push(part);
    this.size += part.length;
  }

  /** The next `count` bytes; `null` if there are not so many. */
  take(count: number): Buffer | null {
    if (this.size < count) return null;
    if (this.parts.length > 1 && this.parts[0].length < count) this.parts = [Buffer.concat(this.parts)];
    const out = this.parts[0].subarray(0, count);
    this.parts[0] = this.parts[0].subarray(count);
    if (this.parts[0].length === 0) this.parts.shift();
    this.size -= count;
    return out;
  }
}

/** The payloads of an uncompressed TFRecord file, by position. */
export class TfRecordFile implements RandomAccess<Buffer>, Iterable<Buffer>, Disposable {
  private readonly offsets: Float64Array;

  /** @internal */
  constructor(
    private readonly file: ByteFile,
    private readonly verify: boolean,
    maxBytes: number,
  ) {
    this.offsets = offsetsOf(file, maxBytes);
  }

  get length(): number {
    return this.offsets.length - 1;
  }

  /** @throws ValueError outside of the file, or if the payload is damaged. */
  at(index: number): Buffer {
    if (!Number.isInteger(index) || index < 0 || index >= this.length)
      throw new ValueError(`${this.file.name} has records 0 to ${this.length - 1}, got ${index}`);
    const start = this.offsets[index];
    const bytes = this.file.read(start + HEAD, this.offsets[index + 1] - start - HEAD);
    const payload = bytes.subarray(0, bytes.length - FOOT);
    const where = (): string => `${this.file.name}: record ${index} (at byte ${start})`;
    if (this.verify) checkPayload(payload, bytes.readUInt32LE(payload.length), where);
    return payload;
  }

  *[Symbol.iterator](): IterableIterator<Buffer> {
    for (let i = 0; i < this.length; i++) yield this.at(i);
  }

  close(): void {
    this.file.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }
}

/** Reads ahead so many bytes when looking for heads: small records share one read, large ones are skipped. */
const WINDOW = 1 << 16;

/** Where each record starts, and the end. */
function offsetsOf(file: ByteFile, maxBytes: number): Float64Array {
  let offsets = new Float64Array(1024);
  let [count, at, windowAt] = [0, 0, 0];
  let window: Buffer = Buffer.alloc(0);
  const where = (): string => `${file.name}: record ${count} (at byte ${at})`;
  for (;;) {
    if (count === offsets.length) {
      const grown = new Float64Array(2 * count);
      grown.set(offsets);
      offsets = grown;
    }
    offsets[count] = at;
    if (at === file.size) return offsets.slice(0, count + 1);
    if (at + HEAD > file.size) throw new ValueError(`${where()} is cut: the file ends inside of it`);
    if (at < windowAt || at + HEAD > windowAt + window.length) {
      window = file.read(at, Math.min(WINDOW, file.size - at));
      windowAt = at;
    }
    const length = lengthOf(window.subarray(at - windowAt, at - windowAt + HEAD), where, maxBytes);
    const next = at + HEAD + length + FOOT;
    if (next > file.size) throw new ValueError(`${where()} is cut: the file ends inside of it`);
    at = next;
    count++;
  }
}

/**
 * Opens an uncompressed TFRecord file for access by position: its lengths are read once, 8 bytes of memory are kept per record.
 * @example data.openTfRecords(data.encodeTfRecord(new Uint8Array([5, 6]))).at(0) // [5, 6]
 * @throws ValueError naming the first record whose length is damaged, or that is cut.
 */
export function openTfRecords(
  source: BytesOrPath,
  { verify = true, maxBytes = MAX_BYTES }: Omit<TfRecordOptions, "compression"> = {},
): TfRecordFile {
  const file = openBytes(source);
  try {
    return new TfRecordFile(file, verify, maxBytes);
  } catch (error) {
    file.close();
    throw error;
  }
}

/**
 * A payload as it stands in a TFRecord file; files are such pieces one behind the other.
 * @example data.encodeTfRecord(new Uint8Array([1])).length // 17
 */
export function encodeTfRecord(payload: Uint8Array): Buffer {
  const out = Buffer.allocUnsafe(HEAD + payload.length + FOOT);
  out.writeBigUInt64LE(BigInt(payload.length), 0);
  out.writeUInt32LE(masked(out.subarray(0, 8)), 8);
  out.set(payload, HEAD);
  out.writeUInt32LE(masked(payload), HEAD + payload.length);
  return out;
}

/**
 * Writes payloads to a file, compressed if wanted. @returns how many
 * @example await data.writeTfRecords("numbers.tfrecord", [data.encodeExample({ x: [1.5, 2] })], { compression: "gzip" }) // 1
 */
export async function writeTfRecords(
  path: string,
  payloads: Iterable<Uint8Array> | AsyncIterable<Uint8Array>,
  { compression = "none" }: { readonly compression?: Exclude<Compression, "auto"> } = {},
): Promise<number> {
  let count = 0;
  const frames = async function* (): AsyncGenerator<Buffer> {
    for await (const payload of payloads) {
      yield encodeTfRecord(payload);
      count++;
    }
  };
  const [input, output] = [Readable.from(frames(), { objectMode: false }), createWriteStream(path)];
  if (compression === "none") await pipeline(input, output);
  else await pipeline(input, compression === "gzip" ? createGzip() : createDeflate(), output);
  return count;
}
