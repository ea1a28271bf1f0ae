/** The instructor's table: each person's counting submission for each assignment. */
import { stringify } from "csv-stringify/sync";
import type { Person } from "./people.js";
import type { Submission } from "./submissions.js";

/** Which of several graded submissions counts. */
export type Keep = "best" | "latest";

export interface Entry {
  person: Person;
  assignment: string;
  /** The one that counts; absent when nothing is graded. */
  counts?: Submission;
  /** All of this person for this assignment. */
  submissions: number;
  /** Not graded yet. */
  waiting: number;
  /** The grader failed at one: no score is claimed for it. */
  failed: number;
}

/** Students in order, for each assignment one entry. */
export function gradebook(
  people: readonly Person[],
  assignments: readonly string[],
  submissions: readonly Submission[],
  keep: Keep,
): Entry[] {
  const byCell = new Map<string, Submission[]>();
  for (const submission of submissions) {
    const key = `${submission.person}\n${submission.assignment}`;
    byCell.set(key, [...(byCell.get(key) ?? []), submission]);
  }
  return people
    .filter(({ role }) => role === "student")
    .flatMap((person) =>
      assignments.map((assignment) => {
        const own = byCell.get(`${person.id}\n${assignment}`) ?? [];
        return {
          person,
          assignment,
          counts: countingOf(own, keep),
          submissions: own.length,
          waiting: own.filter(({ grade }) => !grade).length,
          failed: own.filter(({ grade }) => grade?.status === "grader").length,
        };
      }),
    );
}

/** @param submissions the oldest first */
export function countingOf(submissions: readonly Submission[], keep: Keep): Submission | undefined {
  const graded = submissions.filter(({ grade }) => grade?.status === "graded");
  if (keep === "latest") return graded.at(-1);
  return graded.reduce<Submission | undefined>(
    (best, one) => (best && (best.grade?.score ?? 0) >= (one.grade?.score ?? 0) ? best : one),
    undefined,
  );
}

const COLUMNS = [
  "person", "name", "email", "assignment", "score", "points", "submissions", "waiting", "failed", "submission", "accepted", "sha256",
  "raw_score", "late_percent",
]; // biome-ignore format: a record

/** RFC 4180; text that a spreadsheet would take for a formula gets an apostrophe before it. */
export function gradebookCsv(entries: readonly Entry[]): string {
  const rows = entries.map(({ person, assignment, counts, submissions, waiting, failed }) => [
    person.id,
    person.name,
    person.email,
    assignment,
    counts?.grade?.score ?? "",
    counts?.grade?.points ?? "",
    submissions,
    waiting,
    failed,
    counts?.id ?? "",
    counts ? new Date(counts.accepted).toISOString() : "",
    counts?.sha256 ?? "",
    counts?.grade?.raw ?? "",
    counts?.grade?.late?.percent ?? "",
  ]);
  return stringify([COLUMNS, ...rows], { escape_formulas: true, record_delimiter: "windows" });
}

export function gradebookJson(entries: readonly Entry[]): unknown {
  return {
    version: 1,
    entries: entries.map(({ person, assignment, counts, submissions, waiting, failed }) => ({
      person: person.id,
      name: person.name,
      email: person.email,
      assignment,
      score: counts?.grade?.score ?? null,
      points: counts?.grade?.points ?? null,
      rawScore: counts?.grade?.raw ?? null,
      latePercent: counts?.grade?.late?.percent ?? 0,
      submission: counts?.id ?? null,
      submissions,
      waiting,
      failed,
    })),
  };
}
