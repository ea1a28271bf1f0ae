/**
 * nbgrader's cell metadata (schema version 3): reading, checking, and the checksum that protects locked cells.
 * Source: nbgrader 0.9.5, `nbgradermetadata/v3.json` and `utils.compute_checksum`; the tests compare with the
 * real package.
 */
import { createHash } from "node:crypto";
import { z } from "zod";
import { AuthoringError } from "../errors.js";
import type { Cell } from "./format.js";

export const nbgraderSchema = z.strictObject({
  schema_version: z.literal(3),
  grade: z.boolean(),
  solution: z.boolean(),
  locked: z.boolean(),
  task: z.boolean().optional(),
  grade_id: z.string().regex(/^[A-Za-z0-9_-]+$/, "grade_id is letters, digits, '-' and '_'"),
  points: z.number().nonnegative().optional(),
  checksum: z
    .string()
    .regex(/^[0-9a-f]{32}$/)
    .optional(),
  cell_type: z.enum(["code", "markdown", "raw"]).optional(),
});
export type NbgraderMetadata = z.infer<typeof nbgraderSchema>;

/** How the grader treats a cell. `manual` cells are graded by a person: kept, listed, never run. */
export type CellKind = "given" | "answer" | "test" | "manual";

/**
 * The cell's nbgrader metadata, `undefined` when it has none.
 * @throws AuthoringError when it is not of version 3.
 */
export function nbgraderOf(cell: Cell, where: string): NbgraderMetadata | undefined {
  if (cell.metadata.nbgrader === undefined) return undefined;
  const parsed = nbgraderSchema.safeParse(cell.metadata.nbgrader);
  if (!parsed.success) {
    const issue = parsed.error.issues[0];
    throw new AuthoringError(
      `${where}: metadata.nbgrader${issue.path.map((p) => `.${String(p)}`).join("")}: ${issue.message}`,
    );
  }
  return parsed.data;
}

/** The `grade_id` of a cell that somebody handed in: everything else in its metadata is ignored. */
export function claimedGradeId(cell: Cell): string | undefined {
  const metadata = cell.metadata.nbgrader;
  if (metadata === null || typeof metadata !== "object") return undefined;
  const id = (metadata as { grade_id?: unknown }).grade_id;
  return typeof id === "string" ? id : undefined;
}

/** @throws AuthoringError for a combination that nbgrader does not know. */
export function kindOf(cell: Cell, metadata: NbgraderMetadata, where: string): CellKind | undefined {
  const { grade, solution, locked } = metadata;
  if (metadata.task) {
    if (cell.type !== "markdown")
      throw new AuthoringError(`${where}: a task cell is markdown, not ${cell.type}`);
    return "manual";
  }
  if (grade && metadata.points === undefined)
    throw new AuthoringError(`${where}: a graded cell needs "points"`);
  if (grade && solution) return "manual";
  if (cell.type !== "code") {
    if (grade || solution)
      throw new AuthoringError(`${where}: a markdown cell is graded by hand: set both grade and solution`);
    return undefined; // locked text
  }
  if (grade) return "test";
  if (solution) return "answer";
  return locked ? "given" : undefined;
}

/** nbgrader's `is_locked`: whether the released source is restored before grading. */
export function isLocked(metadata: NbgraderMetadata): boolean {
  if (metadata.solution) return false;
  return metadata.grade || metadata.locked;
}

/** 32 hex digits, equal to nbgrader's `compute_checksum`. */
export function checksum(cell: Cell, metadata: NbgraderMetadata): string {
  const hash = createHash("md5");
  hash.update(cell.source, "utf8").update(cell.type);
  for (const flag of [metadata.grade, metadata.solution, isLocked(metadata)])
    hash.update(flag ? "True" : "False");
  hash.update(metadata.grade_id);
  if (metadata.grade) hash.update(pythonFloat(metadata.points ?? 0));
  return hash.digest("hex");
}

/** Python's `str(float(x))` for a number of points: `2` is `2.0`, 1e16 is `1e+16`, 0.00001 is `1e-05`. */
export function pythonFloat(value: number): string {
  const size = Math.abs(value);
  if (size !== 0 && (size < 1e-4 || size >= 1e16)) {
    return value.toExponential().replace(/e([+-])(\d)$/, "e$10$2");
  }
  return Number.isInteger(value) ? `${BigInt(value)}.0` : String(value);
}
