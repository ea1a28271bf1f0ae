/** An HTML table for an array of records, as `console.table` prints one. */
import { inspect } from "node:util";

const MAX_ROWS = 100;
const MAX_COLUMNS = 30;

/** @returns undefined unless `value` is a non-empty array of plain objects that share a key. */
export function recordsTable(value: unknown): string | undefined {
  if (!Array.isArray(value) || value.length < 1 || !value.slice(0, MAX_ROWS).every(isRecord))
    return undefined;
  const rows = value.slice(0, MAX_ROWS) as Record<string, unknown>[];
  const columns = [...new Set(rows.flatMap((row) => Object.keys(row)))].slice(0, MAX_COLUMNS);
  const everywhere = columns.filter((column) => rows.every((row) => column in row));
  if (columns.length === 0 || everywhere.length === 0) return undefined;
  const head = ["", ...columns].map((column) => `<th>${escapeHtml(column)}</th>`).join("");
  const body = rows
    .map((row, index) => {
      const cells = columns.map((column) => (column in row ? cell(row[column]) : "<td></td>"));
      return `<tr><th>${index}</th>${cells.join("")}</tr>`;
    })
    .join("");
  const rest = value.length - rows.length;
  const note = rest > 0 ? `<p>truncated: ${rows.length} of ${value.length} rows shown</p>` : "";
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
  return escapeHtml(typeof value === "string" ? value : inspect(value, { depth: 1, breakLength: Infinity }));
}

function isRecord(value: unknown): boolean {
  if (typeof value !== "object" || value === null) return false;
  const prototype = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
}
