/** `grades.csv`: one row a submission, with the columns of nbgrader's own export and what it lacks. */
import { finalScore, fullPoints, type Report } from "../judge/report.js";
import { asCsv, type CsvCell } from "./csv.js";

const COLUMNS = [
  "assignment",
  "duedate",
  "timestamp",
  "student_id",
  "last_name",
  "first_name",
  "email",
  "raw_score",
  "late_submission_penalty",
  "score",
  "max_score",
  "status",
  "remark",
];

export interface Person {
  lastName?: string;
  firstName?: string;
  email?: string;
}

export interface GradesOptions {
  /** By student id. */
  people?: ReadonlyMap<string, Person>;
  /** By assignment; ISO 8601. */
  due?: ReadonlyMap<string, string>;
}

/** Nothing is claimed where nothing was graded: these scores are empty, with the status and the reason beside them. */
export function gradesCsv(reports: readonly Report[], { people, due }: GradesOptions = {}): string {
  const rows = reports.map((report): CsvCell[] => {
    const graded = report.status === "graded";
    const person = people?.get(report.student ?? "");
    const score = finalScore(report);
    const raw = rawScore(report);
    return [
      report.assignment,
      due?.get(report.assignment ?? ""),
      report.submittedAt,
      report.student ?? report.file,
      person?.lastName,
      person?.firstName,
      person?.email,
      graded ? raw : undefined,
      graded ? Math.round((raw - score) * 1e6) / 1e6 : undefined,
      graded ? score : undefined,
      fullPoints(report),
      report.status,
      graded ? report.notes.join("; ") : report.message,
    ];
  });
  return asCsv([COLUMNS, ...rows]);
}

/** With overrides, before the late penalty. */
function rawScore(report: Report): number {
  const byHand = (report.manual ?? []).reduce((total, { score = 0 }) => total + score, 0);
  const sum = report.tasks.reduce((total, task) => total + (task.override?.score ?? task.score), byHand);
  return Math.round(sum * 1e6) / 1e6;
}
