/**
 * Canvas takes grades as the table that it exported, with a column filled in. The identifying columns are copied from
 * that export and never made up: Canvas would take an unknown one for nobody.
 */
import { parse } from "csv-parse/sync";
import { InputError, messageOf } from "../errors.js";
import { finalScore, type Report } from "../judge/report.js";
import { asCsv, type CsvCell } from "./csv.js";

const IDENTITY = ["Student", "ID", "SIS User ID", "SIS Login ID", "Section"];
/** What a submission's student may be named by, in order of trust. */
const KEYS = ["ID", "SIS User ID", "SIS Login ID", "Student"];

export interface CanvasRoster {
  columns: string[];
  rows: Record<string, string>[];
}

export interface CanvasGrades {
  csv: string;
  /** Submissions of nobody in the roster. */
  strangers: string[];
  /** Rows of the roster without a graded submission: their cells are empty, which changes nothing in Canvas. */
  ungraded: string[];
}

/** @throws InputError for a file that is no export of Canvas */
export function parseRoster(text: string, where: string): CanvasRoster {
  let table: string[][];
  try {
    table = parse(text, { bom: true, relax_column_count: true, skip_empty_lines: true });
  } catch (error) {
    throw new InputError("unreadable", `${where}: is not a CSV file (${messageOf(error).slice(0, 200)})`);
  }
  const columns = (table[0] ?? []).map((name) => name.trim());
  const missing = ["Student", "ID"].filter((name) => !columns.includes(name));
  if (missing.length > 0)
    throw new InputError(
      "unreadable",
      `${where}: has no column ${missing.map((name) => `"${name}"`).join(", ")}; export the grades from Canvas and give that file`,
    );
  const rows = table
    .slice(1)
    .map((cells) => Object.fromEntries(columns.map((name, i) => [name, cells[i] ?? ""])))
    // The second line of an export holds the points, others the mutings; neither has an ID.
    .filter((row) => row.ID.trim() !== "");
  return { columns, rows };
}

/**
 * @param column title of the assignment's column as Canvas exported it, `Exercise 3 (12345)`; another one makes a new
 * assignment in Canvas
 * @throws InputError when one row belongs to two submissions
 */
export function canvasCsv(
  reports: readonly Report[],
  roster: CanvasRoster,
  column: string,
  points: number,
): CanvasGrades {
  const columns = IDENTITY.filter((name) => roster.columns.includes(name));
  const taken = new Map<Record<string, string>, Report>();
  const strangers: string[] = [];
  for (const report of reports) {
    const row = rowOf(roster, report.student ?? "");
    if (!row) strangers.push(report.student ?? report.file);
    else if (taken.has(row))
      throw new InputError(
        "duplicate-student",
        `${report.file} and ${taken.get(row)?.file} are both of ${row.Student}: keep one`,
      );
    else taken.set(row, report);
  }
  const ungraded: string[] = [];
  const lines = roster.rows.map((row): CsvCell[] => {
    const report = taken.get(row);
    const graded = report?.status === "graded";
    if (!graded) ungraded.push(row.Student);
    return [...columns.map((name) => cellOf(row, name)), graded ? finalScore(report) : undefined];
  });
  const head = [...columns, column];
  const possible = ["    Points Possible", ...columns.slice(1).map(() => ""), points];
  return { csv: asCsv([head, possible, ...lines]), strangers, ungraded };
}

function cellOf(row: Record<string, string>, name: string): CsvCell {
  // Canvas's own number stays one.
  return name === "ID" && /^\d{1,15}$/.test(row[name]) ? Number(row[name]) : row[name];
}

function rowOf(roster: CanvasRoster, student: string): Record<string, string> | undefined {
  for (const key of KEYS) {
    const found = roster.rows.filter((row) => (row[key] ?? "") !== "" && row[key].trim() === student.trim());
    if (found.length === 1) return found[0];
  }
  return undefined;
}
