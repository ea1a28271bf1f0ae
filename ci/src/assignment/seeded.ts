/**
 * Values of a student's own: constants and data of given cells that are drawn anew for each student, always the same for
 * the same student, so that the judge draws what the release shows.
 *
 * ```ts
 * const rate = 0.1; // SEEDED: r.choice([0.05, 0.1, 0.2])
 * const data = [1, 2, 3]; // SEEDED: Array.from({ length: 3 }, () => r.int(1, 9))
 * ```
 * The source runs as it stands, with its own values. In a statement, `<!-- SEEDED rate -->0.1<!-- /SEEDED -->` shows
 * the same value.
 */
import { isDeepStrictEqual } from "node:util";
import { AuthoringError, messageOf } from "../errors.js";
import { type Rng, rng } from "../kit/rng.js";
import { copyNotebook } from "../notebook/format.js";
import { type Assignment, assignmentOf } from "./assignment.js";

/** By name, in the order of the notebook. */
export type SeededValues = ReadonlyMap<string, unknown>;

interface Line {
  /** What stands before the value: the declaration up to `=`. */
  head: string;
  name: string;
  /** The author's value. */
  own: string;
  /** Draws a student's. */
  expression: string;
}

const MARK = "// SEEDED:";
const LINE =
  /^(\s*(?:export\s+)?const\s+([A-Za-z_$][\w$]*)(?:\s*:[^=]+)?\s*=\s*)(.+?)\s*;?\s*\/\/ SEEDED:\s*(\S.*)$/;
const SHOWN = /<!--\s*SEEDED\s+([\w$]+)\s*-->([\s\S]*?)<!--\s*\/SEEDED\s*-->/g;

export function isSeeded({ cells }: Pick<Assignment, "cells">): boolean {
  return cells.some((cell) => cell.kind === "given" && cell.source.includes(MARK));
}

/**
 * What a student gets.
 * @param seed the student's id
 * @throws AuthoringError for a mark that does not end a declaration of one line, and for a value that is no plain data
 */
export function seededValues(assignment: Assignment, seed: string): SeededValues {
  const values = new Map<string, unknown>();
  for (const cell of assignment.cells) {
    if (cell.kind !== "given") continue;
    const where = `${assignment.slug}, cell ${cell.gradeId}`;
    eachLine(cell.source, where, (line) => {
      if (values.has(line.name)) throw new AuthoringError(`${where}: "${line.name}" is seeded twice`);
      // Each name draws from its own stream: one that comes later changes none that was there.
      values.set(line.name, drawn(line, rng(`${assignment.slug}/${line.name}/${seed}`), values, where));
      return "";
    });
  }
  return values;
}

/**
 * The assignment as a student has it. Without marks it is the same for all.
 * @param values of the student; without, the author's own
 */
export function personal(assignment: Assignment, values?: SeededValues): Assignment {
  if (!isSeeded(assignment)) return assignment;
  const notebook = copyNotebook(assignment.notebook);
  for (const [index, cell] of notebook.cells.entries()) {
    const where = `${assignment.slug}, cell ${index + 1}`;
    if (cell.type === "markdown")
      cell.source = cell.source.replace(SHOWN, (_, name: string, own: string) => {
        if (values === undefined) return own;
        if (!values.has(name))
          throw new AuthoringError(`${where}: shows "${name}", which no given cell has seeded`);
        const value = values.get(name);
        return typeof value === "string" ? value : literal(value);
      });
    else
      cell.source = eachLine(cell.source, where, ({ head, name, own }) => {
        return `${head}${values?.has(name) ? literal(values.get(name)) : own};`;
      });
  }
  return assignmentOf(notebook, assignment.path);
}

/** The source of a cell in which the judge puts the values in when it runs. @param of an object with the values that are not the author's */
export function withValuesOf(source: string, where: string, of: string): string {
  return eachLine(source, where, ({ head, name, own }) => {
    const key = JSON.stringify(name);
    return `${head}${of}.has(${key}) ? structuredClone(${of}.get(${key})) : (${own});`;
  });
}

function eachLine(source: string, where: string, change: (line: Line) => string): string {
  if (!source.includes(MARK)) return source;
  return source
    .split("\n")
    .map((text, index) => {
      if (!text.includes(MARK)) return text;
      const [, head, name, own, expression] = LINE.exec(text) ?? [];
      if (head === undefined)
        throw new AuthoringError(
          `${where}, line ${index + 1}: "${MARK}" belongs behind a declaration of one line: const name = value; ${MARK} expression`,
        );
      return change({ head, name, own, expression });
    })
    .join("\n");
}

/** The expression is the author's own code, as the tests are. It may use the names before it. */
function drawn({ name, expression }: Line, r: Rng, before: SeededValues, where: string): unknown {
  let value: unknown;
  try {
    const draw = new Function("r", ...before.keys(), `"use strict"; return (${expression});`);
    value = draw(r, ...before.values());
  } catch (error) {
    throw new AuthoringError(`${where}: the seeded value of "${name}" can't be drawn: ${messageOf(error)}`);
  }
  if (!isPlainData(value))
    throw new AuthoringError(
      `${where}: the seeded value of "${name}" is no plain data: expected finite numbers, strings, booleans, null, and arrays and objects of them`,
    );
  return value;
}

function isPlainData(value: unknown): boolean {
  if (value === undefined || Object.is(value, -0)) return false;
  try {
    return isDeepStrictEqual(JSON.parse(JSON.stringify(value)), value);
  } catch {
    return false;
  }
}

function literal(value: unknown): string {
  return JSON.stringify(value);
}
