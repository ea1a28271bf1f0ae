/** A course's list of people as CSV: `id,name,email,role`, with a heading that may leave out all but `id`. */
import { parse } from "csv-parse/sync";
import { InputError, messageOf } from "../errors.js";
import type { Person } from "./people.js";

const KNOWN = ["id", "name", "email", "role"] as const;

/** @throws InputError that names the line */
export function readRoster(text: string, where: string): Person[] {
  const [head, ...rows] = rowsOf(text, where);
  const columns = (head ?? []).map((name) => name.trim().toLowerCase());
  if (!columns.includes("id"))
    throw new InputError(
      "unreadable",
      `${where}: the first line names no column "id"; expected ${KNOWN.join(",")}`,
    );
  return rows.map((row, index) => {
    const value = (name: (typeof KNOWN)[number]) => (row[columns.indexOf(name)] ?? "").trim();
    const id = value("id");
    const role = value("role") || "student";
    if (id === "" || (role !== "student" && role !== "instructor"))
      throw new InputError(
        "unreadable",
        `${where}, person ${index + 1}: ${id === "" ? "no id" : `role "${role}": expected student or instructor`}`,
      );
    return { id, name: value("name") || id, email: value("email"), role };
  });
}

function rowsOf(text: string, where: string): string[][] {
  try {
    return parse(text, { bom: true, relax_column_count: true, skip_empty_lines: true });
  } catch (error) {
    throw new InputError("unreadable", `${where}: is no CSV file: ${messageOf(error)}`);
  }
}
