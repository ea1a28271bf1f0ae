/** Writing a record file: records gather into a row group, which is written and flushed to disk as a whole. */
import { randomBytes } from "node:crypto";
import { closeSync, existsSync, fsyncSync, ftruncateSync, openSync, rmSync, writevSync } from "node:fs";
import { dirname } from "node:path";
import { ValueError } from "../../../core/errors.js";
import { openBytes } from "../bytes/byte-file.js";
import {
  encodeFooter,
  encodeGroup,
  encodeHeader,
  type FileHeader,
  PAGE_BYTES,
  readFooter,
  readHeader,
} from "./format.js";
import { buildRecordIndex } from "./index-build.js";
import { indexPath } from "./index-file.js";
import { lockFile } from "./lock.js";
import { type Recovery, recover } from "./recover.js";
import { GrowingBytes, RowCodec } from "./row-codec.js";
import { checkSchema, type RecordOf, type RecordSchema, sameSchema } from "./schema.js";
import { type Tally, tallies } from "./statistics.js";

export interface RecordFileOptions {
  /** Fields that `find` looks up through an index file beside the data (`PATH.idx`). */
  readonly indexed?: readonly string[];
  /** Which of how many files of a set this is. Default: the only one. */
  readonly shard?: { readonly id: number; readonly of: number };
  /** A row group is closed at so many bytes … Default 4 MiB. */
  readonly groupBytes?: number;
  /** … or records. Default 65,536. */
  readonly groupRows?: number;
  /** Bytes of a page, the unit of checking. Default 64 KiB. */
  readonly pageBytes?: number;
}

export interface RecordWriterOptions extends RecordFileOptions {
  /** Goes on behind the records of the file, if there is one; what a killed writer left unfinished is cut off. Default false. */
  readonly append?: boolean;
  /** When to wait for the disk: after each row group, at the end, or never. Default "group". */
  readonly sync?: "group" | "close" | "never";
}

/** Where a group's bytes go; they are overwritten afterwards. */
type Sink = (parts: readonly Uint8Array[]) => void;

/** Gathers records into groups. */
class GroupWriter {
  readonly offsets: number[] = [];
  readonly rows: number[] = [];
  readonly statistics: Tally[];
  total = 0;
  private readonly codec: RowCodec;
  private readonly scalars = new GrowingBytes();
  private readonly blobs = new GrowingBytes();
  private counts: Tally[];
  private gathered = 0;

  constructor(
    readonly header: FileHeader,
    private readonly limits: { readonly bytes: number; readonly rows: number },
    private readonly sink: Sink,
    /** Position of the next group. */
    public end: number,
  ) {
    this.codec = new RowCodec(header.schema);
    this.statistics = tallies(header.schema);
    this.counts = tallies(header.schema);
  }

  add(record: Readonly<Record<string, unknown>>, name: string): void {
    const where = `${name}: record ${this.total}`;
    this.codec.encode(record, this.scalars, this.blobs, this.counts, where);
    this.gathered++;
    this.total++;
    if (this.gathered >= this.limits.rows || this.scalars.used + this.blobs.used >= this.limits.bytes)
      this.flush();
  }

  flush(): void {
    if (this.gathered === 0) return;
    const { scalars, blobs, header, gathered: count, total } = this;
    const place = { firstRow: total - count, count, pageBytes: header.pageBytes };
    const parts = encodeGroup(
      scalars.bytes.subarray(0, scalars.used),
      blobs.bytes.subarray(0, blobs.used),
      place,
      this.counts,
    );
    this.sink(parts);
    this.offsets.push(this.end);
    this.rows.push(count);
    for (const part of parts) this.end += part.length;
    for (const [i, tally] of this.statistics.entries()) tally.addAll(this.counts[i]);
    this.counts = tallies(header.schema);
    scalars.used = 0;
    blobs.used = 0;
    this.gathered = 0;
  }

  footer(): Buffer {
    return encodeFooter(this, this.end);
  }
}

function headerOf(schema: RecordSchema, options: RecordFileOptions, where: string): FileHeader {
  checkSchema(schema, where);
  const { indexed = [], shard = { id: 0, of: 1 }, pageBytes = PAGE_BYTES } = options;
  for (const name of indexed) {
    const type = Object.hasOwn(schema, name) ? schema[name] : undefined;
    if (typeof type !== "string")
      throw new ValueError(`${where}: the index wants a field of scalars, text or bytes, got ${name}`);
  }
  if (!(Number.isInteger(shard.of) && shard.of >= 1 && Number.isInteger(shard.id)))
    throw new ValueError(`${where}: shard ${shard.id} of ${shard.of}`);
  if (shard.id < 0 || shard.id >= shard.of)
    throw new ValueError(`${where}: the shards of ${shard.of} are 0 to ${shard.of - 1}, got ${shard.id}`);
  if (!Number.isInteger(pageBytes) || pageBytes < 512 || pageBytes > 2 ** 24)
    throw new ValueError(`${where}: a page has 512 to 2²⁴ bytes, got ${pageBytes}`);
  return { schema, id: randomBytes(16).toString("hex"), pageBytes, indexed, shard };
}

function limitsOf({ groupBytes = 4 << 20, groupRows = 1 << 16 }: RecordFileOptions, where: string) {
  if (!(groupBytes >= 1 && groupBytes <= 2 ** 30))
    throw new ValueError(`${where}: a row group has 1 to 2³⁰ bytes, got ${groupBytes}`);
  if (!(Number.isInteger(groupRows) && groupRows >= 1 && groupRows <= 2 ** 24))
    throw new ValueError(`${where}: a row group has 1 to 2²⁴ records, got ${groupRows}`);
  return { bytes: groupBytes, rows: groupRows };
}

/** Writes records behind each other. What `flush` has returned from is on disk, whatever happens to the process. */
export class RecordWriter<S extends RecordSchema = RecordSchema> implements Disposable {
  private readonly groups: GroupWriter;
  private readonly unlock: () => void;
  private readonly fd: number;
  private readonly sync: NonNullable<RecordWriterOptions["sync"]>;
  private open = true;
  /** What a killed writer had left, where the file was appended to. */
  readonly recovery: Recovery | null;

  /** @internal */
  constructor(
    readonly path: string,
    schema: S,
    options: RecordWriterOptions,
  ) {
    const limits = limitsOf(options, path);
    const fresh = headerOf(schema, options, path);
    this.sync = options.sync ?? "group";
    this.unlock = lockFile(path);
    let fd = -1;
    try {
      const old = options.append && existsSync(path) ? existing(path, fresh) : null;
      fd = openSync(path, old ? "r+" : "w");
      this.fd = fd;
      this.recovery = old?.recovery ?? null;
      rmSync(indexPath(path), { force: true });
      const sink: Sink = (bytes) => this.append(bytes);
      if (old) {
        this.groups = new GroupWriter(old.header, limits, sink, old.end);
        for (const [i, offset] of old.directory.offsets.entries()) {
          this.groups.offsets.push(offset);
          this.groups.rows.push(old.directory.rows[i]);
        }
        this.groups.total = old.directory.rows.reduce((a, b) => a + b, 0);
        for (const [i, tally] of this.groups.statistics.entries()) tally.addAll(old.directory.statistics[i]);
        ftruncateSync(fd, old.end); // the footer goes: from here to `close` the file counts as cut
        this.position = old.end;
      } else {
        const bytes = encodeHeader(fresh);
        this.groups = new GroupWriter(fresh, limits, sink, bytes.length);
        this.append([bytes]);
      }
      if (this.sync === "group") {
        fsyncSync(fd);
        syncFolder(path);
      }
    } catch (error) {
      if (fd >= 0) closeSync(fd);
      this.unlock();
      throw error;
    }
  }

  private position = 0;

  /** Records so far, those of the file before included. */
  get length(): number {
    return this.groups.total;
  }

  /**
   * Adds a record; nothing of it is kept if it doesn't fit the schema.
   * @throws ValueError naming record, field and value.
   */
  write(record: RecordOf<S>): void {
    this.needOpen();
    this.groups.add(record, this.path);
  }

  /** Ends the row group, so that all records so far outlive a crash. */
  flush(): void {
    this.needOpen();
    this.groups.flush();
    if (this.sync !== "never") fsyncSync(this.fd);
  }

  /** Writes what is left, the footer, and the index file if fields are indexed. */
  close(): void {
    if (!this.open) return;
    this.groups.flush();
    this.append([this.groups.footer()]);
    if (this.sync !== "never") fsyncSync(this.fd);
    this.release();
    const { indexed } = this.groups.header;
    if (indexed.length > 0) buildRecordIndex(this.path, indexed, { sync: this.sync !== "never" });
  }

  /** Gives up: what was flushed stays, no footer is written. */
  abort(): void {
    if (this.open) this.release();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  private release(): void {
    this.open = false;
    closeSync(this.fd);
    this.unlock();
  }

  private needOpen(): void {
    if (!this.open) throw new ValueError(`${this.path}: the writer is closed`);
  }

  private append(parts: readonly Uint8Array[]): void {
    const left = parts.filter((part) => part.length > 0);
    try {
      for (let i = 0; i < left.length; ) {
        let count = writevSync(this.fd, left.slice(i), this.position);
        this.position += count;
        for (; i < left.length && count >= left[i].length; i++) count -= left[i].length;
        if (count > 0) left[i] = left[i].subarray(count);
      }
      if (this.sync === "group") fsyncSync(this.fd);
    } catch (error) {
      this.abort(); // a full disk: the whole groups can be read
      throw error;
    }
  }
}

/** The file to append to, checked against what it is to hold. */
function existing(path: string, { schema }: FileHeader) {
  const file = openBytes(path);
  try {
    const { header, bytes } = readHeader(file);
    if (!sameSchema(schema, header.schema))
      throw new ValueError(
        `${path} has the schema ${JSON.stringify(header.schema)}; records of ${JSON.stringify(schema)} can't be appended`,
      );
    const footer = readFooter(file, header.schema, bytes);
    if ("directory" in footer) return { header, directory: footer.directory, end: footer.at, recovery: null };
    return { header, ...recover(file, header, bytes, new RowCodec(header.schema), footer.fault) };
  } finally {
    file.close();
  }
}

/** A new name is durable once its folder is. */
function syncFolder(path: string): void {
  try {
    const folder = openSync(dirname(path), "r");
    fsyncSync(folder);
    closeSync(folder);
  } catch {
    // some file systems refuse to sync a folder
  }
}

/**
 * Opens a record file to write. Close it (`using`, `close()`) for its footer and index.
 * @example
 * const schema = { label: "uint8", image: { dtype: "uint8", shape: [2, null] } } as const;
 * const out = data.recordWriter("digits.rec", schema, { indexed: ["label"] });
 * out.write({ label: 7, image: { dtype: "uint8", shape: [2, 1], data: new Uint8Array([1, 2]) } });
 * out.close();
 * const file = data.openRecords("digits.rec", { schema });
 * [...file.find("label", { equals: 7 })] // [0]
 * @throws ValueError for a schema or option out of range; MlsysError if another process writes the file.
 */
export function recordWriter<const S extends RecordSchema>(
  path: string,
  schema: S,
  options: RecordWriterOptions = {},
): RecordWriter<S> {
  return new RecordWriter(path, schema, options);
}

/**
 * A record file in memory.
 * @example data.openRecords(data.encodeRecords({ x: "float32" }, [{ x: 1.5 }, { x: 2 }])).at(0).x // 1.5
 */
export function encodeRecords<const S extends RecordSchema>(
  schema: S,
  records: Iterable<RecordOf<S>>,
  options: RecordFileOptions = {},
): Uint8Array {
  const where = "encodeRecords";
  const parts: Uint8Array[] = [];
  const header = headerOf(schema, options, where);
  const first = encodeHeader(header);
  const sink: Sink = (group) => {
    parts.push(...group.map((part) => new Uint8Array(part)));
  };
  const groups = new GroupWriter(header, limitsOf(options, where), sink, first.length);
  for (const record of records) groups.add(record, where);
  groups.flush();
  return Buffer.concat([first, ...parts, groups.footer()]);
}
