/** Parquet: columns in compressed row groups. hyparquet reads, hyparquet-writer writes; here are rows, positions, limits, errors. */
import { writeFile } from "node:fs/promises";
import type { ColumnSource } from "hyparquet-writer";
import { MlsysError, ValueError } from "../../../core/errors.js";
import type { RandomAccess } from "../../dataset/node.js";
import { type ByteFile, type BytesOrPath, openBytes } from "../bytes/byte-file.js";
import { type ReadLimits, rehearse } from "./rehearsal.js";

/** Values by column: numbers, bigints (64 bits), booleans, text, dates, bytes, lists and objects of them; `null` where there is none. */
export type TableRow = Record<string, unknown>;

export interface ParquetOptions {
  /** Columns to read, the others cost nothing. Default all. */
  readonly columns?: readonly string[];
  /** A page that says it unpacks to more is refused. Default 2²⁸ bytes. */
  readonly maxPageBytes?: number;
  /**
   * For files from sources that you don't trust: each part is first read in a process of its own, which is ended when it
   * costs more. `{}` has the default limits. Twice the work, and some 0.2 s for each row group.
   */
  readonly limits?: ReadLimits;
}

type Metadata = Awaited<ReturnType<typeof import("hyparquet")["parquetMetadataAsync"]>>;
type ReadOptions = Omit<
  Parameters<typeof import("hyparquet")["parquetReadObjects"]>[0],
  "rowStart" | "rowEnd"
>;

const nameOf = (source: BytesOrPath): string => (typeof source === "string" ? source : "the bytes");

/** A file of the library's, with its errors as one of ours. */
async function named<T>(name: string, body: () => Promise<T>): Promise<T> {
  try {
    return await body();
  } catch (cause) {
    if (cause instanceof MlsysError) throw cause;
    throw new ValueError(
      `${name}: not a Parquet file, damaged, or of a kind that isn't read: ${(cause as Error).message}`,
      {
        cause,
      },
    );
  }
}

/** Rows of a Parquet file, a row group at a time. */
export class ParquetFile implements RandomAccess<TableRow>, AsyncIterable<TableRow>, Disposable {
  readonly length: number;
  /** Names of the columns that are read. */
  readonly columns: readonly string[];
  /** First row of each row group, and the number of rows behind the last. */
  private readonly starts: number[] = [0];
  private held: { group: number; rows: Promise<TableRow[]> } | null = null;

  /** @internal */
  constructor(
    private readonly file: ByteFile,
    private readonly library: typeof import("hyparquet"),
    private readonly options: ReadOptions,
    readonly metadata: Metadata,
    columns: readonly string[],
    /** Reads a row group where it can do no harm. */
    private readonly rehearseGroup: (group: number) => Promise<void>,
  ) {
    this.columns = columns;
    for (const group of metadata.row_groups)
      this.starts.push(this.starts[this.starts.length - 1] + Number(group.num_rows));
    this.length = this.starts[this.starts.length - 1];
  }

  get groupCount(): number {
    return this.starts.length - 1;
  }

  /** Row `index`: its row group is read, and kept until another is wanted. @throws ValueError outside of the file */
  async at(index: number): Promise<TableRow> {
    if (!Number.isInteger(index) || index < 0 || index >= this.length)
      throw new ValueError(`${this.file.name} has rows 0 to ${this.length - 1}, got ${index}`);
    const group = this.starts.findLastIndex((start) => start <= index);
    if (this.held?.group !== group) this.held = { group, rows: this.group(group) };
    return (await this.held.rows)[index - this.starts[group]];
  }

  /** Rows of a row group. */
  async group(group: number): Promise<TableRow[]> {
    const [rowStart, rowEnd] = [this.starts[group], this.starts[group + 1]];
    if (rowEnd === undefined || rowStart === undefined)
      throw new ValueError(`${this.file.name} has row groups 0 to ${this.groupCount - 1}, got ${group}`);
    await this.rehearseGroup(group);
    return named(this.file.name, async () => {
      const rows = (await this.library.parquetReadObjects({
        ...this.options,
        rowStart,
        rowEnd,
      })) as TableRow[];
      if (rows.length !== rowEnd - rowStart)
        throw new ValueError(
          `${this.file.name}: row group ${group} has ${rows.length} rows; the footer says ${rowEnd - rowStart}`,
        );
      return rows;
    });
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<TableRow> {
    for (let group = 0; group < this.groupCount; group++) yield* await this.group(group);
  }

  close(): void {
    this.file.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }
}

/**
 * Opens a Parquet file: its footer is read, rows when they are asked for. Codecs: none, Snappy, gzip, Brotli, LZ4, ZSTD. Sizes
 * and places that the footer gives are checked; counts inside of pages are believed, unless there are `limits`.
 * @example
 * const bytes = await data.encodeParquet({ x: [1, 2, 3], name: ["a", "b", null] });
 * const file = await data.openParquet(bytes);
 * (await file.at(1)).name // "b"
 * @throws ValueError if it is no Parquet file, or has no such column.
 */
export async function openParquet(
  source: BytesOrPath,
  { columns, maxPageBytes = 2 ** 28, limits }: ParquetOptions = {},
): Promise<ParquetFile> {
  const rehearsed = async (kind: "parquet footer" | "parquet group", group: number): Promise<void> => {
    if (limits) await rehearse(nameOf(source), { kind, source, group, columns, maxPageBytes }, limits);
  };
  await rehearsed("parquet footer", 0);
  const library = await import("hyparquet");
  const { compressors: codecs } = await import("hyparquet-compressors");
  const file = openBytes(source);
  try {
    const buffer = {
      byteLength: file.size,
      slice(start: number, end = file.size): ArrayBuffer {
        const out = new ArrayBuffer(Math.max(0, Math.min(end, file.size) - start));
        file.readInto(new Uint8Array(out), start, out.byteLength);
        return out;
      },
    };
    const limited = Object.entries(codecs).map(([name, unpack]) => [
      name,
      (input: Uint8Array, size: number): Uint8Array => {
        if (!(size >= 0 && size <= maxPageBytes))
          throw new ValueError(
            `${file.name}: a page says it unpacks to ${size} bytes; at most ${maxPageBytes}`,
          );
        return unpack(input, size);
      },
    ]);
    const compressors = Object.fromEntries(limited) as typeof codecs;
    const metadata = await named(file.name, () => library.parquetMetadataAsync(buffer));
    const there = library.parquetSchema(metadata).children.map((child) => child.element.name);
    const lacking = (columns ?? []).filter((name) => !there.includes(name));
    if (lacking.length > 0)
      throw new ValueError(
        `${file.name} has no column ${lacking.join(", ")}; there are: ${there.join(", ")}`,
      );
    checkRows(metadata, file);
    checkPlaces(metadata, file);
    const options = { file: buffer, metadata, columns: columns && [...columns], compressors, utf8: false };
    return new ParquetFile(file, library, options, metadata, columns ?? there, (group) =>
      rehearsed("parquet group", group),
    );
  } catch (error) {
    file.close();
    throw error;
  }
}

/** Rows cost memory before any is read: more than bits in the file are not believed of a group with columns. */
function checkRows({ row_groups: groups, num_rows: total }: Metadata, file: ByteFile): void {
  let sum = 0n;
  for (const [i, { num_rows: rows, columns }] of groups.entries()) {
    if (typeof rows !== "bigint" || rows < 0n || rows > 2n ** 31n)
      throw new ValueError(`${file.name}: row group ${i} says it has ${String(rows)} rows`);
    for (const { meta_data: column } of columns ?? [])
      if (column && column.num_values < rows)
        throw new ValueError(
          `${file.name}: row group ${i} says ${rows} rows, but a column has ${column.num_values} values`,
        );
    sum += rows;
  }
  if (sum !== total)
    throw new ValueError(`${file.name}: its footer says ${total} rows, its row groups ${sum}`);
}

/** Chunks of columns lie inside of the file. */
function checkPlaces({ row_groups: groups }: Metadata, file: ByteFile): void {
  for (const [i, { columns }] of groups.entries())
    for (const { meta_data: column } of columns ?? []) {
      if (!column) continue;
      const {
        data_page_offset: data,
        dictionary_page_offset: dictionary,
        total_compressed_size: size,
      } = column;
      const start = dictionary && dictionary < data ? dictionary : data;
      if (data < 0n || start < 0n || size < 0n || start + size > BigInt(file.size))
        throw new ValueError(
          `${file.name}: row group ${i} says column ${column.path_in_schema.join(".")} has ${size} bytes from ${start} on; the file has ${file.size}`,
        );
    }
}

export interface ParquetWriteOptions {
  /** Default 100,000 rows. */
  readonly groupRows?: number;
  /** Default Snappy. */
  readonly compress?: boolean;
  /** Types of columns, where the values leave a choice; e.g. "INT32", "DOUBLE", "STRING". Default by the values. */
  readonly types?: Readonly<Record<string, NonNullable<ColumnSource["type"]>>>;
}

/** Columns of equal length by name. */
export type Columns = Readonly<Record<string, ColumnSource["data"]>>;

/**
 * Columns as a Parquet file. Typed arrays give their types; of lists: numbers are DOUBLE (INT32 where all are such), bigints INT64,
 * text STRING.
 * @example (await data.openParquet(await data.encodeParquet({ x: new Float32Array([0.5, 1]) }))).length // 2
 * @throws ValueError if the columns differ in length, or a column has values of no common type.
 */
export async function encodeParquet(
  columns: Columns,
  { groupRows = 100_000, compress = true, types = {} }: ParquetWriteOptions = {},
): Promise<Uint8Array> {
  const { parquetWriteBuffer } = await import("hyparquet-writer");
  const entries = Object.entries(columns);
  const [first] = entries;
  if (!first) throw new ValueError("encodeParquet: no columns");
  const other = entries.find(([, data]) => data.length !== first[1].length);
  if (other)
    throw new ValueError(
      `encodeParquet: column ${first[0]} has ${first[1].length} values, column ${other[0]} ${other[1].length}`,
    );
  if (!Number.isInteger(groupRows) || groupRows < 1)
    throw new ValueError(`encodeParquet: groupRows is a whole number from 1, got ${groupRows}`);
  try {
    const buffer = parquetWriteBuffer({
      columnData: entries.map(([name, data]) => ({ name, data, type: types[name] ?? typeOf(data) })),
      rowGroupSize: groupRows,
      codec: compress ? "SNAPPY" : "UNCOMPRESSED",
    });
    return new Uint8Array(buffer);
  } catch (cause) {
    throw new ValueError(`encodeParquet: ${(cause as Error).message}`, { cause });
  }
}

function typeOf(data: ColumnSource["data"]): ColumnSource["type"] {
  if (data instanceof Float32Array) return "FLOAT";
  if (data instanceof Float64Array) return "DOUBLE";
  if (data instanceof BigInt64Array) return "INT64";
  if (ArrayBuffer.isView(data)) return "INT32";
  const values = (data as readonly unknown[]).filter((value) => value !== null && value !== undefined);
  if (values.length > 0 && values.every((value) => typeof value === "number"))
    return values.every(
      (value) => Number.isInteger(value) && Math.abs(value as number) < 2 ** 31 && !Object.is(value, -0),
    )
      ? "INT32"
      : "DOUBLE";
  return undefined; // the library finds out
}

/** `encodeParquet` into a file. @example await data.writeParquet("points.parquet", { x: [1, 2], y: [0.5, null] }) */
export async function writeParquet(
  path: string,
  columns: Columns,
  options: ParquetWriteOptions = {},
): Promise<void> {
  await writeFile(path, await encodeParquet(columns, options));
}
