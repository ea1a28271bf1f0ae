/** The fixture course, and ways to hand in something. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { type Assignment, readAssignment } from "../../src/assignment/assignment.js";
import { generateRelease } from "../../src/assignment/generate.js";
import type { Place } from "../../src/batch/grade-file.js";
import { sharingChecker } from "../../src/checker/place.js";
import { DEFAULT_LIMITS, type GradeLimits } from "../../src/judge/limits.js";
import { formatNotebook, type Notebook } from "../../src/notebook/format.js";
import { chooseIsolation } from "../../src/sandbox/ladder.js";

export const COURSE = fileURLToPath(new URL("../fixtures/course", import.meta.url));
export const SOURCE = join(COURSE, "solutions", "mini.ipynb");
/** Limits that make hanging code fail soon: in processor time, which a busy machine does not use up for honest code. */
export const SHORT: GradeLimits = {
  ...DEFAULT_LIMITS,
  callMs: 12_000,
  callCpuMs: 3_000,
  cellMs: 30_000,
  cellCpuMs: 8_000,
  notebookMs: 200_000,
};

/** Boxes of the strongest isolation that this machine has, and none where it has none: what it is, the corpus tests. */
export async function placeHere(limits: GradeLimits = DEFAULT_LIMITS): Promise<Place> {
  const isolation = await chooseIsolation("auto", { unsafe: true });
  return sharingChecker(isolation, limits.box);
}

export function miniAssignment(): Promise<Assignment> {
  return readAssignment(SOURCE);
}

/** The release of the fixture, to be changed by a test. */
export async function released(): Promise<Notebook> {
  return generateRelease(await miniAssignment()).notebook;
}

/** The release with the reference answers filled in, some replaced. */
export async function solved(replaced: Record<string, string> = {}): Promise<Notebook> {
  const assignment = await miniAssignment();
  const notebook = generateRelease(assignment).notebook;
  for (const cell of assignment.cells) {
    if (cell.kind === "answer") cellOf(notebook, cell.gradeId).source = replaced[cell.gradeId] ?? cell.source;
  }
  return notebook;
}

export function cellOf(notebook: Notebook, gradeId: string): Notebook["cells"][number] {
  const cell = notebook.cells.find(
    ({ metadata }) => (metadata.nbgrader as { grade_id?: string } | undefined)?.grade_id === gradeId,
  );
  if (!cell) throw new Error(`no cell ${gradeId}`);
  return cell;
}

/** A folder that is removed when the test file ends. */
export function scratchFolder(onEnd: (remove: () => void) => void): string {
  const folder = mkdtempSync(join(tmpdir(), "mlsys-test-"));
  onEnd(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

export function handIn(folder: string, notebook: Notebook, name = "mini.ipynb"): string {
  const path = join(folder, name);
  writeFileSync(path, formatNotebook(notebook));
  return path;
}
