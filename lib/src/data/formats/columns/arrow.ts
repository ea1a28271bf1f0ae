/** Arrow IPC: columns as they lie in memory, in a stream or a file ("Feather 2"). The package apache-arrow reads and writes. */
import { readFile, writeFile } from "node:fs/promises";
import type { Table, TypeMap } from "apache-arrow";
import { ValueError } from "../../../core/errors.js";
import type { RandomAccess } from "../../dataset/node.js";
import type { BytesOrPath } from "../bytes/byte-file.js";
import type { TableRow } from "./parquet.js";
import { type ReadLimits, rehearse } from "./rehearsal.js";

/** Rows and columns of an Arrow table. */
export class ArrowTable implements RandomAccess<TableRow>, Iterable<TableRow> {
  private constructor(
    private readonly name: string,
    private readonly held: Table<TypeMap>,
  ) {}

  /** @param table a `Table` of the package apache-arrow, whose types stay out of this declaration */
  static of(name: string, table: object): ArrowTable {
    return new ArrowTable(name, table as Table<TypeMap>);
  }

  /** The `Table` of the package apache-arrow. */
  get table(): object {
    return this.held;
  }

  get length(): number {
    return this.held.numRows;
  }

  /** Types by column, as Arrow writes them: `Int64`, `Utf8`, `List<Float32>`. */
  get schema(): Record<string, string> {
    return Object.fromEntries(this.held.schema.fields.map(({ name, type }) => [name, String(type)]));
  }

  /** Row `index`. @throws ValueError outside of the table */
  at(index: number): TableRow {
    if (!Number.isInteger(index) || index < 0 || index >= this.length)
      throw new ValueError(`${this.name} has rows 0 to ${this.length - 1}, got ${index}`);
    const row: TableRow = {};
    for (const [i, { name }] of this.held.schema.fields.entries())
      row[name] = plain(this.held.getChildAt(i)?.get(index));
    return row;
  }

  *[Symbol.iterator](): IterableIterator<TableRow> {
    for (let i = 0; i < this.length; i++) yield this.at(i);
  }

  /** All values of a column: a typed array of numbers without gaps where Arrow has one, else a list. @throws ValueError for a column that is not there */
  column(name: string): ArrayLike<unknown> {
    const column = this.held.getChild(name);
    if (!column)
      throw new ValueError(
        `${this.name} has no column ${name}; there are: ${Object.keys(this.schema).join(", ")}`,
      );
    return column.nullCount === 0 && ArrayBuffer.isView(column.data[0]?.values)
      ? (column.toArray() as ArrayLike<unknown>)
      : Array.from(column, plain);
  }
}

/** Lists and structs of the package as plain ones. */
function plain(value: unknown): unknown {
  if (typeof value !== "object" || value === null || ArrayBuffer.isView(value) || value instanceof Date)
    return value;
  if (Symbol.iterator in value && "toArray" in value) return Array.from(value as Iterable<unknown>, plain);
  if ("toJSON" in value && typeof value.toJSON === "function")
    return Object.fromEntries(Object.entries(value.toJSON() as object).map(([k, v]) => [k, plain(v)]));
  return value;
}

/** Both forms begin in their own way, and everything else is refused before the package sees it. */
function formOf(bytes: Uint8Array): "file" | "stream" | null {
  if (Buffer.from(bytes.subarray(0, 6)).toString("latin1") === "ARROW1") return "file";
  return bytes.length >= 8 && bytes.subarray(0, 4).every((byte) => byte === 0xff) ? "stream" : null;
}

/**
 * Reads an Arrow IPC file or stream (not those with compressed bodies). The package believes the lengths that it reads, and a
 * file made to harm can keep it busy: with `limits`, it is first read in a process that is ended when that costs more.
 * @example (await data.readArrow(await data.encodeArrow({ x: new Int32Array([7, 8]) }))).at(1).x // 8
 * @throws ValueError if it is none, is cut or damaged.
 */
export async function readArrow(
  source: BytesOrPath,
  { limits }: { readonly limits?: ReadLimits } = {},
): Promise<ArrowTable> {
  const name = typeof source === "string" ? source : "the bytes";
  const bytes = typeof source === "string" ? await readFile(source) : source;
  const form = formOf(bytes);
  if (!form) throw new ValueError(`${name} is neither an Arrow file nor a stream`);
  if (form === "file" && Buffer.from(bytes.subarray(-6)).toString("latin1") !== "ARROW1")
    throw new ValueError(`${name} is an Arrow file that was cut: it doesn't end with its mark`);
  if (limits) {
    const work = { kind: "arrow", group: 0, columns: undefined, maxPageBytes: undefined } as const;
    await rehearse(name, { ...work, source: bytes }, limits);
  }
  try {
    const { tableFromIPC } = await import("apache-arrow");
    const table = tableFromIPC(bytes);
    checkTable(table, bytes.length);
    return ArrowTable.of(name, table);
  } catch (cause) {
    throw new ValueError(
      `${name}: a damaged Arrow ${form}, or of a kind that isn't read: ${(cause as Error).message}`,
      {
        cause,
      },
    );
  }
}

/** The package takes lengths as it finds them; each column must have what the table says. */
function checkTable(table: Table<TypeMap>, bytes: number): void {
  for (const [i, { name }] of table.schema.fields.entries()) {
    const column = table.getChildAt(i);
    if (column?.length !== table.numRows)
      throw new ValueError(`column ${name} has ${column?.length ?? 0} of ${table.numRows} values`);
  }
  if (table.schema.fields.length > 0 && table.numRows > 8 * bytes)
    throw new ValueError(`${table.numRows} rows in ${bytes} bytes`);
}

export type ArrowColumns = Readonly<Record<string, ArrayLike<unknown>>>;

/**
 * Columns as Arrow IPC. Typed arrays are taken as they lie; of lists: numbers are Float64, bigints Int64, text Utf8 (as dictionary).
 * @example (await data.readArrow(await data.encodeArrow({ a: ["x", null] }, { form: "file" }))).length // 2
 * @throws ValueError if the columns differ in length.
 */
export async function encodeArrow(
  columns: ArrowColumns,
  { form = "stream" }: { readonly form?: "stream" | "file" } = {},
): Promise<Uint8Array> {
  const { tableToIPC, Table: ArrowTableClass, vectorFromArray } = await import("apache-arrow");
  const entries = Object.entries(columns) as [string, ArrayLike<unknown>][];
  const other = entries.find(([, data]) => data.length !== entries[0][1].length);
  if (other)
    throw new ValueError(
      `encodeArrow: column ${entries[0][0]} has ${entries[0][1].length} values, column ${other[0]} ${other[1].length}`,
    );
  const vectors = entries.map(([name, data]) => [name, vectorFromArray(data as never)]);
  return tableToIPC(new ArrowTableClass(Object.fromEntries(vectors)), form);
}

/** `encodeArrow` into a file. @example await data.writeArrow("points.arrow", { x: new Float32Array([1, 2]) }) */
export async function writeArrow(path: string, columns: ArrowColumns): Promise<void> {
  await writeFile(path, await encodeArrow(columns, { form: "file" }));
}
