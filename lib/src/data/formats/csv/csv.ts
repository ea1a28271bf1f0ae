/** CSV (RFC 4180): rows as they come, columns by name, types inferred or said. */
import Papa from "papaparse";
import { ValueError } from "../../../core/errors.js";
import { type ByteSource, sourceName } from "../bytes/byte-stream.js";
import { type TextOptions, textChunks } from "../bytes/text-stream.js";
import { type RawRow, RowParser } from "./rows.js";
import {
  CSV_TYPES,
  type CsvRow,
  type CsvSchema,
  type CsvType,
  type CsvValue,
  checkCsvSchema,
  inferType,
} from "./types.js";

export interface CsvOptions<S extends CsvSchema> extends TextOptions {
  /** Types of columns; the others are inferred. */
  readonly schema?: S;
  /** Default true: the first row names the columns. Else their names. */
  readonly header?: true | readonly string[];
  /** Default ",". */
  readonly delimiter?: string;
  /** Default `"`. */
  readonly quote?: string;
  /** Text that says that there is no value. Default only the empty one. (A column of text has text as it stands.) */
  readonly missing?: readonly string[];
  /** Rows that are looked at, and held, to infer types. Default 1000. */
  readonly inferRows?: number;
  /** A longer row is an error: most often a quote that is never closed. Default 2²⁴ characters. */
  readonly maxRow?: number;
}

interface Column {
  readonly name: string;
  readonly type: CsvType;
  readonly inferred: boolean;
}

class CsvReader<S extends CsvSchema> {
  private readonly rows: RowParser;
  private names: readonly string[] | null;
  private columns: Column[] | null = null;
  private waiting: RawRow[] = [];
  private readonly missing: ReadonlySet<string>;
  private readonly schema: CsvSchema;
  private readonly inferRows: number;

  constructor(
    private readonly name: string,
    options: CsvOptions<S>,
  ) {
    const { header = true, delimiter = ",", quote = '"', missing = [""], inferRows = 1000 } = options;
    const { maxRow = 2 ** 24, schema = {} } = options;
    if ([...delimiter].length !== 1 || /[\r\n]/.test(delimiter) || delimiter === quote)
      throw new ValueError(`${name}: a delimiter is one character, got ${JSON.stringify(delimiter)}`);
    if (!Number.isInteger(inferRows) || inferRows < 1)
      throw new ValueError(`${name}: inferRows is a whole number from 1, got ${inferRows}`);
    checkCsvSchema(schema, name);
    this.schema = schema;
    this.inferRows = inferRows;
    this.missing = new Set(missing);
    this.rows = new RowParser(name, { delimiter, quote, maxRow });
    this.names = header === true ? null : this.checkNames(header);
  }

  push(text: string): CsvRow<S>[] {
    return this.take(this.rows.push(text), false);
  }

  end(): CsvRow<S>[] {
    return this.take(this.rows.end(), true);
  }

  private take(rows: RawRow[], last: boolean): CsvRow<S>[] {
    let fresh = rows;
    if (!this.names && fresh.length > 0) {
      this.names = this.checkNames(fresh[0].fields);
      fresh = fresh.slice(1);
    }
    if (!this.columns) {
      this.waiting = this.waiting.concat(fresh);
      if (!this.names || (this.waiting.length < this.inferRows && !last)) return [];
      this.columns = this.infer(this.names, this.waiting.slice(0, this.inferRows));
      fresh = this.waiting;
      this.waiting = [];
    }
    return fresh.map((row) => this.values(row, this.columns as Column[]));
  }

  private checkNames(names: readonly string[]): readonly string[] {
    const twice = names.find((name, i) => names.indexOf(name) !== i);
    if (twice !== undefined)
      throw new ValueError(
        `${this.name}: two columns are named ${JSON.stringify(twice)}; give their names as header`,
      );
    const lacking = Object.keys(this.schema).filter((name) => !names.includes(name));
    if (lacking.length > 0)
      throw new ValueError(
        `${this.name}: the schema has columns that are not there: ${lacking.join(", ")}; there are: ${names.join(", ")}`,
      );
    return names;
  }

  private infer(names: readonly string[], rows: readonly RawRow[]): Column[] {
    return names.map((name, i) => {
      if (Object.hasOwn(this.schema, name)) return { name, type: this.schema[name], inferred: false };
      const texts = rows.flatMap(({ fields }) =>
        i < fields.length && !this.missing.has(fields[i]) ? [fields[i]] : [],
      );
      return { name, type: inferType(texts), inferred: true };
    });
  }

  private values({ fields, line }: RawRow, columns: readonly Column[]): CsvRow<S> {
    if (fields.length !== columns.length)
      throw new ValueError(
        `${this.name}: line ${line} has ${fields.length} fields; there are ${columns.length} columns`,
      );
    const row: Record<string, CsvValue> = {};
    for (let i = 0; i < columns.length; i++) {
      const { name, type } = columns[i];
      const text = fields[i];
      if (type === "string") row[name] = text;
      else if (this.missing.has(text)) row[name] = null;
      else if (CSV_TYPES[type].fits(text)) row[name] = CSV_TYPES[type].parse(text);
      else throw this.misfit(text, line, i, columns[i]);
    }
    return row as CsvRow<S>;
  }

  private misfit(text: string, line: number, i: number, { name, type, inferred }: Column): ValueError {
    const shown = JSON.stringify(text.length > 40 ? `${text.slice(0, 40)}…` : text);
    const why = inferred
      ? ` (as the first ${this.inferRows} rows let expect; say schema: { ${JSON.stringify(name)}: … }, or name it in missing)`
      : "";
    return new ValueError(
      `${this.name}: line ${line}, column ${i + 1} (${name}): ${shown} is not ${CSV_TYPES[type].name}${why}`,
    );
  }
}

/**
 * Rows of a CSV file, as they come: memory for one chunk, whatever the size of the file.
 * @example
 * const names: unknown[] = [];
 * for await (const row of data.readCsv(Buffer.from('name,age\n"Lovelace, Ada",36\n'))) names.push(row.name);
 * names // ["Lovelace, Ada"]
 * @throws ValueError naming line and column of what doesn't fit: a row of another length, text that is not of its column's
 *   type, a quote that is not closed.
 */
export async function* readCsv<const S extends CsvSchema = Record<never, never>>(
  source: ByteSource,
  options: CsvOptions<S> = {},
): AsyncGenerator<CsvRow<S>> {
  const reader = new CsvReader<S>(sourceName(source), options);
  // (`yield*` would wait for each row twice)
  for await (const text of textChunks(source, options)) for (const row of reader.push(text)) yield row;
  for (const row of reader.end()) yield row;
}

/**
 * All rows of CSV text.
 * @example data.parseCsv("x,ok\n1.5,true\n,false\n") // [{"x": 1.5, "ok": true}, {"x": null, "ok": false}]
 * @throws ValueError as `readCsv`.
 */
export function parseCsv<const S extends CsvSchema = Record<never, never>>(
  text: string,
  options: Omit<CsvOptions<S>, "compression" | "encoding"> = {},
): CsvRow<S>[] {
  const reader = new CsvReader<S>("the text", options);
  return reader.push(text.startsWith("\ufeff") ? text.slice(1) : text).concat(reader.end());
}

/**
 * Rows as CSV text with a header; fields are quoted where they must be.
 * @example data.formatCsv([{ name: "a, b", x: 1 }]) // "name,x\r\n\"a, b\",1\r\n"
 */
export function formatCsv(
  rows: readonly Readonly<Record<string, CsvValue>>[],
  {
    columns = Object.keys(rows[0] ?? {}),
    delimiter = ",",
  }: { columns?: readonly string[]; delimiter?: string } = {},
): string {
  const data = rows.map((row) => columns.map((name) => (row[name] === null ? "" : String(row[name]))));
  return `${Papa.unparse({ fields: [...columns], data }, { delimiter, newline: "\r\n" })}\r\n`;
}
