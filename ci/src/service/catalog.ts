/** The course's assignments as the service offers them, and whether a file can be one of them. */
import { createHash } from "node:crypto";
import type { Assignment } from "../assignment/assignment.js";
import { type Course, readSource, slugsOf } from "../batch/course.js";
import { InputError } from "../errors.js";
import type { TestKey } from "../judge/grade.js";
import { claimedAssignment, submissionOf } from "../judge/submission.js";
import { formatNotebook, parseNotebook } from "../notebook/format.js";

export interface Offer {
  slug: string;
  title: string;
  points: number;
  tasks: number;
}

export class Catalog {
  private constructor(private readonly assignments: ReadonlyMap<string, Assignment>) {}

  /** @throws AuthoringError or InputError for a source that can't be graded with */
  static async read(course: Course, wanted: readonly string[] = []): Promise<Catalog> {
    const assignments = new Map<string, Assignment>();
    for (const slug of await slugsOf(course, wanted)) assignments.set(slug, await readSource(course, slug));
    return new Catalog(assignments);
  }

  offers(): Offer[] {
    return [...this.assignments.values()].map(({ slug, title, points, tasks }) => ({
      slug,
      title,
      points,
      tasks: tasks.length,
    }));
  }

  /** What a score can be decided for: the tasks, and cells that a person grades. */
  parts(slug: string): { name: string; title: string; points: number }[] {
    const { tasks = [], manual = [] } = this.assignments.get(slug) ?? {};
    return [
      ...tasks.map(({ name, number, title, points }) => ({ name, title: `${number}. ${title}`, points })),
      ...manual.map(({ gradeId, points }) => ({ name: gradeId, title: `${gradeId}, by hand`, points })),
    ];
  }

  title(slug: string): string {
    return this.assignments.get(slug)?.title ?? slug;
  }

  /** SHA-256 of an assignment's source; of one that is not there, that of nothing. */
  digest(slug: string): string {
    const assignment = this.assignments.get(slug);
    const text = assignment ? formatNotebook(assignment.notebook) : "";
    return createHash("sha256").update(text).digest("hex");
  }

  /**
   * Looks at a file before it is accepted, so that its sender is told at once what is wrong with it.
   * @param wanted the chosen assignment; without one, what the file says, else its name
   * @returns the assignment's slug
   * @throws InputError
   */
  assignmentOf(bytes: Buffer, file: string, wanted?: string): string {
    const notebook = parseNotebook(bytes.toString("utf8"), file);
    const claims = wanted ? [wanted] : [claimedAssignment(notebook), file.replace(/\.ipynb$/i, "")];
    const assignment = claims.map((slug) => this.assignments.get(slug ?? "")).find(Boolean);
    if (!assignment) {
      const named = JSON.stringify((claims[0] ?? claims[1] ?? "").slice(0, 80));
      const known = [...this.assignments.keys()].join(", ") || "none";
      throw new InputError(
        "unknown-assignment",
        `${file}: there is no assignment ${named}; the course has: ${known}`,
      );
    }
    submissionOf(notebook, assignment, file);
    return assignment.slug;
  }

  /** Which task a test belongs to, from 1, and how many tasks there are. */
  taskOf(slug: string, key: TestKey): { task: number; tasks: number } {
    const tasks = this.assignments.get(slug)?.tasks ?? [];
    const gradeId = key.slice(0, key.indexOf("|"));
    const task = tasks.find(({ tests }) => tests.some((cell) => cell.gradeId === gradeId));
    return { task: task?.number ?? 0, tasks: tasks.length };
  }
}
