/**
 * `solutions/` → `exercises/`: answers and hidden tests cut, outputs cleared, cells locked, checksums written. The
 * same source always gives the same bytes, and nbgrader's own `generate_assignment` the same cells.
 */
import { createHash } from "node:crypto";
import type { Notebook } from "../notebook/format.js";
import { copyNotebook, formatNotebook } from "../notebook/format.js";
import { cutHiddenTests, cutSolutions, hasSolution, TEXT_STUB } from "../notebook/markers.js";
import { checksum, isLocked, nbgraderOf } from "../notebook/nbgrader.js";
import type { Assignment } from "./assignment.js";
import { findLeaks } from "./leaks.js";
import { personal, seededValues } from "./seeded.js";

export interface Release {
  slug: string;
  notebook: Notebook;
  /** The file's text. */
  text: string;
  /** Answers or hidden tests that the release still shows; must be empty. */
  leaks: string[];
}

/** @param seed the id of the student whose own values it shows; without, it shows the author's */
export function generateRelease(source: Assignment, seed?: string): Release {
  const assignment = personal(source, seed === undefined ? undefined : seededValues(source, seed));
  const notebook = copyNotebook(assignment.notebook);
  delete notebook.metadata.celltoolbar;
  notebook.metadata.mlsys = {
    ...(notebook.metadata.mlsys as object | undefined),
    assignment: assignment.slug,
    ...(seed === undefined ? {} : { student: seed }),
  };
  // Cell ids came with format 4.5; a stable one makes the output depend on the source alone.
  notebook.nbformatMinor = Math.max(notebook.nbformatMinor, 5);
  notebook.cells.forEach((cell, index) => {
    const where = `${assignment.slug}, cell ${index + 1}`;
    const metadata = nbgraderOf(cell, where);
    cell.id ??= stableId(assignment.slug, metadata?.grade_id ?? String(index));
    if (cell.type === "code") {
      cell.outputs = [];
      cell.executionCount = null;
      for (const key of ["collapsed", "scrolled", "execution", "ExecuteTime"]) delete cell.metadata[key];
    }
    if (!metadata) return;
    if (metadata.solution && (cell.type === "code" || metadata.grade)) {
      const text = cell.type === "code" ? undefined : TEXT_STUB;
      cell.source =
        hasSolution(cell.source) || cell.type === "code" ? cutSolutions(cell.source, where, text) : TEXT_STUB;
    }
    if (metadata.grade) cell.source = cutHiddenTests(cell.source, where);
    if (metadata.solution || isLocked(metadata)) cell.metadata.deletable = false;
    if (isLocked(metadata)) cell.metadata.editable = false;
    cell.metadata.nbgrader = { ...metadata, cell_type: cell.type, checksum: checksum(cell, metadata) };
  });
  return {
    slug: assignment.slug,
    notebook,
    text: formatNotebook(notebook),
    leaks: findLeaks(assignment, notebook),
  };
}

function stableId(slug: string, name: string): string {
  return createHash("sha256").update(`${slug}/${name}`).digest("hex").slice(0, 8);
}
