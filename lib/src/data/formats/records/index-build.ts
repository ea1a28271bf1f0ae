/** Builds index files by an external sort: runs that fit in memory are sorted and set aside, then merged. */
import { closeSync, fsyncSync, openSync, renameSync, rmSync, writeSync } from "node:fs";
import { ValueError } from "../../../core/errors.js";
import { type ByteFile, openBytes } from "../bytes/byte-file.js";
import { crc32c } from "../bytes/crc32c.js";
import { Heap } from "../heap.js";
import {
  compareKeys,
  ENTRIES_PER_PAGE,
  ENTRY_BYTES,
  FENCE_BYTES,
  INDEX_MAGIC,
  INDEX_TAIL,
  type IndexedField,
  type IndexJson,
  indexPath,
  keyOf,
} from "./index-file.js";
import { openRecords, type RecordFile } from "./reader.js";

/** Entries that are sorted in memory at once: 16 MiB, and as much again for sorting. */
const RUN = 1 << 20;

/**
 * Writes the index file of a record file anew (`PATH.idx`), by default for the fields that the file names. Closing a writer does
 * it too; a file that was cut needs it by hand. Memory: 64 MiB, whatever the number of records.
 * @example
 * const out = data.recordWriter("labels.rec", { label: "uint8" });
 * for (const label of [3, 1, 3]) out.write({ label });
 * out.close();
 * data.buildRecordIndex("labels.rec", ["label"]);
 * const file = data.openRecords("labels.rec", { schema: { label: "uint8" } });
 * [...file.find("label", { equals: 3 })] // [0, 2]
 * @param options.sync whether to wait until the disk has it. Default true.
 * @throws ValueError for a field that is a tensor or not there.
 */
export function buildRecordIndex(path: string, fields?: readonly string[], { sync = true } = {}): void {
  using records = openRecords(path);
  const names = fields ?? records.header.indexed;
  for (const name of names)
    if (typeof records.schema[name] !== "string")
      throw new ValueError(`${path}: the index wants a field of scalars, text or bytes, got ${name}`);
  const target = indexPath(path);
  const [temporary, aside] = [`${target}.tmp`, `${target}.runs`];
  const out = new Output(temporary);
  try {
    out.write(INDEX_MAGIC);
    const described = names.map((name) => writeField(records, name, out, aside));
    const json: IndexJson = { id: records.header.id, rows: records.length, fields: described };
    const bytes = Buffer.from(JSON.stringify(json));
    const tail = Buffer.alloc(INDEX_TAIL);
    tail.writeBigUInt64LE(BigInt(out.position), 0);
    tail.writeUInt32LE(bytes.length, 8);
    tail.writeUInt32LE(crc32c(bytes), 12);
    tail.set(INDEX_MAGIC, 16);
    out.write(bytes);
    out.write(tail);
    out.close(sync);
    renameSync(temporary, target);
  } finally {
    out.close(false);
    rmSync(temporary, { force: true });
    rmSync(aside, { force: true });
  }
}

class Output {
  position = 0;
  private fd: number;

  constructor(path: string) {
    this.fd = openSync(path, "w");
  }

  write(bytes: Uint8Array): void {
    for (let done = 0; done < bytes.length; ) done += writeSync(this.fd, bytes, done);
    this.position += bytes.length;
  }

  close(sync: boolean): void {
    if (this.fd < 0) return;
    if (sync) fsyncSync(this.fd);
    closeSync(this.fd);
    this.fd = -1;
  }
}

/** Entries of a run: keys in two halves, and positions. */
class Run {
  count = 0;
  private readonly columns: { high: Uint32Array; low: Uint32Array; rows: Float64Array }[];
  private readonly key = new Uint32Array(2);

  constructor(readonly capacity: number) {
    this.columns = [0, 1].map(() => ({
      high: new Uint32Array(capacity),
      low: new Uint32Array(capacity),
      rows: new Float64Array(capacity),
    }));
  }

  add(value: unknown, row: number): void {
    if (Number.isNaN(value)) return; // NaN is found by no condition
    keyOf(value, this.key);
    const { high, low, rows } = this.columns[0];
    [high[this.count], low[this.count], rows[this.count]] = [this.key[0], this.key[1], row];
    this.count++;
  }

  /** By key, equal ones in the order of addition: radix sort, 16 bits at a time, least significant first. */
  sort(): void {
    const { count } = this;
    for (const [half, shift] of [
      ["low", 0],
      ["low", 16],
      ["high", 0],
      ["high", 16],
    ] as const) {
      const [from, to] = this.columns;
      const digits = from[half];
      const starts = new Uint32Array(65537);
      for (let i = 0; i < count; i++) starts[((digits[i] >>> shift) & 0xffff) + 1]++;
      if (count > 0 && starts[((digits[0] >>> shift) & 0xffff) + 1] === count) continue; // all the same
      for (let d = 0; d < 65536; d++) starts[d + 1] += starts[d];
      for (let i = 0; i < count; i++) {
        const at = starts[(digits[i] >>> shift) & 0xffff]++;
        to.high[at] = from.high[i];
        to.low[at] = from.low[i];
        to.rows[at] = from.rows[i];
      }
      this.columns.reverse();
    }
  }

  /** Entries `from` … as bytes, at most a page of them. */
  page(from: number): Buffer {
    const { high, low, rows } = this.columns[0];
    const count = Math.min(ENTRIES_PER_PAGE, this.count - from);
    const out = Buffer.allocUnsafe(count * ENTRY_BYTES);
    for (let i = 0; i < count; i++) writeEntry(out, i, high[from + i], low[from + i], rows[from + i]);
    return out;
  }
}

function writeEntry(out: Buffer, i: number, high: number, low: number, row: number): void {
  const at = i * ENTRY_BYTES;
  out.writeUInt32LE(low, at);
  out.writeUInt32LE(high, at + 4);
  out.writeUInt32LE(row % 2 ** 32, at + 8);
  out.writeUInt32LE(Math.floor(row / 2 ** 32), at + 12);
}

/** Sorted pages of a field into the file, then their fences. */
function writeField(records: RecordFile, name: string, out: Output, aside: string): IndexedField {
  const run = new Run(Math.min(RUN, records.length));
  const runs: { at: number; count: number }[] = [];
  const held = new Output(aside);
  let entries = 0;
  const setAside = (): void => {
    run.sort();
    runs.push({ at: held.position, count: run.count });
    for (let i = 0; i < run.count; i += ENTRIES_PER_PAGE) held.write(run.page(i));
    entries += run.count;
    run.count = 0;
  };
  try {
    for (let group = 0; group < records.groupCount; group++)
      for (const [row, value] of records.column(name, group)) {
        run.add(value, row);
        if (run.count === run.capacity) setAside();
      }
    setAside();
  } finally {
    held.close(false);
  }
  const at = out.position;
  const fences: Buffer[] = [];
  using file = openBytes(aside);
  for (const page of merged(file, runs)) {
    const fence = Buffer.alloc(FENCE_BYTES);
    fence.set(page.subarray(0, 8));
    fence.writeUInt32LE(crc32c(page), 8);
    fences.push(fence);
    out.write(page);
  }
  const all = Buffer.concat(fences);
  const fencesAt = out.position;
  out.write(all);
  return { name, at, entries, fencesAt, fencesCrc: crc32c(all) };
}

/** Where one run is read. */
class Cursor {
  high = 0;
  low = 0;
  private page: Buffer = Buffer.alloc(0);
  private next = 0;
  private left: number;
  private at: number;

  constructor(
    private readonly file: ByteFile,
    readonly number: number,
    { at, count }: { at: number; count: number },
  ) {
    this.at = at;
    this.left = count;
  }

  /** False at the end of the run. */
  advance(): boolean {
    this.next += ENTRY_BYTES;
    if (this.next >= this.page.length) {
      if (this.left === 0) return false;
      const count = Math.min(ENTRIES_PER_PAGE, this.left);
      this.page = this.file.read(this.at, count * ENTRY_BYTES);
      this.at += this.page.length;
      this.left -= count;
      this.next = 0;
    }
    this.low = this.page.readUInt32LE(this.next);
    this.high = this.page.readUInt32LE(this.next + 4);
    return true;
  }

  copyTo(out: Buffer, at: number): void {
    this.page.copy(out, at, this.next, this.next + ENTRY_BYTES);
  }
}

function* merged(file: ByteFile, runs: readonly { at: number; count: number }[]): Generator<Buffer> {
  const heap = new Heap<Cursor>(
    (a, b) => (compareKeys(a.high, a.low, b.high, b.low) || a.number - b.number) < 0,
  );
  for (const [i, run] of runs.entries()) {
    const cursor = new Cursor(file, i, run);
    if (cursor.advance()) heap.push(cursor);
  }
  const page = Buffer.alloc(ENTRIES_PER_PAGE * ENTRY_BYTES);
  let used = 0;
  for (let first = heap.peek(); first; first = heap.peek()) {
    first.copyTo(page, used);
    used += ENTRY_BYTES;
    if (used === page.length) {
      yield page;
      used = 0;
    }
    if (first.advance()) heap.sink();
    else heap.pop();
  }
  if (used > 0) yield page.subarray(0, used);
}
