/** From what the judge found to what counts: instructors' overrides and comments, then the late penalty. */
import { type Report, type TaskReport, taskScore } from "../judge/report.js";
import { sumPoints } from "../kit/check.js";
import type { Override } from "./log.js";
import { lateness, type Settings } from "./settings.js";

/** Decisions are by student and assignment: they stand whatever is graded again. */
export function decided(report: Report, overrides: readonly Override[], settings: Settings): Report {
  const mine = overrides.filter(
    ({ student, assignment }) => student === report.student && assignment === report.assignment,
  );
  const late = lateness(settings, report);
  const tasks = report.tasks.map((task) =>
    decidedTask(
      task,
      mine.filter((override) => override.task === task.name),
    ),
  );
  const manual = report.manual?.map((cell) => ({
    ...cell,
    ...lastScore(mine.filter((override) => override.task === cell.gradeId)),
  }));
  const comments = commentsOf(mine.filter((override) => override.task === undefined));
  const byHand = manual?.flatMap(({ score }) => (score === undefined ? [] : [score])) ?? [];
  const changed = tasks.some((task) => task.override) || byHand.length > 0 || late !== undefined;
  if (report.status !== "graded") return { ...report, ...(comments && { comments }) };
  const full = sumPoints([...tasks.map(taskScore), ...byHand]);
  const score = Math.round(full * (100 - (late?.percent ?? 0)) * 1e4) / 1e6;
  return {
    ...report,
    tasks,
    ...(manual && { manual }),
    ...(comments && { comments }),
    ...(late && { late }),
    ...(changed && { final: score }),
  };
}

function decidedTask(task: TaskReport, overrides: readonly Override[]): TaskReport {
  const comments = commentsOf(overrides);
  const override = lastScore(overrides);
  return { ...task, ...(override && { override }), ...(comments && { comments }) };
}

/** The last score that was decided, unless it was taken back. */
function lastScore(overrides: readonly Override[]): { score: number; by?: string } | undefined {
  const last = overrides.findLast(({ score }) => score !== undefined);
  if (last?.score === undefined || last.score === null) return undefined;
  return { score: last.score, ...(last.by === undefined ? {} : { by: last.by }) };
}

/** Each comment, until one takes all earlier ones back. */
function commentsOf(overrides: readonly Override[]): string[] | undefined {
  let comments: string[] = [];
  for (const { comment } of overrides) {
    if (comment === null) comments = [];
    else if (comment !== undefined) comments.push(comment);
  }
  return comments.length > 0 ? comments : undefined;
}
