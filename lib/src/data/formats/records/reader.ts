/** Reading a record file: any record by two positional reads, or all of them in order, group by group. */
import { ValueError } from "../../../core/errors.js";
import type { RandomAccess } from "../../dataset/node.js";
import { type ByteFile, type BytesOrPath, openBytes } from "../bytes/byte-file.js";
import { type Directory, type FileHeader, readFooter, readGroupHead, readHeader } from "./format.js";
import { bounds, type Condition, IndexFile, indexPath, sameBytes } from "./index-file.js";
import { GroupPages, type Verify } from "./pages.js";
import { type Recovery, recover } from "./recover.js";
import { RowCodec } from "./row-codec.js";
import { type RecordOf, type RecordSchema, sameSchema } from "./schema.js";
import type { FieldStatistics } from "./statistics.js";

export interface OpenRecordsOptions<S extends RecordSchema> {
  /** What the file must hold; gives records their type. */
  readonly schema?: S;
  /** When pages' checksums are compared. Default "once": at the first read of each page. */
  readonly verify?: Verify;
}

/** Files whose rows (not their text, bytes, tensors) take no more keep them in memory once read. */
const KEPT_BYTES = 32 << 20;

/** Records by position, or in order. Reads are synchronous: a record takes microseconds once its page is in the system's cache. */
export class RecordFile<S extends RecordSchema = RecordSchema>
  implements RandomAccess<RecordOf<S>>, Iterable<RecordOf<S>>, Disposable
{
  readonly schema: S;
  readonly length: number;
  /** What was found, if the file was not closed by its writer; else `null`. */
  readonly recovery: Recovery | null;
  readonly codec: RowCodec;
  private readonly firstRows: readonly number[];
  private readonly groups: (GroupPages | undefined)[] = [];
  private readonly row: Buffer;
  private readonly rowView: DataView;
  private last = 0;

  /** @internal */
  constructor(
    readonly file: ByteFile,
    readonly header: FileHeader,
    readonly directory: Directory,
    recovery: Recovery | null,
    private readonly verify: Verify,
  ) {
    this.schema = header.schema as S;
    this.recovery = recovery;
    this.codec = new RowCodec(header.schema);
    let next = 0;
    this.firstRows = directory.rows.map((rows) => {
      next += rows;
      return next - rows;
    });
    this.length = next;
    this.row = Buffer.alloc(this.codec.width);
    this.rowView = new DataView(this.row.buffer, this.row.byteOffset, this.row.length);
  }

  /** Path, or "the bytes". */
  get name(): string {
    return this.file.name;
  }

  /** Number of row groups. */
  get groupCount(): number {
    return this.directory.offsets.length;
  }

  /** Record `index`. @throws ValueError outside of the file, or if a page of the record is damaged */
  at(index: number): RecordOf<S> {
    if (!Number.isInteger(index) || index < 0 || index >= this.length)
      throw new ValueError(`${this.name} has records 0 to ${this.length - 1}, got ${index}`);
    const group = this.groupOf(index);
    const pages = this.pages(group);
    const { width } = this.codec;
    const at = (index - this.firstRows[group]) * width;
    let [rows, row] = [this.rowView, 0];
    if (this.keepsRows) [rows, row] = [this.rowsOf(group), at];
    else pages.readInto(this.row, "scalar", at, width);
    const blob = this.codec.blobOf(rows, row);
    this.checkBlob(blob, pages, index);
    const bytes = Buffer.allocUnsafe(blob.length);
    pages.readInto(bytes, "blob", blob.offset, blob.length);
    return this.codec.decode(rows, row, bytes, this.where(index)) as RecordOf<S>;
  }

  /** Rows of the scalar pages in memory, where all of the file's are few: then a record is one read. */
  private readonly kept: (DataView | undefined)[] = [];

  private get keepsRows(): boolean {
    return this.verify !== "always" && this.length * this.codec.width <= KEPT_BYTES;
  }

  private rowsOf(group: number): DataView {
    const known = this.kept[group];
    if (known) return known;
    const pages = this.pages(group);
    const rows = Buffer.allocUnsafeSlow(pages.head.scalarBytes);
    pages.readArea(rows, "scalar");
    const view = new DataView(rows.buffer, rows.byteOffset, rows.length);
    this.kept[group] = view;
    return view;
  }

  [Symbol.iterator](): IterableIterator<RecordOf<S>> {
    return this.records();
  }

  /** Records from `from` up to, not including, `to`, in order: a group is read at once. */
  *records(from = 0, to = this.length): IterableIterator<RecordOf<S>> {
    let [rows, blobs]: Buffer[] = [Buffer.alloc(0), Buffer.alloc(0)]; // the walk's own, since several may run at once
    const enough = (held: Buffer, size: number): Buffer =>
      held.length >= size ? held : Buffer.allocUnsafeSlow(size);
    const { codec } = this;
    for (let group = from < to ? this.groupOf(from) : this.groupCount; group < this.groupCount; group++) {
      const first = this.firstRows[group];
      if (first >= to) return;
      const pages = this.pages(group);
      rows = enough(rows, pages.head.scalarBytes);
      blobs = enough(blobs, pages.head.blobBytes);
      pages.readArea(rows, "scalar");
      pages.readArea(blobs, "blob");
      const view = new DataView(rows.buffer, rows.byteOffset, rows.length);
      const end = Math.min(pages.head.rows, to - first);
      for (let i = Math.max(0, from - first); i < end; i++) {
        const at = i * codec.width;
        const blob = codec.blobOf(view, at);
        this.checkBlob(blob, pages, first + i);
        let bytes = blobs.subarray(blob.offset, blob.offset + blob.length);
        if (codec.keepsBlobs) {
          const own = Buffer.allocUnsafe(blob.length); // a record kept must not keep its group
          bytes.copy(own);
          bytes = own;
        }
        yield codec.decode(view, at, bytes, this.where(first + i)) as RecordOf<S>;
      }
    }
  }

  /**
   * Positions of the records whose field meets the condition: by the index file where there is one (in the order of the
   * values), else group by group (in the order of the file), past groups whose extremes rule it out.
   * @throws ValueError for a field without an order (a tensor; text and bytes know `equals` only).
   */
  *find<K extends keyof S & string>(
    field: K,
    condition: Condition<RecordOf<S>[K]>,
  ): IterableIterator<number> {
    const type = this.schema[field];
    if (typeof type !== "string")
      throw new ValueError(
        `${this.name}: find wants a field of scalars, text or bytes; ${field} is ${type === undefined ? "none" : "a tensor"}`,
      );
    const range = bounds(type, condition, `${this.name}: find ${field}`);
    const index = this.indexFile();
    if (index?.covers(field)) {
      for (const row of index.find(field, range))
        if (!range.exact || sameBytes(this.at(row)[field], range.exact)) yield row;
      return;
    }
    const number = Object.keys(this.schema).indexOf(field);
    for (let group = 0; group < this.groupCount; group++) {
      const { head } = this.pages(group);
      if (!head.statistics[number].mayHold(range.from, range.to)) continue;
      for (const [i, value] of this.column(field, group))
        if (range.exact ? sameBytes(value, range.exact) : range.holds(value)) yield i;
    }
  }

  /** One field's values in a group, with their positions: of scalars, no blobs are read. */
  *column(field: string, group: number): Generator<[index: number, value: unknown]> {
    const first = this.firstRows[group];
    const pages = this.pages(group);
    const { codec } = this;
    const slot = codec.slots.find(({ name }) => name === field);
    if (!slot?.scalar) {
      let i = first;
      for (const record of this.records(first, first + pages.head.rows)) yield [i++, record[field]];
      return;
    }
    const rows = Buffer.allocUnsafe(pages.head.scalarBytes);
    pages.readArea(rows, "scalar");
    const view = new DataView(rows.buffer, rows.byteOffset, rows.length);
    for (let i = 0; i < pages.head.rows; i++) yield [first + i, codec.scalar(slot, view, i * codec.width)];
  }

  private index: IndexFile | null | undefined;

  /** The index file beside the data, if it is there and of this file; opened once. */
  private indexFile(): IndexFile | null {
    const { path } = this.file;
    this.index ??= path === null ? null : IndexFile.open(indexPath(path), this.header.id, this.length);
    return this.index;
  }

  /** Of each field: extremes and mean, or bytes. From the footer: nothing is read. */
  statistics(): Record<string, FieldStatistics> {
    return Object.fromEntries(
      Object.keys(this.schema).map((name, i) => [name, this.directory.statistics[i].summary()]),
    );
  }

  /** @internal */
  pages(group: number): GroupPages {
    const known = this.groups[group];
    if (known) return known;
    const head = readGroupHead(this.file, this.directory.offsets[group], this.header, this.codec.width);
    if (head.firstRow !== this.firstRows[group] || head.rows !== this.directory.rows[group])
      throw new ValueError(
        `${this.name}: row group ${group} has rows ${head.firstRow} to ${head.firstRow + head.rows - 1}; the footer says ${this.firstRows[group]} to ${this.firstRows[group] + this.directory.rows[group] - 1}`,
      );
    const pages = new GroupPages(this.file, head, this.header.pageBytes, this.verify);
    this.groups[group] = pages;
    return pages;
  }

  close(): void {
    this.index?.close();
    this.file.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  private where(index: number): string {
    return `${this.name}: record ${index}`;
  }

  private groupOf(index: number): number {
    const { firstRows, last } = this;
    if (firstRows[last] <= index && (last + 1 === firstRows.length || index < firstRows[last + 1]))
      return last;
    let [low, high] = [0, firstRows.length - 1];
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (firstRows[middle] <= index) low = middle;
      else high = middle - 1;
    }
    this.last = low;
    return low;
  }

  private checkBlob(blob: { offset: number; length: number }, pages: GroupPages, index: number): void {
    if (blob.offset + blob.length > pages.head.blobBytes)
      throw new ValueError(
        `${this.where(index)}: its bytes ${blob.offset} to ${blob.offset + blob.length} lie past the ${pages.head.blobBytes} of its group`,
      );
  }
}

/**
 * Opens a record file. One that was cut (its writer was killed, a copy broke off) opens too, with the records of its whole row
 * groups; `recovery` says so.
 * @example
 * const bytes = data.encodeRecords({ label: "uint8", name: "string" }, [{ label: 7, name: "seven" }, { label: 1, name: "one" }]);
 * data.openRecords(bytes).at(1).name // "one"
 * @throws ValueError if it is no record file, its header is damaged, or it has another schema.
 */
export function openRecords<S extends RecordSchema = RecordSchema>(
  source: BytesOrPath,
  { schema, verify = "once" }: OpenRecordsOptions<S> = {},
): RecordFile<S> {
  const file = openBytes(source);
  try {
    const { header, bytes } = readHeader(file);
    if (schema && !sameSchema(schema, header.schema))
      throw new ValueError(
        `${file.name} has the schema ${JSON.stringify(header.schema)}, wanted ${JSON.stringify(schema)}`,
      );
    const footer = readFooter(file, header.schema, bytes);
    if ("directory" in footer) return new RecordFile<S>(file, header, footer.directory, null, verify);
    const found = recover(file, header, bytes, new RowCodec(header.schema), footer.fault);
    return new RecordFile<S>(file, header, found.directory, found.recovery, verify);
  } catch (error) {
    file.close();
    throw error;
  }
}
