/**
 * CSV text to fields, with the line where each row starts. Papa Parse makes the fields; here text that comes in chunks is cut
 * where a row ends (outside of quotes), since a parser can't say of half a row whether it is wrong, and lines are counted.
 */
import Papa from "papaparse";
import { ValueError } from "../../../core/errors.js";

export interface RawRow {
  readonly fields: string[];
  /** Where the row starts, from 1. */
  readonly line: number;
}

export interface RowOptions {
  readonly delimiter: string;
  readonly quote: string;
  readonly maxRow: number;
  /** Text is parsed in pieces of at least so many characters. Default 65,536. */
  readonly piece?: number;
}

const LF = 10;
const CR = 13;

/** Rows of text that comes in chunks; lines without anything are passed over. */
export class RowParser {
  private readonly cut: RowEnds;
  private held: string[] = [];
  private size = 0;
  private line = 1;
  /** Characters held of a row whose end has not come. */
  private open = 0;

  constructor(
    private readonly name: string,
    private readonly options: RowOptions,
  ) {
    this.cut = new RowEnds(options);
  }

  /** Rows that are whole now. @throws ValueError for a row that is too long, or wrong */
  push(text: string): RawRow[] {
    const end = this.cut.lastEnd(text);
    if (end === 0) {
      this.hold(text);
      return [];
    }
    const { piece = 1 << 16, maxRow } = this.options;
    if (this.size + end < Math.min(piece, maxRow)) {
      this.hold(text, text.length - end);
      return [];
    }
    const whole = this.held.join("") + text.slice(0, end);
    this.held = [text.slice(end)];
    this.size = text.length - end;
    return this.parse(whole);
  }

  /** The rest. @throws ValueError if it ends inside of quotes */
  end(): RawRow[] {
    const rest = this.held.join("");
    this.held = [];
    return this.parse(rest);
  }

  /** Keeps text; `open` is the part of it that belongs to an unfinished row. */
  private hold(text: string, open = text.length): void {
    this.held.push(text);
    this.size += text.length;
    this.open = open === text.length ? this.open + open : open;
    if (this.open > this.options.maxRow) {
      const before = this.held.join("").slice(0, this.size - this.open);
      throw new ValueError(
        `${this.name}: line ${this.line + linesIn([before])}: a row of more than ${this.options.maxRow} characters; is a quote open?`,
      );
    }
  }

  private parse(text: string): RawRow[] {
    this.open = this.size;
    const { delimiter, quote } = this.options;
    const parser = new Papa.Parser({ delimiter, quoteChar: quote, newline: this.cut.newline ?? "\n" });
    const { data, errors } = parser.parse(text, 0, false) as Papa.ParseResult<string[]>;
    const rows: RawRow[] = [];
    const wrong = errors.find(({ type }) => type === "Quotes");
    for (const [i, fields] of data.entries()) {
      if (i === wrong?.row)
        throw new ValueError(
          `${this.name}: line ${this.line}: ${wrong.code === "MissingQuotes" ? "a quoted field without its end" : "text behind the end of a quoted field"}`,
        );
      if (fields.length > 1 || fields[0] !== "") rows.push({ fields, line: this.line });
      // what follows the last row end is no row of its own
      if (i < data.length - 1) this.line += 1 + linesIn(fields);
    }
    return rows;
  }
}

/** Finds where rows end in text that comes in chunks. */
class RowEnds {
  /** How the first row ended: rows that follow end alike. */
  newline: "\n" | "\r\n" | undefined;
  private readonly delimiter: number;
  private readonly quote: number;
  private quoted = false;
  /** Whether the last quote closed a field. */
  private closed = false;
  /** The character before: a quote opens at the start of a field only, and closes unless it is doubled. */
  private before = LF;

  constructor({ delimiter, quote }: RowOptions) {
    this.delimiter = delimiter.charCodeAt(0);
    this.quote = quote.charCodeAt(0);
  }

  /** Position behind the last row end in this chunk; 0 if there is none. */
  lastEnd(text: string): number {
    const { delimiter, quote } = this;
    let { quoted, before } = this;
    let end = 0;
    for (let i = 0; i < text.length; i++) {
      const code = text.charCodeAt(i);
      if (code === quote) {
        const reopens = this.closed && before === quote; // together they are one in the text
        this.closed = quoted;
        quoted = !quoted && (reopens || before === delimiter || before === LF);
      } else if (code === LF && !quoted) {
        this.newline ??= before === CR ? "\r\n" : "\n";
        if (this.newline === "\n" || before === CR) end = i + 1;
      }
      before = code;
    }
    this.quoted = quoted;
    this.before = before;
    return end;
  }
}

function linesIn(fields: readonly string[]): number {
  let count = 0;
  for (const field of fields) if (field.includes("\n")) count += field.split("\n").length - 1;
  return count;
}
