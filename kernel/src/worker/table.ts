/** An HTML table for an array of records, as `console.table` prints one. */
import { inspect } from "node:util";

const MAX_ROWS = 100;
const MAX_COLUMNS = 30;

/** @returns undefined unless `value` is a non-empty array of plain objects that share a key. */
export function recordsTable(value: unknown): string | undefined {
  return Array.isArray(value) ? table(value, (index) => String(index)) : undefined;
}

/** The same for a map to such objects: its keys stand before the rows. */
export function mapTable(value: unknown): string | undefined {
  if (!(value instanceof Map)) return undefined;
  const keys = [...value.keys()];
  return table([...value.values()], (index) => text(keys[index]));
}

function table(value: readonly unknown[], title: (index: number) => string): string | undefined {
  if (value.length < 1 || !value.slice(0, MAX_ROWS).every(isRecord)) return undefined;
  const rows = value.slice(0, MAX_ROWS) as Record<string, unknown>[];
  const all = [...new Set(rows.flatMap((row) => Object.keys(row)))];
  const columns = all.slice(0, MAX_COLUMNS);
  const everywhere = columns.filter((column) => rows.every((row) => column in row));
  if (columns.length === 0 || everywhere.length === 0) return undefined;
  const head = ["", ...columns].map((column) => `<th>${escapeHtml(column)}</th>`).join("");
  const body = rows
    .map((row, index) => {
      const cells = columns.map((column) => (column in row ? cell(row[column]) : "<td></td>"));
      return `<tr><th>${escapeHtml(title(index))}</th>${cells.join("")}</tr>`;
    })
    .join("");
  const notes = [
    ...(value.length > rows.length ? [`${rows.length} of ${value.length} rows`] : []),
    ...(all.length > columns.length ? [`${columns.length} of ${all.length} columns`] : []),
  ];
  const note = notes.length > 0 ? `<p>truncated: ${notes.join(", ")} shown</p>` : "";
  return `<table><thead><tr>${head}</tr></thead><tbody>${body}</tbody></table>${note}`;
}

export function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (char) => `&#${char.charCodeAt(0)};`);
}

/** Fractions are rounded to this many digits; the whole number is in the cell's title. */
const DIGITS = 6;

function cell(value: unknown): string {
  if (typeof value !== "number" || Number.isInteger(value) || !Number.isFinite(value))
    return `<td>${cellText(value)}</td>`;
  const rounded = String(Number(value.toPrecision(DIGITS)));
  return rounded === String(value) ? `<td>${rounded}</td>` : `<td title="${value}">${rounded}</td>`;
}

function cellText(value: unknown): string {
  return escapeHtml(text(value));
}

/** A cell's text is cut: one large value must not make the table unreadable. */
const MAX_CELL = 1_000;

function text(value: unknown): string {
  const whole = typeof value === "string" ? value : inspect(value, { depth: 1, breakLength: Infinity });
  return whole.length > MAX_CELL ? `${whole.slice(0, MAX_CELL)}… truncated` : whole;
}

function isRecord(value: unknown): boolean {
  if (typeof value !== "object" || value === null) return false;
  const prototype = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
}
