/**
 * The record file, byte by byte (little-endian; every part starts at a multiple of 8):
 *
 *     header   magic, length and CRC of a JSON text: schema, page size, indexed fields, place in a set of shards, identity
 *     group*   head: magic, CRC of the head, first row, rows, bytes of both areas; a CRC-32C per page; statistics (JSON)
 *              scalar pages: rows of fixed width
 *              blob pages: text, bytes, tensors, in the order of the rows
 *     footer   where each group starts and how many rows it has; statistics of the file (JSON)
 *     tail     48 bytes: where the footer starts, its length and CRC, the number of rows, magic
 *
 * A group is written whole, behind those that are there, and flushed to disk; the footer comes last. So a file that was cut
 * anywhere still has every group but the last one, and a file without a footer is known to be cut.
 */
import { ValueError } from "../../../core/errors.js";
import type { ByteFile } from "../bytes/byte-file.js";
import { crc32c } from "../bytes/crc32c.js";
import { checkSchema, type RecordSchema } from "./schema.js";
import { type Tally, talliesFromJSON } from "./statistics.js";

const MAGIC = Buffer.from("MLREC1\r\n"); // the line ends show when a transfer "as text" has changed them
const GROUP_MAGIC = 0x31505247; // "GRP1"
const TAIL_MAGIC = Buffer.from("MLRECEND");
const GROUP_FIXED = 40;
export const TAIL_BYTES = 48;
const MAX_JSON = 1 << 24;

/** Bytes of a page: the unit of checking. */
export const PAGE_BYTES = 1 << 16;

export const align8 = (n: number): number => Math.ceil(n / 8) * 8;

export interface FileHeader {
  readonly schema: RecordSchema;
  /** Random: an index file says by it to which file it belongs. */
  readonly id: string;
  readonly pageBytes: number;
  /** Fields that queries find through the index file. */
  readonly indexed: readonly string[];
  /** Which of how many files of one set. */
  readonly shard: { readonly id: number; readonly of: number };
}

export function encodeHeader(header: FileHeader): Buffer {
  const json = Buffer.from(JSON.stringify(header));
  const out = Buffer.alloc(align8(16 + json.length));
  out.set(MAGIC);
  out.writeUInt32LE(json.length, 8);
  out.writeUInt32LE(crc32c(json), 12);
  out.set(json, 16);
  return out;
}

/** @throws ValueError if these are not the first bytes of a record file. */
export function readHeader(file: ByteFile): { header: FileHeader; bytes: number } {
  if (file.size < 16 || !file.read(0, 8).equals(MAGIC))
    throw new ValueError(`${file.name} is no record file: it doesn't start with its mark`);
  const fixed = file.read(8, 8);
  const json = readJson(file, 16, fixed.readUInt32LE(0), fixed.readUInt32LE(4), "header");
  const { schema, id, pageBytes, indexed, shard } = (json ?? {}) as Partial<FileHeader>;
  const where = `${file.name}: its header`;
  checkSchema(schema, where);
  const whole = (n: unknown, least: number, most: number): boolean =>
    Number.isInteger(n) && (n as number) >= least && (n as number) <= most;
  if (
    typeof id !== "string" ||
    !whole(pageBytes, 512, 2 ** 24) ||
    !Array.isArray(indexed) ||
    !indexed.every((name) => typeof name === "string" && Object.hasOwn(schema as object, name)) ||
    !whole(shard?.of, 1, 1e6) ||
    !whole(shard?.id, 0, (shard?.of as number) - 1)
  )
    throw new ValueError(`${where} is damaged`);
  const bytes = align8(16 + fixed.readUInt32LE(0));
  if (bytes > file.size) throw new ValueError(`${where} is cut`);
  return { header: json as FileHeader, bytes };
}

function readJson(file: ByteFile, at: number, length: number, crc: number, part: string): unknown {
  if (length > MAX_JSON || at + length > file.size)
    throw new ValueError(`${file.name}: its ${part} of ${length} bytes goes past what there is`);
  const bytes = file.read(at, length);
  if (crc32c(bytes) !== crc) throw new ValueError(`${file.name}: its ${part} is damaged (checksum)`);
  return parseJson(bytes, `${file.name}: its ${part}`);
}

function parseJson(bytes: Buffer, where: string): unknown {
  try {
    return JSON.parse(bytes.toString("utf8")) as unknown;
  } catch {
    throw new ValueError(`${where} is damaged (JSON)`);
  }
}

/** What is known of a group without its pages. */
export interface GroupHead {
  readonly offset: number;
  readonly firstRow: number;
  readonly rows: number;
  /** Where the two areas start in the file, and how many bytes they have. */
  readonly scalarAt: number;
  readonly scalarBytes: number;
  readonly blobAt: number;
  readonly blobBytes: number;
  /** CRC-32C of the scalar pages, then of the blob pages. */
  readonly pageSums: Uint32Array;
  readonly statistics: readonly Tally[];
  /** First byte behind the group. */
  readonly end: number;
}

/** Pages that an area has. */
export const pagesOf = (bytes: number, pageBytes: number): number => Math.ceil(bytes / pageBytes);

function* pages(area: Uint8Array, pageBytes: number): Generator<Uint8Array> {
  for (let at = 0; at < area.length; at += pageBytes)
    yield area.subarray(at, Math.min(at + pageBytes, area.length));
}

/** A group's bytes, in parts. */
export function encodeGroup(
  rows: Uint8Array,
  blobs: Uint8Array,
  { firstRow, count, pageBytes }: { firstRow: number; count: number; pageBytes: number },
  statistics: readonly Tally[],
): Uint8Array[] {
  const sums = [...pages(rows, pageBytes), ...pages(blobs, pageBytes)].map((page) => crc32c(page));
  const json = Buffer.from(JSON.stringify(statistics));
  const head = Buffer.alloc(align8(GROUP_FIXED + 4 * sums.length + json.length));
  head.writeUInt32LE(GROUP_MAGIC, 0);
  head.writeBigUInt64LE(BigInt(firstRow), 8);
  head.writeUInt32LE(count, 16);
  head.writeUInt32LE(rows.length, 20);
  head.writeUInt32LE(blobs.length, 24);
  head.writeUInt32LE(json.length, 28);
  for (const [i, sum] of sums.entries()) head.writeUInt32LE(sum, GROUP_FIXED + 4 * i);
  head.set(json, GROUP_FIXED + 4 * sums.length);
  head.writeUInt32LE(crc32c(head.subarray(8)), 4);
  const padding = (n: number): Uint8Array => new Uint8Array(align8(n) - n);
  return [head, rows, padding(rows.length), blobs, padding(blobs.length)];
}

/** @throws ValueError if no whole head of a group with rows of `rowBytes` lies there. */
export function readGroupHead(
  file: ByteFile,
  offset: number,
  { pageBytes, schema }: FileHeader,
  rowBytes: number,
): GroupHead {
  const where = `${file.name}: the row group at byte ${offset}`;
  const fixed = file.read(offset, GROUP_FIXED);
  if (fixed.readUInt32LE(0) !== GROUP_MAGIC) throw new ValueError(`${where} doesn't start with its mark`);
  const firstRow = Number(fixed.readBigUInt64LE(8));
  const [rows, scalarBytes, blobBytes, jsonBytes] = [16, 20, 24, 28].map((at) => fixed.readUInt32LE(at));
  const count = pagesOf(scalarBytes, pageBytes) + pagesOf(blobBytes, pageBytes);
  const headBytes = align8(GROUP_FIXED + 4 * count + jsonBytes);
  const scalarAt = offset + headBytes;
  const blobAt = scalarAt + align8(scalarBytes);
  const end = blobAt + align8(blobBytes);
  if (end > file.size) throw new ValueError(`${where} goes on to byte ${end}; the file ends at ${file.size}`);
  const head = file.read(offset, headBytes);
  if (crc32c(head.subarray(8)) !== head.readUInt32LE(4))
    throw new ValueError(`${where} has a damaged head (checksum)`);
  if (rows === 0 || rows * rowBytes !== scalarBytes)
    throw new ValueError(
      `${where} has ${scalarBytes} bytes of rows; ${rows} rows of ${rowBytes} take others`,
    );
  const pageSums = Uint32Array.from({ length: count }, (_, i) => head.readUInt32LE(GROUP_FIXED + 4 * i));
  const json = head.subarray(GROUP_FIXED + 4 * count, GROUP_FIXED + 4 * count + jsonBytes);
  const statistics = talliesFromJSON(parseJson(json, where), schema, where);
  return {
    offset,
    firstRow,
    rows,
    scalarAt,
    scalarBytes,
    blobAt,
    blobBytes,
    pageSums,
    statistics,
    end,
  };
}

/** Where the groups start, how many rows they have, and the statistics of the file. */
export interface Directory {
  readonly offsets: readonly number[];
  readonly rows: readonly number[];
  readonly statistics: readonly Tally[];
}

/** Footer and tail of a file whose groups end at `at`. */
export function encodeFooter({ offsets, rows, statistics }: Directory, at: number): Buffer {
  const json = Buffer.from(JSON.stringify(statistics));
  const length = align8(8 + 16 * offsets.length + json.length);
  const out = Buffer.alloc(length + TAIL_BYTES);
  out.writeUInt32LE(offsets.length, 0);
  out.writeUInt32LE(json.length, 4);
  for (const [i, offset] of offsets.entries()) {
    out.writeBigUInt64LE(BigInt(offset), 8 + 16 * i);
    out.writeUInt32LE(rows[i], 16 + 16 * i);
  }
  out.set(json, 8 + 16 * offsets.length);
  const tail = out.subarray(length);
  tail.writeBigUInt64LE(BigInt(at), 0);
  tail.writeBigUInt64LE(BigInt(length), 8);
  tail.writeBigUInt64LE(BigInt(rows.reduce((a, b) => a + b, 0)), 16);
  tail.writeUInt32LE(crc32c(out.subarray(0, length)), 24);
  tail.writeUInt32LE(crc32c(tail.subarray(0, 28)), 28);
  tail.set(TAIL_MAGIC, TAIL_BYTES - 8);
  return out;
}

/** The footer, or why there is none. */
export function readFooter(
  file: ByteFile,
  schema: RecordSchema,
  headerBytes: number,
): { directory: Directory; at: number } | { fault: string } {
  if (file.size < headerBytes + TAIL_BYTES) return { fault: "it has no footer" };
  const tail = file.read(file.size - TAIL_BYTES, TAIL_BYTES);
  if (!tail.subarray(TAIL_BYTES - 8).equals(TAIL_MAGIC)) return { fault: "it has no footer" };
  if (crc32c(tail.subarray(0, 28)) !== tail.readUInt32LE(28)) return { fault: "its tail is damaged" };
  const [at, length, total] = [0, 8, 16].map((o) => Number(tail.readBigUInt64LE(o)));
  if (at < headerBytes || at + length + TAIL_BYTES !== file.size || length < 8)
    return { fault: "its tail points outside of the file" };
  const bytes = file.read(at, length);
  if (crc32c(bytes) !== tail.readUInt32LE(24)) return { fault: "its footer is damaged" };
  const [count, jsonBytes] = [bytes.readUInt32LE(0), bytes.readUInt32LE(4)];
  if (align8(8 + 16 * count + jsonBytes) !== length) return { fault: "its footer is damaged" };
  const offsets: number[] = [];
  const rows: number[] = [];
  for (let i = 0; i < count; i++) {
    offsets.push(Number(bytes.readBigUInt64LE(8 + 16 * i)));
    rows.push(bytes.readUInt32LE(16 + 16 * i));
  }
  const where = `${file.name}: its footer`;
  if (rows.reduce((a, b) => a + b, 0) !== total) return { fault: "its footer is damaged" };
  const json = parseJson(bytes.subarray(8 + 16 * count, 8 + 16 * count + jsonBytes), where);
  return { directory: { offsets, rows, statistics: talliesFromJSON(json, schema, where) }, at };
}
