/**
 * What is taken from a handed-in notebook: the sources of answer cells, found by their grade_id. Its points, tests,
 * outputs, kernels and every other cell are ignored, and changes to them are noted for the learner.
 */
import type { Assignment } from "../assignment/assignment.js";
import { InputError } from "../errors.js";
import type { Cell, Notebook } from "../notebook/format.js";
import { cutHiddenTests } from "../notebook/markers.js";
import { claimedGradeId } from "../notebook/nbgrader.js";

export interface Submission {
  /** Sources by grade_id; answers that are not there are missing. */
  answers: Map<string, string>;
  notes: string[];
}

const LANGUAGES = new Set(["typescript", "javascript"]);

/** @throws InputError for a notebook of another kernel, or one in which an answer stands twice, or none stands */
export function submissionOf(notebook: Notebook, assignment: Assignment, file: string): Submission {
  checkKernel(notebook, file);
  const found = new Map<string, Cell[]>();
  for (const cell of notebook.cells) {
    const id = claimedGradeId(cell);
    if (id !== undefined) found.set(id, [...(found.get(id) ?? []), cell]);
  }
  const answers = new Map<string, string>();
  const notes: string[] = [];
  for (const cell of assignment.cells) {
    const copies = found.get(cell.gradeId) ?? [];
    const sources = new Set(copies.map((copy) => copy.source));
    if (cell.kind === "answer") {
      if (sources.size > 1) {
        throw new InputError(
          "duplicate-grade-id",
          `${file}: ${copies.length} different cells carry the grade_id "${cell.gradeId}"; keep one of them`,
        );
      }
      if (copies.length > 0) answers.set(cell.gradeId, copies[0].source);
      else notes.push(`the answer cell "${cell.gradeId}" is missing`);
    } else if (copies.length === 0) {
      notes.push(`the ${cell.kind} cell "${cell.gradeId}" is missing; the original was used`);
    } else if (sources.size > 1 || !isOriginal(copies[0].source, cell.source, cell.gradeId)) {
      notes.push(`the ${cell.kind} cell "${cell.gradeId}" was changed; the original was used`);
    }
  }
  if (answers.size === 0) {
    throw new InputError(
      "missing-answers",
      `${file}: holds none of the answer cells of "${assignment.slug}": is it the right notebook?`,
    );
  }
  return { answers, notes };
}

/** The assignment that a notebook says it belongs to. */
export function claimedAssignment(notebook: Notebook): string | undefined {
  return claim(notebook, "assignment");
}

/** The student for whom a notebook says it was made. */
export function claimedStudent(notebook: Notebook): string | undefined {
  return claim(notebook, "student");
}

function claim(notebook: Notebook, key: string): string | undefined {
  const own = notebook.metadata.mlsys;
  if (own === null || typeof own !== "object") return undefined;
  const value = (own as Record<string, unknown>)[key];
  return typeof value === "string" ? value : undefined;
}

function checkKernel(notebook: Notebook, file: string): void {
  const spec = (notebook.metadata.kernelspec ?? {}) as { name?: unknown; language?: unknown };
  const info = (notebook.metadata.language_info ?? {}) as { name?: unknown };
  const language = String(spec.language ?? info.name ?? "typescript").toLowerCase();
  if (LANGUAGES.has(language)) return;
  throw new InputError(
    "wrong-kernel",
    `${file}: the notebook is for the kernel "${String(spec.name ?? language).slice(0, 60)}" (${language.slice(0, 60)}), expected TypeScript: choose the kernel "TypeScript (mlsys)" and save again`,
  );
}

function isOriginal(given: string, original: string, gradeId: string): boolean {
  return given.trim() === original.trim() || given.trim() === cutHiddenTests(original, gradeId).trim();
}
