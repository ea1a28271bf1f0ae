/**
 * The index file beside a record file: for each indexed field, its values in order, each with the record's position.
 *
 *     magic · pages of 4096 entries (key: 8 bytes, position: 8 bytes) · first key and CRC of each page · JSON · 24 bytes of tail
 *
 * A key is a number whose unsigned order is the order of the values: scalars exactly, text and bytes by a hash. A query reads
 * one page, and those that follow while they match.
 */
import { existsSync } from "node:fs";
import { ValueError } from "../../../core/errors.js";
import { type ByteFile, openBytes } from "../bytes/byte-file.js";
import { crc32c } from "../bytes/crc32c.js";
import type { FieldType } from "./schema.js";

export const INDEX_MAGIC = Buffer.from("MLIDX1\r\n");
export const ENTRY_BYTES = 16;
export const ENTRIES_PER_PAGE = 4096;
/** First key (8 bytes) and CRC of a page. */
export const FENCE_BYTES = 12;
export const INDEX_TAIL = 24;

export const indexPath = (path: string): string => `${path}.idx`;

/** What a value must be. Ranges include both ends. */
export type Condition<V> = { readonly equals: V } | { readonly from?: V; readonly to?: V };

/** What the JSON says of a field. */
export interface IndexedField {
  readonly name: string;
  readonly at: number;
  readonly entries: number;
  readonly fencesAt: number;
  readonly fencesCrc: number;
}

export interface IndexJson {
  readonly id: string;
  readonly rows: number;
  readonly fields: readonly IndexedField[];
}

const TWO_32 = 2 ** 32;
const scratch = new DataView(new ArrayBuffer(8));

/** Upper and lower half of a value's key. */
export function keyOf(value: unknown, out: Uint32Array): void {
  if (typeof value === "bigint") {
    scratch.setBigInt64(0, value);
    out[0] = scratch.getUint32(0) ^ 0x80000000;
    out[1] = scratch.getUint32(4);
  } else if (typeof value === "number" || typeof value === "boolean") {
    scratch.setFloat64(0, Number(value) + 0); // −0 equals 0
    const [high, low] = [scratch.getUint32(0), scratch.getUint32(4)];
    const negative = high >>> 31; // order of negative floats runs against that of their bits
    out[0] = negative ? ~high : high ^ 0x80000000;
    out[1] = negative ? ~low : low;
  } else {
    const bytes = bytesOf(value);
    out[0] = fnv1a(bytes);
    out[1] = crc32c(bytes);
  }
}

const bytesOf = (value: unknown): Uint8Array =>
  typeof value === "string" ? Buffer.from(value) : (value as Uint8Array);

function fnv1a(bytes: Uint8Array): number {
  let hash = 0x811c9dc5;
  for (const byte of bytes) hash = Math.imul(hash ^ byte, 0x01000193);
  return hash >>> 0;
}

/** Whether text or bytes are those: a hash may meet two. */
export const sameBytes = (value: unknown, wanted: Uint8Array): boolean =>
  Buffer.compare(bytesOf(value), wanted) === 0;

export interface Range {
  /** Ends as statistics count them: values, or bytes of text. */
  readonly from: number | bigint;
  readonly to: number | bigint;
  readonly holds: (value: unknown) => boolean;
  /** Keys, both included: upper half, lower half. */
  readonly fromKey: Uint32Array;
  readonly toKey: Uint32Array;
  /** Text and bytes: what the value must be. */
  readonly exact: Uint8Array | null;
}

/** @throws ValueError for a condition that this type has no order for, or a value of another type. */
export function bounds(type: FieldType, condition: Condition<unknown>, where: string): Range {
  const { equals, from = equals, to = equals } = condition as Record<"equals" | "from" | "to", unknown>;
  const [fromKey, toKey] = [new Uint32Array(2), new Uint32Array(2)];
  if (type === "string" || type === "bytes") {
    if (type === "string" ? typeof equals !== "string" : !(equals instanceof Uint8Array))
      throw new ValueError(`${where}: a field of ${type} is found by { equals: ${type} } only`);
    const exact = bytesOf(equals);
    keyOf(equals, fromKey);
    keyOf(equals, toKey);
    return { from: exact.length, to: exact.length, holds: () => false, fromKey, toKey, exact };
  }
  const kind = type === "int64" ? "bigint" : type === "bool" ? "boolean" : "number";
  for (const value of [from, to])
    if (value !== undefined && (typeof value !== kind || Number.isNaN(value)))
      throw new ValueError(`${where}: its values are of type ${kind}, got ${String(value)}`);
  const [least, most] = type === "int64" ? [-(2n ** 63n), 2n ** 63n - 1n] : [-Infinity, Infinity];
  const scalar = (value: unknown, open: number | bigint): number | bigint =>
    value === undefined ? open : typeof value === "boolean" ? Number(value) : (value as number | bigint);
  const [given, until] = [scalar(from, least), scalar(to, most)];
  const [low, high] = [given < least ? least : given, until > most ? most : until]; // a bigint may be past 64 bits
  if (low <= high) {
    keyOf(low, fromKey);
    keyOf(high, toKey);
  } else fromKey[0] = 1; // nothing lies from 1 to 0
  const holds = (value: unknown): boolean => {
    const v = typeof value === "boolean" ? Number(value) : (value as number | bigint);
    return v >= low && v <= high;
  };
  return { from: low, to: high, holds, fromKey, toKey, exact: null };
}

/** The order of keys. */
export const compareKeys = (aHigh: number, aLow: number, bHigh: number, bLow: number): number =>
  aHigh - bHigh || aLow - bLow;

interface OpenField extends IndexedField {
  readonly fences: Buffer;
}

export class IndexFile {
  private readonly fields = new Map<string, OpenField>();
  private loaded = -1;
  private loadedField = "";
  private page: Buffer = Buffer.alloc(0);

  private constructor(
    private readonly file: ByteFile,
    private readonly rows: number,
    fields: readonly IndexedField[],
  ) {
    for (const field of fields) {
      const pages = Math.ceil(field.entries / ENTRIES_PER_PAGE);
      const fences = file.read(field.fencesAt, pages * FENCE_BYTES);
      if (crc32c(fences) !== field.fencesCrc)
        throw new ValueError(`${file.name}: the index of ${field.name} is damaged (checksum)`);
      this.fields.set(field.name, { ...field, fences });
    }
  }

  /** `null` if there is none, or it is that of an earlier state of the data. @throws ValueError if it is damaged */
  static open(path: string, id: string, rows: number): IndexFile | null {
    if (!existsSync(path)) return null;
    const file = openBytes(path);
    try {
      const json = readIndexJson(file);
      if (json.id === id && json.rows === rows) return new IndexFile(file, rows, json.fields);
      file.close();
      return null;
    } catch (error) {
      file.close();
      throw error;
    }
  }

  covers(field: string): boolean {
    return this.fields.has(field);
  }

  get indexed(): string[] {
    return [...this.fields.keys()];
  }

  /** Positions of the records whose key lies in the range, in the order of the keys. */
  *find(name: string, { fromKey, toKey }: Range): Generator<number> {
    const field = this.fields.get(name) as OpenField;
    const { fences, entries } = field;
    const pages = fences.length / FENCE_BYTES;
    let [low, high] = [0, pages]; // the first page whose first key is not below: the page before may hold the first match
    while (low < high) {
      const middle = (low + high) >> 1;
      const at = middle * FENCE_BYTES;
      if (compareKeys(fences.readUInt32LE(at + 4), fences.readUInt32LE(at), fromKey[0], fromKey[1]) < 0)
        low = middle + 1;
      else high = middle;
    }
    for (let page = Math.max(0, low - 1); page < pages; page++) {
      const count = Math.min(ENTRIES_PER_PAGE, entries - page * ENTRIES_PER_PAGE);
      for (let i = this.firstIn(field, page, count, fromKey); i < count; i++) {
        const bytes = this.pageOf(field, page, count); // anew: another query may have run in between
        const at = i * ENTRY_BYTES;
        if (compareKeys(bytes.readUInt32LE(at + 4), bytes.readUInt32LE(at), toKey[0], toKey[1]) > 0) return;
        const row = bytes.readUInt32LE(at + 8) + bytes.readUInt32LE(at + 12) * TWO_32;
        if (row >= this.rows)
          throw new ValueError(`${this.file.name}: points to record ${row} of ${this.rows}`);
        yield row;
      }
    }
  }

  close(): void {
    this.file.close();
  }

  private firstIn(field: OpenField, page: number, count: number, key: Uint32Array): number {
    const bytes = this.pageOf(field, page, count);
    let [low, high] = [0, count];
    while (low < high) {
      const middle = (low + high) >> 1;
      const at = middle * ENTRY_BYTES;
      if (compareKeys(bytes.readUInt32LE(at + 4), bytes.readUInt32LE(at), key[0], key[1]) < 0)
        low = middle + 1;
      else high = middle;
    }
    return low;
  }

  private pageOf(field: OpenField, page: number, count: number): Buffer {
    if (this.loaded === page && this.loadedField === field.name) return this.page;
    const bytes = this.file.read(field.at + page * ENTRIES_PER_PAGE * ENTRY_BYTES, count * ENTRY_BYTES);
    if (crc32c(bytes) !== field.fences.readUInt32LE(page * FENCE_BYTES + 8))
      throw new ValueError(
        `${this.file.name}: page ${page} of the index of ${field.name} is damaged (checksum)`,
      );
    [this.page, this.loaded, this.loadedField] = [bytes, page, field.name];
    return bytes;
  }
}

function readIndexJson(file: ByteFile): IndexJson {
  const damaged = (what: string): ValueError => new ValueError(`${file.name} is no index file: ${what}`);
  if (file.size < INDEX_MAGIC.length + INDEX_TAIL || !file.read(0, 8).equals(INDEX_MAGIC))
    throw damaged("it doesn't start with its mark");
  const tail = file.read(file.size - INDEX_TAIL, INDEX_TAIL);
  const [at, length] = [Number(tail.readBigUInt64LE(0)), tail.readUInt32LE(8)];
  if (!tail.subarray(16).equals(INDEX_MAGIC) || at + length + INDEX_TAIL !== file.size)
    throw damaged("it was cut");
  const bytes = file.read(at, length);
  if (crc32c(bytes) !== tail.readUInt32LE(12)) throw damaged("its description is damaged (checksum)");
  const json = (JSON.parse(bytes.toString("utf8")) ?? {}) as IndexJson;
  const whole = (n: unknown): boolean => Number.isSafeInteger(n) && (n as number) >= 0;
  if (
    !Array.isArray(json.fields) ||
    !json.fields.every(
      (f) =>
        typeof f.name === "string" &&
        [f.at, f.entries, f.fencesAt, f.fencesCrc].every(whole) &&
        f.at + f.entries * ENTRY_BYTES <= file.size,
    )
  )
    throw damaged("its description is not that of an index");
  return json;
}
