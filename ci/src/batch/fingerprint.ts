/** When is an earlier verdict still the verdict? When the submission, the task's tests and the grader are the same. */
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import type { Assignment, Task } from "../assignment/assignment.js";

const { version } = JSON.parse(
  readFileSync(new URL(import.meta.resolve("@mlsys/grader/package.json")), "utf8"),
) as { version: string };

/** One text for each task of an assignment, which changes when the task's result might. */
export function fingerprints(assignment: Assignment): Record<string, string> {
  return Object.fromEntries(assignment.tasks.map((task) => [task.name, fingerprint(assignment, task)]));
}

function fingerprint(assignment: Assignment, task: Task): string {
  // Answers of a learner are in the submission's own sum. The reference answers grade nobody.
  const given = assignment.cells.flatMap((cell) =>
    cell.kind === "given" ? [[cell.gradeId, cell.source]] : [],
  );
  const order = assignment.cells.map((cell) => `${cell.kind} ${cell.gradeId}`);
  const tests = task.tests.map((cell) => [cell.gradeId, cell.points, cell.source]);
  const text = JSON.stringify([version, assignment.slug, task.title, task.number, order, given, tests]);
  return createHash("sha256").update(text).digest("hex").slice(0, 32);
}
