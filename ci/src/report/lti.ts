/** Scores for the Assignment and Grade Services of LTI 1.3: what a platform's line item takes. Posting them is its client's work. */
import { awaitsPerson, finalScore, fullPoints, type Report } from "../judge/report.js";

export interface LtiScore {
  userId: string;
  /** Not there where nothing was graded. */
  scoreGiven?: number;
  scoreMaximum?: number;
  comment: string;
  /** ISO 8601 with milliseconds; platforms ignore a score that is older than the one that they have. */
  timestamp: string;
  activityProgress: "Submitted" | "Completed";
  /** Platforms record `FullyGraded` only. `PendingManual`: a person has cells left to grade. */
  gradingProgress: "FullyGraded" | "PendingManual" | "Failed";
  submission?: { submittedAt: string };
}

export interface LtiOptions {
  /** When the scores were made. */
  now: Date;
  /** The platform's id of a student; default: ours. */
  userId?: (student: string) => string | undefined;
}

/** @throws Error for a report that belongs to no student */
export function ltiScores(reports: readonly Report[], { now, userId }: LtiOptions): LtiScore[] {
  return reports.map((report): LtiScore => {
    if (report.student === undefined)
      throw new Error(`${report.file}: belongs to no student, so its score has no user`);
    const graded = report.status === "graded";
    return {
      userId: userId?.(report.student) ?? report.student,
      ...(graded ? { scoreGiven: finalScore(report), scoreMaximum: fullPoints(report) } : {}),
      comment: commentOf(report),
      timestamp: now.toISOString(),
      activityProgress: graded ? "Completed" : "Submitted",
      gradingProgress: graded ? (awaitsPerson(report) ? "PendingManual" : "FullyGraded") : "Failed",
      ...(report.submittedAt === undefined ? {} : { submission: { submittedAt: report.submittedAt } }),
    };
  });
}

function commentOf(report: Report): string {
  if (report.status === "grader") return "The grader failed: this is not a score.";
  if (report.status === "invalid") return `Not graded: ${plain(report.message ?? "")}`;
  const tasks = report.tasks.map(
    (task) => `${task.number}. ${plain(task.title)}: ${task.override?.score ?? task.score}/${task.points}`,
  );
  const byHand = (report.manual ?? []).map(
    ({ gradeId, score, points }) => `${plain(gradeId)}: ${score ?? "not graded yet"}/${points}`,
  );
  return [...(report.comments ?? []).map(plain), ...tasks, ...byHand].join("; ").slice(0, 2_000);
}

/** Platforms show a comment as HTML: there is none in it. */
function plain(text: string): string {
  return text.replace(/[<>&\p{Cc}]/gu, " ").slice(0, 500);
}
